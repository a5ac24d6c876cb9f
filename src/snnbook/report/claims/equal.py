"""Differences of two methods of the comparison at equal cost, seed by seed: what the evidence on claims is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from snnbook.report.claims.judging import Comparison, Values, comparison, difference, doubts, guarded, over
from snnbook.report.ladders import AXES, Point, at_budget, ladder, usual_keys
from snnbook.report.records import RecordLike, ResultsLike


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
    rival = ladder(study, data, theirs, axis)
    if math.isfinite(left) and rival:
        rival = [min(rival, key=lambda p: abs(math.log(p.mean[0] / left)))]
    gap, levels = mean_gap(ladder(study, data, ours, axis), rival)
    if levels:
        where = f"{levels} of {len(rival)} levels of {theirs}" if math.isnan(left) else rival[0].level
        what = f"accuracy at equal {AXES[axis].short}, {ours} minus {theirs} (points; {where})"
        it = comparison(what, gap, "> 0").noted(_starts(study, data, ours, theirs))
        yield guarded(it, [reason for m in (ours, theirs) for reason in doubts(m, runs(study, data, m))])


def runs(study: ResultsLike, data: str, method: str) -> list[RecordLike]:
    """The records that the ladder of a method on a set is made of."""
    return [r for key in usual_keys(study, data, method) for r in study.records[key]]


def _starts(study: ResultsLike, data: str, *methods: str) -> str:
    """Which of the methods train from scratch and which go on from the dense network, where this is not the same."""
    dense = [any(r.metrics["epochs_start"] for r in runs(study, data, m)) for m in methods]
    if len(set(dense)) == 1:
        return ""
    return ", ".join(
        f"{method} {'goes on from the dense network' if start else 'trains from scratch'}"
        for method, start in zip(methods, dense, strict=True)
    )
