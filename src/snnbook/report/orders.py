"""The order of methods by their accuracy at equal budgets: ranks, what the seeds separate, how two orders differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from snnbook.report.stats import Interval, mean_interval, separated

FEW = 4  # a mean rank over fewer budgets than these is set apart

Scores = Mapping[str, np.ndarray]  # method → accuracy in per cent, [places, seeds]


def ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Rank by value, 1 = largest, ties share the mean; methods without a value have none."""
    from scipy.stats import rankdata  # takes a second to import

    known = {name: value for name, value in values.items() if math.isfinite(value)}
    ranked = rankdata([-v for v in known.values()]) if known else []
    return dict(zip(known, map(float, ranked), strict=True))


def seed_ranks(accuracy: Scores) -> dict[str, np.ndarray]:
    """Method → the rank of each seed's network at each place, `[places, seeds]`; 1 = the most accurate, ties share it.

    At a place all methods are ranked that have a value there for every seed; the others have NaN, and all of them where
    fewer than two have one. Ranks are stretched: 1 is the first and the number of all methods the last of those ranked.
    """
    from scipy.stats import rankdata  # takes a second to import

    names = list(accuracy)
    values = np.stack([accuracy[name] for name in names]) if names else np.empty((0, 0, 0))
    ranked = np.full(values.shape, math.nan)
    for place in range(values.shape[1]):
        there = np.flatnonzero(np.isfinite(values[:, place]).all(1))
        if len(there) > 1:
            order = rankdata(-values[there, place].round(9), axis=0)  # interpolation is exact to fewer digits
            ranked[there, place] = 1 + (order - 1) * (len(names) - 1) / (len(there) - 1)
    return dict(zip(names, ranked, strict=True))


@dataclass(frozen=True)
class MeanRank:
    """The rank of a method, averaged over `places`, with Student's interval over the seeds, cut to possible ranks."""

    interval: Interval
    places: int

    @property
    def estimate(self) -> float:
        """The mean rank; infinite, behind all others, where there is no place."""
        return self.interval.estimate if self.places else math.inf

    @property
    def few(self) -> bool:
        """Whether it stands on too few budgets to be put among the others."""
        return self.places < FEW


def mean_ranks(accuracy: Scores) -> dict[str, MeanRank]:
    """The ranks of `seed_ranks`, averaged over the places that a method has a rank at.

    The mean over places is taken for each seed, and the interval over the seeds. (Drawing five seeds anew with
    replacement gives intervals of 95 % that cover 88 %.)
    """
    means = {}
    for name, ranks_there in seed_ranks(accuracy).items():
        known = ranks_there[np.isfinite(ranks_there).all(1)]
        mean = mean_interval(known.mean(0) if known.size else [])
        low, high = np.clip([mean.low, mean.high], 1, len(accuracy)) if mean.n > 1 else (mean.low, mean.high)
        means[name] = MeanRank(replace(mean, low=float(low), high=float(high)), len(known) if known.size else 0)
    return means


def by_rank(ranked: Mapping[str, MeanRank]) -> list[str]:
    """The methods by mean rank, those with few budgets below all others."""
    return sorted(ranked, key=lambda method: (ranked[method].few, ranked[method].estimate, method))


def apart(values: Scores) -> list[tuple[str, str]]:
    """The pairs of methods that the seeds separate: the mean of their paired difference is not 0 at 5 %.

    values: method → `[places, seeds]`, accuracies or ranks; a pair is compared over the places that both have, and the
    level is corrected for the number of pairs by Holm's method.
    """

    def difference(one: str, two: str) -> np.ndarray:
        both = values[one] - values[two]
        both = both[np.isfinite(both).all(1)]
        return both.mean(0) if len(both) else np.empty(0)

    pairs = list(combinations(values, 2))
    return [pair for pair, is_so in zip(pairs, separated(difference(*pair) for pair in pairs), strict=True) if is_so]


def tied(order: Sequence[str], separate: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Groups of methods of which no two are separated, such that every pair that is not is in one of them.

    The groups are in the order of their first members, and a method that is separated from all others is one by itself:
    a letter for each group is the compact display of Piepho (2004), by inserting and absorbing.
    """
    groups = [frozenset(order)] if order else []
    for pair in separate:
        split = {g - {one} for g in groups for one in (pair if g.issuperset(pair) else ("",))}
        groups = [g for g in split if not any(g < other for other in split)]
    place = {name: i for i, name in enumerate(order)}
    rows = sorted(sorted(map(place.__getitem__, g)) for g in groups)
    for row in sorted(rows, key=len):
        others = [set(other) for other in rows if other != row]
        if len(row) > 1 and all(any(other.issuperset(pair) for other in others) for pair in combinations(row, 2)):
            rows.remove(row)
    return [[order[i] for i in row] for row in rows]


def letters(groups: Sequence[Sequence[str]]) -> dict[str, str]:
    """Method → the letters of its groups: methods that share a letter are not separated."""
    marks: dict[str, str] = {}
    for i, group in enumerate(groups):
        for name in group:
            marks[name] = marks.get(name, "") + chr(ord("a") + i % 26) + "'" * (i // 26)
    return marks


@dataclass(frozen=True)
class Change:
    """How two orders of the same methods differ: Kendall's tau, and the pairs that are the other way round."""

    tau: float
    turned: int
    pairs: int


def change(before: Mapping[str, float], after: Mapping[str, float]) -> Change:
    """The change of order of the methods that both hold a value for; tau is NaN for fewer than two, or all tied."""
    from scipy.stats import kendalltau  # takes a second to import

    common = [name for name in before if math.isfinite(before[name]) and math.isfinite(after.get(name, math.nan))]
    pairs = list(combinations(common, 2))
    turned = sum((before[a] - before[b]) * (after[a] - after[b]) < 0 for a, b in pairs)
    one, two = [before[name] for name in common], [after[name] for name in common]
    tied = len(set(one)) < 2 or len(set(two)) < 2
    tau = math.nan if tied else float(kendalltau(one, two).statistic)
    return Change(tau, turned, len(pairs))
