# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [claims.A], minutes: 10}
# ---

# %% [markdown]
# # Paper A: spatio-temporal pruning
#
# {cite:t}`gou2025stp` prune a spiking network in space, by layer-adaptive magnitude scores, and in time, by
# stopping at the step where the output's divergence from the label has settled. **The paper reports that 98 %
# of the parameters and half of the time steps can go while accuracy rises.** This page has all of its claims
# with their verdicts.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.report import claims, papers, tables
from snnbook.report.page import Page

page = Page("stp/paper", globals())

board = page.board("A")

# %% tags=["remove-input"]
page.opening("all tables and figures, from here; verdicts on all claims", paper="A")

# %% [markdown]
# ## The method
#
# 1. Train a dense network on all $T$ steps.
#
# 2. Find the *decision step* $t'$: the first at which the normalised divergence of the accumulated output from the
#    labels is below $\lambda$ ({doc}`../methods/decision_step`).
#
# 3. Keep the first $t'$ frames of every sample. In rounds, cut a quarter of the surviving weights by their LAMP score
#    and train on ({doc}`../methods/lamp`).
#
# Without step 2 the paper calls it spatial pruning (S), with step 2 alone temporal pruning (T).
#
# | item | page |
# |---|---|
# | Table 1: data sets and networks | {doc}`table1` |
# | the sparsities of all tables | {doc}`sparsity_ladder` |
# | Fig. 1: the framework, on one recording | {doc}`fig1` |
# | Fig. 2: LAMP against magnitude on ten weights | {doc}`fig2` |
# | Algorithm 1: as printed and as meant | {doc}`algorithm1` |
# | Table 2: static images | {doc}`table2` |
# | Table 3: event data | {doc}`table3` |
# | the gain of two test samples | {doc}`two_samples` |
# | Table 4: the ablation | {doc}`table4` |
# | Table 5: total time steps | {doc}`table5` |
# | Figs. 3 and 4: connections and firing rates | {doc}`figs3_4` |
# | Fig. 5: the threshold $\lambda$ | {doc}`fig5` |
# | Fig. 6 and Eq. 15: divergence and Fisher information | {doc}`fig6` |
# | Figs. 7 and 8: weight magnitudes | {doc}`figs7_8` |
# | what could not be reproduced | {doc}`not_reproduced` |
#
# What the paper leaves open, and what we chose, is in {doc}`../../reference/deviations`.
#
# ## The claims

# %% tags=["hide-input"]
tested = [v for v in board if v.outcome != claims.NOT_TESTABLE]
tables.verdict_table(tested, "Claims of paper A that could be tested")

# %% [markdown]
# Each verdict rests on one comparison per data set or more. These are all of them; a *control* is shown
# because it changes how a result reads, and does not count.

# %% tags=["hide-input"]
for verdict in tested:
    tables.comparisons_table(verdict).show()

# %% [markdown]
# ## Claims that wait for other runs

# %% tags=["hide-input"]
tables.waiting_table(board, "Claims of paper A that are not tested here")

# %% [markdown]
# ## Where the paper contradicts itself
#
# Found while its tables were turned into data. Grade E is an error in the paper, Q is open to question, I is
# inferred from the numbers, O is damage in the text that we worked from.

# %% tags=["hide-input"]
own = papers.discrepancies().query("paper == 'A'")[["id", "grade", "what", "consequence"]]
tables.Table(own.set_axis(["Id", "Grade", "What", "What follows"], axis=1), "Discrepancies in paper A")

# %% tags=["remove-input"]
page.box()
