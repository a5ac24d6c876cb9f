"""The leaky integrate-and-fire neuron: one step as a pure function, all steps as a module.

Ref: paper A Eq. 5-6, paper B Eq. 3-4, paper C Eq. 1. With membrane potential v, input x and spike s,

    charge   h[t] = v[t-1] + (x[t] - (v[t-1] - v_rest)) / tau      decay_input=True
             h[t] = v[t-1] - (v[t-1] - v_rest) / tau + x[t]        decay_input=False
    fire     s[t] = 1 if h[t] >= v_threshold else 0
    reset    v[t] = v_reset where s[t], else h[t]                  hard reset, v_rest = v_reset
             v[t] = h[t] - v_threshold s[t]                        soft reset (v_reset=None), v_rest = 0

and v[0] = v_rest. Paper B prints the charge with decay_input=True; paper A prints the differential equation
only, and paper C leaves the charge out.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from snnbook import native
from snnbook.surrogates import ATan, Surrogate


class LIFParameters(NamedTuple):
    """The constants of one layer of neurons; times are counted in steps, potentials in units of the input."""

    tau: float = 2.0
    v_threshold: float = 1.0
    v_reset: float | None = 0.0
    decay_input: bool = True
    detach_reset: bool = True
    surrogate: Surrogate = ATan()

    @property
    def v_rest(self) -> float:
        return 0.0 if self.v_reset is None else self.v_reset


def lif_step(v: Tensor | float, x: Tensor, p: LIFParameters) -> tuple[Tensor, Tensor, Tensor]:
    """One step: potential and input → spikes, next potential, potential before reset, all `[N, *]`."""
    leak = 1.0 / p.tau
    h = v + (x - (v - p.v_rest)) * leak if p.decay_input else v - (v - p.v_rest) * leak + x
    s = p.surrogate.spike(h - p.v_threshold)
    r = s.detach() if p.detach_reset else s
    v = h - p.v_threshold * r if p.v_reset is None else h * (1 - r) + p.v_reset * r
    return s, v, h


def lif_reference(x: Tensor, p: LIFParameters) -> tuple[Tensor, Tensor]:
    """All steps in turn: input `[T, N, *]` → spikes and potentials before reset, both `[T, N, *]`."""
    if not x.numel():
        return x.clone(), x.clone()
    v = torch.full_like(x[0], p.v_rest)
    spikes, potentials = [], []
    for x_t in x:
        s, v, h = lif_step(v, x_t, p)
        spikes.append(s)
        potentials.append(h)
    return torch.stack(spikes), torch.stack(potentials)


def _forward(x: Tensor, p: LIFParameters, mask: Tensor | None, potential: bool) -> tuple[Tensor, Tensor | None]:
    """What `native.lif_forward` does, step by step in torch; half precision is computed in float32."""
    s, h = torch.empty_like(x), torch.empty_like(x) if potential else None
    v: Tensor | float = p.v_rest
    for t, x_t in enumerate(x):
        s_t, v, h_t = lif_step(v, x_t.float(), p)
        s[t] = s_t if mask is None else s_t * mask
        if h is not None:
            h[t] = h_t
    return s, h


def _backward(grad_s: Tensor | None, grad_h: Tensor | None, x: Tensor, p: LIFParameters, mask: Tensor | None) -> Tensor:
    """What `native.lif_backward` does, step by step in torch."""
    h = _forward(x.float(), p, None, potential=True)[1]
    grad_x, keep, gain = torch.empty_like(x), 1 - 1 / p.tau, 1 / p.tau if p.decay_input else 1.0
    grad_v: Tensor | float = 0.0
    for t in reversed(range(len(x))):
        u = h[t] - p.v_threshold  # type: ignore[index]
        grad = (
            torch.zeros_like(u) if grad_s is None else grad_s[t].float() if mask is None else grad_s[t].float() * mask
        )
        if not p.detach_reset:
            grad = grad + grad_v * (-p.v_threshold if p.v_reset is None else p.v_reset - h[t])  # type: ignore[index]
        through = 1.0 if p.v_reset is None else (u < 0).float()
        grad = grad * p.surrogate.derivative(u) + grad_v * through
        grad = grad if grad_h is None else grad + grad_h[t].float()
        grad_x[t], grad_v = grad * gain, grad * keep
    return grad_x


class _FusedLIF(torch.autograd.Function):
    """The recursion as one operation that keeps its input only and recomputes the potentials in the backward pass.

    Compiled where `native` covers the input; in torch, with a few elementwise operations a step, where it does not.
    """

    @staticmethod
    def forward(ctx, x: Tensor, p: LIFParameters, mask: Tensor | None, potential: bool):
        ctx.save_for_backward(x)
        ctx.p, ctx.mask = p, mask
        ctx.set_materialize_grads(False)
        return (native.lif_forward if native.supports_lif(x, p) else _forward)(x, p, mask, potential)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_s: Tensor | None, grad_h: Tensor | None):
        (x,) = ctx.saved_tensors
        if grad_s is None and grad_h is None:
            return None, None, None, None
        backward = native.lif_backward if native.supports_lif(x, ctx.p) else _backward
        return backward(grad_s, grad_h, x, ctx.p, ctx.mask), None, None, None


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons over all time steps: `x [T, N, *]` → spikes `[T, N, *]`.

    tau: membrane time constant in steps, > 1 or = 1 (no memory). v_threshold: potential at which a spike is
    fired. v_reset: potential after a spike; None subtracts the threshold instead (soft reset). decay_input:
    divide the input by tau. detach_reset: no gradient through the reset. surrogate: derivative used for the
    spike.

    float64 runs on the step-by-step reference; other types on one fused operation, compiled on the CPU, which computes
    in float32 and has no second derivative.

    No state outlives the call. `mask` (bool `[*]`, None = all alive) silences pruned neurons: they integrate
    and reset but their spikes are not sent on (paper B Eq. 5). Set `keep_potential` to have `self.potential`,
    the potential before reset `[T, N, *]`, filled at each call (paper C's criticality).
    Raises ValueError for tau < 1 and for an input without the two leading axes.
    """

    mask: Tensor | None

    def __init__(
        self,
        tau: float = 2.0,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        decay_input: bool = True,
        detach_reset: bool = True,
        surrogate: Surrogate | None = None,
    ):
        super().__init__()
        if not tau >= 1:  # NaN included
            raise ValueError(f"tau must be at least 1 step, got {tau}")
        self.p = LIFParameters(tau, v_threshold, v_reset, decay_input, detach_reset, surrogate or ATan())
        self.register_buffer("mask", None)
        self.keep_potential = False
        self.potential: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 2:
            raise ValueError(f"LIF takes [T, N, *], got a tensor of shape {tuple(x.shape)}")
        if x.dtype == torch.float64:
            s, h = lif_reference(x, self.p)
            s = s if self.mask is None else s * self.mask
        else:
            s, h = _FusedLIF.apply(x, self.p, self.mask, self.keep_potential)
        self.potential = h if self.keep_potential else None
        return s

    def extra_repr(self) -> str:
        return ", ".join(f"{k}={v}" for k, v in self.p._asdict().items())
