# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.fig3, A.fig4], reads: [A.rounds, A.dense, A.hundred], minutes: 4}
# ---

# %% [markdown]
# # Paper A, Figs. 3 and 4: connections and firing rates, layer by layer
#
# **The paper shows that its method keeps the first layers connected where IMP does not, prunes the first linear layer
# harder, and that neurons fire more where connections are fewer.** The captions of the two figures are lost, and it
# is open which of them shows what; here both quantities are shown for both event sets.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.report import tables
from snnbook.report.page import Page
from snnbook.report.pages.paper_a import layers

page = Page("stp/figs3_4", globals())
networks = layers.networks(page.results("A.rounds"), page.results("A.dense"))

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## How it was run
#
# The networks are those of {doc}`table3` after their last round, and the dense ones of their first. *Connectivity* is
# the share of a layer's synapses that is left. The *firing rate* is that of the neurons behind the layer: spikes per
# neuron and time step over the test samples. The last layer has no neurons behind it.

# %% tags=["hide-input"]
layers.connectivity_picture(networks)

# %% tags=["hide-input"]
layers.connectivity_table(networks)

# %% [markdown]
# ## What to read from it
#
# How the cut falls on the layers is a property of the score and of the dense weights; training after it changes
# little. The last layer is small and has large weights, so that both scores spare it.
#
# Whether *fewer connections go with a higher rate* has to be asked within a layer, over networks: between layers,
# rate and connectivity differ for many reasons. A neuron with fewer inputs can only fire more if its batch norm
# rescales what is left, which training does.
#
# ## Verdicts

# %% tags=["hide-input"]
page.verdicts()

# %% tags=["hide-input"]
for verdict in page.judged():
    tables.comparisons_table(verdict).show()

# %% [markdown]
# ```{exercise}
# :label: ex-figs34-weights
# Why does the first layer's share of the *network's* connections grow under LAMP?
# ```
#
# ````{solution} ex-figs34-weights
# :class: dropdown
# It has few weights, so LAMP's sums there are short and its scores high; and each of its weights is used at every
# place of the largest map. Most of what LAMP spends more than IMP in connections, it spends there and in the second
# layer.
# ````
#
# Next: {doc}`fig5`, the threshold of the decision step.

# %% tags=["remove-input"]
page.box()
