# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 7}
# ---

# %% [markdown]
# # RCMO: minimax under a resource constraint
#
# **The number of weights to remove is a variable like the weights themselves, and two multipliers negotiate: one
# raises the price of every weight above the budget, the other that of the energy in the weights to go**
# {cite:p}`chen2023rcmo`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import rcmo
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/rcmo", globals())

# %% [markdown]
# ## Idea
#
# Schedules say how many weights go at each step. RCMO lets the optimisation find it: the budget is a constraint, and
# a constraint has a multiplier, which grows for as long as it is violated. The growing price drives the number of
# removed weights up, ever faster, until the budget is met.
#
# ## Equations
#
# Let $s$ of $N$ weights be removed, and $e_s(w)$ be the sum of the squares of the $s$ smallest. Then
#
# ```{math}
# :label: eq-rcmo-minimax
# \min_{w, s} \max_{y \ge 0,\, z \ge 0} \; L(w) + y\, e_s(w) + z \Bigl( 1 - \frac{s}{N} - b \Bigr)
# ```
#
# with the budget $b$, the share that may stay. In every step, after that of the optimiser: the $s$ smallest weights
# are shrunk, with $w_{(s+1)}$ the next one $s$ takes a gradient step, and $y$ and $z$ ascend:
#
# ```{math}
# :label: eq-rcmo-steps
# w_i \leftarrow \frac{w_i}{1 + 2 \eta y}, \quad
# s \leftarrow s - \eta_s \Bigl( y\, w_{(s+1)}^2 - \frac{z}{N} \Bigr), \quad
# y \leftarrow y + \eta_y e_s(w), \quad
# z \leftarrow z + \eta_z \Bigl( 1 - \frac{s}{N} - b \Bigr).
# ```
#
# Then the $s$ smallest are masked. The masks are made anew in every step: a weight that was zero has moved with the
# others, and may have overtaken one that was not.
#
# With $y = 0$, $s$ and $z$ are a pendulum: $s = (1 - b) N \bigl(1 - \cos(\sqrt{\eta_s \eta_z}\, t / N)\bigr)$, and
# the budget is met after a quarter of its period.
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | $s = z = 0$ | `start` |
# | a step of the optimiser | the loop |
# | {eq}`eq-rcmo-steps` and the masks | `after_step` |
# | once the budget is met: masks stay, fine-tuning | `after_step` does nothing any more |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(rcmo.RCMO), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    epochs=2, train_size=SAMPLES, batch_size=20,
    method="rcmo", settings={"sparsity": 0.9},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
removed = record.log["removed"]
ax.plot(range(1, len(removed) + 1), [s / record.metrics["weights_total"] for s in removed])
ax.set(xlabel="step", ylabel="share of weights removed")
plots.weights_left(bx, {"RCMO": [record]})
plots.show(
    fig,
    alt="Left: the share of removed weights rises ever faster, like a quarter of a cosine wave, and jumps to its end. "
    "Right: the share of weights left in each layer.",
    caption="Left: the price of the budget at work, until the span ends. Right: what each layer has left.",
    records=[record],
)

# %% [markdown]
# The path is the quarter of a pendulum's swing, which is fastest at its end: the last steps take the most.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "rcmo")

# %% [markdown]
# Compare it with the gradual methods, which cut by magnitude too, but fast at first and gently at the end.
#
# ## Deviations
#
# - The public step sizes ($\eta_s = 0.5$, $\eta_z = 10^{10}$, $\eta_y = 10^3$) fit the network they were made for, of
#   36 million weights, on which the quarter period is 800 steps. Here the period follows from `span`, $\eta_y$ is a
#   share of the energy, and the weight of $y$ against $z$ is `pull`; both defaults are what the public step sizes
#   come to on that network with mean squares of about $10^{-4}$, which is our estimate. With these, $y$ hardly slows
#   $s$ down.
# - With the step sizes translated, masks and multipliers equal those of the authors' code in each of 199 steps of a
#   small network.
# - What is missing when the span ends is cut then; the authors wait.
# - $s$ rises fastest where the budget is met. At a high sparsity few weights are left by then, and the last hundredth
#   of the span takes a large share of them. That is the method's own pace, in the authors' code too, but they fine-tune
#   for 300 epochs afterwards and the trainings here are short.
# - The authors stop at six budgets in turn, fine-tune for 300 epochs each with ten times the learning rate, and go on
#   from the weights that were best on the test set. Here there is one budget, one learning-rate schedule and no look
#   at the test set.
# - They leave the first layer dense (`first=False`); for the comparison all layers are pruned. With `first=False` the
#   others give more, so that the total stays what was asked for.
#
# ```{exercise}
# :label: ex-rcmo
# A gradual schedule after Zhu and Gupta cuts fast at first and gently at the end. RCMO does the opposite. Which would
# you expect to harm more at 99 %, and how could the pull of $y$ help?
# ```
#
# ````{solution} ex-rcmo
# :class: dropdown
# From 90 % to 99 % RCMO removes nine of ten survivors within a few steps, when weights are worth the most. $y$ grows
# with the energy that was removed, and multiplies the square of the next weight: a large `pull` slows $s$ where it
# hurts.
# ````

# %% tags=["remove-input"]
page.box()
