# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 7}
# ---

# %% [markdown]
# # SET: sparse evolutionary training
#
# **A network that is sparse from its first step, in which after every epoch the weights next to zero die and as
# many are born at random places. It is the first of the methods that never hold the dense network, and the
# plainest: selection by size, mutation by chance** {cite:p}`mocanu2018set`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import set as sparse_evolution
from snnbook.pruning.parts import drop_and_grow
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/set", globals())

# %% [markdown]
# ## Idea
#
# Pruning trains everything and throws most of it away. SET starts with the number of weights that it will end with,
# at random places, and lets training say which of them were well placed: a weight that stays near zero is not
# needed. Its place in the budget goes to a new one somewhere else in the layer. No gradient of a dead weight is
# ever computed, so the dense network need not exist at all, neither in memory nor in time.
#
# ## Equations
#
# The start is an Erdős-Rényi graph: a layer of $n_\mathrm{in}$ inputs and $n_\mathrm{out}$ outputs has the density
#
# ```{math}
# :label: eq-set-density
# \varepsilon\,\frac{n_\mathrm{in} + n_\mathrm{out}}{n_\mathrm{in}\, n_\mathrm{out}},
# ```
#
# so that the number of weights grows with the number of neurons and not with that of pairs. With kernels, all axes
# of the weight tensor count in the sum and in the product. At each update two thresholds per layer are set such
# that
#
# ```{math}
# :label: eq-set-drop
# \zeta\,\lvert\{w > 0\}\rvert \text{ weights lie in } (0, \theta^+], \qquad
# \zeta\,\lvert\{w < 0\}\rvert \text{ weights lie in } [\theta^-, 0),
# ```
#
# and those die: a fraction $\zeta$ of each sign, from zero outwards.
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | Erdős-Rényi start | `start` |
# | train as always; dead weights stay dead | the loop applies the masks after every step |
# | after each epoch: remove a fraction of the smallest positive and of the largest negative weights | `after_step` |
# | add as many at random places | `after_step`, by `regrow` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(sparse_evolution.SET), language="python"))

# %% [markdown]
# The step that the sparse training methods share, from the same package:

# %% tags=["hide-input"]
display(Code(inspect.getsource(drop_and_grow.regrow), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    epochs=2, train_size=SAMPLES, batch_size=20,
    method="set", settings={"sparsity": 0.9, "updates": 8},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
grown = record.log["grown"]
ax.bar(range(1, len(grown) + 1), grown, color=plots.PALETTE[0])
ax.set(xlabel="update", ylabel="weights that came alive")
plots.weights_left(bx, {"SET": [record]})
plots.show(
    fig,
    alt="Left: bars of the number of weights that came alive at each update; all bars are nearly equal. "
    "Right: the share of weights left in each layer on a logarithmic axis.",
    caption="Left: how many weights that were dead came alive. Right: what each layer has left.",
    records=[record],
)

# %% [markdown]
# The same number of weights is exchanged each time, however late: SET has no schedule. The layers keep the shares
# that {eq}`eq-set-density` gave them at the start: small layers are nearly full, large ones nearly empty.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "set")

# %% [markdown]
# Compare it with the rows of the other methods at the same share of weights; the same weights can be different
# numbers of connections and operations, which have columns of their own.
#
# ## Deviations
#
# - SET exchanges after every epoch but the last. Here `updates` are spread over the first `span` of the training:
#   the learning rate falls to zero, and a weight that is born at zero near the end would stay there.
# - The authors' densities are probabilities, and their output layer is dense. Here the count is exact, and every
#   layer is sparse.
# - $\zeta n$ is rounded down. The authors' code, run beside ours, takes one positive weight more: the one at its
#   threshold.
# - New weights start at zero, as in one version of the authors' code; in the other they are drawn from
#   $N(0, 0.1^2)$, which is `noise=0.1` here. A weight that died just now may be born again, as a new one.
# - Other public code under this name does other things: RigL's repository drops by magnitude alone, and that of
#   sparse momentum drops half by magnitude and half from the most negative weights up.
#
# ```{exercise}
# :label: ex-set
# In a layer all weights are positive. Which weights does SET drop, and which would magnitude pruning drop? And if
# half of them are negative and twice as large?
# ```
#
# ````{solution} ex-set
# :class: dropdown
# All positive: the same. With large negative weights magnitude drops only positive ones until they are gone; SET
# takes its fraction of both signs, so the balance of excitation and inhibition stays.
# ````

# %% tags=["remove-input"]
page.box()
