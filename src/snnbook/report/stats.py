"""The few statistics behind every verdict: mean and sd, Student's interval over seeds, Wilson's interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from snnbook.errors import UserError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate over `n` seeds with its confidence interval; infinite bounds for fewer than two."""

    estimate: float
    low: float
    high: float
    n: int


def mean_sd(values: ArrayLike) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1); sd is NaN for fewer than two values."""
    x = np.asarray(values, dtype=float)
    if x.size == 0:
        return math.nan, math.nan
    return float(x.mean()), float(x.std(ddof=1)) if x.size > 1 else math.nan


def mean_interval(values: ArrayLike) -> Interval:
    """Student's 95 % interval of the mean of `values [n]`. NaN in gives NaN out."""
    from scipy import stats  # takes a second to import

    x = np.asarray(values, dtype=float)
    if x.size == 0:
        return Interval(math.nan, -math.inf, math.inf, 0)
    mean = float(x.mean())
    if math.isnan(mean):
        return Interval(math.nan, math.nan, math.nan, int(x.size))
    if x.size == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    error = float(x.std(ddof=1)) / math.sqrt(x.size)
    low, high = stats.t.interval(CONFIDENCE, x.size - 1, mean, error) if error else (mean, mean)
    return Interval(mean, float(low), float(high), int(x.size))


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> tuple[list[int], np.ndarray]:
    """The seeds that both have, in order, and the differences a - b at them."""
    seeds = sorted(a.keys() & b.keys())
    return seeds, np.array([a[s] - b[s] for s in seeds], dtype=float)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion, in [0, 1].

    Raises UserError unless 0 <= successes <= trials and trials >= 1.
    """
    from scipy import stats  # takes a second to import

    if trials < 1 or not 0 <= successes <= trials:
        raise UserError(f"a proportion needs 0 <= successes <= trials and trials >= 1; got {successes}/{trials}")
    ends = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(ends.low), float(ends.high)
