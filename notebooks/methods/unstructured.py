# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 7}
# ---

# %% [markdown]
# # Unstructured pruning of weights and neurons
#
# **Each weight and each neuron gets a soft mask, trained together with the weights under a penalty that counts
# synaptic operations; the masks harden on the way. It is the only method here that removes single neurons of a feature
# map, and the only one that aims at operations instead of weights** {cite:p}`shi2024unstructured`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

import numpy as np

from snnbook import experiments
from snnbook.pruning.methods import unstructured
from snnbook.pruning.parts import soft_masks, sop_cost
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/unstructured", globals())

# %% [markdown]
# ## Idea
#
# An operation happens when a spike crosses a synapse, and it goes away if the neuron before it, the weight, or the
# neuron behind it goes. A weight of a convolution serves thousands of synapses, a neuron a few; so a number of weights
# says little about energy. Paper B puts a mask on both and lets gradient descent trade the loss against their cost.
#
# ## Equations
#
# The network computes with
#
# ```{math}
# :label: eq-unstructured-mask
# \hat w = \sigma(\beta\alpha_w)\, w, \qquad \hat s = \sigma(\beta\alpha_n)\, s,
# ```
#
# where $s$ are spikes and $\alpha$ are trained from 0, so that every mask is ½ at first. While $\beta$ grows
# exponentially from 5 to 1000,
#
# ```{math}
# :label: eq-unstructured-loss
# \mathcal L + \lambda\Bigl(\sum_p e_{w,p}\,\sigma(\beta\alpha_{w,p}) + \sum_i e_{n,i}\,\sigma(\beta\alpha_{n,i})\Bigr)
# ```
#
# is minimised over $w$ and both $\alpha$; then the masks are $\alpha > 0$ and $w$ is trained on. The costs are meant
# to be operations (paper B, Eq. 9),
#
# ```{math}
# :label: eq-unstructured-cost
# e_{n,i} = s_i \sum_j \sigma(\beta\alpha_{w,ij})\,\sigma(\beta\alpha_{n,j}), \qquad
# e_{w,p} = \sum_q s_{pq}\,\sigma(\beta\alpha_n^{\mathrm{pre}})\,\sigma(\beta\alpha_n^{\mathrm{post}}),
# ```
#
# and are one constant per layer in the public code: $e_w = H W / \mathrm{stride}^2$ of the layer's input, and $e_n =
# \sum C_\mathrm{out} k^2 / \mathrm{stride}^2$ over the layers that a neuron feeds (`cost="geometry"`). `cost="spikes"`
# counts {eq}`eq-unstructured-cost` anew in each epoch. Multiplied by their masks, its two sums are the synaptic
# operations, each of them: the penalty counts every operation twice.
#
# ## Algorithm and hooks
#
# | line of Algorithm 1 | hook |
# |---|---|
# | costs; $\alpha = 0$, $\beta = \beta_0$ | `start` |
# | the penalty of {eq}`eq-unstructured-loss` | `penalty` |
# | steps of $\alpha$, and of $w$ by the chain rule from $\hat w$ | `after_backward`; the loop |
# | $\beta$ grows; binary masks at the end of the search | `after_step` |
# | fine-tuning | the loop |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(unstructured.Unstructured), language="python"))
display(Code(inspect.getsource(soft_masks.SoftMasks), language="python"))
display(Code(inspect.getsource(sop_cost.geometry), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 200 if profile == "smoke" else 400
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", epochs=5, train_size=SAMPLES, batch_size=20,
    network_settings={"convolutions": (8, "M", 16, "M"), "hidden": (32,), "vote": 0, "norm_hidden": True, "gain": 2.0},
    method="unstructured", settings={"strength": 0.1, "lr_mask": 0.02},
)  # fmt: skip
record = experiments.run(trial, seed=0)
for what in ("weights", "neurons", "connections"):
    alive, total = record.metrics[f"{what}_alive"], record.metrics[f"{what}_total"]
    print(f"{100 * alive / total:.1f} % of {total:.0f} {what} are left")

# %% tags=["hide-input"]
shapes = {"neurons/body.0": (8, 12, 12), "neurons/body.3": (16, 6, 6)}
fig, axes = plots.subplots(1, 3, figsize=(9, 3.2), layout="constrained", width_ratios=(1.3, 1, 1))
left = [100 * layer["weights_alive"] / layer["weights_total"] for layer in record.layers]
synapses = [100 * layer["connections_alive"] / layer["connections_total"] for layer in record.layers]
place = np.arange(len(left))
axes[0].bar(place - 0.2, left, 0.4, label="weights")
axes[0].bar(place + 0.2, synapses, 0.4, label="connections")
axes[0].set(xlabel="layer", ylabel="left, %", xticks=place, xticklabels=place + 1)
axes[0].legend()
for ax, (name, shape) in zip(axes[1:], shapes.items(), strict=True):
    alive = np.unpackbits(record.curves[name])[: np.prod(shape)].reshape(shape)
    picture = ax.imshow(alive.mean(0), vmin=0, vmax=1, cmap="viridis")
    ax.grid(visible=False)
    ax.set(title=f"behind layer {1 if shape[0] == 8 else 2}", xticks=[], yticks=[])
fig.colorbar(picture, ax=axes[1:], label="neurons left, share of channels")
plots.show(
    fig,
    alt="Left: per layer, the share of weights and the smaller share of connections left. Middle and right: for each "
    "position of the two feature maps, the share of channels whose neuron is left.",
    caption="Left: a connection needs its weight and both its neurons. Right: where neurons are left.",
    records=[record],
)

# %% [markdown]
# The last two pictures show what removing weights cannot do: a channel keeps its weights and loses positions.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "unstructured")

# %% [markdown]
# In the comparison the penalty is steered to shares of the connections. Compare at equal connections or operations,
# which is what the method aims at; at equal weights it keeps far more of them than others.
#
# ## Deviations
#
# - **Lambda.** The paper's values (5·10⁻¹² to 10⁻¹⁰ on CIFAR-10) belong to one network. `strength` is $\lambda$ times
#   the sum of $e_w$ over all weights, which is the number of connections with borders ignored: $1.70\cdot10^9$ for
#   CifarNet at full width, where the paper's values become 0.0085 to 0.17. They still are not comparable across
#   lengths of training, since Adam normalises gradients: when the loss has little to say about a mask, any penalty
#   decides.
# - **Target.** With `target`, which is ours, $\lambda$ is raised while more than this share of the connections has
#   $\alpha > 0$ and lowered while less has, so that a setting means the same on every network. It is met to a few per
#   cent, from spans of a quarter of the training on; shorter ones leave more, since masks harden before they have
#   closed. A target can only lie below an eighth: masks begin undecided, and half of the weights and of the neurons at
#   both ends of a connection fall on the other side at once, whatever the penalty.
# - **Adam.** The gradient of the penalty on one mask is of the order of $10^{-8}$ at first, Adam's $\epsilon$. The
#   paper uses SGD for the weights on events and the public code Adam for the masks there; here masks always have Adam.
#   Its rate was $10^{-4}$ for millions of steps; `lr_mask` is larger, since a few hundred steps could not move the
#   masks.
# - **Loss.** The public code trains on the squared error of the mean output on CIFAR-10 and on cross-entropy elsewhere
#   (its `--criterion`); here it is the trial's `loss`, cross-entropy in the comparison. A larger loss holds against a
#   larger penalty, so `strength` is not on the paper's scale even in these units.
# - **Start.** $\alpha_0 = 0$, the default of the public code, which has an option for others. The product penalty of
#   Eq. 8, which the text calls ill-posed, is in neither.
# - **Costs.** Eq. 9 is called a rewriting of Eq. 8; each of its two sums alone is all of it. The constants that the
#   public code uses hold neither spikes nor masks. Ours agree with those of that code for CifarNet, VGGSNN and
#   SEW-ResNet18, but for the classifier of the last, which it leaves out.
# - **What has masks.** All weights, and neurons by `scope`. The text excepts those of linear layers ("paper", the
#   default), the code also those of the encoding layer ("released"); Fig. A1 of the paper shows pruned neurons there.
#   SEW-ResNet's first layer and classifier have no masks in that code.
# - **Half open.** $\alpha = 0$ is a mask of ½ while it is soft and counts as pruned once it is hard.
# - **Learning rate.** One cosine runs over search and fine-tuning, where the public code starts a second one on events
#   and keeps it constant on CIFAR-10. The share of fine-tuning is 1/5 as there.
# - Neurons of other libraries are silenced by a hook that stays with them; counters of connections see only masks of
#   `LIF`.
#
# ```{exercise}
# :label: ex-unstructured
# With $\lambda = 0$, are all masks open at the end?
# ```
#
# ````{solution} ex-unstructured
# :class: dropdown
# No: each $\alpha$ follows the gradient of the loss, and starts on the fence. About half of them end below 0. The
# penalty pushes from there.
# ````

# %% tags=["remove-input"]
page.box()
