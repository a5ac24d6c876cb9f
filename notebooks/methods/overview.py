# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 6}
# ---

# %% [markdown]
# # All methods at a glance
#
# **Every pruning method of this book is one class with a few hooks, and all are trained by the same loop.** This page
# is the map: what each method is, what it removes, what it needs, and where its equations are. Nothing in the tables
# is typed; it is read off the classes, and off a training of a few steps of a tiny network with each of them.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import warnings
from copy import deepcopy

import pandas as pd
import torch
from torch import nn

from snnbook import datasets, paths, pruning
from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.report import tables
from snnbook.report.blocks import Fragment
from snnbook.report.page import Page
from snnbook.training import Recipe, train

page = Page("methods/overview", globals())

NAMES = [name for name in pruning.available() if name != "dense"]

# %% [markdown]
# ## What is each method?
#
# Names lead to the pages: idea, equations, algorithm, a minimal run, and where the method stands among the others.
# The *family* is ours. It says how a weight is chosen and whether it may come back:
#
# - **cut**: rank the weights by a score, remove the lowest, at once, gradually, or in rounds;
# - **cut and regrow**: remove some and bring others back, so that the network that is left can change;
# - **rewire by sign**: each weight has a fixed sign and dies when training pushes it through zero;
# - **penalty or soft mask**: a term of the loss, a threshold or a mask that is trained along drives weights to zero;
# - **structured**: whole channels go, so that the finished network is really smaller.


# %% tags=["hide-input"]
def link(name):
    there = (paths.notebooks() / "methods" / f"{name}.py").is_file()
    return Fragment(f'<a href="{name}.html">{name}</a>', f"[{name}]({name})") if there else name


rows = []
for name in NAMES:
    home = pruning.METHODS[name].cls.__module__.replace("snnbook.", "").replace(".", "/")
    rows.append(
        {
            "Method": link(name),
            "What it is": pruning.available()[name],
            "Family": pruning.METHODS[name].family,
            "Equations and code": f"{home}.py",
        }
    )
tables.Table(pd.DataFrame(rows), "The methods, by name. The last column is a file below src/snnbook/.")

# %% [markdown]
# ## What does it remove, and what does it need?
#
# This is tried out here. Each method prunes a spiking network with two convolutions and batch norm, for a few steps on
# a few samples of events; then once more on a copy of the network without neurons (rectifiers in their place), on one
# without batch norm, and on still images. What a method then refuses to do without, with an error that says why, is
# what it needs. *Starts* is the state of the masks before the first step, and *revives* says whether a dead weight ever
# came back.


# %% tags=["hide-input"]
class Tiny(nn.Module):
    """Two convolutions and a readout; frames of events `[T, N, C, H, W]`, or images `[N, C, H, W]` shown twice."""

    def __init__(self, channels, neuron=LIF, norm=nn.BatchNorm2d):
        super().__init__()
        self.one, self.two = nn.Conv2d(channels, 8, 3, 2, bias=False), nn.Conv2d(8, 8, 3, 2, bias=False)
        self.norm_one, self.norm_two = norm(8), norm(8)
        self.fire_one, self.fire_two = neuron(), neuron()
        self.pool, self.readout = nn.AdaptiveAvgPool2d(2), nn.Linear(32, 10)

    def forward(self, x):
        x = x if x.dim() == 5 else x.expand(2, *x.shape)
        T, N = x.shape[:2]
        x = self.fire_one(self.norm_one(self.one(x.flatten(0, 1))).unflatten(0, (T, N)))
        x = self.fire_two(self.norm_two(self.two(x.flatten(0, 1))).unflatten(0, (T, N)))
        return self.readout(self.pool(x.flatten(0, 1)).flatten(1)).unflatten(0, (T, N))


EVENTS = datasets.load("digits-dvs", "train", T=4).head(20)
IMAGES = datasets.load("digits-clutter", "train").head(20)
RECIPE = Recipe(epochs=4, batch_size=10, lr=1e-2)
WITHOUT = {
    "neurons": (EVENTS, {"neuron": nn.ReLU}),
    "batch norm": (EVENTS, {"norm": nn.Identity}),
    "time": (IMAGES, {}),
}


class Watched:
    """A method with an eye on its masks: how sparse they are at the start, and whether a dead weight comes back."""

    def __init__(self, method):
        self.method, self.revives = method, False

    def __getattr__(self, hook):
        return getattr(self.method, hook)

    def start(self, c):
        self.method.start(c)
        self.masks, self.starts, self.last = c.masks, c.masks.sparsity, deepcopy(dict(c.masks))

    def look(self, samples):
        self.revives |= any(bool((mask & ~self.last[layer]).any()) for layer, mask in self.masks.items())
        self.last = deepcopy(dict(self.masks))


def attempt(name, data, **network):
    """What is removed by a method that prunes, and the method, watched; raises UserError if it refuses."""
    torch.manual_seed(0)
    model = Tiny(data[0][0].shape[-3], **network)
    with torch.no_grad():
        model.norm_one.train()
        for p in (model.one.weight, model.two.weight):
            p.mul_(3)  # so that the neurons fire
    few = {key: value for key, value in {"cuts": 2, "rewind": 1}.items() if pruning.settings(name).get(key)}
    method = Watched(pruning.create(name, **few))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a network this small may be cut to its last weights
        c = train(model, data, RECIPE, method, torch.Generator().manual_seed(0), 4, method.look)
    channels = c.model is not model
    neurons = any(isinstance(m, LIF) and m.mask is not None for m in model.modules()) and not channels
    weights = c.masks.alive < c.masks.total and not channels
    units = (("channels", channels), ("weights", weights), ("neurons", neurons))
    return " and ".join(unit for unit, so in units if so), method


def refuses(name, data, network):
    try:
        attempt(name, data, **network)
    except UserError:
        return True
    return False


def has_default(name, key):
    return pruning.settings(name).get(key) is not None


rows = []
for name in NAMES:
    removed, method = attempt(name, EVENTS)
    needs = [what for what, (data, network) in WITHOUT.items() if refuses(name, data, network)]
    decides = [key for key in ("sparsity", "channels", "share", "strength", "lam") if has_default(name, key)]
    rows.append(
        {
            "Method": link(name),
            "Removes": removed or "nothing in so few steps",
            "Starts": f"{100 * method.starts:.0f} % sparse" if method.starts else "dense",
            "Revives": "yes" if method.revives else "not seen",
            "Needs": ", ".join(needs) or "any network",
            "Asked for by": decides[0] if decides else "–",
        }
    )

# %% tags=["hide-input"]
tables.Table(
    pd.DataFrame(rows),
    "What a few steps show of each method, with its default settings. Asked for by: the setting that decides how much "
    "is removed.",
)

# %% [markdown]
# A method that needs time does so with its default settings: the half of it that cuts time steps can be switched off
# ({doc}`decision_step`). A method that is meant to go on from a trained network may make its first cut before its
# first step, and then starts sparse here too.
#
# ## Which hooks carry it?
#
# The loop calls a method at a few places. Most methods need two or three of them.

# %% tags=["hide-input"]
HOOKS = [name for name in vars(pruning.Pruner) if not name.startswith("_") and not name.endswith("state_dict")]
HOOKS = [name for name in HOOKS if callable(getattr(pruning.Pruner, name))]

# %% tags=["hide-input"]
frame = pd.DataFrame(
    {"Hook": HOOKS, "When": [getattr(pruning.Pruner, hook).__doc__.splitlines()[0].replace("`", "") for hook in HOOKS]}
)
tables.Table(frame, "The hooks of a method, in the order of the loop.").show()

rows = []
for name in NAMES:
    cls = pruning.METHODS[name].cls
    own = [hook for hook in HOOKS if getattr(cls, hook) is not getattr(pruning.Pruner, hook)]
    rows.append({"Method": link(name)} | {hook: "●" if hook in own else "–" for hook in HOOKS})
tables.Table(pd.DataFrame(rows), "The hooks that each method's class carries out (●).")

# %% [markdown]
# ## What can be set?
#
# The words are the same in all methods: `sparsity` is the share of all prunable weights that goes, `updates` the
# number of changes of the masks and `span` the share of the training in which they happen, `fraction` what is dropped
# and regrown in one of them, `strength` the weight of a penalty, `channels` the share of channels that goes.


# %% tags=["hide-input"]
def shown(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


rows = []
for name in NAMES:
    text = ", ".join(f"{key} = {shown(default)}" for key, default in pruning.settings(name).items())
    rows.append({"Method": link(name), "Settings and their defaults": text or "–"})
tables.Table(pd.DataFrame(rows), "The settings of each method, as pruning.create takes them.")

# %% [markdown]
# All of them are compared in {doc}`../compare/methods`. A method of your own is a class with the hooks that it needs;
# `@pruning.method(...)` gives it a name, from a notebook or from another package.

# %% tags=["remove-input"]
page.box()
