# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.table5], reads: [A.steps], minutes: 4}
# ---

# %% [markdown]
# # Paper A, Table 5: how many time steps to begin with
#
# **A recording can be cut into ten frames or into twenty-five. The paper reports that more frames leave a larger
# share of them to save, and that pruning in time and space stays stable at any number.** Here the ablation is run at
# four lengths.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.report.page import Page
from snnbook.report.pages.paper_a import ablation

page = Page("stp/table5", globals())
study = page.results("A.steps")

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## How it was run
#
# The recordings are the same at every length; they are cut into more or fewer frames by event number,
# so that a frame of a longer sequence holds fewer events. For each length and seed a dense network is trained, and
# the arms of {doc}`table4` go on from it: *none* trains on, *T* keeps the frames up to the decision step, *S+T* also
# cuts a quarter of the weights fourteen times.
#
# ## The table

# %% tags=["hide-input"]
ablation.steps_table(study)

# %% tags=["hide-input"]
ablation.steps_picture(study)

# %% [markdown]
# ## What to read from it
#
# The decision step is where a normalised curve falls below $\lambda$. If the divergence falls with the *share* of the
# events that the network has seen, $t'/T$ does not depend on $T$ at all, but for rounding. A share that falls with
# $T$ means that a fixed number of frames is enough, however few events each of them holds.
#
# The paper's own numbers are on a grid of single test samples, and two of its lengths have the same three accuracies
# to the last digit.
#
# ## Verdicts
#
# The paper's protocol for S+T is rounds that rewind. At the `laptop` profile there are none at four lengths, so what is
# said of S+T here is evidence and no verdict.

# %% tags=["hide-input"]
page.verdicts()

# %% [markdown]
# ```{exercise}
# :label: ex-table5-time
# Frames are cut by event number. What would change if they were cut by time?
# ```
#
# ````{solution} ex-table5-time
# :class: dropdown
# A slow start of a gesture would fill several frames with few events each, and the first decision would come later in
# frames, though not in seconds. The paper's text says that the frames have equal duration, its equations that they
# have equal numbers of events ({doc}`../ideas/events_to_frames`).
# ````
#
# Next: {doc}`figs3_4`, where the connections go.

# %% tags=["remove-input"]
page.box()
