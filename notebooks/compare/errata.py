# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [claims], minutes: 2}
# ---

# %% [markdown]
# # Our errata
#
# **A book that re-runs papers owes its readers its own mistakes.** A review of the first version found faults of ours
# under several ranks and verdicts. Every record was made anew without them. This page says what was wrong, what is done
# now, and which results have changed since. The faults of the papers are on the pages of the papers.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.report.page import Page
from snnbook.report.pages import errata

page = Page("compare/errata", globals())

study = page.results("compare")
board = page.board()

# %% [markdown]
# ## Verdicts
#
# The first version's verdicts are kept as a table; today's are computed here.

# %% tags=["hide-input"]
errata.summary(board)

# %% tags=["hide-input"]
errata.verdict_table(board)

# %% tags=["hide-input"]
errata.fault_table("verdicts")

# %% [markdown]
# ## The comparison of methods

# %% tags=["hide-input"]
errata.fault_table("comparison")

# %% tags=["hide-input"]
errata.rank_table(study)

# %% [markdown]
# ## Methods and records

# %% tags=["hide-input"]
errata.fault_table("methods")

# %% tags=["hide-input"]
errata.fault_table("records")

# %% tags=["remove-input"]
page.box()
