# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [compare.tuning], minutes: 3}
# ---

# %% [markdown]
# # Where the settings come from
#
# **A comparison of methods is a comparison of how well each was tuned, unless tuning is equal.** Here every method
# was given four candidates, or fewer where its ladder leaves it less to choose, on one set, at one level, with a seed
# that the comparison does not use, and was judged by the validation split alone. A method that is not listed had none.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.experiments.results import study_for_page
from snnbook.report.page import Page
from snnbook.report.pages import tuning

page = Page("compare/tuning", globals())

study = page.results("compare.tuning")

# %% [markdown]
# ## Which candidates were tried, and which is used?
#
# Used is a candidate whose trial is one of those of {doc}`methods`, which is looked up here and not taken on trust.

# %%
compared = {trial.id for trial in study_for_page("compare", profile, seeds, options).trials.values()}
used = {key for key, trial in study.trials.items() if trial.id in compared}

# %% tags=["hide-input"]
tuning.picture(study, used)

# %% tags=["hide-input"]
tuning.summary(study, used)

# %% tags=["hide-input"]
tuning.candidates(study, used)

# %% [markdown]
# ## What is to be read with care?
#
# - One seed chose. Where two candidates are close, the choice between them is a coin toss; it costs little, because
#   they are close.
# - The test split had no part in this. Its accuracies are in the records, because every record has them, and this
#   page does not read them.
# - The grids are small. A method whose best candidate lies at the edge of its grid might do better beyond it.
# - Settings that are not in a grid are those of the source, or those named on the method's page as our choice.

# %% tags=["remove-input"]
page.box()
