"""How much a layer's input adds up in the leaky neurons after it. Ref: `methods/slamp.py`, which says what for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.neurons import LIF
from snnbook.pruning.weights import multiply
from snnbook.tracing import TRANSPOSED, layers, measuring, spiking, trace_layers, weight_of


@torch.no_grad()
def amplification(
    model: nn.Module, x: Tensor, n: int, T: int, weights: Sequence[float] = (), leaky: bool = True
) -> dict[str, float]:
    """Weight name → the amplification of its layer, sum_t w_t |z_t|^2 / sum_t w_t |x_t|^2, a number of at least 1.

    x: a batch of `n` samples as the network takes it, `[T, n, *]` or `[n, *]`; it runs in evaluation mode. With the
    inputs x_t of a layer at step t, z_t = a z_(t-1) + |x_t|, where a is the leak of the neurons after the layer and 0
    where there are none; norms are over all patches of a convolution. The steps of a layer are the rows that enter it,
    over n, with time as the slowest axis, and its further runs. A layer that runs for one step only drives all `T`
    steps with one current, as the encoding of a static image does. A layer that does not run or gets no input has 1.
    weights: w_t of the `T` steps, not negative; none weighs all alike. leaky: whether neurons forget; if not, a = 1.
    """
    known = spiking(model)
    leaks = {
        name: (leak(known[t.neuron]) if leaky else 1.0) if t.neuron in known else 0.0
        for name, t in trace_layers(model, x).items()
    }
    name_of = {m: name for name, m in layers(model).items()}
    traces: dict[str, Tensor] = {}
    steps, above, below = dict.fromkeys(leaks, 0), dict.fromkeys(leaks, 0.0), dict.fromkeys(leaks, 0.0)

    def hook(m: Any, args: tuple[Any, ...], output: Tensor) -> None:
        name, axes = name_of[m], m.weight.dim() - 1
        for x_t in args[0].abs().reshape(-1, n, *args[0].shape[-axes:]):
            traces[name] = leaks[name] * traces[name] + x_t if name in traces else x_t
            w = weights[steps[name] % len(weights)] if weights else 1.0
            above[name] += w * _energy(m, traces[name])
            below[name] += w * _energy(m, x_t)
            steps[name] += 1

    with measuring(model, dict.fromkeys(name_of, hook)):
        model(x)
    gamma = {name: above[name] / below[name] if below[name] else 1.0 for name in leaks}
    gamma |= {name: _constant(leaks[name], weights or [1.0] * T) for name in leaks if steps[name] == 1 and below[name]}
    return {weight_of(name): gamma.get(name, 1.0) for name in name_of.values()}


def leak(m: nn.Module) -> float:
    """The share of its potential that a neuron keeps in a step, in [0, 1]: 1 - 1/tau, or snnTorch's beta, or 1."""
    tau = m.constants.tau if isinstance(m, LIF) else getattr(m, "tau", None)
    return float(getattr(m, "beta", 1.0)) if tau is None else 1 - 1 / float(tau)


def _constant(a: float, weights: Sequence[float]) -> float:
    """The ratio for the same input at every step."""
    z = [sum(a**k for k in range(t + 1)) for t in range(len(weights))]
    return sum(w * v * v for w, v in zip(weights, z, strict=True)) / sum(weights)


def _energy(m: Any, v: Tensor) -> float:
    """|v|^2 over all patches that a layer sees."""
    if isinstance(m, nn.Linear):
        return float(v.double().square().sum())
    one_each = m.weight[:, :1] if isinstance(m, TRANSPOSED) else m.weight[: m.groups]  # an output for each group
    return float(multiply(m, v.double().square(), torch.ones_like(one_each, dtype=torch.float64)).sum())
