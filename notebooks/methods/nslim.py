# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # Network slimming: channels whose scale is small
#
# **Batch norm multiplies each channel by a number of its own. Push these numbers to zero while training, remove the
# channels where they are smallest, and what remains is an ordinary, narrower network** {cite:p}`liu2017slimming`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import nslim
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/nslim", globals())

# %% [markdown]
# ## Idea
#
# The methods before this one leave a sparse network, and a machine needs help to profit from it
# ({doc}`../ideas/sops`). Remove whole channels, and nothing sparse is left: the layers are smaller. Batch norm has a
# scale for each channel already, which costs nothing to read and is comparable between layers, since what it scales is
# normalised.
#
# ## Equations
#
# Let $\gamma$ run over the scales $\Gamma$ of all batch norms. The first part of the training minimises
#
# ```{math}
# :label: eq-nslim-loss
# \mathcal{L} = \sum_{(x, y)} l(f(x, W), y) + \lambda \sum_{\gamma \in \Gamma} |\gamma|
# ```
#
# (paper C, Eq. 16). One threshold on $|\gamma|$ for the whole network then parts the share of the channels that goes
# from those that stay.
#
# A channel is more than a row of one layer. The neurons behind it, and the columns of every layer that reads them go
# with it; behind a flattening, a column for each pixel. Where two layers are added, their channels are the same. The
# package finds this out by making a row NaN and looking where NaN arrives, so it needs no list of kinds of layers.
#
# ## Algorithm and hooks
#
# | step of the algorithm | hook |
# |---|---|
# | which channels belong together | `start`, by `find_channels` |
# | train with {eq}`eq-nslim-loss` | `penalty` |
# | rank all scales, remove the channels with the smallest | `after_step`, once |
# | fine-tune without the penalty | dead channels are held at zero in `after_step` |
# | copy what is left into a narrow network | `finish` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(nslim.NSlim), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    network_settings={"vote": 0, "norm_hidden": True, "gain": 2.0}, epochs=2, train_size=SAMPLES, batch_size=20,
    method="nslim", settings={"channels": 0.6, "strength": 1e-2},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")
print(f"the narrow network has {record.metrics['parameters_smaller']} parameters,")
print(f"and its logits differ from the masked one's by at most {record.metrics['smaller_differs']:.1g}")

# %% tags=["hide-input"]
fig, ax = plots.subplots(figsize=(6, 3.4), layout="constrained")
plots.weights_left(ax, {"slimming": [record]})
plots.show(
    fig,
    alt="Share of weights left in each layer of the run above.",
    caption="Weights left per layer. A layer between two others loses rows and columns.",
    records=[record],
)

# %% [markdown]
# The hidden linear layer takes part because it has a batch norm here (`norm_hidden`). Without one it would keep its
# units and lose columns only, and as the widest layer it would bound what slimming can do.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "nslim")

# %% [markdown]
# Read it by what is left: a structured method is set to a share of channels, so its points lie where these shares
# lead, and not on the sparsities of the others.
#
# ## Deviations
#
# - The public code fine-tunes with a learning rate that starts anew, for as long as it trained; here one schedule
#   spans both, split by `span`, so that the epochs are those of the other methods.
# - Its scales start at 0.5, which sparsifies faster; ours start at the `gain` of the network, and
#   `network_settings={"gain": 0.5}` does as it does.
# - Its optimiser is SGD, in which $\lambda$ is a pull of fixed strength. Here the gradient of the penalty passes
#   through the recipe's optimiser. Under Adam a scale moves by about one learning rate a step whatever $\lambda$ is,
#   where the loss says little, and travels hardly further than the learning rates of all steps before the cut add up
#   to. Where that sum is small against the scales' start, their ranking is mostly that of the start and of noise.
# - It removes the channel at the threshold too, one more than asked for. The count here is exact.
# - In its residual network each block reads a selection of the stream, which itself stays whole. Here the stream stays
#   whole and is read whole.
# - A layer that would lose all its channels keeps the best one, with a warning; the public code leaves it to the user.
# - Torch-Pruning, the library for such dependencies, was tried and does not fit: it loses the channels where time is
#   folded into the batch (the numbers are in the docstring of `channels.py`).
#
# ```{exercise}
# :label: ex-nslim
# Multiply the weights of one convolution by 10. What happens to the ranking of its channels by $|\gamma|$, and by the
# size of their weights?
# ```
#
# ````{solution} ex-nslim
# :class: dropdown
# Nothing happens to the first: batch norm divides by the standard deviation, which is 10 times larger too, so neither
# the output nor any gradient of $\gamma$ changes. The second grows by 10, against the other layers.
# ````

# %% tags=["remove-input"]
page.box()
