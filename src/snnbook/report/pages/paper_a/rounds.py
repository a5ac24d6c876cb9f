"""Tables 2 and 3: runs that prune in rounds and record the end of each, as ladders, beside the printed tables.

A round's end is a finished network, so that one run of 14 rounds holds 15 networks; round 0 is the dense one. The arms
IMP, S and S+T share their dense network. `matched` is a study of ladders whose methods all train for the same epochs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from snnbook.pruning import registry
from snnbook.report import ladders, look, papers, plots
from snnbook.report.blocks import Fragment, sentences
from snnbook.report.ladders import Point
from snnbook.report.records import ResultsLike, by_seed, number, played, records_on, with_scale
from snnbook.report.tables import NONE, Table, change_text, format_number, mean_sd_text

SHARE = 0.25  # of the survivors, that each cut of paper A takes
ARMS = ("IMP", "S", "S+T")
# The printed names of the methods that are run again here, and the methods of a matched study that they are.
NAMES = {printed: name for name, entry in registry.methods().items() for printed in entry.printed}
NAMES |= {"S": "S", "S+T": "S+T"}


def cuts_of(sparsity: float) -> int:
    """The number of cuts of a quarter that comes closest to a sparsity in per cent: 98.13 → 14."""
    return round(math.log(1 - sparsity / 100) / math.log(1 - SHARE))


def _dense(ladder: Sequence[Point]) -> dict[int, float]:
    return dict(ladder[0].y) if ladder else {}


def epochs(study: ResultsLike, matched: ResultsLike, sets: Sequence[str]) -> Fragment:
    """For how many epochs the runs in rounds train on each set, and those of a matched study with their dense start."""
    lines = []
    for data in sets:
        last = study.records[data, ARMS[0]][0].log["rounds"][-1]
        equal = ladders.total_epochs(matched, (data, ladders.DENSE))
        lines.append(f"{data}: rounds take {last['epochs']} epochs in total, the other comparison {equal:g}.")
    return sentences(lines)


def picture(study: ResultsLike, sets: Sequence[str], axis: str) -> plots.Picture:
    """Accuracy of every round on an axis: a panel for each set, a curve with its spread for each arm."""
    fig, axes = plots.subplots(1, len(sets), figsize=(4.6 * len(sets), 3.8), squeeze=False)
    what = ladders.axis(axis).title
    numbers, used = [], []
    for ax, data in zip(axes[0], sets, strict=True):
        for i, arm in enumerate(ARMS):
            records = study.records.get((data, arm), ())
            ladder = ladders.rounds(records, axis)
            if not ladder:
                continue
            used += list(records)
            x, y = zip(*(p.mean for p in ladder), strict=True)
            spread = np.array([p.sd for p in ladder])
            ax.plot(x, y, label=arm, **plots.series(i))
            ax.fill_between(x, np.array(y) - spread, np.array(y) + spread, color=plots.PALETTE[i], alpha=0.15, lw=0)
            numbers.append(f"{data}, {arm}: {y[0]:.1f} dense, {y[-1]:.1f} after {len(y) - 1} cuts")
        ax.set(title=data, xscale="log", xlabel=what, ylabel="test accuracy, %")
        ax.xaxis.set_major_formatter(plots.PLAIN)
        ax.invert_xaxis()
        ax.legend()
    return plots.picture(
        fig,
        alt=f"Accuracy against {what} over the rounds of pruning. {'; '.join(numbers)}.",
        caption=f"Accuracy at the end of every round against {what}; mean and sd over the seeds, dense on the left.",
        records=used,
    )


def rounds_table(study: ResultsLike, data: str, cuts: Sequence[int] = (12, 13, 14)) -> Table:
    """The three arms after so many cuts: accuracy, and its difference from the dense network, IMP and restarts.

    The arm "restarts" is trained as often and prunes nothing; a study may lack it.
    """
    restarts = ladders.rounds(study.records.get((data, "restarts"), ()), "weights")
    by_arm = {arm: ladders.rounds(study.records.get((data, arm), ()), "weights") for arm in ARMS}
    rows = []
    for n in cuts:
        for arm, ladder in by_arm.items():
            if n < len(ladder):
                other = by_arm["IMP"][n].y if n < len(by_arm["IMP"]) else {}
                left = next(iter(ladder[n].x.values()))
                rows.append(
                    {
                        "Cuts": n,
                        "Pruning": arm,
                        "Weights left, %": format_number(left),
                        "Accuracy, %": mean_sd_text(list(ladder[n].y.values())),
                        "minus dense": change_text(ladder[n].y, _dense(ladder)),
                        "minus IMP": NONE if arm == "IMP" else change_text(ladder[n].y, other),
                        "minus restarts": change_text(ladder[n].y, restarts[n].y) if n < len(restarts) else NONE,
                    }
                )
    columns = ["Cuts", "Pruning", "Weights left, %", "Accuracy, %", "minus dense", "minus IMP", "minus restarts"]
    used = [r for arm in (*ARMS, "restarts") for r in study.records.get((data, arm), ())]
    caption = f"{data}: mean ± sd (number of seeds), and differences paired over the seeds with their 95 % interval."
    return Table(pd.DataFrame(rows, columns=columns), with_scale(caption, used), 2)


def _ladder(study: ResultsLike, matched: ResultsLike, data: str, method: str, axis: str) -> tuple[list[Point], dict]:
    """The ladder of a printed method and the dense accuracies that it is compared with."""
    if method in ARMS and (rounds := ladders.rounds(study.records.get((data, method), ()), axis)):
        return rounds, _dense(rounds)
    dense = by_seed(matched.records.get((data, ladders.DENSE), ()), "top1")
    name = NAMES.get(method, "")
    return (ladders.ladder(matched, data, name, axis) if name else []), dense


def printed_table(study: ResultsLike, matched: ResultsLike, table: str, dataset: str, network: str = "") -> Table:
    """The rows of a printed table on one data set, and ours on the set that is it or plays it.

    Ours has as many weights as each row, or as many connections as S has there. A row without a number of ours is
    quoted only. network: only its rows.
    """
    where = {"dataset": dataset} | ({"architecture": network} if network else {})
    data = next(iter(played(study, [dataset])), "")
    weights, connections = (
        ladders.rounds(study.records.get((data, "S"), ()), axis) for axis in ("weights", "connections")
    )
    rows = []
    for row in papers.rows("A", table, **where).to_dict("records"):
        variant = str(row["variant"]) if row["variant"] in ARMS else str(row["method"])
        left = 100 - number(row["sparsity"])
        same = {
            seed: ladders.interpolate([p.x[seed] for p in weights], [p.x[seed] for p in connections], left)
            for seed in (weights[0].x if weights else ())
        }
        ours = {}
        for axis, budget in (("weights", left), ("connections", same)):
            ladder, dense = _ladder(study, matched, data, variant, axis)
            ours[axis] = change_text(ladders.at_budget(ladder, budget), dense) if ladder else NONE
        quoted = all(text == NONE for text in ours.values())
        rows.append(
            {
                "Method": row["method"],
                "Network (paper)": row["architecture"],
                "Sparsity, %": format_number(number(row["sparsity"])),
                "Base, % (paper)": format_number(number(row["base_acc"])),
                "Change (paper)": format_number(number(row["delta_acc"]), signed=True),
                "Ours, as many weights": ours["weights"],
                "Ours, as many connections": ours["connections"],
                "Row": "quoted" if quoted else "run again",
            }
        )
    used = [*records_on(study, data), *records_on(matched, data)]
    caption = f"Paper A, Table {table}, {' '.join(filter(None, (network, dataset)))}" + (f" → {data}" if data else "")
    caption += ": changes of accuracy from the dense network, in points; ours paired over the seeds, 95 % interval."
    return Table(pd.DataFrame(rows), with_scale(caption, used), 3)


def matched_table(matched: ResultsLike, data: str, axis: str) -> Table:
    """Accuracy of every method at the budgets of an axis that S has at its levels, with equal epochs."""
    spent = [p.mean[0] for p in ladders.ladder(matched, data, "S", axis)]
    what = ladders.axis(axis)
    dense = by_seed(matched.records.get((data, ladders.DENSE), ()), "top1")
    rows = [{"Method": "dense", "Accuracy, all": mean_sd_text(list(dense.values()), 1)}]
    for method in ladders.methods(matched, data):
        ladder = ladders.ladder(matched, data, method, axis)
        row = {"Method": method, "Accuracy, all": NONE}
        for budget in spent:
            known = [v for v in ladders.at_budget(ladder, budget).values() if math.isfinite(v)]
            row[f"{budget:.{what.digits}f}"] = mean_sd_text(known, 1) if known else NONE
        rows.append(row)
    caption = f"{data}: test accuracy in per cent by {what.title}, at what S has at its four levels. A dash: "
    caption += "beyond the ends of the method's ladder."
    return Table(pd.DataFrame(rows).fillna(NONE), with_scale(caption, records_on(matched, data)))


def matched_picture(matched: ResultsLike, data: str) -> plots.Picture:
    """The ladders of all methods of a matched study on one set, by weights and by connections."""
    fig, axes = plots.subplots(1, 2, figsize=(9.2, 4.2), sharey=True)
    methods, dense = ladders.methods(matched, data), look.dense_accuracy(matched, data)
    for ax, axis in zip(axes, ("weights", "connections"), strict=True):
        for i, method in enumerate(methods):
            mean = sorted(p.mean for p in ladders.ladder(matched, data, method, axis))
            n = len(plots.PALETTE)
            style = {"color": plots.PALETTE[i % n], "marker": plots.MARKERS[(i + i // n) % n]}
            if mean:
                ax.plot(*zip(*mean, strict=True), label=method, linestyle=plots.LINES[i // n], **style)
        if math.isfinite(dense):
            ax.axhline(dense, color=plots.INK, linewidth=1, linestyle=":", label="dense")
        ax.set(xscale="log", xlabel=ladders.axis(axis).title)
        ax.xaxis.set_major_formatter(plots.PLAIN)
        ax.invert_xaxis()
    axes[0].set_ylabel("test accuracy, %")
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return plots.picture(
        fig,
        alt=f"Accuracy on {data} of {', '.join(methods)} against the weights left, and against the connections left. "
        "The numbers are in the tables below.",
        caption=f"{data}: the same networks by the weights and by the connections that are left; means over the seeds.",
        records=records_on(matched, data),
    )
