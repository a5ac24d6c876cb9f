# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.fig2], reads: [], minutes: 3}
# ---

# %% [markdown]
# # Paper A, Fig. 2: LAMP and magnitude on ten weights
#
# **The figure contrasts what IMP and LAMP remove. On two layers of five weights the difference can be worked out by
# hand**, and this page does that. Its caption and drawing did not survive in the text that we worked from; the toy is
# our own.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import pandas as pd
import torch

from snnbook.pruning import global_masks, scores
from snnbook.report import plots, tables
from snnbook.report.page import Page

page = Page("stp/fig2", globals())

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## Two layers
#
# The first layer has the weights 0.1, 0.2, 0.5, 1 and 2; the second has the same, an eighth as large. A first layer
# with few, large weights before a later one with small ones is what training often leaves: a unit with a large fan-in
# needs less from each of its inputs.

# %%
first = torch.tensor([0.1, 0.2, 0.5, 1.0, 2.0], dtype=torch.float64)
layers = {"first": first, "second": first / 8}

# %% [markdown]
# Magnitude puts 0.2 of the first layer below 0.25 of the second. LAMP divides each square by the sum of its own and
# all larger ones of its layer, so the factor cancels: both layers get the same scores, $1/1$ for the largest weight,
# then $1/(1+4)$, $0.25/5.25$, $0.04/5.29$ and $0.01/5.3$.

# %% tags=["hide-input"]
rows = []
found = {"magnitude": scores.magnitude(layers), "LAMP": scores.lamp(layers)}
for name, w in layers.items():
    for i, value in enumerate(w.tolist()):
        row = {"Layer": name, "Weight": f"{value:g}"}
        rows.append(row | {score: f"{values[name][i]:.4f}" for score, values in found.items()})
tables.Table(pd.DataFrame(rows), "The scores of ten weights.", 2)

# %% [markdown]
# ## What is left
#
# Four of the ten weights go, then eight. Magnitude empties the second layer; LAMP keeps the same number in both.

# %% tags=["hide-input"]
KEPT = (6, 2)
rows = []
for keep in KEPT:
    for score, values in found.items():
        masks = global_masks(values, 1 - keep / 10)
        rows.append({"Kept": keep, "Score": "magnitude (IMP)" if score == "magnitude" else score})
        rows[-1] |= {
            f"{name} layer": ", ".join(f"{v:g}" for v in w[masks[name]].tolist()) or "nothing"
            for name, w in layers.items()
        }
tables.Table(pd.DataFrame(rows), "The weights that survive.", 2)

# %% tags=["hide-input"]
fig, axes = plots.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, (score, values) in zip(axes, found.items(), strict=True):
    for x, (name, w) in enumerate(layers.items()):
        for keep, size in ((10, 30), (6, 110), (2, 260)):
            alive = w[global_masks(values, 1 - keep / 10)[name]] if keep < 10 else w
            filled = plots.PALETTE[x] if keep == 10 else "none"
            ax.scatter([x] * len(alive), alive, s=size, facecolors=filled, edgecolors=plots.PALETTE[x])
    ax.set(yscale="log", xlim=(-0.5, 1.5), title="magnitude (IMP)" if score == "magnitude" else score)
    ax.set_xticks([0, 1], ["first layer", "second layer"])
axes[0].set_ylabel("weight")
plots.show(
    fig,
    alt="Ten weights in two columns, once for each score. Rings mark those among the best six, double rings those "
    "among the best two. By magnitude the first layer has four rings and both double rings; by LAMP each layer has "
    "three rings and one double ring.",
    caption="Dots: all weights. Ring: among the six that are kept. Second ring: among the two that are kept.",
)

# %% [markdown]
# The toy is exact and says nothing about accuracy: whether the second layer *deserves* as many weights as the first
# is a question for training ({doc}`table2`, {doc}`table3`). Real networks differ less between layers than by a factor
# of eight, and the counts of weights per layer differ more; what the two scores make of those is shown in
# {doc}`figs3_4`.
#
# ```{exercise}
# :label: ex-fig2-scale
# Multiply the second layer by 100 in place of dividing it by 8. Which of the two scores notices?
# ```
#
# ````{solution} ex-fig2-scale
# :class: dropdown
# Only magnitude: LAMP does not change if a whole layer is scaled. That is why it suits networks with batch norm,
# whose output does not depend on the scale of the weights before it.
# ````
#
# Next: {doc}`figs3_4`, the same question in trained networks.

# %% tags=["remove-input"]
page.box()
