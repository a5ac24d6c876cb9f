# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [claims], minutes: 2}
# ---

# %% [markdown]
# # The scoreboard: every claim and its verdict
#
# **Each claim of the four papers was written down as a check that a program can make.** Below is what the
# program found, from the records of this book and nothing else, with the data and the networks that were run. A claim
# without runs here says what it waits for.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from IPython.display import Markdown

from snnbook.report import claims, tables
from snnbook.report.page import Page
from snnbook.report.pages import scoreboard

page = Page("compare/scoreboard", globals())

board = page.board()

# %% tags=["hide-input"]
scoreboard.picture(board)

# %% tags=["hide-input"]
Markdown(scoreboard.summary(board))

# %% [markdown]
# ## Claims that were measured
#
# A claim of several parts, or on several data sets, holds if all of them do, and fails if one contradicts it after a
# correction for their number. A claim of *no loss* may lose half a point of accuracy. A network that guesses, or of
# which pruning would have emptied a layer, makes nothing hold. {doc}`../../reference/records` has the rules.

# %% tags=["hide-input"]
tables.verdict_table(scoreboard.measured(board), "Measured claims")

# %% [markdown]
# ## Claims that are arithmetic
#
# They follow from numbers that are printed, or do not. Where the public code has other numbers than the print, both are
# computed, and if they disagree the claim is undecided.

# %% tags=["hide-input"]
tables.verdict_table(scoreboard.arithmetic(board), "Claims that are arithmetic on printed numbers")

# %% [markdown]
# ## Claims that hold by construction
#
# Such a claim is a theorem, or a consequence of how its quantities are made. That it holds says that nothing is broken,
# here or in the print; it says nothing for a method.

# %% tags=["hide-input"]
tables.verdict_table([v for v in board if v.outcome == claims.BY_CONSTRUCTION], "Claims that hold by construction")

# %% [markdown]
# ## Evidence
#
# These claims have no runs of their own yet, or not by the paper's protocol. Other runs of this book bear on them: most
# are of the {doc}`comparison of all methods <methods>`, where differences are taken seed by seed between networks that
# spend as much. None of it is a verdict, and nothing is corrected for the number of comparisons.

# %% tags=["hide-input"]
evidence = [v for v in board if v.outcome == claims.EVIDENCE]
tables.verdict_table(evidence, "Claims with evidence only")

# %% tags=["hide-input"]
for verdict in evidence:
    tables.comparisons_table(verdict).show()

# %% [markdown]
# ## Claims that wait
#
# Their verdict is *not testable here*. The last column says which runs or data are missing; no verdict is
# guessed.

# %% tags=["hide-input"]
tables.waiting_table(board, "Claims that are not tested here")

# %% tags=["remove-input"]
page.box()
