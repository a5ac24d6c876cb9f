# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.fig5], reads: [A.curves], minutes: 4}
# ---

# %% [markdown]
# # Paper A, Fig. 5: the threshold and what it costs
#
# **A larger threshold $\lambda$ on the divergence gives an earlier decision step and a lower accuracy; the
# paper calls $\lambda = 0.01$ the point beyond which more steps gain little.** The first half is arithmetic.
# The second is a measurement, and it depends on which divergence is meant.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from snnbook.measure import decision_timestep
from snnbook.report import papers, plots, tables
from snnbook.report.page import Page
from snnbook.report.records import played, unique

page = Page("stp/fig5", globals())

curves = page.results("A.curves")
VARIANTS = ("smoothed", "released", "reverse")
LAMBDAS = np.array([0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5])

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## How it was run
#
# For each seed the dense network of {doc}`Table 4 <table4>` was run on its training set. The output after $t$
# steps is the running mean of the logits; its divergence from the labels, normalised to run from 1 to 0,
# gives $t'(\lambda)$ by Eq. 9. The accuracy is that of the *same* dense network on the test set, stopped at
# $t'$: nothing was trained again for this figure. The three variants of the divergence are explained in
# {doc}`../methods/decision_step`.


# %%
def steps(data, variant):
    """Decision step for each seed and threshold: [seeds, lambdas]."""
    return np.array(
        [[decision_timestep(kl, lam) for lam in LAMBDAS] for kl in curves.curves((data, "dense"), f"kl_{variant}")]
    )


def accuracy(data, variant):
    """Test accuracy of the dense network stopped at the decision step: [seeds, lambdas]."""
    after = curves.curves((data, "dense"), "accuracy_test")
    return np.take_along_axis(after, steps(data, variant) - 1, axis=1)


# %% tags=["hide-input"]
fig, axes = plots.subplots(2, 2, figsize=(9, 6), sharex=True)
for column, data in zip(axes.T, curves.sets, strict=True):
    for variant in VARIANTS:
        plots.curve_with_band(column[0], LAMBDAS, steps(data, variant), variant)
        plots.curve_with_band(column[1], LAMBDAS, accuracy(data, variant), variant)
    column[0].set(title=data, ylabel="decision step t'")
    column[1].set(xscale="log", xlabel="threshold λ", ylabel="test accuracy at t', %")
    for ax in column:
        ax.axvline(0.01, color=plots.INK, linewidth=0.8, linestyle=":")
axes[0, 0].legend(title="KL variant")
ends = "; ".join(
    f"{data}, smoothed: step {steps(data, 'smoothed')[:, 0].mean():.1f} at the smallest threshold, "
    f"{steps(data, 'smoothed')[:, -1].mean():.1f} at the largest"
    for data in curves.sets
)
plots.show(
    fig,
    alt=f"Decision step and accuracy against the threshold, for three KL variants and two data sets. {ends}.",
    caption="Decision step (top) and accuracy there (bottom) against λ; mean and sd over seeds. Dotted: 0.01.",
    records=unique([curves]),
)

# %% [markdown]
# ## The numbers
#
# The points of the printed figure did not survive in the text that we worked from; what survives of it are
# the decision steps in Table 4, at $\lambda = 0.01$.

# %% tags=["hide-input"]
for data, dataset in played(curves, ("CIFAR10-DVS", "DVS128-Gesture")).items():
    T = curves.curves((data, "dense"), "kl_smoothed").shape[1]
    decided, early = {variant: steps(data, variant) for variant in VARIANTS}, accuracy(data, "smoothed")
    whole = curves.curves((data, "dense"), "accuracy_test")[:, -1]
    t, all_steps = (papers.value("A", "4", "decision_T", dataset=dataset, variant=v) for v in ("T", "none"))
    rows = []
    for i, lam in enumerate(LAMBDAS):
        row = {"λ": f"{lam:g}", "Paper A: t' / T": f"{t:.0f} / {all_steps:.0f}" if lam == 0.01 else "–"}
        row |= {f"t' / T, {variant}": f"{decided[variant][:, i].mean():.1f} / {T}" for variant in VARIANTS}
        row["Accuracy at t'"] = tables.mean_sd_text(early[:, i].tolist())
        row["minus all steps"] = tables.change_text(dict(enumerate(early[:, i])), dict(enumerate(whole)))
        rows.append(row)
    caption = (
        f"{dataset} → {data}: decision step by threshold and KL variant; accuracy there (smoothed), and its paired "
    )
    caption += "difference from all steps with the 95 % interval."
    tables.Table(pd.DataFrame(rows), caption).show()

# %% [markdown]
# ## What to read from it
#
# - The choice of the divergence moves the decision step as much as the threshold does. A threshold without
#   its divergence says little, and the paper's equation and its code use different ones.
# - The *released* variant compares the output with a flat target, the softmax of a one-hot vector. That suits
#   outputs that are firing rates in $[0, 1]$. Our read-out is an unbounded current: it passes the flat target early
#   and then moves away from it, so a minimum at an early step is no sign of a settled decision.
# - The normalised *smoothed* and *reverse* curves reach 0 where the divergence is smallest, which is the last step
#   if it falls throughout. Then a small $\lambda$ keeps nearly all steps, whatever the network: how many steps 0.01
#   saves is a property of the curve's tail.
#
# ## Verdicts

# %% tags=["hide-input"]
page.verdicts()

# %% [markdown]
# ```{exercise}
# :label: ex-fig5-range
# Leave out the first step before normalising. Which way does $t'$ move, and why does that matter for data
# sets whose first frames hold few events?
# ```
#
# ````{solution} ex-fig5-range
# :class: dropdown
# The first divergence is the largest, so without it the range shrinks, the same curve is divided by less, and
# $t'$ moves to later steps.
#
# ```python
# kl = curves.curves(("arms-dvs", "dense"), "kl_smoothed")
# print([(decision_timestep(c, 0.05), 1 + decision_timestep(c[1:], 0.05)) for c in kl])
# ```
#
# The threshold is relative to how bad the network is after one frame: a poor first frame makes any $\lambda$
# lenient.
# ````

# %% tags=["remove-input"]
page.box()
