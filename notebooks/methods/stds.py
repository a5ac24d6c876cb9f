# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # STDS: state transition of dendritic spines
#
# **Weights pass through a soft threshold that rises during training, and the gradient does not see it: what is below
# the threshold goes on learning, like a filopodium that may become a spine** {cite:p}`chen2022stds`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import stds
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/stds", globals())

# %% [markdown]
# ## Idea
#
# Thin protrusions of a dendrite, filopodia, search for partners, and some of them turn into spines, which carry
# synapses; spines can turn back. In the model a weight has a spine size $\theta$. Small ones carry no synapse. As the
# threshold between the two states rises, ever more weights have to prove that they are needed.
#
# ## Equations
#
# ```{math}
# :label: eq-stds-weight
# w = \mathrm{sign}(\theta) \max(\lvert\theta\rvert - d, 0), \qquad \nabla \theta := \frac{\partial L}{\partial w}.
# ```
#
# The gradient is passed on as if the threshold were not there, below it too. After step $n$ of $N$
#
# ```{math}
# :label: eq-stds-rise
# d = \frac{D}{2} \Bigl( 1 + \sin \pi \bigl( \tfrac{n}{N} - \tfrac{1}{2} \bigr) \Bigr),
# ```
#
# or $d = D n / N$. How large is large? A weight under Adam travels by about $\eta \sqrt{N}$ by chance, which is the
# unit here:
#
# ```{math}
# :label: eq-stds-strength
# \texttt{strength} = \frac{D}{\eta \sqrt{N}} .
# ```
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | $\theta$ = the initial weights | `start` |
# | $\theta$ takes the place of the weights, with their gradient | `after_backward` |
# | gradient step | the loop, with any optimiser |
# | $\theta$ is put aside; threshold by {eq}`eq-stds-rise`, weights by {eq}`eq-stds-weight` | `after_step` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(stds.STDS), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    epochs=2, train_size=SAMPLES, batch_size=20,
    method="stds", settings={"strength": 4.0},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
fig, ax = plots.subplots(1, 1, figsize=(6, 3.2), layout="constrained")
plots.weights_left(ax, {"STDS": [record]})
plots.show(
    fig,
    alt="Share of weights left in each layer: most in the first, whose initial weights are the largest.",
    caption="One threshold for all layers: those with small initial weights lose the most.",
    records=[record],
)

# %% [markdown]
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "stds")

# %% [markdown]
# Its points are a ladder of thresholds, not of sparsities: read them where they fall, and compare along an axis.
#
# ## Deviations
#
# - The authors give $D$ itself, 1 to 5 for 2048 epochs of 3125 steps at a learning rate of $10^{-4}$: 4 to 20 in the
#   units of {eq}`eq-stds-strength`. The default is their smallest. Batch norm makes the scale of weights free, so
#   that no unit is beyond doubt; with the small network and short trainings of this book strengths of 1 to 2 cover
#   the ladder, and 4 empties layers. Under plain gradient steps the unit loses its meaning, but not the method.
# - The authors' threshold rises to the last step, and nothing is trained after that; their learning rate on CIFAR10 is
#   constant, on ImageNet it falls along a cosine. With a rate that falls to zero the weights can hardly follow the last
#   part of the rise. Here $D$ is reached after the first `span` of the training and stays; `span=1`, the default, is
#   what the authors do.
# - Where $\theta$ is exactly 0 it has no sign, and no gradient is passed on, as in that code. Over 200 steps of a
#   small network, with Adam and with SGD, our weights equal those of the authors' modules bit for bit.
# - The last layer is pruned too, as on CIFAR10 by the authors; on ImageNet they leave it dense. Biases and batch norm
#   have no threshold.
# - A layer that would be emptied keeps its largest weight, with a warning; the authors' code empties it.
#
# ```{exercise}
# :label: ex-stds
# Grad R ({doc}`gradr`) pushes each hidden value by $\alpha \eta$ per step. What does the rising threshold of STDS do
# to a weight that is not needed, and what to one that is?
# ```
#
# ````{solution} ex-stds
# :class: dropdown
# Between two steps the threshold rises by some $\Delta d$, and every weight that is on becomes smaller by as much:
# the same push as Grad R's with $\alpha \eta = \Delta d$. The difference is at zero. Grad R pushes a hidden value on
# down when its weight is off, so that the way back becomes longer; STDS leaves it where it is, and its sign may
# change.
# ````

# %% tags=["remove-input"]
page.box()
