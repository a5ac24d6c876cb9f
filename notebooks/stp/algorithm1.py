# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.algorithm1], reads: [A.listing], minutes: 3}
# ---

# %% [markdown]
# # Paper A, Algorithm 1: as printed and as meant
#
# **Line 22 of the algorithm divides each squared weight by a running sum over the ranked weights. With the ranks of
# Eq. 1 that is the wrong tail: to the letter, the algorithm removes the largest weights first.** This page shows it
# on five weights and then trains both.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import pandas as pd
import torch

from snnbook.pruning import scores
from snnbook.report import plots, tables
from snnbook.report.page import Page
from snnbook.report.records import by_seed, unique

page = Page("stp/algorithm1", globals())

study = page.results("A.listing")
ARMS = ("as meant", "magnitude", "random", "as printed")

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## Five weights
#
# Eq. 1 divides by the sum over all weights at least as large. Algorithm 1 ranks the weights of a layer (line 21),
# takes the cumulative sum of the squares (line 22) and divides (line 23). If the ranking ascends, as the text beside
# Eq. 1 says, the cumulative sum of a weight runs over all that are at most as large.

# %% tags=["hide-input"]
w = torch.tensor([0.1, 0.2, 0.5, 1.0, 2.0], dtype=torch.float64)
meant, printed = scores.lamp({"w": w})["w"], scores.lamp_printed({"w": w})["w"]
rows = [
    {"Weight": f"{v:g}", "Eq. 1": f"{a:.4f}", "Algorithm 1, ascending": f"{b:.4f}"}
    for v, a, b in zip(w.tolist(), meant.tolist(), printed.tolist(), strict=True)
]
tables.Table(pd.DataFrame(rows), "The score of each weight; the lowest are pruned first.")

# %% [markdown]
# The smallest weight scores 1 and the largest gets the lowest score. The two readings agree if the ranking descends,
# which is what the public code does; so this is an error of the listing and not of the experiments. But whoever
# implements the listing gets another method.
#
# ## What each of them does in training
#
# The protocol is that of {doc}`table4`, arm S: fourteen cuts of a quarter, no decision step. Only the score differs.
# *Random* removes weights blindly and *magnitude* is IMP's score, both on the same schedule.

# %% tags=["hide-input"]
rows = []
for data in study.sets:
    base = by_seed(study.records[data, "as meant"], "top1")
    for arm in ARMS:
        top1 = by_seed(study.records[data, arm], "top1")
        rows.append(
            {
                "Data": data,
                "Score": arm,
                "Weights pruned, %": f"{study.values((data, arm), 'sparsity').mean():.2f}",
                "Accuracy, %": tables.mean_sd_text(list(top1.values())),
                "minus as meant [95 % interval]": "–" if arm == "as meant" else tables.change_text(top1, base),
                "Mean |w| left": f"{study.values((data, arm), 'mean_abs_weight').mean():.4f}",
            }
        )
tables.Table(pd.DataFrame(rows), "Four scores on one schedule; mean ± sd (number of seeds).", 2)

# %% tags=["hide-input"]
fig, axes = plots.subplots(1, len(study.sets), figsize=(9, 3.4))
numbers = []
for ax, data in zip(axes, study.sets, strict=True):
    top1 = {arm: study.values((data, arm), "top1") for arm in ARMS}
    plots.bars_with_points(ax, ARMS, list(top1.values()))
    ax.axhline(study.records[data, ARMS[0]][0].metrics["chance"], color=plots.INK, linewidth=1, linestyle=":")
    ax.set(title=data, ylabel="test accuracy, %")
    numbers += [f"{data}, {arm}: {values.mean():.1f}" for arm, values in top1.items()]
plots.show(
    fig,
    alt=f"Accuracy of four scores on two sets, in per cent. {'; '.join(numbers)}.",
    caption="Accuracy after fourteen cuts of a quarter; one point for each seed. Dotted: guessing.",
    records=unique([study]),
)

# %% [markdown]
# ## Which layers are left
#
# The literal score removes each layer's large weights, so it also decides differently *between* layers: a layer with
# many weights has long sums, its larger weights score low, and the cut falls on it.

# %% tags=["hide-input"]
fig, axes = plots.subplots(1, len(study.sets), figsize=(9, 3.4))
for ax, data in zip(axes, study.sets, strict=True):
    plots.weights_left(ax, {arm: study.records[data, arm] for arm in ("as meant", "magnitude", "as printed")})
    ax.set_title(data)
axes[0].legend()
plots.show(
    fig,
    alt="Share of weights left in each layer for the score as meant, for magnitude and for the score as printed.",
    caption="Weights left by layer after fourteen cuts.",
    records=unique([study]),
)

# %% [markdown]
# ## Algorithm and code
#
# What the other lines of the listing do here, and where it leaves something open, is on the page of the method
# ({doc}`../methods/stp`) and in {doc}`../../reference/deviations`.
#
# ```{exercise}
# :label: ex-algorithm1-one
# Why does one cut with the literal score hurt far less than fourteen?
# ```
#
# ````{solution} ex-algorithm1-one
# :class: dropdown
# One cut removes a quarter of the weights, and a network with batch norm can train on with the rest. Each further cut
# takes the largest of what training has just built up again.
# ````
#
# Next: {doc}`table2`, the static sets.

# %% tags=["remove-input"]
page.box()
