# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   snnbook: {reproduces: [], reads: [], minutes: 7}
# ---

# %% [markdown]
# # Prune your own network
#
# **Every method of this book prunes any `torch.nn.Module`: yours need not have a line of snnbook in it.** Here one
# network is built of SpikingJelly's layers {cite:p}`fang2023spikingjelly` and one with snnTorch's neurons
# {cite:p}`eshraghian2023snntorch`; a dozen lines train, prune and measure either.

# %% tags=["parameters", "hide-input"]
profile = "laptop"  # smoke, laptop or paper
seeds = ""  # such as 0-4 or 0,2; empty: those of the profile
results = ""  # folder of the records; empty: that of the profile
jobs = 2  # trials at a time
options = ""  # settings of the study, as pairs of key and value

# %% tags=["hide-input"]
import logging
import warnings

import pandas as pd
import torch
from torch import nn

from snnbook.report import tables
from snnbook.report.page import Page

page = Page("methods/your_network", globals())

EPOCHS, SAMPLES = (1, 60) if profile == "smoke" else (8, 300)
logging.getLogger("torch._library.triton").setLevel(logging.ERROR)  # it misses Triton, which a CPU does not need

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
from snnbook import datasets, measure, pruning
from snnbook.training import Recipe, outputs, to_network, train


def prune(network, data, T, method, **settings):
    """Train with a pruning method; the finished network, and what is left of it."""
    recipe = Recipe(epochs=EPOCHS, batch_size=20, lr=5e-3)
    pruner = pruning.create(method, **settings)
    done = train(network, data["train"], recipe, pruner, torch.Generator().manual_seed(0), T)
    x = to_network(data["test"].x[:100], T)
    accuracy = measure.accuracy(*outputs(done.model, data["test"], T))
    return done.model, accuracy, done.masks.alive, measure.connections(done.model, x.shape), measure.sops(done.model, x)


events = {split: datasets.load("digits-dvs", split, T=5) for split in ("train", "test")}
events["train"] = events["train"].head(SAMPLES)
torch.manual_seed(0)
network, accuracy, weights, connections, sops = prune(spikingjelly_network(), events, 5, "lamp", sparsity=0.8)
print(f"{weights} weights, {connections.alive:.0f} of {connections.total:.0f} connections, {sops.total:.0f} SOPs")

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
            _, accuracy, weights, connections, sops = prune(make(), data, T, method, **settings)
        if method == "dense":
            all_weights, all_connections = weights, connections.alive
        rows.append(
            {
                "Network": library,
                "Method": method,
                "Settings": ", ".join(f"{key}={value}" for key, value in settings.items()) or "–",
                "Accuracy, %": f"{accuracy:.1f}",
                "Weights left, %": f"{100 * weights / all_weights:.1f}",
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
from snnbook.errors import UserError
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
# - **Spikes**: a module of a type that is not known here and has no weights is taken for neurons. One with weights of
#   its own, such as a recurrent neuron, is refused by what counts operations, unless it is named:
#   `measure.sops(network, x, identity=(Recurrent,))`.
# - **Masks of neurons** (`unstructured`) are put on any neurons, as a buffer that comes with the network.
# - **Time**: the decision step of `stp` needs sequences; on images `temporal=False` leaves its other half.
# - **State**: before every forward pass the loop calls the `reset` (SpikingJelly), `reset_mem` (snnTorch) or
#   `reset_states` (sinabs) of every module that has one. A network whose state has another name resets it itself.
#
# ## Your data
#
# Any data set in the manner of PyTorch will do: events `[T, C, H, W]` or images `[C, H, W]` with their labels.

# %%
own = torch.utils.data.TensorDataset(torch.rand(40, 5, 2, 16, 16), torch.randint(10, (40,)))
pruner = pruning.create("magnitude", sparsity=0.9)
done = train(spikingjelly_network(), own, Recipe(epochs=1, augment=False), pruner, torch.Generator(), T=5)
print(f"{done.masks.alive} of {done.masks.total} weights are left")

# %% tags=["remove-input"]
page.box()
