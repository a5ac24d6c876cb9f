"""The page on what training costs: epochs, processor seconds, and the arms that train for longer."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from snnbook.report import ladders, look, plots
from snnbook.report.blocks import Fragment, listed, sentences
from snnbook.report.ladders import DENSE, REFERENCE
from snnbook.report.records import ResultsLike, number, unique, with_scale
from snnbook.report.stats import mean_interval, mean_sd
from snnbook.report.tables import NONE, Table, change_text, format_number, interval_text, mean_sd_text, range_text


def table(study: ResultsLike) -> Table:
    """Epochs and processor seconds of each method, and their ratio to the reference's."""
    rows = []
    for data in study.sets:
        for method in (DENSE, *ladders.methods(study, data)):
            keys = ladders.keys(study, data, method)
            usual = ladders.usual_keys(study, data, method)
            for kind in filter(None, (usual, *([key] for key in keys if key not in usual))):
                times = [ladders.seconds(study, key) for key in kind]
                seeds = sorted(set.intersection(*map(set, times)))
                spent = [float(np.mean([t[seed] for t in times])) for seed in seeds]
                own = {number(r.metrics["epochs"]) for key in kind for r in study.records[key]}
                before = {ladders.start_epochs(study, key) for key in kind}
                ratio = ladders.relative_seconds(study, data, method) if kind is usual else {}
                rows.append(
                    {
                        "Data": data,
                        "Method": method if kind is usual else f"{method}, {kind[0].level}",
                        "Epochs, dense start": range_text(before),
                        "Epochs of its own": range_text(own),
                        "CPU seconds": mean_sd_text(spent, 1),
                        f"over {REFERENCE} [95 % interval]": interval_text(mean_interval(list(ratio.values())))
                        if method != REFERENCE
                        else NONE,
                    }
                )
    caption = (
        "What a network costs to train: mean over the ladder ± sd over the seeds (their number). Seconds are processor "
        "time on one thread; a dense start counts with its epochs at the time that an epoch of the dense arm takes."
    )
    return Table(pd.DataFrame(rows), with_scale(caption, unique([study])), row_headers=2)


def picture(study: ResultsLike) -> plots.Picture:
    """Processor time of each method over that of the reference, a point for each seed."""
    import seaborn as sns  # takes a second to import

    sets = study.sets
    ratios = {(r, m): ladders.relative_seconds(study, r, m) for r in sets for m in ladders.methods(study, r)}
    means = {key: mean_sd(list(ratio.values()))[0] for key, ratio in ratios.items()}

    def middle(method: str) -> float:
        known = [means[data, method] for data in sets if math.isfinite(means.get((data, method), math.nan))]
        return float(np.mean(known)) if known else math.inf

    order = sorted(ladders.methods(study), key=lambda m: (middle(m), m))
    fig, axes = plots.subplots(
        1, len(sets), figsize=(9, 0.6 + 0.28 * max(4, len(order))), sharey=True, sharex=True, squeeze=False
    )
    colours = {method: look.colour(method) for method in order}
    for ax, data in zip(axes[0], sets, strict=True):
        points = [(ratio, m) for m in order for ratio in ratios.get((data, m), {}).values()]
        frame = pd.DataFrame(points, columns=["ratio", "method"])
        sns.stripplot(frame, x="ratio", y="method", hue="method", order=order, palette=colours, jitter=False, ax=ax)
        ax.axvline(1, color=plots.INK, lw=1.2, ls=(0, (6, 3)))
        ax.set(title=data, xlabel=f"CPU seconds over those of {REFERENCE}", ylabel="")
    axes[0, 0].tick_params(axis="y", labelsize=9)
    numbers = "; ".join(f"{data} {m}: {format_number(x)}" for (data, m), x in means.items())
    return plots.picture(
        fig,
        alt=f"Points, one per seed: processor time of each method over that of {REFERENCE}. {numbers}.",
        caption=f"Processor time of a training over that of {REFERENCE}, a point for each seed, the cheapest on top. "
        "Dense starts are counted in.",
        records=unique([study]),
    )


def summary(study: ResultsLike) -> Fragment:
    """Who trains for how long, in words."""
    lines = []
    for data in study.sets:
        dense = ladders.total_epochs(study, (data, DENSE))
        every = [key for m in ladders.methods(study, data) for key in ladders.keys(study, data, m)]
        longer = [key for key in every if ladders.trained_longer(study, key)]
        usual = [key for key in every if key not in longer]
        total = range_text(x for x in [dense] if math.isfinite(x))
        totals = range_text(ladders.total_epochs(study, key) for key in usual)
        lines.append(f"{data}, epochs in total: the dense network {total}, the arms on the ladders {totals}.")
        for key in longer:
            total = f"{ladders.total_epochs(study, key):g}"
            lines.append(f"{data}: {key.arm} ({key.level}) takes {total} epochs and is shown apart.")
        split: dict[tuple[float, float], list[str]] = {}
        for key in usual:
            before = ladders.start_epochs(study, key)
            members = split.setdefault((before, ladders.total_epochs(study, key) - before), [])
            members += [key.arm] * (key.arm not in members)
        for (first, own), members in split.items():
            how = f"{own:g} epochs after a dense start of {first:g}" if first else f"{own:g} epochs from scratch"
            lines.append(f"{data}, {how}: {listed(members)}.")
    return sentences(lines)


def trained_longer(study: ResultsLike) -> Fragment:
    """The arms that train for longer, each beside the same method and the reference at equal weights."""
    rows = []
    for data in study.sets:
        for method in ladders.methods(study, data):
            for key in ladders.keys(study, data, method):
                if ladders.trained_longer(study, key):
                    mine = ladders.point(study.records[key], "weights")
                    row = {"Data": data, "Arm": f"{method}, {key.level}"}
                    row["Epochs"] = f"{ladders.total_epochs(study, key):g}"
                    row["Accuracy, %"] = mean_sd_text(list(mine.y.values()))
                    for title, other in (("the same method", method), (REFERENCE, REFERENCE)):
                        usual = ladders.at_budget(ladders.ladder(study, data, other, "weights"), mine.x)
                        row[f"minus {title}, usual epochs [95 % interval]"] = change_text(dict(mine.y), usual)
                    rows.append(row)
    if not rows:
        return sentences(["No arm of these records trains for longer than the others."])
    caption = "Arms with more epochs than the others, and what the epochs bring at equal weights."
    return Table(pd.DataFrame(rows), with_scale(caption, unique([study])), row_headers=2)
