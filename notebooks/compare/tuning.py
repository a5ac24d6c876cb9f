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
# was given as many candidates as any other, on one set, with seeds that the comparison does not use, and was judged by
# the validation split alone. Every method that prunes within a span of the training was tried with the same spans.
# {doc}`../methods/gradr` alone has nothing to choose: its levels are its one setting that changes anything.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook.experiments.results import open_store, study_for_page
from snnbook.experiments.studies import compare as compared
from snnbook.report.page import Page
from snnbook.report.pages import tuning

page = Page("compare/tuning", globals())

study = page.results("compare.tuning")

# %% [markdown]
# ## Which candidates were tried, and which is used?
#
# Candidates of one method are compared at a budget: where all of them leave as many weights. A method that is given its
# sparsity was tried at that budget; where sparsity is an outcome, a candidate was tried at levels on both sides of it,
# and its accuracy is read off between them, seed by seed. Structured methods are compared at equal connections, that
# is, at as many multiply-accumulate operations in a time step. The choice of every profile is that of the records of
# the profile laptop.

# %%
store = open_store(profile, results) if profile == "laptop" else None
choices = {
    method: tuning.choice(method, compared.tuning_scores(method, store), compared.edges(method, store))
    for method, plan in compared.plans().items()
    if plan.candidates
}

# %% [markdown]
# A candidate is *used* if one of its trials is a trial of {doc}`methods`. This is looked up here and not taken on
# trust.

# %%
trials = {trial.id for trial in study_for_page("compare", profile, seeds, options, store).trials.values()}
used = {key for key, trial in study.trials.items() if trial.id in trials}

# %% tags=["hide-input"]
tuning.picture(study, choices)

# %% tags=["hide-input"]
tuning.summary(study, choices, used)

# %% tags=["hide-input"]
tuning.candidates(study, choices, used)

# %% [markdown]
# ## What is to be read with care?
#
# - Few seeds chose. Where two candidates are close, the choice between them is a coin toss; it costs little, because
#   they are close.
# - The test split had no part in this. Its accuracies are in the records, because every record has them, and this
#   page does not read them.
# - The grids are small, and most go through one point: the span was tried at one value of the other settings, and these
#   at one span.
# - Settings that are not in a grid are those of the source, or those named on the method's page as our choice.

# %% tags=["remove-input"]
page.box()
