"""What the pages of a comparison share in looks: the colour of a method, axes, and what stands behind the curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, ScalarFormatter

from snnbook.pruning import registry
from snnbook.report import ladders, plots
from snnbook.report.blocks import by_value, listed
from snnbook.report.ladders import DENSE
from snnbook.report.records import ResultsLike

RECONSTRUCTED = "†"  # behind the name of a method whose formulas are not public


def family(arm: str) -> str:
    """The family of an arm's method, which has the colour: there are more methods than colours to be told apart.

    arm: the name of a method, which a variant may follow: `lamp, from scratch`.
    """
    method = arm.partition(",")[0]
    return registry.METHODS[method].family if method in registry.METHODS else "other"


def _reconstruction(method: str) -> str:
    return registry.METHODS[method].reconstruction if method in registry.METHODS else ""


def named(method: str) -> str:
    """The name of a method among others: `sccd†` for a reconstruction."""
    return method + RECONSTRUCTED * bool(_reconstruction(method))


def reconstructions(methods: Iterable[str]) -> str:
    """What the dagger at names stands for, as a sentence; empty where no method has one."""
    from_what = by_value({method: source for method in methods if (source := _reconstruction(method))})
    each = "; ".join(f"{listed(names)} {source}" for source, names in from_what.items())
    return f"{RECONSTRUCTED} reconstruction, not the authors' method: {each}." if each else ""


def colour(method: str) -> str:
    """The colour of a method's family."""
    return plots.PALETTE[registry.FAMILIES.index(family(method))]


def marker(method: str) -> str:
    """The marker of a method's family."""
    return plots.MARKERS[registry.FAMILIES.index(family(method))]


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
    ax.xaxis.set_major_formatter(plots.PLAIN)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.invert_xaxis()


def path(points: Sequence[ladders.Point]) -> tuple[list[float], list[float]]:
    """The means of a ladder from cheap to dear; what spends nothing has no place on a logarithmic axis."""
    means = sorted(p.mean for p in points)
    kept = [(x, y) for x, y in means if x > 0 and math.isfinite(x) and math.isfinite(y)]
    return [x for x, _ in kept], [y for _, y in kept]


def lowest(study: ResultsLike, data: str) -> float:
    """The lowest mean accuracy of any arm on a set."""
    accuracies = [ladders.point(r, "weights").mean[1] for key, r in study.records.items() if r and key.data == data]
    return min((y for y in accuracies if math.isfinite(y)), default=0.0)


def dense_accuracy(study: ResultsLike, data: str) -> float:
    """Mean accuracy of the network that was trained without pruning; NaN if there is none."""
    records = study.records.get((data, DENSE), ())
    return ladders.point(records, "weights").mean[1] if records else math.nan


def dense_level(ax: Axes, study: ResultsLike, data: str, name: str = "") -> None:
    """The accuracy of the network trained without pruning as a level, with a name at it."""
    level = dense_accuracy(study, data)
    if math.isfinite(level):
        ax.axhline(level, color=plots.INK, lw=1.2, ls=(0, (6, 3)))
    if math.isfinite(level) and name:
        ax.annotate(name, (0.01, level), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)


def background(ax: Axes, study: ResultsLike, data: str, axis: str, but: Iterable[str]) -> None:
    """All methods but some as thin grey lines, and the dense network as a level."""
    for other in ladders.methods(study, data):
        if other not in but:
            x, y = path(ladders.ladder(study, data, other, axis))
            ax.plot(x, y, "-", marker="." if len(x) == 1 else "", ms=3, color=plots.INK, lw=0.7, alpha=0.4)
    dense_level(ax, study, data, "dense")
