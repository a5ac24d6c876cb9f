"""The few statistics behind every verdict: mean and sd, Student-t intervals over seeds, Wilson's interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from snnbook.errors import UserError

LEVEL = 0.95


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


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Student-t interval of the mean of `values [n]`. NaN in gives NaN out."""
    x = np.asarray(values, dtype=float)
    if x.size == 0:
        return Interval(math.nan, -math.inf, math.inf, 0)
    mean = float(x.mean())
    if math.isnan(mean):
        return Interval(math.nan, math.nan, math.nan, int(x.size))
    if x.size == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    half = float(stats.t.ppf(0.5 + level / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size))
    return Interval(mean, mean - half, mean + half, int(x.size))


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> tuple[list[int], np.ndarray]:
    """The seeds that both have, in order, and the differences a - b at them."""
    seeds = sorted(a.keys() & b.keys())
    return seeds, np.array([a[s] - b[s] for s in seeds], dtype=float)


def paired_interval(a: Sequence[float], b: Sequence[float], level: float = LEVEL) -> Interval:
    """Student-t interval of the mean of a - b, paired by position."""
    if len(a) != len(b):
        raise UserError(f"a paired difference needs equally many values; got {len(a)} and {len(b)}")
    return mean_interval(np.asarray(a, dtype=float) - np.asarray(b, dtype=float), level)


def wilson(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a proportion, in [0, 1]."""
    if trials < 1 or not 0 <= successes <= trials:
        raise UserError(f"a proportion needs 0 <= successes <= trials and trials >= 1; got {successes}/{trials}")
    z = float(stats.norm.ppf(0.5 + level / 2))
    p = successes / trials
    centre = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return low, high
