# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # ADMM: alternating directions
#
# **Training under a hard constraint, that few weights are not zero, split into two easy problems: the weights follow
# the loss and a rubber band, at whose other end sits their sparse projection. Then they are cut and trained on**
# {cite:p}`deng2021admm,zhang2018admm`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect
from dataclasses import replace

from snnbook import experiments
from snnbook.pruning.methods import admm
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/admm", globals())

# %% [markdown]
# ## Idea
#
# Cutting the smallest weights of a trained network hurts, because the training did not know which they would be. ADMM
# tells it. A copy $Z$ of the weights obeys the constraint, the weights $W$ obey the loss, and a penalty pulls them
# together. A third variable adds up how far apart they have been, so that the pull grows where they disagree.
#
# ## Equations
#
# To minimise $L(W)$ subject to $W = Z$, with at most $K$ weights of $Z$ not zero, three steps take turns:
#
# ```{math}
# :label: eq-admm-w
# W \leftarrow \arg\min_W \; L(W) + \frac{\rho}{2} \lVert W - Z + U \rVert^2,
# ```
#
# ```{math}
# :label: eq-admm-zu
# Z \leftarrow \Pi_K (W + U), \qquad U \leftarrow U + W - Z .
# ```
#
# $\Pi_K$ keeps the $K$ largest by magnitude of each layer. The first step is some training, not to the end. After the
# last turn $W$ is replaced by $\Pi_K(W)$, and what is left is trained on.
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | $Z = \Pi_K(W)$, $U = 0$ | `start` |
# | the penalty of {eq}`eq-admm-w` | `penalty` |
# | {eq}`eq-admm-zu`, at `updates` steps in the first `span` of the training | `after_step` |
# | hard pruning after the last of them; training goes on under the mask | `after_step` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(admm.ADMM), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    epochs=2, train_size=SAMPLES, batch_size=20,
    method="admm", settings={"sparsity": 0.9, "strength": 5e-4, "updates": 4},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
free = experiments.run(replace(trial, settings=dict(trial.settings) | {"strength": 0.0}), seed=0)
fig, ax = plots.subplots(1, 1, figsize=(6, 3.4), layout="constrained")
for rho, run in (("0.0005", record), ("0", free)):
    outside = run.log["outside"]
    ax.plot(range(1, len(outside) + 1), [100 * share for share in outside], label=rho)
ax.set(xlabel="update", ylabel="squares outside the largest, %")
ax.legend(title="strength")
plots.show(
    fig,
    alt="Share of the sum of squares that lies outside the largest tenth of the weights, at each update, with "
    "the pull and without it.",
    caption="What a cut would take of the sum of squares at each update, with the pull and without it.",
    records=[record, free],
)

# %% [markdown]
# This run is far too short to say which strength is useful; it shows only that the rubber band pulls. $U$ grows with
# every update, so that many updates in few steps can send $Z$ astray.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "admm")

# %% [markdown]
# It is trained densely until its cut, so at equal epochs it has fewer for its sparse network than the gradual
# methods.
#
# ## Deviations
#
# - No code of Deng et al. is public, and their text was not at hand: this is the general scheme, with the numbers
#   that paper B gives for it, 20 epochs of ADMM and 15 after the cut (`span`), $\rho = 5 \cdot 10^{-4}$ (`strength`).
# - The pull towards $Z$ is a part of the loss, and its gradient passes through the recipe's optimiser. Adam divides by
#   the size of the gradients, so $\rho$ is a weight against the loss and not the strength of a pull per step, and
#   values of $\rho$ do not carry over from one optimiser to another.
# - One update per epoch, as in public code of the scheme for ordinary networks, is `updates=20` here. That code adds
#   $\rho / 2$ times the norm, not its square, to the loss, starts $Z$ as a copy of $W$, and makes the final cut by
#   $W$ alone, without $U$; the last is done here too.
# - As we remember, Deng et al. keep the first and the last layer dense; paper B's network keeps the first one dense.
#   Here all layers are pruned.
# - Every layer keeps the same share; `layers="erk"` spreads the weights by the rule of {doc}`rigl`, `"global"` ranks
#   all weights together.
# - Quantisation and the regularisation of activity, the other two parts of that paper, are left out.
#
# ```{exercise}
# :label: ex-admm
# Let $\rho = 0$. What do $Z$, $U$ and the result do?
# ```
#
# ````{solution} ex-admm
# :class: dropdown
# $W$ does not feel them: it is trained densely and cut once, by magnitude. $U$ of a weight that is never in $Z$ adds
# up all its values, until $W + U$ is so large that it is in $Z$ for a while: with too weak a pull and many updates
# $Z$ is no good guide to what will be cut.
# ````

# %% tags=["remove-input"]
page.box()
