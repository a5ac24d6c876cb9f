# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare, compare.tuning, compare.start, compare.layers], minutes: 20}
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
from snnbook.report import ladders, look, orders
from snnbook.report.page import Page
from snnbook.report.pages import allocation, compare, cost, ranks, start

page = Page("compare/methods", globals())

study = page.results("compare")
tuned = page.results("compare.tuning")
starts = page.results("compare.start")
layers = page.results("compare.layers")

# %% [markdown]
# ## How was it run?
#
# Two small sets, one static (`digits-clutter`) and one of events (`digits-dvs`), each with one network
# ({doc}`../../reference/datasets`). A method has a *ladder*: the same training at several sparsities. Methods with a
# target are asked for the same sparsities, 80, 90, 95, 98 and 99 %, on events for the inner three; where sparsity is an
# outcome, of a penalty or of removing channels, the ladder is one of strengths. All arms see as many epochs in total as
# the network that is never pruned, called *dense*: methods whose source prunes a trained network go on from one, with
# the same seed, and the others start from scratch.

# %% tags=["hide-input"]
cost.summary(study)

# %% [markdown]
# Settings were chosen on the validation split, from the candidates of each method's plan ({doc}`tuning`); what is
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
# *budget*. Two methods are *tied* there if the seeds do not separate them: a paired t-test of the difference over the
# seeds, at 5 %, corrected by Holm's method for all pairs of methods at that budget. A tie is no proof of equality: with
# so many pairs and so few seeds only large differences, or very steady ones, are separated.

# %% tags=["hide-input"]
ranks.leaders(study, "weights")

# %% tags=["hide-input"]
ranks.ties(study, "weights")

# %% [markdown]
# ## And at equal connections?
#
# A weight of an early layer is used at every place of a large map, one of the last layers once
# ({doc}`../ideas/sops`). Methods that spare the early layers keep more connections for the same number of weights,
# which moves their ladders to the left here.

# %% tags=["hide-input"]
compare.by_family(study, "connections")

# %% tags=["hide-input"]
ranks.leaders(study, "connections")

# %% tags=["hide-input"]
ranks.ties(study, "connections")

# %% [markdown]
# ## And at equal synaptic operations?
#
# Operations are what a neuromorphic chip spends energy on: spikes times the live synapses behind them. They depend on
# how often the neurons fire too, and pruning changes that.

# %% tags=["hide-input"]
compare.by_family(study, "sops")

# %% tags=["hide-input"]
ranks.leaders(study, "sops")

# %% tags=["hide-input"]
ranks.ties(study, "sops")

# %% [markdown]
# ## Does the order of the methods change?
#
# If weights were a fair stand-in for cost, the order would be the same on the three axes and the lines below would
# not cross. A budget on an axis is what the middle method spends at a level, so that about half of the methods spend
# more there and half spend less. A pair that changes places need not be a finding: two methods that are equally good do
# so by chance. The ties above, and those in the ranks below, say how far the order can be trusted.

# %% tags=["hide-input"]
compare.slopes(study)

# %% tags=["hide-input"]
compare.order_sentences(study)

# %% tags=["hide-input"]
compare.order_table(study)

# %% [markdown]
# ## Which points does nothing beat?
#
# A point is on the *Pareto front* if no other network is at least as accurate for at most as much. The front is the
# best that all methods together can do; a method that is on it nowhere has, at every point of its ladder, a better
# one beside it. The front is made of means over the seeds, and by a maximum, so it flatters: where methods are close,
# other seeds would put other names on it.

# %% tags=["hide-input"]
compare.fronts(study)

# %% tags=["hide-input"]
compare.front_table(study)

# %% [markdown]
# ## Who ranks where, over everything?
#
# At every budget and on every set the networks of a seed are ranked by accuracy; the mean of these ranks over the
# budgets is one number for each seed, method and axis, and the interval is Student's over the seeds. Mean ranks are
# tested in pairs as accuracies are at one budget. A mean over few budgets is not over the same budgets as the
# others, so it stands below them, in grey.

# %% tags=["hide-input"]
ranks.rank_picture(study)

# %% tags=["hide-input"]
ranks.rank_sentences(study)

# %% tags=["hide-input"]
ranks.rank_table(study)

# %% [markdown]
# ## Is it the method, or the start?
#
# Methods that cut a dense network start from one here, as in their sources, and those that train sparse start from
# scratch. So a rank may be that of the start. To tell the two apart, some methods were run with both starts, on the
# settings that were tuned with the method's own start. Criticality was also run without regeneration: what is left of
# it is gradual magnitude pruning on the same schedule, from scratch. At equal connections and SOPs that control is read
# off between its levels at what criticality spends. Last, the dense network itself was trained in two ways. The one
# that all others are compared with is trained twice, as are the networks that go on from it; the other one has as many
# epochs in one training, whose learning rate falls once.

# %% tags=["hide-input"]
start.picture(study, starts)

# %% tags=["hide-input"]
start.words(study, starts)

# %% tags=["hide-input"]
start.table(study, starts)

# %% [markdown]
# ## Allocation, or choice?
#
# A method decides two things: how many weights each layer keeps, and which. Random masks with as many weights in every
# layer as the method leaves keep the first and give up the second. *Allocation* is what they gain on `random`, which
# draws from the whole network, and *choice* is what the method gains on them. The split depends on
# this order: what the counts are worth to the weights that the method would choose is all counted as allocation.
#
# The control has the method's start and epochs, and prunes step by step on the schedule that was tuned for `random`;
# its counts are the means over the method's seeds. Noise beside a control has the same start.

# %% tags=["hide-input"]
allocation.picture(study, layers, starts)

# %% tags=["hide-input"]
allocation.words(study, layers, starts)

# %% tags=["hide-input"]
allocation.table(study, layers, starts)

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
# What remains unequal between the methods, by their plans and their records:

# %% tags=["hide-input"]
compare.unequal(study, tuned)

# %% [markdown]
# - **Equal epochs are not equal to what the papers did.** Most of the sources train for hundreds of epochs. Methods
#   that need many of them, to move a penalty slowly or to rewire often, are at a disadvantage here; methods that were
#   published with few are not.
# - **Equal epochs are not equal time.** {doc}`cost` has the seconds.
# - **A dense start is an advantage of its own kind.** Its epochs are counted, but they were spent with all weights. A
#   method that trains sparse from the first step could use a device on which the dense network does not fit.
# - **Tuning is equal in the number of candidates and not in effect**: a method with one important setting gains more
#   from {doc}`tuning` than one with four. One set was used for it; the settings are the same on all levels.
# - **Few exchanges.** Methods that rewire exchange their weights a few dozen times here, hundreds of times in their
#   papers; a weight that has just grown has tens of steps to prove itself before the next exchange.
# - **The interval is over the seeds.** All networks saw one training set and one test set, and the same arithmetic of
#   one kind of processor: other data could turn what the seeds separate. The test split was used once, for what is
#   shown here, and chose nothing.
# - **Two small sets and small networks.** At the same sparsity they have far fewer weights left than the papers'
#   networks. Nothing on this page says how the order is on large data.
# - **Fewer rungs on events.** A run takes two to three times as long there, so methods that are told their sparsity
#   have three rungs instead of five, and nothing is known of them beyond.
# - **Structured methods play another game.** They remove whole channels, so their networks are smaller on any
#   hardware, and they reach fewer sparsities. The table of every arm has the parameters that are left after removal.
# - **Reconstructions have a dagger.** Their formulas are not public; what ranks here is our reading of what is, and
#   its place says nothing about the authors' own method. Their pages tell more under *Deviations*.
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
    ranked = orders.ranks(means)
    first = sorted(ranked, key=ranked.get)[:5]
    print(
        f"{data}:",
        ", ".join(f"{look.named(m)} {means[m]:.1f}" for m in first) or "no ladder of these records has this budget",
    )

# %% [markdown]
# Next: {doc}`cost`, what each of these networks costs to train.

# %% tags=["remove-input"]
page.box()
