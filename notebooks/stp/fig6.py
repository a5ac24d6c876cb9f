# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.fig6], reads: [A.curves, A.dense], minutes: 6}
# ---

# %% [markdown]
# # Paper A, Fig. 6: divergence and Fisher information
#
# **The paper justifies its decision step by Fisher information: over the time steps, the normalised
# divergence and the empirical Fisher trace are said to run almost alike.** Here are both curves for the dense
# networks of Table 4.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from snnbook.measure import TAYLOR, normalise
from snnbook.report import plots, stats, tables
from snnbook.report.page import Page
from snnbook.report.records import unique

page = Page("stp/fig6", globals())

curves = page.results("A.curves")
closer = page.results("A.dense")

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## The two quantities
#
# The divergence is that of {doc}`fig5`, variant *smoothed*, on the whole training set. The empirical Fisher
# trace (Eq. 16)
#
# ```{math}
# :label: eq-fisher
# \hat F_t = \frac1N \sum_{n=1}^{N} \bigl\lVert \nabla_\theta \log p(y_n \mid x_{n,1:t}, \theta) \bigr\rVert^2
# ```
#
# needs the gradient of every sample by itself: the squared norm of a mean gradient would be another quantity.
# Batch norm uses its stored statistics, so that samples do not mix. It was taken on the first samples of the
# training set:

# %%
for key, trial in curves.trials.items():
    print(key.data, "|", trial.fisher_samples, "samples |", trial.T, "steps")

# %% tags=["hide-input"]
fig, axes = plots.subplots(1, 2, figsize=(9, 3.6))
for ax, data in zip(axes, curves.sets, strict=True):
    kl, fisher = (curves.curves((data, "dense"), name) for name in ("kl_smoothed", "fisher"))
    t = np.arange(1, kl.shape[1] + 1)
    plots.curve_with_band(ax, t, [normalise(c) for c in kl], "NormKL")
    plots.curve_with_band(ax, t, [normalise(c) for c in fisher], "Fisher trace, normalised")
    ax.set(title=data, xlabel="time step t", ylabel="normalised to [0, 1]")
axes[0].legend()
numbers = []
for data in curves.sets:
    for name, title in (("kl_smoothed", "divergence"), ("fisher", "Fisher trace")):
        rising = sum(bool((np.diff(c) > 0).any()) for c in curves.curves((data, "dense"), name))
        numbers.append(f"{data}, {title}: rises somewhere for {rising} of {len(curves.seeds)} seeds")
plots.show(
    fig,
    alt="Normalised divergence and normalised Fisher trace against the time step on both data sets; mean and one "
    "standard deviation over seeds. " + "; ".join(numbers),
    caption="NormKL and the empirical Fisher trace, each normalised to its own range; mean and sd over seeds.",
    records=unique([curves]),
)

# %% [markdown]
# ## How alike?
#
# Over all steps the early ones dominate: any two falling curves rank alike there. The second column leaves
# out the first half of the steps, where a decision is not in question.

# %% tags=["hide-input"]
rows = []
for data in curves.sets:
    kl, fisher = (curves.curves((data, "dense"), name) for name in ("kl_smoothed", "fisher"))
    half = kl.shape[1] // 2
    row = {"Data": data, "Paper A": "“almost identical”"}
    for name, start in (("all steps", 0), ("second half", half)):
        with np.errstate(invalid="ignore"):
            rho = [spearmanr(a[start:], b[start:]).statistic for a, b in zip(kl, fisher, strict=True)]
        mean = stats.mean_interval(rho)
        row[f"Spearman rho, {name} [95 % interval]"] = (
            f"{mean.estimate:.3f} [{max(mean.low, -1):.3f}, {min(mean.high, 1):.3f}]"
        )
    rows.append(row)
tables.Table(pd.DataFrame(rows), "Rank correlation of NormKL and Fisher trace over time steps, mean over seeds.")

# %% [markdown]
# A rank correlation does not see where a curve bends, and the decision step sits at the bend. The share of
# its range that each curve still has to fall, step by step:

# %% tags=["hide-input"]
rows = []
for data in curves.sets:
    kl, fisher = (curves.curves((data, "dense"), name) for name in ("kl_smoothed", "fisher"))
    T = kl.shape[1]
    for share in (0.25, 0.5, 0.75, 1.0):
        t = max(1, round(share * T))
        rest = [100 * np.mean([float(normalise(c)[t - 1]) for c in found]) for found in (kl, fisher)]
        rows.append(
            {
                "Data": data,
                "Step": f"{t} of {T}",
                "NormKL, %": f"{rest[0]:.1f}",
                "Fisher, %": f"{rest[1]:.1f}",
            }
        )
tables.Table(pd.DataFrame(rows), "What is left of each curve's range at four steps, mean over seeds.", 2)

# %% [markdown]
# ## Eq. 15, checked
#
# For two models that differ by a small change $d$ of their weights, the divergence between their *outputs* is half a
# quadratic form with the Fisher information,
#
# ```{math}
# :label: eq-taylor
# \mathrm{KL}\bigl[p(y \mid x_{1:t}, \theta) \,\Vert\, p(y \mid x_{1:t}, \theta + d)\bigr]
# \approx \tfrac12\, d^\top F_t\, d .
# ```
#
# A spiking network is no smooth function of most of its weights: a small change moves no spike, a larger one moves
# some. The currents of the last layer, though, are linear in that layer's weights. So $d$ is a random change of these,
# the spikes stay as they are, and $F_t$ is the Fisher information of the model's own distribution, for which
# $d^\top F_t d$ is the variance over the classes of the outputs' change.


# %% tags=["hide-input"]
def distance(data):
    """The divergence at the last step and how far, in per cent, the form is from it: both `[seeds, sizes]`."""
    kl, form = (closer.curves((data, "dense"), name)[:, :, -1] for name in ("taylor_kl", "taylor_fisher"))
    return kl, 100 * np.abs(1 - np.divide(form, kl, out=np.full_like(kl, np.nan), where=kl > 0))


fig, axes = plots.subplots(1, 2, figsize=(9, 3.6))
numbers = []
for data in closer.sets:
    kl, gap = distance(data)
    plots.curve_with_band(axes[0], TAYLOR, kl, data)
    plots.curve_with_band(axes[1], TAYLOR, gap, data)
    mean = gap.mean(0)
    numbers += [f"{data}: {mean[i]:.2g} per cent apart for a change of {100 * TAYLOR[i]:g} per cent" for i in (0, 2, 4)]
for ax, title in zip(axes, ("divergence at the last step, nats", "distance of the form from it, %"), strict=True):
    found = any((np.asarray(line.get_ydata()) > 0).any() for line in ax.lines)  # not where a network is silent
    ax.set(xlim=(min(TAYLOR) / 1.2, max(TAYLOR) * 1.2), xscale="log", yscale="log" if found else "linear")
    ax.set(xlabel="size of the change, share of the weights' norm", ylabel=title)
axes[0].legend()
plots.show(
    fig,
    alt="Divergence against the size of the change, and how far half the quadratic form is from it. "
    + "; ".join(numbers)
    + ".",
    caption="The divergence of two models (left) and how far Eq. 15 is from it (right); mean and sd over seeds.",
    records=unique([closer]),
)

# %% [markdown]
# The gap shrinks in step with the change, as the next term of the expansion says. So Eq. 15 is right for what it is
# derived for. It is not a statement about the divergence from the labels, whose gradient does not vanish at the
# weights that training found.
#
# ## What to read from it
#
# Eq. 15 ties a divergence to Fisher information for two *models* close to each other. The divergence here is one to
# the *labels*, for which that expansion does not hold: there is a simpler reason for both curves to fall at first.
# A sample that is classified with confidence has a small loss and a small gradient, and the first frames are where
# most samples become so. Later the few samples that stay wrong decide: their loss changes little, but their
# gradients may grow again.
#
# ## Verdicts
#
# The claim is judged by Pearson's correlation, which sees the fall of both curves; ranks see the noise of their flat
# tails as much, and are shown beside it. The network that votes with spikes, as the paper's do, is a control.

# %% tags=["hide-input"]
page.verdicts()

# %% [markdown]
# ```{exercise}
# :label: ex-fig6-norm
# Take the squared norm of the *mean* gradient in place of {eq}`eq-fisher` for one batch. Why is it much
# smaller?
# ```
#
# ````{solution} ex-fig6-norm
# :class: dropdown
# At the end of training the gradients of the samples nearly cancel: their mean is close to zero although each
# is not. The trace measures their spread, the norm of the mean measures how far training has to go.
# ````

# %% tags=["remove-input"]
page.box()
