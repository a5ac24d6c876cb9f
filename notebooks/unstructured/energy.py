# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 9}
# ---

# %% [markdown]
# # From SOPs to joules
#
# **A synaptic operation is a count, a joule is a property of a machine. This page turns counts into joules under
# published models, checks each model against what its source prints, and asks whether the order of pruning methods
# depends on the model.**
#
# On this page you will see
#
# - what an energy model charges, with the formula and the source of each;
# - the 5 × 5 layer of {doc}`../ideas/sops` under every model;
# - what chips spend on a synaptic operation, as paper B prints it;
# - the networks of {doc}`../compare/methods` in joules.

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

from snnbook import experiments, joules, measure
from snnbook.networks.convnet import Fold
from snnbook.neurons import LIF
from snnbook.report import plots, tables
from snnbook.report.page import Page
from snnbook.report.pages import energy

page = Page("unstructured/energy", globals())

page.opening("what a synaptic operation costs, under published models of hardware", "B")

# %% [markdown]
# ## What an energy model is
#
# A model has a list of events that cost energy, a cost for each, and a rule that says how often each happens. None of
# the models here was measured on the networks of this book. So read their results with care:
#
# - **Never compare joules of two models.** They are about other circuits, at other sizes of transistor, with other
#   numbers of bits. Compare networks under one model.
# - A model is blind to what it leaves out. `horowitz` has no memory, `loihi` no traffic between chips, `spikesim` no
#   silence.
# - Costs belong to 32-bit numbers at 45 nm (`horowitz`, `lemaire`), to one chip at 14 nm (`loihi`), and to crossbars at
#   65 nm (`spikesim`).
# - Energy of idle circuits, of learning, and of getting data on and off the chip is in none of them.

# %% tags=["hide-input"]
energy.models()

# %% [markdown]
# In the formulas below, $A$ is the number of times that a spike crosses a live synapse, $M$ the number of times that
# another value does, such as a pixel; both are summed over the time steps of one sample. $U$ is the number of updates
# of neurons: those that are not masked times the steps. $\theta_\text{in}$ and $\theta_\text{out}$ are the numbers
# of spikes that enter and leave a layer.
#
# **45 nm, arithmetic alone** (`horowitz`). A spike makes an addition, another value a multiplication and an addition:
#
# ```{math}
# E = 0.9\,\text{pJ} \cdot A + 4.6\,\text{pJ} \cdot M .
# ```
#
# This is the formula of most papers on SNNs. It has no neurons and no memory.
#
# **45 nm, with memory** (`lemaire`). Every layer has a memory of weights and one of potentials. A crossing
# $S = A + M$ is an addition, an address, a read of the weight, and a read and a write of the potential. An update
# reads and writes the potential, adds the bias ($B = U$ where there is one, else 0) and multiplies by the leak. Spikes
# wait in queues of 1000 messages. With $e(b)$ for an access to a memory of $b$ bits,
#
# ```{math}
# E = 0.1\,\text{pJ}\,(2S + U + \theta_\text{out}) + 3.1\,\text{pJ} \cdot M + 3.2\,\text{pJ}\,(U + 2\theta_\text{in})
#   + (S + B)\, e(\text{weights}) + 2\,(S + U)\, e(\text{potentials})
#   + (\theta_\text{in} + \theta_\text{out})\, e(\text{queue}) ,
# ```
#
# where $2\theta_\text{in}$ is there in convolutions only, and $e(b) = 13.2\,\text{pJ} + 1.09 \cdot 10^{-5}\,\text{pJ}
# \cdot b$, a line through the three memories that Horowitz lists. Another library reads the same paper in another way:
# it draws straight lines from nothing through the three memories, so that a small memory costs next to nothing
# (`lemaire_lines`). Both are here because a pruned network has small memories.
#
# Two things are ours. We count crossings of live synapses, exact at the borders, where the source multiplies spikes by
# the size of the kernel. And the memory of weights holds the live ones alone; the indices that a sparse format needs
# are not in the model, so what it says of a pruned network is a lower bound.
#
# **A chip** (`loihi`). A synaptic operation costs 23.6 + 3.5 pJ and an update of a neuron 81 pJ, whether it spikes or
# not:
#
# ```{math}
# E = 27.1\,\text{pJ} \cdot S + 81\,\text{pJ} \cdot U .
# ```
#
# **Crossbars** (`spikesim`). The weights of 64 input and 64 output channels are conductances in one processing element.
# It works for each of the $P$ output positions in each of the $T$ steps, and a weight of zero or a silent input saves
# nothing:
#
# ```{math}
# E = T\, P\, \lceil C_\text{in} / 64 \rceil\, \lceil C_\text{out} / 64 \rceil\, e_\text{cycle}(k) ,
# ```
#
# with $k$ taps of the kernel and some 830 pJ for a cycle at $k = 9$. Its source has convolutions only, and so have we.
#
# ### Do we get what the sources print?
#
# The counts in each row are those of the source. The costs of `lemaire` were read in code that prints no energies: its
# formula is the one that the rows of `lemaire_lines` check, its line for a memory is not checked by a printed value.

# %% tags=["hide-input"]
energy.printed()

# %% [markdown]
# ## The 5 × 5 layer in joules
#
# Take the 3 × 3 kernel between two maps of 5 × 5 neurons, and let each of the 25 neurons in front fire once, in one
# step. Every connection is then crossed once, so that there are as many SOPs as live connections: 169.


# %%
def layer(weight=None, post=None):
    net = nn.Sequential(Fold(nn.Conv2d(1, 1, 3, padding=1, bias=False)), LIF(v_threshold=1e3))
    if weight:
        net[0][0].weight.data[0, 0][weight] = 0
    if post:
        net[1].mask = torch.ones(1, 5, 5, dtype=torch.bool)
        net[1].mask[0][post] = False
    (counted,) = measure.counts(net, torch.ones(1, 1, 1, 5, 5))
    return counted


counted = layer()
print(counted.accumulates, "crossings,", counted.updates, "updates of neurons")
print("by hand, horowitz:", 0.9 * 169, "pJ; loihi:", 27.1 * 169 + 81 * 25, "pJ")
for model in ("horowitz", "loihi"):
    print(model, {part: f"{1e12 * value:.1f} pJ" for part, value in measure.energy([counted], model).parts.items()})

# %% [markdown]
# Now remove single weights and single neurons behind the layer, as in Fig. 1 of paper B.

# %%
cases = {
    "nothing": {},
    "inner neuron": {"post": (2, 2)},
    "edge neuron": {"post": (0, 2)},
    "corner neuron": {"post": (0, 0)},
    "centre weight": {"weight": (1, 1)},
    "edge weight": {"weight": (0, 1)},
    "corner weight": {"weight": (0, 0)},
}
rows = []
for name, case in cases.items():
    counted = layer(**case)
    spent = {model: 1e12 * measure.energy([counted], model).total for model in joules.MODELS}
    rows.append({"pruned": name, "SOPs": int(counted.accumulates), **spent})
frame = pd.DataFrame(rows)
tables.Table(frame.round(1), "The layer of 5 × 5 neurons under every model, in pJ for 25 spikes")

# %% tags=["hide-input"]
fig, ax = plots.subplots(1, 1, figsize=(7, 3.2))
for i, model in enumerate(["SOPs", *joules.MODELS]):
    ax.plot(range(len(frame)), 100 * frame[model] / frame[model][0], label=model, **plots.series(i))
ax.set_xticks(range(len(frame)), frame["pruned"], rotation=25)
ax.set(ylabel="left, % of the whole layer")
ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    fig,
    alt="What is left of the layer's energy for every pruned element under each model, in per cent: "
    + "; ".join(f"{model} {100 * frame[model].min() / frame[model][0]:.1f} at least" for model in joules.MODELS)
    + ".",
    caption="One element is pruned at a time. Under `horowitz` the energy follows the SOPs. Where neurons are charged "
    "for each step, a weight saves less than its share of the SOPs and a neuron more than a weight with as many. On a "
    "crossbar nothing is saved.",
)

# %% [markdown]
# Two kinds of pruning differ here. A weight takes crossings away and leaves the updates of all neurons. A neuron takes
# its crossings and its own updates. A penalty on SOPs alone does not see the second.
#
# ## What chips spend on a synaptic operation
#
# Paper B argues for SOPs with figures of three chips, and says itself where they do not hold (A.10):
#
# - SOPs leave out memory accesses and the movement of data. Where these dominate and do not follow the SOPs, as in the
#   accelerator SATA, SOPs alone are not accurate.
# - With analogue synapses a spike costs much more than a synapse does, so that energy need not follow the SOPs.
# - That a chip such as Loihi spends in proportion to SOPs is what the authors believe; they name no direct evidence for
#   SNNs.
#
# We add: a maximum is reached under the load that suits a chip best, the chips differ in bits and in transistors, and
# the figures do not say the same thing. The 23.6 pJ of Loihi are for one operation alone; a number of operations per
# second and watt includes whatever else the chip does meanwhile.

# %% tags=["hide-input"]
energy.chips()

# %% [markdown]
# ## The comparison of methods in joules
#
# These are the records of {doc}`../compare/methods`. A record holds the crossings of each layer, the firing rates and
# the masks; the sizes of the layers follow from the network's configuration. One number is estimated: how many spikes
# enter a layer behind a pooling, which only the two models with memory use, and little. So no network is run here. For
# your own network call `measure.counts(network, x)` and hand the result to `measure.energy`.

# %% tags=["hide-input"]
study = page.results("compare")
found = energy.spent(study, experiments.shapes)

# %% [markdown]
# ### What is left at equal weights?
#
# All methods are compared here at as many weights, whatever their accuracy.

# %% tags=["hide-input"]
energy.picture(found)

# %% tags=["hide-input"]
energy.shares(found)

# %% [markdown]
# ### Does the order of methods depend on the model?
#
# There are two orders. At equal weights the better method is the one that spends less. At equal energy it is the one
# that is more accurate; that energy is a share of what the dense network of the same seed spends, the share of the
# method in the middle at the level above. Methods whose networks do not reach it are left out of the second.

# %% tags=["hide-input"]
energy.order_sentences(found)

# %% tags=["hide-input"]
energy.order(found)

# %% [markdown]
# The small networks of this book fill few blocks of 64 channels. Crossbars would tell wider networks apart where whole
# blocks of channels go, which single weights and neurons hardly ever bring about; fewer time steps help on every model.
#
# ## Exercises
#
# ```{exercise}
# :label: ex-energy-rate
# A published table has 18.39 million operations for a network without spikes, a firing rate of 0.1366, and for the same
# network with spikes 2.51 million SOPs and $3.09 \cdot 10^{-7}$ J at 0.9 pJ for an accumulate. Which mistake was made?
# ```
#
# ````{solution} ex-energy-rate
# :class: dropdown
# The rate was multiplied in twice. The SOPs hold it already: $18.39 \cdot 0.1366 = 2.51$ million. At 0.9 pJ they are
# $2.26 \cdot 10^{-6}$ J; times the rate once more it is the printed value, 7.3 times too little
# (doi:10.3389/fnins.2023.1091097, Table 3).
# ````
#
# ```{exercise}
# :label: ex-energy-even
# Under `loihi`, how many spikes must cross into a neuron in a step until synapses cost more than the neuron's update?
# ```
#
# ````{solution} ex-energy-even
# :class: dropdown
# $81 / 27.1 \approx 3$. A pruned neuron with two live synapses pays more for being updated than for all it receives.
# ````
#
# ```{exercise}
# :label: ex-energy-steps
# Halve the number of time steps of a network without changing how often a neuron spikes within a sample. What falls
# under each model?
# ```
#
# ````{solution} ex-energy-steps
# :class: dropdown
# Nothing under `horowitz`. The updates of neurons halve under `loihi` and `lemaire`, and everything does under
# `spikesim`.
# ````
#
# ## Summary
#
# - An energy model charges counted events; joules of two models are not comparable.
# - A counter that sees the masks comes first: no model repairs a wrong count.
# - Models with neurons and memory give pruning of weights less credit than SOPs do, and models of dense crossbars none.
# - What a claim about energy needs is the model, its source, and what it leaves out.
#
# Next: {doc}`../methods/unstructured`, the method of paper B that lowers SOPs directly.

# %% tags=["remove-input"]
page.box()
