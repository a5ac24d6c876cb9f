"""Allocation or choice: methods beside random masks with as many weights in every layer.

The study `compare.layers` has the controls, under the method and the level whose layers they have. Noise that starts
as a control from scratch does is an arm of `compare.start`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from snnbook.report import ladders, look, plots
from snnbook.report.arms import Contrast
from snnbook.report.blocks import Fragment, listed, sentences
from snnbook.report.records import ResultsLike, by_seed, unique, with_scale
from snnbook.report.stats import paired
from snnbook.report.tables import Table, format_number, mean_sd_text

RANDOM, SCRATCH = "random", "random, from scratch"
NOTHING = "There is no record yet of a method together with random masks of its layer counts."


@dataclass(frozen=True)
class Split:
    """What a method at a level reaches, what its control does, and noise with as many weights: seed → accuracy, %."""

    method: str
    level: str
    noise: Mapping[int, float]
    control: Mapping[int, float]
    reached: Mapping[int, float]

    @property
    def place(self) -> str:
        """`lamp 98 %`: the method, with a dagger if it is a reconstruction, and the level."""
        return f"{look.named(self.method)} {self.level}"


def splits(study: ResultsLike, layers: ResultsLike, starts: ResultsLike, data: str) -> list[Split]:
    """The methods and levels of a set that have a control, in the order of the study of controls.

    The noise beside a control is that of the same start.
    """
    from_dense = ladders.ladder(study, data, RANDOM, "weights")
    from_scratch = ladders.ladder(starts, data, SCRATCH, "weights")
    rows = []
    for key, records in layers.records.items():
        reached = study.records.get((data, key.arm, key.level), ())
        if key.data == data and records and reached:
            control = ladders.point(records, "weights")
            noise = ladders.at_budget(from_dense if ladders.start_epochs(layers, key) else from_scratch, control.x)
            rows.append(Split(key.arm, key.level, noise, control.y, by_seed(reached, "top1")))
    return rows


def allocation(rows: list[Split]) -> Contrast:
    """What the layer counts alone bring: the control minus noise over the whole network."""
    return Contrast("allocation, these masks minus random", {row.place: paired(row.control, row.noise) for row in rows})


def choice(rows: list[Split]) -> Contrast:
    """What the choice within the layers brings: the method minus its control."""
    return Contrast(
        "choice, the method minus random masks with its layer counts",
        {row.place: paired(row.reached, row.control) for row in rows},
    )


def table(study: ResultsLike, layers: ResultsLike, starts: ResultsLike) -> Fragment:
    """Noise, control and method at each level, and the two differences with their intervals."""
    cells = []
    for data in study.sets:
        rows = splits(study, layers, starts, data)
        by_layers, by_choice = allocation(rows), choice(rows)
        for row in rows:
            cells.append(
                {
                    "Data": data,
                    "Method": look.named(row.method),
                    "Level": row.level,
                    f"{RANDOM}, %": mean_sd_text(list(row.noise.values())),
                    "Its layers at random, %": mean_sd_text(list(row.control.values())),
                    "The method, %": mean_sd_text(list(row.reached.values())),
                    "Allocation [95 % interval]": by_layers.text(row.place),
                    "Choice [95 % interval]": by_choice.text(row.place),
                }
            )
    if not cells:
        return sentences([NOTHING])
    caption = (
        f"Accuracy of {RANDOM} with the same start at as many weights (interpolated), of random masks with the "
        "method's number of weights in every layer, and of the method: mean ± sd (number of seeds). Allocation: the "
        "second minus the first; choice: the third minus the second, in points, paired over the seeds. *: the seeds "
        "separate the two, at 5 % corrected by Holm's method for the rows of a set. "
        + look.reconstructions(key.arm for key in layers.records)
    )
    return Table(pd.DataFrame(cells), with_scale(caption, unique([study, layers, starts])), row_headers=3)


def picture(study: ResultsLike, layers: ResultsLike, starts: ResultsLike) -> Fragment:
    """From noise to the control to the method: a line for each method and level, in two pieces."""
    shown = {data: rows for data in study.sets if (rows := splits(study, layers, starts, data))}
    if not shown:
        return sentences([NOTHING])
    most = max(map(len, shown.values()))
    fig, axes = plots.subplots(1, len(shown), figsize=(4.7 * max(2, len(shown)), 1.4 + 0.32 * most), squeeze=False)
    numbers = []
    pieces = (("allocation", plots.PALETTE[1], "--"), ("choice", plots.PALETTE[0], "-"))
    for ax, (data, rows) in zip(axes[0], shown.items(), strict=True):
        for i, row in enumerate(rows):
            ends = [float(np.mean(list(values.values()))) for values in (row.noise, row.control, row.reached)]
            for (label, colour, line), a, b in zip(pieces, ends, ends[1:], strict=False):
                ax.plot([a, b], [i, i], line, marker="", color=colour, lw=2.4, label=label if not i else None)
            for x, marker, name in zip(
                ends, ("o", "D", "s"), (RANDOM, "its layers at random", "the method"), strict=True
            ):
                face = plots.INK if marker == "s" else "none"
                ax.plot(x, i, marker, color=plots.INK, mfc=face, ms=5, ls="none", label=name if not i else None)
            values = ", ".join(f"{x:.1f}" for x in ends if np.isfinite(x))
            numbers.append(f"{data}, {row.place}: {values}")
        ax.set_yticks(range(len(rows)), [row.place for row in rows], fontsize=9)
        ax.set(title=data, xlabel="test accuracy, %", ylim=(len(rows) - 0.4, -0.6))
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
    return plots.picture(
        fig,
        alt=f"From {RANDOM} to random masks with a method's layer counts to the method, in per cent. "
        f"{'; '.join(numbers)}.",
        caption=f"Accuracy of {RANDOM} with the same start at as many weights, of random masks with the method's "
        "weights in every layer, "
        "and of the method. The first piece is what the allocation to layers brings, the second what the choice of "
        "weights within them does. Means over the seeds. " + look.reconstructions(key.arm for key in layers.records),
        records=unique([study, layers, starts]),
    )


def words(study: ResultsLike, layers: ResultsLike, starts: ResultsLike) -> Fragment:
    """What choice and allocation bring, from the least to the most, and where the seeds do not separate the two."""
    lines = []
    for data in study.sets:
        rows = splits(study, layers, starts, data)
        for contrast in (choice(rows), allocation(rows)):
            if not contrast.known:
                continue
            ends = [f(mean.estimate for mean in contrast.known.values()) for f in (min, max)]
            ends_text = " to ".join(format_number(end, 1, signed=True) for end in ends)
            text = f"{data}, {contrast.title}: {ends_text} points at {len(contrast.known)} places"
            for verb, sign in (("above", 1), ("below", -1)):
                there = [place for place in contrast.apart if sign * contrast.known[place].estimate > 0]
                text += f"; {verb} 0 at {listed(there)}" if there else ""
            text += f"; not separated at {listed(contrast.tied)}" if contrast.tied else ""
            lines.append(f"{text} ({contrast.seeds}).")
    if not lines:
        return sentences([NOTHING])
    return sentences([*lines, look.reconstructions(key.arm for key in layers.records)])
