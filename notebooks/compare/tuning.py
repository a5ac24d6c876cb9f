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
# was given four candidates, or fewer where its ladder leaves it less to choose, on one set, at one rung, with a seed
# that the comparison does not use, and was judged by the validation split alone. A method that is not listed had none.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook import experiments, pruning
from snnbook.experiments.results import study_for_page
from snnbook.report import page
from snnbook.report.pages import tuning

parameters = {"profile": profile, "seeds": seeds, "results": results, "jobs": jobs, "options": options}
study = experiments.results("compare.tuning", **parameters)

# %% [markdown]
# ## Which candidates were tried, and which is used?
#
# Used is a candidate if the trials of {doc}`methods` have its settings, which is looked up here and not taken on
# trust.

# %%
compared = study_for_page("compare", profile, seeds, options).trials


def effective(trial):
    return vars(pruning.create(trial.method, **dict(trial.settings)))


def is_used(label):
    names = [part.split()[0] for part in label.level.split(", ") if part]
    mine = effective(study.trials[label])
    same = (key for key in compared if (key.data, key.arm) == (label.data, label.arm))
    others = [effective(compared[key]) for key in same]
    return any(all(mine.get(name) == other.get(name) for name in names) for other in others)


used = {label for label in study.records if is_used(label)}

# %% tags=["remove-input"]
tuning.picture(study, used)

# %% tags=["remove-input"]
tuning.summary(study, used)

# %% tags=["remove-input"]
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
page.box(study, notebook="compare/tuning", parameters=parameters)
