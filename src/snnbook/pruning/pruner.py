"""What a pruning method is to the training loop: masks, a context, and six hooks.

Weight masks are applied as zeros stored in the weights, so any outside counter sees them, `p.grad` stays dense and a
dead weight can be revived. Ref: the algorithm boxes of papers A, B and C, which all fit these hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError


def prunable(model: nn.Module) -> dict[str, Tensor]:
    """The weights that methods prune, by name: those of every convolution and linear layer, first and last included.

    Biases and batch norm are never pruned (papers A, B and C). Raises UserError if there is none, if one is lazy and
    not yet built, or if two layers share one.
    """
    found: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            if nn.parameter.is_lazy(module.weight):
                raise UserError(f"{name} is lazy and has no weights yet: run the network once before pruning it")
            found[f"{name}.weight" if name else "weight"] = module.weight
    if not found:
        raise UserError("nothing to prune: the network has no convolution and no linear layer")
    owners: dict[int, str] = {}
    for name, p in found.items():
        if id(p) in owners:
            raise UserError(f"{owners[id(p)]} and {name} share one weight, which can have only one mask")
        owners[id(p)] = name
    return found


class Masks(dict[str, Tensor]):
    """Weight name → bool tensor, True = alive."""

    @classmethod
    def ones(cls, model: nn.Module) -> Masks:
        """Everything alive."""
        return cls({n: torch.ones_like(p, dtype=torch.bool) for n, p in prunable(model).items()})

    @property
    def alive(self) -> int:
        return sum(int(m.sum()) for m in self.values())

    @property
    def total(self) -> int:
        return sum(m.numel() for m in self.values())

    @property
    def sparsity(self) -> float:
        """Share of dead weights, in [0, 1]."""
        return 1 - self.alive / self.total

    @torch.no_grad()
    def apply(self, weights: Mapping[str, Tensor]) -> None:
        """Set the dead ones of `weights` to zero. A fill, not a product, so that NaN in a dead weight dies too."""
        for name, p in weights.items():
            p.masked_fill_(~self[name], 0.0)


def _no_decision_step(lam: float, variant: str) -> int:
    raise UserError("this method needs the network's outputs at every time step, and none were lent")


@dataclass
class Context:
    """What the loop lends a method; methods share nothing else."""

    model: nn.Module
    masks: Masks
    generator: torch.Generator
    optimizer: torch.optim.Optimizer | None = None
    T: int = 0  # time steps of the sequences trained on; a method may lower it, from the next epoch on
    steps_per_epoch: int = 0
    steps: int = 0  # of the optimiser in the current training
    step: int = 0  # done in the current training
    round: int = 0  # trainings done
    decision_step: Callable[[float, str], int] = _no_decision_step  # (lambda, KL variant) -> step, on the training set
    log: dict[str, Any] = field(default_factory=dict)  # what the record should know

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The prunable weights by name, looked up once: the loop needs them at every step."""
        return prunable(self.model)

    def set_masks(self, masks: dict[str, Tensor]) -> None:
        """Take over new masks: zero what died, and restart the optimiser's moments of what was revived at zero."""
        for name, p in self.weights.items():
            revived = masks[name] & ~self.masks[name]
            if self.optimizer is not None and revived.any():
                for moment in self.optimizer.state.get(p, {}).values():
                    if torch.is_tensor(moment) and moment.shape == p.shape:
                        moment[revived] = 0.0
        self.masks.update(masks)
        self.masks.apply(self.weights)


class Pruner:
    """A method overrides the hooks that its algorithm box names.

    The loop calls `start`, then for each of `rounds` trainings: the training itself with `penalty`, `after_backward`
    and `after_step`, and `between_rounds` after all but the last; then `finish`.
    """

    restarts = False  # whether each training has an optimiser and a learning-rate schedule of its own

    def rounds(self, epochs: int) -> list[int]:
        """Epochs of each training; one training by default."""
        return [epochs]

    def start(self, c: Context) -> None:
        """Before the first training: sparse starts, extra parameters, probes."""

    def penalty(self, c: Context) -> Tensor | float:
        """A term added to the loss."""
        return 0.0

    def after_backward(self, c: Context) -> None:
        """Dense gradients are in `p.grad`."""

    def after_step(self, c: Context) -> None:
        """After the optimiser's step; masks are applied right after this."""

    def between_rounds(self, c: Context) -> None:
        """Between two trainings: score, cut, rewind."""

    def finish(self, c: Context) -> None:
        """After the last training: harden soft masks; what is left are plain weights with zeros."""
