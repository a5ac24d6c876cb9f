# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 5}
# ---

# %% [markdown]
# # STP: spatio-temporal pruning
#
# **Rounds of LAMP cut the weights, and before the first of them the sequence is cut at the step where the outputs have
# all but settled. It is the method of paper A; the two halves have pages of their own, {doc}`lamp` and
# {doc}`decision_step`, and here they meet** {cite:p}`gou2025stp`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning import schedules
from snnbook.pruning.methods import stp
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/stp", globals())

# %% [markdown]
# ## Idea
#
# A spiking network costs what its weights cost, times its steps. Both can be cut: weights that a layer-wise score calls
# small, and steps after which the accumulated output no longer changes. The second is decided once, on the dense
# network and the training set; from then on the network sees shorter sequences, in training and in use.
#
# ## Equations
#
# The decision step is the first at which the normalised divergence of the accumulated output from the labels is below
# a threshold,
#
# ```{math}
# :label: eq-stp-step
# t' = \min\{t \mid \mathrm{NormKL}_t < \lambda\},
# ```
#
# (paper A, Eq. 9), and each of $R$ rounds removes a share $p$ of the weights that are left, those with the lowest LAMP
# scores ({eq}`eq-lamp`), so that
#
# ```{math}
# :label: eq-stp-left
# (1 - p)^R
# ```
#
# of them remain: with $p = 25\ \%$, which fits every sparsity that the paper prints, 1.8 % after 14 rounds.
#
# ## Algorithm and hooks
#
# | line of Algorithm 1 | hook |
# |---|---|
# | 1: train the dense network | round 0 with `rewind`, else the network that the trial starts from |
# | 2–8: KL at every step, normalised; the first below λ | `start` (with `rewind`: `between_rounds`) |
# | 10–14: train on the first $t'$ steps | the loop, with the `T` that the method set |
# | 15–25: score, prune, $R$ times | `between_rounds` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(stp.STP), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 60 if profile == "smoke" else 120
trial = experiments.Trial(
    data="digits-dvs", T=5, network="cifar10dvs", epochs=4, train_size=SAMPLES, batch_size=20,
    network_settings={"convolutions": (8, "M", 16, "M"), "hidden": (32,), "vote": 0, "norm_hidden": True, "gain": 2.0},
    method="stp", settings={"cuts": 4, "lam": 0.3},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(f"decision step {record.metrics['decision_step']} of {trial.T}")
print(f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights are left")

# %% tags=["hide-input"]
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
rounds = range(15)
for share in (0.15, 0.25, 0.4):
    ax.plot(rounds, [100 * (1 - schedules.rounds(share, r)) for r in rounds], label=f"p = {share:.0%}")
ax.set(xlabel="rounds", ylabel="weights left, %", yscale="log")
ax.legend()
plots.weights_left(bx, {"STP": [record]})
plots.show(
    fig,
    alt="Left: the share of weights left falls exponentially with the number of rounds, faster for a larger share. "
    "Right: the share of weights left in each layer of the run.",
    caption="Left: the share of weights left after each round. Right: what each layer of this run has left.",
    records=[record],
)

# %% [markdown]
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "stp")

# %% [markdown]
# On the static set only weights are cut: every step of a static input is the same, and the method refuses to look for
# a decision step there (`temporal=False`). On the event set SOPs count the steps that are left. Paper A's own
# tables are in {doc}`../stp/paper`.
#
# ## Deviations
#
# - The printed score divides by the wrong running sum, the listing ends with a cut that no training follows, and
#   rewinding is named without a line that uses it; see {doc}`../../reference/deviations`.
# - Equal epochs for all methods leave room for a few rounds with larger shares only, for a round is a whole number of
#   epochs. They are spread evenly, and the last `tail` of the epochs follows the last cut. `lamp` ({doc}`lamp`) has the
#   same score, cuts by steps, more often and by less: on the static set the difference between the two rows is the
#   number and the pace of cuts, and says nothing about paper A.
# - λ is larger here than the paper's 0.01, which keeps most steps of the stand-ins; {doc}`../stp/fig5` shows the range.
# - With `rewind` all trainable parameters and the running statistics of batch norm go back, as in {doc}`imp`, so that
#   two runs in rounds differ in their score alone.
#
# ```{exercise}
# :label: ex-stp
# Which share must each of six rounds take to leave 1 % of the weights?
# ```
#
# ````{solution} ex-stp
# :class: dropdown
# $1 - 0.01^{1/6} = 53.6\ \%$ of what is left each time.
# ````

# %% tags=["remove-input"]
page.box()
