# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 7}
# ---

# %% [markdown]
# # RigL: the rigged lottery
#
# **Sparse training that grows weights where the gradient says that they would help most, instead of at random. The
# dense gradient is needed only at the few steps at which the masks change; between them the network is as sparse as
# at the end** {cite:p}`evci2020rigl`.

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
from snnbook.pruning.methods import rigl
from snnbook.pruning.parts import drop_and_grow
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/rigl", globals())

# %% [markdown]
# ## Idea
#
# A lottery ticket has to be found in a dense network. RigL rigs the lottery: it starts with any ticket and improves
# it. A dead weight has a gradient too, and its size says how fast the loss would fall if the weight were there. So
# every now and then the smallest weights of each layer are dropped, and those with the largest gradients take their
# place.
#
# ## Equations
#
# A layer's density follows the Erdős-Rényi-kernel rule: proportional to
#
# ```{math}
# :label: eq-rigl-erk
# \frac{n_\mathrm{in} + n_\mathrm{out} + k_h + k_w}{n_\mathrm{in}\, n_\mathrm{out}\, k_h\, k_w},
# ```
#
# and 1 where that would be more. At step $t < T_\mathrm{end}$ a layer with $N$ living weights exchanges
# $k = \lfloor f(t) N \rfloor$ of them,
#
# ```{math}
# :label: eq-rigl-fraction
# f(t) = \frac{\alpha}{2}\Bigl(1 + \cos\frac{\pi t}{T_\mathrm{end}}\Bigr),
# ```
#
# ```{math}
# :label: eq-rigl-grow
# I_\mathrm{drop} = \mathrm{top}_k\bigl(-\lvert\theta\rvert\bigr), \qquad
# I_\mathrm{grow} = \mathrm{top}_k\bigl(\lvert\nabla_\theta L\rvert\bigr)
# \text{ over all } i \notin \theta \setminus I_\mathrm{drop}.
# ```
#
# The set in {eq}`eq-rigl-grow` is everything that is not kept. So a weight that was just dropped may be chosen
# again.
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | sparse network with the densities of {eq}`eq-rigl-erk` | `start` |
# | at every $\Delta T$-th step before $T_\mathrm{end}$: drop and grow | `after_backward` |
# | ... and take no step of the optimiser | `after_backward` drops the gradients |
# | otherwise: a step of the optimiser | the loop |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(rigl.RigL), language="python"))

# %% [markdown]
# The step that the sparse training methods share, from the same package:

# %% tags=["hide-input"]
display(Code(inspect.getsource(drop_and_grow.regrow), language="python"))

# %% [markdown]
# ## A minimal run
#
# And the same again with `again=False`: a weight that was just dropped may not grow.

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    epochs=2, train_size=SAMPLES, batch_size=20,
    method="rigl", settings={"sparsity": 0.9, "updates": 8},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
other = replace(trial, settings=dict(trial.settings) | {"again": False})
runs = {"may grow again": record, "is gone": experiments.run(other, seed=0)}
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for label, run in runs.items():
    grown = run.log["grown"]
    ax.plot(range(1, len(grown) + 1), grown, label=label)
ax.set(xlabel="update", ylabel="weights that came alive")
ax.legend(title="what was dropped")
plots.weights_left(bx, {"RigL": [record]})
plots.show(
    fig,
    alt="Left: weights that came alive at each update, falling to zero; fewer if dropped weights may grow again. "
    "Right: the share of weights left in each layer on a logarithmic axis.",
    caption="Left: how many weights that were dead came alive. Right: what each layer has left.",
    records=list(runs.values()),
)

# %% [markdown]
# The distance between the curves is what was dropped and grown again at once. The layers keep their shares to the
# end.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "rigl")

# %% [markdown]
# Compare it with the rows of the other methods at the same share of weights; the same weights can be different
# numbers of connections and operations, which have columns of their own.
#
# ## Deviations
#
# - The second chance of dropped weights: by {eq}`eq-rigl-grow`, which we quote from memory, they are candidates,
#   and the authors' code, which we read, treats them so. About their values the equation is silent, and the text
#   only says that new weights start at zero. The code leaves value and momentum of such a weight as they were. That
#   is the default here; `again=False` is the other reading, in which what is dropped is gone.
# - On random layers the masks, weights and momenta after an update equal those of the authors' code bit for bit
#   (without its noise of $10^{-5}$ on $\lvert\theta\rvert$, which settles ties).
# - $\alpha = 0.3$ is the default of the authors' code. That the share falls along a cosine and that updates stop at
#   three quarters of the training are from memory of the paper; the code's flags for images keep the share constant
#   by default.
# - The distance of updates is a share of the training here, not 100 steps. Short trainings have room for few updates,
#   and a weight that grew has few steps to show what it is worth.
# - The paper's uniform densities leave the first layer dense; ours do not, so that the total is what was asked for.
#
# ```{exercise}
# :label: ex-rigl
# Why does a step of the optimiser right after growing a weight at zero, with the same gradient, not do what a step
# with a new gradient does?
# ```
#
# ````{solution} ex-rigl
# :class: dropdown
# The gradient was chosen for being the largest of a great many, most of which are noise: the winner is partly a
# lucky draw of this batch. The next batch gives an unbiased look at it.
# ````

# %% tags=["remove-input"]
page.box()
