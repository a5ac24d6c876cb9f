"""How much a layer's input adds up in the leaky neurons behind it. Ref: `slamp.py`, which says what for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from snnbook.neurons import LIF
from snnbook.pruning.parts.neuron_masks import spiking
from snnbook.tracing import blocks, layers, measuring, weight_of


@torch.no_grad()
def amplification(model: nn.Module, x: Tensor, n: int, T: int) -> dict[str, float]:
    """Weight name → sum_t |z_t|^2 / sum_t |x_t|^2 of its layer, on batch `x` of `n` samples in evaluation mode.

    z_t = a z_(t-1) + |x_t| with the leak a of the neurons behind the layer, 0 where there are none; norms over all
    patches of a convolution. Steps are read off the rows that enter a layer, time being the slowest axis, and off its
    runs. A layer that runs once drives all `T` steps with one current, as the encoding of a static image does. 1 for a
    layer that does not run or gets no input.
    """
    known = spiking(model)
    leaks = {name: leak(known[b.neuron]) if b.neuron in known else 0.0 for name, b in blocks(model, x).items()}
    name_of = {m: name for name, m in layers(model).items()}
    traces: dict[str, Tensor] = {}
    steps, above, below = dict.fromkeys(leaks, 0), dict.fromkeys(leaks, 0.0), dict.fromkeys(leaks, 0.0)

    def hook(m: Any, args: tuple[Any, ...], output: Tensor) -> None:
        name, axes = name_of[m], m.weight.dim() - 1
        for x_t in args[0].abs().reshape(-1, n, *args[0].shape[-axes:]):
            traces[name] = leaks[name] * traces[name] + x_t if name in traces else x_t
            above[name] += _energy(m, traces[name])
            below[name] += _energy(m, x_t)
            steps[name] += 1

    with measuring(model, dict.fromkeys(name_of, hook)):
        model(x)
    found = {name: above[name] / below[name] if below[name] else 1.0 for name in leaks}
    found |= {name: _constant(leaks[name], T) for name in leaks if steps[name] == 1 and below[name]}
    return {weight_of(name): found.get(name, 1.0) for name in name_of.values()}


def leak(m: nn.Module) -> float:
    """The share of its potential that a neuron keeps in a step: 1 - 1/tau, snnTorch's beta, else 1 (no leak)."""
    tau = m.p.tau if isinstance(m, LIF) else getattr(m, "tau", None)
    return float(getattr(m, "beta", 1.0)) if tau is None else 1 - 1 / float(tau)


def _constant(a: float, T: int) -> float:
    """The ratio for the same input at each of `T` steps."""
    z = [sum(a**k for k in range(t)) for t in range(1, T + 1)]
    return sum(v * v for v in z) / T


def _energy(m: Any, v: Tensor) -> float:
    """|v|^2 over all patches that a layer sees."""
    if isinstance(m, nn.Linear):
        return float(v.double().square().sum())
    once = torch.ones_like(m.weight[: m.groups], dtype=torch.float64)  # each input as often as a patch holds it
    return float(m._conv_forward(v.double().square(), once, None).sum())
