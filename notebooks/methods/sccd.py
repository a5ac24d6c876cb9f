# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # SCCD: channels by scale and firing rate, a reconstruction
#
# **A channel may have a large scale and hardly ever fire, or fire all the time at a small one. This method ranks
# channels by both, and then pays for spikes while it fine-tunes** {cite:p}`meng2023sccd`. **Its formulas are not
# public: what runs here is a reconstruction from the abstract, and every number it gives is ours.**

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import sccd
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/sccd", globals())

# %% [markdown]
# ## Idea
#
# The abstract says three things. *Channel balance factors*, which consider the scales of batch norm and the firing
# rates of the neurons, evaluate the importance of each channel. Channels are pruned. A *sparsity factor* is applied
# during fine-tuning, to prevent overfitting and to reduce spikes. Paper A compares with its numbers.
#
# ## Equations
#
# Our reading: the importance of channel $i$ of a layer, with scale $\gamma_i$ and firing rate $r_i$ (spikes of a neuron
# in a step), is
#
# ```{math}
# :label: eq-sccd-importance
# I_i = \frac{|\gamma_i|^{1-b}\; r_i^{\,b}}{\operatorname{mean}_j |\gamma_j|^{1-b}\; r_j^{\,b}},
# \qquad 0 \le b \le 1,
# ```
#
# with the mean over the channels of the layer, where $b$ balances the two: $b = 0$ is network slimming ({doc}`nslim`)
# within layers and without its penalty, $b = 1$ goes by rates alone. The product makes the ranking independent of the
# units of $\gamma$. In fine-tuning the loss is
#
# ```{math}
# :label: eq-sccd-loss
# \mathcal{L} + \lambda\, \overline{s},
# ```
#
# with $\overline{s}$ the mean number of spikes of a neuron in a step, over the whole network and the batch.
#
# ## Algorithm and hooks
#
# | step of the algorithm | hook |
# |---|---|
# | train | – |
# | scales, rates, {eq}`eq-sccd-importance`; the least important channels go | `after_step`, once |
# | fine-tune with {eq}`eq-sccd-loss` | `during_forward` watches the neurons, `penalty` |
# | copy what is left into a narrow network | `finish` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(sccd.SCCD), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    network_settings={"vote": 0, "norm_hidden": True, "gain": 2.0}, epochs=2, train_size=SAMPLES, batch_size=20,
    method="sccd", settings={"channels": 0.4, "strength": 1.0},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")
print(f"the narrow network has {record.metrics['parameters_smaller']} parameters,")
print(f"and its logits differ from the masked one's by at most {record.metrics['smaller_differs']:.1g}")

# %% tags=["hide-input"]
from dataclasses import replace

free = experiments.run(replace(trial, settings={"channels": 0.4, "strength": 0.0}), seed=0)
fig, ax = plots.subplots(figsize=(6, 3.4), layout="constrained")
for i, (label, r) in enumerate({"spikes cost nothing": free, "with a sparsity factor": record}.items()):
    rates = [layer["rate"] for layer in r.layers if layer["rate"] is not None]
    ax.plot(range(1, len(rates) + 1), rates, marker=plots.MARKERS[i], color=plots.PALETTE[i], label=label)
ax.set(xlabel="layer of neurons", ylabel="spikes of a neuron in a step", ylim=(0, None))
ax.legend()
plots.show(
    fig,
    alt="Firing rate of each layer of neurons with and without the sparsity factor.",
    caption="Firing rates of the run above, and of the same run where spikes cost nothing.",
    records=[record, free],
)

# %% [markdown]
# One epoch of fine-tuning is short; the penalty competes with everything else that the network learns in it.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "sccd")

# %% [markdown]
# Read it by what is left: a structured method is set to a share of channels, so its points lie where these shares lead,
# and not on the sparsities of the others. The row is that of our reconstruction: where it stands says nothing about the
# method of its authors.
#
# ## Deviations
#
# - No text or code of the method was found beyond its abstract. The product, the exponent $b$, where the rates come
#   from (the training samples, in evaluation mode) and the form of the penalty are our choice.
# - So is the division by the mean of the layer. Our first reading had none. Layers fire at very different rates, and in
#   the tuning it took all but one channel of some early ones; the division came then, before any test result.
# - Whether the original trains with a penalty on the scales before it prunes is not known; this does not.
# - What it does with residual streams is not known; they stay whole here.
# - The networks of its tables are not described in the sources at hand; {doc}`overview` has the reconstruction on
#   ours.
#
# ```{exercise}
# :label: ex-sccd
# A channel that never fires has importance 0 for every $b > 0$. Is it always right to remove it?
# ```
#
# ````{solution} ex-sccd
# :class: dropdown
# For the network as it is, yes: nobody reads anything from it. But it may be about to learn something, and its
# surrogate gradient need not be zero if its potential is close to the threshold. That is the point of
# {doc}`criticality_structured`.
# ````

# %% tags=["remove-input"]
page.box()
