"""The one training loop. A pruning method enters it through the hooks of `snnbook.pruning.Pruner` and nowhere else."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnbook.datasets import FrameSet
from snnbook.errors import UserError, unknown
from snnbook.feeding import (
    ahead,
    batches,
    check_steps_shown,
    checked_labels,
    first,
    first_samples,
    in_precision,
    logits_of,
    read,
    to_network,
)
from snnbook.files import atomic_write
from snnbook.measure import decision_timestep, fisher_trace, kl_curve
from snnbook.pruning import Context, Masks, Pruner
from snnbook.rehearsal import least_batch, rehearsed
from snnbook.states import reset
from snnbook.tracing import measuring, place_of, plain, uncompiled

Loss = Callable[[Tensor, Tensor], Tensor]


def mean_output(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of the mean output over time, in nats: logits `[T, N, K]`, labels `[N]` → `[]`."""
    return F.cross_entropy(logits.mean(0), y)


def every_step(logits: Tensor, y: Tensor) -> Tensor:
    """Mean over time of the cross-entropy at each step. Ref: Deng et al. 2022 (TET) with lambda = 0."""
    return F.cross_entropy(logits.flatten(0, 1), y.repeat(logits.shape[0]))


def tet(logits: Tensor, y: Tensor, lam: float = 1e-3, phi: float = 1.0) -> Tensor:
    """`every_step`, a share `lam` of it replaced by the mean squared distance of all outputs from `phi`.

    Ref: Deng et al. 2022 (TET), with the constants of its public code; paper A trains VGGSNN with it.
    """
    return (1 - lam) * every_step(logits, y) + lam * (logits - phi).square().mean()


def squared_error(logits: Tensor, y: Tensor) -> Tensor:
    """Squared error between the mean output and the one-hot label. Ref: the 6Conv2FC codes of papers A and B."""
    return F.mse_loss(logits.mean(0), F.one_hot(y, logits.shape[2]).to(logits.dtype))


LOSSES: dict[str, Loss] = {
    "mean_output": mean_output,
    "every_step": every_step,
    "tet": tet,
    "squared_error": squared_error,
}
# Fused: one pass over weights, gradients and moments, a tenth of the time of the default with 37 million weights.
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "sgd": partial(torch.optim.SGD, momentum=0.9, fused=True),
}
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. The learning rate falls from `lr` to 0 on a cosine, after every optimiser step.

    epochs: passes over the training set. batch_size: samples per optimiser step. optimizer: a name of OPTIMIZERS.
    weight_decay: torch's, an L2 penalty. loss: a name of LOSSES. augment: whether batches are changed
    at random. precision: "bfloat16" computes layers in half the bits, which some processors are faster at; weights stay
    in float32. Raises UserError for an unknown name and for a number out of range.
    """

    epochs: int = 10
    batch_size: int = 32
    lr: float = 3e-3
    optimizer: str = "adam"
    weight_decay: float = 0.0
    loss: str = "mean_output"
    augment: bool = True
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not self.lr > 0:
            raise UserError(
                f"need epochs >= 1, batch_size >= 1 and lr > 0, got {self.epochs}, {self.batch_size}, {self.lr}"
            )
        if self.weight_decay < 0:
            raise UserError(f"weight_decay must not be negative, got {self.weight_decay}")
        if self.loss not in LOSSES:
            raise unknown("loss", self.loss, LOSSES)
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS)
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)


def loss_on(model: nn.Module, x: Tensor, y: Tensor, loss: Loss, precision: str = "float32") -> Tensor:
    """The loss of a batch, float32 `[]`: the forward pass is in `precision`, the loss itself in float32.

    x: samples as `to_network` gives them, `[T, N, C, H, W]` or `[N, C, H, W]`. y: labels, int64 `[N]`. Neurons that
    keep a state forget it first. Raises UserError for what is no logits `[T, N, K]`.
    """
    reset(model)
    with uncompiled(model), in_precision(x, precision):
        logits = logits_of(model(x), len(y))
    return loss(logits.float(), y)


@torch.no_grad()
def outputs(model: nn.Module, data: FrameSet, T: int, batch_size: int = 100) -> tuple[Tensor, Tensor]:
    """The outputs of a network for all samples: logits `[T, N, K]` and labels, int64 `[N]`, on the CPU.

    T: number of time steps to show. The network runs in evaluation mode, `batch_size` samples at a time, and is left in
    the mode that it was in. Raises UserError for neurons with a state that cannot be reset, for an empty data set, for
    a T below 1 or above the steps of a sample, and for outputs of another form.
    """
    model = plain(model)
    place = place_of(model)
    check_steps_shown(data, T)
    logits, labels = [], []
    with measuring(model):
        for x, y in read(data, batches(len(data), batch_size)):
            reset(model)
            logits.append(logits_of(model(to_network(x, T, *place)), len(y)).cpu())
            labels.append(y)
    return torch.cat(logits, 1), torch.cat(labels)


def train(
    model: nn.Module,
    data: FrameSet,
    recipe: Recipe,
    pruner: Pruner,
    generator: torch.Generator,
    T: int,
    progress: Callable[[int], None] = lambda samples: None,
    checkpoint: Path | None = None,
    every: float = 60.0,
    watch: Callable[[Context], None] = lambda c: None,
) -> Context:
    """Train `model` on `data` with a pruning method; returns the context, whose `log["loss"]` is the curve per epoch.

    `generator` drives everything random in the method and, through one of its own, the order of samples and their
    augmentation, so that batches can be made ahead of time. `T` is the number of steps to start with. `progress` is
    told the number of samples after each batch. `checkpoint` is a file in which the state is kept at ends of epochs at
    least `every` s apart; a training that finds it goes on from there, to the same end as one that was not stopped.
    `watch` is called with the context at the end of every round of the method, and must leave the network as it is.
    The finished network is the context's `model`: `model` itself, or a smaller one where channels were removed. A
    network that `torch.compile` or DataParallel has wrapped is trained within its wrapper, as it is.
    Frozen weights (`requires_grad=False`) are left alone, with a warning that names them. A last batch of one sample
    joins the batch before it, with a warning, where a norm of the network does not take it alone.
    Raises UserError, before anything is changed, for a network that cannot be pruned, whose weights are not float32, or
    whose neurons keep a state that cannot be reset, for one under DistributedDataParallel, and for network, data and T
    that do not go together; later, if the loss stops being finite, and where `checkpoint` holds another training.
    """
    if isinstance(model, nn.parallel.DistributedDataParallel):
        raise UserError(
            "a network under DistributedDataParallel has copies in other processes, which would be pruned apart; "
            "train its .module in one process"
        )
    model = plain(model)
    rounds = pruner.rounds(recipe.epochs)
    classes = rehearsed(model, data, recipe.precision, T)
    fitted = T, least_batch(model, data, recipe.batch_size, T)
    place = device, dtype = place_of(model)
    augment = recipe.augment and hasattr(data, "augment")
    for p in model.parameters():
        if p.dim() == 4:  # those of 3-D convolutions have no such layout
            p.data = p.data.to(p.device, memory_format=torch.channels_last)
    c = Context(model, Masks.ones(model), generator, T=T)
    c.samples = lambda n: first_samples(data, n, c.T, place)
    c.decision_step = partial(_decision_step, c, data)
    c.fisher = lambda n: fisher_trace(c.model, *first_samples(data, n, c.T, place))
    c.log["loss"] = []
    loss_fn = LOSSES[recipe.loss]
    order = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))

    def fit() -> None:
        """Batches of as many samples as the network needs for the current T, which the method may have lowered."""
        nonlocal fitted
        if fitted[0] != c.T:
            fitted = c.T, least_batch(model, data, recipe.batch_size, c.T)
        c.steps_per_epoch = sum(1 for _ in batches(len(data), recipe.batch_size, least=fitted[1]))

    def prepared(T: int) -> Iterator[tuple[Tensor, Tensor]]:
        # Processes that read are started here, and not by the thread of `ahead`: those forked by an executor's thread
        # end with an error.
        taken = read(data, batches(len(data), recipe.batch_size, order, fitted[1]))
        changed = ((data.augment(x, order) if augment else x, y) for x, y in taken)
        return ((to_network(x, T, device, dtype), checked_labels(y, classes).to(device)) for x, y in changed)

    def begin(epochs: int) -> torch.optim.lr_scheduler.LRScheduler:
        fit()
        c.optimizer = OPTIMIZERS[recipe.optimizer](model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
        c.steps, c.step = epochs * c.steps_per_epoch, 0
        return torch.optim.lr_scheduler.CosineAnnealingLR(c.optimizer, c.steps)

    plan = [(number, epoch) for number, epochs in enumerate(rounds) for epoch in range(epochs)]
    fit()
    pruner.start(c)
    model.train()  # not before: a method may refuse the network, which is then as it was
    c.masks.apply(c.weights)
    schedule = begin(rounds[0] if pruner.restarts else sum(rounds))
    done, saved = 0, time.monotonic()
    kept = _read(checkpoint, device) if checkpoint is not None else None
    if checkpoint is not None and kept is not None:
        if kept.get("plan") != [recipe.epochs, len(data), len(plan)]:
            raise UserError(f"{checkpoint.name} belongs to another training; remove it to start anew")
        if pruner.restarts:
            schedule = begin(rounds[plan[kept["done"] - 1][0]])
        done = kept["done"]
        _load_state(kept, c, pruner, schedule, order)
    for c.round, epoch in plan[done:]:
        if epoch == 0 and c.round:
            watch(c)
            pruner.between_rounds(c)
            c.masks.apply(c.weights)
            if pruner.restarts:
                schedule = begin(rounds[c.round])
        fit()
        total = 0.0
        for x, y in ahead(prepared(c.T)):
            c.batch = x, y
            pruner.before_step(c)
            with pruner.during_forward(c):
                loss = loss_on(model, x, y, loss_fn, recipe.precision)
            loss = loss + pruner.penalty(c)
            c.optimizer.zero_grad()  # type: ignore[union-attr]
            loss.backward()
            pruner.after_backward(c)
            c.optimizer.step()  # type: ignore[union-attr]
            schedule.step()
            pruner.after_step(c)
            c.masks.apply(c.weights)
            c.step += 1
            total += loss.item() * len(y)
            progress(len(y))
        if not math.isfinite(total):
            raise UserError(f"the loss is {total} after epoch {len(c.log['loss']) + 1}; a smaller lr may help")
        c.log["loss"].append(total / len(data))
        done += 1
        if checkpoint is not None and time.monotonic() - saved >= every:
            state = _state(c, pruner, schedule, order) | {
                "done": done,
                "plan": [recipe.epochs, len(data), len(plan)],
            }
            with atomic_write(checkpoint) as aside, aside.open("wb") as file:
                torch.save(state, file)
            saved = time.monotonic()
    pruner.finish(c)
    c.masks.apply(c.weights)
    watch(c)
    return c


def _decision_step(c: Context, data: FrameSet, lam: float, variant: str) -> int:
    if first(data, 1)[0].dim() == 4:
        name = getattr(data, "name", "the data set")
        raise UserError(f"a decision step needs sequences, and {name} is static: temporal=false prunes weights only")
    return decision_timestep(kl_curve(*outputs(c.model, data, c.T), variant), lam)


def _read(checkpoint: Path, device: torch.device) -> dict[str, Any] | None:
    try:
        return torch.load(checkpoint, map_location=device, weights_only=True)
    except FileNotFoundError:  # not begun, or a process that ran the same trial has ended
        return None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as err:
        raise UserError(f"cannot go on from {checkpoint}: {err}; remove it to start anew") from err


_CONTEXT = ("T", "steps", "step", "round", "log")  # what a checkpoint keeps of the context as it is


def _state(
    c: Context, pruner: Pruner, schedule: torch.optim.lr_scheduler.LRScheduler, order: torch.Generator
) -> dict[str, Any]:
    return {
        "context": {name: getattr(c, name) for name in _CONTEXT},
        "masks": dict(c.masks),
        "model": c.model.state_dict(),
        "optimizer": c.optimizer.state_dict(),  # type: ignore[union-attr]
        "schedule": schedule.state_dict(),
        "method": pruner.state_dict(),
        "generators": [c.generator.get_state(), order.get_state(), torch.get_rng_state()],
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _load_state(
    kept: dict[str, Any],
    c: Context,
    pruner: Pruner,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    order: torch.Generator,
) -> None:
    for name in _CONTEXT:
        setattr(c, name, kept["context"][name])
    c.masks.update(kept["masks"])
    c.model.load_state_dict(kept["model"])
    c.optimizer.load_state_dict(kept["optimizer"])  # type: ignore[union-attr]
    schedule.load_state_dict(kept["schedule"])
    pruner.load_state_dict(kept["method"])
    for generator, state in zip((c.generator, order), kept["generators"], strict=False):
        generator.set_state(state.cpu())
    torch.set_rng_state(kept["generators"][2].cpu())
    if kept["cuda"]:
        torch.cuda.set_rng_state_all([state.cpu() for state in kept["cuda"]])
