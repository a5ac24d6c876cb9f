"""The few statistics behind every verdict: mean and sd, intervals of Student and Wilson, tests corrected by Holm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from snnbook.errors import UserError

CONFIDENCE = 0.95
ROUNDING = 1e-9  # values that differ by no more than this share of themselves are the same


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


def same(values: ArrayLike) -> bool:
    """Whether all of `values [n]` are one number, but for rounding; NaN is none."""
    x = np.asarray(values, dtype=float)
    return bool(x.size and np.ptp(x) <= ROUNDING * max(1.0, float(np.abs(x).max())))


def _error(x: np.ndarray) -> float:
    """The standard error of the mean of `x [n]`, n > 1."""
    return float(x.std(ddof=1)) / math.sqrt(x.size)


def mean_interval(values: ArrayLike) -> Interval:
    """Student's 95 % interval of the mean of `values [n]`, without width where all are the same. NaN in, NaN out."""
    from scipy import stats  # takes a second to import

    x = np.asarray(values, dtype=float)
    if x.size == 0:
        return Interval(math.nan, -math.inf, math.inf, 0)
    mean = float(x.mean())
    if math.isnan(mean):
        return Interval(math.nan, math.nan, math.nan, int(x.size))
    if x.size == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    low, high = (mean, mean) if same(x) else stats.t.interval(CONFIDENCE, x.size - 1, mean, _error(x))
    return Interval(mean, float(low), float(high), int(x.size))


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> dict[int, float]:
    """Seed → a - b, for the seeds that both have, in order."""
    return {seed: float(a[seed] - b[seed]) for seed in sorted(a.keys() & b.keys())}


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rho of `x [n]` and `y [n]`; NaN where one of the two is constant."""
    from scipy import stats  # takes a second to import

    ranked = [np.asarray(values, dtype=float) for values in (x, y)]
    if any(len(np.unique(values)) < 2 for values in ranked):
        return math.nan
    return float(stats.spearmanr(*ranked).statistic)


def p_value(values: ArrayLike) -> float:
    """Student's two-sided p that the mean of `values [n]` is 0; NaN for fewer than two, or with NaN.

    Values without any spread differ from 0 for certain, p = 0, unless all of them are 0 but for rounding, p = 1.
    """
    from scipy import stats  # takes a second to import

    x = np.asarray(values, dtype=float)
    if x.size < 2 or not np.isfinite(x).all():
        return math.nan
    if same(x):
        return float(abs(x.mean()) <= ROUNDING)
    return float(2 * stats.t.sf(abs(x.mean()) / _error(x), x.size - 1))


def p_less(values: ArrayLike, at: float) -> float:
    """Student's one-sided p of "the mean of `values [n]` is `at` or more": small where it is less.

    It is 1 for fewer than two values and with NaN. Without any spread it is 0 where the values are less, else 1.
    """
    from scipy import stats  # takes a second to import

    x = np.asarray(values, dtype=float)
    if x.size < 2 or not np.isfinite(x).all():
        return 1.0
    if same(x):
        return float(not x.mean() < at)
    return float(stats.t.cdf((x.mean() - at) / _error(x), x.size - 1))


def holm(p: ArrayLike) -> np.ndarray:
    """Holm's adjusted p of several tests `p [n]`: below 5 % at a chance of 5 % of any false alarm among them all.

    NaN is no test: it stays NaN and does not count. Ref: Holm 1979.
    """
    raw = np.asarray(p, dtype=float)
    adjusted = np.full(raw.shape, math.nan)
    tested = np.flatnonzero(np.isfinite(raw))
    order = tested[np.argsort(raw[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * raw[order]), 1.0)
    return adjusted


def separated(differences: Iterable[ArrayLike]) -> list[bool]:
    """Which of several paired differences, `[n]` over the seeds, are not 0 at 5 % after Holm's correction."""
    return [bool(p < 1 - CONFIDENCE) for p in holm([p_value(d) for d in differences])]


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion, in [0, 1].

    Raises UserError unless 0 <= successes <= trials and trials >= 1.
    """
    from scipy import stats  # takes a second to import

    if trials < 1 or not 0 <= successes <= trials:
        raise UserError(f"a proportion needs 0 <= successes <= trials and trials >= 1; got {successes}/{trials}")
    ends = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(ends.low), float(ends.high)
