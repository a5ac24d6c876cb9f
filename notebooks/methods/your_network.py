# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 7}
# ---

# %% [markdown]
# # Your own network
#
# **Every measure and every method of this book takes any `torch.nn.Module`: yours need not have a line of snnbook in
# it. It is counted right, or refused by one line that names the part.** The tables on this page are made from the
# package's tests: each row is a test that runs.
#
# On this page you will see
#
# - what counts as a layer, a weight and a neuron, and how a network with attention is counted;
# - what an axis means;
# - networks of SpikingJelly {cite:p}`fang2023spikingjelly` and with snnTorch's neurons
#   {cite:p}`eshraghian2023snntorch`, trained, pruned and measured;
# - a pruned network as a file, which plain PyTorch reads;
# - your own recordings;
# - definitions that are others in other libraries;
# - what is supported, and what is refused with which message.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import logging
import os
import tempfile
import warnings

import pandas as pd
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.report import tables
from snnbook.report.page import Page
from snnbook.report.pages import your_network as shown

page = Page("methods/your_network", globals())

EPOCHS, SAMPLES = (1, 60) if profile == "smoke" else (8, 300)
logging.getLogger("torch._library.triton").setLevel(logging.ERROR)  # it misses Triton, which a CPU does not need

# %% [markdown]
# ## What is a layer, a weight, a neuron?
#
# - **Operations** are found where they happen. While a batch passes, every product of PyTorch is seen: those of
#   modules, of `F.linear`, `@` and `einsum`, and those inside attention. A product that cannot be taken apart is
#   refused by the path of its module.
# - A **layer** is a convolution, a transposed convolution or a linear layer. A weight of another module is listed by
#   its own name, such as `attention.in_proj_weight`. What is multiplied without a weight, such as queries and keys,
#   is listed by the path of its module.
# - A **weight** is a parameter that multiplies: those of layers, of attention, of recurrent and bilinear modules. A
#   module of your own names its weights in an attribute `multiplies`, as below. The empty tuple `()` says that it has
#   none. Biases, norms and embeddings are no weights.
# - **Neurons** are snnbook's `LIF`, and every module of an unknown type that has no weights: those of SpikingJelly,
#   snnTorch, sinabs, Norse and Rockpool. Neurons that have weights are named: `identity=(Lateral,)`.
#
# Here is a network with attention over its time steps, with a gate, and with a weight in no layer at all:

# %%
import torch.nn.functional as F

from snnbook import measure
from snnbook.neurons import LIF


class Attending(nn.Module):
    multiplies = ("readout",)

    def __init__(self):
        super().__init__()
        self.encode, self.fire = nn.Linear(128, 32), LIF(v_threshold=0.1)
        self.attention = nn.MultiheadAttention(32, 4, bias=False)
        self.again = LIF(v_threshold=0.01)
        self.readout = nn.Parameter(torch.randn(10, 32))

    def forward(self, x):  # events [T, N, 2, 8, 8]
        spikes = self.fire(self.encode(x.flatten(2)))
        mixed, _ = self.attention(spikes, spikes, spikes)
        gated = self.again(mixed) * spikes
        return F.linear(gated, self.readout)


torch.manual_seed(0)
attending, x = Attending(), (torch.rand(4, 16, 2, 8, 8) < 0.2).float()
sops = measure.sops(attending, x)
connections = measure.connections(attending, x.shape)
weights = measure.weights(attending)

# %% tags=["hide-input"]
shown.counted(sops, connections, weights)

# %% [markdown]
# - **SOPs** are values that go in, times live synapses, as {doc}`../ideas/sops` defines them. The encoding layer has
#   events or pixels as inputs and is left out of the sum.
# - **accumulates** are operations with a spike, exactly 1: the weight is added.
# - **multiplies** are operations with a value that is neither 0 nor 1: an average, a sum of branches, a current. The
#   output of attention is such a value.
# - Queries times keys have no weight, hence no connections. A pair counts as one if neither value is zero.
#
# The gate multiplies single values and sums nothing up. Such products are reported apart:

# %%
print(f"{sum(sops.elementwise.values()):.1f} products of the gate per sample")
print(f"{sops.total:,.0f} SOPs per sample")

# %% [markdown]
# Neurons with weights of their own are counted as a part of the network, unless `identity` names their class:

# %%


class Lateral(nn.Module):
    """Neurons that are held down by those that fired before."""

    multiplies = ("w",)

    def __init__(self, size):
        super().__init__()
        self.w = nn.Parameter(torch.rand(size, size))

    def forward(self, x):
        s, spikes = torch.zeros_like(x[0]), []
        for current in x:
            s = (current - s @ self.w > 0).float()
            spikes.append(s)
        return torch.stack(spikes)


first, last = nn.Linear(128, 8), nn.Linear(8, 10)
network = nn.Sequential(nn.Flatten(2), first, Lateral(8), last)
print(measure.sops(network, x).per_layer)
print(measure.sops(network, x, identity=(Lateral,)).per_layer)

# %% [markdown]
# ## What does an axis mean?
#
# Events are `[T, N, *]` and static inputs `[N, *]`: time first, then samples. The first layer of the network decides
# which of the two an input is. A `Conv1d` takes `[T, N, C, L]` or `[N, C, L]`, a `Conv2d` one axis more, a linear layer
# `[T, N, F]` or `[N, F]`. Where both are possible, you are asked:

# %%
tokens = torch.rand(2, 5, 7, 4)
try:
    measure.sops(nn.Linear(4, 3), tokens)
except UserError as err:
    print(err)
for layout in ("TN", "N"):
    counts = measure.sops(nn.Linear(4, 3), tokens, layout=layout)
    print(layout, counts.encoding_macs, "MACs per sample")

# %% [markdown]
# ## A network of SpikingJelly's layers
#
# It takes events, `[T, N, C, H, W]`, in multi-step mode, and gives logits `[T, N, K]`. Nothing else is asked of it.

# %%
from spikingjelly.activation_based import functional, layer, neuron, surrogate


def spikingjelly_network():
    def lif():
        return neuron.LIFNode(surrogate_function=surrogate.ATan(), detach_reset=True)

    network = nn.Sequential(
        *(layer.Conv2d(2, 12, 3, padding=1, bias=False), layer.BatchNorm2d(12), lif(), layer.MaxPool2d(2)),
        *(layer.Conv2d(12, 24, 3, padding=1, bias=False), layer.BatchNorm2d(24), lif(), layer.MaxPool2d(2)),
        *(layer.Flatten(), layer.Linear(24 * 4 * 4, 64, bias=False), lif(), layer.Linear(64, 10)),
    )
    functional.set_step_mode(network, "m")
    return network


# %% [markdown]
# ## A network with snnTorch's neurons
#
# It takes images, `[N, C, H, W]`, and makes its own time: a loop over steps, with the potentials handed on from one to
# the next.

# %%
import snntorch


class SnnTorchNetwork(nn.Module):
    def __init__(self, T=4):
        super().__init__()
        self.T = T
        self.conv1, self.norm1 = nn.Conv2d(1, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12)
        self.conv2, self.norm2 = nn.Conv2d(12, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24)
        self.fire1, self.fire2 = snntorch.Leaky(beta=0.5), snntorch.Leaky(beta=0.5)
        self.readout = nn.Linear(24 * 3 * 3, 10)

    def forward(self, x):
        current = self.norm1(self.conv1(x))  # the image is the same at every step
        v1, v2, logits = self.fire1.reset_mem(), self.fire2.reset_mem(), []
        for _ in range(self.T):
            spikes, v1 = self.fire1(current, v1)
            spikes, v2 = self.fire2(self.norm2(self.conv2(spikes)), v2)
            logits.append(self.readout(spikes.flatten(1)))
        return torch.stack(logits)


# %% [markdown]
# ## Prune it
#
# The loop is that of all trainings in this book, the methods are those of the list, and both networks take the same
# lines:

# %%
from snnbook import datasets, pruning
from snnbook.feeding import to_network
from snnbook.training import Recipe, outputs, train


def prune(network, data, T, method, **settings):
    """Train with a pruning method; the finished network, and what is left of it."""
    recipe = Recipe(epochs=EPOCHS, batch_size=20, lr=5e-3)
    pruner = pruning.create(method, **settings)
    done = train(network, data["train"], recipe, pruner, torch.Generator().manual_seed(0), T)
    x = to_network(data["test"].x[:100], T)
    accuracy = measure.accuracy(*outputs(done.model, data["test"], T))
    return done.model, accuracy, done.masks, measure.connections(done.model, x.shape), measure.sops(done.model, x)


events = {split: datasets.load("digits-dvs", split, T=5) for split in ("train", "test")}
events["train"] = events["train"].head(SAMPLES)
torch.manual_seed(0)
network, accuracy, masks, connections, sops = prune(spikingjelly_network(), events, 5, "lamp", sparsity=0.8)
print(
    f"{masks.alive} of {masks.total} weights, {connections.alive:.0f} of {connections.total:.0f} connections are left"
)
print(f"{sops.total:.0f} SOPs per sample")

# %% [markdown]
# `network` is the network that was given, with zeros in its weights. After a structured method it is a smaller one,
# of the same classes: its convolutions, batch norms and linear layers have fewer channels, and nothing of snnbook is
# in it.

# %%
narrow, *_ = prune(spikingjelly_network(), events, 5, "nslim", channels=0.3)
print(narrow[0])
print(narrow[4])

# %% [markdown]
# ## Several methods on both
#
# One method that cuts, one that rewires, one that looks at potentials, one that takes whole channels. The trainings
# are a few seconds long, so the numbers show that it works and not which method is better; for that there is
# {doc}`../compare/methods`.

# %% tags=["hide-input"]
SHOWN = {
    "dense": {},
    "lamp": {"sparsity": 0.8},
    "rigl": {"sparsity": 0.8},
    "criticality": {"sparsity": 0.8},
    "nslim": {"channels": 0.3},
}
images = {split: datasets.load("digits-clutter", split) for split in ("train", "test")}
images["train"] = images["train"].head(SAMPLES)
NETWORKS = {"SpikingJelly": (spikingjelly_network, events, 5), "snnTorch": (SnnTorchNetwork, images, 4)}

rows = []
for library, (make, data, T) in NETWORKS.items():
    for method, settings in SHOWN.items():
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # networks this small may be cut to a layer's last channel
            _, accuracy, left, connections, sops = prune(make(), data, T, method, **settings)
        if method == "dense":
            all_weights, all_connections = left.alive, connections.alive
        rows.append(
            {
                "Network": library,
                "Method": method,
                "Settings": ", ".join(f"{key}={value}" for key, value in settings.items()) or "–",
                "Accuracy, %": f"{accuracy:.1f}",
                "Weights left, %": f"{100 * left.alive / all_weights:.1f}",
                "Connections left, %": f"{100 * connections.alive / all_connections:.1f}",
                "SOPs": f"{sops.total:,.0f}",
            }
        )

# %% tags=["hide-input"]
tables.Table(
    pd.DataFrame(rows),
    f"One training of {EPOCHS} epochs on {SAMPLES} samples each, tested on the whole test set.",
)

# %% [markdown]
# ## What does a method need?
#
# Most need weights and nothing else. The others say what they miss, in one line, before anything is trained. Below all
# are tried for a few steps on three versions of the SpikingJelly network: as it is; without its batch norm; and with
# neurons that do not show their potential.


# %% tags=["hide-input"]
from snnbook.surrogates import ATan


class Closed(nn.Module):
    """Neurons without memory, and nothing to read a potential from."""

    def forward(self, x):
        return ATan().spike(x - 1)


def changed(old, new):
    """The network with all modules of a type replaced."""
    network = spikingjelly_network()
    for i, m in enumerate(network):
        network[i] = new() if isinstance(m, old) else m
    return network


VERSIONS = {
    "as it is": spikingjelly_network,
    "without batch norm": lambda: changed(nn.BatchNorm2d, nn.Identity),
    "closed neurons": lambda: changed(neuron.LIFNode, Closed),
}
FEW = {"stp": {"cuts": 2}, "imp": {"cuts": 2, "rewind": 1}}


def attempt(network, method):
    """What happens: "yes", or the reason why not."""
    pruner = pruning.create(method, **FEW.get(method, {}))
    torch.manual_seed(0)
    recipe = Recipe(epochs=4, batch_size=10)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            train(network, events["train"].head(10), recipe, pruner, torch.Generator().manual_seed(0), 5)
    except UserError as err:
        return str(err).split(":")[0].split(",")[0].split(" (")[0]
    return "yes"


rows = [
    {"Method": method} | {version: attempt(make(), method) for version, make in VERSIONS.items()}
    for method in pruning.available()
]

# %% tags=["hide-input"]
tables.Table(pd.DataFrame(rows), "Does the method prune the network, and if not, what does it say?")

# %% [markdown]
# - **Batch norm**: methods that rank channels by its scale need it behind the layers whose channels may go.
# - **Potentials**: criticality reads them. snnbook's `LIF` shows its own; of SpikingJelly's neurons those that hand
#   their potential to a surrogate can be read, and of snnTorch's those that fire by a threshold. While they are read,
#   SpikingJelly's neurons run in plain PyTorch, a little slower.
# - **Masks of neurons** (`unstructured`) are put on any neurons, as a buffer that comes with the network.
# - **Time**: the decision step of `stp` needs sequences; on images `temporal=False` leaves its other half.
# - **State**: before every pass the neurons forget what they keep. Every module with a method `reset`, `reset_state`,
#   `reset_states`, `reset_mem`, `reset_state_variables` or `n_reset` that takes no argument is asked to. Neurons whose
#   state has no such method are refused, as their counts would depend on what ran before.
#
# ## Save it, and load it elsewhere
#
# `pruning.save` writes weights, masks of weights and of neurons, and the constants of `LIF` to one file without any
# code in it. `pruning.load` fills a fresh network and narrows it if channels are gone. For a network of
# `networks.build` the file is enough. The logits are the same, bit for bit.

# %% tags=["remove-input"]
home, folder = os.getcwd(), tempfile.TemporaryDirectory()
os.chdir(folder.name)

# %%
from snnbook.tracing import reset

pruning.save(network, "pruned.pt", masks)
loaded = pruning.load("pruned.pt", spikingjelly_network())
batch = to_network(events["test"].x[:10], 5)
logits = []
with torch.no_grad():
    for copy in (network.eval(), loaded):
        reset(copy)
        logits.append(copy(batch))
print("the same logits:", torch.equal(*logits))

# %% [markdown]
# Plain PyTorch reads the file in five lines. Here is one that holds a small network, whose neurons are replaced:

# %%
small = nn.Sequential(nn.Linear(4, 5), LIF(), nn.Linear(5, 3))
with torch.no_grad():
    small[0].weight[1:3] = 0
small[1].mask = torch.tensor([True, False, False, True, True])
pruning.save(small, "pruned.pt")

# %%
import torch
from torch import nn

file = torch.load("pruned.pt", weights_only=True)
net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
net.load_state_dict(file["weights"])

# %% [markdown]
# The rest of the file says which weights and neurons are alive and what the neurons are:

# %%
print(
    {name: f"{int(mask.sum())} of {mask.numel()}" for name, mask in file["weight_masks"].items()}, "weights are alive"
)
print({name: mask.tolist() for name, mask in file["neuron_masks"].items()})
print(file["neurons"])

# %% tags=["remove-input"]
os.chdir(home)
folder.cleanup()

# %% [markdown]
# ## Your own recordings
#
# A recording is a structured array with the fields x, y, t and p, the earliest event first. Times may be integers,
# floats or dates in any unit; `start` and `end` are in the same unit. `by="time"` makes frames of equal windows,
# `by="number"` frames of equal numbers of events.

# %%
import numpy as np

rng = np.random.default_rng(0)
events_of_mine = np.empty(2000, [("x", "i2"), ("y", "i2"), ("t", "f8"), ("p", "i1")])
events_of_mine["x"], events_of_mine["y"] = rng.integers(0, 16, (2, 2000))
events_of_mine["t"] = np.sort(rng.random(2000)) * 1.5  # seconds
events_of_mine["p"] = rng.choice([-1, 1], 2000)  # OFF and ON

frames = datasets.events_to_frames(events_of_mine, T=5, sensor_size=(16, 16), by="time", start=0.25, end=1.25)
print(tuple(frames.shape), "events in each frame:", frames.sum((1, 2, 3)).int().tolist())

# %% [markdown]
# An event that means nothing is refused by its field and its number:

# %%
events_of_mine["x"][7] = 16
try:
    datasets.events_to_frames(events_of_mine, T=5, sensor_size=(16, 16))
except UserError as err:
    print(err)

# %% [markdown]
# Any data set in the manner of PyTorch trains a network: events `[T, C, H, W]` or images `[C, H, W]` with their labels.

# %%
own = torch.utils.data.TensorDataset(frames.expand(40, -1, -1, -1, -1), torch.randint(10, (40,)))
pruner = pruning.create("magnitude", sparsity=0.9)
done = train(spikingjelly_network(), own, Recipe(epochs=1, augment=False), pruner, torch.Generator(), T=5)
print(f"{done.masks.alive} of {done.masks.total} weights are left")

# %% [markdown]
# ## Definitions side by side
#
# Numbers of two libraries agree only where their definitions do. Each row was tried on both: the library's own function
# and ours, on the same input. `make bench` does it again.

# %% tags=["hide-input"]
shown.defined()

# %% [markdown]
# ## What is supported, and what is refused?
#
# A message is quoted as its test sees it, with the names of that test's network; … stands for what differs from case to
# case. *Tested in* is a file below `tests/`.

# %% tags=["hide-input"]
shown.supported()

# %% tags=["remove-input"]
page.box()
