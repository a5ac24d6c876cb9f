"""What a pruning method is to the training loop: masks, a context, and a few hooks.

Weight masks are applied as zeros stored in the weights, so any outside counter sees them, `p.grad` stays dense and a
dead weight can be revived. Ref: the algorithm boxes of papers A, B and C, which all fit these hooks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError, check_types, unknown
from snnbook.pruning.weights import prunable

MEANS = ("exp_avg", "momentum_buffer")  # what Adam and SGD call their running mean of a weight's gradients


class Masks(dict[str, Tensor]):
    """Weight name → bool tensor of the weight's shape; True means that the weight is alive.

    Raises UserError where a mask is not bool, or has another shape than the one that it takes the place of.
    """

    def __init__(self, masks: Mapping[str, Tensor] | None = None):
        super().__init__()
        self.update(masks or {})

    def __setitem__(self, name: str, mask: Tensor) -> None:
        if getattr(mask, "dtype", None) != torch.bool:
            raise UserError(f"the mask of {name} must be a bool tensor, got {getattr(mask, 'dtype', mask)}")
        _same_shape(name, mask, self.get(name, mask))
        super().__setitem__(name, mask)

    def update(self, masks: Mapping[str, Tensor]) -> None:  # type: ignore[override]
        """Take over several masks."""
        for name, mask in masks.items():
            self[name] = mask

    @classmethod
    def ones(cls, model: nn.Module) -> Masks:
        """The masks of a network with every weight alive."""
        return cls({n: torch.ones_like(p, dtype=torch.bool) for n, p in prunable(model).items()})

    @property
    def counts(self) -> dict[str, int]:
        """Weight name → number of living weights."""
        return {name: int(m.sum()) for name, m in self.items()}

    @property
    def alive(self) -> int:
        """Number of living weights in all layers."""
        return sum(self.counts.values())

    @property
    def total(self) -> int:
        """Number of weights in all layers, dead ones included."""
        return sum(m.numel() for m in self.values())

    @property
    def sparsity(self) -> float:
        """Share of dead weights, in [0, 1]."""
        return 1 - self.alive / self.total

    def fraction_to_prune(self, left: float) -> float:
        """The share of the living weights that must die so that the share `left` of all weights lives, in [0, 1].

        It is 0 where no more weights are alive than that.
        """
        return max(0.0, 1 - left * self.total / self.alive)

    @torch.no_grad()
    def apply(self, weights: Mapping[str, Tensor]) -> None:
        """Set the dead weights to zero. Raises UserError for a mask of another shape than its weight.

        It is a fill and not a product, so that NaN in a dead weight dies too.
        """
        for name, p in weights.items():
            _same_shape(name, self[name], p)
            p.masked_fill_(~self[name], 0.0)


def _same_shape(name: str, mask: Tensor, other: Tensor) -> None:
    if mask.shape != other.shape:
        raise UserError(f"the mask of {name} has the shape {tuple(mask.shape)} instead of {tuple(other.shape)}")


def _no_decision_step(lam: float, variant: str) -> int:
    raise UserError("this method needs the network's outputs at every time step, and none were lent")


def _no_fisher(n: int) -> Tensor:
    raise UserError("this method needs the Fisher information of the network's outputs, and none was lent")


def _no_samples(n: int) -> tuple[Tensor, Tensor]:
    raise UserError("this method looks at training samples, and none were lent")


@dataclass
class Context:
    """What the loop lends a method; methods share nothing else.

    model: the network; structured methods leave a smaller one here. masks: which weights are alive. generator: for all
    that is random. optimizer: of the current training. T: number of time steps of the sequences that the network trains
    on; a method may lower it, from the next epoch on. steps_per_epoch, steps: number of the optimiser's steps in an
    epoch and in the current training. step: number of steps done in the current training. round: number of trainings
    done. batch: the last training batch as the network took it, `[T, N, C, H, W]` or `[N, C, H, W]`, and its labels
    `[N]`. samples: a function that lends the first n training samples in the same form, without augmentation.
    decision_step: a function of lambda and the KL variant that returns the decision step of the training set, from 1.
    fisher: a function of n that returns the trace of the Fisher information after each step, `[T]`, on the first n
    training samples. log: what the record of the trial should know, by name.
    """

    model: nn.Module
    masks: Masks
    generator: torch.Generator
    optimizer: torch.optim.Optimizer | None = None
    T: int = 0
    steps_per_epoch: int = 0
    steps: int = 0
    step: int = 0
    round: int = 0
    batch: tuple[Tensor, Tensor] | None = None
    samples: Callable[[int], tuple[Tensor, Tensor]] = _no_samples
    decision_step: Callable[[float, str], int] = _no_decision_step
    fisher: Callable[[int], Tensor] = _no_fisher
    log: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The prunable weights by name, looked up once: the loop needs them at every step."""
        return prunable(self.model)

    @property
    def lr(self) -> float:
        """The learning rate of the step that comes next (in `after_step`, of the one after this)."""
        assert self.optimizer is not None
        return self.optimizer.param_groups[0]["lr"]

    def steps_in(self, span: float) -> int:
        """Number of steps in the first `span`, a share, of the current training; at least 1."""
        return max(1, round(span * self.steps))

    def optimizer_state(self, weight: Tensor, name: str) -> Tensor | None:
        """One of the optimiser's running averages of a weight, of its shape; None if it keeps none of that name.

        Adam's are `exp_avg` and `exp_avg_sq`, that of SGD is `momentum_buffer`.
        """
        return None if self.optimizer is None else self.optimizer.state.get(weight, {}).get(name)

    @torch.no_grad()
    def set_weights(self, values: Mapping[str, Tensor]) -> None:
        """Write values, by name and of the weights' shapes, into some of the weights; the optimiser is left alone."""
        for name, value in values.items():
            self.weights[name].copy_(value)

    def snapshot(self) -> dict[str, Tensor]:
        """Copies of all parameters and buffers by name, running statistics included: what `rewind` goes back to."""
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def rewind(self, snapshot: Mapping[str, Tensor]) -> None:
        """Put the network back to a snapshot; what died since then stays dead."""
        self.model.load_state_dict(snapshot)
        self.masks.apply(self.weights)

    def set_masks(self, masks: Mapping[str, Tensor], fresh: bool = True) -> None:
        """Take over new masks, of all weights or of some: weights that died become zero.

        fresh: weights that are revived start at zero, and so does the optimiser's running mean of their gradients;
        methods whose dormant weights go on being trained leave both as they are. Adam's mean square stays in any case:
        the gradients of dead weights are dense, so it is known, and from zero, with a count of steps that runs on,
        revived weights would travel two to five times as far as others. A layer that would be left empty keeps its
        largest weight, with a warning that names it and an entry in `log["rescued"]`.
        Raises UserError for an unknown weight, and for a mask that is not bool or not of the weight's shape.
        """
        masks = Masks(masks)
        for name, mask in masks.items():
            if name not in self.masks:
                raise unknown("weight", name, self.masks)
            _same_shape(name, mask, self.masks[name])
        for name in masks:
            masks[name] = self._rescued(name, masks[name])
            if fresh and (revived := masks[name] & ~self.masks[name]).any():
                weight = self.weights[name]
                for values in (weight.detach(), *(self.optimizer_state(weight, kept) for kept in MEANS)):
                    if values is not None:
                        values[revived] = 0.0  # the optimiser may have moved a dead weight in this step
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
    `during_forward`, `penalty`, `after_backward` and `after_step`, and `between_rounds` after all but the last; then
    `finish`. A method that is a dataclass has its settings checked against their annotations.

    What a method must remember from one call to the next lives in attributes made in `start` or declared with
    `field(init=False)`: tensors, numbers, and lists and dicts of them, optimisers. A training that is resumed calls
    `start` again and then puts the remembered values back.
    """

    restarts = False  # whether each training has an optimiser and a learning-rate schedule of its own

    def __post_init__(self) -> None:
        check_types(self)

    def rounds(self, epochs: int) -> list[int]:
        """Epochs of each training; one training by default."""
        return [epochs]

    def start(self, c: Context) -> None:
        """Before the first training: sparse starts, extra parameters, probes."""

    def before_step(self, c: Context) -> None:
        """Before the forward pass of a batch."""

    def during_forward(self, c: Context) -> AbstractContextManager[Any]:
        """What is open while a training batch passes through the network: soft masks, probes; closed if that fails."""
        return nullcontext()

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
        """What a checkpoint keeps of the method: all attributes but its settings, which may be functions."""
        settings = {f.name for f in fields(self) if f.init} if is_dataclass(self) else set[str]()
        return {name: _kept(value) for name, value in vars(self).items() if name not in settings}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, into the tensors and optimisers that `start` made."""
        for name, value in state.items():
            setattr(self, name, _restored(getattr(self, name, None), value))


def _kept(value: Any) -> Any:
    if hasattr(value, "state_dict"):
        return value.state_dict()
    if isinstance(value, Mapping):
        return {key: _kept(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_kept(v) for v in value)
    return value


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
