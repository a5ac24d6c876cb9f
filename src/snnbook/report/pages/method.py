"""The page of a method: where it stands among the others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from snnbook.errors import unknown
from snnbook.report import arms, ladders, look, orders, plots
from snnbook.report.blocks import Fragment, counted, sentences, stacked
from snnbook.report.ladders import REFERENCE
from snnbook.report.records import ResultsLike, unique, with_scale
from snnbook.report.tables import NONE, Table

if TYPE_CHECKING:
    from snnbook.experiments.key import Key


def _table(study: ResultsLike, name: str) -> Table:
    keys = [key for data in study.sets for key in ladders.keys(study, data, name)]
    frame = arms.rows(study, keys).drop(columns="Method")
    caption = f"{name} on its ladder: mean ± sd (number of seeds)."
    if name != REFERENCE:
        column = f"minus {REFERENCE} at equal weights [95 % interval]"
        frame.insert(3, column, [arms.against_reference(study, key) for key in keys])
        caption += (
            f" The difference in accuracy to {REFERENCE} is paired over the seeds and read off between its levels; "
            f"{NONE}: it has none with as many weights."
        )
    records = [r for key in keys for r in study.records[key]]
    return Table(frame, with_scale(caption, records), row_headers=2)


def _picture(study: ResultsLike, name: str) -> plots.Picture:
    sets = [data for data in study.sets if ladders.keys(study, data, name)]
    axes = ("weights", "sops")
    fig, grid = plots.subplots(len(axes), len(sets), figsize=(4.5 * max(2, len(sets)), 6), squeeze=False)
    ink = look.colour(name)
    for row, axis in zip(grid, axes, strict=True):
        for ax, data in zip(row, sets, strict=True):
            look.background(ax, study, data, axis, [name])
            ax.plot(*look.path(ladders.ladder(study, data, name, axis)), "-", color=ink, lw=2)
            for key in ladders.keys(study, data, name):
                p = ladders.point(study.records[key], axis, key.level)
                (x, y), longer = p.mean, ladders.trained_longer(study, key)
                if x > 0 and math.isfinite(y):
                    ax.errorbar(x, y, p.sd, fmt="s" if longer else "o", color=ink, mfc="none" if longer else ink, ms=6)
            look.stretch(ax, look.lowest(study, data))
            look.logarithmic(ax, axis)
        row[0].set_ylabel("test accuracy, %")
    for ax, data in zip(grid[0], sets, strict=True):
        ax.set_title(data)
    keys = [key for data in sets for key in ladders.keys(study, data, name)]
    numbers = "; ".join(_numbers(study, key) for key in keys)
    note = " Hollow square: more epochs than the others." if any(ladders.trained_longer(study, x) for x in keys) else ""
    return plots.picture(
        fig,
        alt=f"Test accuracy of {name} against weights left and against synaptic operations, the other methods behind "
        f"it as thin lines. {numbers}.",
        caption=f"{name} (points with ± one sd) among the other methods (grey) and the dense network (dashed): "
        f"accuracy, on a scale stretched towards 100 %, against weights left and SOPs.{note}",
        records=unique([study]),
    )


def _numbers(study: ResultsLike, key: Key) -> str:
    records = study.records[key]
    (left, accuracy), (sops, _) = (ladders.point(records, axis).mean for axis in ("weights", "sops"))
    spent = f"{left:.3g} percent of the weights and {sops:.3g} thousand SOPs"
    return f"{key.data}, {key.level}: {accuracy:.1f} percent with {spent}"


def _places(study: ResultsLike, name: str) -> list[str]:
    lines = []
    for axis, about in ladders.AXES.items():
        ranked = orders.mean_ranks(ladders.scores(study, axis))
        rank = ranked[name]
        if rank.places:
            where = f"{len(ranked)} methods, over {counted(rank.places, 'budget')}"
            few = ", too few to be put among the others" if rank.few else ""
            lines.append(f"At equal {about.short}: mean rank {arms.rank_text(rank)} of {where}{few}.")
        else:
            lines.append(f"At equal {about.short}: its ladder reaches none of the budgets at which methods are ranked.")
    return [*lines, look.reconstructions([name])]


def standing(study: ResultsLike, name: str) -> Fragment:
    """Where a method stands: its ladder beside the reference's, its ranks, and its points among all others.

    Raises UserError for a method that the study lacks.
    """
    known = ladders.methods(study)
    if name not in known:
        raise unknown("method of the comparison", name, known or ["none"])
    return stacked(_table(study, name), sentences(_places(study, name)), _picture(study, name))
