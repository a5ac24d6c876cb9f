# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # Structured criticality: channels that were about to fire come back
#
# **Network slimming cuts the channels whose scale is small. Paper C cuts more than it wants to, and brings those back
# whose neurons stay closest to their threshold: the ones where the smallest change makes a difference**
# {cite:p}`chen2023criticality`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import criticality_structured
from snnbook.pruning.parts import criticality_score
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/criticality_structured", globals())

# %% [markdown]
# ## Idea
#
# A neuron far below its threshold never fires, one far above always does; neither says much about its input. Between
# the two, at the threshold, is where a neuron tells inputs apart, and where the surrogate lets gradients through. So
# paper C takes the derivative of the surrogate, which training computes anyway, for a measure of *criticality*, and
# regenerates channels by it.
#
# ## Equations
#
# With $u_t$ the potential before reset minus the threshold and $g'$ the derivative of the network's surrogate (written
# out: that of the arctangent), the criticality of channel $e$ over $N$ samples is
#
# ```{math}
# :label: eq-criticality-channel
# s(e) = \operatorname*{max}_{\text{map of } e}\Bigl(\frac{1}{T}\sum_{t=1}^{T} g'(u_{e,t})\Bigr), \qquad
# C(e) = \frac{1}{N}\sum_{i=1}^{N} s_i(e), \qquad g'(u) = \frac{1}{1 + (\pi u)^2}
# ```
#
# (Eq. 13 and 2b). To end at a share $s$ of removed channels, first
#
# ```{math}
# :label: eq-criticality-extended
# s' = s + r\,(1 - s)
# ```
#
# of them are cut (Eq. 11), by the scale of their batch norm as in {doc}`nslim`; then those $s' - s$ of all channels
# come back, among the cut, that have the highest $C$ (Eq. 12).
#
# ## Algorithm and hooks
#
# | line of Algorithm 2 | hook |
# |---|---|
# | 1: train with L1 on the scales (Eq. 16) | `penalty` |
# | 2–3: cut the share $s'$ {eq}`eq-criticality-extended` | `after_step`, once |
# | 4: criticality over the training set {eq}`eq-criticality-channel` | `after_step`, by `Criticality` |
# | 5: bring back the most critical | `after_step` |
# | 6: fine-tune without L1; copy what is left into a narrow network | `after_step`, `finish` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(criticality_structured.CriticalityStructured), language="python"))

# %% [markdown]
# The score, which the unstructured method shares:

# %% tags=["hide-input"]
display(Code(inspect.getsource(criticality_score.Criticality), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    network_settings={"vote": 0, "norm_hidden": True, "gain": 2.0}, epochs=2, train_size=SAMPLES, batch_size=20,
    method="criticality_structured", settings={"channels": 0.5, "regeneration": 0.3},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")
print(f"the narrow network has {record.metrics['parameters_smaller']} parameters,")
print(f"and its logits differ from the masked one's by at most {record.metrics['smaller_differs']:.1g}")

# %% tags=["hide-input"]
from dataclasses import replace

slimming = experiments.run(replace(trial, settings={"channels": 0.5, "regeneration": 0.0}), seed=0)
fig, ax = plots.subplots(figsize=(6, 3.4), layout="constrained")
plots.weights_left(ax, {"r = 0, slimming": [slimming], "r = 0.3": [record]})
ax.legend()
plots.show(
    fig,
    alt="Share of weights left in each layer for slimming and for structured criticality, as many channels.",
    caption="Weights left per layer, with and without regeneration: as many channels, from other layers.",
    records=[record, slimming],
)

# %% [markdown]
# Both runs keep the same number of channels. Criticality is compared over the whole network, so it also moves channels
# from layer to layer.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "criticality_structured")

# %% [markdown]
# Read it by what is left: a structured method is set to a share of channels, so its points lie where these shares
# lead, and not on the sparsities of the others.
#
# ## Deviations
#
# - Against the paper's silence, its authors' code (MmPple/pruning-criticality) settles three points: the scores are
#   taken in evaluation mode, from the network before anything is cut, and all batch norms are ranked together, the
#   encoder's included. This does the same.
# - That code removes one channel more than the share; the count here is exact. Equal scores all come back there.
# - Its ResNet19 normalises before each convolution, and each block reads a selection of a stream that stays whole.
#   Here the stream stays whole by default; with `streams=True` its channels go from all layers that meet in it, and
#   the score of such a channel is the mean over them.
# - Eq. 13a sums from $i = 0$ to $T$, which would be $T + 1$ steps. It has $T$ here, as in the code.
# - The text beside Fig. 3b speaks of L1 while fine-tuning; Algorithm 2 and the authors' commands do not, nor does
#   this.
# - Fine-tuning there starts from the full learning rate again and takes as many epochs as the training with L1: 160 and
#   160, where the paper prints 160. Here one schedule spans both parts.
# - Their commands cut the checkpoint with the best test accuracy and report the best test accuracy of fine-tuning. Here
#   the network is cut as it is when its L1 phase ends, and counts as it is at the end.
# - Their README prunes VGG16 with a share of 0.6764 and $r = 0.05$; Table 2 of the paper has 0.512 and 0.658 with 0.3
#   and 0.1. Weight decay is not printed and 0 there. The main file of that half of the code does not parse (line 181).
# - This half of the code scores with the derivative of the arctangent, as Eq. 13 says; the half for weights does not
#   ({doc}`criticality`).
# - The L1 of Eq. 16 is a part of the loss, and its gradient passes through Adam here; there SGD adds it to a step
#   ({doc}`nslim`).
# - The script behind Fig. 3b gives 1 to the *smallest* scale of a network ({prf:ref}`inverted-scales`).
#
# ```{exercise}
# :label: ex-criticality_structured
# Why does it matter whether the scores are taken before or after the cut?
# ```
#
# ````{solution} ex-criticality_structured
# :class: dropdown
# After the cut a channel has no input; its potential stays at rest, at the same distance from the threshold for all.
# Every cut channel would have the same score. Those that stay would be scored on inputs from which channels are
# missing.
# ````

# %% tags=["remove-input"]
page.box()
