"""What sparse inference is compared with: the same network or layer, computed by torch with all its weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from snnbook.neurons import LIF, lif_reference
from snnbook.report import benchmarks
from snnbook.sparse import graph, reference

FP32, LAST, BF16 = benchmarks.DENSE, benchmarks.DENSE_LAST, benchmarks.DENSE_BF16
INT8, CSR = benchmarks.DENSE_INT8, benchmarks.CSR


class Dense:
    """A graph run densely by torch: all weights, one layout of memory, one type; the LIF of this package.

    plain: neurons as steps of torch instead, which `torch.compile` sees through.
    """

    def __init__(self, g: graph.Graph, last: bool = False, kind: torch.dtype = torch.float32, plain: bool = False):
        self.g, self.kind = g, kind
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.weights = {
            (i, j): s.weight.to(kind).contiguous(
                memory_format=self.layout if s.weight.dim() == 4 else torch.contiguous_format
            )
            for i, node in enumerate(g.nodes)
            if isinstance(node, graph.Layer)
            for j, s in enumerate(node.synapses)
        }
        make = _plain if plain else _fused
        self.neurons = [make(n) if isinstance(n, graph.Layer) and n.neurons else None for n in g.nodes]

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Input `[T, 1, C, H, W]` or `[1, C, H, W]` → logits `[T, 1, K]`."""
        g, signals = self.g, [x.to(self.kind)]
        for i, node in enumerate(g.nodes):
            if isinstance(node, graph.Pool):
                signals.append(reference.signal(node, signals))
                continue
            total = sum(self._currents(i, j, s, signals) for j, s in enumerate(node.synapses))
            total = total + node.bias.to(self.kind).view(-1, *[1] * (len(node.shape) - 1))
            if total.dim() == len(node.shape) + 1:  # a picture, the same at every step
                total = total.expand(g.T, *total.shape)
            neurons = self.neurons[i]
            signals.append(total if neurons is None else neurons(total))
        out = torch.stack([signals[i] for i in g.outputs]).sum(0)
        return out.float().unflatten(2, (g.num_classes, -1)).mean(3)

    def _currents(self, i: int, j: int, s: graph.Synapses, signals: list[Tensor]) -> Tensor:
        x, w = signals[s.source], self.weights[i, j]
        if w.dim() == 2:
            return F.linear(x.flatten(2), w)
        if x.dim() == 4:
            return F.conv2d(x.contiguous(memory_format=self.layout), w, stride=s.stride, padding=s.padding)
        samples = x.flatten(0, 1).contiguous(memory_format=self.layout)
        return F.conv2d(samples, w, stride=s.stride, padding=s.padding).unflatten(0, x.shape[:2])


def _fused(node: graph.Layer) -> Callable[[Tensor], Tensor]:
    neurons = LIF(*node.neurons)  # type: ignore[misc]
    neurons.mask = node.mask
    return neurons


def _plain(node: graph.Layer) -> Callable[[Tensor], Tensor]:
    p = node.neurons
    assert p is not None

    def neurons(x: Tensor) -> Tensor:
        s, _ = lif_reference(x, p)
        return s if node.mask is None else s * node.mask

    return neurons


def inductor(g: graph.Graph, x: Tensor) -> Callable[[], Any] | None:
    """The dense network as one program of torch.compile with constant weights; None without a compiler."""
    run = torch.compile(Dense(g, True, plain=True).__call__, options={"freezing": True})
    try:
        run(x)
    except torch._dynamo.exc.BackendCompilerFailed:
        return None
    return partial(run, x)


def layer_runs(g: graph.Graph, spikes: Tensor) -> dict[str, Callable[[], Any]]:
    """The convolution of `sparse.layer` in every way that torch has, dense and CSR.

    Neurons are left out, which is in its favour.
    """
    w = g.nodes[1].synapses[0].weight  # type: ignore[union-attr]
    x = spikes.flatten(0, 1)
    last = {"memory_format": torch.channels_last}
    xl, wl = x.contiguous(**last), w.contiguous(**last)
    xb, wb = xl.bfloat16(), wl.bfloat16()
    runs: dict[str, Callable[[], Any]] = {
        FP32: lambda: F.conv2d(x, w, padding=1),
        LAST: lambda: F.conv2d(xl, wl, padding=1),
        BF16: lambda: F.conv2d(xb, wb, padding=1),
        CSR: _csr(w, x),
    }
    if "x86" in torch.backends.quantized.supported_engines:
        runs[INT8] = _int8(xl, wl)
    return runs


def _int8(x: Tensor, w: Tensor) -> Callable[[], Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.quantized.engine = "x86"
        scale = w.abs().amax((1, 2, 3)) / 127
        zeros = torch.zeros(len(w), dtype=torch.long)
        whole = torch.quantize_per_channel(w, scale, zeros, 0, torch.qint8).contiguous(
            memory_format=torch.channels_last
        )
        spikes = torch.quantize_per_tensor(x, 1.0, 0, torch.quint8)
    packed = torch.ops.quantized.conv2d_prepack(whole, None, [1, 1], [1, 1], [1, 1], 1)
    return lambda: torch.ops.quantized.conv2d(spikes, packed, 0.1, 0)


def _csr(w: Tensor, x: Tensor) -> Callable[[], Any]:
    """Compressed sparse rows times the unfolded input; unfolding is part of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = w.flatten(1).to_sparse_csr()
    return lambda: rows @ F.unfold(x, 3, padding=1).transpose(0, 1).flatten(1)
