# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [A.curves], minutes: 6}
# ---

# %% [markdown]
# # The decision step: when has a network seen enough?
#
# **A spiking network gives an output at every time step, and the first ones are often enough.** Paper A
# measures how far the accumulated output still is from the labels and stops where that has settled. The rule
# is short; the quantity behind it can be read in three ways.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

import numpy as np
import pandas as pd
import torch

from snnbook import measure
from snnbook.pruning.methods import stp
from snnbook.report import plots, tables
from snnbook.report.page import Page
from snnbook.report.records import unique

page = Page("methods/decision_step", globals())

# %% [markdown]
# ## Idea and equations
#
# Let $p_t$ be the softmax of the mean output over steps 1 to $t$. Its divergence from the label distribution
# $q$ is averaged over the training set (Eq. 7), normalised over the steps (Eq. 8), and the first step below a
# threshold is taken (Eq. 9):
#
# ```{math}
# :label: eq-decision
# \begin{aligned}
# \mathrm{KL}_t &= \frac1N\sum_n \sum_c p_{t,c} \log\frac{p_{t,c}}{q_c},\\
# \mathrm{NormKL}_t &= \frac{\mathrm{KL}_t - \min_s \mathrm{KL}_s}{\max_s \mathrm{KL}_s - \min_s \mathrm{KL}_s},\\
# t' &= \min\{t : \mathrm{NormKL}_t < \lambda\}.
# \end{aligned}
# ```
#
# With a one-hot label $q$ the sum is infinite. Three ways out, all in the package:
#
# | variant | quantity | where from |
# |---|---|---|
# | `smoothed` | $\mathrm{KL}(p \Vert q)$, with $q$ smoothed by $10^{-3}$ | Eq. 7, made finite; the default here |
# | `released` | $\mathrm{KL}(\mathrm{softmax}(\text{one-hot}) \Vert p)$ | the public code, for outputs in $[0, 1]$ |
# | `reverse` | $\mathrm{KL}(\text{one-hot} \Vert p)$, the cross-entropy | Eq. 7 turned round |
#
# ## From scratch, and from the package
#
# A network that grows sure over eight steps, 100 samples, 4 classes:


# %%
def smoothed_kl(logits, labels, eps=1e-3):
    T, N, K = logits.shape
    p = (logits.cumsum(0) / torch.arange(1, T + 1)[:, None, None]).softmax(2)
    q = torch.full((N, K), eps / K)
    q[torch.arange(N), labels] += 1 - eps
    return (p * (p / q).log()).sum(2).mean(1)


g = torch.Generator().manual_seed(0)
labels = torch.randint(4, (100,), generator=g)
evidence = torch.nn.functional.one_hot(labels, 4) * torch.arange(1, 9)[:, None, None] / 2
logits = evidence + torch.randn(8, 100, 4, generator=g)
print(smoothed_kl(logits, labels))
print(measure.kl_curve(logits, labels))
print([measure.decision_timestep(measure.kl_curve(logits, labels), lam) for lam in (0.01, 0.05, 0.2)])

# %% [markdown]
# ## Algorithm and hooks
#
# | step | hook of the loop |
# |---|---|
# | run the dense network on the training set, find $t'$ | `start`, with the loop's `decision_step` |
# | train on the first $t'$ frames from then on | `start` sets `T` |
# | cut a quarter of the survivors, train, repeat | `start`, `between_rounds` |
#
# The method `stp` does both halves of paper A; with `share=0` it only shortens the sequence, with
# `temporal=false` it only prunes. Its hooks, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

hooks = (stp.STP.start, stp.STP.between_rounds, stp.STP._shorten, stp.STP._cut)
display(Code("\n".join(inspect.getsource(hook) for hook in hooks), language="python"))

# %% [markdown]
# ## A run
#
# The dense networks of paper A's Table 4, on both event sets.

# %%
study = page.results("A.curves")

# %% tags=["hide-input"]
VARIANTS = ("smoothed", "released", "reverse")
fig, axes = plots.subplots(1, 2, figsize=(9, 3.6))
for ax, data in zip(axes, study.sets, strict=True):
    for variant in VARIANTS:
        kl = study.curves((data, "dense"), f"kl_{variant}")
        plots.curve_with_band(ax, np.arange(1, kl.shape[1] + 1), [measure.normalise(c) for c in kl], variant)
    ax.axhline(0.05, color=plots.INK, linewidth=0.8, linestyle=":")
    ax.set(title=data, xlabel="time step t", ylabel="NormKL")
axes[0].legend(title="variant")
last = [
    f"{data}, {v}: lowest at step {np.median([c.argmin() + 1 for c in study.curves((data, 'dense'), f'kl_{v}')]):.0f}"
    for data in study.sets
    for v in VARIANTS
]
plots.show(
    fig,
    alt="Normalised divergence against the time step for three variants on both event sets. A dotted line marks 0.05. "
    + "; ".join(last),
    caption="NormKL over time steps, three variants, mean and sd over seeds; dotted: the laptop profile's threshold.",
    records=unique([study]),
)

# %% tags=["hide-input"]
rows = []
for data in study.sets:
    after = study.curves((data, "dense"), "accuracy_test")
    for variant in VARIANTS:
        kl = study.curves((data, "dense"), f"kl_{variant}")
        t = [measure.decision_timestep(c, 0.05) for c in kl]
        early = {seed: a[i - 1] for seed, a, i in zip(study.seeds, after, t, strict=True)}
        whole = dict(zip(study.seeds, after[:, -1], strict=True))
        rows.append(
            {
                "Data": data,
                "Variant": variant,
                "t' at λ = 0.05": tables.mean_sd_text([float(i) for i in t], 1),
                "of T": kl.shape[1],
                "Accuracy at t' minus at T [95 % interval]": tables.change_text(early, whole),
            }
        )
tables.Table(pd.DataFrame(rows), "Decision step and what stopping there costs the dense network, in points.", 2)

# %% [markdown]
# ## Where it stands
#
# A variant decides well only where its curve falls. The one of the public code has a flat target, which outputs
# between 0 and 1 approach from below; our read-out is an unbounded current that passes it and moves away. There the
# minimum is no sign of a settled decision, and the accuracy at that step shows it.
#
# Stopping costs something, and the rule says nothing about how much: it looks at a curve relative to its own
# range. What a network loses when it is *trained* for the shorter sequence is in {doc}`../stp/table4`.
#
# ## Deviations
#
# - If all divergences are equal, the normalisation is 0/0; then $t' = T$.
# - Accumulated output is the running *mean*. With a running *sum* the softmax sharpens with $t$ by itself.
# - The factor of the public code cancels in the normalisation and is left out.
#
# ```{exercise}
# :label: ex-decision-monotone
# Show that $t'$ can only fall or stay as $\lambda$ grows.
# ```
#
# ````{solution} ex-decision-monotone
# :class: dropdown
# The set $\{t : \mathrm{NormKL}_t < \lambda\}$ grows with $\lambda$, and the smallest member of a larger set
# is not larger.
# ````

# %% tags=["remove-input"]
page.box()
