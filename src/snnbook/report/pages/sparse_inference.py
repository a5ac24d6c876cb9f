"""The page on sparse inference: what `snnbook bench sparse` and `trained` found, from their JSON files alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from snnbook.report import plots
from snnbook.report.benchmarks import (
    ACCURACY,
    AUTOMATIC,
    BYTES,
    COMPILED,
    COPY,
    CSR,
    DENSE,
    DENSE_BF16,
    DENSE_INT8,
    DENSE_LAST,
    JELLY,
    PATHS,
    ROUNDED,
    WORK,
    Bench,
    measures,
    needs,
    timings,
)
from snnbook.report.blocks import Fragment, paragraph, stacked
from snnbook.report.tables import NONE, Table, format_number

NAMES = ("sparse", "trained")
FLOAT32 = (DENSE, DENSE_LAST)  # the same layer in two layouts in memory
OTHERS = (DENSE_BF16, DENSE_INT8, CSR)
LEVEL = "98 %"  # at which the methods are listed


def _layers(bench: Bench) -> dict[str, dict[str, int]]:
    """The cases of one layer: name → its sizes."""
    return {c["case"]: c["sizes"] for c in bench["cells"] if "sparsity" in c["sizes"]}


def _best_dense(times: Mapping[tuple[str, str], float], case: str) -> float:
    return min((times[case, v] for v in FLOAT32 if (case, v) in times), default=math.nan)


def _logarithmic(ax: Axes, x: str, y: str) -> None:
    """Logarithmic axes with plain numbers, and the legend beside them."""
    ax.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(plots.PLAIN)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


@needs("sparse")
def layer(bench: Bench) -> Fragment:
    """Time of one layer against the weights that are left, on every path, and what dense layers take."""
    times, cases = timings(bench), _layers(bench)
    full = {name: s for name, s in cases.items() if (name, DENSE_BF16) in times}
    fig, ax = plots.subplots(figsize=(7.4, 4.2))
    numbers = []
    for i, variant in enumerate((*PATHS, BYTES, CSR)):
        points = sorted(
            (100 - s["sparsity"] / 10, times[name, variant]) for name, s in full.items() if (name, variant) in times
        )
        if points:
            x, y = zip(*points, strict=True)
            ax.plot(x, y, label=variant, **plots.series(i))
            numbers.append(f"{variant} {y[0]:.2g} to {y[-1]:.2g}")
    ax.invert_xaxis()
    for j, variant in enumerate((DENSE_LAST, DENSE_BF16, DENSE_INT8)):
        level = [times[name, variant] for name in full if (name, variant) in times]
        if level:
            ax.axhline(min(level), color=plots.INK, linestyle=plots.LINES[1 + j], linewidth=1, label=variant)
            numbers.append(f"{variant} {min(level):.3g}")
    _logarithmic(ax, "weights left, %", "ms")
    return plots.picture(
        fig,
        f"Milliseconds of a layer against the share of weights left, on logarithmic axes: {'; '.join(numbers)}.",
        "One layer, 256 to 256 channels, 3x3, on 32x32 neurons and 8 steps; 10 % of the inputs fire. Ours includes the "
        "neurons and the packing of their spikes, the dense lines are the convolution alone.",
    )


@needs("sparse")
def break_even(bench: Bench) -> Fragment:
    """The sparsity from which on each path is faster than each dense layer."""
    times, cases = timings(bench), _layers(bench)
    full = {name: s["sparsity"] / 10 for name, s in cases.items() if (name, DENSE_BF16) in times}
    rows = []
    for ours in (*PATHS, BYTES):
        row: dict[str, Any] = {"Path": ours}
        for dense in (DENSE_LAST, *OTHERS):
            points = sorted(
                (s, times[n, ours] / times[n, dense])
                for n, s in full.items()
                if {(n, ours), (n, dense)} <= times.keys()
            )
            row[dense] = _crossing(points)
        rows.append(row)
    caption = "Sparsity in per cent from which on a path is faster than a dense layer, interpolated; firing 10 %."
    return Table(pd.DataFrame(rows), caption)


def _crossing(points: Sequence[tuple[float, float]]) -> str:
    """Where a ratio falls to 1, between points that it was measured at."""
    if not points:
        return NONE
    if points[0][1] <= 1:
        return f"below {points[0][0]:g}"
    for (a, x), (b, y) in pairwise(points):
        if y <= 1:
            return f"{a + (b - a) * math.log(x) / (math.log(x) - math.log(y)):.0f}"
    return f"above {points[-1][0]:g}"


@needs("sparse")
def grid(bench: Bench) -> Fragment:
    """The paths over sparsity and firing: times, the fastest, and the one that the compiler chose."""
    times, rows = timings(bench), []
    for name, sizes in _layers(bench).items():
        own = {path: times[name, path] for path in PATHS if (name, path) in times}
        chosen = PATHS[sizes["chosen"]] if sizes["chosen"] < len(PATHS) else "dense"
        best = min(own, key=own.__getitem__)
        rows.append(
            {"Sparsity, %": f"{sizes['sparsity'] / 10:g}", "Firing, %": f"{sizes['rate'] / 10:g}"}
            | {f"{path}, ms": format_number(own.get(path, math.nan)) for path in PATHS}
            | {
                "Fastest": best,
                "Chosen": chosen,
                "Dense over it": format_number(_best_dense(times, name) / own.get(chosen, math.nan), 1),
            }
        )
    rows.sort(key=lambda row: (float(row["Sparsity, %"]), float(row["Firing, %"])))
    caption = "One layer on every path, and which the compiler chose from the weights left and the firing of a sample."
    return Table(pd.DataFrame(rows), caption, row_headers=2)


@needs("sparse")
def networks(bench: Bench) -> Fragment:
    """Whole networks, one sample: the time of the compiled one, and how many times that the others take."""
    times = timings(bench)
    cases = {c["case"]: c["sizes"] for c in bench["cells"] if c["variant"] == AUTOMATIC}
    peers = {"dense": FLOAT32, "torch.compile": (COMPILED,), "bfloat16": (DENSE_BF16,), JELLY: (JELLY,)}
    rows = []
    for name, sizes in cases.items():
        row = {"Network": name, "Dense GMAC": format_number(sizes["dense MMAC"] / 1e3, 1)}
        row["Compiled, ms"] = format_number(times[name, AUTOMATIC])
        for peer, variants in peers.items():
            fastest = min((times[name, v] for v in variants if (name, v) in times), default=math.nan)
            row[peer] = format_number(fastest / times[name, AUTOMATIC], 1)
        rows.append(row)
    caption = (
        "Networks pruned at random, whose neurons fire at 10 %; one sample, one thread, neurons included everywhere. "
        "From the fourth column on: how many times as long others take. Dense is the better of both layouts in memory."
    )
    return Table(pd.DataFrame(rows), caption)


@needs("sparse")
def roofline(bench: Bench) -> Fragment:
    """Operations a second of one layer against operations for each byte that it cannot but move."""
    times, cases = timings(bench), _layers(bench)
    full = {name: s for name, s in cases.items() if (name, DENSE_BF16) in times}
    fig, ax = plots.subplots(figsize=(7.4, 4.2))
    numbers, peak = [], 0.0
    xs: list[float] = []
    styles = [(plots.INK, marker) for marker in plots.MARKERS[:3]] + list(
        zip(plots.PALETTE, plots.MARKERS, strict=True)
    )
    shown = (DENSE_LAST, DENSE_BF16, DENSE_INT8, *PATHS, BYTES, CSR)
    for variant, (colour, marker) in zip(shown, styles, strict=False):
        points = []
        for name, s in full.items():
            if (name, variant) in times:
                work, moved = _work(s, variant)
                points.append((work / moved, work / times[name, variant] / 1e6))
        if not points:
            continue
        x, y = zip(*(points if variant in (*PATHS, BYTES, CSR) else points[-1:]), strict=True)
        ax.plot(x, y, label=variant, color=colour, marker=marker, linestyle="none")
        numbers.append(f"{variant} {min(y):.3g} to {max(y):.3g}" if len(y) > 1 else f"{variant} {y[0]:.3g}")
        peak = max(peak, *y) if variant in FLOAT32 else peak
        xs += x
    speed = measures(bench, COPY).get(("", ""))
    if speed is not None and xs:
        low, high = min(xs) / 2, max(xs) * 2
        ax.plot([low, peak / speed, high], [low * speed, peak, peak], color=plots.INK, linewidth=1, marker="none")
    _logarithmic(ax, "operations for each byte", "thousand million operations a second")
    return plots.picture(
        fig,
        f"Operations a second against operations for each byte. Thousand millions a second: {'; '.join(numbers)}.",
        "One layer at every sparsity from 50 %, firing 10 %. An operation is a multiplication of the dense layer, or "
        "one live weight for one neuron and step. Bytes: inputs, weights and outputs once each, and for CSR the "
        "unfolded input. The line: memory as fast as a copy, and the dense layer's own best.",
    )


def _work(sizes: Mapping[str, int], variant: str) -> tuple[float, float]:
    """Operations of a layer and bytes that it has to move."""
    C = sizes["channels"]
    neurons = C * sizes["side"] ** 2 * sizes["T"]
    dense = 9.0 * C * neurons
    if variant in (*FLOAT32, DENSE_BF16, DENSE_INT8):
        each = {DENSE_BF16: 2, DENSE_INT8: 1}.get(variant, 4)
        return dense, each * (2 * neurons + 9 * C * C)
    live = (1 - sizes["sparsity"] / 1000) * 9 * C * C
    work = live * neurons / C
    if variant == CSR:
        return work, 4 * (2 * 9 * neurons + neurons) + 8 * live
    weight = 41 if variant == BYTES else 8  # place and value, or place and a share of a table of bytes
    return work, 2 * neurons / 8 + weight * live


@needs("trained")
def predict(bench: Bench) -> Fragment:
    """Time of trained networks against their synaptic operations, by what the method takes out."""
    from scipy.stats import spearmanr  # takes a second to import

    trained = [c for c in bench["cells"] if c["variant"] == AUTOMATIC]
    cells = [c for c in trained if c["sizes"]["sops"]]
    sets = list(dict.fromkeys(c["labels"]["data"] for c in cells))
    fig, axes = plots.subplots(1, len(sets), figsize=(9.4, 4), sharey=True, squeeze=False)
    numbers = []
    for ax, name in zip(axes[0], sets, strict=True):
        of_set = [c for c in cells if c["labels"]["data"] == name]
        for i, kind in enumerate(("weights", "channels")):
            own = [c for c in of_set if c["labels"]["removed"] == kind]
            if not own:
                continue
            x, y = [c["sizes"]["sops"] for c in own], [c["time"] for c in own]
            ax.plot(x, y, plots.MARKERS[i], color=plots.PALETTE[i], label=kind, alpha=0.8, linestyle="none")
            each = [1e6 * b / a for a, b in zip(x, y, strict=True)]
            rho = f"rank correlation {spearmanr(x, y).statistic:.2f}, " if len(own) > 2 else ""
            numbers.append(f"{name}, {kind}: {rho}{_few(min(each))} to {_few(max(each))} ns for a SOP")
        ax.set(xscale="log", yscale="log", xlabel="SOPs per sample", title=name)
        ax.yaxis.set_major_formatter(plots.PLAIN)
        ax.yaxis.set_minor_formatter(plots.PLAIN)
    axes[0][0].set_ylabel("ms per sample")
    axes[0][0].legend(title="taken out")
    return plots.picture(
        fig,
        f"Milliseconds of a sample against SOPs, on logarithmic axes. {'; '.join(numbers)}.",
        f"{len(trained)} trained networks of every method, compiled, without {len(trained) - len(cells)} in which no "
        f"neuron fires. {'; '.join(numbers)}.",
    )


def _few(value: float) -> str:
    """Two significant digits, without an exponent."""
    return f"{float(f'{value:.2g}'):g}"


@needs("trained")
def methods(bench: Bench) -> Fragment:
    """One trained network of each method: what it costs and how fast it is."""
    times = timings(bench)
    by_data: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    sizes = []
    accuracy, rounded = measures(bench, ACCURACY), measures(bench, ROUNDED)
    for c in bench["cells"]:
        if c["variant"] == AUTOMATIC:
            labels = c["labels"]
            by_data.setdefault(labels["data"], {}).setdefault(labels["method"], []).append(c)
            sizes.append(c["sizes"]["bytes"] / 1e3)
    tables = []
    for data, of_method in by_data.items():
        rows = []
        for method, levels in of_method.items():
            c = min(levels, key=lambda cell: (cell["labels"]["level"] != LEVEL, cell["sizes"]["live"]))
            rows.append(
                {
                    "Method": method,
                    "Level": c["labels"]["level"],
                    "Weights": f"{c['sizes']['live']:,}",
                    "kSOP": format_number(c["sizes"]["sops"] / 1e3, 1),
                    "ms": format_number(c["time"], 3),
                    "Dense over it": format_number(_best_dense(times, c["case"]) / c["time"], 1),
                    "Accuracy, %": format_number(accuracy[c["case"], ""], 1),
                    "8 bits": format_number(rounded[c["case"], ""], 1, signed=True),
                }
            )
        caption = (
            f"{data}: the compiled network of each method at 98 %, and where it has no such level its smallest. Live "
            "weights; thousand SOPs and milliseconds for a sample; the dense network's time over it; accuracy, and its "
            "change in points with weights of eight bits."
        )
        tables.append(Table(pd.DataFrame(rows), caption))
    files = paragraph(
        f"The files have {min(sizes):.0f} to {max(sizes):.0f} kB. All numbers are in data/bench/trained.json."
    )
    return stacked(*tables, files)


@needs("trained")
def rounding(bench: Bench) -> Fragment:
    """What weights of eight bits cost in accuracy."""
    changes = list(measures(bench, ROUNDED).values())
    changed = f"{sum(changes) / len(changes):+.2f} points in the mean, {min(changes):+.1f} to {max(changes):+.1f}"
    return paragraph(
        f"Weights of eight bits instead of floats change the accuracy of {len(changes)} networks by {changed}."
    )


@needs("sparse")
def growth(bench: Bench) -> Fragment:
    """The cost of a unit of work as layers grow."""
    rows = []
    for (layer, grown), value in measures(bench, WORK).items():
        rows.append({"Growing": grown, "Layer": layer, "ps for a weight, neuron and step": format_number(value)})
    caption = (
        "Time of a layer over its work: live weights times the neurons of a channel times steps. Layers are named by "
        "the work of their dense form; each neuron has the same number of live weights."
    )
    return Table(pd.DataFrame(rows), caption)
