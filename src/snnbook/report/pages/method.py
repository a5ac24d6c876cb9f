"""Where a method stands among the others: the blocks of its own page, and what all pages of the comparison share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, ScalarFormatter

from snnbook.errors import unknown
from snnbook.report import ladders, plots
from snnbook.report.blocks import Block, escape
from snnbook.report.ladders import DENSE, REFERENCE, Label
from snnbook.report.records import RecordLike, ResultsLike, scale_note, unique
from snnbook.report.stats import Interval, mean_sd
from snnbook.report.tables import NONE, Table, change_text, format_number, mean_sd_text

FAMILIES = {
    "cut": ("random", "magnitude", "imp", "lamp", "stp", "slamp"),
    "cut and regrow": ("set", "esl_snn", "rigl", "granet", "ndsnn", "criticality"),
    "rewire by sign": ("deepr", "gradr"),
    "penalty or soft mask": ("unstructured", "stds", "admm", "rcmo"),
    "structured": ("nslim", "greg", "sccd", "criticality_structured"),
    "other": (),
}
"""Colours are by family: there are more methods than colours that can be told apart."""


def family(method: str) -> str:
    """The family of a method; `other` for one that has none."""
    return next((name for name, members in FAMILIES.items() if method in members), "other")


def colour(method: str) -> str:
    """The colour of a method's family."""
    return plots.PALETTE[list(FAMILIES).index(family(method))]


def mark(method: str) -> str:
    """The marker of a method's family."""
    return plots.MARKERS[list(FAMILIES).index(family(method))]


def noted(caption: str, study: ResultsLike) -> str:
    """The caption, with what must be said of records of reduced scale."""
    return f"{caption} {scale_note(unique([study]))}".strip()


@dataclass(frozen=True)
class Part:
    """Some of a study's records."""

    records: Mapping[Any, Sequence[Any]]
    study: Any = None


def of(study: ResultsLike, name: str) -> Part:
    """What a method's page stands on: its own records, the dense network's and the reference's."""
    _known(study, name)
    wanted = (name, DENSE, REFERENCE)
    records = {label: found for label, found in study.records.items() if label[1] in wanted}
    return Part(records, getattr(study, "study", None))


def _known(study: ResultsLike, name: str) -> None:
    known = ladders.methods(study)
    if name not in known:
        raise unknown("method of the comparison", name, known or ["none"])


def sentences(lines: Iterable[str]) -> Block:
    """Sentences as a list."""
    lines = list(lines)
    html = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return Block(f"<ul>{html}</ul>", "\n".join(f"- {line}" for line in lines))


def together(*blocks: Block) -> Block:
    """Several blocks as one."""
    return Block("".join(b.html for b in blocks), "\n\n".join(b.markdown for b in blocks))


# --- tables -----------------------------------------------------------------------------------------------


def rung_text(study: ResultsLike, label: Label) -> str:
    """The rung, with its epochs where there are more of them than in the ladders."""
    longer = f" ({ladders.total_epochs(study, label):.0f} epochs)" if ladders.apart(study, label) else ""
    return (label[2] or NONE) + longer


def _spread(values: Sequence[float], digits: int) -> str:
    """`8.61 ± 0.12`; the mean alone where all seeds spend the same."""
    mean, sd = mean_sd(values)
    spread = f" ± {format_number(sd, digits)}" if sd >= 0.5 * 10**-digits else ""
    return format_number(mean, digits) + spread


def arm(study: ResultsLike, label: Label) -> dict[str, str]:
    """An arm as a row of a table: what it reaches and what it spends."""
    records = study.records[label]
    row = {
        "Data": label[0],
        "Method": label[1],
        "Rung": rung_text(study, label),
        "Accuracy, %": mean_sd_text(list(ladders.point(records, "sparsity").y.values())),
    }
    for axis in ladders.AXES.values():
        row[axis.title[0].upper() + axis.title[1:]] = _spread([axis.of(r.metrics) for r in records], axis.digits)
    row["Neurons left, %"] = _spread([ladders.NEURONS(r.metrics) for r in records], 1)
    smaller = [r.metrics["parameters_smaller"] for r in records if r.metrics.get("parameters_smaller") is not None]
    row["Parameters after removal"] = f"{np.mean(smaller):.0f}" if smaller else NONE
    return row


def arms(study: ResultsLike, found: Iterable[Label]) -> pd.DataFrame:
    """Arms as rows; the columns on neurons and on the smaller network only where they say something."""
    found = list(found)
    frame = pd.DataFrame([arm(study, label) for label in found])
    records = [r for label in found for r in study.records[label]]
    drop = []
    if not any(ladders.NEURONS(r.metrics) < 100 for r in records):
        drop.append("Neurons left, %")
    if not any(r.metrics.get("parameters_smaller") is not None for r in records):
        drop.append("Parameters after removal")
    return frame.drop(columns=drop) if len(frame) else frame


def against_reference(study: ResultsLike, label: Label) -> str:
    """Accuracy minus that of the reference at as many weights, seed by seed, with its interval."""
    mine = ladders.point(study.records[label], "sparsity")
    other = ladders.at_budget(ladders.ladder(study, label[0], REFERENCE, "sparsity"), mine.x)
    return change_text(dict(mine.y), other)


def _standing_table(study: ResultsLike, name: str) -> Table:
    found = [label for role in ladders.roles(study) for label in ladders.labels(study, role, name)]
    frame = arms(study, found).drop(columns="Method")
    caption = f"{name} on its ladder: mean ± sd (number of seeds)."
    if name != REFERENCE:
        column = f"minus {REFERENCE} at equal weights [95 % interval]"
        frame.insert(3, column, [against_reference(study, label) for label in found])
        caption += (
            f" The difference in accuracy to {REFERENCE} is paired over the seeds and read off between its rungs; "
            f"{NONE}: it has none with as many weights."
        )
    return Table(frame, f"{caption} {scale_note(_records(study, found))}".strip(), row_headers=2)


def _records(study: ResultsLike, found: Iterable[Label]) -> list[RecordLike]:
    return [r for label in found for r in study.records[label]]


# --- figures ----------------------------------------------------------------------------------------------


def stretch(ax: Axes, lowest: float) -> None:
    """An accuracy axis that is stretched towards 100 %, where networks differ by little."""
    ax.set_yscale("function", functions=(lambda a: -np.log(np.maximum(103 - a, 1e-3)), lambda b: 103 - np.exp(-b)))
    low = max(0.0, lowest - 3)
    ax.set_ylim(low, 100.5)
    ax.yaxis.set_major_locator(FixedLocator([t for t in (0, 20, 40, 60, 80, 90, 95, 98, 100) if t >= low]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(ScalarFormatter())


def logarithmic(ax: Axes, axis: str) -> None:
    """A logarithmic axis of what is spent, with plain numbers, read from dear to cheap."""
    if not math.isfinite(ax.dataLim.minposx):  # nothing drawn, as where no neuron fires
        ax.set_xlim(1, 10)
    ax.set_xscale("log")
    ax.set_xlabel(ladders.axis(axis).title)
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 150 * low else (1, 3)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.invert_xaxis()


def path(points: Sequence[ladders.Point]) -> tuple[list[float], list[float]]:
    """The means of a ladder from cheap to dear; what spends nothing has no place on a logarithmic axis."""
    means = sorted(p.mean for p in points)
    kept = [(x, y) for x, y in means if x > 0 and math.isfinite(x) and math.isfinite(y)]
    return [x for x, _ in kept], [y for _, y in kept]


def lowest(study: ResultsLike, role: str) -> float:
    """The lowest mean accuracy of any arm on a set."""
    found = [ladders.point(r, "sparsity").mean[1] for label, r in study.records.items() if r and label[0] == role]
    return min((y for y in found if math.isfinite(y)), default=0.0)


def dense_accuracy(study: ResultsLike, role: str) -> float:
    """Mean accuracy of the network that was trained without pruning; NaN if there is none."""
    records = study.records.get((role, DENSE, ""), ())
    return ladders.point(records, "sparsity").mean[1] if records else math.nan


def dense_level(ax: Axes, study: ResultsLike, role: str, name: str = "") -> None:
    """The accuracy of the network trained without pruning as a level, with a name at it."""
    level = dense_accuracy(study, role)
    if math.isfinite(level):
        ax.axhline(level, color=plots.INK, lw=1.2, ls=(0, (6, 3)))
    if math.isfinite(level) and name:
        ax.annotate(name, (0.01, level), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)


def background(ax: Axes, study: ResultsLike, role: str, axis: str, but: Iterable[str]) -> None:
    """All methods but some as thin grey lines, and the dense network as a level."""
    for other in ladders.methods(study, role):
        if other not in but:
            x, y = path(ladders.ladder(study, role, other, axis))
            ax.plot(x, y, "-", marker="." if len(x) == 1 else "", ms=3, color=plots.INK, lw=0.7, alpha=0.4)
    dense_level(ax, study, role, "dense")


def _standing_picture(study: ResultsLike, name: str) -> plots.Picture:
    roles = [role for role in ladders.roles(study) if ladders.labels(study, role, name)]
    axes = ("sparsity", "sops")
    fig, grid = plots.subplots(len(axes), len(roles), figsize=(4.5 * max(2, len(roles)), 6), squeeze=False)
    ink = colour(name)
    for row, axis in zip(grid, axes, strict=True):
        for ax, role in zip(row, roles, strict=True):
            background(ax, study, role, axis, [name])
            ax.plot(*path(ladders.ladder(study, role, name, axis)), "-", color=ink, lw=2)
            for label in ladders.labels(study, role, name):
                p = ladders.point(study.records[label], axis, label[2])
                (x, y), longer = p.mean, ladders.apart(study, label)
                if x > 0 and math.isfinite(y):
                    sd = float(np.std(list(p.y.values()), ddof=1)) if len(p.y) > 1 else 0.0
                    ax.errorbar(x, y, sd, fmt="s" if longer else "o", color=ink, mfc="none" if longer else ink, ms=6)
            stretch(ax, lowest(study, role))
            logarithmic(ax, axis)
        row[0].set_ylabel("test accuracy, %")
    for ax, role in zip(grid[0], roles, strict=True):
        ax.set_title(role)
    found = [label for role in roles for label in ladders.labels(study, role, name)]
    told = "; ".join(_told(study, label) for label in found)
    note = " Hollow square: more epochs than the others." if any(ladders.apart(study, x) for x in found) else ""
    return plots.picture(
        fig,
        alt=f"Test accuracy of {name} against weights left and against synaptic operations, the other methods behind "
        f"it as thin lines. {told}.",
        caption=f"{name} (points with ± one sd) among the other methods (grey) and the dense network (dashed): "
        f"accuracy, on a scale stretched towards 100 %, against weights left and SOPs.{note}",
        records=unique([study]),
    )


def _told(study: ResultsLike, label: Label) -> str:
    records = study.records[label]
    (left, accuracy), (sops, _) = (ladders.point(records, axis).mean for axis in ("sparsity", "sops"))
    spent = f"{left:.3g} percent of the weights and {sops:.3g} thousand SOPs"
    return f"{label[0]}, {label[2]}: {accuracy:.1f} percent with {spent}"


def rank_text(found: Interval) -> str:
    """`3.4 [2.9, 4.1]`: a mean rank with its interval."""
    if not found.n:
        return NONE
    return f"{found.estimate:.1f} [{found.low:.1f}, {found.high:.1f}]"


def _places(study: ResultsLike, name: str) -> list[str]:
    lines = []
    for axis, about in ladders.AXES.items():
        ranked = ladders.mean_ranks(ladders.scores(study, axis))
        found = ranked[name]
        if found.n:
            where = f"{len(ranked)} methods, over {found.n} budget{'s' if found.n > 1 else ''}"
            lines.append(f"At equal {about.short}: mean rank {rank_text(found)} of {where}.")
        else:
            lines.append(f"At equal {about.short}: its ladder reaches none of the budgets at which methods are ranked.")
    return lines


def standing(study: ResultsLike, name: str) -> Block:
    """Where a method stands: its ladder beside the reference's, its ranks, and its points among all others.

    Raises UserError for a method that the study lacks.
    """
    _known(study, name)
    return together(_standing_table(study, name), sentences(_places(study, name)), _standing_picture(study, name))
