"""Runs that prune in rounds and record the end of each: as ladders, beside the printed tables of paper A.

A round's end is a finished network, so that one run of 14 rounds holds 15 networks; round 0 is the dense one. Labels of
such a study are `(role, arm)`; the arms IMP, S and S+T share their dense network. `matched` is a study of ladders, with
labels `(role, method, rung)`, whose methods all train for the same epochs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from snnbook.pruning import registry
from snnbook.report import ladders, papers, plots
from snnbook.report.blocks import Fragment, sentences
from snnbook.report.ladders import Point
from snnbook.report.records import ROLES, RecordLike, ResultsLike, number, scale_note
from snnbook.report.tables import NONE, Table, change_text, format_number, mean_sd_text, table

SHARE = 0.25  # of the survivors, that each cut of paper A takes
ARMS = ("IMP", "S", "S+T")
# The printed names of the methods that are run again here, and the methods of a matched study that they are.
NAMES = {printed: name for name, entry in registry.methods().items() for printed in entry.printed}
NAMES |= {"S": "S", "S+T": "S+T"}
_AXES = {"sparsity": lambda r: 100 - number(r["sparsity"]), "connections": lambda r: number(r["connections_left"])}
_AXES["sops"] = lambda r: number(r["sops"]) / 1e3


def cuts_of(sparsity: float) -> int:
    """The number of cuts of a quarter that comes closest to a sparsity in per cent: 98.13 → 14."""
    return round(math.log(1 - sparsity / 100) / math.log(1 - SHARE))


def points(records: Sequence[RecordLike], axis: str) -> list[Point]:
    """The rounds of an arm as a ladder on an axis of `ladders.AXES`, the dense network first."""
    of, told = _AXES[axis], {r.seed: r.log.get("rounds", ()) for r in records}
    return [
        Point(str(cuts), *({seed: read(rounds[cuts]) for seed, rounds in told.items()} for read in (of, _accuracy)))
        for cuts in range(min(map(len, told.values()), default=0))
    ]


def _accuracy(measured: Mapping[str, float]) -> float:
    return number(measured["top1"])


def _dense(found: Sequence[Point]) -> dict[int, float]:
    return dict(found[0].y) if found else {}


def roles(study: ResultsLike) -> list[str]:
    """The data sets of a study of rounds, in its order."""
    return list(dict.fromkeys(label[0] for label in study.records))


def epochs(study: ResultsLike, matched: ResultsLike, chosen: Sequence[str]) -> Fragment:
    """For how many epochs the runs in rounds train on each set, and those of a matched study with their dense start."""
    lines = []
    for role in chosen:
        last = study.records[role, ARMS[0]][0].log["rounds"][-1]
        trial = matched.study.trials[role, ladders.DENSE, ""]  # type: ignore[attr-defined]
        equal = trial.epochs + (trial.start.epochs if trial.start else 0)
        lines.append(f"{role}: rounds take {last['epochs']} epochs in total, the other comparison {equal}.")
    return sentences(lines)


def picture(study: ResultsLike, chosen: Sequence[str], axis: str) -> plots.Picture:
    """Accuracy of every round on an axis: a panel for each set, a curve with its spread for each arm."""
    fig, axes = plots.subplots(1, len(chosen), figsize=(4.6 * len(chosen), 3.8), squeeze=False)
    told, used = [], []
    for ax, role in zip(axes[0], chosen, strict=True):
        for i, arm in enumerate(ARMS):
            records = study.records.get((role, arm), ())
            found = points(records, axis)
            if not found:
                continue
            used += list(records)
            x, y = zip(*(p.mean for p in found), strict=True)
            spread = np.array([np.std(list(p.y.values()), ddof=1) if len(p.y) > 1 else 0.0 for p in found])
            style = {"color": plots.PALETTE[i], "marker": plots.MARKERS[i], "linestyle": plots.LINES[i]}
            ax.plot(x, y, label=arm, **style)
            ax.fill_between(x, np.array(y) - spread, np.array(y) + spread, color=plots.PALETTE[i], alpha=0.15, lw=0)
            told.append(f"{role}, {arm}: {y[0]:.1f} dense, {y[-1]:.1f} after {len(y) - 1} cuts")
        ax.set(title=role, xscale="log", xlabel=ladders.axis(axis).title, ylabel="test accuracy, %")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.invert_xaxis()
        ax.legend()
    what = ladders.axis(axis).title
    return plots.picture(
        fig,
        alt=f"Accuracy against {what} over the rounds of pruning. " + "; ".join(told) + ".",
        caption=f"Accuracy at the end of every round against {what}; mean and sd over the seeds, dense on the left.",
        records=used,
    )


def rounds_table(study: ResultsLike, role: str, cuts: Sequence[int] = (12, 13, 14)) -> Table:
    """The three arms after so many cuts: accuracy, its change from the dense network, and S and S+T against IMP."""
    found = {arm: points(study.records.get((role, arm), ()), "sparsity") for arm in ARMS}
    rows = []
    for n in cuts:
        for arm, ladder in found.items():
            if n < len(ladder):
                other = found["IMP"][n].y if n < len(found["IMP"]) else {}
                left = next(iter(ladder[n].x.values()))
                rows.append(
                    {
                        "Cuts": n,
                        "Pruning": arm,
                        "Weights left, %": format_number(left),
                        "Accuracy, %": mean_sd_text(list(ladder[n].y.values())),
                        "minus dense": change_text(ladder[n].y, _dense(ladder)),
                        "minus IMP": NONE if arm == "IMP" else change_text(ladder[n].y, other),
                    }
                )
    columns = ["Cuts", "Pruning", "Weights left, %", "Accuracy, %", "minus dense", "minus IMP"]
    used = [r for arm in ARMS for r in study.records.get((role, arm), ())]
    caption = f"{role}: mean ± sd (number of seeds), and differences paired over the seeds with their 95 % interval."
    return table(pd.DataFrame(rows, columns=columns), f"{caption} {scale_note(used)}".strip(), 2)


def _ladder(study: ResultsLike, matched: ResultsLike, role: str, method: str, axis: str) -> tuple[list[Point], dict]:
    """The ladder of a printed method and the dense accuracies that it is compared with."""
    if method in ARMS and (rounds := points(study.records.get((role, method), ()), axis)):
        return rounds, _dense(rounds)
    dense = ladders.point(matched.records.get((role, ladders.DENSE, ""), ()), axis).y
    name = NAMES.get(method, "")
    return (ladders.ladder(matched, role, name, axis) if name else []), dict(dense)


def printed_table(study: ResultsLike, matched: ResultsLike, number_: str, dataset: str, network: str = "") -> Table:
    """The rows of a printed table on one data set, and ours on its stand-in: at as many weights as each row has, and at
    as many connections as S has there. A row without a number of ours is quoted only. network: only its rows.
    """
    print_ = papers.table("A", number_)
    print_ = print_[print_["architecture"] == network] if network else print_
    role = next((r for r in roles(study) if ROLES.get(r) == dataset), "")
    weights, connections = (points(study.records.get((role, "S"), ()), axis) for axis in ("sparsity", "connections"))
    rows = []
    for row in print_[print_["dataset"] == dataset].to_dict("records"):
        variant = str(row["variant"]) if row["variant"] in ARMS else str(row["method"])
        left = 100 - number(row["sparsity"])
        same = {
            seed: ladders.interpolate([p.x[seed] for p in weights], [p.x[seed] for p in connections], left)
            for seed in (weights[0].x if weights else ())
        }
        ours = {}
        for axis, budget in (("sparsity", left), ("connections", same)):
            ladder, dense = _ladder(study, matched, role, variant, axis)
            ours[axis] = change_text(ladders.at_budget(ladder, budget), dense) if ladder else NONE
        quoted = all(text == NONE for text in ours.values())
        rows.append(
            {
                "Method": row["method"],
                "Network (paper)": row["architecture"],
                "Sparsity, %": format_number(number(row["sparsity"])),
                "Base, % (paper)": format_number(number(row["base_acc"])),
                "Change (paper)": format_number(number(row["delta_acc"]), signed=True),
                "Ours, as many weights": ours["sparsity"],
                "Ours, as many connections": ours["connections"],
                "Row": "quoted" if quoted else "run again",
            }
        )
    used = [*_of(study, role), *_of(matched, role)]
    caption = f"Paper A, Table {number_}, {' '.join(filter(None, (network, dataset)))}" + (f" → {role}" if role else "")
    caption += ": changes of accuracy from the dense network, in points; ours paired over the seeds, 95 % interval."
    return table(pd.DataFrame(rows), f"{caption} {scale_note(used)}".strip(), 3)


def _of(study: ResultsLike, role: str) -> list[RecordLike]:
    return [r for label, records in study.records.items() if label[0] == role for r in records]


def matched_table(matched: ResultsLike, role: str, axis: str, reference: str = "S") -> Table:
    """Accuracy of every method at the budgets of an axis that `reference` has at its rungs; the same epochs for all."""
    spent = [float(np.mean(list(p.x.values()))) for p in ladders.ladder(matched, role, reference, axis)]
    what = ladders.axis(axis)
    dense = ladders.point(matched.records.get((role, ladders.DENSE, ""), ()), axis)
    rows = [{"Method": "dense", "Accuracy, all": mean_sd_text(list(dense.y.values()), 1)}]
    for method in ladders.methods(matched, role):
        ladder = ladders.ladder(matched, role, method, axis)
        row = {"Method": method, "Accuracy, all": NONE}
        for budget in spent:
            found = [v for v in ladders.at_budget(ladder, budget).values() if math.isfinite(v)]
            row[f"{budget:.{what.digits}f}"] = mean_sd_text(found, 1) if found else NONE
        rows.append(row)
    caption = f"{role}: test accuracy in per cent by {what.title}, at what {reference} has at its four rungs. A dash: "
    caption += "beyond the ends of the method's ladder."
    return table(pd.DataFrame(rows).fillna(NONE), f"{caption} {scale_note(_of(matched, role))}".strip())


def matched_picture(matched: ResultsLike, role: str) -> plots.Picture:
    """The ladders of all methods of a matched study on one set, by weights and by connections."""
    fig, axes = plots.subplots(1, 2, figsize=(9.2, 4.2), sharey=True)
    for ax, axis in zip(axes, ("sparsity", "connections"), strict=True):
        for i, method in enumerate(ladders.methods(matched, role)):
            mean = sorted(p.mean for p in ladders.ladder(matched, role, method, axis))
            n = len(plots.PALETTE)
            style = {"color": plots.PALETTE[i % n], "marker": plots.MARKERS[(i + i // n) % n]}
            if mean:
                ax.plot(*zip(*mean, strict=True), label=method, linestyle=plots.LINES[i // n], **style)
        dense = ladders.point(matched.records.get((role, ladders.DENSE, ""), ()), axis).y
        if dense:
            ax.axhline(float(np.mean(list(dense.values()))), color=plots.INK, linewidth=1, linestyle=":", label="dense")
        ax.set(xscale="log", xlabel=ladders.axis(axis).title)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.invert_xaxis()
    axes[0].set_ylabel("test accuracy, %")
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    names = ", ".join(ladders.methods(matched, role))
    return plots.picture(
        fig,
        alt=f"Accuracy on {role} of {names} against the weights left, and against the connections left. "
        "The numbers are in the tables below.",
        caption=f"{role}: the same networks by the weights and by the connections that are left; means over the seeds.",
        records=_of(matched, role),
    )
