# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 7}
# ---

# %% [markdown]
# # Grad R: gradient rewiring
#
# **A weight is the positive part of a hidden value with a fixed sign; below zero the weight is off, but the hidden
# value learns on, and may bring it back. A prior pushes all hidden values down** {cite:p}`chen2021gradr`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import gradr
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/gradr", globals())

# %% [markdown]
# ## Idea
#
# Deep R ({doc}`deepr`) lets connections that are off draw lots for coming back. Grad R lets them compete. Each weight
# has a hidden strength, and where that is negative the weight is zero. The true gradient of the strength is zero
# there too, so nothing would ever return. Grad R redefines it: the strength takes the gradient that the weight would
# have, whether it is on or off. A dormant connection that keeps being asked for climbs back above zero.
#
# ## Equations
#
# ```{math}
# :label: eq-gradr-weight
# w_k = s_k \max(\theta_k, 0), \qquad \nabla \theta_k := s_k \frac{\partial L}{\partial w_k},
# ```
#
# with the sign $s_k$ of the initial weight. A Laplace prior on $\theta$ adds its gradient,
#
# ```{math}
# :label: eq-gradr-prior
# \theta_k \leftarrow \theta_k - \eta \bigl( \nabla \theta_k + \alpha \,\mathrm{sign}(\theta_k - \mu) \bigr), \qquad
# \mu = \frac{\ln (2 - 2p)}{\alpha},
# ```
#
# and $p$ is the share of the prior below zero. For the usual $\alpha$ the centre $\mu$ lies so far below zero that no
# $\theta$ reaches it: the prior is a constant push.
#
# How strong is a push? In $N$ steps it moves $\theta$ by $\alpha \eta N$. Adam's steps are about $\eta$ long, so that
# chance alone moves $\theta$ by about $\eta \sqrt{N}$. What counts is the ratio, which is the setting here:
#
# ```{math}
# :label: eq-gradr-strength
# \texttt{strength} = \alpha \sqrt{N} .
# ```
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | hidden values and signs from the initial weights | `start` |
# | hidden values take the place of the weights, less the push of {eq}`eq-gradr-prior` | `after_backward` |
# | gradient step, of dormant ones too | the loop, with any optimiser |
# | hidden values are put aside; weights by {eq}`eq-gradr-weight` | `after_step` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(gradr.GradR), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    epochs=2, train_size=SAMPLES, batch_size=20,
    method="gradr", settings={"strength": 8.0},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
fig, ax = plots.subplots(1, 1, figsize=(6, 3.2), layout="constrained")
plots.weights_left(ax, {"Grad R": [record]})
plots.show(
    fig,
    alt="Share of weights left in each layer: most in the first, whose initial weights are the largest.",
    caption="One push for all layers: those with small initial weights lose the most.",
    records=[record],
)

# %% [markdown]
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "gradr")

# %% [markdown]
# Its points are a ladder of strengths, not of sparsities: read them where they fall, and compare along an axis.
#
# ## Deviations
#
# - The authors give $\alpha$ for a training of 2048 epochs of 3125 steps. From $2 \cdot 10^{-4}$ to $5 \cdot 10^{-3}$
#   their values are 0.5 to 12.6 in the units of {eq}`eq-gradr-strength`; the default, 2.5, is their $10^{-3}$. That a
#   strength in these units means the same in a shorter training is our argument, not theirs. We chose the unit after
#   short runs had been seen beside the sparsities that paper B prints for this method, so that their agreement is no
#   test of it.
# - The authors write a step of Adam. Here the recipe's optimiser steps $s_k \theta_k$, whichever it is, and the
#   method adds the prior. With plain gradient steps the unit in {eq}`eq-gradr-strength` loses its meaning, but not
#   the method.
# - Their learning rate is constant, $10^{-4}$, and their loss the squared error of the rates. Here the rate falls along
#   a cosine with the recipe, and the prior with it, so that late in the training few connections turn off or on.
# - Their code multiplies the prior by Adam's correction $1 / (1 - \beta_1^t)$, ten times stronger in the first step
#   and the same after some fifty; here it is the learning rate alone. With that factor put in, our weights equal
#   those of the authors' code over 300 steps up to rounding.
# - The final sparsity is an outcome of $\alpha$ and the length of the training. The *target sparsity* $p = 0.95$ of
#   papers is only the share of the prior.
# - A weight that starts at exactly zero has no sign and stays zero, in the authors' code too.
# - A layer that would be emptied keeps its largest weight, with a warning; the authors' code empties it.
#
# ```{exercise}
# :label: ex-gradr
# How small must $\alpha$ be in a training of 1200 steps at $\eta = 0.003$, so that $\mu$ comes into reach for
# $p = 0.95$?
# ```
#
# ````{solution} ex-gradr
# :class: dropdown
# It is the other way round. $\mu = \ln(0.1) / \alpha \approx -2.3 / \alpha$ moves away as $\alpha$ falls. A $\theta$
# that is pushed all the time falls by $\alpha \eta N / 2$ on a cosine from $\eta$ to 0; with $\eta = 0.003$ and
# $N = 1200$, $1.8 \alpha \ge 2.3 / \alpha$ takes $\alpha \ge 1.1$, a push longer than Adam's own step.
# ````

# %% tags=["remove-input"]
page.box()
