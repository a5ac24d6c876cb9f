# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 4}
# ---

# %% [markdown]
# # Pruning at random
#
# **Weights go by the toss of a coin, as many and at the same steps as with any other score. What a network can do
# afterwards is owed to its size and to training, not to the choice: a score has to beat this to be one.**

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning import scores
from snnbook.pruning.methods import gradual
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/random", globals())

# %% [markdown]
# ## Idea
#
# A claim that a method finds the weights that matter needs a control: the same network, the same schedule, the same
# epochs, with the finding taken out. Noise in place of the score is that control.
#
# ## Equations
#
# The score of every weight is drawn anew for each cut,
#
# ```{math}
# :label: eq-random
# \mathrm{score}(w) \sim U(0, 1),
# ```
#
# so every layer keeps about the share that the network keeps, $1 - s$: a layer with 144 weights has three of them left
# at 98 %, and a thin layer is a bottleneck.
#
# ## Algorithm and hooks
#
# | step | hook |
# |---|---|
# | at `updates` steps within the first `span` of the training: draw a score for each living weight | `after_step` |
# | cut the lowest, down to the sparsity that the schedule asks for | `after_step` |
# | dead weights stay zero | the loop applies the masks after every step |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(scores.random) + "\n\n" + inspect.getsource(gradual.Gradual), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", epochs=4, train_size=SAMPLES, batch_size=20,
    network_settings={"convolutions": (8, "M", 16, "M"), "hidden": (32,), "vote": 0, "norm_hidden": True, "gain": 2.0},
    method="random", settings={"sparsity": 0.9, "updates": 6},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
fig, ax = plots.subplots()
plots.weights_left(ax, {"random": [record]})
ax.axhline(10, color=plots.INK, linestyle=":", linewidth=1)
plots.show(
    fig,
    alt="The share of weights left in each layer: all close to ten per cent, the small layers further from it.",
    caption="Every layer is left with about the share of the whole, drawn as a dotted line.",
    records=[record],
)

# %% [markdown]
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "random")

# %% [markdown]
# All randomness comes from the seed of the run: the same seed gives the same masks.
#
# ## Deviations
#
# - The score is global, as with all gradual methods here, so the shares of the layers are random too. Other code draws
#   within each layer.
# - A small layer may be drawn empty. It then keeps its largest weight, with a warning, and the record says so.
#
# ```{exercise}
# :label: ex-random
# The first layer has 144 of 284,816 weights. How likely is it that noise leaves it empty at 99 %?
# ```
#
# ````{solution} ex-random
# :class: dropdown
# About $0.99^{144} = 0.24$: one network in four.
# ````

# %% tags=["remove-input"]
page.box()
