# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.fig1], reads: [A.dense, A.rounds], minutes: 3}
# ---

# %% [markdown]
# # Paper A, Fig. 1: the framework on one recording
#
# **The paper's first figure is a drawing: events become frames, the output accumulates, a divergence picks the
# decision step, and rounds of LAMP thin out the layers.** Here every box of it is filled with real numbers from one
# test recording.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from snnbook import datasets
from snnbook.report.page import Page
from snnbook.report.pages.paper_a import framework
from snnbook.report.records import record_of

page = Page("stp/fig1", globals())
dense, rounds = page.results("A.dense"), page.results("A.rounds")
data = dense.playing("DVS128-Gesture")
record = dense.records[data, "dense"][0]
pruned = record_of(rounds.records[data, "S+T"], record.seed)

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## 1. Events become frames
#
# One test recording, cut into frames of equal event number (Eq. 2 to 4): of the first test recordings, the one for
# which the network takes longest to be sure, and is right.

# %% tags=["hide-input"]
trial, kept = dense.trials[data, "dense"], record.curves["outputs"].shape[1]
test = datasets.load(trial.data, "test", **trial.data_options).head(kept)  # the samples whose outputs were kept
recording = framework.slowest(record, test.y.numpy(), test.info.classes)
framework.frames_picture(record, recording, test[recording.place][0].numpy())

# %% [markdown]
# ## 2. The output accumulates
#
# The dense network puts out a current for each class at each step. What counts is the mean of all outputs so far; its
# softmax is the network's belief.

# %% tags=["hide-input"]
framework.belief_picture(record, recording)

# %% [markdown]
# ## 3. A divergence picks the decision step
#
# Averaged over the whole training set, the divergence of the belief from the label falls with $t$. Normalised to run
# from 1 to 0, it gives $t'$ where it first is below $\lambda$ ({doc}`fig5`, {doc}`../methods/decision_step`).

# %% tags=["hide-input"]
framework.decision_picture(record, pruned.trial["settings"]["lam"])

# %% [markdown]
# ## 4. Rounds of LAMP thin out the layers
#
# On the frames up to the decision step, the weights go in rounds of a quarter. What is left in each layer after the
# last:

# %% tags=["hide-input"]
framework.layers_picture(pruned)

# %% tags=["hide-input"]
framework.before_and_after(record, pruned)

# %% [markdown]
# One recording and one seed make a picture, not a result; the results are in {doc}`table3` and {doc}`table4`.
#
# Next: {doc}`fig2`, the two scores on ten weights.

# %% tags=["remove-input"]
page.box()
