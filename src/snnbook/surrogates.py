"""Surrogate gradients: a smooth stand-in for the derivative of the spike, used in the backward pass only.

The forward pass is always the Heaviside step with `step(0) = 1`. Each surrogate says what smooth function it
stands for (`value`, which paper C plots) and its `derivative`, which back-propagation and the criticality score use.
`x` is the membrane potential minus the threshold, of any shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from snnbook.errors import unknown

Curve = tuple[str, float, float]


@dataclass(frozen=True)
class Surrogate:
    """What every surrogate offers: `value(x)` and `derivative(x)`, both of the shape of `x`.

    `curve` says the derivative to the compiled kernels, which know two: ("rational", a, k) for a / (1 + (k x)^2) and
    ("logistic", a, k) for a e / (1 + e)^2 with e = exp(-k |x|). None: only the torch path computes it.
    """

    @property
    def curve(self) -> Curve | None:
        """The derivative as the compiled kernels take it, or None."""
        return None

    def value(self, x: Tensor) -> Tensor:
        """The smooth stand-in for the step, of the shape of `x`."""
        raise NotImplementedError

    def derivative(self, x: Tensor) -> Tensor:
        """The derivative of `value`, of the shape of `x`; in spikes per unit of the potential."""
        raise NotImplementedError

    def spike(self, x: Tensor) -> Tensor:
        """Heaviside step of `x` (1 where `x >= 0`), with this surrogate's derivative in the backward pass."""
        return _Spike.apply(x, self)


@dataclass(frozen=True)
class ATan(Surrogate):
    """g(x) = arctan(pi alpha x / 2) / pi + 1/2. Ref: paper C Eq. 2 (alpha = 2); the default of papers A and B."""

    alpha: float = 2.0

    def value(self, x: Tensor) -> Tensor:
        return torch.atan(math.pi / 2 * self.alpha * x) / math.pi + 0.5

    def derivative(self, x: Tensor) -> Tensor:
        return (self.alpha / 2) / (1 + (math.pi / 2 * self.alpha * x).square())

    @property
    def curve(self) -> Curve:
        return "rational", self.alpha / 2, math.pi / 2 * self.alpha


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """g(x) = 1 / (1 + exp(-alpha x)). Ref: paper C Eq. 18 (alpha = 4)."""

    alpha: float = 4.0

    def value(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.alpha * x)

    def derivative(self, x: Tensor) -> Tensor:
        return self.alpha * _bell(self.alpha * x)

    @property
    def curve(self) -> Curve:
        return "logistic", self.alpha, self.alpha


@dataclass(frozen=True)
class Tanh(Surrogate):
    """g(x) = tanh(3x) / (2 tanh 1.5) + 1/2. Ref: paper C Eq. 17, which leaves [0, 1] for |x| > 1/2."""

    def value(self, x: Tensor) -> Tensor:
        return torch.tanh(3 * x) / (2 * math.tanh(1.5)) + 0.5

    def derivative(self, x: Tensor) -> Tensor:
        return 6 / math.tanh(1.5) * _bell(6 * x)

    @property
    def curve(self) -> Curve:
        return "logistic", 6 / math.tanh(1.5), 6.0


def _bell(x: Tensor) -> Tensor:
    """The derivative of the logistic function; 1 - y would cancel where y, the function, is near 1."""
    return torch.sigmoid(x) * torch.sigmoid(-x)


class _Spike(torch.autograd.Function):
    """The step in the form that the transforms of `torch.func` take."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, surrogate: Surrogate) -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Surrogate], output: Tensor) -> None:
        x, ctx.surrogate = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, grad: Tensor):
        (x,) = ctx.saved_tensors
        return grad * ctx.surrogate.derivative(x), None


SURROGATES: dict[str, type[Surrogate]] = {"atan": ATan, "sigmoid": Sigmoid, "tanh": Tanh}


def surrogate(which: Surrogate | str) -> Surrogate:
    """A surrogate as it is, or by its name in SURROGATES with its default steepness. Raises UserError for others."""
    if isinstance(which, Surrogate):
        return which
    if which not in SURROGATES:
        raise unknown("surrogate", which, SURROGATES)
    return SURROGATES[which]()
