"""The path on which the sums of a layer are made, by the weights that are left and by how often its inputs fire."""

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
    """Nanoseconds that the paths take, on one thread, at one level of kernels.

    masked, table: for a live weight and a word of 64 neurons at one step; infinite where there are no tables. linear:
    for a live weight of a linear layer and 16 steps. event: for a live weight and a neuron that fires within 8 steps.
    around: for a step of a neuron, whatever its weights, masked or by table; around_events: the same by event.
    multiply: for a weight and a step of a neuron in a dense layer. fetch: for a weight of a dense linear layer. pack:
    for a step of a neuron, packed or unpacked around a dense layer. call: for a dense layer, whatever its size.
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
    """The graph with `events`: how often its neurons fire on a sample, `[T, N, C, H, W]` or `[N, C, H, W]`."""
    return replace(graph, events=tuple(_events(signal) for signal in reference.signals_of(graph, sample)))


def _events(signal: Tensor) -> Tensor:
    """Neurons of each channel that fire within 8 steps, summed over all such windows and averaged over samples, `[C]`.

    signal: `[T, N, C, H, W]`; `[0]` for one without a map.
    """
    if signal.dim() != 5:
        return torch.zeros(0)
    fires = torch.stack([part.ne(0).any(0) for part in signal.split(kernels.STEPS)])
    return fires.float().mean(1).sum((0, 2, 3))


def costs_here() -> Costs:
    """The costs at the level of kernels in use; without sums by table where this processor has none."""
    costs = COSTS[native.level() or "portable"]
    return costs if native.has_tables() else replace(costs, table=math.inf)


def choose(graph: Graph, costs: Costs | None = None) -> dict[str, str]:
    """The path of every layer of an observed graph, by its name, one of `kernels.PATHS`: the one that costs least.

    costs: those of the processor that the network is to run on; None for `costs_here()`.
    """
    paths = {}
    for node in graph.nodes:
        if isinstance(node, Layer):
            nanoseconds = estimates(graph, node, costs or costs_here())
            paths[node.name] = min(nanoseconds, key=nanoseconds.__getitem__)
    return paths


def estimates(graph: Graph, node: Layer, costs: Costs) -> dict[str, float]:
    """Nanoseconds that a layer of an observed graph takes for one sample, by the path: those that it has."""
    T, outputs = graph.T, math.prod(node.shape)
    inputs = sum(math.prod(graph.shapes[s.source]) for s in node.synapses)
    live, weights = (sum(count(s) for s in node.synapses) for count in (_live, lambda s: s.weight.numel()))
    packed = costs.call + costs.pack * T * (outputs + inputs)
    if len(node.shape) == 1:
        dense = packed + (costs.fetch + costs.multiply * T) * weights
        return {"masked": costs.linear * live * math.ceil(T / kernels.LANES), "dense": dense}
    positions, around = math.prod(node.shape[1:]), costs.around * outputs * T
    words = math.ceil(positions / kernels.BITS) * T
    total = {"dense": packed + costs.multiply * weights * positions * T}
    has = {path: kernels.path_of_shape(graph, node, path) == path for path in kernels.PATHS}
    if has["masked"]:
        total["masked"] = around + costs.masked * live * words
    if has["event"]:
        total["event"] = costs.around_events * outputs * T
        for s in node.synapses:
            readers = (s.weight != 0).flatten(2).sum((0, 2))  # live weights of each channel
            total["event"] += costs.event * float((readers * graph.events[s.source]).sum()) / s.stride**2
    if has["table"] and math.isfinite(costs.table):
        total["table"] = around + costs.table * live * words
    return total


def _live(s: Synapses) -> int:
    return int(s.weight.count_nonzero())
