"""Which way to make the sums of each layer, by the weights that are left and by how often its inputs fire."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from snnbook import native
from snnbook.sparse import kernels, reference
from snnbook.sparse.graph import Graph, Layer, Synapses


@dataclass(frozen=True)
class Costs:
    """Nanoseconds of what the paths do.

    masked, table: a live weight for a word of 64 neurons; linear: a live weight of a linear layer for 16 steps.
    event: a live weight for an event. around: a step of a neuron, whatever its weights, masked or by table, and
    around_events: by event. multiply: a weight for a step of a dense layer's neuron; fetch: a weight of a dense linear
    layer; pack: a neuron's step, packed or unpacked; call: a dense layer, whatever its size.
    """

    masked: float
    table: float
    linear: float
    event: float
    around: float
    around_events: float
    multiply: float = 0.009
    fetch: float = 0.25
    pack: float = 1.5
    call: float = 1e5


# Measured on one core of an EPYC of the fifth generation; `snnbook bench sparse` shows how well they choose.
COSTS = {
    "avx512": Costs(masked=1.08, table=0.44, linear=0.5, event=0.46, around=0.1, around_events=0.19),
    "avx2": Costs(masked=2.8, table=math.inf, linear=0.8, event=0.75, around=0.05, around_events=0.33),
    "portable": Costs(masked=15.5, table=math.inf, linear=12.5, event=8.5, around=0.2, around_events=0.5),
}


def observed(graph: Graph, sample: Tensor) -> Graph:
    """The graph with how often its neurons fire on a sample, `[T, N, C, H, W]` or `[N, C, H, W]`."""
    return replace(graph, events=tuple(_events(signal) for signal in reference.signals_of(graph, sample)))


def _events(signal: Tensor) -> Tensor:
    """Of a signal `[T, N, C, H, W]`: neurons of each channel that fire within 8 steps, over all steps, `[C]`."""
    if signal.dim() != 5:
        return torch.zeros(0)
    fires = torch.stack([part.ne(0).any(0) for part in signal.split(kernels.STEPS)])
    return fires.float().mean(1).sum((0, 2, 3))


def choose(graph: Graph) -> dict[str, str]:
    """The path of every layer of an observed graph, by its name. See `kernels.PATHS`."""
    costs = COSTS[native.level or "portable"]
    paths = {}
    for node in graph.nodes:
        if isinstance(node, Layer):
            found = estimates(graph, node, costs)
            paths[node.name] = min(found, key=found.__getitem__)
    return paths


def estimates(graph: Graph, node: Layer, costs: Costs) -> dict[str, float]:
    """Nanoseconds that each path of a layer of an observed graph would take for one sample."""
    T, outputs = graph.T, math.prod(node.shape)
    inputs = sum(math.prod(graph.shapes[s.source]) for s in node.synapses)
    live, weights = (sum(count(s) for s in node.synapses) for count in (_live, lambda s: s.weight.numel()))
    packed = costs.call + costs.pack * T * (outputs + inputs)
    if len(node.shape) == 1:
        each = costs.fetch + costs.multiply * T
        return {"masked": costs.linear * live * math.ceil(T / kernels.LANES), "dense": packed + each * weights}
    positions, around = math.prod(node.shape[1:]), costs.around * outputs * T
    words = math.ceil(positions / kernels.BITS) * T
    found = {"dense": packed + costs.multiply * weights * positions * T}
    if kernels.able(graph, node, "masked") == "masked":
        found["masked"] = around + costs.masked * live * words
    if kernels.able(graph, node, "event") == "event":
        found["event"] = costs.around_events * outputs * T
        for s in node.synapses:
            readers = (s.weight != 0).flatten(2).sum((0, 2))  # live weights of each channel
            found["event"] += costs.event * float((readers * graph.events[s.source]).sum()) / s.stride**2
    if kernels.able(graph, node, "table") == "table":
        found["table"] = around + costs.table * live * words
    return found


def _live(s: Synapses) -> int:
    return int(s.weight.count_nonzero())
