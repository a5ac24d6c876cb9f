# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [claims], minutes: 4}
# ---

# %% [markdown]
# # Pruning spiking networks, run again
#
# Four papers say that a spiking neural network can lose nearly all of its weights, most of its neurons or
# half of its time steps and still work. **This book trains the networks again, prunes them again, and lets a
# program compare what came out with what was printed.** Where a claim fails, it stays on the page.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from snnbook.report.page import Page
from snnbook.report.pages import scoreboard
from snnbook.report.pages.paper_a import ablation

page = Page("start", globals())

board = page.board()

# %% [markdown]
# ## In one minute
#
# Each paper has a letter, and its tables and figures have names such as `A.table4`. The page
# {doc}`../reference/status` lists all of them, with the page that makes each again or *not yet*. The data of the
# default profile are small stand-ins that come with the package ({doc}`../reference/datasets`); the networks have the
# papers' form, narrowed. The methods of all four papers, and the baselines that they name, are compared on
# {doc}`equal terms <compare/methods>`; each has a {doc}`page of its own <methods/overview>` and can prune
# {doc}`your own network <methods/your_network>`.
#
# *Holds*, *fails* and *undecided* are the words of a program that looked at an interval over seeds, on the data and the
# network that each line below names, with one training set and one test set: {doc}`../start/how_to_read` says how. What
# holds *by construction* follows from how its quantities are made. All claims are on the
# {doc}`scoreboard <compare/scoreboard>`.

# %% tags=["hide-input"]
lines = [
    f"Tables, figures and algorithms that this book makes again: {scoreboard.reproduced()}.\n",
    f"{scoreboard.summary(board)}\n",
    *scoreboard.headlines(board),
]
display(Markdown("\n".join(lines)))

# %% [markdown]
# ## In one picture
#
# Paper A prunes in space (S: all but 1.8 % of the weights, by LAMP) and in time (T: stop at the decision
# step). Each point below is one network, trained with one seed: what it costs, in synaptic operations,
# against what it gets right.

# %% tags=["hide-input"]
ablation.cost_and_accuracy(page.results("A.ablation"))

# %% [markdown]
# The numbers behind it, and the ones that the paper printed, are on the page of {doc}`Table 4 <stp/table4>`.
#
# ## What this book is, and is not
#
# It re-runs *methods* and checks *claims*: which of two methods is better, whether a curve falls, what a
# count comes to. On small data it can show the direction and the shape of an effect. It cannot show the
# accuracies that the papers print for their own data sets: for those the same notebooks run at the `paper`
# profile, with the papers' data.
#
# Where to go next: {doc}`the neuron <ideas/lif>` if spiking networks are new to you, {doc}`what a SOP is
# <ideas/sops>` if they are not, {doc}`the scoreboard <compare/scoreboard>` if you came to check a claim, and
# {doc}`../start/rerun` if you want to change something.

# %% tags=["remove-input"]
page.box()
