"""Schedules: when masks are updated, the sparsity that is due then, and how much is exchanged."""

from __future__ import annotations

import math
from collections.abc import Callable


def cubic(done: float) -> float:
    """Share of the final sparsity reached at progress `done` in [0, 1]: fast at first, gentle at the end.

    Ref: Zhu & Gupta 2017; paper C Eq. 15.
    """
    return 1 - (1 - done) ** 3


def linear(done: float) -> float:
    """The same share of the final sparsity at every pruning."""
    return done


def rounds(share: float, n: int) -> float:
    """Sparsity after `n` rounds that each remove `share` of the survivors: 1 - (1 - share)^n. Ref: papers A and C."""
    return 1 - (1 - share) ** n


def cosine(first: float, last: float, done: float) -> float:
    """From `first` to `last` along half a wave of the cosine, at progress `done` in [0, 1]: the share exchanged.

    Ref: Dettmers & Zettlemoyer 2019; Evci et al. 2020.
    """
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2


def due(step: int, steps: int, updates: int, span: float = 1.0) -> int:
    """The number of the mask update that follows step `step` (from 1) of a training of `steps`; 0 = none.

    The `updates` are evenly spaced over the first `span` of the training, the last at its end. Where several fall on
    one step, theirs is the number of the last.
    """

    def reached(s: int) -> int:
        return min(updates, int((s + 0.5) * updates / (span * steps))) if s > 0 else 0

    return reached(step) if reached(step) > reached(step - 1) else 0


def due_inside(step: int, steps: int, updates: int, span: float) -> int:
    """As `due`, but the `updates` are spaced so that none falls on the end of the span.

    For updates that exchange weights: those that are grown have still to be trained.
    """
    number = due(step, steps, updates + 1, span)
    return number if number <= updates else 0


SCHEDULES: dict[str, Callable[[float], float]] = {"cubic": cubic, "linear": linear}
