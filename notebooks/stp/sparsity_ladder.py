# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 3}
# ---

# %% [markdown]
# # Where paper A's sparsities come from
#
# **The paper never says how much it prunes in a round or how many rounds there are. Its sparsities say it: they are
# what twelve, thirteen and fourteen cuts of a quarter leave.** This page computes them from the networks alone;
# nothing is trained.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import pandas as pd

from snnbook import networks, pruning
from snnbook.report import papers, plots, tables
from snnbook.report.page import Page
from snnbook.report.pages.paper_a import rounds

page = Page("stp/sparsity_ladder", globals())

# %% tags=["remove-input"]
page.opening("the sparsities of Tables 2 to 5, from the networks", paper="A")

# %% [markdown]
# ## A quarter of the survivors
#
# Each cut removes a quarter of the weights that are still alive. What counts as a weight are tensors of two axes and
# more; biases and batch norm are never pruned. The paper counts its sparsity over *all* parameters, so after $n$ cuts
# of a network with $W$ weights among $P$ parameters
#
# ```{math}
# :label: eq-ladder
# s_n = 1 - \frac{P - W + 0.75^n\, W}{P}.
# ```
#
# The counts below round after each cut, as a program must.

# %% tags=["hide-input"]
BUILT = {
    ("DVS128-Gesture", "5Conv, 2FC"): ("dvsgesture", 11, 2, 128),
    ("CIFAR10-DVS", "4Conv, 2FC"): ("cifar10dvs", 10, 2, 128),
    ("CIFAR10-DVS", "VGGsNN"): ("vggsnn", 10, 2, 48),
    ("CIFAR10", "ResNet19"): ("resnet19", 10, 3, 32),
    ("CIFAR100", "ResNet19"): ("resnet19", 100, 3, 32),
    ("CIFAR100", "VGG16"): ("vgg16", 100, 3, 32),
}


def after(weights, parameters, cuts):
    """Sparsity over all parameters, in per cent, after so many cuts of a quarter."""
    alive = weights
    for _ in range(cuts):
        alive = round(0.75 * alive)
    return 100 * (weights - alive) / parameters


def counts(network, classes, channels, size):
    """Weights that can be pruned, and all parameters."""
    model = networks.build(network, classes, channels, size, T=2)
    return sum(p.numel() for p in pruning.prunable(model).values()), sum(p.numel() for p in model.parameters())


# %% tags=["hide-input"]
printed = pd.concat([papers.table("A", "2"), papers.table("A", "3")])
printed = printed[printed["method"].str.startswith(("Ours", "IMP"))]
rows, gaps = [], []
for (dataset, name), built in BUILT.items():
    weights, total = counts(*built)
    found = printed[(printed["dataset"] == dataset) & (printed["architecture"] == name)]["sparsity"]
    for sparsity in sorted(found.unique()):
        cuts = rounds.cuts_of(sparsity)
        ours = after(weights, total, cuts)
        gaps.append(abs(sparsity - ours))
        rows.append(
            {
                "Data set": dataset,
                "Network": name,
                "Cuts": cuts,
                "Paper A, %": f"{sparsity:.2f}",
                "From the builder, %": f"{ours:.3f}",
                "Difference, points": f"{sparsity - ours:+.3f}".replace("-", "−"),
            }
        )
tables.Table(pd.DataFrame(rows), "Every sparsity of paper A's own rows and of IMP, and what 25 % a cut makes of it.", 3)

# %% tags=["hide-input"]
from IPython.display import Markdown

worst = max(gaps)
Markdown(f"{sum(g < 0.0101 for g in gaps)} of {len(gaps)} agree to 0.01 points; the largest difference is {worst:.3f}.")

# %% [markdown]
# So the share is a quarter, as in IMP's public code {cite:p}`kim2022lottery`, and the rounds are twelve to fourteen,
# ten to fifteen for VGGSNN. It also means that LAMP and IMP are compared at *exactly* the same number of weights,
# which is fair.
#
# ## The whole ladder

# %% tags=["hide-input"]
fig, ax = plots.subplots(figsize=(6.4, 3.6))
for (dataset, name), built in BUILT.items():
    weights, total = counts(*built)
    ax.plot(range(16), [100 - after(weights, total, n) for n in range(16)], label=f"{name}, {dataset}", markevery=3)
ax.set(yscale="log", xlabel="cuts of a quarter", ylabel="parameters left, %")
ax.yaxis.set_major_formatter(plots.PLAIN)
ax.legend(fontsize=9)
weights, total = counts(*BUILT["DVS128-Gesture", "5Conv, 2FC"])
last = 100 - after(weights, total, 15)
plots.show(
    fig,
    alt=f"Parameters left against the number of cuts: straight lines on a logarithmic axis, from 100 to {last:.2f} per "
    "cent after fifteen cuts, nearly the same for all networks.",
    caption="Share of all parameters left after each cut; the lines differ only by what is never pruned.",
)

# %% [markdown]
# ```{exercise}
# :label: ex-ladder-half
# How many cuts of a half would reach the sparsity of fourteen cuts of a quarter? What would be lost?
# ```
#
# ````{solution} ex-ladder-half
# :class: dropdown
# $0.5^n = 0.75^{14}$ gives $n = 14 \ln 0.75 / \ln 0.5 \approx 5.8$: six cuts. Less training is needed, but each cut
# decides about more weights at once, by scores that the training in between can no longer correct.
# ````
#
# Next: {doc}`algorithm1`, the algorithm as it is printed and as it is meant.

# %% tags=["remove-input"]
page.box()
