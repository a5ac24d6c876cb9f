"""What a record may hold beyond the usual: measurements that one page needs, by the name that a trial asks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from snnbook import measure
from snnbook.datasets import FrameSet
from snnbook.feeding import first, to_network
from snnbook.pruning import Context
from snnbook.training import outputs

if TYPE_CHECKING:
    from snnbook.experiments.trials import Trial

N_OUTPUTS_KEPT = 16  # test samples whose outputs are kept
N_SAMPLES_TAYLOR = 200  # training samples for the change of the read-out's weights
N_SAMPLES_OPERATIONS = 500  # test samples for operations and firing rates; accuracy always uses the whole test set


@dataclass(frozen=True)
class Finished:
    """A trained network with what it was trained on.

    seed: that of the run. model: the network in evaluation mode. sets: split → data. logits: outputs for the test set,
    `[T, N, K]`. T: number of time steps of the trained network, which a method may have lowered.
    """

    trial: Trial
    seed: int
    model: nn.Module
    sets: dict[str, FrameSet]
    logits: Tensor
    T: int

    @property
    def device(self) -> torch.device:
        """The device that holds the network."""
        return next(self.model.parameters()).device


@dataclass(frozen=True)
class Extra:
    """A measurement that a trial may ask for.

    about: one line on it. measure: a function from the finished network to its curves, name → array; None for what the
    training loop takes itself.
    """

    about: str
    measure: Callable[[Finished], dict[str, np.ndarray]] | None = None


def _outputs(run: Finished) -> dict[str, np.ndarray]:
    """Outputs `[T, n, K]` of the first test samples, those of `head(n)` of the test set."""
    test = run.sets["test"]
    kept = test.head_indices(N_OUTPUTS_KEPT)
    return {"outputs": run.logits[:, kept].numpy()}


def _taylor(run: Finished) -> dict[str, np.ndarray]:
    """Both sides of paper A Eq. 15 for small random changes of the read-out's weights."""
    x = to_network(first(run.sets["train"], N_SAMPLES_TAYLOR)[0], run.T, run.device)
    kl, fisher = measure.taylor(run.model, x, torch.Generator().manual_seed(run.seed))
    return {"taylor_kl": kl.numpy(), "taylor_fisher": fisher.numpy()}


EXTRAS: dict[str, Extra] = {
    "rounds": Extra("what is left and how accurate it is at the end of every round of the method"),
    "weights": Extra(
        "how many weights of each magnitude there are", lambda run: {"magnitudes": measure.magnitudes(run.model)}
    ),
    "outputs": Extra("the outputs of the first test samples at every step", _outputs),
    "taylor": Extra("divergence and Fisher information of a small change of the read-out's weights", _taylor),
}
"""Name → measurement; a paper's file may enter its own. `rounds` is taken by the training loop, see `log_round`."""


def log_round(test: FrameSet, c: Context) -> None:
    """Log what a round has come to; nothing in training may read it."""
    logits, labels = outputs(c.model, test, c.T)
    x = to_network(first(test, N_SAMPLES_OPERATIONS)[0], c.T, next(c.model.parameters()).device)
    connections = measure.connections(c.model, x.shape)
    c.log.setdefault("rounds", []).append(
        {
            "T": c.T,
            "sparsity": 100 * c.masks.sparsity,
            "connections_left": 100 * connections.alive / connections.total,
            "sops": measure.sops(c.model, x).total,
            "top1": measure.accuracy(logits, labels),
            "epochs": len(c.log["loss"]),
        }
    )
