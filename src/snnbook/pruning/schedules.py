"""Schedules: when masks are updated, the sparsity that each update leads to, and how many weights are exchanged.

Progress, shares and sparsities are numbers in [0, 1]; steps are those of the optimiser, counted from 1. A method takes
the name of a schedule of the sparsity, or a function from progress to the share of the final sparsity.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from snnbook.errors import UserError, unknown

Schedule = Callable[[float], float]

SHARE_OF_ROUND = 0.25  # of the surviving weights, that a round of papers A and C removes


def cubic(done: float) -> float:
    """Share of the final sparsity that is reached at progress `done` in [0, 1]: 1 - (1 - done)^3, fast at first.

    Ref: Zhu & Gupta 2017; paper C Eq. 15.
    """
    return 1 - (1 - done) ** 3


def linear(done: float) -> float:
    """Share of the final sparsity that is reached at progress `done` in [0, 1]: every pruning takes the same share."""
    return done


def rounds(share: float, n: int) -> float:
    """Sparsity after `n` rounds that each remove `share` of the survivors: 1 - (1 - share)^n. Ref: papers A and C."""
    return 1 - (1 - share) ** n


def share_of_round(n: int, share: float, sparsity: float | None = None) -> float:
    """The share of the survivors that each of `n` rounds removes: `share`, or what leads to `sparsity` if given.

    Raises UserError where both are chosen, that is where `share` is not SHARE_OF_ROUND.
    """
    if sparsity is None:
        return share
    if share != SHARE_OF_ROUND:
        raise UserError(f"share {share:g} and sparsity {sparsity:g} cannot both be chosen: one follows from the other")
    return 1 - (1 - sparsity) ** (1 / n)


def cosine(first: float, last: float, done: float) -> float:
    """A share that falls from `first` to `last` along half a wave of the cosine, at progress `done` in [0, 1].

    Ref: Dettmers & Zettlemoyer 2019; Evci et al. 2020.
    """
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2


def update_number(step: int, steps: int, updates: int, span: float = 1.0) -> int:
    """The number (from 1) of the mask update that follows step `step` of a training of `steps`; 0 where none does.

    The `updates` are evenly spaced over the first `span` (a share) of the training, and the last falls on the end of
    the span. Where several fall on one step, the number of the last is returned.
    """

    def reached(s: int) -> int:
        return min(updates, int((s + 0.5) * updates / (span * steps))) if s > 0 else 0

    return reached(step) if reached(step) > reached(step - 1) else 0


def update_number_before_end(step: int, steps: int, updates: int, span: float) -> int:
    """As `update_number`, but the `updates` are spaced so that none falls on the end of the span.

    For updates that exchange weights: those that are grown must still be trained.
    """
    number = update_number(step, steps, updates + 1, span)
    return number if number <= updates else 0


SCHEDULES: dict[str, Schedule] = {"cubic": cubic, "linear": linear}


def reached(schedule: str | Schedule, done: float) -> float:
    """The share of the final sparsity that a schedule, by its name in SCHEDULES or a function, reaches at `done`.

    Raises UserError for an unknown name, and for a function that leaves [0, 1].
    """
    if isinstance(schedule, str) and schedule not in SCHEDULES:
        raise unknown("schedule", schedule, SCHEDULES)
    share = (SCHEDULES[schedule] if isinstance(schedule, str) else schedule)(done)
    if not 0 <= share <= 1:
        raise UserError(f"a schedule must stay in [0, 1], got {share} at progress {done:g}")
    return share
