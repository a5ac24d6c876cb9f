"""The leaky integrate-and-fire neuron: one step as a pure function, all steps as a module.

Ref: paper A Eq. 5-6, paper B Eq. 3-4, paper C Eq. 1. With membrane potential v, input x and spike s,

    charge   h[t] = v[t-1] + (x[t] - (v[t-1] - v_rest)) / tau      decay_input=True
             h[t] = v[t-1] - (v[t-1] - v_rest) / tau + x[t]        decay_input=False
    fire     s[t] = 1 if h[t] >= v_threshold else 0
    reset    v[t] = v_reset where s[t], else h[t]                  hard reset, v_rest = v_reset
             v[t] = h[t] - v_threshold s[t]                        soft reset (v_reset=None), v_rest = 0

and v[0] = v_rest. IF neurons have no leak: h[t] = v[t-1] + x[t], the second charge with an infinite tau. Paper B prints
the charge with decay_input=True; paper A prints the differential equation only, and paper C leaves the charge out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from snnbook import native
from snnbook.surrogates import ATan, Surrogate
from snnbook.surrogates import surrogate as surrogate_of


class LIFParameters(NamedTuple):
    """The constants of one layer of neurons, as `LIF` explains them.

    tau is counted in time steps, potentials have the unit of the input.
    """

    tau: float = 2.0
    v_threshold: float = 1.0
    v_reset: float | None = 0.0
    decay_input: bool = True
    detach_reset: bool = True
    surrogate: Surrogate = ATan()

    @property
    def v_rest(self) -> float:
        """The potential that the leak pulls to and that a sequence starts from: v_reset, or 0 for a soft reset."""
        return 0.0 if self.v_reset is None else self.v_reset


def lif_step(v: Tensor, x: Tensor, p: LIFParameters) -> tuple[Tensor, Tensor, Tensor]:
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


class _CompiledLIF(torch.autograd.Function):
    """The recursion in one compiled pass each way: it keeps its input only and computes the potentials twice."""

    @staticmethod
    def forward(ctx, x: Tensor, p: LIFParameters, mask: Tensor | None, potential: bool):
        ctx.save_for_backward(x)
        ctx.p, ctx.mask = p, mask
        ctx.set_materialize_grads(False)
        return native.lif_forward(x, p, mask, potential)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_s: Tensor | None, grad_h: Tensor | None):
        if grad_s is None and grad_h is None:
            return None, None, None, None
        (x,) = ctx.saved_tensors
        return native.lif_backward(grad_s, grad_h, x, ctx.p, ctx.mask), None, None, None


class _TorchLIF(torch.autograd.Function):
    """The same in torch, for GPUs and where nothing is compiled: it keeps the potentials only.

    It makes about seven passes over memory a step forwards and eleven back. Half precision is computed in float32.
    """

    @staticmethod
    def forward(ctx, x: Tensor, p: LIFParameters, mask: Tensor | None, potential: bool):
        ctx.p, ctx.mask = p, mask
        ctx.set_materialize_grads(False)
        leak, rest, s, potentials = 1 / p.tau, p.v_rest, torch.empty_like(x), []
        v = torch.full_like(x[:1], rest, dtype=torch.float32)
        for t, x_t in enumerate(x.split(1)):
            above = v - rest if rest else v
            u = (x_t - above).mul_(leak).add_(v) if p.decay_input else (v - above * leak).add_(x_t)
            fired = u >= p.v_threshold
            # u - u and not 0: an infinite potential leaves NaN behind, as in lif_step
            v = torch.where(fired, u - p.v_threshold if p.v_reset is None else (u - u).add_(rest), u)
            s[t : t + 1] = fired if mask is None else fired & mask
            potentials.append(u)
        ctx.save_for_backward(*potentials)
        return s, torch.cat(potentials or [x]).to(x.dtype) if potential else None

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_s: Tensor | None, grad_h: Tensor | None):
        given = grad_h if grad_s is None else grad_s
        if given is None:
            return None, None, None, None
        p, grad_x, potentials = ctx.p, torch.empty_like(given), ctx.saved_tensors
        keep, gain, grad_v = 1 - 1 / p.tau, 1 / p.tau if p.decay_input else 1.0, None
        for t in reversed(range(len(given))):
            u = potentials[t] - p.v_threshold
            grad = torch.zeros_like(u)
            if grad_s is not None:
                grad = grad_s[t : t + 1].float() if ctx.mask is None else grad_s[t : t + 1].float() * ctx.mask
            if grad_v is not None and not p.detach_reset:
                jump = -p.v_threshold if p.v_reset is None else p.v_reset - potentials[t]  # dv/ds
                grad = grad + grad_v * jump
            grad = p.surrogate.derivative(u).mul_(grad)
            if grad_v is not None:
                grad += grad_v if p.v_reset is None else grad_v.mul_(u < 0)
            if grad_h is not None:
                grad += grad_h[t : t + 1]
            grad_x[t : t + 1] = grad * gain
            grad_v = grad.mul_(keep)
        return grad_x, None, None, None


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons over all time steps: `x [T, N, *]` → spikes `[T, N, *]`.

    All settings are kept in `constants`, a LIFParameters.

    tau: membrane time constant in steps, > 1 or = 1 (no memory); infinite for no leak, see `IF`. v_threshold: potential
    at which a spike is fired. v_reset: potential after a spike; None subtracts the threshold instead (soft reset).
    decay_input: divide the input by tau. detach_reset: no gradient through the reset. surrogate: derivative used for
    the spike, by its name in SURROGATES or as an object.

    float64 runs on the step-by-step reference, and so does everything inside the transforms of `torch.func`; other
    types as one operation, compiled on the CPU, which computes in float32 and has no second derivative. While a network
    is exported, traced or compiled by torch, that operation is made of torch's own.

    No state outlives the call. `mask` (bool `[*]`, None = all alive) silences pruned neurons: they integrate
    and reset but their spikes are not sent on (paper B Eq. 5). A `state_dict` holds the mask where there is one, and
    `load_state_dict` takes it over whatever mask was here; one of a network without masks removes it. A plain dict, in
    which a missing mask may be a network without one or a part of a state, is taken as torch takes it: the mask that is
    here counts as a missing key. Set `keep_potential` to have `self.potential`, the potential before reset
    `[T, N, *]`, filled at each call (paper C's criticality).
    Raises ValueError for tau < 1, for an infinite tau that divides the input, and for an input without the two
    leading axes, and UserError for an unknown surrogate.
    """

    mask: Tensor | None

    def __init__(
        self,
        tau: float = 2.0,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        decay_input: bool = True,
        detach_reset: bool = True,
        surrogate: Surrogate | str = "atan",
    ):
        super().__init__()
        if not tau >= 1:  # NaN included
            raise ValueError(f"tau must be at least 1 step, got {tau}")
        if tau == math.inf and decay_input:
            raise ValueError("tau is infinite, and decay_input divides the input by it: decay_input=False keeps it")
        self.constants = LIFParameters(tau, v_threshold, v_reset, decay_input, detach_reset, surrogate_of(surrogate))
        self.register_buffer("mask", None)
        self.keep_potential = False
        self.potential: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Input `[T, N, *]` of any floating type and memory layout → spikes, 0 or 1, of the same shape and type.

        Raises ValueError for an input with fewer than two axes.
        """
        if x.dim() < 2:
            raise ValueError(f"LIF takes [T, N, *], got a tensor of shape {tuple(x.shape)}")
        mask = self.mask
        if mask is not None and mask.device != x.device:  # a state from another device was loaded
            mask = mask.to(x.device)
        if x.dtype == torch.float64 or torch._C._are_functorch_transforms_active():
            s, h = lif_reference(x if x.dtype == torch.float64 else x.float(), self.constants)
            s, h = (s if mask is None else s * mask).to(x.dtype), h.to(x.dtype)
        else:
            operation = _CompiledLIF if native.supports_lif(x, self.constants) else _TorchLIF
            s, h = operation.apply(x, self.constants, mask, self.keep_potential)
        if self.keep_potential or self.potential is not None:  # what is exported must have no side effects
            self.potential = h if self.keep_potential else None
        return s

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        mask = state_dict.get(f"{prefix}mask")
        if mask is not None and (self.mask is None or self.mask.shape != mask.shape):
            self.mask = torch.empty_like(mask, dtype=torch.bool)
        elif mask is None and "version" in local_metadata:  # the state is one of this module, and it has no mask
            self.mask = None
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def extra_repr(self) -> str:
        return ", ".join(f"{k}={v}" for k, v in self.constants._asdict().items())


class IF(LIF):
    """Integrate-and-fire neurons, without leak: h[t] = v[t-1] + x[t]; everything else is as in `LIF`.

    Ref: paper B's public code, SEW-ResNet18.
    """

    def __init__(
        self,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        detach_reset: bool = True,
        surrogate: Surrogate | str = "atan",
    ):
        super().__init__(math.inf, v_threshold, v_reset, False, detach_reset, surrogate)
