# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 13}
# ---

# %% [markdown]
# # What a synaptic operation is
#
# **The cost of a spiking network is the number of times a spike crosses a live synapse. Fewer weights do not
# make it smaller by the same factor, and several counters in wide use do not see that a weight is gone.**
#
# On this page you will see
#
# - the definition, and an example of 169 connections counted by hand;
# - what pruning a weight or a neuron takes away, in the middle and at the border;
# - operations counted from spikes, from scratch and by `snnbook`;
# - why the first layer is counted apart;
# - what a counter that is blind to masks reports on a pruned network;
# - three numbers that all go by the name of sparsity.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %%
from copy import deepcopy
from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from snnbook import datasets, measure, networks
from snnbook.networks.convnet import Fold
from snnbook.neurons import LIF
from snnbook.pruning import global_masks, prunable, scores
from snnbook.report import plots, tables
from snnbook.report.page import Page

page = Page("ideas/sops", globals())

plt.rcParams.update(plots.STYLE)

# %% [markdown]
# ## Definition
#
# Papers A and B count **synaptic operations** (SOPs): the spikes $s_i$ that a neuron fires over all time
# steps, times its live outgoing connections $c_i$, summed over neurons:
#
# ```{math}
# :label: eq-sops
# \mathrm{SOPs} = \sum_i s_i\, c_i , \qquad
# c_i = \sum_j n_i^\mathrm{pre} \wedge \theta_{ij} \wedge n_{ij}^\mathrm{post} .
# ```
#
# A **connection** (synapse) joins two neurons. It is alive if its weight $\theta_{ij}$ is not zero and the
# neurons at both ends are not pruned. In a convolution many connections share one weight, so connections and
# weights are two different counts.
#
# ## 169 connections by hand
#
# Take a map of 5 × 5 neurons and a 3 × 3 kernel that keeps its size: stride 1, one ring of zero padding. Each
# of the 25 neurons behind it has up to 9 connections, which would make 225. At the border some taps fall on
# padding, where no neuron is. Along one axis there are 5 positions with 3 taps each, and 2 taps fall outside:
# 13. In two dimensions that is $(5 \cdot 3 - 2)^2 = 169$.


# %%
def count_connections(kernel, n, pre=None, post=None):
    pre = torch.ones(n, n) if pre is None else pre
    post = torch.ones(n, n) if post is None else post
    alive = 0
    for i, j, di, dj in product(range(n), range(n), range(3), range(3)):
        y, x = i + di - 1, j + dj - 1
        if 0 <= y < n and 0 <= x < n and kernel[di, dj] != 0:
            alive += int(pre[y, x] and post[i, j])
    return alive


# %% [markdown]
# In `snnbook`, `measure.connections` works on any network ({doc}`../methods/your_network`). Ours has an encoding
# layer, so that there are spiking neurons in front of the convolution as well as behind it. `Fold` lets a layer
# without memory see all time steps at once.


# %%
def conv():
    return Fold(nn.Conv2d(1, 1, 3, padding=1, bias=False))


def example():
    return nn.Sequential(conv(), LIF(), conv(), LIF())


net = example()
encoding, layer = list(measure.connections(net, (1, 5, 5)).per_layer)
print("from scratch:", count_connections(net[2][0].weight[0, 0], 5))
alive, total = measure.connections(net, (1, 5, 5)).per_layer[layer]
print("snnbook:     ", alive, "of", total)

# %% [markdown]
# ## What pruning takes away
#
# A weight takes with it every connection that uses it: 25 for the centre of the kernel, 20 for an edge, whose
# tap falls off the map along one side, 16 for a corner. A neuron takes the connections that enter or leave
# it: 9 inside, 6 at an edge, 4 in a corner. Both are in the table, counted by the loop above and by
# `snnbook`.


# %%
def pruned(weight=None, pre=None, post=None):
    net, masks = example(), []
    if weight:
        net[2][0].weight.data[0, 0][weight] = 0
    for lif, place in ((net[1], pre), (net[3], post)):
        mask = torch.ones(5, 5, dtype=torch.bool)
        if place:
            mask[place] = False
            lif.mask = mask[None]
        masks.append(mask)
    by_hand = count_connections(net[2][0].weight[0, 0], 5, *masks)
    alive, _ = measure.connections(net, (1, 5, 5)).per_layer[layer]
    return by_hand, int(alive)


# %%
cases = {"nothing": {}}
for place, at in {"centre": (1, 1), "edge": (0, 1), "corner": (0, 0)}.items():
    cases[f"{place} weight"] = {"weight": at}
for side in ("pre", "post"):
    cases[f"inner neuron, {side}synaptic"] = {side: (2, 2)}
    cases[f"edge neuron, {side}synaptic"] = {side: (0, 2)}
    cases[f"corner neuron, {side}synaptic"] = {side: (0, 0)}
cases["centre weight and inner neuron"] = {"weight": (1, 1), "post": (2, 2)}
cases["inner neurons on both sides"] = {"pre": (2, 2), "post": (2, 2)}
rows = [(name, *pruned(**case)) for name, case in cases.items()]
assert all(loop == ours for _, loop, ours in rows)
frame = pd.DataFrame(rows, columns=["pruned", "loop", "snnbook"])
frame["change"] = frame["loop"] - frame["loop"][0]
tables.Table(frame, "Live connections of a 3×3 convolution on 5×5 neurons")

# %% [markdown]
# Effects overlap: a connection that is lost twice counts once, which is why the last two rows fall short of
# the sum of their parts. No count of weights alone could tell these rows apart.
#
# ## From connections to operations
#
# Now let the neurons spike. The fan-out of a neuron is the same everywhere but at the border, so a spike in
# the corner costs less than one in the middle.


# %%
def count_operations(spikes, kernel):
    n, operations = spikes.shape[-1], 0
    for _, y, x in spikes.nonzero().tolist():
        for di, dj in product(range(3), range(3)):
            i, j = y - di + 1, x - dj + 1
            if 0 <= i < n and 0 <= j < n and kernel[di, dj] != 0:
                operations += 1
    return operations


torch.manual_seed(0)
net = example()
net[0][0].weight.data.abs_()
net[2][0].weight.data[0, 0, 0, :2] = 0
x = 6 * torch.rand(8, 1, 1, 5, 5) - 1
with torch.no_grad():
    spikes = net[:2](x)[:, 0, 0]
kernel = net[2][0].weight[0, 0]
live = int((kernel != 0).sum())
print(int(spikes.sum()), "spikes,", live, "of 9 weights alive")
print("from scratch:", count_operations(spikes, kernel))
print("snnbook:     ", measure.sops(net, x).total)

# %% [markdown]
# `snnbook` does not loop. The fan-out of all neurons is one transposed convolution of ones with the live
# kernel, and the operations are its inner product with the spikes: exact at borders, aware of weight and
# neuron masks, and cheap.
#
# ## The first layer is another matter
#
# A synaptic operation is an addition: the spike is 1, so the weight is added and nothing is multiplied. The
# first layer sees pixels or event counts, and has to multiply. Papers count its multiply-accumulates (MACs)
# apart or not at all; here they are always apart. A static image is the same at each step, so its encoding
# runs once.
#
# Further back there may be values that are no spikes, too: an average of several spikes, a sum of two branches, the
# output of attention. They count by their size among the SOPs, and `measure.sops` reports the numbers of operations
# with a spike (`accumulates`) and with any other value (`multiplies`) apart.
#
# Here is the count for one of the book's networks on `digits-clutter`. It is **not trained**: its weights are
# random and only its batch norms have seen the data, so the numbers show how counting works, not what a
# trained network spends.


# %%
def settle(net, x):
    """Let the batch norms see the data; the weights stay as they are."""
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d):
            m.reset_running_stats()
            m.momentum = None
    with torch.no_grad():
        net.train()(x)
    return net.eval()


# %%
images = datasets.load("digits-clutter", "validation").x[:200]
torch.manual_seed(1)
dense = networks.build(
    "cifarnet",
    in_channels=1,
    image_size=12,
    T=4,
    convolutions=(16, 16, "M", 32, 64, "M", 64, 128),
    hidden=(128,),
    vote=0,
    gain=2.0,
    norm_hidden=True,
)
count = measure.sops(settle(dense, images), images)

# %%
rows = []
for name, macs in count.macs.items():
    spent = ("encoding", "–")
    if name in count.per_layer:
        sops = count.per_layer[name]
        spent = (f"{sops:,.0f}", f"{sops / macs:.3f}")
    rows.append((name, f"{macs:,.0f}", *spent))
names = ["layer", "dense MACs", "SOPs", "SOPs per MAC"]
frame = pd.DataFrame(rows, columns=names)
tables.Table(frame, "Operations per sample of the untrained network")

# %% [markdown]
# The last column is the share of inputs that are spikes: about the firing rate of the layer in front,
# weighted by fan-out and raised by the max pooling, which passes a spike on if any of its four inputs has
# one.
#
# ## Counters that do not see the masks
#
# Many energy figures are computed as *firing rate × dense MACs*. Others multiply the spikes by a kernel of
# ones, which gets borders right. Neither looks at the weights. Here are both against the exact count, on one
# layer whose input spikes stay the same while more and more of its weights go.

# %%
generator = torch.Generator().manual_seed(0)
spikes = (torch.rand(8, 16, 16, 16, generator=generator) < 0.15).double()
kernel = torch.randn(32, 16, 3, 3, generator=generator).double()
rank = torch.randperm(kernel.numel(), generator=generator).view_as(kernel)
kept = (100, 50, 20, 10, 5, 2)
found = []
for percent in kept:
    live = (rank < round(percent / 100 * kernel.numel())).double()
    exact = F.conv2d(spikes, live, padding=1).sum()
    ones = F.conv2d(spikes, torch.ones_like(kernel), padding=1).sum()
    by_formula = spikes.mean() * 9 * 16 * 32 * spikes[:, 0].numel()
    ratios = (ones / exact).item(), (by_formula / exact).item()
    found.append((percent, f"{int(exact):,}", *ratios))

# %%
names = ["weights kept, %", "exact SOPs", "ones ÷ exact"]
names += ["rate × MACs ÷ exact"]
frame = pd.DataFrame(found, columns=names)
tables.Table(frame.round(2), "What three counters say about one layer")

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.2))
ax.loglog(kept, frame["rate × MACs ÷ exact"], label="firing rate × dense MACs")
ax.loglog(kept, frame["ones ÷ exact"], label="kernel of ones")
ax.axhline(1, color=plots.INK, linewidth=1, linestyle=":", label="exact")
ax.invert_xaxis()
ax.set_xticks(kept, [str(k) for k in kept])
ax.minorticks_off()
ax.set(xlabel="weights kept, %", ylabel="reported ÷ exact")
ax.legend()
plots.show(
    fig,
    alt="Reported over exact operations against weights kept: both blind counters rise as weights go.",
    caption="A counter that is blind to masks overstates a pruned layer by one over its density. The rate "
    "formula is also a little too high on a dense layer, where it counts the padding.",
)

# %% [markdown]
# Energy tables made with such a counter show no gain from the weights that are gone, or, where
# authors correct with the global density, a gain that assumes that every layer was pruned alike. That
# assumption is the next section.
#
# ## Three numbers called sparsity
#
# Prune the untrained network to 10 % and 2 % of its weights by three scores, let the batch norms see the data
# again, and count what is left in three ways. Every score keeps exactly as many weights as the others.


# %%
def prune(net, score, sparsity):
    weights = prunable(net)
    masks = global_masks(score(weights), sparsity)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.mul_(masks[name])
    return net


methods = {
    "random": lambda w: scores.random(w, torch.Generator().manual_seed(0)),
    "magnitude": scores.magnitude,
    "LAMP": scores.lamp,
}
left = []
for percent, (name, score) in product((10, 2), methods.items()):
    net = settle(prune(deepcopy(dense), score, 1 - percent / 100), images)
    w = measure.weights(net)
    c = measure.connections(net, (1, 12, 12))
    shares = (w.alive / w.total, c.alive / c.total)
    shares += (measure.sops(net, images).total / count.total,)
    rounded = [round(100 * share, 2) for share in shares]
    left.append((f"{name}, {percent} %", *rounded))

# %%
names = ["score, weights kept", "weights, %", "connections, %", "SOPs, %"]
frame = pd.DataFrame(left, columns=names)
tables.Table(frame, "What is left of the dense network, in three ways")

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(7, 3.2))
for ax, part, percent in zip(axes, (frame[:3], frame[3:]), (10, 2), strict=True):
    for i, column in enumerate(frame.columns[1:]):
        at = [m + 0.27 * (i - 1) for m in range(3)]
        ax.bar(
            at,
            part[column],
            0.25,
            label=column[:-3],
            color=plots.PALETTE[i],
            hatch=plots.HATCHES[i],
            alpha=0.7,
        )
    ax.set_xticks(range(3), list(methods))
    ax.set(title=f"{percent} % of weights", ylabel="left, % of dense")
    ax.grid(axis="x", visible=False)
axes[0].legend(fontsize="small")
plots.show(
    fig,
    alt="Bars of weights, connections and operations left, for three pruning scores at two sparsities.",
    caption="Equal weights, unequal cost: what is left of an untrained network, counted in three ways.",
)

# %% [markdown]
# A weight of an early layer is used at every position of a large map, a weight of the last layers once.
# Magnitude and LAMP both spare the early layers here, magnitude because weights start out larger where a
# neuron has fewer inputs, and so they keep far more connections than weights. Random pruning spares no layer;
# it keeps *fewer* connections, since a neuron that nothing reaches any more takes its outgoing connections
# along. Operations also depend on how often neurons fire, which pruning changes. So *98 % sparse* says little
# about cost until it is clear of what. The pages on the methods show the same counts for trained networks,
# where the order can be another.
#
# This book prints all three. *Sparsity* alone always refers to weights.
#
# ## Exercises
#
# ```{exercise}
# :label: ex-sops-replicate
# **Replicate.** How many connections has the 3 × 3 kernel on 5 × 5 neurons with stride 2 and padding 1? With
# stride 1 and no padding?
# ```
#
# ````{solution} ex-sops-replicate
# :class: dropdown
# With stride 2 there are 3 positions along an axis, of whose 9 taps 2 fall outside: $7^2 = 49$. Without
# padding, 3 positions and none outside: $9^2 = 81$.
#
# ```python
# for settings in ({"stride": 2, "padding": 1}, {"padding": 0}):
#     print(measure.connections(nn.Sequential(nn.Conv2d(1, 1, 3, **settings)), (1, 5, 5)).total)
# ```
# ````
#
# ```{exercise}
# :label: ex-sops-break
# **Break it.** Store a pruned weight as `1e-30` instead of 0. What do accuracy, connections and operations
# say?
# ```
#
# ````{solution} ex-sops-break
# :class: dropdown
# The network computes the same and every count is that of the dense network: a weight is dead when it is
# exactly zero. Training with weight decay alone therefore never prunes.
#
# ```python
# net = example()
# net[2][0].weight.data[:] = 1e-30
# print(measure.connections(net, (1, 5, 5)).per_layer[layer])
# ```
# ````
#
# ```{exercise}
# :label: ex-sops-neuron
# Silence half of the neurons of the first layer of `dense` with a mask. By how much do connections and
# operations fall, and in which layers?
# ```
#
# ````{solution} ex-sops-neuron
# :class: dropdown
# In the encoding layer (connections into masked neurons) and in the next layer (connections out of them).
# Operations fall in the next layer by about half, and further on because the neurons there receive less and
# fire less.
#
# ```python
# net = deepcopy(dense)
# first = next(m for m in net.modules() if isinstance(m, LIF))
# first.mask = torch.rand(16, 12, 12) < 0.5
# print(measure.connections(net, (1, 12, 12)).per_layer)
# print(measure.sops(net, images).per_layer)
# ```
# ````
#
# ## Summary
#
# - A synaptic operation is a spike that crosses a live synapse; borders, dead weights and dead neurons all
#   reduce it.
# - The first layer multiplies, so its MACs stand apart; so do operations whose value is no spike.
# - Counters that use the dense layer overstate a pruned one by one over its density.
# - Sparsity of weights, of connections and of operations are three numbers; methods trade them differently.
#
# Next: {doc}`../methods/lamp` shows a score that sets the sparsity of each layer,
# {doc}`../compare/scoreboard` has what the papers claim about operations and what came out here.

# %% tags=["remove-input"]
page.box()
