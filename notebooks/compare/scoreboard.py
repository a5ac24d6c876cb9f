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
# program found, from the records of this book and nothing else. A claim without runs here says what it waits
# for.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.report import claims, tables
from snnbook.report.page import Page
from snnbook.report.pages import scoreboard

page = Page("compare/scoreboard", globals())

board = page.board()

# %% tags=["hide-input"]
scoreboard.picture(board)

# %% [markdown]
# ## Claims that were tested

# %% tags=["hide-input"]
tables.verdict_table([v for v in board if v.outcome != claims.NOT_TESTABLE], "Tested claims")

# %% [markdown]
# ## Claims that wait
#
# Their verdict is *not testable here*. The last column says which runs or data are missing; no verdict is
# guessed.

# %% tags=["hide-input"]
tables.waiting_table(board, "Claims that are not tested here")

# %% tags=["remove-input"]
page.box()
