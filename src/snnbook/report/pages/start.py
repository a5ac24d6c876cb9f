"""The start as a factor: the same methods from scratch and from a dense network, and what regeneration alone adds.

The study `compare.start` has the arms that `compare` lacks, under the names below and at the same levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from snnbook.report import arms, ladders, orders, plots
from snnbook.report.arms import Contrast
from snnbook.report.blocks import Fragment, listed, sentences
from snnbook.report.ladders import DENSE
from snnbook.report.records import ResultsLike, by_seed, unique, with_scale
from snnbook.report.stats import paired
from snnbook.report.tables import NONE, Table, interval_text, range_text

STARTS = {  # method → its arm from scratch, its arm from a dense network
    "random": ("random, from scratch", "random"),
    "lamp": ("lamp, from scratch", "lamp"),
    "magnitude": ("magnitude, from scratch", "magnitude"),
    "criticality": ("criticality", "criticality, from dense"),
}
REGENERATING, CONTROL = "criticality", "criticality, no regeneration, from scratch"
ONE_SCHEDULE = "dense, one schedule"
NOTHING = "There is no record yet of these methods with the other start."


def _levels(study: ResultsLike, data: str, arm: str) -> list[str]:
    return [key.level for key in ladders.keys(study, data, arm)]


def _accuracy(study: ResultsLike, data: str, arm: str, level: str) -> dict[int, float]:
    return by_seed(study.records.get((data, arm, level), ()), "top1")


def starts(study: ResultsLike, start: ResultsLike, data: str) -> list[Contrast]:
    """From scratch minus from dense of each method that has both, at the levels that both have."""
    both = ladders.joined(study, start)
    contrasts = []
    for method, (scratch, dense) in STARTS.items():
        levels = [level for level in _levels(both, data, scratch) if level in _levels(both, data, dense)]
        if levels:
            at = {x: paired(_accuracy(both, data, scratch, x), _accuracy(both, data, dense, x)) for x in levels}
            contrasts.append(Contrast(f"{method}, from scratch minus from dense", at))
    return contrasts


def regeneration(study: ResultsLike, start: ResultsLike, data: str) -> list[Contrast]:
    """Criticality minus the same without regeneration, at what it spends on each axis; the control is interpolated."""
    contrasts = []
    for axis, about in ladders.AXES.items():
        control = ladders.ladder(start, data, CONTROL, axis)
        points = ladders.ladder(study, data, REGENERATING, axis)
        if control and points:
            at = {p.level: paired(p.y, ladders.at_budget(control, p.x)) for p in points}
            contrasts.append(Contrast(f"{REGENERATING} minus no regeneration, at equal {about.short}", at))
    return contrasts


def schedule(study: ResultsLike, start: ResultsLike, data: str) -> list[Contrast]:
    """The dense network trained in one schedule minus the one that is trained twice."""
    one, two = _accuracy(start, data, ONE_SCHEDULE, ""), _accuracy(study, data, DENSE, "")
    return [Contrast("dense, one schedule minus two", {"all weights": paired(one, two)})] if one and two else []


def _contrasts(study: ResultsLike, start: ResultsLike, data: str) -> list[Contrast]:
    return [c for kind in (starts, regeneration, schedule) for c in kind(study, start, data)]


def words(study: ResultsLike, start: ResultsLike) -> Fragment:
    """Every contrast in a sentence, and what the other start does to the mean rank of a method."""
    lines = []
    for data in study.sets:
        lines += [f"{data}: {_sentence(contrast)}" for contrast in _contrasts(study, start, data)]
    return sentences([*lines, *_exchanged(study, start)] or [NOTHING])


def _sentence(contrast: Contrast) -> str:
    """Where the seeds separate the two arms, by how much, and where they do not."""
    if not contrast.known:
        return f"{contrast.title}: there is no place at which both have a value."
    apart = [f"{place} ({interval_text(contrast.known[place], signed=True)})" for place in contrast.apart]
    parts = [f"the seeds separate the two at {listed(apart)}"] if apart else []
    if contrast.tied:
        parts.append(f"{'but not' if apart else 'the seeds do not separate the two'} at {listed(contrast.tied)}")
    return f"{contrast.title}: {', '.join(parts)} ({contrast.seeds})."


def _exchanged(study: ResultsLike, start: ResultsLike) -> list[str]:
    """The mean rank of each method at equal weights, and what it would be with its other arm in its place."""
    before, changed = orders.mean_ranks(ladders.scores(study, "weights")), []
    for method, (scratch, dense) in STARTS.items():
        other = scratch if dense == method else dense
        if method not in before or other not in ladders.methods(start):
            continue
        after = orders.mean_ranks(ladders.scores(ladders.joined(study, start, {other: method}), "weights"))
        ranks = f"{arms.rank_text(before[method])} to {arms.rank_text(after[method])}"
        changed.append(f"{method} ({ranks}, {'from scratch' if other == scratch else 'from dense'})")
    if not changed:
        return []
    return [f"Mean rank at equal weights if one method alone had its other start: {listed(changed)}."]


def table(study: ResultsLike, start: ResultsLike) -> Fragment:
    """Every contrast at every level, with its interval."""
    rows, levels, seeds = [], dict[str, None](), set()
    title = "Difference in accuracy, points"
    for data in study.sets:
        for contrast in _contrasts(study, start, data):
            levels |= dict.fromkeys(contrast.differences)
            seeds |= {mean.n for mean in contrast.known.values()}
            cells = {level: contrast.text(level) for level in contrast.differences}
            rows.append({"Data": data, title: contrast.title} | cells)
    if not rows:
        return sentences([NOTHING])
    frame = pd.DataFrame(rows, columns=["Data", title, *levels]).fillna(NONE)
    caption = (
        "Differences in accuracy, paired over the seeds [95 % interval]. *: the seeds separate the two, at 5 % "
        f"corrected by Holm's method for the levels of the row (n = {range_text(seeds)}). {NONE}: no network of the "
        "control spends as much."
    )
    return Table(frame, with_scale(caption, unique([study, start])), row_headers=2)


def picture(study: ResultsLike, start: ResultsLike) -> Fragment:
    """The contrasts of the start and of regeneration against the level, a row for each set."""
    shown = {
        data: (starts(study, start, data) + schedule(study, start, data), regeneration(study, start, data))
        for data in study.sets
    }
    shown = {data: columns for data, columns in shown.items() if any(columns)}
    if not shown:
        return sentences([NOTHING])
    fig, grid = plots.subplots(len(shown), 2, figsize=(9, 3.1 * len(shown)), squeeze=False, sharey="row")
    numbers = []
    for (data, columns), row in zip(shown.items(), grid, strict=True):
        for ax, contrasts, title in zip(
            row, columns, ("from scratch minus from dense", "regeneration alone"), strict=True
        ):
            levels = list(dict.fromkeys(level for contrast in contrasts for level in contrast.known))
            ax.axhline(0, color=plots.INK, lw=1)
            for i, contrast in enumerate(contrasts):
                _with_intervals(ax, levels, contrast, i, len(contrasts))
                each = ", ".join(f"{level} {contrast.text(level)}" for level in contrast.known)
                numbers.append(f"{data}, {contrast.title}: {each or 'nothing to compare'}")
            ax.set_xticks(range(len(levels)), levels)
            ax.set_title(f"{data}: {title}", fontsize=11)
        row[0].set_ylabel("difference, points")
    for ax in grid[-1]:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), fontsize=8)
    return plots.picture(
        fig,
        alt=f"Differences in accuracy with intervals against the level. {'; '.join(numbers)}.",
        caption="Left: accuracy of a method that starts from scratch minus that of the same method from a dense "
        "network, and the dense network in one schedule minus the one in two. Right: criticality minus the same "
        "schedule without regeneration, both from scratch, at equal weights, connections and SOPs. Bars: 95 % "
        "intervals, paired over the seeds.",
        records=unique([study, start]),
    )


def _with_intervals(ax: Axes, places: Sequence[str], contrast: Contrast, i: int, of: int) -> None:
    """Differences with their intervals at named places of the x axis: series number `i` of `of`, beside the others."""
    offset, style = 0.12 * (i - (of - 1) / 2), plots.series(i)
    known = [(x + offset, contrast.known[place]) for x, place in enumerate(places) if place in contrast.known]
    for x, mean in known:
        if mean.n > 1:
            ax.plot([x, x], [mean.low, mean.high], "-", marker="", color=style["color"], lw=1.4)
    middles = [mean.estimate for _, mean in known]
    ax.plot([x for x, _ in known], middles, style["marker"], color=style["color"], label=contrast.title)
