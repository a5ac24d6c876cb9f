"""The page of a method: where it stands among the others."""

from __future__ import annotations

import math

import numpy as np

from snnbook.errors import unknown
from snnbook.report import arms, ladders, look, plots
from snnbook.report.blocks import Fragment, sentences, stacked
from snnbook.report.ladders import REFERENCE, Label
from snnbook.report.records import ResultsLike, unique, with_scale
from snnbook.report.tables import NONE, Table


def _table(study: ResultsLike, name: str) -> Table:
    found = [label for role in ladders.roles(study) for label in ladders.labels(study, role, name)]
    frame = arms.rows(study, found).drop(columns="Method")
    caption = f"{name} on its ladder: mean ± sd (number of seeds)."
    if name != REFERENCE:
        column = f"minus {REFERENCE} at equal weights [95 % interval]"
        frame.insert(3, column, [arms.against_reference(study, label) for label in found])
        caption += (
            f" The difference in accuracy to {REFERENCE} is paired over the seeds and read off between its rungs; "
            f"{NONE}: it has none with as many weights."
        )
    records = [r for label in found for r in study.records[label]]
    return Table(frame, with_scale(caption, records), row_headers=2)


def _picture(study: ResultsLike, name: str) -> plots.Picture:
    roles = [role for role in ladders.roles(study) if ladders.labels(study, role, name)]
    axes = ("sparsity", "sops")
    fig, grid = plots.subplots(len(axes), len(roles), figsize=(4.5 * max(2, len(roles)), 6), squeeze=False)
    ink = look.colour(name)
    for row, axis in zip(grid, axes, strict=True):
        for ax, role in zip(row, roles, strict=True):
            look.background(ax, study, role, axis, [name])
            ax.plot(*look.path(ladders.ladder(study, role, name, axis)), "-", color=ink, lw=2)
            for label in ladders.labels(study, role, name):
                p = ladders.point(study.records[label], axis, label[2])
                (x, y), longer = p.mean, ladders.apart(study, label)
                if x > 0 and math.isfinite(y):
                    sd = float(np.std(list(p.y.values()), ddof=1)) if len(p.y) > 1 else 0.0
                    ax.errorbar(x, y, sd, fmt="s" if longer else "o", color=ink, mfc="none" if longer else ink, ms=6)
            look.stretch(ax, look.lowest(study, role))
            look.logarithmic(ax, axis)
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


def _places(study: ResultsLike, name: str) -> list[str]:
    lines = []
    for axis, about in ladders.AXES.items():
        ranked = ladders.mean_ranks(ladders.scores(study, axis))
        found = ranked[name]
        if found.n:
            where = f"{len(ranked)} methods, over {found.n} budget{'s' if found.n > 1 else ''}"
            lines.append(f"At equal {about.short}: mean rank {arms.rank_text(found)} of {where}.")
        else:
            lines.append(f"At equal {about.short}: its ladder reaches none of the budgets at which methods are ranked.")
    return lines


def standing(study: ResultsLike, name: str) -> Fragment:
    """Where a method stands: its ladder beside the reference's, its ranks, and its points among all others.

    Raises UserError for a method that the study lacks.
    """
    known = ladders.methods(study)
    if name not in known:
        raise unknown("method of the comparison", name, known or ["none"])
    return stacked(_table(study, name), sentences(_places(study, name)), _picture(study, name))
