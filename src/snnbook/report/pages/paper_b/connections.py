"""Fig. 1: every synapse of a small convolution, and which of them go with a weight or a neuron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from snnbook.report import plots
from snnbook.report.synapses import KERNEL, SIDE, Removal, synapses

STEP = KERNEL + 1  # squares from a tile to the next


def panels(removals: Sequence[Removal], counted: Mapping[str, float], columns: int = 2) -> plots.Picture:
    """A panel for each of the removals, with the number that the counter has for it: name → live connections."""
    rows = -(-len(removals) // columns)
    fig, axes = plots.subplots(rows, columns, figsize=(2.9 * columns, 3.2 * rows + 0.3), squeeze=False)
    for ax in axes.flat[len(removals) :]:
        ax.set_visible(False)
    lines = []
    for ax, removal in zip(axes.flat, removals, strict=False):
        draw(ax, removal)
        left, all_of_them = counted[removal.name], synapses().sum()
        ax.set_title(f"{removal.name}\n{left:g} of {all_of_them} left", fontsize=11)
        lines.append(f"{removal.name}: {left:g}")
    marks = axes.flat[0].get_legend_handles_labels()
    fig.legend(*marks, loc="outside lower center", ncols=3, handletextpad=0.2, columnspacing=1)
    return plots.picture(
        fig,
        alt="Tiles of three by three squares, one tile for each of 25 neurons. Squares are synapses, crosses those "
        f"that were pruned. Connections left without {'; '.join(lines)}.",
        caption="A tile is a neuron behind the convolution, and the squares in it are its nine weights. A small dot is "
        "a weight that falls on the padding.",
    )


def draw(ax: Axes, removal: Removal) -> None:
    """All 225 uses of the nine weights as 25 tiles of nine: live synapses, pruned ones, and those on the padding."""
    there, left = synapses(), removal.alive()
    marks: list[tuple[np.ndarray, dict[str, Any]]] = [
        (left, {"marker": "s", "s": 38, "color": plots.PALETTE[0], "label": "alive"}),
        (there & ~left, {"marker": "x", "s": 30, "color": plots.PALETTE[1], "linewidths": 2, "label": "pruned"}),
        (~there, {"marker": ".", "s": 6, "color": plots.INK, "label": "padding"}),
    ]
    for which, look in marks:
        i, j, di, dj = np.nonzero(which)
        ax.scatter(STEP * j + dj, -(STEP * i + di), **look)
    ends = (-1, STEP * SIDE - 1)
    ax.set(xlim=ends, ylim=(-ends[1], -ends[0]), aspect="equal", xticks=[], yticks=[])
    ax.grid(visible=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
