# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [lamp, A.rounds, compare], minutes: 8}
# ---

# %% [markdown]
# # LAMP: layer-adaptive magnitude pruning
#
# **Ranking all weights of a network by magnitude empties the layers whose weights are small. LAMP divides
# each squared weight by what would be left of its layer, and so never empties one.** It is the spatial half
# of paper A, one line of arithmetic, and a strong method on its own {cite:p}`lee2020lamp`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

import pandas as pd
import torch

from snnbook.pruning import global_masks, scores
from snnbook.pruning.methods import gradual
from snnbook.report import plots, tables
from snnbook.report.page import Page
from snnbook.report.pages import method
from snnbook.report.records import by_seed, unique

page = Page("methods/lamp", globals())

# %% [markdown]
# ## Idea and equation
#
# Sort the weights of one layer by magnitude. The score of the weight of rank $u$ is
#
# ```{math}
# :label: eq-lamp
# \mathrm{score}(u) = \frac{W[u]^2}{\sum_{v \ge u} W[v]^2},
# ```
#
# its square over the sum of its own square and all larger ones (paper A, Eq. 1). The largest weight of a
# layer scores exactly 1. So one threshold for the whole network removes a share of every layer that fits the
# layer, and the last weight of a layer is never the first to go.
#
# ## From scratch, and from the package


# %%
def lamp(w):
    squares = w.flatten() ** 2
    order = squares.argsort(descending=True)
    score = torch.empty_like(squares)
    score[order] = squares[order] / squares[order].cumsum(0)
    return score.view_as(w)


w = torch.tensor([0.1, 0.2, 0.5, 1.0, 2.0], dtype=torch.float64)
print(lamp(w))
print(scores.lamp({"layer": w})["layer"])

# %% [markdown]
# The package ranks from the largest weight and sums in double precision. Public code takes the total minus a
# running sum, in single precision; for a large layer little of that difference is left when it matters most. The
# score of the largest weight should be 1:

# %%
g = torch.Generator().manual_seed(0)
squares = torch.randn(20_000_000, generator=g).square().sort().values
tail = squares.sum() - squares.cumsum(0) + squares
print("single precision:", (squares / tail)[-1].item())
print("snnbook:", scores.lamp({"layer": squares.sqrt()})["layer"].max().item())

# %% [markdown]
# ## What the score does to two layers
#
# Two layers with the same shape of weights, one ten times smaller. At 90 % sparsity:

# %%
g = torch.Generator().manual_seed(0)
layers = {"large": torch.randn(1000, generator=g), "small": 0.1 * torch.randn(1000, generator=g)}
for name, score in (("magnitude", scores.magnitude), ("lamp", scores.lamp)):
    masks = global_masks(score(layers), 0.9)
    print(name, {layer: int(mask.sum()) for layer, mask in masks.items()})

# %% [markdown]
# ## Algorithm and hooks
#
# | step | hook of the loop |
# |---|---|
# | at a few steps during training: score the living weights of all layers | `after_step` |
# | cut the lowest, down to the sparsity that the schedule asks for | `after_step` |
# | zeros stay zero | the loop applies the masks after every step |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(gradual.Gradual), language="python"))

# %% [markdown]
# ## A run
#
# Static images, 98 % of the weights pruned. For each seed, all four start from one dense network and get
# the same epochs: dense (trained on), noise, global magnitude, LAMP.

# %%
study = page.results("lamp")
(data,) = study.sets

# %% tags=["hide-input"]
METHODS = ("dense", "random", "magnitude", "lamp")
rows = []
for name in METHODS:
    top1, dense = (by_seed(study.records[data, arm], "top1") for arm in (name, "dense"))
    left = 100 * study.values((data, name), "connections_alive") / study.values((data, name), "connections_total")
    rows.append(
        {
            "Method": name,
            "Accuracy, %": tables.mean_sd_text(list(top1.values())),
            "minus dense [95 % interval]": "–" if name == "dense" else tables.change_text(top1, dense),
            "Weights pruned, %": f"{study.values((data, name), 'sparsity').mean():.2f}",
            "Connections left, %": tables.mean_sd_text(left.tolist()),
            "SOPs, thousand": tables.mean_sd_text((study.values((data, name), "sops") / 1e3).tolist(), 1),
        }
    )
tables.Table(pd.DataFrame(rows), "Four methods at equal weight sparsity, mean ± sd (number of seeds).")

# %% tags=["hide-input"]
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.6))
plots.weights_left(ax, {name: study.records[data, name] for name in METHODS[1:]})
ax.legend()
arms = {name: [study.values((data, name), metric) for metric in ("sops", "top1")] for name in METHODS}
plots.points_by_arm(bx, {name: (sops / 1e3, top1) for name, (sops, top1) in arms.items()})
bx.set(xscale="symlog", xlabel="thousand SOPs per sample", ylabel="test accuracy, %")
plots.show(
    fig,
    alt="Left: share of weights left per layer for random, magnitude and LAMP pruning; LAMP keeps more early ones. "
    "Right: accuracy against synaptic operations, one point per seed and method.",
    caption="Left: weights left per layer. Right: the same networks by what they cost.",
    records=unique([study]),
)

# %% [markdown]
# Read the two pictures together. LAMP keeps more of the early layers, whose weights are few but used at many
# positions: at the same number of weights it has more connections and more synaptic operations. *At equal weights* and
# *at equal operations* are different questions.
#
# ## Verdict
#
# The paper says that LAMP prevents the over-pruning of any one layer. The check compares the emptiest layers after
# fourteen rounds ({doc}`../stp/table2`, {doc}`../stp/table3`): is LAMP's fuller than that of global magnitude? No layer
# is ever empty under LAMP, but that is less than the claim says: weights that are kept in the early layers are missing
# elsewhere.

# %% tags=["hide-input"]
page.verdicts("A-25")

# %% [markdown]
# ## Where it stands
#
# Against all other methods, at four sparsities and with equal epochs:

# %% tags=["hide-input"]
method.standing(page.results("compare"), "lamp")

# %% [markdown]
# ## Deviations
#
# - Paper A's Algorithm 1 divides by a running sum in the wrong direction, which would cut the largest weights
#   first; Eq. 1 is used ({prf:ref}`wrong-tail`).
# - Paper A prunes in rounds (method `stp`, {doc}`../stp/table4`); on this page the cuts come gradually within one
#   training, as global magnitude pruning does it, so that only the score differs between the rows. In the comparison
#   `stp` makes fewer and larger cuts than `lamp`; that is what separates these two on static images.
# - The last layer and the first are pruned like any other, as in the public code.
#
# ```{exercise}
# :label: ex-lamp-scale
# Multiply all weights of one layer by 10. What happens to its LAMP scores, and to its magnitude scores?
# ```
#
# ````{solution} ex-lamp-scale
# :class: dropdown
# LAMP does not change: numerator and denominator grow by 100. Magnitude scores grow by 10, so the layer keeps
# more of its weights at the cost of the others. In a network with batch norm the scale of a layer's weights
# has no effect on its output, so a score that depends on it measures nothing.
# ````
#
# ```{exercise}
# :label: ex-lamp-break
# Break it: use the ascending running sum. Which weight of each layer has score 1?
# ```
#
# ````{solution} ex-lamp-break
# :class: dropdown
# The smallest: its sum holds only itself.
#
# ```python
# squares = w**2
# print(squares / squares.cumsum(0))
# ```
# ````

# %% tags=["remove-input"]
page.box()
