# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [B.fig1], reads: [], minutes: 6}
# ---

# %% [markdown]
# # Paper B, Fig. 1: which connections go
#
# **One weight of a convolution takes up to 25 connections with it, one neuron up to 9, and no choice of weights can
# take a single neuron.** Paper B opens with a drawing of this, on a 3 × 3 filter over 5 × 5 neurons with zero
# padding. Here the same counter that measures all networks of this book counts it.
#
# The drawing and the numbers above its panels did not survive in the text that we worked from. The layer is the
# paper's; which of its neurons and weights are pruned is our choice; and beside every count is the number that a
# formula gives.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import pandas as pd
import torch
from torch import nn

from snnbook import measure
from snnbook.networks.convnet import Fold
from snnbook.neurons import LIF
from snnbook.report import synapses, tables
from snnbook.report.page import Page
from snnbook.report.pages.paper_b import connections

page = Page("unstructured/fig1", globals())

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## The layer
#
# The 25 neurons before the convolution get their input from an encoding layer, one weight for each; 25 more stand
# behind it. A neuron is pruned by its mask, which keeps its spikes from being sent on, and a weight by a zero.


# %%
def layer(removal):
    """The network of the figure, pruned, and the name of its convolution."""
    net = nn.Sequential(
        *(Fold(nn.Conv2d(1, 1, 1, bias=False)), LIF()),
        *(Fold(nn.Conv2d(1, 1, 3, padding=1, bias=False)), LIF()),
    )
    for lif, places in ((net[1], removal.pre), (net[3], removal.post)):
        lif.mask = torch.ones(1, 5, 5, dtype=torch.bool)
        for row, column in places:
            lif.mask[0, row, column] = False
    for row, column in removal.weights:
        net[2][0].weight.data[0, 0, row, column] = 0
    return net, "2.0"


def left(removal):
    """Live connections of the convolution, as `snnbook` counts them."""
    net, convolution = layer(removal)
    return measure.connections(net, (1, 5, 5)).per_layer[convolution][0]


every = [synapses.DENSE, *synapses.ONE_NEURON]
every += [*synapses.ONE_WEIGHT, *synapses.SEVERAL]
counted = {removal.name: left(removal) for removal in every}
assert all(removal.alive().sum() == counted[removal.name] for removal in every)

# %% tags=["remove-input"]
connections.panels([synapses.DENSE], counted, columns=1)

# %% [markdown]
# Each tile is one of the 25 neurons behind, and the nine squares in it are the nine weights, each at the place of the
# neuron that it reads. That makes 225. In the outer tiles some squares fall on the padding, where no neuron is: along
# an axis 2 of $5 \cdot 3$, so that $(5 \cdot 3 - 2)^2 = 169$ connections are left.
#
# ## A neuron goes
#
# A neuron *before* the convolution has one square in each of the tiles around it. A neuron *behind* it is a whole tile.
# Either way an inner neuron has 9 connections, a neuron at an edge 6, and one in a corner 4.

# %% tags=["remove-input"]
connections.panels(synapses.ONE_NEURON, counted)

# %% [markdown]
# ## A weight goes
#
# A weight is the same square in every tile. The centre of the filter is used at all 25 places; a weight of an edge
# falls on the padding at 5 of them, and a weight of a corner at 9.

# %% tags=["remove-input"]
connections.panels(synapses.ONE_WEIGHT, counted)

# %% [markdown]
# ## Several go
#
# A connection is alive if the neuron before it **and** its weight **and** the neuron behind it are alive (paper B,
# Eq. 2). So a connection that is lost twice counts once: the parts add up to more than the whole.

# %% tags=["remove-input"]
connections.panels(synapses.SEVERAL, counted)

# %% [markdown]
# ## All counts
#
# By the formula a neuron has as many connections as taps fit inside along one axis times the other: 3 inside, 2 at the
# border. A weight has as many as places where it does not fall on the padding: 5 along an axis for its centre, else 4.
# What two removals have in common is taken off once.

# %%
neuron = {"inner": 3 * 3, "edge": 2 * 3, "corner": 2 * 2}
weight = {"centre": 5 * 5, "edge": 5 * 4, "corner": 4 * 4}
lost = {"nothing": 0}
for place, connected in neuron.items():
    lost[f"{place} neuron before"] = lost[f"{place} neuron behind"] = connected
lost |= {f"{place} weight": connected for place, connected in weight.items()}

# Any two of the inner neurons and the centre weight share one connection,
# and all three share the same one.
inner, centre = neuron["inner"], weight["centre"]
lost["inner neuron before, centre weight"] = inner + centre - 1
lost["centre weight, inner neuron behind"] = centre + inner - 1
lost["inner neurons before and behind"] = inner + inner - 1
lost["all three"] = inner + centre + inner - 3 + 1

# %% tags=["hide-input"]
assert lost.keys() == counted.keys()
rows = [(name, 169 - lost[name], f"{n:g}", f"−{169 - n:g}" if n < 169 else "0") for name, n in counted.items()]
frame = pd.DataFrame(rows, columns=["Pruned", "By the formula", "Counted", "Change"])
tables.Table(frame, "Live connections of a 3 × 3 convolution on 5 × 5 neurons.")

# %% [markdown]
# ## Why weights cannot stand in for a neuron
#
# In a fully connected layer they can: a neuron has weights of its own, and without these it is gone. In a convolution
# all neurons of a channel share their weights. Here is a layer with two input channels, from which the inner neuron
# of the first is to go, once by its mask and once by all the weights that it uses; and the same for a linear layer.


# %%
def alive(make, prune):
    """Live connections of the second layer of a network after `prune`."""
    net = make()
    prune(net)
    return measure.connections(net, SHAPES[make]).per_layer["2.0"][0]


def convolution():
    return nn.Sequential(Fold(nn.Conv2d(1, 2, 1)), LIF(), Fold(nn.Conv2d(2, 1, 3, padding=1)), LIF())


def linear():
    return nn.Sequential(Fold(nn.Linear(1, 50)), LIF(), Fold(nn.Linear(50, 25)), LIF())


def by_mask(net):
    shape = (2, 5, 5) if isinstance(net[2][0], nn.Conv2d) else (50,)
    net[1].mask = torch.ones(shape, dtype=torch.bool)
    net[1].mask.view(-1)[12] = False  # row 2, column 2 of the first channel


def by_weights(net):
    column = 0 if isinstance(net[2][0], nn.Conv2d) else 12
    net[2][0].weight.data[:, column] = 0


SHAPES = {convolution: (1, 5, 5), linear: (1,)}
one_neuron = []
for make in SHAPES:
    whole = alive(make, lambda net: None)
    ways = [alive(make, prune) for prune in (by_mask, by_weights)]
    one_neuron.append((make.__name__, f"{whole:g}", *(f"{whole - n:g}" for n in ways)))

# %% tags=["hide-input"]
names = ["Layer", "Connections", "Lost by its mask", "Lost by all its weights"]
tables.Table(pd.DataFrame(one_neuron, columns=names), "What it costs to remove one neuron.")

# %% [markdown]
# Without its weights the channel is gone, with all of its 25 neurons. This is the paper's case for masks of neurons
# beside masks of weights ({doc}`../methods/unstructured`). What a connection *costs* depends on how often the neuron
# before it fires: {doc}`what_is_a_sop`.

# %% tags=["hide-input"]
page.verdicts()

# %% [markdown]
# ```{exercise}
# :label: ex-b-fig1-channel
# **Predict, then check.** The layer has 64 input and 64 output channels on the same 5 × 5 map. How many connections go
# with one inner neuron before it, how many with one weight?
# ```
#
# ````{solution} ex-b-fig1-channel
# :class: dropdown
# The neuron feeds all 64 output channels, so $64 \cdot 9 = 576$. The weight joins one input channel with one output
# channel: still 16, 20 or 25. A neuron of a wide layer is worth many weights, and the paper's penalty prices it so.
# ````

# %% tags=["remove-input"]
page.box()
