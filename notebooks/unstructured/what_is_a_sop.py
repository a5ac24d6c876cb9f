# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 12}
# ---

# %% [markdown]
# # What is a SOP? Five counters and a loop
#
# **Prune a network and count its synaptic operations with SpikingJelly, sinabs or syops: the count does not know that
# weights are gone. NeuroBench's does, but none of the four knows that neurons are gone.** On this page they all
# count the same small network with the same spikes, and a loop over single synapses says who is right.
#
# {doc}`../ideas/sops` introduces the synaptic operation (SOP). Here it is enough that a SOP is one spike that crosses
# one live synapse, between neurons that are alive (paper B, Eq. 2):
#
# $$\mathrm{SOPs} = \sum_i s_i \sum_j n_i^\mathrm{pre} \wedge \theta_{ij} \wedge n_{ij}^\mathrm{post} .$$

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from itertools import product

import pandas as pd
from torch import nn

from snnbook import measure
from snnbook.bench import sops
from snnbook.report import benchmarks, tables
from snnbook.report.page import Page
from snnbook.report.pages.paper_b import counters

page = Page("unstructured/what_is_a_sop", globals())

bench = benchmarks.load([counters.NAME])

# %% tags=["remove-input"]
page.opening("the energy model of Sec. 3.1, Eq. 1 and 2, as five programs count it", paper="B")

# %% [markdown]
# ## One network
#
# Two convolutions with padding, a max pooling between them and a linear read-out, on 4 time steps of 2 samples. LAMP
# prunes the weights ({doc}`../methods/lamp`), chance the neurons. Nothing is trained. All weights are whole multiples
# of a power of two, so that no sum is rounded and every library has exactly the same spikes.

# %%
cases = sops.cases()
print(cases["all weights"].model)

# %% tags=["hide-input"]
rows = []
for name in counters.PRUNED:
    model, shape = cases[name].model, cases[name].x.shape[2:]
    weights, connections = measure.weights(model), measure.connections(model, shape)
    shares = [100 * part.alive / part.total for part in (weights, connections)]
    neurons = 100 * connections.neurons_alive / connections.neurons_total
    rows.append((name, *(f"{share:.3g}" for share in (*shares, neurons))))
names = ["Network", "Weights left, %", "Connections left, %", "Neurons left, %"]
tables.Table(pd.DataFrame(rows, columns=names), "The network as it is pruned.")

# %% [markdown]
# ## A loop over synapses
#
# For every value that enters a layer, the loop visits all outputs that the value could reach and asks three questions:
# is that place on the map, is the weight alive, is the neuron behind it alive? A spike is the value 1. Other values,
# such as an average of spikes, count by their size, as in paper B's code.


# %%
def synapses(layer, at):
    """Weight and output, by index, of the dense layer's synapses of an input."""
    if isinstance(layer, nn.Linear):
        for o in range(layer.out_features):
            yield (o, *at), (o,)
        return
    c, y, x = at
    outputs, _, height, width = layer.weight.shape
    for o, i, j in product(range(outputs), range(height), range(width)):
        place = (o, y - i + layer.padding[0], x - j + layer.padding[1])
        yield (o, c, i, j), place


def crossings(layer, values, size, alive=None):
    """What crosses live synapses in a step: the sum, and how many values."""
    live, found = (layer.weight != 0).numpy(), []
    alive = None if alive is None else alive.numpy()
    for at in values.nonzero().tolist():
        value = float(values[tuple(at)])
        for weight, place in synapses(layer, at):
            on_map = all(0 <= p < n for p, n in zip(place, size, strict=True))
            if on_map and live[weight] and (alive is None or alive[place]):
                found.append(value)
    return sum(found), len(found)


def loop(case):
    """SOPs per sample of all layers, and number of crossings."""
    total, number = 0.0, 0
    for name, values in sops.entering(case).items():
        layer = case.model.get_submodule(name)
        neurons = case.behind.get(name)
        alive = case.model.get_submodule(neurons).mask if neurons else None
        size = layer(values[0]).shape[1:]
        for step, sample in product(*map(range, values.shape[:2])):
            crossed, times = crossings(layer, values[step, sample], size, alive)
            total, number = total + crossed, number + times
    return total / case.x.shape[1], number / case.x.shape[1]


# %% [markdown]
# `measure.sops` comes to the same number without a loop. Its `total` leaves out the first layer, which is reported
# apart; all others include it where its input is spikes, and here so do we.

# %%
by_loop = {name: loop(case) for name, case in cases.items()}
exact = {name: total for name, (total, _) in by_loop.items()}
ours = {name: sops.total(case) for name, case in cases.items()}
assert ours == exact

# %% [markdown]
# ## What the others report
#
# Each library counted these networks as its documentation says, in an environment with all of them (`snnbook bench
# sops` in that of `make bench`). What entered the layers there was what enters them here, to the last spike.

# %%
known = counters.entered(bench["sops"])
assert known == {name: sops.entered(cases[name]) for name in cases}

# %% tags=["hide-input"]
counters.ratios(bench, exact, ours)

# %% tags=["remove-input"]
counters.chart(bench, exact, ours)

# %% [markdown]
# - **SpikingJelly and sinabs** multiply the spikes by a kernel of ones, or ask for its shape: borders are right, and a
#   weight that is zero is a synapse like any other.
# - **syops** multiplies the firing rate by the dense multiply-accumulates. That counts the padding as well, so that
#   it is too high on the dense network already.
# - **NeuroBench** runs the layer once more on ones in place of its nonzero weights, and so sees zeros. A pruned
#   *neuron* is none of its terms: its own spikes are gone, but the synapses that lead into it still count.
#
# The factor of a blind counter is one over the share of weights only where every layer keeps the same share, and even
# then only roughly: it matters which weights are kept and how often the neurons before them fire. LAMP over the whole
# network keeps more of the first layers, whose weights are used most, so that 2 % of the weights carry more than 2 %
# of the operations. To multiply a blind count by the share of all weights then errs to the other side.
#
# ## Borders, averages and sums

# %% tags=["hide-input"]
counters.special(bench, exact, ours)

# %% [markdown]
# - **Border.** A 3 × 3 convolution with padding on 6 × 6 neurons. Only *rate × dense operations* goes wrong.
# - **Average pooling.** What enters the next layer is a quarter of a number of spikes. By its size a spike is then a
#   quarter of a SOP, which is what paper B's code counts. Others take the value otherwise: what is no spike makes no
#   SOP (SpikingJelly); every spike in front of the pooling counts whole (sinabs); every value that is not zero is one
#   multiplication (NeuroBench); a layer that gets anything but 0 and 1 multiplies all of its inputs (syops).
# - **Residual sum.** Where two branches spike at once, a 2 goes in. It is two additions of a weight (paper B's code,
#   ours, sinabs) or one multiplication by 2 (NeuroBench). A layer with a single 2 in it is no spiking layer to
#   SpikingJelly and syops.
#
# None of these is wrong by itself; they answer different questions. `measure.sops` gives both answers: `total` by size,
# and in `accumulates` and `multiplies` how often a 1 and how often anything else crosses a synapse.

# %%
rows = []
for name in counters.SPECIAL:
    counted = measure.sops(cases[name].model, cases[name].x)
    additions = sum(counted.accumulates.values())
    products = sum(counted.multiplies.values())
    assert additions + products == by_loop[name][1]
    numbers = (ours[name], additions, products)
    rows.append((name, *(f"{n:,.10g}" for n in numbers)))

# %% tags=["hide-input"]
names = ["Network", "SOPs by size", "Additions", "Multiplications"]
tables.Table(pd.DataFrame(rows, columns=names), "How snnbook divides its count, per sample; the loop agrees.")

# %% tags=["hide-input"]
counters.multiplied(bench)

# %% [markdown]
# ## Who is right where

# %% tags=["hide-input"]
counters.agreement(bench, exact, ours)

# %% [markdown]
# So two numbers of SOPs can be compared if one counter made both. A table of a paper that was made with a counter
# that is blind to zeros shows what pruning does to firing rates, and nothing of what it does to synapses.
#
# All differences that tests of this book pin down, library by library, are in the tables of
# {doc}`../methods/your_network`.

# %% tags=["hide-input"]
counters.versions(bench)

# %% [markdown]
# ```{exercise}
# :label: ex-sop-correct
# **Predict, then check.** Someone counts a pruned network with SpikingJelly and multiplies the result by the share of
# weights that is left. On the network with 2 % of the weights, is the product too high or too low, and by how much?
# ```
#
# ````{solution} ex-sop-correct
# :class: dropdown
# Take its factor from the first table and multiply it by 0.02: the product is below 1, so too low. The weights that
# LAMP keeps sit in layers with large maps, and a weight there is used more often than the average weight.
# ````
#
# ```{exercise}
# :label: ex-sop-neurons
# Half of the neurons of both layers are pruned at random, and all weights are kept. Why does NeuroBench overstate the
# count about twofold?
# ```
#
# ````{solution} ex-sop-neurons
# :class: dropdown
# Spikes of pruned neurons are gone for every counter. What it counts too much are synapses *into* pruned neurons: half
# of those into either hidden layer. The read-out has no neurons, so none of its synapses counts too much; it has few of
# the operations.
# ````

# %% tags=["remove-input"]
page.box()
