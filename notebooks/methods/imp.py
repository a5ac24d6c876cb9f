# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare], minutes: 6}
# ---

# %% [markdown]
# # IMP: lottery tickets by iterative magnitude pruning
#
# **Train, remove the smallest quarter of what is left, put the survivors back to where they were early in the first
# training, and train again: after fourteen rounds 2 % of the weights are left, and were chosen knowing the outcome. It
# is the strongest and by far the slowest of the simple baselines, and the one that papers A and C compare with**
# {cite:p}`kim2022lottery`.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import inspect

from snnbook import experiments
from snnbook.pruning.methods import imp
from snnbook.report import plots
from snnbook.report.page import Page
from snnbook.report.pages import method

page = Page("methods/imp", globals())

# %% [markdown]
# ## Idea
#
# The lottery ticket hypothesis: a dense network contains a sparse one that, trained alone from the same start, becomes
# as good {cite:p}`frankle2019lottery`. It is found by training the dense one: the weights that end up large are the
# ticket. In deep networks the survivors have to be put back not to the very start but to a state a few epochs later
# {cite:p}`frankle2020linear`, which is called late rewinding. Kim et al. found such tickets in deep spiking networks.
#
# ## Equations
#
# With the masks $m^{(r)}$ of round $r$ and the weights $w^{(r)}$ at its end,
#
# ```{math}
# :label: eq-imp-cut
# m^{(r+1)} = m^{(r)} \odot \mathbf 1\bigl\{\lvert w^{(r)}\rvert > \theta_p\bigr\},
# ```
#
# where $\theta_p$ is the magnitude below which the share $p$ of all survivors lies, over all layers together. The next
# round starts from
#
# ```{math}
# :label: eq-imp-rewind
# w = m^{(r+1)} \odot w_E,
# ```
#
# the weights after $E$ epochs of the dense round. After $R$ cuts $(1 - p)^R$ of the weights are left: with $p = 25\
# \%$ and $R = 14$, 1.8 %.
#
# ## Algorithm and hooks
#
# | line of the algorithm | hook |
# |---|---|
# | train the dense network; after $E$ epochs, copy it | `after_step`, in round 0 |
# | cut by {eq}`eq-imp-cut` | `between_rounds` |
# | rewind by {eq}`eq-imp-rewind`, and all other parameters likewise | `between_rounds` |
# | new optimiser, learning rate from its start, the epochs that are left | `rounds`, and `restarts` |
#
# The code, from the package:

# %% tags=["hide-input"]
from IPython.display import Code, display

display(Code(inspect.getsource(imp.IMP), language="python"))

# %% [markdown]
# ## A minimal run

# %%
SAMPLES = 100 if profile == "smoke" else 200
trial = experiments.Trial(
    data="digits-clutter", T=4, network="cifarnet", epochs=3, train_size=SAMPLES, batch_size=20,
    network_settings={"convolutions": (8, "M", 16, "M"), "hidden": (32,), "vote": 0, "norm_hidden": True, "gain": 2.0},
    method="imp", settings={"cuts": 3, "rewind": 1},
)  # fmt: skip
record = experiments.run(trial, seed=0)
print(
    f"{record.metrics['weights_alive']} of {record.metrics['weights_total']} weights, {record.metrics['epochs']} epochs"
)

# %% tags=["hide-input"]
fig, (ax, bx) = plots.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
loss, start = record.curves["loss"], 0
for r, epochs in enumerate(imp.IMP(cuts=3, rewind=1).rounds(3)):
    ax.plot(range(3 - epochs + 1, 4), loss[start : start + epochs], plots.MARKERS[r] + "-", label=f"round {r}")
    start += epochs
ax.set(xlabel="epoch of the round, from the start of the dense one", ylabel="training loss", xticks=range(1, 4))
ax.legend()
plots.weights_left(bx, {"IMP": [record]})
plots.show(
    fig,
    alt="Left: training loss over the epochs of four rounds; rounds 1 to 3 start at epoch 2, where the dense round was "
    "copied. Right: the share of weights left in each layer.",
    caption="Left: the loss of each round; all but the dense one begin after its first epoch. Right: what is left.",
    records=[record],
)

# %% [markdown]
# Each round goes over the same epochs again: this run of three epochs took nine.
#
# ## Where it stands

# %% tags=["hide-input"]
study = page.results("compare")
method.standing(study, "imp")

# %% [markdown]
# All methods have the same epochs in total here, so each round of IMP is short; the row with 25 % a round, on the
# static set, spends what the paper spends, many times as much.
#
# ## Deviations
#
# - The authors' code takes its copy when the epoch counter shows 20, after 21 epochs. Here it is taken after `rewind`
#   epochs.
# - On rewinding, the authors' code hands the stored tensors of biases, those of batch norm among them, to the network
#   instead of copying them. The training that follows overwrites them, so from the second rewinding on biases stay as
#   they were trained. Here they go back each time.
# - Running statistics of batch norm are parameters of nobody: that code leaves them as trained. Here they go back with
#   everything else. Training does not look at them and evaluation forgets them within some tens of steps, since they
#   are running means, so neither choice shows in a finished network.
# - That code freezes each weight smaller than $10^{-6}$, alive or not; here masks say what is dead. It reports the
#   best test accuracy of a round; here the network counts as it is at the end.
# - `rewind=0` goes back to the initial weights, the original hypothesis.
# - In {doc}`../stp/paper` the same rounds cut by another score and put back the same things; `stp` with its defaults
#   goes on without rewinding.
#
# ```{exercise}
# :label: ex-imp
# Kim et al. rewind to epoch 20 of 300 and cut 14 times. How many epochs is that, and how many times those of the dense
# network?
# ```
#
# ````{solution} ex-imp
# :class: dropdown
# $300 + 14 \cdot 280 = 4220$, fourteen times as many. Paper C prints that number.
# ````

# %% tags=["remove-input"]
page.box()
