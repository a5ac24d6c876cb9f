"""Fig. 1, the framework: every box of it filled with numbers from one test recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from snnbook.report import plots
from snnbook.report.curves import decision_step, normalised
from snnbook.report.records import RecordLike
from snnbook.report.tables import Table


@dataclass(frozen=True)
class Recording:
    """One test recording as the dense network sees it.

    place: its place among the recordings whose outputs the record keeps. label: its class. belief: the softmax of the
    mean output so far, `[T, classes]`. names: of the classes.
    """

    place: int
    label: int
    belief: np.ndarray
    names: tuple[str, ...]


def beliefs(outputs: np.ndarray) -> np.ndarray:
    """The softmax of the mean of the outputs so far, from outputs `[T, N, classes]`."""
    outputs = outputs.astype(float)
    mean = np.cumsum(outputs, 0) / np.arange(1, len(outputs) + 1)[:, None, None]
    belief = np.exp(mean - mean.max(2, keepdims=True))
    return belief / belief.sum(2, keepdims=True)


def slowest(record: RecordLike, labels: np.ndarray, classes: tuple[str, ...] | int) -> Recording:
    """Of the recordings with `labels [N]` whose outputs are kept, the one that is classified right and takes longest.

    Most recordings are clear at once. If none is classified right, it is the first. classes: their names, or number.
    """
    names = tuple(map(str, range(classes))) if isinstance(classes, int) else classes
    belief = beliefs(record.curves["outputs"])
    right = np.flatnonzero(belief[-1].argmax(1) == labels)
    sure = belief[:, right, labels[right]].mean(0)
    place = int(right[sure.argmin()]) if len(right) else 0
    return Recording(place, int(labels[place]), belief[:, place], names)


def frames_picture(record: RecordLike, recording: Recording, frames: np.ndarray) -> plots.Picture:
    """Eight of its frames `[T, 2, H, W]`, or all if there are fewer."""
    T = len(frames)
    picked = np.unique(np.linspace(0, T - 1, 8).astype(int))
    fig, axes = plots.subplots(1, len(picked), figsize=(10, 1.7))
    for ax, t in zip(axes, picked, strict=True):
        ax.imshow(frames[t, 1] - frames[t, 0], cmap="RdBu", vmin=-3, vmax=3, interpolation="nearest")
        ax.set_title(f"t = {t + 1}", fontsize=10)
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
    name = recording.names[recording.label]
    return plots.picture(
        fig,
        alt=f"{len(picked)} frames of one recording of the class {name}; blue where events of one polarity prevail, "
        "red for the other.",
        caption=f"Frames of one test recording of {record.trial['data']}, class “{name}”: difference of the two "
        "polarities.",
        records=[record],
        format="png",
    )


def belief_picture(record: RecordLike, recording: Recording) -> plots.Picture:
    """What the dense network believes after each step, of the five classes that it ends with."""
    fig, ax = plots.subplots(figsize=(7, 3.4))
    belief, label = recording.belief, recording.label
    for k in np.argsort(-belief[-1])[:5]:
        name = f"{recording.names[k]}{' (right)' if k == label else ''}"
        ax.plot(np.arange(1, len(belief) + 1), belief[:, k], label=name)
    ax.set(xlabel="time step t", ylabel="belief from the steps so far", ylim=(0, 1))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return plots.picture(
        fig,
        alt=f"Belief in five classes against the time step. The right class ends at {belief[-1, label]:.2f}.",
        caption="What the dense network believes after each step about this recording; its five first classes.",
        records=[record],
    )


def decision_picture(record: RecordLike, lam: float) -> plots.Picture:
    """The normalised divergence of the dense network against the step, the threshold, and the decision step."""
    kl = record.curves["kl_smoothed"]
    T, step = len(kl), decision_step(kl, lam)
    fig, ax = plots.subplots(figsize=(7, 3.2))
    ax.plot(np.arange(1, T + 1), normalised(kl), label="NormKL, training set")
    ax.axhline(lam, color=plots.INK, linewidth=1, linestyle=":", label=f"λ = {lam:g}")
    ax.axvline(step, color=plots.PALETTE[1], linewidth=1.2, linestyle="--", label=f"t' = {step}")
    ax.set(xlabel="time step t", ylabel="normalised divergence")
    ax.legend()
    return plots.picture(
        fig,
        alt=f"The normalised divergence falls from 1 to 0 over {T} steps and is below {lam:g} from step {step} on.",
        caption="The decision step of this network.",
        records=[record],
    )


def layers_picture(pruned: RecordLike) -> plots.Picture:
    """What is left of each layer after the last round."""
    fig, ax = plots.subplots(figsize=(7, 3.2))
    plots.weights_left(ax, {"S+T": [pruned]})
    left = "; ".join(f"{x['name']} {100 * x['weights_alive'] / x['weights_total']:.1f}" for x in pruned.layers)
    return plots.picture(
        fig,
        alt=f"Per cent of the weights left, layer by layer: {left}.",
        caption="Weights left in each layer after the last round.",
        records=[pruned],
    )


def before_and_after(record: RecordLike, pruned: RecordLike) -> Table:
    """The dense and the pruned network of one seed."""
    rows = [
        {
            "Network": name,
            "Frames": f"{r.metrics['T']}",
            "Weights left, %": f"{100 - r.metrics['sparsity']:.2f}",
            "Thousand SOPs": f"{r.metrics['sops'] / 1e3:.0f}",
            "Test accuracy, %": f"{r.metrics['top1']:.1f}",
        }
        for name, r in (("dense", record), ("S+T", pruned))
    ]
    return Table(pd.DataFrame(rows), f"The network of seed {record.seed} before and after.")
