# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 5}
# ---

# %% [markdown]
# # Paper B: unstructured pruning for energy
#
# {cite:t}`shi2024unstructured` prune single weights and single neurons of a spiking network together, under a penalty
# on the synaptic operations that are left. **The paper reports that CIFAR-10 needs 0.63 % of the connections and a 91st
# of the operations, for 2.19 points of accuracy.** This page says what of the paper the book has so far.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.report import papers, tables
from snnbook.report.page import Page
from snnbook.report.pages.paper_b import contents

page = Page("unstructured/paper", globals())

# %% tags=["remove-input"]
page.opening("all tables and figures that have a page, from here", paper="B")

# %% [markdown]
# ## The method
#
# 1. Give every weight and every neuron a mask $\sigma(\beta\alpha)$ with a number $\alpha$ of its own, which is
#    trained.
#
# 2. Add to the loss a penalty on the connections that are left, weighted by the energy of each, so that a mask closes
#    where it costs more than it is worth.
#
# 3. Raise $\beta$ until the masks are all but 0 and 1, make them so, and train the weights on.
#
# The method has a page of its own with its curves on our data ({doc}`../methods/unstructured`). What the paper counts
# as an operation, and what other programs count, is in {doc}`what_is_a_sop`.
#
# ## What has a page

# %% tags=["hide-input"]
contents.items()

# %% [markdown]
# ## The claims
#
# Verdicts on all of them are in {doc}`../compare/scoreboard`. Where the runs of the paper itself are still to come, the
# comparison of all methods has evidence at most.

# %% tags=["hide-input"]
contents.claims()

# %% [markdown]
# ## Where the paper contradicts itself
#
# Found while its tables were turned into data. Grade E is an error in the paper, Q is open to question, I is inferred
# from the numbers, O is damage in the text that we worked from, C is what the authors' public code does otherwise.

# %% tags=["hide-input"]
own = papers.discrepancies("B")[["id", "grade", "what", "consequence"]]
tables.Table(own.set_axis(["Id", "Grade", "What", "What follows"], axis=1), "Discrepancies in paper B")

# %% tags=["remove-input"]
page.box()
