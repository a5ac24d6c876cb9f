"""What holds for a network of any library: the same counts each time and at every batch size; it can be pruned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from measure_by_hand import Fold
from torch import nn

from snnbook import measure
from snnbook.neurons import LIF
from snnbook.pruning import create, prunable
from snnbook.training import Recipe, outputs, train

T, N = 4, 9
EVENTS = (torch.rand(T, N, 2, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.3).float()
LABELS = torch.arange(N) % 3


def currents(*shape, scale=2.0):
    """Random inputs of neurons, float64 of the given shape, that no threshold meets exactly."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * scale


def recording(n, seed=0):
    """`n` random events of a sensor of 5 x 6 pixels, in order of time."""
    rng = np.random.default_rng(seed)
    events = np.empty(n, [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "i1")])
    events["x"], events["y"], events["p"] = rng.integers(0, 6, n), rng.integers(0, 5, n), rng.integers(0, 2, n)
    events["t"] = np.sort(rng.integers(0, 10**6, n))
    return events


def ours(x, **constants):
    """The spikes of our neurons, and the gradient by the input of a weighted sum of them."""
    return run(LIF(**constants), x)


def run(neurons, x):
    """The spikes of any neurons `[T, N, *]`, and the gradient by the input of a weighted sum of them."""
    x = x.clone().requires_grad_()
    spikes = neurons(x)
    weights = torch.linspace(-1, 1, spikes.numel(), dtype=spikes.dtype).view_as(spikes)
    return spikes.detach(), torch.autograd.grad((spikes * weights).sum(), x)[0]


class Steps(nn.Module):
    """A loop over time around layers that take one step, `[N, *]`."""

    def __init__(self, *layers):
        super().__init__()
        self.step = nn.Sequential(*layers)

    def forward(self, x):
        return torch.stack([self.step(frame) for frame in x])


class BatchFirst(nn.Module):
    """Neurons of libraries whose inputs are `[N, T, *]`, and that may return their state beside the spikes."""

    def __init__(self, neurons):
        super().__init__()
        self.neurons = neurons

    def forward(self, x):
        out = self.neurons(x.transpose(0, 1))
        return (out[0] if isinstance(out, tuple) else out).transpose(0, 1)


class Spikes(nn.Module):
    """Neurons that return their state beside the spikes."""

    def __init__(self, neurons):
        super().__init__()
        self.neurons = neurons

    def forward(self, x):
        return self.neurons(x)[0]


def convolutional(neurons):
    """Two convolutions and a linear layer, a pair of neurons `[T, N, *]` made by `neurons` between them."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(Fold(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)), neurons((4, 6, 6))),
        *(Fold(nn.Conv2d(4, 4, 3), nn.MaxPool2d(2)), neurons((4, 2, 2)), Fold(nn.Flatten(), nn.Linear(16, 3))),
    )


def measured(model, kinds, x=EVENTS):
    """The counts of a network, which must be the same twice and at every batch size; returned are its SOPs."""
    model.eval()
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, nn.Conv2d | nn.Linear):
                m.weight.mul_(4)  # so that neurons fire
    rates, connections = measure.firing_rates(model, x, 1, neurons=kinds), measure.connections(model, x.shape)
    sops = measure.sops(model, x, 1)
    assert sops.total > 0
    assert max(rates.values()) > 0
    for size in (7, 64, 64):
        assert measure.firing_rates(model, x, size, neurons=kinds) == pytest.approx(rates)
        again = measure.sops(model, x, size)
        assert again.per_layer == pytest.approx(sops.per_layer)
        assert (again.macs, again.encoding_layer) == (sops.macs, sops.encoding_layer)
        assert again.encoding_sops == pytest.approx(sops.encoding_sops)
    assert measure.connections(model, x.shape) == connections
    return sops


def pruned(model, x=EVENTS, sparsity=0.75):
    """The network after a few steps with the method `magnitude`: as many zeros as asked for, accuracy as outputs."""
    data = torch.utils.data.TensorDataset(x.transpose(0, 1), LABELS)
    recipe = Recipe(epochs=2, batch_size=5, augment=False)
    context = train(model, data, recipe, create("magnitude", sparsity=sparsity), torch.Generator(), len(x))
    weights = prunable(model)
    total = sum(w.numel() for w in weights.values())
    assert sum(int((w == 0).sum()) for w in weights.values()) == total - round((1 - sparsity) * total)
    logits = [outputs(model, data, len(x), size)[0] for size in (1, 7, 64)]
    for other in logits[1:]:
        torch.testing.assert_close(other, logits[0], rtol=1e-4, atol=1e-5)
    return context.model
