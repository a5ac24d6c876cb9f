# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [A.table1], reads: [], minutes: 3}
# ---

# %% [markdown]
# # Paper A, Table 1: data sets and networks
#
# **The paper's first table lists four data sets and the network of each. Two of its cells cannot be right.** Here
# every cell stands beside what the loaders and builders of this book say, and the stand-ins that the other pages
# train on are put next to them.


# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import pandas as pd

from snnbook import datasets, networks
from snnbook.experiments.profiles import dense
from snnbook.experiments.run import network
from snnbook.report import papers, tables
from snnbook.report.page import Page

page = Page("stp/table1", globals())

# %% tags=["remove-input"]
page.opening()

# %% [markdown]
# ## The data sets
#
# The numbers of samples are those that the sets were published with; a loader that reads other files than these says
# so itself. The test set of CIFAR-10 has 10,000 images, ten times what is printed, and CIFAR10-DVS has 10,000
# recordings in all, so that 10,000 for training leave none to test on.

# %% tags=["hide-input"]
REAL = {"CIFAR10": "cifar10", "CIFAR100": "cifar100", "DVS128-Gesture": "dvs128_gesture", "CIFAR10-DVS": "cifar10_dvs"}


def beside(printed, ours):
    """The printed cell, marked where ours differs."""
    return f"{printed}" if str(printed) == str(ours) else f"{printed} ✗ {ours}"


rows = []
for row in papers.table("A", "1").to_dict("records"):
    info = datasets.info(REAL[row["dataset"]])
    training, test = info.published
    size = "x".join(str(n) for n in (*info.shape[-2:], info.shape[-3]))
    rows.append(
        {
            "Data set": row["dataset"],
            "Image": beside(row["image"], size),
            "Training samples": beside(f"{int(row['train_samples']):,}", f"{training:,}"),
            "Test samples": beside(f"{int(row['test_samples']):,}", f"{test:,}"),
            "Classes": beside(int(row["categories"]), info.num_classes),
            "Network": row["architecture"],
            "Surrogate": row["surrogate"],
        }
    )
tables.Table(pd.DataFrame(rows), "Paper A, Table 1. Where our count differs it follows behind a ✗.")

# %% [markdown]
# ## The networks
#
# At `width=1.0` the builders make the papers' networks. The text calls the second network for CIFAR10-DVS VGG16 in
# Table 1 and VGGsNN in Table 3; its parameters are those of VGGSNN, with eight convolutions and one linear layer. The
# last column has what the printed tables imply: their parameters divided by the share that their sparsity leaves.

# %% tags=["hide-input"]
CHOSEN = (
    ("CIFAR10", "ResNet19", "resnet19"),
    ("CIFAR100", "VGG16", "vgg16"),
    ("CIFAR100", "ResNet19", "resnet19"),
    ("DVS128-Gesture", "5Conv, 2FC", "dvsgesture"),
    ("CIFAR10-DVS", "4Conv, 2FC", "cifar10dvs"),
    ("CIFAR10-DVS", "VGGsNN", "vggsnn"),
)
printed = pd.concat([papers.table("A", "2"), papers.table("A", "3")])
rows = []
for dataset, name, builder in CHOSEN:
    info = datasets.info(REAL[dataset])
    size = 48 if builder == "vggsnn" else info.shape[-1]
    model = networks.build(builder, info.num_classes, info.shape[-3], size, T=info.shape[0] if not info.static else 5)
    own = printed[(printed["dataset"] == dataset) & (printed["architecture"] == name)]
    implied = own[own["method"].str.startswith(("Ours", "IMP"))]["dense_params_M_implied"]
    weights = sum(p.numel() for p in model.parameters() if p.dim() > 1)
    rows.append(
        {
            "Data set": dataset,
            "Network": name,
            "Input": f"{size}x{size}",
            "Weights": f"{weights:,}",
            "Parameters": f"{sum(p.numel() for p in model.parameters()):,}",
            "Implied by Tables 2 and 3, million": f"{implied.min():.2f} to {implied.max():.2f}",
        }
    )
tables.Table(pd.DataFrame(rows), "The networks of paper A, as this package builds them.", 2)

# %% [markdown]
# The implied numbers scatter because the tables print parameters with two digits: 0.03 million may stand for anything
# from 0.025 to 0.035.
#
# ## What the other pages train on
#
# The recordings are not part of this book, and a laptop would take weeks. The `laptop` profile trains narrow networks
# on small sets that play the same parts ({doc}`../../reference/datasets`).

# %% tags=["hide-input"]
rows = []
for plays in ("CIFAR10", "CIFAR10-DVS", "DVS128-Gesture"):
    trial = dense(plays, "laptop")
    sets = {split: datasets.load(trial.data, split) for split in ("train", "validation", "test")}
    shape = sets["train"][0][0].shape
    convolutions = [c for c in dict(trial.network_settings)["convolutions"] if c != "M"]
    model = network(trial, sets["train"])
    rows.append(
        {
            "Set": trial.data,
            "In place of": plays,
            "Sample": "x".join(map(str, shape)),
            "Training, validation, test": ", ".join(f"{len(s):,}" for s in sets.values()),
            "Classes": sets["train"].num_classes,
            "Network": f"{trial.network}, {len(convolutions)} convolutions",
            "Weights": f"{sum(p.numel() for p in model.parameters() if p.dim() > 1):,}",
            "Steps": trial.T,
        }
    )
tables.Table(pd.DataFrame(rows), "The embedded sets and their networks at the laptop profile.", 2)

# %% [markdown]
# Next: {doc}`sparsity_ladder`, where the odd sparsities of the paper come from.

# %% tags=["remove-input"]
page.box()
