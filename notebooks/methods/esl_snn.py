# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # ESL-SNN: evolutionary structure learning
#
# **Sparse evolutionary training for spiking networks: connections are pruned and grown while the network learns, at
# a density that never changes. It is a frame for rules of pruning and of growth, and the sparse-training baseline
# of paper B** {cite:p}`shen2023esl`.

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
from snnbook.pruning.methods import esl_snn
from snnbook.pruning.parts import drop_and_grow
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/esl_snn", globals())

# %% [markdown]
# ## Idea
#
# The brain rewires all its life, and stays sparse while it does. ESL-SNN takes that as a recipe: weights learn by
# backpropagation through time at every step, and every $T_\mathrm{iter}$ steps the structure takes one step of its
# own. What is pruned and what is grown are rules to be chosen. Paper B ran it with pruning by magnitude on static
# images, with pruning by sign on events, and with growth by momentum on both (the momentum of sparse networks from
# scratch {cite:p}`dettmers2019momentum`).
#
# ## Equations
#
# With $\theta$ the weights of a layer, $M$ its mask and $f_t$ the fraction exchanged at time $t$ of
# $T_\mathrm{end}$,
#
# ```{math}
# :label: eq-esl_snn-step
# M \leftarrow M - \mathrm{prune}\bigl(\theta, \lfloor f_t \lVert M \rVert_0 \rfloor\bigr), \qquad
# M \leftarrow M + \mathrm{grow}\bigl(g, \lfloor f_t \lVert M \rVert_0 \rfloor\bigr), \qquad
# f_t = \frac{f_0}{2}\Bigl(1 + \cos\frac{\pi t}{T_\mathrm{end}}\Bigr),
# ```
#
# where the score $g$ of a dead weight is noise, its gradient, or the running mean of its gradient over many
# batches: with Adam
#
# ```{math}
# :label: eq-esl_snn-momentum
# g = \frac{\lvert m \rvert}{\sqrt{v} + 10^{-8}},
# ```
#
# with SGD the momentum itself. A gradient of one batch is mostly noise; {eq}`eq-esl_snn-momentum` asks whether the
# gradient has pointed the same way for a while.
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | Erdős-Rényi start at the target density | `start` |
# | at every step: learn (paper: STBP) | the loop |
# | every $T_\mathrm{iter}$ steps: prune by the pruning rule | `after_step` |
# | grow as many by the growth rule | `after_step`, by `regrow` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(esl_snn.ESLSNN), language="python"))

# %% [markdown]
# The step that the sparse training methods share, from the same package:

# %% tags=["hide-input"]
display(Code(inspect.getsource(drop_and_grow.regrow), language="python"))

# %% [markdown]
# ## A minimal run
#
# And the same again with the other rules of growth, to compare what moves.

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", width=0.1,
    epochs=2, train_size=SAMPLES, batch_size=20,
    method="esl_snn", settings={"sparsity": 0.9, "updates": 8},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
runs = {"momentum": record}
for growth in ("gradient", "random"):
    other = replace(trial, settings=dict(trial.settings) | {"growth": growth})
    runs[growth] = experiments.run(other, seed=0)
fig, ax = plots.subplots()
for growth, run in runs.items():
    grown = run.log["grown"]
    ax.plot(range(1, len(grown) + 1), grown, label=growth)
ax.set(xlabel="update", ylabel="weights that came alive")
ax.legend(title="growth by")
plots.show(
    fig,
    alt="Weights that came alive at each update, for growth by momentum, gradient and noise: all three fall to zero.",
    caption="How many weights that were dead came alive at each update, by rule of growth.",
    records=list(runs.values()),
)

# %% [markdown]
# The fraction to exchange is the same for all three and falls along {eq}`eq-esl_snn-step`. The difference between
# the curves is weights that were pruned and grew again in the same update: a rule that looks at gradients finds
# more of them than chance does.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "esl_snn")

# %% [markdown]
# Compare it with the rows of the other methods at the same share of weights; the same weights can be different
# numbers of connections and operations, which have columns of their own.
#
# ## Deviations
#
# - No code was published, and of the paper only the abstract and a figure's legend could be read here. The names of
#   the rules (magnitude, SET; random, momentum, gradient) are those of the sparse training code that they come
#   from, and so are their definitions here. The fall of the fraction, $f_0 = 0.3$, and that a pruned weight may
#   grow again with its value, are our choice. A third rule of that code, pruning below a fixed threshold, is left
#   out.
# - In that code the momentum of dead weights is set to zero after every step under SGD: its growth by momentum then
#   chooses among zeros. Here the moments of dead weights run on, as {eq}`eq-esl_snn-momentum` needs.
# - `set` prunes a fraction of each sign, next to zero, as {doc}`set` does; in that code it takes the most negative
#   ones.
# - The paper's start has each connection with a fixed probability; here the count is exact.

# %% tags=["remove-input"]
page.box()
