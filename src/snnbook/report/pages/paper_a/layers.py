"""Figs. 3 and 4, connectivity and firing rate by layer, and Figs. 7 and 8, weight magnitudes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from snnbook.report import plots
from snnbook.report.records import RecordLike, ResultsLike, layer_names, number, record_of
from snnbook.report.stats import mean_interval
from snnbook.report.tables import NONE, Table, interval_text

EVENT_SETS = ("CIFAR10-DVS", "DVS128-Gesture")
ARMS = ("S+T", "S", "IMP", "dense")
KINDS = {"conv": "Conv", "linear": "FC"}
MAGNITUDE_TITLES = {"dense": "dense", "selection": "dense, its largest only (control)", "S+T": "S+T"}

Networks = Mapping[str, Sequence[RecordLike]]  # arm → records, of one data set


def networks(rounds: ResultsLike, dense: ResultsLike) -> dict[str, dict[str, Sequence[RecordLike]]]:
    """Event set → arm → records: the networks after their last round, and the dense ones of their first."""
    return {
        data: {arm: (dense if arm == "dense" else rounds).records[data, arm] for arm in ARMS}
        for data in map(rounds.playing, EVENT_SETS)
    }


def _records(by_set: Mapping[str, Networks]) -> list[RecordLike]:
    return [r for by_arm in by_set.values() for records in by_arm.values() for r in records]


def names(record: RecordLike) -> list[str]:
    """The layers as the paper calls them: Conv1, Conv2, FC1."""
    return layer_names(record, KINDS)


def connectivity(record: RecordLike) -> list[float]:
    """Per cent of the connections left in each layer."""
    return [100 * x["connections_alive"] / x["connections_total"] for x in record.layers]


def rates(record: RecordLike) -> list[float]:
    """Spikes per neuron and step of the neurons behind each layer; NaN where there are none."""
    return [number(x["rate"]) for x in record.layers]


def _over_seeds(records: Sequence[RecordLike], of: Callable[[RecordLike], list[float]]) -> np.ndarray:
    return np.array([of(r) for r in records])


def connectivity_picture(by_set: Mapping[str, Networks]) -> plots.Picture:
    """Connections left and firing rate against the layer, for four networks; a column of panels for each data set."""
    fig, axes = plots.subplots(2, len(by_set), figsize=(5 * len(by_set), 6.4), squeeze=False)
    numbers = []
    for column, (data, by_arm) in zip(axes.T, by_set.items(), strict=True):
        ticks = names(by_arm["dense"][0])
        for arm, records in by_arm.items():
            for ax, of in zip(column, (connectivity, rates), strict=True):
                plots.curve_with_band(ax, range(1, len(ticks) + 1), _over_seeds(records, of), arm)
            if arm in ("S+T", "IMP"):
                left, fires = _over_seeds(records, connectivity)[:, 0].mean(), _over_seeds(records, rates)[:, 0].mean()
                numbers.append(
                    f"{data}, {arm}: {left:.1f} per cent of the connections of the first layer are left; its neurons "
                    f"fire {fires:.3f} times a step"
                )
        column[0].set(title=data, ylabel="connections left, %", yscale="log")
        column[1].set(ylabel="spikes per neuron and step")
        for ax in column:
            ax.set_xticks(range(1, len(ticks) + 1), ticks)
    axes[0, 0].legend()
    return plots.picture(
        fig,
        alt=f"Connections left and firing rate in each layer for four networks on two sets. {'; '.join(numbers)}.",
        caption="Connections left (top) and firing rate (bottom) by layer; mean and sd over the seeds.",
        records=_records(by_set),
    )


def connectivity_table(by_set: Mapping[str, Networks]) -> Table:
    """The same numbers, layer by layer."""
    rows = []
    for data, by_arm in by_set.items():
        for i, name in enumerate(names(by_arm["dense"][0])):
            row = {"Data": data, "Layer": name}
            for arm, records in by_arm.items():
                rate = _over_seeds(records, rates)[:, i].mean()
                left = f"{_over_seeds(records, connectivity)[:, i].mean():.2f}"
                row[f"{arm}: connections, %"] = "100" if arm == "dense" else left
                row[f"{arm}: rate"] = NONE if np.isnan(rate) else f"{rate:.3f}"
            rows.append(row)
    return Table(pd.DataFrame(rows), "The same numbers; means over the seeds.", 2)


# --- weight magnitudes ------------------------------------------------------------------------------------


def largest(counts: np.ndarray, k: int) -> np.ndarray:
    """The histogram `[bins]` of the k largest of the weights in a histogram; the last bin is filled in part."""
    above = np.cumsum(counts[::-1])[::-1]
    return np.clip(k - (above - counts), 0, counts)


def histograms(by_arm: Networks) -> dict[str, np.ndarray]:
    """Number of weights by magnitude, `[seeds, bins]`: of the dense network, of as many of its largest, and of S+T."""
    pruned = [r.curves["magnitudes"] for r in by_arm["S+T"]]
    dense = [record_of(by_arm["dense"], r.seed).curves["magnitudes"] for r in by_arm["S+T"]]
    selected = [largest(whole, left.sum()) for whole, left in zip(dense, pruned, strict=True)]
    return {"dense": np.array(dense), "selection": np.array(selected), "S+T": np.array(pruned)}


def middles(bounds: np.ndarray) -> np.ndarray:
    """The middle of each bin on a logarithmic scale, from the first bound above 0 to the last below infinity."""
    inner = bounds[1:-1]
    return np.sqrt(inner[:-1] * inner[1:])


def magnitudes_picture(by_set: Mapping[str, Networks], bounds: np.ndarray) -> plots.Picture:
    """Histograms of |w|, in the bins between `bounds`, mean and sd over the seeds; a panel for each data set."""
    middle = middles(bounds)
    fig, axes = plots.subplots(1, len(by_set), figsize=(5 * len(by_set), 3.8), squeeze=False)
    numbers = []
    for ax, (data, by_arm) in zip(axes[0], by_set.items(), strict=True):
        for arm, counts in histograms(by_arm).items():
            shares = 100 * counts[:, 1:-1] / counts.sum(1, keepdims=True)
            plots.curve_with_band(ax, middle, shares, MAGNITUDE_TITLES[arm], markevery=20)
            peak = middle[int(np.mean(shares, 0).argmax())]
            numbers.append(f"{data}, {MAGNITUDE_TITLES[arm]}: most weights near {peak:.3g}")
        ax.set(title=data, xscale="log", xlim=(1e-4, 5), xlabel="|w|", ylabel="weights, % in each bin")
    axes[0, 0].legend(fontsize=9)
    return plots.picture(
        fig,
        alt="Histograms of weight magnitudes for the dense network, its largest weights alone, and the pruned network. "
        f"{'; '.join(numbers)}.",
        caption="Histograms of |w| (bins of equal width in log |w|); mean and sd over the seeds.",
        records=_records(by_set),
    )


def median(counts: np.ndarray, middle: np.ndarray) -> float:
    """The median of a histogram `[bins]`, to the width of a bin."""
    place = np.searchsorted(np.cumsum(counts), counts.sum() / 2) - 1
    return float(middle[np.clip(place, 0, len(middle) - 1)])


def magnitudes_table(by_set: Mapping[str, Networks], bounds: np.ndarray) -> Table:
    """The median of |w|, and its ratio to the dense network's, paired over the seeds."""
    middle = middles(bounds)
    rows = []
    for data, by_arm in by_set.items():
        medians = {
            arm: np.array([median(c, middle) for c in histogram]) for arm, histogram in histograms(by_arm).items()
        }
        for arm, values in medians.items():
            ratio = interval_text(mean_interval(values / medians["dense"]))
            rows.append(
                {
                    "Data": data,
                    "Weights": MAGNITUDE_TITLES[arm],
                    "Median |w|": f"{values.mean():.4f}",
                    "over dense": "1" if arm == "dense" else ratio,
                }
            )
    caption = "Median magnitude, and its ratio to the dense network's with the 95 % interval."
    return Table(pd.DataFrame(rows), caption, 2)
