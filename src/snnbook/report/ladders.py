"""The numbers behind a comparison of methods: ladders of sparsity, accuracy at a budget, fronts, ranks, costs.

A study's labels are `(role, method, rung)`; `(role, "dense", "")` is the network trained without pruning for as long. A
method's ladder are its rungs on an axis, a point for each rung and seed. Between two rungs accuracy is interpolated,
linearly in the logarithm of the axis and for every seed by itself; beyond the ends of a ladder it is unknown (NaN).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from snnbook.errors import unknown
from snnbook.report.records import RecordLike, ResultsLike, number
from snnbook.report.stats import LEVEL, Interval

DENSE, REFERENCE = "dense", "magnitude"
SLACK = 0.05  # a budget this far beyond the end of a ladder is still that rung: counts are rounded
LONGER = 1.5  # an arm with this many times the epochs of the dense one is no part of a ladder
DRAWS = 2000

Metrics = Mapping[str, Any]
Label = tuple[str, str, str]
Scores = Mapping[str, np.ndarray]  # method → accuracy [places, seeds]


@dataclass(frozen=True)
class Axis:
    """What is spent; `of` reads it from the metrics of a record."""

    title: str
    short: str
    of: Callable[[Metrics], float]
    digits: int = 2


def _share(of: str) -> Callable[[Metrics], float]:
    def left(metrics: Metrics) -> float:
        total = number(metrics.get(f"{of}_total"))
        return 100 * number(metrics.get(f"{of}_alive")) / total if total else math.nan

    return left


AXES = {
    "sparsity": Axis("weights left, %", "weights", lambda m: 100 - number(m.get("sparsity"))),
    "connections": Axis("connections left, %", "connections", _share("connections")),
    "sops": Axis("thousand SOPs per sample", "SOPs", lambda m: number(m.get("sops")) / 1e3, 1),
}
NEURONS = _share("neurons")


def axis(name: str) -> Axis:
    """The axis of a name. Raises UserError for an unknown one."""
    if name not in AXES:
        raise unknown("axis", name, AXES)
    return AXES[name]


@dataclass(frozen=True)
class Point:
    """A rung of a ladder: seed → what it spends, and seed → accuracy in per cent."""

    rung: str
    x: Mapping[int, float]
    y: Mapping[int, float]

    @property
    def mean(self) -> tuple[float, float]:
        """The means over the seeds."""
        return float(np.mean(list(self.x.values()))), float(np.mean(list(self.y.values())))


# --- what a study holds -----------------------------------------------------------------------------------


def roles(study: ResultsLike) -> list[str]:
    """The data sets of the study, in its order."""
    return list(dict.fromkeys(label[0] for label in study.records))


def methods(study: ResultsLike, role: str | None = None) -> list[str]:
    """The methods that were run on a set, or on any; without `dense`."""
    found = (label[1] for label, records in study.records.items() if records and role in (None, label[0]))
    return [name for name in dict.fromkeys(found) if name != DENSE]


def start_epochs(study: ResultsLike, label: Label) -> int:
    """Epochs of the trainings that an arm goes on from; 0 where the study does not tell."""
    trial = getattr(getattr(study, "study", None), "trials", {}).get(label)
    epochs, start = 0, getattr(trial, "start", None)
    while start is not None:
        epochs, start = epochs + start.epochs, start.start
    return epochs


def total_epochs(study: ResultsLike, label: Label) -> float:
    """Epochs of an arm together with those of the network that it goes on from; NaN where none are recorded."""
    records = study.records.get(label, ())
    found = [number(r.metrics.get("epochs")) for r in records]
    return float(np.mean(found)) + start_epochs(study, label) if found else math.nan


def apart(study: ResultsLike, label: Label) -> bool:
    """Whether an arm trains so much longer than the dense one that it is shown apart from the ladders."""
    return total_epochs(study, label) > LONGER * total_epochs(study, (label[0], DENSE, ""))


def labels(study: ResultsLike, role: str, method: str) -> list[Label]:
    """The labels of a method on a set, those that are shown apart included."""
    return [label for label, records in study.records.items() if records and label[:2] == (role, method)]


def point(records: Sequence[RecordLike], name: str, rung: str = "") -> Point:
    """The records of one arm as a point on an axis."""
    of = axis(name).of
    return Point(
        rung, {r.seed: of(r.metrics) for r in records}, {r.seed: number(r.metrics.get("top1")) for r in records}
    )


def ladder(study: ResultsLike, role: str, method: str, name: str) -> list[Point]:
    """The rungs of a method on a set and an axis, in the study's order; empty if it was not run there."""
    found = [label for label in labels(study, role, method) if not apart(study, label)]
    return [point(study.records[label], name, label[2]) for label in found]


# --- accuracy at a budget ---------------------------------------------------------------------------------


def interpolate(x: ArrayLike, y: ArrayLike, at: float, slack: float = SLACK) -> float:
    """y at `at`, linear in log x between the points; NaN beyond them, but for a relative `slack` at the ends.

    Points with x ≤ 0 or with NaN are left out; of points with the same x the mean counts.
    """
    spent, found = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    fine = np.isfinite(spent) & np.isfinite(found) & (spent > 0)
    if not fine.any() or not (math.isfinite(at) and at > 0):
        return math.nan
    values, where = np.unique(spent[fine], return_inverse=True)
    means = np.bincount(where, found[fine]) / np.bincount(where)
    if not values[0] / (1 + slack) <= at <= values[-1] * (1 + slack):
        return math.nan
    return float(np.interp(math.log(at), np.log(values), means))


def at_budget(points: Sequence[Point], budget: float | Mapping[int, float]) -> dict[int, float]:
    """Seed → accuracy of a ladder at a budget, which may be another one for each seed."""
    seeds = sorted(set[int]().union(*(p.y for p in points)))
    given = budget if isinstance(budget, Mapping) else dict.fromkeys(seeds, budget)
    found = {}
    for seed in seeds:
        mine = [p for p in points if seed in p.y]
        if seed in given:
            found[seed] = interpolate([p.x[seed] for p in mine], [p.y[seed] for p in mine], given[seed])
    return found


def budgets(study: ResultsLike, role: str, name: str) -> dict[str, float]:
    """Rung of the reference → the budget at which methods are compared: what the middle method spends at that rung."""
    spent: dict[str, list[float]] = {p.rung: [] for p in ladder(study, role, REFERENCE, name)}
    for method in methods(study, role):
        for p in ladder(study, role, method, name):
            if p.rung in spent:
                spent[p.rung].append(p.mean[0])
    return {rung: float(np.median(found)) for rung, found in spent.items()}


def scores(study: ResultsLike, name: str, role: str | None = None, rung: str | None = None) -> dict[str, np.ndarray]:
    """Method → accuracy `[places, seeds]` at every budget of the axis; a place is a set (or `role`) and a rung of the
    reference (or `rung`). NaN where a ladder does not reach; only seeds that every record has count.
    """
    seeds = common_seeds(study)
    found: dict[str, list[list[float]]] = {method: [] for method in methods(study, role)}
    for each in [role] if role else roles(study):
        ladders = {method: ladder(study, each, method, name) for method in found}
        for place, budget in budgets(study, each, name).items():
            if rung in (None, place):
                for method, points in ladders.items():
                    values = at_budget(points, budget)
                    found[method].append([values.get(seed, math.nan) for seed in seeds])
    return {method: np.array(rows, dtype=float).reshape(-1, len(seeds)) for method, rows in found.items()}


def common_seeds(study: ResultsLike) -> list[int]:
    """The seeds that every arm of the study has."""
    sets = [{r.seed for r in records} for records in study.records.values() if records]
    return sorted(set.intersection(*sets)) if sets else []


# --- order ------------------------------------------------------------------------------------------------


def pareto(spent: Sequence[float], gained: Sequence[float]) -> list[bool]:
    """Whether nothing else spends at most as much and gains at least as much, one of them strictly. NaN never is."""

    def beaten(a: int) -> bool:
        return any(
            spent[b] <= spent[a] and gained[b] >= gained[a] and (spent[b] < spent[a] or gained[b] > gained[a])
            for b in range(len(spent))
        )

    known = [math.isfinite(x) and math.isfinite(y) for x, y in zip(spent, gained, strict=True)]
    return [ok and not beaten(i) for i, ok in enumerate(known)]


def front(study: ResultsLike, role: str, name: str) -> list[tuple[str, Point]]:
    """The points that no other one beats on a set and an axis, in means over the seeds, from cheap to dear."""
    found = [(m, p) for m in methods(study, role) for p in ladder(study, role, m, name)]
    means = [p.mean for _, p in found]
    best = pareto([x for x, _ in means], [y for _, y in means])
    return sorted((f for f, ok in zip(found, best, strict=True) if ok), key=lambda f: (f[1].mean[0], f[0], f[1].rung))


def ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Rank by value, 1 = largest, ties share the mean; methods without a value have none."""
    known = {name: value for name, value in values.items() if math.isfinite(value)}
    from scipy.stats import rankdata  # takes a second to import

    found = rankdata([-v for v in known.values()]) if known else []
    return dict(zip(known, map(float, found), strict=True))


def mean_ranks(found: Scores, draws: int = DRAWS, seed: int = 0, level: float = LEVEL) -> dict[str, Interval]:
    """Rank averaged over the places, with a percentile interval of `draws` bootstrap samples of the seeds.

    At a place all methods are ranked that have a value there for every seed; ranks are stretched so that 1 is the first
    and the number of all methods the last of them, however many have one. A place with fewer than two counts for none.
    `n` is the number of places. The seeds of a draw are the same for all methods, as they are in a paired difference.
    """
    from scipy.stats import rankdata  # takes a second to import

    names = list(found)
    values = np.stack([found[name] for name in names]) if names else np.empty((0, 0, 0))
    seeds = values.shape[2]
    if not seeds:
        return {name: Interval(math.nan, math.nan, math.nan, 0) for name in names}
    picks = np.random.default_rng(seed).integers(0, seeds, (draws, seeds))
    picks = np.concatenate([np.arange(seeds)[None], picks])  # the first is the sample itself
    total, places = np.zeros((len(picks), len(names))), np.zeros(len(names), dtype=int)
    for place in range(values.shape[1]):
        there = np.flatnonzero(np.isfinite(values[:, place]).all(1))
        if len(there) > 1:
            means = values[there, place][:, picks].mean(2).T.round(9)  # a tie is one whatever the order of summation
            rank = rankdata(-means, axis=1)
            total[:, there] += 1 + (rank - 1) * (len(names) - 1) / (len(there) - 1)
            places[there] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        ranked = total / places
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(ranked[1:], [tail, 100 - tail], axis=0)
    return {
        name: Interval(float(ranked[0, i]), float(low[i]), float(high[i]), int(places[i]))
        for i, name in enumerate(names)
    }


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


def at_rung(study: ResultsLike, role: str, rung: str) -> dict[str, dict[str, float]]:
    """Axis → method → mean accuracy at the budget of one rung, for the methods that have it on all axes."""
    found = {name: scores(study, name, role, rung) for name in AXES}
    means = {name: {m: float(v.mean()) if v.size else math.nan for m, v in by.items()} for name, by in found.items()}
    everywhere = [m for m in methods(study, role) if all(math.isfinite(means[name][m]) for name in AXES)]
    return {name: {m: means[name][m] for m in everywhere} for name in AXES}


def fullest_rung(study: ResultsLike, role: str) -> str:
    """The rung of the reference at whose budgets the most methods have a value on all axes; of equals the last.

    Empty where the reference was not run.
    """
    rungs = list(budgets(study, role, "sparsity"))
    return max(reversed(rungs), key=lambda rung: len(at_rung(study, role, rung)["sparsity"]), default="")


# --- cost -------------------------------------------------------------------------------------------------


def seconds(study: ResultsLike, label: Label) -> dict[int, float]:
    """Seed → processor seconds of an arm's training. What it starts from is not among the records: its epochs are
    counted at the time that an epoch of the dense arm takes.
    """
    dense = study.records.get((label[0], DENSE, ""), ())
    each = {r.seed: number(r.environment.get("train_cpu_s")) / number(r.metrics.get("epochs")) for r in dense}
    before = start_epochs(study, label)
    return {
        r.seed: number(r.environment.get("train_cpu_s")) + (before * each.get(r.seed, math.nan) if before else 0.0)
        for r in study.records[label]
    }


def relative_seconds(study: ResultsLike, role: str, method: str) -> dict[int, float]:
    """Seed → processor seconds of a method over those of the reference, each averaged over its ladder."""

    def mean(name: str) -> dict[int, float]:
        found = [seconds(study, label) for label in labels(study, role, name) if not apart(study, label)]
        seeds = set.intersection(*(set(f) for f in found)) if found else set()
        return {seed: float(np.mean([f[seed] for f in found])) for seed in sorted(seeds)}

    mine, other = mean(method), mean(REFERENCE)
    return {seed: mine[seed] / other[seed] for seed in mine if other.get(seed)}
