# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 12}
# ---

# %% [markdown]
# # The leaky integrate-and-fire neuron
#
# **A spiking neuron is three lines of arithmetic per time step, and one of the three has no useful
# derivative.** The networks that the papers prune are made of this neuron: they differ in layers and data,
# not here.
#
# On this page you will see
#
# - the neuron as a five-line function, and the same from `snnbook`;
# - which inputs never make it fire, and how its firing rate follows from the input;
# - what the two kinds of reset keep and forget;
# - how training gets past the step, with three surrogate gradients;
# - what the loop over time costs, and what a compiled pass saves.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %%
import math
import time

import matplotlib.pyplot as plt
import torch

from snnbook import native
from snnbook.neurons import LIF, LIFParameters, lif_reference
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.surrogates import ATan, Sigmoid, Tanh

page = Page("ideas/lif", globals())

plt.rcParams.update(plots.STYLE)

# %% [markdown]
# ## Charge, fire, reset
#
# The membrane potential $v$ of the neuron leaks towards its rest and is charged by the input $x$. In discrete
# time, with the time constant $\tau$ counted in steps and the rest at 0,
#
# ```{math}
# :label: eq-lif
# \begin{aligned}
# h[t] &= v[t-1] + \tfrac{1}{\tau}\bigl(x[t] - v[t-1]\bigr) && \text{charge}\\
# s[t] &= \Theta\bigl(h[t] - V_\mathrm{th}\bigr),\quad \Theta(0) = 1 && \text{fire}\\
# v[t] &= h[t]\,\bigl(1 - s[t]\bigr) && \text{reset}
# \end{aligned}
# ```
#
# This is paper B's Eqs. 3 and 4. Paper A prints a differential equation in place of the first line, paper C
# leaves that line out. As a function:


# %%
def lif(x, tau=2.0, threshold=1.0):
    v, spikes, potentials = 0.0, [], []
    for x_t in x:
        h = v + (x_t - v) / tau
        s = float(h >= threshold)
        v = h * (1 - s)
        spikes.append(s)
        potentials.append(h)
    return spikes, potentials


# %% [markdown]
# In `snnbook` a layer of neurons is a module. It takes all steps at once, time first: `[T, N, *]` in, spikes
# of the same shape out. No state outlives the call, so there is nothing to reset between batches.

# %%
x = torch.tensor([1, 1, 1, 3, 0, -1, 4, 2, 0, 1.6, 1.6, 1.6, 1.6, 1.6])
neuron = LIF(tau=2.0, v_threshold=1.0, v_reset=0.0)
spikes, potentials = lif(x.tolist())
print("from scratch:", [int(s) for s in spikes])
print("snnbook:     ", neuron(x[:, None]).flatten().int().tolist())
assert neuron(x[:, None]).flatten().tolist() == spikes

# %% tags=["hide-input"]
steps = range(1, len(x) + 1)
fig, (above, below) = plt.subplots(2, 1, figsize=(6.4, 3.6), sharex=True, height_ratios=(1, 2))
above.bar(steps, x, width=0.5, color=plots.INK)
above.set_ylabel("input $x$")
below.plot(steps, potentials, marker="o", label="potential before reset, $h$")
below.axhline(1, color=plots.INK, linestyle="--", linewidth=1, label="threshold")
fired = [t for t, s in zip(steps, spikes, strict=True) if s]
below.plot(fired, [potentials[t - 1] for t in fired], "^", color="C1", markersize=9, label="spike")
below.set(xlabel="time step", ylabel="potential")
below.legend(loc="upper left", ncols=3, fontsize="small")
below.set_ylim(-0.8, 2.9)
plots.show(
    fig,
    alt="Above, bars of the input at each step; below, the potential, with a spike wherever it reaches 1.",
    caption="One neuron with a time constant of two steps. The potential just reaches the threshold at "
    "step 8: that is a spike, since the step function is 1 at 0.",
)

# %% [markdown]
# ## An input below the threshold never fires
#
# Feed a constant $x$. Solving {eq}`eq-lif` without spikes gives $h[t] = x\,\bigl(1 - (1 - 1/\tau)^t\bigr)$:
# the potential climbs towards $x$ and does not pass it. So a constant input fires if and only if it lies
# above $V_\mathrm{th}$, whatever $\tau$ is. (An input of exactly $V_\mathrm{th}$ halves its distance at each
# step and never arrives; a computer gets there when the remainder is rounded away.)
#
# That is the choice `decay_input=True`, in which the leak divides the input by $\tau$ as well. With
# `decay_input=False` the input enters whole, the potential climbs towards $\tau x$, and $x >
# V_\mathrm{th}/\tau$ is enough. Two networks that differ in nothing but this flag need weights that differ by
# a factor $\tau$. Paper B's equation divides the input; papers A and C do not say.
#
# Above the threshold, the neuron fires each time after the same number of steps, and its rate is
#
# ```{math}
# :label: eq-rate
# f(x) = 1 \Big/ \left\lceil \frac{\ln\bigl(1 - V_\mathrm{th}/x_\infty\bigr)}{\ln(1 - 1/\tau)} \right\rceil,
# \qquad x_\infty = x \text{ or } \tau x .
# ```


# %%
def rate(x, tau=2.0, threshold=1.0, decay_input=True):
    end = x if decay_input else tau * x
    if end <= threshold:
        return 0.0
    steps = math.log(1 - threshold / end) / math.log(1 - 1 / tau)
    return 1 / max(1, math.ceil(steps))


currents = torch.linspace(0.0125, 3.0125, 121)
T = 240
expected, measured = {}, {}
for tau, decay in ((2.0, True), (5.0, True), (2.0, False)):
    rates = [rate(x, tau, decay_input=decay) for x in currents.tolist()]
    expected[tau, decay] = torch.tensor(rates)
    spikes = LIF(tau=tau, decay_input=decay)(currents.expand(T, 1, -1))
    measured[tau, decay] = spikes.mean((0, 1))
    error = (measured[tau, decay] - expected[tau, decay]).abs().max()
    print(f"tau={tau:g} decay_input={decay!s:5}  largest error {error:.4f}")
print(f"one spike in {T} steps is {1 / T:.4f}")

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.4))
for (tau, decay), line in zip(measured, ("-", "--", ":"), strict=True):
    label = f"$\\tau={tau:g}$, " + ("input divided by $\\tau$" if decay else "input whole")
    (drawn,) = ax.plot(currents, expected[tau, decay], line, label=label)
    ax.plot(currents[::6], measured[tau, decay][::6], "o", color=drawn.get_color(), markersize=4)
ax.axvline(1, color=plots.INK, linewidth=1)
ax.set(xlabel="constant input $x$", ylabel="spikes per step", ylim=(-0.03, 1.03))
ax.legend(fontsize="small")
plots.show(
    fig,
    alt="Firing rate against constant input for three settings: zero at first, then rising in steps to one.",
    caption="The f-I curve: lines from the formula, points from simulated neurons. The vertical line is the "
    "threshold; only the neuron that takes its input whole fires to the left of it.",
)

# %% [markdown]
# ## What a reset forgets
#
# The **hard reset** of {eq}`eq-lif` puts the potential back to `v_reset`, here also the rest. Whatever
# exceeded the threshold is lost. The **soft reset** (`v_reset=None`) subtracts the threshold and keeps the
# excess, so a strong input is remembered as further spikes. Papers A, B and C use the hard reset.

# %%
pulse = torch.tensor([7.0] + [0.0] * 5)
resets = {"hard": 0.0, "soft": None, "hard, to -0.5": -0.5}
print("reset          spikes             potentials")
for name, v_reset in resets.items():
    lif_kept = LIF(v_reset=v_reset)
    lif_kept.keep_potential = True
    fired = lif_kept(pulse[:, None]).flatten().int().tolist()
    potentials = [round(h, 2) for h in lif_kept.potential.flatten().tolist()]
    print(f"{name:14} {fired} {potentials}")

# %% [markdown]
# `v_reset` is the rest as well, as in the reference code of the field: a neuron with `v_reset=-0.5` starts
# there and leaks towards it.
#
# ## A gradient for a step
#
# Training needs $\partial s/\partial h$. The derivative of the step is 0 everywhere but at the threshold,
# where it does not exist: with it, no weight in front of a spike would ever move. A **surrogate gradient**
# keeps the step in the forward pass and, in the backward pass only, uses the derivative of a smooth function
# $g$ instead. Paper C plots three, with $u = h - V_\mathrm{th}$:
#
# ```{math}
# :label: eq-surrogates
# \begin{aligned}
# g_\mathrm{atan}(u) &= \tfrac1\pi\arctan(\pi u) + \tfrac12, & g'(0) &= 1\\
# g_\mathrm{sigmoid}(u) &= \frac{1}{1 + e^{-4u}}, & g'(0) &= 1\\
# g_\mathrm{tanh}(u) &= \frac{\tanh 3u}{2\tanh 1.5} + \tfrac12, & g'(0) &= \frac{1.5}{\tanh 1.5}
# \end{aligned}
# ```


# %%
def atan_slope(u):
    return 1 / (1 + (math.pi * u) ** 2)


h = torch.tensor([-0.5, 0.9, 1.0, 1.1, 3.0], requires_grad=True)
print("has the comparison itself a gradient?", (h >= 1).float().requires_grad)
ATan().spike(h - 1).sum().backward()
print("with the surrogate:", [round(g, 4) for g in h.grad.tolist()])
print("from scratch:      ", [round(atan_slope(v - 1), 4) for v in h.tolist()])
for surrogate in (ATan(), Sigmoid(), Tanh()):
    peak = surrogate.derivative(torch.zeros(1)).item()
    print(f"{surrogate}: derivative at the threshold {peak:.3f}")

# %% tags=["hide-input"]
u = torch.linspace(-1.5, 1.5, 301)
fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.9))
left.step([-1.5, 0, 1.5], [0, 0, 1], "-", color=plots.INK, linewidth=1, label="step")
for i, (surrogate, line) in enumerate(((ATan(), "-"), (Sigmoid(), "--"), (Tanh(), ":"))):
    look = {"color": f"C{i}", "linestyle": line, "marker": "", "label": type(surrogate).__name__}
    left.plot(u, surrogate.value(u), **look)
    right.plot(u, surrogate.derivative(u), **look)
left.set(xlabel="$h - V_{th}$", ylabel="value $g$")
right.set(xlabel="$h - V_{th}$", ylabel="derivative $g'$")
left.legend(fontsize="small")
plots.show(
    fig,
    alt="Left, a step and three smooth curves through one half; right, their bell-shaped derivatives.",
    caption="Three surrogates. ATan has the longest tails, so neurons far from the threshold still learn; "
    "Tanh leaves the range from 0 to 1 and peaks higher.",
)

# %% [markdown]
# The peaks differ. Scores built on $g'$, such as paper C's criticality, can be compared within one surrogate
# and not across two.
#
# The reset uses the spike as well, and a gradient can flow through it. `detach_reset=True` cuts that path,
# which is the default here and in the public code of papers A and B; the forward pass is the same either way.
# Here is the gradient of the number of spikes with respect to the input of each step.

# %%
x = torch.full((6, 1), 1.4, requires_grad=True)
for detach in (True, False):
    (g,) = torch.autograd.grad(LIF(detach_reset=detach)(x).sum(), x)
    print(f"detach_reset={detach!s:5}", [round(v, 3) for v in g[:, 0].tolist()])

# %% [markdown]
# ## What the loop over time costs
#
# Written in torch, {eq}`eq-lif` makes several passes over memory at each step, forwards and again backwards,
# and keeps what it needs for the backward pass. The compiled kernel of `snnbook` holds a block of neurons in
# the cache while their steps stream by: one pass each way. Its spikes are equal to those of the reference,
# bit for bit. Both are timed here, on this machine, forwards and backwards; [Speed](../reference/speed) compares
# with other libraries.


# %%
def best_time(function, x, repeats=5):
    def once():
        start = time.perf_counter()
        torch.autograd.grad(function(x).sum(), x)
        return time.perf_counter() - start

    return min(once() for _ in range(repeats))


p = LIFParameters()
sizes = [10**k for k in range(2, 6)]
reference, module = [], []
for size in sizes:
    x = torch.randn(8, 1, size, requires_grad=True)
    assert torch.equal(lif_reference(x, p)[0], LIF()(x))
    reference.append(best_time(lambda x: lif_reference(x, p)[0], x))
    module.append(best_time(LIF(), x))

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 3.2))
ax.loglog(sizes, [1e3 * s for s in reference], "o-", label="torch reference")
kind = "compiled" if native.available() else "torch"
ax.loglog(sizes, [1e3 * s for s in module], "s--", label=f"LIF module, {kind}")
ax.set(xlabel="neurons", ylabel="forward and backward, ms")
ax.legend(fontsize="small")
plots.show(
    fig,
    alt="Time against number of neurons on logarithmic axes: the torch reference above the LIF module.",
    caption="Time for eight steps against the number of neurons, best of five, on this page's machine.",
)

# %%
if native.available():
    ratio = [r / m for r, m in zip(reference, module, strict=True)]
    low, high = min(ratio), max(ratio)
    print(f"The compiled pass is {low:.0f} to {high:.0f} times as fast here.")
else:
    print(f"No compiled kernels ({native.status}):")
    print("the module runs step by step in torch as well. Slower, with the same results.")

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-lif-replicate
# **Replicate.** Find by hand the smallest constant input that makes a neuron with $\tau = 2$ fire at every
# second step, for both values of `decay_input`. Check it with `LIF`.
# ```
#
# ````{solution} ex-lif-replicate
# :class: dropdown
# With the input divided by $\tau$, the second step has $h = \tfrac34 x$, so $x = \tfrac43$. Taken whole,
# $h = \tfrac32 x$, so $x = \tfrac23$.
#
# ```python
# for decay, x in ((True, 4 / 3), (False, 2 / 3)):
#     for current in (x - 1e-4, x + 1e-4):
#         spikes = LIF(decay_input=decay)(torch.full((6, 1), current))
#         print(decay, round(current, 4), spikes.flatten().int().tolist())
# ```
# ````
#
# ```{exercise}
# :label: ex-lif-tau
# **Break it.** What is left of the neuron at `tau=1`? And why is `tau=0.9` refused?
# ```
#
# ````{solution} ex-lif-tau
# :class: dropdown
# At $\tau = 1$ the charge is $h = x$: no memory, a network of threshold units that sees each step on its own.
# Below 1 the factor $1 - 1/\tau$ is negative: the potential would change sign at every step, which no
# membrane does.
#
# ```python
# x = torch.randn(5, 4)
# assert torch.equal(LIF(tau=1.0)(x), (x >= 1).float())
# LIF(tau=0.9)  # ValueError
# ```
# ````
#
# ```{exercise}
# :label: ex-lif-soft
# For which constant inputs does a soft reset change the firing rate at $\tau = 2$? Draw both f-I curves.
# ```
#
# ````{solution} ex-lif-soft
# :class: dropdown
# For nearly all that fire: the excess over the threshold stays and shortens the way to the next spike. The
# two agree where the potential reaches the threshold exactly, since then nothing is left over.
#
# ```python
# x = torch.linspace(0, 3, 301)
# for v_reset in (0.0, None):
#     plt.plot(x, LIF(v_reset=v_reset)(x.expand(400, 1, -1)).mean(0).squeeze())
# ```
# ````
#
# ## Summary
#
# - A step is charge, fire, reset; not every paper prints all three.
# - With the input divided by $\tau$, a constant input fires if and only if it exceeds the threshold.
# - The spike has no useful derivative; a surrogate stands in for it in the backward pass only.
# - The loop over time is what a spiking network adds to the cost of training, and compiling it removes most
#   of that.
#
# Next: {doc}`events_to_frames` turns the output of an event camera into such inputs, {doc}`sops` counts what
# a spike costs.

# %% tags=["remove-input"]
page.box()
