# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # GReg: filters that fade before they go
#
# **Cutting a filter is a shock, so this method lets it fade: the filters that are to go get an L2 penalty that grows
# and grows, and the others take over their work meanwhile. What is removed in the end is close to nothing already**
# {cite:p}`wang2021greg`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import greg
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/greg", globals())

# %% [markdown]
# ## Idea
#
# Which filters go is a simple matter here: those with the smallest weights, the same share in each layer. How they go
# is the point. A constant penalty that is strong enough to remove a filter disturbs the network from the first step;
# one that grows slowly does not. The second variant grows a penalty on *all* filters first: weights that matter
# resist it more than others do, so that sizes drawn apart say more about importance than the sizes of a trained
# network.
#
# ## Equations
#
# Filter $w$ among the chosen is trained with
#
# ```{math}
# :label: eq-greg-grad
# g \leftarrow \nabla_w \mathcal{L} + \mu\, w, \qquad
# \mu \leftarrow \mu + \delta \ \text{ every few steps, up to } \mu_{\max},
# ```
#
# that is, with an L2 penalty $\tfrac{\mu}{2}\|w\|^2$. The choice is by the mean of $|w|$ over a filter; of $n$ filters
# $\lceil p\,n \rceil$ go, but never all.
#
# ## Algorithm and hooks
#
# | step of the algorithm | hook |
# |---|---|
# | variant 1: choose the filters of a trained network | `start` |
# | variant 2: a penalty on all filters, and choose then | `after_backward`, `before_step` |
# | add {eq}`eq-greg-grad` to the gradients, raise $\mu$ | `after_backward` |
# | hold $\mu$, remove the filters | `after_step`, once |
# | fine-tune; copy what is left into a narrow network | `after_step`, `finish` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(greg.GReg), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    network_settings={"vote": 0, "norm_hidden": True, "gain": 2.0}, epochs=2, train_size=SAMPLES, batch_size=20,
    method="greg", settings={"channels": 0.6},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")
print(f"the narrow network has {record.metrics['parameters_smaller']} parameters,")
print(f"and its logits differ from the masked one's by at most {record.metrics['smaller_differs']:.1g}")

# %% tags=["hide-input"]
fig, ax = plots.subplots(figsize=(6, 3.4), layout="constrained")
plots.weights_left(ax, {"GReg": [record]})
plots.show(
    fig,
    alt="Share of weights left in each layer of the run above: the first keeps more than those behind it.",
    caption="Weights left per layer. The first layer keeps its filters; the others have the same share each.",
    records=[record],
)

# %% [markdown]
# A layer's weights are its filters times those of the layer in front of it, so the square of the share that stays is
# left; of the first and the last layer the share itself, or all.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "greg")

# %% [markdown]
# Read it by what is left: a structured method is set to a share of channels, so its points lie where these shares
# lead, and not on the sparsities of the others.
#
# ## Deviations
#
# - The public code raises $\mu$ by $10^{-4}$ every 5 or 10 iterations, 10,000 times, and then waits for 10,000 to
#   40,000 iterations. Here `updates` raises to the same ceiling take four fifths of `span`, and the hold the rest.
# - Its early end (kept filters 1,000 times the others in every layer) is left out, and so is the small negative
#   penalty that variant 2 has for the kept ones: the authors note in their code that it seems a bad idea.
# - The penalty is part of the gradient, as there. SGD shrinks weights by $\eta\mu$ a step; Adam divides this gradient
#   by its own size like any other, so once $\mu w$ outweighs the rest, weights fall by about $\eta$ a step.
# - The first convolution stays, as in the public example, and so do the last convolutions of residual blocks and the
#   shortcuts, by the public code's rule.
# - The method is made for a trained network. From scratch, variant 1 would choose by random weights.
#
# ```{exercise}
# :label: ex-greg
# Behind the filters is a batch norm. Shrink a filter to a tenth: what does the layer behind it see? Then what can the
# penalty do at all?
# ```
#
# ````{solution} ex-greg
# :class: dropdown
# The same as before: batch norm divides by a standard deviation that is a tenth too, until the variance is of the
# size of the small constant (1e-5) added to it. So the filter fades only at the very end, when it is smaller than
# about 3e-3 times its usual size. On the way the penalty acts through the gradients, which are larger for smaller
# weights: a filter under pressure learns faster and faster.
# ````

# %% tags=["remove-input"]
page.box()
