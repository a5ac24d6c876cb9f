# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.fig7, A.fig8], reads: [A.rounds, A.dense, A.ablation], minutes: 3}
# ---

# %% [markdown]
# # Paper A, Figs. 7 and 8: how large the surviving weights are
#
# **The paper shows that the weights of the pruned network are larger than those of the dense one, and reads it as the
# removal of unimportant weights. Whoever keeps the largest weights of any network gets larger weights: the control is
# to do just that.**


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.measure import MAGNITUDES
from snnbook.report.page import Page
from snnbook.report.pages.paper_a import layers

page = Page("stp/figs7_8", globals())
networks = layers.networks(page.results("A.rounds"), page.results("A.dense"))

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## How it was run
#
# The pruned networks are those of {doc}`table3` after the last round of S+T, the dense ones those of the first.
# *Selection* takes as many of the largest weights of the dense network as S+T has left, and trains nothing. Every
# record holds how many weights lie in each of the bins, twenty to a tenfold.

# %% tags=["hide-input"]
layers.magnitudes_picture(networks, MAGNITUDES)

# %% [markdown]
# ## How much of it is selection?
#
# The median is read off the histograms, so it is exact to a twentieth of a tenfold, about 12 %.


# %% tags=["hide-input"]
layers.magnitudes_table(networks, MAGNITUDES)

# %% [markdown]
# What lies between *selection* and *S+T* is due to the training after the cuts. If it is little, the figure says that
# the largest weights were kept, which is how they were chosen; larger weights are then no evidence that the removed
# ones did not matter. That evidence is accuracy.
#
# ## Verdict
#
# The claim is tested on the networks of {doc}`table4`, whose records hold exact means and medians, with the same
# control.

# %% tags=["hide-input"]
page.verdicts()

# %% [markdown]
# ```{exercise}
# :label: ex-figs78-magnitude
# S+T selects by LAMP, the control by magnitude over the whole network. Which of the two has the larger weights, before
# any training, and why?
# ```
#
# ````{solution} ex-figs78-magnitude
# :class: dropdown
# The control: nothing has a larger sum of magnitudes than the largest weights. LAMP gives some of its places to the
# smaller weights of layers that magnitude would thin out more.
# ````
#
# Next: {doc}`not_reproduced`, what this book could not show about the paper.

# %% tags=["remove-input"]
page.box()
