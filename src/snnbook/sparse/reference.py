"""A compiled network in torch, in plain sight: it runs where there are no kernels, and tests hold the kernels to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from snnbook.neurons import LIF
from snnbook.sparse.graph import Graph, Layer, Pool, Synapses

Signals = Sequence[Tensor] | Mapping[int, Tensor]  # by number


@torch.no_grad()
def run(graph: Graph, x: Tensor) -> Tensor:
    """Input `[T, N, C, H, W]` or, for a static one, `[N, C, H, W]` → logits `[T, N, K]`."""
    signals = signals_of(graph, x)
    out = torch.stack([signals[i] for i in graph.outputs]).sum(0)
    return out.unflatten(2, (graph.num_classes, -1)).mean(3)


@torch.no_grad()
def signals_of(graph: Graph, x: Tensor) -> list[Tensor]:
    """All signals of a graph for an input, `[T, N, *]` each: spikes, pooled spikes or currents."""
    signals = [x.expand(graph.T, *x.shape) if graph.static else x]
    for node in graph.nodes:
        signals.append(signal(node, signals))
    return signals


def signal(node: Layer | Pool, signals: list[Tensor]) -> Tensor:
    """The output of a node, `[T, N, *]`. signals: those before it, `[T, N, *]` each."""
    return _pool(node, signals) if isinstance(node, Pool) else layer(node, signals)


def layer(node: Layer, signals: Signals) -> Tensor:
    """The spikes of a layer `[T, N, *]`, or its currents where it has no neurons."""
    x = currents(node, signals)
    if node.neurons is None:
        return x
    neurons = LIF(*node.neurons)
    neurons.mask = node.mask
    return neurons(x)


def currents(node: Layer, signals: Signals) -> Tensor:
    """The currents of a layer `[T, N, *]`: a sum over its synapses, and the bias.

    Where weights are whole numbers and inputs are spikes, so are the sums, and single precision is exact up to 2^24.
    """
    over_map = [-1, *[1] * (len(node.shape) - 1)]
    total = sum(_currents(synapses, signals[synapses.source]) for synapses in node.synapses)
    return (total if node.scale is None else total * node.scale.view(over_map)) + node.bias.view(over_map)


def _currents(s: Synapses, spikes: Tensor) -> Tensor:
    T, N = spikes.shape[:2]
    if s.weight.dim() == 2:
        return spikes.flatten(2) @ s.weight.T
    return F.conv2d(spikes.flatten(0, 1), s.weight, stride=s.stride, padding=s.padding).unflatten(0, (T, N))


def _pool(node: Pool, signals: list[Tensor]) -> Tensor:
    x = signals[node.source]
    pool = F.max_pool2d if node.kind == "max" else F.avg_pool2d
    return pool(x.flatten(0, 1), node.size, node.stride, node.padding).unflatten(0, x.shape[:2])
