"""What a pruning method is to the training loop: masks, a context, and six hooks.

Weight masks are applied as zeros stored in the weights, so any outside counter sees them, `p.grad` stays dense and a
dead weight can be revived. Ref: the algorithm boxes of papers A, B and C, which all fit these hooks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.tracing import weight_of


def prunable(model: nn.Module) -> dict[str, Tensor]:
    """The weights that methods prune, by name: those of every convolution and linear layer, first and last included.

    Biases and batch norm are never pruned (papers A, B and C). Raises UserError if there is none, if one is lazy and
    not yet built, if two layers share one, or if one holds NaN.
    """
    found: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            if nn.parameter.is_lazy(module.weight):
                raise UserError(f"{name} is lazy and has no weights yet: run the network once before pruning it")
            if not module.weight.is_meta and torch.isnan(module.weight).any():
                raise UserError(f"the weights of {name} hold NaN, so nothing can be ranked")
            found[weight_of(name)] = module.weight
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
    def counts(self) -> dict[str, int]:
        """Living weights of each layer."""
        return {name: int(m.sum()) for name, m in self.items()}

    @property
    def alive(self) -> int:
        return sum(self.counts.values())

    @property
    def total(self) -> int:
        return sum(m.numel() for m in self.values())

    @property
    def sparsity(self) -> float:
        """Share of dead weights, in [0, 1]."""
        return 1 - self.alive / self.total

    def excess(self, left: float) -> float:
        """The share of the living that must go so that `left` of all stay; 0 where no more are alive."""
        return max(0.0, 1 - left * self.total / self.alive)

    @torch.no_grad()
    def apply(self, weights: Mapping[str, Tensor]) -> None:
        """Set the dead ones of `weights` to zero. A fill, not a product, so that NaN in a dead weight dies too."""
        for name, p in weights.items():
            p.masked_fill_(~self[name], 0.0)


def _no_decision_step(lam: float, variant: str) -> int:
    raise UserError("this method needs the network's outputs at every time step, and none were lent")


def _no_samples(n: int) -> tuple[Tensor, Tensor]:
    raise UserError("this method looks at training samples, and none were lent")


@dataclass
class Context:
    """What the loop lends a method; methods share nothing else.

    `batch` is the last training batch as the network took it, and its labels. `samples(n)` lends the first n training
    samples in the same form (without augmentation). `decision_step(lam, variant)` is that of the training set.
    """

    model: nn.Module  # structured methods leave a smaller one here
    masks: Masks
    generator: torch.Generator
    optimizer: torch.optim.Optimizer | None = None
    T: int = 0  # time steps of the sequences trained on; a method may lower it, from the next epoch on
    steps_per_epoch: int = 0
    steps: int = 0  # of the optimiser in the current training
    step: int = 0  # done in the current training
    round: int = 0  # trainings done
    batch: tuple[Tensor, Tensor] | None = None
    samples: Callable[[int], tuple[Tensor, Tensor]] = _no_samples
    decision_step: Callable[[float, str], int] = _no_decision_step
    log: dict[str, Any] = field(default_factory=dict)  # what the record should know

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The prunable weights by name, looked up once: the loop needs them at every step."""
        return prunable(self.model)

    @property
    def lr(self) -> float:
        """The learning rate of the step that comes next (in `after_step`, of the one after this)."""
        assert self.optimizer is not None
        return self.optimizer.param_groups[0]["lr"]

    def moment(self, weight: Tensor, name: str) -> Tensor | None:
        """One of the optimiser's running averages of a weight: Adam's `exp_avg`, SGD's `momentum_buffer`."""
        return None if self.optimizer is None else self.optimizer.state.get(weight, {}).get(name)

    @torch.no_grad()
    def put(self, values: Mapping[str, Tensor]) -> None:
        """Write values into the weights, without touching the optimiser."""
        for name, value in values.items():
            self.weights[name].copy_(value)

    def set_masks(self, masks: Mapping[str, Tensor], fresh: bool = True) -> None:
        """Take over new masks: zero what died, and restart the optimiser's moments of what was revived at zero.

        `fresh=False` leaves the moments: for methods whose dormant weights go on being trained. A layer that would be
        left empty keeps its largest weight, with a warning that names it and a line in `log["rescued"]`.
        """
        masks = dict(masks)
        for name, mask in masks.items():
            masks[name] = self._rescued(name, mask)
        for name, p in self.weights.items() if fresh and self.optimizer is not None else ():
            revived = masks[name] & ~self.masks[name]
            if revived.any():
                for moment in self.optimizer.state.get(p, {}).values():  # type: ignore[union-attr]
                    if torch.is_tensor(moment) and moment.shape == p.shape:
                        moment[revived] = 0.0
        self.masks.update(masks)
        self.masks.apply(self.weights)

    def _rescued(self, name: str, mask: Tensor) -> Tensor:
        if mask.any() or not self.masks[name].any():
            return mask
        if name not in self.log.setdefault("rescued", []):
            self.log["rescued"].append(name)
            warnings.warn(f"pruning would empty {name}: its largest weight stays", stacklevel=3)
        mask = mask.clone()
        size = self.weights[name].detach().abs().masked_fill(~self.masks[name], -1.0)
        mask[torch.unravel_index(size.argmax(), size.shape)] = True
        return mask


class Pruner:
    """A method overrides the hooks that its algorithm box names.

    The loop calls `start`, then for each of `rounds` trainings: the training itself, step by step with `before_step`,
    `penalty`, `after_backward` and `after_step`, and `between_rounds` after all but the last; then `finish`.

    What a method must remember from one call to the next lives in attributes made in `start` or declared with
    `field(init=False)`: tensors, numbers, and lists and dicts of them, optimisers. A training that is resumed calls
    `start` again and then puts the remembered values back.
    """

    restarts = False  # whether each training has an optimiser and a learning-rate schedule of its own

    def rounds(self, epochs: int) -> list[int]:
        """Epochs of each training; one training by default."""
        return [epochs]

    def start(self, c: Context) -> None:
        """Before the first training: sparse starts, extra parameters, probes."""

    def before_step(self, c: Context) -> None:
        """Before the forward pass of a batch."""

    def penalty(self, c: Context) -> Tensor | float:
        """A term added to the loss, after the forward pass."""
        return 0.0

    def after_backward(self, c: Context) -> None:
        """Dense gradients are in `p.grad`."""

    def after_step(self, c: Context) -> None:
        """After the optimiser's step; masks are applied right after this."""

    def between_rounds(self, c: Context) -> None:
        """Between two trainings: score, cut, rewind."""

    def finish(self, c: Context) -> None:
        """After the last training: harden soft masks; what is left are plain weights with zeros."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of the method."""
        return {name: _kept(value) for name, value in vars(self).items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, into the tensors and optimisers that `start` made."""
        for name, value in state.items():
            setattr(self, name, _restored(getattr(self, name, None), value))


def _kept(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _kept(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_kept(v) for v in value)
    return value.state_dict() if hasattr(value, "state_dict") else value


def _restored(here: Any, kept: Any) -> Any:
    if hasattr(here, "load_state_dict"):
        here.load_state_dict(kept)
        return here
    if torch.is_tensor(here) and here.shape == kept.shape:
        with torch.no_grad():
            return here.copy_(kept)
    if isinstance(here, dict):
        here.update({key: _restored(here.get(key), value) for key, value in kept.items()})
        for key in here.keys() - kept.keys():
            del here[key]
        return here
    return kept
