# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 11}
# ---

# %% [markdown]
# # When does sparsity pay?
#
# **Papers count synaptic operations, and hardly anything runs faster for it: a framework multiplies by the zeros. This
# page runs pruned networks on what is left of them, on one ordinary core, and says from where on that is faster than
# the best dense convolution, and by how much.**

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.report import benchmarks
from snnbook.report.page import Page
from snnbook.report.pages import sparse_inference, speed

page = Page("reference/pays", globals())

bench = benchmarks.load(sparse_inference.NAMES)
speed.verdict(bench, sparse_inference.NAMES)

# %% [markdown]
# ## Compiling a network
#
# `sparse.compile` takes a trained network and a few inputs. It folds the batch norms into the weights, drops weights
# that are zero and channels that nobody reads, and packs spikes into bits, 64 neurons to a word.

# %%
import torch

from snnbook import networks, sparse

torch.manual_seed(0)
model = networks.build("cifarnet", 10, 3, 32, width=0.25, T=8, v_threshold=0.3).eval()
for weight in model.parameters():
    if weight.dim() > 1:
        weight.data *= torch.rand_like(weight) >= 0.98
x = torch.rand(4, 3, 32, 32)
fast = sparse.compile(model, x)
print(fast)
with torch.no_grad():
    print("largest difference of a logit:", float((fast(x) - model(x)).abs().max()))

# %% [markdown]
# A compiled network goes to a file with `fast.save(path)` and comes back with `sparse.load(path)`; the file holds live
# weights only and no code.
#
# ## Four ways to add up weights
#
# The sum over a neuron's live weights is all there is to save. Which way is fastest depends on the weights that are
# left and on how often the inputs fire, so the compiler looks at both and chooses for each layer.
#
# - **Masked.** One weight at a time, added to 16 neurons at once where a bit says that the input fired. It reads all
#   inputs, silent or not, and no weight that is zero.
# - **By table.** Eight weights at a time: the bits of their inputs are a number, and a table holds the sum for each.
#   Weights whose inputs seldom fire stand together, and eight whose inputs are all silent are skipped. It needs
#   instructions that transpose bits (GFNI, VBMI), which servers have since 2021 and laptops not always.
# - **By event.** For each neuron that fires within some steps, one addition for each live weight that reads it. It
#   reads no silent input, but adds for one neuron where the others add for sixteen.
# - **Dense.** All weights, by torch.
#
# Behind the sum the neurons run at once, so that currents never go to memory: it is bits that move between layers.
#
# ## One layer

# %% tags=["hide-input"]
sparse_inference.layer(bench)

# %% tags=["hide-input"]
sparse_inference.break_even(bench)

# %% [markdown]
# Against `bfloat16` and 8-bit dense layers the bar is higher, since they halve and quarter the dense time. Compressed
# sparse rows (CSR), which most people try first, have to unfold the input, and that alone can take longer than the
# dense convolution.
#
# *8 bits* rounds the weights to whole numbers, one scale for each output. The sums are then exact, whatever their
# order, and a table of bytes serves seven weights at a time.

# %% tags=["hide-input"]
sparse_inference.grid(bench)

# %% [markdown]
# ## Whole networks

# %% tags=["hide-input"]
sparse_inference.networks(bench)

# %% [markdown]
# `torch.compile` fuses what lies between the convolutions and leaves the convolutions as they are. SpikingJelly runs in
# evaluation mode as its users would run it, with the batch norms in place.
#
# ## Does a synaptic operation predict a millisecond?
#
# These are trained networks of every method of {doc}`../compare/methods`. Each is timed on test samples; its decisions
# over the whole test set are compared with those of the masked network that it was made from.

# %% tags=["hide-input"]
sparse_inference.predict(bench)

# %% [markdown]
# Among networks of one shape, whose methods take out single weights, fewer SOPs are less time, roughly in order.
# Between shapes they are not: a network with fewer channels is faster at the same number of SOPs, because neurons
# cost time as well, for their potentials and for packing their spikes, and here they are a large share of it. Nor is
# a SOP a fixed number of nanoseconds. It is counted where an input fires; the masked and the table path add whether
# it fires or not, eight weights or sixteen neurons at a time, so that a silent input saves little until its whole
# neighbourhood is silent. Farthest above the others are networks of {doc}`../methods/unstructured` at low strength:
# most of their neurons are masked, one by one, and a weight is still read for whole words of them. Hardware that
# works by events would give another picture, and none of it is here.

# %% tags=["hide-input"]
sparse_inference.methods(bench)

# %% tags=["hide-input"]
sparse_inference.rounding(bench)

# %% [markdown]
# ## How far from the limit?
#
# A roofline shows both limits of a processor: how fast it computes, and how fast it gets what it computes on. Packed
# spikes are 32 times smaller than floats, so that a sparse layer has to move little and stays clear of the slope. CSR
# does not: it moves the unfolded input and is far below what the memory could give.

# %% tags=["hide-input"]
sparse_inference.roofline(bench)

# %% [markdown]
# A table stands for several additions, so that the flat part is not its limit. Time should grow with live weights,
# neurons and steps and with nothing else, however large the layer:

# %% tags=["hide-input"]
sparse_inference.growth(bench)

# %% [markdown]
# ## How it was measured
#
# One thread and its processor time; every round runs each variant once, in an order drawn anew; the ratio of a round
# is between runs of that round, and what is shown is the median. Runs of less than 30 ms are repeated until they take
# that long, so that they find their memory in the caches, as in steady use. Dense networks have the batch norms folded
# as well, and the compiled neurons of this package. Currents and spikes of every layer are compared with the reference
# in the same run.

# %% tags=["hide-input"]
speed.goals(bench)

# %% tags=["hide-input"]
speed.checks(bench)

# %% tags=["hide-input"]
speed.machine(bench)

# %% [markdown]
# ```{exercise}
# :label: ex-pays-event
# Over eight steps, how often may an input fire if the event path is to be faster than the table path?
# Take half a nanosecond for a live weight and an event, and as much for a live weight and a word of 64 neurons.
# ```
#
# ````{solution} ex-pays-event
# :class: dropdown
# By table a live weight costs $8 \cdot 0.5 / 64 \approx 0.06$ ns for each neuron and all eight steps. By event it costs
# half a nanosecond times the share of neurons that fire at all within them. They break even where an eighth of the
# neurons does: $1 - (1 - r)^8 = 1/8$, at a rate $r$ of 1.7 % for each step. That leaves out the eights that the table
# path skips where all of their inputs are silent.
# ````

# %% tags=["remove-input"]
page.box()
