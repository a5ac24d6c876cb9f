"""Differences of two methods of the comparison at equal cost, seed by seed: what the evidence on claims is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from snnbook.report.claims.judging import Comparison, Values, comparison, difference, doubts, guarded, over
from snnbook.report.ladders import AXES, Metrics, Point, at_budget, usual_keys
from snnbook.report.records import RecordLike, ResultsLike, number

Quantity = Callable[[Metrics], float]


def accuracy(metrics: Metrics) -> float:
    """Top-1 accuracy in per cent."""
    return number(metrics["top1"])


def points(study: ResultsLike, data: str, method: str, axis: str, gained: Quantity = accuracy) -> list[Point]:
    """The ladder of a method on a set and an axis, with `gained` in the place of the accuracy."""
    of = AXES[axis].of
    return [
        Point(
            key.level,
            {r.seed: of(r.metrics) for r in study.records[key]},
            {r.seed: gained(r.metrics) for r in study.records[key]},
        )
        for key in usual_keys(study, data, method)
    ]


def mean_gap(ours: list[Point], theirs: list[Point]) -> tuple[Values, int]:
    """Seed → what `ours` gain where they spend as much as a network of `theirs`, minus what that gains, and levels.

    It is a mean over the levels of `theirs` that `ours` reach for all seeds; the second value is their number.
    """
    gaps = [difference(at_budget(ours, level.x), level.y) for level in theirs]
    reached = [gap for gap in gaps if gap and all(map(math.isfinite, gap.values()))]
    if not reached:
        return Values({}), 0
    return over(lambda seed: float(np.mean([gap[seed] for gap in reached])), *reached), len(reached)


def against(
    study: ResultsLike, data: str, ours: str, theirs: str, axis: str, left: float = math.nan
) -> Iterator[Comparison]:
    """Accuracy of one method minus that of another at what the other's networks spend, averaged over its levels.

    left: only at the level whose mean on the axis is closest to it. Nothing where no level is within reach.
    """
    ladder = points(study, data, theirs, axis)
    if math.isfinite(left) and ladder:
        ladder = [min(ladder, key=lambda p: abs(math.log(p.mean[0] / left)))]
    gap, levels = mean_gap(points(study, data, ours, axis), ladder)
    if levels:
        where = f"{levels} of {len(ladder)} levels of {theirs}" if math.isnan(left) else ladder[0].level
        what = f"accuracy at equal {AXES[axis].short}, {ours} minus {theirs} (points; {where})"
        it = comparison(what, gap, "> 0").noted(_starts(study, data, ours, theirs))
        yield guarded(it, [reason for m in (ours, theirs) for reason in doubts(m, _runs(study, data, m))])


def _runs(study: ResultsLike, data: str, method: str) -> list[RecordLike]:
    return [r for key in usual_keys(study, data, method) for r in study.records[key]]


def _starts(study: ResultsLike, data: str, *methods: str) -> str:
    """Which of the methods train from scratch and which go on from the dense network, where this is not the same."""
    dense = [any(r.metrics["epochs_start"] for r in _runs(study, data, m)) for m in methods]
    if len(set(dense)) == 1:
        return ""
    return ", ".join(
        f"{method} {'goes on from the dense network' if start else 'trains from scratch'}"
        for method, start in zip(methods, dense, strict=True)
    )
