"""The page on what training costs: epochs, processor seconds, and the arms that train for longer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from snnbook.report import ladders, look, plots
from snnbook.report.blocks import Fragment, listed, sentences
from snnbook.report.ladders import DENSE, REFERENCE
from snnbook.report.records import ResultsLike, number, unique, with_scale
from snnbook.report.stats import mean_interval, mean_sd
from snnbook.report.tables import NONE, Table, change_text, format_number, mean_sd_text, range_text


def table(study: ResultsLike) -> Table:
    """Epochs and processor seconds of each method, and their ratio to the reference's."""
    rows = []
    for role in ladders.roles(study):
        for method in (DENSE, *ladders.methods(study, role)):
            found = ladders.labels(study, role, method)
            usual = [label for label in found if not ladders.apart(study, label)]
            for kind in filter(None, (usual, *([label] for label in found if label not in usual))):
                times = [ladders.seconds(study, label) for label in kind]
                seeds = sorted(set.intersection(*map(set, times)))
                spent = [float(np.mean([t[seed] for t in times])) for seed in seeds]
                own = {number(r.metrics.get("epochs")) for label in kind for r in study.records[label]}
                before = {ladders.start_epochs(study, label) for label in kind}
                ratio = ladders.relative_seconds(study, role, method) if kind is usual else {}
                rows.append(
                    {
                        "Data": role,
                        "Method": method if kind is usual else f"{method}, {kind[0][2]}",
                        "Epochs, dense start": range_text(before),
                        "Epochs of its own": range_text(own),
                        "CPU seconds": mean_sd_text(spent, 1),
                        f"over {REFERENCE} [95 % interval]": _ratio_text(ratio) if method != REFERENCE else NONE,
                    }
                )
    caption = (
        "What a network costs to train: mean over the ladder ± sd over the seeds (their number). Seconds are processor "
        "time on one thread; a dense start counts with its epochs at the time that an epoch of the dense arm takes."
    )
    return Table(pd.DataFrame(rows), with_scale(caption, unique([study])), row_headers=2)


def _ratio_text(ratio: Mapping[int, float]) -> str:
    found = mean_interval(list(ratio.values()))
    if not math.isfinite(found.estimate):
        return NONE
    if found.n < 2:
        return f"{found.estimate:.2f} (1 seed: no interval)"
    return f"{found.estimate:.2f} [{format_number(found.low)}, {format_number(found.high)}]"


def picture(study: ResultsLike) -> plots.Picture:
    """Processor time of each method over that of the reference."""
    roles = ladders.roles(study)
    ratios = {(r, m): ladders.relative_seconds(study, r, m) for r in roles for m in ladders.methods(study, r)}
    means = {key: mean_sd(list(found.values()))[0] for key, found in ratios.items()}

    def middle(method: str) -> float:
        found = [means[role, method] for role in roles if math.isfinite(means.get((role, method), math.nan))]
        return float(np.mean(found)) if found else math.inf

    order = sorted(ladders.methods(study), key=lambda m: (middle(m), m))
    fig, axes = plots.subplots(
        1, len(roles), figsize=(9, 0.6 + 0.28 * max(4, len(order))), sharey=True, sharex=True, squeeze=False
    )
    for ax, role in zip(axes[0], roles, strict=True):
        for i, method in enumerate(order):
            found = list(ratios.get((role, method), {}).values())
            ax.plot(found, [i] * len(found), look.marker(method), color=look.colour(method), ls="none")
        ax.axvline(1, color=plots.INK, lw=1.2, ls=(0, (6, 3)))
        ax.set(title=role, xlabel=f"CPU seconds over those of {REFERENCE}")
    axes[0, 0].set_yticks(range(len(order)), order, fontsize=9)
    axes[0, 0].set_ylim(len(order) - 0.4, -0.6)
    told = "; ".join(f"{role} {m}: {format_number(x)}" for (role, m), x in means.items())
    return plots.picture(
        fig,
        alt=f"Points, one per seed: processor time of each method over that of {REFERENCE}. {told}.",
        caption=f"Processor time of a training over that of {REFERENCE}, a point for each seed, the cheapest on top. "
        "Dense starts are counted in.",
        records=unique([study]),
    )


def summary(study: ResultsLike) -> Fragment:
    """Who trains for how long, in words."""
    lines = []
    for role in ladders.roles(study):
        dense = ladders.total_epochs(study, (role, DENSE, ""))
        usual = [x for m in ladders.methods(study, role) for x in ladders.labels(study, role, m)]
        longer = [x for x in usual if ladders.apart(study, x)]
        totals = [ladders.total_epochs(study, x) for x in usual if x not in longer]
        total = range_text(x for x in [dense] if math.isfinite(x))
        lines.append(
            f"{role}, epochs in total: the dense network {total}, the arms on the ladders {range_text(totals)}."
        )
        for x in longer:
            total = f"{ladders.total_epochs(study, x):g}"
            lines.append(f"{role}: {x[1]} ({x[2]}) takes {total} epochs and is shown apart.")
        split: dict[tuple[float, float], list[str]] = {}
        for x in usual:
            if x not in longer:
                before = ladders.start_epochs(study, x)
                members = split.setdefault((before, ladders.total_epochs(study, x) - before), [])
                members += [x[1]] * (x[1] not in members)
        for (first, own), members in split.items():
            how = f"{own:g} epochs after a dense start of {first:g}" if first else f"{own:g} epochs from scratch"
            lines.append(f"{role}, {how}: {listed(members)}.")
    return sentences(lines)


def trained_longer(study: ResultsLike) -> Fragment:
    """The arms that train for longer, each beside the same method and the reference at equal weights."""
    rows = []
    for role in ladders.roles(study):
        for method in ladders.methods(study, role):
            for label in ladders.labels(study, role, method):
                if ladders.apart(study, label):
                    mine = ladders.point(study.records[label], "sparsity")
                    row = {"Data": role, "Arm": f"{method}, {label[2]}"}
                    row["Epochs"] = f"{ladders.total_epochs(study, label):g}"
                    row["Accuracy, %"] = mean_sd_text(list(mine.y.values()))
                    for title, other in (("the same method", method), (REFERENCE, REFERENCE)):
                        found = ladders.at_budget(ladders.ladder(study, role, other, "sparsity"), mine.x)
                        row[f"minus {title}, usual epochs [95 % interval]"] = change_text(dict(mine.y), found)
                    rows.append(row)
    if not rows:
        return sentences(["No arm of these records trains for longer than the others."])
    caption = "Arms with more epochs than the others, and what the epochs bring at equal weights."
    return Table(pd.DataFrame(rows), with_scale(caption, unique([study])), row_headers=2)
