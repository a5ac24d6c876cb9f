# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 13}
# ---

# %% [markdown]
# # All methods on equal terms
#
# **Papers on pruning compare with numbers copied from other papers: other networks, other epochs, other counters.
# Here every method of this book prunes the same networks, on the same data, for as many epochs, and one program
# counts what is left.** The question is which method keeps the most accuracy, and whether the answer depends on what
# is held equal: weights, connections, or synaptic operations.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.report import ladders
from snnbook.report.page import Page
from snnbook.report.pages import compare, cost

page = Page("compare/methods", globals())

study = page.results("compare")

# %% [markdown]
# ## How was it run?
#
# Two small sets, one static (`digits-clutter`) and one of events (`digits-dvs`), each with one network
# ({doc}`../../reference/datasets`). A method has a *ladder*: the same training at several sparsities. Methods with a
# target are asked for the same shares of weights; where sparsity is an outcome, of a penalty or of removing channels,
# the ladder is one of strengths. All arms see as many epochs in total as the network that is never pruned, called
# *dense*: methods whose source prunes a trained network go on from one, with the same seed, and the others start from
# scratch.

# %% tags=["hide-input"]
cost.summary(study)

# %% [markdown]
# Settings were chosen on the validation split, from four candidates for each method or fewer ({doc}`tuning`); what is
# shown here was measured on the test split, once. What a training costs has a page of its own ({doc}`cost`), and what
# each method does is told in {doc}`../methods/overview`.
#
# ## How much accuracy is left at equal weights?
#
# This is the axis of most papers. Each row shows one family of methods in colour, with all others in grey behind it.

# %% tags=["hide-input"]
compare.by_family(study, "weights")

# %% [markdown]
# A method can be read off at any number of weights between two of its levels: accuracy is interpolated for each seed,
# linearly in the logarithm of the weights, and never beyond the end of a ladder. So all methods can be ranked at one
# *budget*. A method that is *not separable* from the first is one whose paired 95 % interval of the difference
# includes zero.

# %% tags=["hide-input"]
compare.leaders(study, "weights")

# %% [markdown]
# ## And at equal connections?
#
# A weight of an early layer is used at every place of a large map, one of the last layers once
# ({doc}`../ideas/sops`). Methods that spare the early layers keep more connections for the same number of weights,
# which moves their ladders to the left here.

# %% tags=["hide-input"]
compare.by_family(study, "connections")

# %% tags=["hide-input"]
compare.leaders(study, "connections")

# %% [markdown]
# ## And at equal synaptic operations?
#
# Operations are what a neuromorphic chip spends energy on: spikes times the live synapses behind them. They depend on
# how often the neurons fire too, and pruning changes that.

# %% tags=["hide-input"]
compare.by_family(study, "sops")

# %% tags=["hide-input"]
compare.leaders(study, "sops")

# %% [markdown]
# ## Does the order of the methods change?
#
# If weights were a fair stand-in for cost, the order would be the same on the three axes and the lines below would
# not cross. A budget on an axis is what the middle method spends at a level, so that about half of the methods spend
# more there and half spend less.

# %% tags=["hide-input"]
compare.slopes(study)

# %% tags=["hide-input"]
compare.order_sentences(study)

# %% tags=["hide-input"]
compare.order_table(study)

# %% [markdown]
# A pair that changes places need not be a finding: two methods that are equally good do so by chance. The intervals
# of the ranks, below, say how far the order can be trusted.
#
# ## Which points does nothing beat?
#
# A point is on the *Pareto front* if no other network is at least as accurate for at most as much. The front is the
# best that all methods together can do; a method that is on it nowhere has, at every point of its ladder, a better
# one beside it.

# %% tags=["hide-input"]
compare.fronts(study)

# %% tags=["hide-input"]
compare.front_table(study)

# %% [markdown]
# The front is made of means over the seeds, and by a maximum, so it flatters: where methods are close, other seeds
# would put other names on it.
#
# ## Who ranks where, over everything?
#
# At every budget and on every set the methods are ranked by accuracy; the mean of these ranks is one number for each
# method and axis. Its interval comes from drawing the seeds anew, the same ones for all methods.

# %% tags=["hide-input"]
compare.rank_picture(study)

# %% tags=["hide-input"]
compare.rank_table(study)

# %% [markdown]
# ## What do more epochs bring?
#
# Some methods come with a protocol of their own that trains for far longer, iterative pruning with rewinding most of
# all. Such arms are left out of everything above and shown here.

# %% tags=["hide-input"]
cost.trained_longer(study)

# %% [markdown]
# ## Every arm
#
# The tables are grouped by set and folded; the file has one line for each seed, to sort and plot at will.

# %% tags=["hide-input"]
compare.everything(study)

# %% [markdown]
# ## What is to be read with care?

# %% tags=["hide-input"]
compare.limits(study)

# %% [markdown]
# - **Equal epochs are not equal to what the papers did.** Most of the sources train for hundreds of epochs. Methods
#   that need many of them, to move a penalty slowly or to rewire often, are at a disadvantage here; methods that were
#   published with few are not.
# - **Equal epochs are not equal time.** {doc}`cost` has the seconds.
# - **A dense start is an advantage of its own kind.** Its epochs are counted, but they were spent with all weights. A
#   method that trains sparse from the first step could use a device on which the dense network does not fit.
# - **Tuning was nearly equal in the number of candidates**, which {doc}`tuning` lists, and not in effect: a method with
#   one important setting gains more from it than one with four. One set and one level were used for it; the settings
#   are the same on all levels.
# - **Two small sets and small networks.** At the same sparsity they have far fewer weights left than the papers'
#   networks. Nothing on this page says how the order is on large data.
# - **Structured methods play another game.** They remove whole channels, so their networks are smaller on any
#   hardware, and they reach fewer sparsities. The table of every arm has the parameters that are left after removal.
# - **Reconstructions.** Some methods have no public formula; their pages say so under *Deviations*.
#
# ```{exercise}
# :label: ex-compare-budget
# Take the two methods whose lines cross most steeply between equal weights and equal operations. Which layers do they
# spare?
# ```
#
# ````{solution} ex-compare-budget
# :class: dropdown
# A method that falls keeps weights where maps are large or neurons fire often; one that climbs keeps them in the late
# layers. The records have the counts:
#
# ```python
# record = study.records["digits-clutter", "magnitude", "98 %"][0]
# for layer in record.layers:
#     print(layer["name"], layer["weights_alive"], layer["connections_alive"], layer["sops"])
# ```
# ````
#
# ```{exercise}
# :label: ex-compare-own
# Make a ranking at your own budget: the accuracy of every method at 3 % of the weights.
# ```
#
# ````{solution} ex-compare-own
# :class: dropdown
# The next cell does it; change the number.
# ````

# %% tags=["hide-input"]
budget = 3.0  # per cent of the weights
for data in study.sets:
    means = {}
    for name in ladders.methods(study, data):
        accuracy = ladders.at_budget(ladders.ladder(study, data, name, "weights"), budget).values()
        if accuracy:
            means[name] = sum(accuracy) / len(accuracy)
    ranked = ladders.ranks(means)
    first = sorted(ranked, key=ranked.get)[:5]
    print(f"{data}:", ", ".join(f"{m} {means[m]:.1f}" for m in first) or "no ladder of these records has this budget")

# %% [markdown]
# Next: {doc}`cost`, what each of these networks costs to train.

# %% tags=["remove-input"]
page.box()
