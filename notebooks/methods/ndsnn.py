# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # NDSNN: drop much, grow less
#
# **Sparse training in which every exchange grows fewer weights than it drops, as neurogenesis slows with age. It
# starts sparse, ends sparser, and is a baseline of paper C on VGG16 and ResNet19** {cite:p}`huang2023ndsnn`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

import numpy as np

from snnbook import experiments
from snnbook.pruning import schedules
from snnbook.pruning.methods import ndsnn
from snnbook.pruning.parts import drop_and_grow
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/ndsnn", globals())

# %% [markdown]
# ## Idea
#
# Training at the final sparsity from the first step is cheap but leaves few weights to find their places with.
# Training densely is dear. NDSNN starts in between: at a moderate sparsity, from which the number of weights falls
# while they are exchanged. Early exchanges are large and grow nearly all they drop; late ones are small.
#
# ## Equations
#
# The sparsity of a layer after exchange $k$ of $n$ goes from $\theta_i$ to $\theta_f$,
#
# ```{math}
# :label: eq-ndsnn-sparsity
# \theta_k = \theta_f + (\theta_i - \theta_f)\bigl(1 - \tfrac{k}{n}\bigr)^3,
# ```
#
# the share of the living weights that is dropped from $d_0$ to $d_\mathrm{min}$,
#
# ```{math}
# :label: eq-ndsnn-share
# d_k = d_\mathrm{min} + \frac{d_0 - d_\mathrm{min}}{2}\Bigl(1 + \cos\frac{\pi k}{n}\Bigr),
# ```
#
# and of a layer of $N$ weights, of which $A$ live, as many grow as {eq}`eq-ndsnn-sparsity` leaves room for,
#
# ```{math}
# :label: eq-ndsnn-grow
# N (1 - \theta_k) - (A - \lfloor d_k A \rfloor).
# ```
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | random start, every layer at its $\theta_i$ | `start` |
# | $n$ times: drop the smallest {eq}`eq-ndsnn-share` of each layer | `after_step` |
# | grow {eq}`eq-ndsnn-grow` by gradient | `after_step`, by `regrow` |
# | after that: masks fixed | the loop applies the masks after every step |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(ndsnn.NDSNN), language="python"))

# %% [markdown]
# The step that the sparse training methods share, from the same package:

# %% tags=["hide-input"]
display(Code(inspect.getsource(drop_and_grow.regrow), language="python"))

# %% [markdown]
# ## A minimal run

# %%
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    epochs=2, train_size=200, batch_size=20,
    method="ndsnn", settings={"sparsity": 0.9, "updates": 15},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
n, theta_i, theta_f, N = 15, 0.5, 0.9, record.metrics["weights_total"]
k = np.arange(n + 1)
alive = N * (1 - theta_f + (theta_f - theta_i) * (1 - np.array([schedules.cubic(x) for x in k / n])))
share = np.array([schedules.cosine(0.5, 0.05, x) for x in k[1:] / n])
dropped = np.maximum(share * alive[:-1], alive[:-1] - alive[1:])
fig, ax = plots.subplots()
ax.plot(k[1:], dropped / 1000, label="dropped")
ax.plot(k[1:], (alive[1:] - alive[:-1] + dropped) / 1000, label="grown")
ax.plot(k[1:], np.array(record.log["grown"]) / 1000, label="grown that were dead before, the run above")
ax.set(xlabel="exchange", ylabel="thousand weights")
ax.legend()
plots.show(
    fig,
    alt="Weights dropped and grown at each exchange: both fall, and fewer are grown than dropped; fewer still were "
    "dead before.",
    caption="The plan of the run above, and what came alive in it.",
    records=[record],
)

# %% [markdown]
# Fewer are grown than dropped, and of these some were dropped in the same exchange. With few exchanges the sparsity
# rises faster than the share to drop allows for: then nothing grows at all, and the method is gradual pruning.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "ndsnn")

# %% [markdown]
# Compare it with the rows of the other methods at the same share of weights; the same weights can be different
# numbers of connections and operations, which have columns of their own.
#
# ## Deviations
#
# - No code was published, and only the abstract could be read here: it speaks of a drop-and-grow strategy from
#   scratch with a decreasing number of non-zero weights. {eq}`eq-ndsnn-sparsity`, {eq}`eq-ndsnn-share`, growth by
#   gradient and dropping by magnitude are from memory, and could not be checked.
# - Our choice: $d_0 = 0.5$, $d_\mathrm{min} = 0.05$, $\theta_i = 0.5$; ERK densities at both ends, between which
#   each layer goes its own way; a weight that was just dropped may grow again with its value; exchanges in the
#   first three quarters of the training.
# - Where $d_k A$ is less than what {eq}`eq-ndsnn-sparsity` takes away, more is dropped and nothing grows.
# - The last exchange lands on the exact count of every layer.

# %% tags=["remove-input"]
page.box()
