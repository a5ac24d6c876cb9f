# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.fig1], reads: [A.dense, A.rounds], minutes: 3}
# ---

# %% [markdown]
# # Paper A, Fig. 1: the framework on one recording
#
# **The paper's first figure is a drawing: events become frames, the output accumulates, a divergence picks the
# decision step, and rounds of LAMP thin out the layers.** Here every box of it is filled with real numbers from one
# test recording.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from snnbook import datasets, experiments
from snnbook.measure import decision_timestep, normalise
from snnbook.report import page, plots, tables

parameters = {"profile": profile, "seeds": seeds, "results": results, "jobs": jobs, "options": options}
dense = experiments.results("A.dense", **parameters)
study = experiments.results("A.rounds", **parameters)
ROLE = "arms-dvs"
record = dense.records[ROLE, "dense"][0]
pruned = next(r for r in study.records[ROLE, "S+T"] if r.seed == record.seed)
T = record.metrics["T"]

# %% tags=["remove-input"]
page.opening("A", "Fig. 1, the framework, filled with one recording", 3)

# %% [markdown]
# ## 1. Events become frames
#
# One test recording of `arms-dvs`, cut into frames of equal event number (Eq. 2 to 4): of the first test recordings,
# the one for which the network takes longest to be sure, and is right.

# %% tags=["remove-input"]
test = datasets.load(ROLE, "test", T=T)
classes = test.info.classes
kept = record.curves["outputs"].shape[1]
labels = test.y[:kept].numpy()
outputs = record.curves["outputs"].astype(float)
mean = np.cumsum(outputs, 0) / np.arange(1, T + 1)[:, None, None]
belief = np.exp(mean - mean.max(2, keepdims=True))
belief /= belief.sum(2, keepdims=True)
# Most recordings are clear at once. Shown is the one that the network gets right and takes longest for.
right = np.flatnonzero(belief[-1].argmax(1) == labels)
sure = belief[:, right, labels[right]].mean(0)
shown = int(right[sure.argmin()]) if len(right) else 0
belief = belief[:, shown]
frames, label = test[shown]
picked = np.unique(np.linspace(0, T - 1, 8).astype(int))
fig, axes = plots.subplots(1, len(picked), figsize=(10, 1.7), layout="constrained")
for ax, t in zip(axes, picked, strict=True):
    ax.imshow(frames[t, 1] - frames[t, 0], cmap="RdBu", vmin=-3, vmax=3, interpolation="nearest")
    ax.set_title(f"t = {t + 1}", fontsize=10)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
name = classes[int(label)] if not isinstance(classes, int) else str(int(label))
plots.show(
    fig,
    alt=f"{len(picked)} frames of one recording of the class {name}; blue where events of one polarity prevail, red "
    "for the other.",
    caption=f"Frames of one test recording, class “{name}”: difference of the two polarities.",
    records=[record],
    format="png",
)

# %% [markdown]
# ## 2. The output accumulates
#
# The dense network puts out a current for each class at each step. What counts is the mean of all outputs so far; its
# softmax is the network's belief.

# %% tags=["remove-input"]
fig, ax = plots.subplots(figsize=(7, 3.4))
steps = np.arange(1, T + 1)
order = np.argsort(-belief[-1])
for k in order[:5]:
    known = classes[k] if not isinstance(classes, int) else str(k)
    ax.plot(steps, belief[:, k], label=f"{known}{' (right)' if k == int(label) else ''}")
ax.set(xlabel="time step t", ylabel="belief from the steps so far", ylim=(0, 1))
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    fig,
    alt=f"Belief in five classes against the time step. The right class ends at {belief[-1, int(label)]:.2f}.",
    caption="What the dense network believes after each step about this recording; its five first classes.",
    records=[record],
)

# %% [markdown]
# ## 3. A divergence picks the decision step
#
# Averaged over the whole training set, the divergence of the belief from the label falls with $t$. Normalised to run
# from 1 to 0, it gives $t'$ where it first is below $\lambda$ ({doc}`fig5`, {doc}`../methods/decision_step`).

# %% tags=["remove-input"]
lam = dict(pruned.trial["settings"])["lam"]
kl = record.curves["kl_smoothed"]
chosen = decision_timestep(kl, lam)
fig, ax = plots.subplots(figsize=(7, 3.2))
ax.plot(steps, normalise(kl), label="NormKL, training set")
ax.axhline(lam, color=plots.INK, linewidth=1, linestyle=":", label=f"λ = {lam:g}")
ax.axvline(chosen, color=plots.PALETTE[1], linewidth=1.2, linestyle="--", label=f"t' = {chosen}")
ax.set(xlabel="time step t", ylabel="normalised divergence")
ax.legend()
plots.show(
    fig,
    alt=f"The normalised divergence falls from 1 to 0 over {T} steps and is below {lam:g} from step {chosen} on.",
    caption="The decision step of this network.",
    records=[record],
)

# %% [markdown]
# ## 4. Rounds of LAMP thin out the layers
#
# On the frames up to the decision step, the weights go in rounds of a quarter. What is left in each layer after the
# last:

# %% tags=["remove-input"]
fig, ax = plots.subplots(figsize=(7, 3.2))
plots.weights_left(ax, {"S+T": [pruned]})
left = "; ".join(f"{x['name']} {100 * x['weights_alive'] / x['weights_total']:.1f}" for x in pruned.layers)
plots.show(
    fig,
    alt=f"Per cent of the weights left, layer by layer: {left}.",
    caption="Weights left in each layer after the last round.",
    records=[pruned],
)

# %% tags=["remove-input"]
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
tables.table(pd.DataFrame(rows), f"The network of seed {record.seed} before and after.")

# %% [markdown]
# One recording and one seed make a picture, not a result; the results are in {doc}`table3` and {doc}`table4`.
#
# Next: {doc}`fig2`, the two scores on ten weights.

# %% tags=["remove-input"]
page.box([dense, study], notebook="stp/fig1", parameters=parameters)
