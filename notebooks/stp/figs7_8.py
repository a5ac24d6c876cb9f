# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.fig7, A.fig8], reads: [A.rounds, A.dense, A.ablation], minutes: 3}
# ---

# %% [markdown]
# # Paper A, Figs. 7 and 8: how large the surviving weights are
#
# **The paper shows that the weights of the pruned network are larger than those of the dense one, and reads it as the
# removal of unimportant weights. Whoever keeps the largest weights of any network gets larger weights: the control is
# to do just that.**


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from snnbook import experiments
from snnbook.measure import MAGNITUDES
from snnbook.report import claims, page, plots, stats, tables

parameters = {"profile": profile, "seeds": seeds, "results": results, "jobs": jobs, "options": options}
study = experiments.results("A.rounds", **parameters)
dense = experiments.results("A.dense", **parameters)
ROLES = ("digits-dvs", "arms-dvs")
records = [r for s in (study, dense) for label, found in s.records.items() if label[0] in ROLES for r in found]


def largest(counts, k):
    """The histogram of the k largest of the weights in a histogram; the last bin is filled in part."""
    above = np.cumsum(counts[::-1])[::-1]
    return np.clip(k - (above - counts), 0, counts)


def counts(arm, role, seed):
    """Weights by magnitude: of the pruned network, the dense one, or as many of the dense one's largest."""
    pruned = next(r for r in study.records[role, "S+T"] if r.seed == seed).curves["magnitudes"]
    whole = next(r for r in dense.records[role, "dense"] if r.seed == seed).curves["magnitudes"]
    return {"S+T": pruned, "dense": whole, "selection": largest(whole, pruned.sum())}[arm]


# From the first bound above 0 to the last below infinity; the middle of a bin on a logarithmic scale.
inner = MAGNITUDES[1:-1]
middle = np.sqrt(inner[:-1] * inner[1:])
TITLES = {"dense": "dense", "selection": "dense, its largest only (control)", "S+T": "S+T"}

# %% tags=["remove-input"]
page.opening("A", "Figs. 7 and 8, weight magnitudes before and after pruning", 3)

# %% [markdown]
# ## How it was run
#
# The pruned networks are those of {doc}`table3` after the last round of S+T, the dense ones those of the first.
# *Selection* takes as many of the largest weights of the dense network as S+T has left, and trains nothing. Every
# record holds how many weights lie in each of the bins, twenty to a tenfold.

# %% tags=["remove-input"]
fig, axes = plots.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
told = []
for ax, role in zip(axes, ROLES, strict=True):
    for arm, title in TITLES.items():
        shares = [100 * c[1:-1] / c.sum() for c in (counts(arm, role, seed) for seed in study.study.seeds)]
        plots.curve_with_band(ax, middle, shares, title, markevery=20)
        peak = middle[int(np.mean(shares, 0).argmax())]
        told.append(f"{role}, {title}: most weights near {peak:.3g}")
    ax.set(title=role, xscale="log", xlim=(1e-4, 5), xlabel="|w|", ylabel="weights, % in each bin")
axes[0].legend(fontsize=9)
plots.show(
    fig,
    alt="Histograms of weight magnitudes for the dense network, its largest weights alone, and the pruned network. "
    + "; ".join(told)
    + ".",
    caption="Histograms of |w| (bins of equal width in log |w|); mean and sd over the seeds.",
    records=records,
)

# %% [markdown]
# ## How much of it is selection?
#
# The median is read off the histograms, so it is exact to a twentieth of a tenfold, about 12 %.


# %% tags=["remove-input"]
def median(c):
    return middle[np.clip(np.searchsorted(np.cumsum(c), c.sum() / 2) - 1, 0, len(middle) - 1)]


rows = []
for role in ROLES:
    found = {arm: np.array([median(counts(arm, role, s)) for s in study.study.seeds]) for arm in TITLES}
    for arm, title in TITLES.items():
        ratio = stats.mean_interval(found[arm] / found["dense"])
        rows.append(
            {
                "Data": role,
                "Weights": title,
                "Median |w|": f"{found[arm].mean():.4f}",
                "over dense": "1" if arm == "dense" else f"{ratio.estimate:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]",
            }
        )
tables.table(pd.DataFrame(rows), "Median magnitude, and its ratio to the dense network's with the 95 % interval.", 2)

# %% [markdown]
# What lies between *selection* and *S+T* is due to the training after the cuts. If it is little, the figure says that
# the largest weights were kept, which is how they were chosen; larger weights are then no evidence that the removed
# ones did not matter. That evidence is accuracy.
#
# ## Verdict
#
# The claim is tested on the networks of {doc}`table4`, whose records hold exact means and medians, with the same
# control.

# %% tags=["remove-input"]
ablation = experiments.results("A.ablation", **parameters)
verdicts = claims.verdicts({"A.ablation": ablation}, claims=("A-24",))
tables.verdict_table(verdicts, "The claim that rests on these figures")

# %% [markdown]
# ```{exercise}
# :label: ex-figs78-magnitude
# S+T selects by LAMP, the control by magnitude over the whole network. Which of the two has the larger weights, before
# any training, and why?
# ```
#
# ````{solution} ex-figs78-magnitude
# :class: dropdown
# The control: nothing has a larger sum of magnitudes than the largest weights. LAMP gives some of its places to the
# smaller weights of layers that magnitude would thin out more.
# ````
#
# Next: {doc}`not_reproduced`, what this book could not show about the paper.

# %% tags=["remove-input"]
page.box([study, dense, ablation], notebook="stp/figs7_8", parameters=parameters)
