# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 5}
# ---

# %% [markdown]
# # Gradual magnitude pruning
#
# **The smallest weights go, a few at a time, while the network trains. No other method needs fewer words or less
# computing, and a method that does not beat it has not earned its place: on every page of this book it is the
# yardstick** {cite:p}`han2015learning,zhu2017prune`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning import schedules
from snnbook.pruning.methods import gradual
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/magnitude", globals())

# %% [markdown]
# ## Idea
#
# A weight that training left small does little to the sum it enters. Taking all of them at once is too much: the
# network has no chance to move its function into the others. So the cuts are spread over the training, large ones
# first, when there is most to spare.
#
# ## Equations
#
# After the cut at progress $d \in (0, 1]$ of the pruning phase the sparsity is
#
# ```{math}
# :label: eq-magnitude-schedule
# s(d) = s_f \bigl(1 - (1 - d)^3\bigr),
# ```
#
# and the survivors are the $(1 - s)N$ weights with the largest $\lvert w \rvert$ of all layers together. Papers A and C
# use the same criterion, paper C the same schedule (Eq. 14, 15).
#
# ## Algorithm and hooks
#
# | step | hook |
# |---|---|
# | at `updates` steps within the first `span`: the sparsity due, by {eq}`eq-magnitude-schedule` | `after_step` |
# | rank the living weights of all layers together, cut the smallest | `after_step` |
# | dead weights stay zero | the loop applies the masks after every step |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(gradual.Gradual) + "\n\n" + inspect.getsource(schedules.cubic), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", epochs=4, train_size=SAMPLES, batch_size=20,
    network_settings={"convolutions": (8, "M", 16, "M"), "hidden": (32,), "vote": 0, "norm_hidden": True, "gain": 2.0},
    method="magnitude", settings={"sparsity": 0.9, "updates": 6},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
cuts = range(7)
for name, schedule in schedules.SCHEDULES.items():
    ax.step(cuts, [100 - 90 * schedule(i / 6) for i in cuts], where="post", label=name)
ax.set(xlabel="cuts done", ylabel="weights left, %", ylim=(0, 105))
ax.legend()
plots.weights_left(bx, {"magnitude": [record]})
plots.show(
    fig,
    alt="Left: the share of weights left after each of six cuts, for the cubic schedule, which falls fast and then "
    "levels out, and the linear one. Right: the share of weights left in each layer.",
    caption="Left: the two schedules, here down to 10 %. Right: what each layer of this run has left.",
    records=[record],
)

# %% [markdown]
# One threshold for all layers leaves each of them a share of its own: layers whose weights are large lose little.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "magnitude")

# %% [markdown]
# For this method the differences to itself are empty; on the other pages they are to this one.
#
# ## Deviations
#
# - All convolutions and linear layers are pruned, the first and the last too, in one ranking. Other code prunes each
#   layer by the same share, or spares the first and the last.
# - Zhu and Gupta cut every 100 or so steps; here there are `updates` cuts. Paper C's schedule stops one cut short of
#   its target; here the last cut lands on it exactly.
# - The count of survivors is exact. Of equal magnitudes the first in order of layer and position stay.
#
# ```{exercise}
# :label: ex-magnitude
# With the cubic schedule, which share of all the weights that ever go has gone after half of the cuts?
# ```
#
# ````{solution} ex-magnitude
# :class: dropdown
# $1 - (1 - 1/2)^3 = 7/8$.
# ````

# %% tags=["remove-input"]
page.box()
