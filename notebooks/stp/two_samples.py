# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [A.rounds], minutes: 4}
# ---

# %% [markdown]
# # What two test samples can say
#
# **The paper's abstract reports a gain of accuracy on DVS128 Gesture after pruning 98 % of the weights and half of
# the time steps. On its test set the gain is two recordings.** This page is a small lesson: how sure can one be of
# two?


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from snnbook import datasets
from snnbook.report import ladders, papers, plots, stats, tables
from snnbook.report.page import Page

page = Page("stp/two_samples", globals())

study = page.results("A.rounds")
data = study.playing("DVS128-Gesture")
SAMPLES = datasets.info("dvs128_gesture").published[1]
last = papers.rows("A", "3", dataset="DVS128-Gesture", variant="S+T").sort_values("sparsity").iloc[-1]
right = {"dense": round(last["base_acc"] / 100 * SAMPLES), "S+T": round(last["acc"] / 100 * SAMPLES)}

# %% tags=["remove-input"]
page.opening("the remark behind claim A-08, as a lesson in statistics", paper="A")

# %% [markdown]
# ## One run, counted
#
# An accuracy on a small test set is a count. The printed ones, turned back into counts, with Wilson's 95 % interval
# for each {cite:p}`wilson1927probable`:

# %% tags=["hide-input"]
rows = []
for name, hits in right.items():
    low, high = stats.wilson(hits, SAMPLES)
    rows.append(
        {
            "Network": name,
            "Printed, %": f"{last['base_acc' if name == 'dense' else 'acc']:.2f}",
            "Right": f"{hits} of {SAMPLES}",
            "95 % interval, %": f"{100 * low:.1f} to {100 * high:.1f}",
        }
    )
tables.Table(pd.DataFrame(rows), "DVS128 Gesture, S+T at the highest sparsity of Table 3.")

# %% tags=["hide-input"]
from IPython.display import Markdown

gain = right["S+T"] - right["dense"]
error = 100 * np.sqrt(right["dense"] / SAMPLES * (1 - right["dense"] / SAMPLES) / SAMPLES)
Markdown(
    f"The gain is {gain} recordings, {100 * gain / SAMPLES:.2f} points; the standard error of one such accuracy is "
    f"{error:.2f} points."
)

# %% [markdown]
# ## The same recordings, twice
#
# Both networks saw the same recordings, so two overlapping intervals do not settle it: what counts is on how many
# recordings they *disagree*. If the pruned network is right on $b$ recordings where the dense one is wrong, and the
# other way round on $c$, the gain is $b - c$, and if neither is better each disagreement is a toss of a coin. The
# sign test (McNemar's, exact) asks how often tosses come out so unevenly {cite:p}`mcnemar1947note`. The paper does
# not print $b$ and $c$; whatever they were, this is what it would take:

# %% tags=["hide-input"]
rows = []
for disagree in (gain, gain + 2, gain + 8, gain + 18):
    b = (disagree + gain) // 2
    p = scipy_stats.binomtest(b, disagree).pvalue
    rows.append(
        {"Disagreements": disagree, "Pruned right, dense wrong": b, "and the other way": disagree - b, "p": f"{p:.2f}"}
    )
tables.Table(
    pd.DataFrame(rows), "A gain of that many recordings under the sign test, for several numbers of disagreements."
)

# %% [markdown]
# Even if the two networks disagreed on nothing else, the result would be what two coins show in half of all cases:
# both on the same side. No number of disagreements makes the printed gain significant.
#
# ## How large a gain would one test set show?
#
# The smallest gain that the sign test would call significant (5 %) if the pruned network were never worse, and the
# share of errors that it would have to mend:

# %% tags=["hide-input"]
need = next(b for b in range(1, SAMPLES) if scipy_stats.binomtest(b, b).pvalue < 0.05)
wrong = SAMPLES - right["dense"]
Markdown(
    f"{need} recordings without a single loss, {100 * need / SAMPLES:.1f} points: the pruned network would have to "
    f"mend {need} of the dense one's {wrong} errors and make no new one."
)

# %% [markdown]
# ## More seeds say more than more decimals
#
# Training again with another seed gives another network, another pruned one and another difference. Their mean has an
# interval that includes what a test set cannot show: how much luck there was in the training. Ours, on the stand-in:

# %% tags=["hide-input"]
ladder = ladders.rounds(study.records[data, "S+T"], "weights")
final, first = ladder[-1].y, ladder[0].y
tested = study.records[data, "S+T"][0].metrics["samples_test"]
rows = []
for seed in sorted(final):
    low, high = stats.wilson(round(final[seed] / 100 * tested), tested)
    rows.append(
        {
            "Seed": seed,
            "Dense, %": f"{first[seed]:.2f}",
            "S+T, %": f"{final[seed]:.2f}",
            "S+T: 95 % interval of one run": f"{100 * low:.1f} to {100 * high:.1f}",
            "Difference, recordings": f"{round((final[seed] - first[seed]) / 100 * tested):+d}".replace("-", "−"),
        }
    )
caption = f"S+T after {len(ladder) - 1} cuts on {tested} test recordings of {data}; mean difference "
tables.Table(pd.DataFrame(rows), f"{caption}{tables.change_text(final, first)} points.")

# %% tags=["hide-input"]
fig, ax = plots.subplots(figsize=(7, 3))
for y, hits in enumerate(right.values()):
    low, high = stats.wilson(hits, SAMPLES)
    ax.plot([100 * low, 100 * high], [y, y], marker="|", color=plots.PALETTE[y], linestyle="-")
    ax.plot(100 * hits / SAMPLES, y, marker=plots.MARKERS[y], color=plots.PALETTE[y])
for i, seed in enumerate(sorted(final)):
    low, high = stats.wilson(round(final[seed] / 100 * tested), tested)
    ax.plot([100 * low, 100 * high], [2 + i] * 2, marker="|", color=plots.PALETTE[2], linestyle="-")
    ax.plot(final[seed], 2 + i, marker=plots.MARKERS[2], color=plots.PALETTE[2])
names = ["paper, dense", "paper, S+T", *(f"ours, S+T, seed {seed}" for seed in sorted(final))]
ax.set_yticks(range(len(names)), names)
ax.set(xlabel="test accuracy, %", ylim=(-0.6, len(names) - 0.4))
plots.show(
    fig,
    alt="Accuracies with their binomial intervals: the two printed ones overlap over most of their length; ours stand "
    f"above them, one for each of {len(final)} seeds.",
    caption="Each accuracy with the interval that its own test set gives it.",
    records=study.records[data, "S+T"],
)

# %% [markdown]
# So a table that wants to say *better* needs several seeds, the same ones for both sides, and the interval of their
# differences. That is what the verdicts of this book rest on; {doc}`paper` has them all.
#
# ```{exercise}
# :label: ex-two-samples
# A test set has $n$ recordings and the dense network is right on 96 % of them. How large must $n$ be for a gain of 0.7
# points to be larger than two standard errors of one accuracy?
# ```
#
# ````{solution} ex-two-samples
# :class: dropdown
# $2\sqrt{0.96 \cdot 0.04 / n} < 0.007$ gives $n > 4 \cdot 0.0384 / 0.000049 \approx 3{,}135$ recordings.
# ````

# %% tags=["remove-input"]
page.box()
