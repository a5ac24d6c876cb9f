"""The numbers behind a comparison of methods: ladders of sparsity, accuracy at a budget, fronts, costs.

A study's keys are (data, method, level); the arm `dense` of a data set is the network trained without pruning for as
long. A method's ladder is what its levels come to on an axis: a point for each level and seed. Between two levels
accuracy is interpolated, linearly in the logarithm of the axis and for every seed by itself; beyond the ends of a
ladder it is unknown (NaN).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from snnbook.errors import unknown
from snnbook.report.records import RecordLike, ResultsLike, by_seed, number

if TYPE_CHECKING:
    from snnbook.experiments.key import ByKey, Key

DENSE, REFERENCE = "dense", "magnitude"
SLACK = 0.05  # a budget this far beyond the end of a ladder is still that level: counts are rounded
LONGER_FACTOR = 1.5  # an arm with this many times the epochs of the dense one is no part of a ladder

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Axis:
    """What is spent; `of` reads it from the metrics of a record, or from those of one of its rounds."""

    title: str
    short: str
    of: Callable[[Metrics], float]
    digits: int = 2


def _share(of: str) -> Callable[[Metrics], float]:
    def left(metrics: Metrics) -> float:
        if f"{of}_left" in metrics:  # of a round
            return number(metrics[f"{of}_left"])
        total = number(metrics[f"{of}_total"])
        return 100 * number(metrics[f"{of}_alive"]) / total if total else math.nan

    return left


AXES = {
    "weights": Axis("weights left, %", "weights", lambda m: 100 - number(m["sparsity"])),
    "connections": Axis("connections left, %", "connections", _share("connections")),
    "sops": Axis("thousand SOPs per sample", "SOPs", lambda m: number(m["sops"]) / 1e3, 1),
}
NEURONS = _share("neurons")


def axis(name: str) -> Axis:
    """The axis of a name. Raises UserError for an unknown one."""
    if name not in AXES:
        raise unknown("axis", name, AXES)
    return AXES[name]


@dataclass(frozen=True)
class Point:
    """A level of a ladder: seed → what it spends, in the unit of the axis, and seed → accuracy in per cent."""

    level: str
    x: Mapping[int, float]
    y: Mapping[int, float]

    @property
    def mean(self) -> tuple[float, float]:
        """The means over the seeds: what is spent, and accuracy."""
        return float(np.mean(list(self.x.values()))), float(np.mean(list(self.y.values())))

    @property
    def sd(self) -> float:
        """The sample standard deviation of the accuracy over the seeds; 0 for a single one."""
        return float(np.std(list(self.y.values()), ddof=1)) if len(self.y) > 1 else 0.0


# --- what a study holds -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Joined:
    """The records of two studies as those of one; the papers' data sets are those of `study`."""

    study: ResultsLike
    records: ByKey[Any]

    @property
    def sets(self) -> list[str]:
        """The data sets that were run, in order."""
        return self.records.sets

    def playing(self, dataset: str) -> str:
        """The data set that is a paper's, or stands in for it; UserError if there is none."""
        return self.study.playing(dataset)


def joined(study: ResultsLike, other: ResultsLike, names: Mapping[str, str] | None = None) -> Joined:
    """The arms of a study and those of another, or of the latter only some, with the names that they take.

    names: arm of the other study → its name, which no arm of the study itself has any more; None: all, as they are.
    """
    if names is None:
        taken = dict(other.records)
    else:
        taken = {replace(k, arm=names[k.arm]): records for k, records in other.records.items() if k.arm in names}
    kept = {key: r for key, r in study.records.items() if names is None or key.arm not in names.values()}
    return Joined(study, type(study.records)(kept | taken))


def methods(study: ResultsLike, data: str | None = None) -> list[str]:
    """The methods that were run on a set, or on any; without `dense`."""
    arms = (key.arm for key, records in study.records.items() if records and data in (None, key.data))
    return [name for name in dict.fromkeys(arms) if name != DENSE]


def _mean(records: Sequence[RecordLike], metric: str) -> float:
    return float(np.mean([number(r.metrics[metric]) for r in records])) if records else math.nan


def start_epochs(study: ResultsLike, key: Key | tuple[str, ...]) -> float:
    """Epochs of the trainings that an arm goes on from; 0 for one from scratch."""
    return _mean(study.records.get(key, ()), "epochs_start")


def total_epochs(study: ResultsLike, key: Key | tuple[str, ...]) -> float:
    """Epochs of an arm together with those of the network that it goes on from; NaN where none are recorded."""
    return _mean(study.records.get(key, ()), "epochs") + start_epochs(study, key)


def trained_longer(study: ResultsLike, key: Key) -> bool:
    """Whether an arm trains so much longer than the dense one that it is no part of a ladder."""
    return total_epochs(study, key) > LONGER_FACTOR * total_epochs(study, (key.data, DENSE))


def keys(study: ResultsLike, data: str, method: str) -> list[Key]:
    """The keys of a method on a set, those of arms that are trained longer included."""
    return [key for key, records in study.records.items() if records and (key.data, key.arm) == (data, method)]


def usual_keys(study: ResultsLike, data: str, method: str) -> list[Key]:
    """The keys of a method on a set that its ladder is made of: those of arms that are not trained longer."""
    return [key for key in keys(study, data, method) if not trained_longer(study, key)]


def point(records: Sequence[RecordLike], name: str, level: str = "") -> Point:
    """The records of one arm as a point on an axis."""
    of = axis(name).of
    return Point(level, {r.seed: of(r.metrics) for r in records}, by_seed(records, "top1"))


def ladder(study: ResultsLike, data: str, method: str, name: str) -> list[Point]:
    """The levels of a method on a set and an axis, in the study's order; empty if it was not run there."""
    return [point(study.records[key], name, key.level) for key in usual_keys(study, data, method)]


def rounds(records: Sequence[RecordLike], name: str) -> list[Point]:
    """The rounds of an arm as a ladder on an axis, the dense network first; as many as every record has."""
    of, by_round = axis(name).of, {r.seed: r.log.get("rounds", ()) for r in records}
    return [
        Point(
            str(cuts),
            {seed: of(ends[cuts]) for seed, ends in by_round.items()},
            {seed: number(ends[cuts]["top1"]) for seed, ends in by_round.items()},
        )
        for cuts in range(min(map(len, by_round.values()), default=0))
    ]


# --- accuracy at a budget ---------------------------------------------------------------------------------


def interpolate(x: ArrayLike, y: ArrayLike, at: float) -> float:
    """y at the place `at`, linear in log x between the points `x [n]`, `y [n]`.

    Points with x ≤ 0 or with NaN are left out; of points with the same x the mean counts. Beyond the points the result
    is NaN, but within a share SLACK of their first or last x it is the value there.
    """
    spent, gained = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    known = np.isfinite(spent) & np.isfinite(gained) & (spent > 0)
    if not known.any() or not (math.isfinite(at) and at > 0):
        return math.nan
    values, where = np.unique(spent[known], return_inverse=True)
    means = np.bincount(where, gained[known]) / np.bincount(where)
    if not values[0] / (1 + SLACK) <= at <= values[-1] * (1 + SLACK):
        return math.nan
    return float(np.interp(math.log(at), np.log(values), means))


def at_budget(points: Sequence[Point], budget: float | Mapping[int, float]) -> dict[int, float]:
    """Seed → accuracy of a ladder at a budget, which may be another one for each seed; NaN beyond the ladder's ends."""
    seeds = sorted(set[int]().union(*(p.y for p in points)))
    budgets = budget if isinstance(budget, Mapping) else dict.fromkeys(seeds, budget)
    accuracy = {}
    for seed in seeds:
        mine = [p for p in points if seed in p.y]
        if seed in budgets:
            accuracy[seed] = interpolate([p.x[seed] for p in mine], [p.y[seed] for p in mine], budgets[seed])
    return accuracy


def budgets(study: ResultsLike, data: str, name: str) -> dict[str, float]:
    """Level of the reference → the budget at which methods are compared: what the middle method spends there."""
    return middle({method: ladder(study, data, method, name) for method in methods(study, data)})


def middle(by_method: Mapping[str, Sequence[Point]]) -> dict[str, float]:
    """Level of the reference → what the middle method spends there, from the ladders of all methods."""
    spent: dict[str, list[float]] = {p.level: [] for p in by_method.get(REFERENCE, ())}
    for p in (p for points in by_method.values() for p in points):
        if p.level in spent:
            spent[p.level].append(p.mean[0])
    return {level: float(np.median(values)) for level, values in spent.items()}


def scores(study: ResultsLike, name: str, data: str | None = None, level: str | None = None) -> dict[str, np.ndarray]:
    """Method → accuracy in per cent, `[places, seeds]`, at every budget of the axis.

    A place is a data set (`data` alone, or all) and a level of the reference (`level` alone, or all). NaN where a
    ladder does not reach. Only seeds that every record has count.
    """
    seeds = common_seeds(study)
    accuracy: dict[str, list[list[float]]] = {method: [] for method in methods(study, data)}
    for one in [data] if data else study.sets:
        ladders = {method: ladder(study, one, method, name) for method in accuracy}
        for place, budget in middle(ladders).items():
            if level in (None, place):
                for method, points in ladders.items():
                    values = at_budget(points, budget)
                    accuracy[method].append([values.get(seed, math.nan) for seed in seeds])
    return {method: np.array(rows, dtype=float).reshape(-1, len(seeds)) for method, rows in accuracy.items()}


def common_seeds(study: ResultsLike) -> list[int]:
    """The seeds that every arm of the study has."""
    sets = [{r.seed for r in records} for records in study.records.values() if records]
    return sorted(set.intersection(*sets)) if sets else []


def at_level(study: ResultsLike, data: str, level: str) -> dict[str, dict[str, float]]:
    """Axis → method → mean accuracy at the budget of one level, for the methods that have it on all axes."""
    means: dict[str, dict[str, float]] = {}
    for name in AXES:
        by_method = scores(study, name, data, level)
        means[name] = {m: float(v.mean()) if v.size else math.nan for m, v in by_method.items()}
    everywhere = [m for m in methods(study, data) if all(math.isfinite(means[name][m]) for name in AXES)]
    return {name: {m: means[name][m] for m in everywhere} for name in AXES}


def fullest_level(study: ResultsLike, data: str) -> str:
    """The level of the reference at whose budgets the most methods have a value on all axes; of equals the last.

    Empty where the reference was not run.
    """
    levels = list(budgets(study, data, "weights"))
    return max(reversed(levels), key=lambda level: len(at_level(study, data, level)["weights"]), default="")


# --- front ------------------------------------------------------------------------------------------------


def pareto(spent: Sequence[float], gained: Sequence[float]) -> list[bool]:
    """Whether nothing else spends at most as much and gains at least as much, one of them strictly. NaN never is."""

    def beaten(a: int) -> bool:
        return any(
            spent[b] <= spent[a] and gained[b] >= gained[a] and (spent[b] < spent[a] or gained[b] > gained[a])
            for b in range(len(spent))
        )

    known = [math.isfinite(x) and math.isfinite(y) for x, y in zip(spent, gained, strict=True)]
    return [ok and not beaten(i) for i, ok in enumerate(known)]


def front(study: ResultsLike, data: str, name: str) -> list[tuple[str, Point]]:
    """The points that no other one beats on a set and an axis, in means over the seeds, from cheap to dear."""
    points = [(m, p) for m in methods(study, data) for p in ladder(study, data, m, name)]
    means = [p.mean for _, p in points]
    best = pareto([x for x, _ in means], [y for _, y in means])
    return sorted((p for p, ok in zip(points, best, strict=True) if ok), key=lambda p: (p[1].mean[0], p[0], p[1].level))


# --- cost -------------------------------------------------------------------------------------------------


def seconds(study: ResultsLike, key: Key) -> dict[int, float]:
    """Seed → processor seconds of an arm's training and of those that it goes on from.

    The latter are not among the records: their epochs are counted at the time that an epoch of the dense arm takes.
    """

    def own(record: RecordLike) -> float:
        return number(record.environment.get("train_cpu_s"))

    epoch = {r.seed: own(r) / number(r.metrics["epochs"]) for r in study.records.get((key.data, DENSE), ())}
    before = start_epochs(study, key)
    records = study.records[key]
    return {r.seed: own(r) + (before * epoch.get(r.seed, math.nan) if before else 0.0) for r in records}


def relative_seconds(study: ResultsLike, data: str, method: str) -> dict[int, float]:
    """Seed → processor seconds of a method over those of the reference, each averaged over its ladder."""

    def mean(name: str) -> dict[int, float]:
        spent = [seconds(study, key) for key in usual_keys(study, data, name)]
        seeds = set.intersection(*map(set, spent)) if spent else set()
        return {seed: float(np.mean([s[seed] for s in spent])) for seed in sorted(seeds)}

    mine, other = mean(method), mean(REFERENCE)
    return {seed: mine[seed] / other[seed] for seed in mine if other.get(seed)}
