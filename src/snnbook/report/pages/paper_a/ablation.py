"""Table 4, the ablation of spatial and temporal pruning, and Table 5, the ablation at several numbers of time steps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from snnbook.report import papers, plots
from snnbook.report.records import ResultsLike, by_seed, number, played, unique
from snnbook.report.stats import mean_interval
from snnbook.report.tables import NONE, Quantity, Table, change_text, format_number, interval_text, mean_sd_text

ARMS = ("none", "T", "S", "S+T")
QUANTITIES = (
    Quantity("Accuracy, %", "top1", "acc"),
    Quantity("Sparsity, %", "sparsity_parameters", "sparsity", change=False),
    Quantity("Time steps", "T", "decision_T", digits=1, change=False),
    Quantity("Parameters, million", "parameters_alive", "params_M", digits=3, scale=1e-6, change=False),
    Quantity("SOPs, million", "sops", "sops_M", digits=3, scale=1e-6, relative=True),
)
STEP_ARMS = ("none", "T", "S+T")  # of Table 5


def _values(study: ResultsLike, data: str, arm: str, metric: str, T: int = 0) -> np.ndarray:
    """A metric of an arm over the seeds, `[seeds]`."""
    return np.array([number(r.metrics[metric]) for r in study.records[data, arm, "", T]])


def picture(study: ResultsLike) -> plots.Picture:
    """Bars with a point for each seed: accuracy and SOPs of the four arms, a row of panels for each data set."""
    fig, axes = plots.subplots(len(study.sets), 2, figsize=(9, 3 * len(study.sets)), squeeze=False)
    numbers = []
    for row, data in zip(axes, study.sets, strict=True):
        accuracy = [_values(study, data, arm, "top1") for arm in ARMS]
        thousand_sops = [_values(study, data, arm, "sops") / 1e3 for arm in ARMS]
        for ax, values, title in zip(
            row, (accuracy, thousand_sops), ("test accuracy, %", "thousand SOPs per sample"), strict=True
        ):
            plots.bars_with_points(ax, ARMS, values)
            ax.set(title=data, ylabel=title)
        row[0].set_ylim(max(0, min(values.min() for values in accuracy) - 10), 100)
        row[1].set_yscale("log")
        numbers += [
            f"{data} {arm}: {a.mean():.1f} percent, {s.mean():.0f} thousand SOPs"
            for arm, a, s in zip(ARMS, accuracy, thousand_sops, strict=True)
        ]
    return plots.picture(
        fig,
        alt="Bars with one point per seed: accuracy and synaptic operations of the four arms on both data sets. "
        + "; ".join(numbers),
        caption="Accuracy (left, cut axis) and synaptic operations (right, logarithmic) of the four arms.",
        records=unique([study]),
    )


def cost_and_accuracy(study: ResultsLike) -> plots.Picture:
    """Accuracy against SOPs, a point for each seed and arm, a panel for each data set."""
    fig, axes = plots.subplots(1, len(study.sets), figsize=(4.5 * len(study.sets), 3.6), squeeze=False)
    for ax, data in zip(axes[0], study.sets, strict=True):
        points = {arm: (_values(study, data, arm, "sops") / 1e3, _values(study, data, arm, "top1")) for arm in ARMS}
        plots.points_by_arm(ax, points, "pruning")
        ax.set(xscale="log", title=data, xlabel="thousand SOPs per sample", ylabel="test accuracy in %")
    for ax in axes[0, 1:]:
        ax.get_legend().remove()
    return plots.picture(
        fig,
        alt="Scatter plots, one per event data set: test accuracy against synaptic operations per sample on a "
        "logarithmic axis, for no, temporal, spatial and both prunings. Pruning moves the points to the left, towards "
        "fewer operations; how far they drop shows what it costs.",
        caption="Accuracy against synaptic operations of the four arms of paper A's ablation; one point per seed.",
        records=unique([study]),
    )


def halved(study: ResultsLike) -> Table:
    """Share of the time steps and of the SOPs that temporal pruning leaves, without and with spatial pruning."""
    parts = played(study, papers.table("A", "4")["dataset"].unique())
    rows = []
    for data in study.sets:
        dataset = parts[data]
        for pruned, whole in (("T", "none"), ("S+T", "S")):
            printed = {
                column: papers.value("A", "4", column, dataset=dataset, variant=pruned)
                / papers.value("A", "4", column, dataset=dataset, variant=whole)
                for column in ("decision_T", "sops_M")
            }
            ours = {
                metric: _values(study, data, pruned, metric) / _values(study, data, whole, metric)
                for metric in ("T", "sops")
            }
            rows.append(
                {
                    "Data (paper → ours)": f"{dataset} → {data}",
                    "Comparison": f"{pruned} over {whole}",
                    "Paper: steps": f"{printed['decision_T']:.2f}",
                    "Paper: SOPs": f"{printed['sops_M']:.2f}",
                    "Ours: steps": f"{ours['T'].mean():.2f}",
                    "Ours: SOPs [95 % interval]": interval_text(mean_interval(ours["sops"])),
                }
            )
    return Table(pd.DataFrame(rows), "Share of time steps and of synaptic operations that temporal pruning leaves.", 2)


def layers(study: ResultsLike) -> plots.Picture:
    """Weights left in each layer by spatial and by both prunings, a panel for each data set."""
    fig, axes = plots.subplots(1, len(study.sets), figsize=(4.5 * len(study.sets), 3.4), squeeze=False)
    for ax, data in zip(axes[0], study.sets, strict=True):
        plots.weights_left(ax, {arm: study.records[data, arm] for arm in ("S", "S+T")})
        ax.set_title(data)
    axes[0, 0].legend()
    return plots.picture(
        fig,
        alt="Share of weights left per layer, from the first convolution to the last linear layer, for "
        "spatial and for both prunings on both data sets.",
        caption="Weights left per layer after spatial (S) and spatio-temporal (S+T) pruning.",
        records=unique([study]),
    )


def lengths(study: ResultsLike) -> list[int]:
    """The numbers of time steps that the study of Table 5 begins with."""
    return list(dict.fromkeys(key.T for key in study.records))


def steps_table(study: ResultsLike) -> Table:
    """Table 5 beside ours: decision step, accuracy and SOPs of the arms at each number of time steps."""
    (data,) = study.sets
    rows = []
    for T in lengths(study):
        for arm in STEP_ARMS:
            top1, dense = (by_seed(study.records[data, name, "", T], "top1") for name in (arm, "none"))
            printed = papers.rows("A", "5", T=T, variant=arm).to_dict("records")
            base = papers.rows("A", "5", T=T, variant="none").to_dict("records")
            change = printed[0]["acc"] - base[0]["acc"] if printed else float("nan")
            rows.append(
                {
                    "T": T,
                    "Pruning": arm,
                    "Paper: t'": f"{printed[0]['decision_T']:.0f}" if printed else NONE,
                    "Ours: t'": mean_sd_text(_values(study, data, arm, "T", T).tolist(), 1),
                    "Paper: accuracy, %": format_number(printed[0]["acc"]) if printed else NONE,
                    "Ours: accuracy, %": mean_sd_text(list(top1.values())),
                    "Paper: change": NONE if arm == "none" else format_number(change, signed=True),
                    "Ours: change": NONE if arm == "none" else change_text(top1, dense),
                    "Ours: thousand SOPs": f"{_values(study, data, arm, 'sops', T).mean() / 1e3:.0f}",
                }
            )
    caption = f"Paper A, Table 5 (DVS128-Gesture), and ours ({data}); changes with 95 % interval."
    return Table(pd.DataFrame(rows), caption, 2)


def steps_picture(study: ResultsLike) -> plots.Picture:
    """Share of the steps that stay, accuracy and SOPs against the number of time steps."""
    (data,) = study.sets
    Ts = lengths(study)
    fig, axes = plots.subplots(1, 3, figsize=(11, 3.4))
    panels = {
        "share of the steps that stay": lambda arm, T: _values(study, data, arm, "T", T) / T,
        "test accuracy, %": lambda arm, T: _values(study, data, arm, "top1", T),
        "thousand SOPs": lambda arm, T: _values(study, data, arm, "sops", T) / 1e3,
    }
    for ax, (title, values) in zip(axes, panels.items(), strict=True):
        for arm in STEP_ARMS:
            plots.curve_with_band(ax, Ts, np.transpose([values(arm, T) for T in Ts]), arm)
        ax.set(xlabel="time steps T", ylabel=title, xticks=Ts)
    axes[0].legend()
    axes[2].set_yscale("log")
    share, accuracy, _ = panels.values()
    numbers = "; ".join(
        f"T = {T}: {share('T', T).mean():.2f} of the steps stay, accuracy {accuracy('none', T).mean():.1f} dense and "
        f"{accuracy('S+T', T).mean():.1f} with both prunings"
        for T in Ts
    )
    return plots.picture(
        fig,
        alt="Share of steps that stay, accuracy and operations against the number of steps, for three arms. "
        f"{numbers}.",
        caption="What stays of the steps, accuracy, and operations against T; mean and sd over the seeds.",
        records=unique([study]),
    )
