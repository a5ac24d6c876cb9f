# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.table5], reads: [A.steps], minutes: 4}
# ---

# %% [markdown]
# # Paper A, Table 5: how many time steps to begin with
#
# **A recording can be cut into ten frames or into twenty-five. The paper reports that more frames leave a larger
# share of them to save, and that pruning in time and space stays stable at any number.** Here the ablation is run at
# four lengths.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import pandas as pd

from snnbook import experiments
from snnbook.report import claims, page, papers, plots, tables

parameters = {"profile": profile, "seeds": seeds, "results": results, "jobs": jobs, "options": options}
study = experiments.results("A.steps", **parameters)
records = [r for found in study.records.values() for r in found]
LENGTHS = list(dict.fromkeys(label[2] for label in study.records))
ARMS = ("none", "T", "S+T")

# %% tags=["remove-input"]
page.opening("A", "Table 5, total time steps", 4)

# %% [markdown]
# ## How it was run
#
# The recordings of `arms-dvs` are the same at every length; they are cut into more or fewer frames by event number,
# so that a frame of a longer sequence holds fewer events. For each length and seed a dense network is trained, and
# the arms of {doc}`table4` go on from it: *none* trains on, *T* keeps the frames up to the decision step, *S+T* also
# cuts a quarter of the weights fourteen times.
#
# ## The table

# %% tags=["remove-input"]
rows = []
for T in LENGTHS:
    dense = {r.seed: r.metrics["top1"] for r in study.records["arms-dvs", "none", T]}
    for arm in ARMS:
        found = study.records["arms-dvs", arm, T]
        top1 = {r.seed: r.metrics["top1"] for r in found}
        printed = papers.table("A", "5")
        printed = printed[(printed["T"] == int(T)) & (printed["variant"] == arm)].to_dict("records")
        base = papers.table("A", "5")
        base = base[(base["T"] == int(T)) & (base["variant"] == "none")].to_dict("records")
        change = printed[0]["acc"] - base[0]["acc"] if printed else float("nan")
        rows.append(
            {
                "T": T,
                "Pruning": arm,
                "Paper: t'": f"{printed[0]['decision_T']:.0f}" if printed else "–",
                "Ours: t'": tables.mean_sd_text(study.values(("arms-dvs", arm, T), "T").tolist(), 1),
                "Paper: accuracy, %": tables.format_number(printed[0]["acc"]) if printed else "–",
                "Ours: accuracy, %": tables.mean_sd_text(list(top1.values())),
                "Paper: change": "–" if arm == "none" else tables.format_number(change, signed=True),
                "Ours: change": "–" if arm == "none" else tables.change_text(top1, dense),
                "Ours: thousand SOPs": f"{study.values(('arms-dvs', arm, T), 'sops').mean() / 1e3:.0f}",
            }
        )
tables.table(
    pd.DataFrame(rows), "Paper A, Table 5 (DVS128-Gesture), and ours (arms-dvs); changes with 95 % interval.", 2
)

# %% tags=["remove-input"]
fig, axes = plots.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
lengths = [int(T) for T in LENGTHS]
for ax, (title, metric, scale) in zip(
    axes,
    (("share of the steps that stay", "T", None), ("test accuracy, %", "top1", 1), ("thousand SOPs", "sops", 1e-3)),
    strict=True,
):
    for arm in ARMS:
        values = [study.values(("arms-dvs", arm, T), metric) * (scale or 1 / int(T)) for T in LENGTHS]
        plots.curve_with_band(ax, lengths, list(zip(*values, strict=True)), arm)
    ax.set(xlabel="time steps T", ylabel=title, xticks=lengths)
axes[0].legend()
axes[2].set_yscale("log")
share = "; ".join(
    f"T = {T}: {study.values(('arms-dvs', 'T', T), 'T').mean() / int(T):.2f} of the steps stay, accuracy "
    f"{study.values(('arms-dvs', 'none', T), 'top1').mean():.1f} dense and "
    f"{study.values(('arms-dvs', 'S+T', T), 'top1').mean():.1f} with both prunings"
    for T in LENGTHS
)
plots.show(
    fig,
    alt=f"Share of steps that stay, accuracy and operations against the number of steps, for three arms. {share}.",
    caption="What stays of the steps, accuracy, and operations against T; mean and sd over the seeds.",
    records=records,
)

# %% [markdown]
# ## What to read from it
#
# The decision step is where a normalised curve falls below $\lambda$. If the divergence falls with the *share* of the
# events that the network has seen, $t'/T$ does not depend on $T$ at all, but for rounding. A share that falls with
# $T$ means that a fixed number of frames is enough, however few events each of them holds.
#
# The paper's own numbers are on a grid of single test samples, and two of its lengths have the same three accuracies
# to the last digit.
#
# ## Verdicts

# %% tags=["remove-input"]
verdicts = claims.verdicts({"A.steps": study}, claims=("A-15", "A-16", "A-17"))
tables.verdict_table(verdicts, "Claims that rest on this table")

# %% [markdown]
# ```{exercise}
# :label: ex-table5-time
# Frames are cut by event number. What would change if they were cut by time?
# ```
#
# ````{solution} ex-table5-time
# :class: dropdown
# A slow start of a gesture would fill several frames with few events each, and the first decision would come later in
# frames, though not in seconds. The paper's text says that the frames have equal duration, its equations that they
# have equal numbers of events ({doc}`../ideas/events_to_frames`).
# ````
#
# Next: {doc}`figs3_4`, where the connections go.

# %% tags=["remove-input"]
page.box(study, notebook="stp/table5", parameters=parameters)
