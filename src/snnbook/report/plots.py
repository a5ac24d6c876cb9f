"""One style for every figure, and the way a figure reaches the page: with alternative text and a caption.

No single grey has a contrast of 4.5:1 on white and on #121212 at once (4.3:1 is the most). So figures are
drawn on a transparent ground in an ink that is dark enough for white, and a dark theme inverts their
lightness and keeps their hue; without that rule they still stand at 3.5:1. Series differ in colour, marker
and line.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from itertools import cycle
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from snnbook.errors import UserError, unknown
from snnbook.report.blocks import Fragment, escape, required
from snnbook.report.records import RecordLike, layer_names, scale_note

INK = "#6b6b6b"
PALETTE = ("#2f7fb5", "#c44e00", "#00835f", "#b0548a", "#9a6a00", "#6b6b6b")
MARKERS = ("o", "s", "^", "D", "v", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
HATCHES = ("", "//", "..", "xx", "\\\\", "--")
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")  # numbers on a logarithmic axis without powers of ten
FORMATS = {"svg": "image/svg+xml", "png": "image/png"}

STYLE: Any = {
    "figure.figsize": (6.4, 3.6),
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "savefig.bbox": "tight",
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "axes.prop_cycle": cycler(color=PALETTE, marker=MARKERS, linestyle=LINES),
    "image.cmap": "cividis",
    "svg.hashsalt": "snnbook",
}

# Light by default; the three themes are the book's, JupyterLab's and VS Code's dark ones.
DARK_RULE = (
    'html[data-theme="dark"] img.snnbook-figure,body[data-jp-theme-light="false"] img.snnbook-figure,'
    "body.vscode-dark img.snnbook-figure{filter:invert(1) hue-rotate(180deg)}"
)


def use_style() -> None:
    """Set the house style for everything drawn from now on: legends and labels are made after their axes."""
    mpl.rcParams.update(STYLE)


def subplots(rows: int = 1, columns: int = 1, **settings: Any) -> tuple[Figure, Any]:
    """`plt.subplots` in the house style, which stays set."""
    use_style()
    return plt.subplots(rows, columns, **settings)


class Picture(Fragment):
    """A figure as HTML with its alternative text."""


def picture(
    fig: Figure, alt: str, caption: str, records: Iterable[RecordLike] | None = None, format: str = "svg"
) -> Picture:
    """The figure as an accessible `<figure>`, then closed. `format="png"` (2x) suits dense images.

    With `records` the caption says where they are of reduced scale. Raises UserError without alt or caption.
    """
    alt, caption = required("the alternative text of the figure", alt), required("the caption", caption)
    if format not in FORMATS:
        raise unknown("figure format", format, FORMATS)
    caption = " ".join(filter(None, [caption, scale_note(records) if records is not None else ""]))
    buffer = BytesIO()
    width = fig.get_figwidth() * 100
    with mpl.rc_context(STYLE):
        # No date in the file: the same figure is the same bytes.
        fig.savefig(buffer, format=format, dpi=200, metadata={"Date": None} if format == "svg" else {})
    plt.close(fig)
    source = f"data:{FORMATS[format]};base64,{base64.b64encode(buffer.getvalue()).decode()}"
    html = (
        f'<figure class="snnbook" style="margin:1em 0"><style>{DARK_RULE}</style>'
        f'<img class="snnbook-figure dark-light" alt="{escape(alt)}" src="{source}" '
        f'style="width:{width:.0f}px;max-width:100%;height:auto">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
    return Picture(html, f"**Figure.** {caption}\n\n{alt}")


def show(fig: Figure, alt: str, caption: str, records: Iterable[RecordLike] | None = None, format: str = "svg") -> None:
    """Put the figure on the page; see `picture`."""
    picture(fig, alt, caption, records, format).show()


def series(i: int) -> dict[str, Any]:
    """Colour, marker and line of the series number i, counted from 0; they begin anew when they are used up."""
    n = len(PALETTE)
    return {"color": PALETTE[i % n], "marker": MARKERS[i % n], "linestyle": LINES[i % n]}


def curve_with_band(ax: Axes, x: ArrayLike, values: ArrayLike, label: str, markevery: int | None = None) -> None:
    """Mean over seeds of `values [seeds, x]` against `x [x]`, with a band of ± one sd (none for a single seed).

    Raises UserError for values of another shape.
    """
    points, y = np.asarray(x), np.atleast_2d(np.asarray(values, dtype=float))
    if y.shape[1:] != points.shape:
        raise UserError(f"values must be [seeds, {len(points)}], got {list(y.shape)}")
    mean = y.mean(axis=0)
    (line,) = ax.plot(points, mean, label=label, markevery=markevery)
    if len(y) > 1:
        sd = y.std(axis=0, ddof=1)
        ax.fill_between(points, mean - sd, mean + sd, color=line.get_color(), alpha=0.2, linewidth=0)


def weights_left(ax: Axes, arms: Mapping[str, Sequence[RecordLike]]) -> None:
    """Per cent of the weights left in each layer, in order of execution; mean and sd over the seeds for each arm.

    arms: label → records, one for each seed.
    """
    for label, records in arms.items():
        left = [[100 * x["weights_alive"] / x["weights_total"] for x in r.layers] for r in records]
        curve_with_band(ax, range(1, len(left[0]) + 1), left, label)
        names = layer_names(records[0])
        ax.set_xticks(range(1, len(names) + 1), names, rotation=40)
    ax.set(yscale="log", ylabel="weights left, %")


def bars_with_points(ax: Axes, names: Sequence[str], values: Sequence[ArrayLike]) -> None:
    """A bar at the mean of every group with one point per seed; bars differ by hatch as well as by colour.

    values: a group `[seeds]` for each name. Raises UserError for another number of groups.
    """
    import seaborn as sns  # takes a second to import

    if len(names) != len(values):
        raise UserError(f"{len(names)} names for {len(values)} groups of values")
    groups = [(name, value) for name, group in zip(names, values, strict=True) for value in np.asarray(group, float)]
    frame = pd.DataFrame(groups, columns=["group", "value"])
    colours = dict(zip(names, cycle(PALETTE), strict=False))
    look: Any = {"data": frame, "x": "group", "y": "value", "hue": "group", "palette": colours, "legend": False}
    sns.barplot(**look, errorbar=None, width=0.6, alpha=0.35, saturation=1, ax=ax)
    for bar, colour, hatch in zip(ax.patches, colours.values(), cycle(HATCHES), strict=False):
        bar.set(edgecolor=colour, hatch=hatch)
    sns.swarmplot(**look, size=5, ax=ax)
    ax.set(xlabel="", ylabel="")
    ax.grid(axis="x", visible=False)


def points_by_arm(ax: Axes, points: Mapping[str, tuple[ArrayLike, ArrayLike]], title: str = "") -> None:
    """A point for each seed at (x, y) of every arm, with a legend; arms differ by marker as well as by colour.

    points: arm → x `[seeds]`, y `[seeds]`. title: of the legend.
    """
    import seaborn as sns  # takes a second to import

    frame = pd.concat([pd.DataFrame({"x": x, "y": y, "arm": arm}) for arm, (x, y) in points.items()])
    look: Any = {"palette": PALETTE[: len(points)], "markers": list(MARKERS[: len(points)])}
    sns.scatterplot(frame, x="x", y="y", hue="arm", style="arm", **look, s=36, alpha=0.85, linewidth=0, ax=ax)
    ax.legend(title=title)
    ax.set(xlabel="", ylabel="")
