# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 7}
# ---

# %% [markdown]
# # SLAMP (reconstruction): LAMP that counts time
#
# **A weight acts at every time step, and a leaky neuron adds up what it receives. SLAMP multiplies the score of LAMP
# by how much the input of a layer adds up, so that layers with lasting input keep more. Only the abstract of paper D
# is public: everything on this page is our reconstruction from it** {cite:p}`wang2026slamp`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import slamp
from snnbook.pruning.parts import amplification
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/slamp", globals())

# %% [markdown]
# ## Idea
#
# LAMP ({doc}`lamp`) compares layers by the relative size of what is removed. In a spiking network the same change of a
# weight moves the membrane at each step, and what the membrane does not leak is still there at the next. The abstract
# speaks of *temporal accumulation*, *non-uniform timestep contributions* and *worst-case output distortion across
# layers and timesteps*, of scores that *reduce to conventional layer-adaptive pruning in single-timestep limit*. This
# page meets these phrases in the simplest way that we found; the authors' formulas may be others.
#
# ## Equations
#
# A neuron with leak $a = 1 - 1/\tau$ sees the input $x_t$ of its layer through the trace
#
# ```{math}
# :label: eq-slamp-trace
# z_t = a\, z_{t-1} + x_t, \qquad z_0 = 0.
# ```
#
# If the weights change by $\Delta$ and resets stay where they were, the membrane moves by no more than
# $\lVert\Delta\rVert\,\lVert z_t\rVert$ (up to the factor of the input, the same in all layers). Relative to the bound
# without memory that is the *amplification*
#
# ```{math}
# :label: eq-slamp-gamma
# \Gamma = \frac{\sum_t \mathbb E\lVert z_t\rVert^2}{\sum_t \mathbb E\lVert x_t\rVert^2},
# \qquad 1 \le \Gamma \le \Bigl(\frac{1 - a^T}{1 - a}\Bigr)^2,
# ```
#
# over all patches of a convolution. Minimising $\sum_l \Gamma_l \log(\lVert W_l\rVert^2 / \lVert\hat W_l\rVert^2)$ at
# a given number of weights left $\hat W$ amounts to one threshold on
#
# ```{math}
# :label: eq-slamp-score
# \mathrm{SLAMP}_l(u) = -\Gamma_l \log\bigl(1 - \mathrm{LAMP}_l(u)\bigr),
# ```
#
# since the cost of removing a layer's weights one by one, smallest first, never falls. At $T = 1$ all $\Gamma$ are 1,
# the logarithm changes no rank, and the masks are LAMP's. The largest weight of a layer scores infinitely high: no
# layer is ever emptied. To first order {eq}`eq-slamp-score` is $\Gamma\cdot\mathrm{LAMP}$ (`form="product"`), which
# gives no such guarantee.
#
# ## Algorithm and hooks
#
# | step | hook |
# |---|---|
# | at a few steps during training: {eq}`eq-slamp-gamma` on training samples, in evaluation mode | `after_step` |
# | score all living weights by {eq}`eq-slamp-score`, cut to the sparsity that is due | `after_step` |
# | retrain; zeros stay zero | the loop |
#
# Schedule and cuts are those of `magnitude` and `lamp`, so that the score is all that differs. The code, from the
# package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(slamp.SLAMP) + "\n\n" + inspect.getsource(slamp.scores), language="python"))
display(Code(inspect.getsource(amplification.amplification), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", epochs=3, train_size=SAMPLES, batch_size=20,
    network_settings={"convolutions": (8, 8, "M", 16), "hidden": (32,), "vote": 0, "norm_hidden": True, "gain": 2.0},
    method="slamp", settings={"sparsity": 0.9},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
from dataclasses import replace

lamp = experiments.run(replace(trial, method="lamp"), seed=0)
found = record.log["amplification"]
most = sum((2 - 2 ** (1 - t)) ** 2 for t in range(1, trial.T + 1)) / trial.T  # leak 1/2
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
ax.bar(range(1, len(found) + 1), list(found.values()))
ax.axhline(most, color="0.4", linestyle="--", label="the same input at every step")
ax.axhline(1, color="0.4", linestyle=":", label="no memory")
ax.set(xlabel="layer", ylabel="amplification", ylim=(0, 1.5 * most), xticks=range(1, len(found) + 1))
ax.legend(loc="upper right")
plots.weights_left(bx, {"SLAMP": [record], "LAMP": [lamp]})
bx.legend()
plots.show(
    fig,
    alt="Left: the amplification of each layer. The first, whose input is the same image at every step, reaches the "
    "value for constant input; the last has no neurons behind it and no memory. Right: share of weights left per layer "
    "for SLAMP and LAMP.",
    caption="Left: amplification at the last cut. Right: what the layers have left, beside LAMP at equal sparsity.",
    records=[record, lamp],
)

# %% [markdown]
# The spread of the bars is all that this method has over LAMP. Where they are nearly equal, so are the masks.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "slamp")

# %% [markdown]
# The row to compare with is that of LAMP; a difference within its interval says that time did not matter here.
#
# ## Deviations
#
# - Paper D's equations, algorithm, settings and results are not public, so there is nothing to deviate from, and
#   nothing here can confirm or refute it. What is tested: the bounds in {eq}`eq-slamp-gamma`, that
#   {eq}`eq-slamp-score` solves its allocation problem exactly, and that one time step gives LAMP's masks.
# - The time steps have equal weight. "Non-uniform timestep contributions" could also mean weights, for example those
#   of the Fisher information of paper A, or none after its decision step.
# - $\lvert x\rvert$ stands for the input of the first layer, which may be negative: a bound on the same.
# - Batch norm between weights and membrane is left out of the score, as in LAMP: it rescales whole layers, and such a
#   factor cancels.
# - A layer without neurons behind it, as the read-out here, has $\Gamma = 1$.
# - A factor that is the same in all layers changes no mask, so where the $\Gamma$ of the layers lie close together the
#   masks are almost LAMP's, and no difference in accuracy is to be expected.
# - The abstract's procedure has two stages, scores and pruning with retraining; here both happen a few times within
#   one training, like all gradual methods in this book.
#
# ```{exercise}
# :label: ex-slamp
# Multiply all weights of a layer by 10. Why must a temporal factor stand *between* layers, and not inside the squares?
# ```
#
# ````{solution} ex-slamp
# :class: dropdown
# A factor that multiplies all squared weights of a layer is in the numerator and the denominator of LAMP, and cancels.
# ````

# %% tags=["remove-input"]
page.box()
