# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.fig3, A.fig4], reads: [A.rounds, A.dense], minutes: 4}
# ---

# %% [markdown]
# # Paper A, Figs. 3 and 4: connections and firing rates, layer by layer
#
# **The paper shows that its method keeps the first layers connected where IMP does not, prunes the first linear layer
# harder, and that neurons fire more where connections are fewer.** The captions of the two figures are lost, and it
# is open which of them shows what; here both quantities are shown for both event sets.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from snnbook import experiments
from snnbook.report import claims, page, plots, tables

parameters = {"profile": profile, "seeds": seeds, "results": results, "jobs": jobs, "options": options}
study = experiments.results("A.rounds", **parameters)
dense = experiments.results("A.dense", **parameters)
ROLES = ("digits-dvs", "arms-dvs")
ARMS = ("S+T", "S", "IMP", "dense")
found = {(role, arm): (dense if arm == "dense" else study).records[role, arm] for role in ROLES for arm in ARMS}
records = [r for each in found.values() for r in each]


def names(records):
    kinds = ["Conv" if x["kind"] == "conv" else "FC" for x in records[0].layers]
    return [f"{kind}{kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]


def connectivity(record):
    return [100 * x["connections_alive"] / x["connections_total"] for x in record.layers]


def rates(record):
    return [np.nan if x["rate"] is None else x["rate"] for x in record.layers]


# %% tags=["remove-input"]
page.opening("A", "Figs. 3 and 4, connectivity and firing rate by layer", 4)

# %% [markdown]
# ## How it was run
#
# The networks are those of {doc}`table3` after their last round, and the dense ones of their first. *Connectivity* is
# the share of a layer's synapses that is left. The *firing rate* is that of the neurons behind the layer: spikes per
# neuron and time step over the test samples. The last layer has no neurons behind it.

# %% tags=["remove-input"]
fig, axes = plots.subplots(2, 2, figsize=(10, 6.4), layout="constrained")
for column, role in zip(axes.T, ROLES, strict=True):
    ticks = names(found[role, "dense"])
    for arm in ARMS:
        for ax, of in zip(column, (connectivity, rates), strict=True):
            values = np.array([of(r) for r in found[role, arm]])
            plots.curve_with_band(ax, range(1, len(ticks) + 1), values, arm)
    column[0].set(title=role, ylabel="connections left, %", yscale="log")
    column[1].set(ylabel="spikes per neuron and step")
    for ax in column:
        ax.set_xticks(range(1, len(ticks) + 1), ticks)
axes[0, 0].legend()
told = []
for role in ROLES:
    for arm in ("S+T", "IMP"):
        mean = np.mean([connectivity(r) for r in found[role, arm]], 0)
        fires = np.nanmean([rates(r)[:-1] for r in found[role, arm]], 0)
        told.append(
            f"{role}, {arm}: {mean[0]:.1f} per cent of the connections of the first layer are left; its neurons "
            f"fire {fires[0]:.3f} times a step"
        )
plots.show(
    fig,
    alt="Connections left and firing rate in each layer for four networks on two sets. " + "; ".join(told) + ".",
    caption="Connections left (top) and firing rate (bottom) by layer; mean and sd over the seeds.",
    records=records,
)

# %% tags=["remove-input"]
rows = []
for role in ROLES:
    ticks = names(found[role, "dense"])
    for i, tick in enumerate(ticks):
        row = {"Data": role, "Layer": tick}
        for arm in ARMS:
            left = np.mean([connectivity(r)[i] for r in found[role, arm]])
            rate = np.mean([rates(r)[i] for r in found[role, arm]])
            row[f"{arm}: connections, %"] = "100" if arm == "dense" else f"{left:.2f}"
            row[f"{arm}: rate"] = "–" if np.isnan(rate) else f"{rate:.3f}"
        rows.append(row)
tables.table(pd.DataFrame(rows), "The same numbers; means over the seeds.", 2)

# %% [markdown]
# ## What to read from it
#
# How the cut falls on the layers is a property of the score and of the dense weights; training after it changes
# little. The last layer is small and has large weights, so that both scores spare it.
#
# Whether *fewer connections go with a higher rate* has to be asked within a layer, over networks: between layers,
# rate and connectivity differ for many reasons. A neuron with fewer inputs can only fire more if its batch norm
# rescales what is left, which training does.
#
# ## Verdicts

# %% tags=["remove-input"]
studies = {"A.rounds": study, "A.dense": dense}
verdicts = claims.verdicts(studies, claims=("A-18", "A-20", "A-25"))
tables.verdict_table(verdicts, "Claims that rest on these figures")

# %% tags=["remove-input"]
for verdict in verdicts:
    tables.comparisons_table(verdict).show()

# %% [markdown]
# ```{exercise}
# :label: ex-figs34-weights
# Why does the first layer's share of the *network's* connections grow under LAMP?
# ```
#
# ````{solution} ex-figs34-weights
# :class: dropdown
# It has few weights, so LAMP's sums there are short and its scores high; and each of its weights is used at every
# place of the largest map. Most of what LAMP spends more than IMP in connections, it spends there and in the second
# layer.
# ````
#
# Next: {doc}`fig5`, the threshold of the decision step.

# %% tags=["remove-input"]
page.box([study, dense], notebook="stp/figs3_4", parameters=parameters)
