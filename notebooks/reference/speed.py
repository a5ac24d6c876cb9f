# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 8}
# ---

# %% [markdown]
# # Speed
#
# **How fast the parts are that the time of this book goes into: the neurons, a training step, LAMP on large networks,
# and a pass in which operations are counted. Each is timed beside what else there is, and where a goal is missed the
# page says so.**

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook import experiments
from snnbook.report import benchmarks
from snnbook.report.page import Page
from snnbook.report.pages import speed

page = Page("reference/speed", globals())

records = experiments.open_store(profile, results).records()
bench = benchmarks.load(speed.NAMES)
speed.verdict(bench)

# %% [markdown]
# ## How it was measured
#
# `make bench` makes an environment of its own with the peers (SpikingJelly, snnTorch, Norse and sinabs, with exact
# versions and a torch without CUDA), checks their numbers against ours (`tests/peers`) and runs `snnbook bench all`,
# which writes `data/bench/`. This page reads those files and nothing else. To compare on your machine, run it there:
# times of two machines say little about each other, ratios say more.
#
# - **One thread, thread CPU time.** What the machine does besides then counts less than on a clock.
# - **Interleaved.** In every round each variant runs once, in an order drawn anew; a first round warms up and
#   does not count.
# - **Ratios within rounds.** A ratio is the median over rounds of the peer's time over ours in the same round.
# - **Each library as it comes.** For the neurons each variant has a process of its own, with the allocator that
#   its users have. That decides much: the C library fetches every tensor above 32 MB anew from the system, and
#   smaller ones now and then, at a cost per page that rivals the arithmetic. snnbook keeps freed memory when it
#   trains, so its process does; peers do not. A second table has all variants in one process with freed memory
#   kept for all of them: what is left there is arithmetic and memory traffic, and the ratios are lower. Training
#   steps and LAMP are timed in that way only.
# - **The same work.** $\tau = 2$, threshold 1, hard reset to 0. SpikingJelly is compared with and without a
#   detached reset. snnTorch does not divide the input by $\tau$ and Norse does not detach the reset, so each is
#   compared with ours in that setting. Norse and sinabs keep their own surrogate derivatives; the time constant
#   of sinabs is not trained.
# - **Peak memory in a process of its own.** Each variant runs once in a fresh process whose allocator hands freed
#   tensors back at once, so that the peak is of what has to be there at the same time.
# - **Checked in the same run.** Spikes against the reference in single precision; gradients, where the
#   surrogate is the same, against double precision; masks against the exact ranks. A wrong result stops the
#   benchmark.

# %% tags=["hide-input"]
speed.machine(bench)

# %% [markdown]
# ## The neurons
#
# A layer of LIF neurons, forwards and backwards. The input is random and as large as the activations of a
# layer: $T$ steps times neurons; 1M elements are $2^{20}$, or 4 MB.

# %% tags=["hide-input"]
speed.neurons(bench)

# %% tags=["hide-input"]
speed.neuron_ratios(bench)

# %% tags=["hide-input"]
speed.neuron_ratios_together(bench)

# %% [markdown]
# Peers keep what each step computed until the way back. Ours keeps the input and computes the potentials a
# second time, which is cheaper than fetching them from memory:

# %% tags=["hide-input"]
speed.neuron_memory(bench)

# %% [markdown]
# ## A training step
#
# A network of four convolutions on 32 × 32 colour images, and the three networks of this book on their own
# data, all untrained. SpikingJelly's copy has the same layers and weights. It repeats a static image $T$ times,
# as its users do; ours computes the first layer once.
#
# In double precision both compute the same loss and gradients. In single precision sums in another order flip
# a few spikes at the threshold, and every further layer flips more: the losses still agree, single gradients of
# an untrained network need not.

# %% tags=["hide-input"]
speed.steps(bench)

# %% tags=["hide-input"]
speed.step_ratios(bench)

# %% [markdown]
# ## The whole profile
#
# What all of it comes to: the trainings whose records this book shows.

# %% tags=["hide-input"]
speed.work(records, profile)

# %% [markdown]
# ## LAMP
#
# The score needs the ranks of all weights, but the masks need only one threshold. Ours finds it without
# sorting. It is compared with the steps of the public code of LAMP's authors {cite:p}`lee2020lamp`, and with one
# sort per layer and a bisection.

# %% tags=["hide-input"]
speed.lamp(bench)

# %% tags=["hide-input"]
speed.lamp_memory(bench)

# %% [markdown]
# ## Goals
#
# The goals were set before the kernels were written.

# %% tags=["hide-input"]
speed.goals(bench)

# %% [markdown]
# ## Checks

# %% tags=["hide-input"]
speed.checks(bench)

# %% tags=["remove-input"]
page.box()
