"""Schedules: the sparsity that is due after each pruning, from the first to the last."""

from __future__ import annotations

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


SCHEDULES: dict[str, Callable[[float], float]] = {"cubic": cubic, "linear": linear}
