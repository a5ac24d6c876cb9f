# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare, compare.start], minutes: 4}
# ---

# %% [markdown]
# # What pruning costs: epochs and seconds
#
# **A sparse network is cheap to run; making it may not be.** This page takes the records of {doc}`methods` and asks
# what the trainings cost: in epochs, which are equal by design, and in processor time, which is not. Methods that were
# run with both starts have an arm for each.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.report import ladders
from snnbook.report.page import Page
from snnbook.report.pages import cost

page = Page("compare/cost", globals())

study = ladders.joined(page.results("compare"), page.results("compare.start"))

# %% [markdown]
# ## Are the epochs equal?

# %% tags=["hide-input"]
cost.summary(study)

# %% [markdown]
# A method that prunes in rounds divides the same epochs among its rounds, which may leave a few epochs unused.
#
# ## And the seconds?
#
# Every training ran on one thread, with the same kernels, two trainings at a time: seconds depend a little on what the
# neighbour did. Masks are zeros in dense tensors here, so sparse training does not get faster with fewer weights. What
# differs is the work of the method itself, such as sorting the scores, a penalty with a graph of its own, or time steps
# that were cut away. On hardware that skips zeros the order can be another one.

# %% tags=["hide-input"]
cost.picture(study)

# %% tags=["hide-input"]
cost.table(study)

# %% [markdown]
# ## Does time buy accuracy?
#
# Below, each arm that trains far longer than the others stands beside the same method with the usual epochs.

# %% tags=["hide-input"]
cost.trained_longer(study)

# %% [markdown]
# ## What is to be read with care?
#
# - Other trainings may have run on the same machine at the same time. Processor time is then good for a factor, not
#   for a few per cent; the interval is over the seeds and does not see what all of them have in common.
# - The dense network that methods go on from is trained once for each seed and shared by all of them. The table
#   counts it for each, as someone who wants one network pays for it.
# - Time to tune is not counted. Every method was given equally many candidates ({doc}`tuning`).
# - Memory is not measured. Methods that keep further tensors of the size of the weights, such as hidden values,
#   duals, or copies to rewind to, need more of it.
#
# Next: {doc}`tuning`, where the settings come from.

# %% tags=["remove-input"]
page.box()
