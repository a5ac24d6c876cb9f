"""Networks of SpikingJelly's and snnTorch's layers: every method prunes them, every measure takes them."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from snnbook import datasets, measure
from snnbook.errors import UserError
from snnbook.feeding import to_network
from snnbook.neurons import LIF
from snnbook.pruning import available, create, prunable, registry, settings
from snnbook.tracing import reset
from snnbook.training import Recipe, outputs, train

T = 3


def _spikingjelly():
    """Multi-step layers in a row."""
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    def lif():
        return neuron.LIFNode(surrogate_function=surrogate.ATan(), detach_reset=True)

    net = nn.Sequential(
        *(layer.Conv2d(2, 6, 3, 2, bias=False), layer.BatchNorm2d(6), lif()),
        *(layer.Conv2d(6, 8, 3, bias=False), layer.BatchNorm2d(8), lif(), layer.MaxPool2d(2)),
        *(layer.Flatten(), layer.Linear(8 * 4, 16), lif(), layer.Linear(16, 10)),
    )
    functional.set_step_mode(net, "m")
    return net


class _Steps(nn.Module):
    """A loop over steps around layers that keep their state themselves."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, x):
        return torch.stack([self.step(frame) for frame in x])


def _spikingjelly_steps():
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import neuron, surrogate

    def node(kind):
        return getattr(neuron, kind)(surrogate_function=surrogate.ATan(), detach_reset=True)

    return _Steps(
        nn.Sequential(
            *(nn.Conv2d(2, 6, 3, 2, bias=False), nn.BatchNorm2d(6), node("LIFNode")),
            *(nn.Conv2d(6, 8, 3, bias=False), nn.BatchNorm2d(8), node("ParametricLIFNode"), nn.AvgPool2d(2)),
            *(nn.Flatten(), nn.Linear(8 * 4, 16), node("IFNode"), nn.Linear(16, 10)),
        )
    )


def _snntorch_hidden():
    snn = pytest.importorskip("snntorch")
    return _Steps(
        nn.Sequential(
            *(nn.Conv2d(2, 6, 3, 2), nn.BatchNorm2d(6), snn.Leaky(beta=0.5, init_hidden=True)),
            *(nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), snn.Leaky(beta=0.5, init_hidden=True), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(8 * 4, 10)),
        )
    )


class _Handed(nn.Module):
    """Potentials are handed on from step to step."""

    def __init__(self, snn):
        super().__init__()
        self.conv1, self.norm1, self.fire1 = nn.Conv2d(2, 6, 3, 2), nn.BatchNorm2d(6), snn.Leaky(beta=0.5)
        self.conv2, self.norm2 = nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8)
        self.fire2 = snn.Synaptic(alpha=0.3, beta=0.5, reset_mechanism="zero")
        self.readout = nn.Linear(8 * 25, 10)

    def forward(self, x):
        v1, (i2, v2), logits = self.fire1.reset_mem(), self.fire2.reset_mem(), []
        for frame in x:
            spikes, v1 = self.fire1(self.norm1(self.conv1(frame)), v1)
            spikes, i2, v2 = self.fire2(self.norm2(self.conv2(spikes)), i2, v2)
            logits.append(self.readout(spikes.flatten(1)))
        return torch.stack(logits)


def _snntorch():
    return _Handed(pytest.importorskip("snntorch"))


NETWORKS = {
    "spikingjelly": _spikingjelly,
    "spikingjelly steps": _spikingjelly_steps,
    "snntorch": _snntorch,
    "snntorch hidden": _snntorch_hidden,
}


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits-dvs", "train", T=T).head(12)


def _few(name):
    """Settings with which a method works within a few steps; the rest are its defaults."""
    small = {"cuts": 2, "rewind": 1} | ({"strength": 1e-3} if name == "unstructured" else {})
    return {key: value for key, value in small.items() if settings(name).get(key)}


def _run(name, network, data):
    torch.manual_seed(0)
    model = network()
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.weight.fill_(2.0)  # so that the neurons fire
    recipe, method = Recipe(epochs=4, batch_size=6), create(name, **_few(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a network this small may be cut to its last weights
        return train(model, data, recipe, method, torch.Generator().manual_seed(1), T), model


ONE_BY_ONE = ("lamp", "unstructured", "criticality", "slamp", "sccd", "nslim")
CASES = [(name, network) for network in ("spikingjelly", "snntorch") for name in available()]
CASES += [(name, network) for network in ("spikingjelly steps", "snntorch hidden") for name in ONE_BY_ONE]


@pytest.mark.parametrize(("name", "network"), CASES)
def test_every_method_prunes_a_network_that_is_not_ours(name, network, data):
    context, model = _run(name, NETWORKS[network], data)
    finished, masks = context.model, context.masks
    assert 0 < masks.alive <= masks.total
    assert (masks.alive < masks.total) == (name != "dense")
    assert all((p[~masks[n]] == 0).all() and torch.isfinite(p).all() for n, p in prunable(model).items())
    x = to_network(data.x[:4], context.T)
    connections, sops = measure.connections(finished, x.shape), measure.sops(finished, x)
    assert 0 < connections.alive <= connections.total
    assert sops.total >= 0
    logits, labels = outputs(finished, data, context.T)
    assert logits.shape == (context.T, 12, 10)
    assert labels.shape == (12,)
    if finished is not model:  # channels are gone for good
        assert sum(p.numel() for p in prunable(finished).values()) == masks.alive
        theirs, _ = outputs(model, data, context.T)
        torch.testing.assert_close(logits, theirs, rtol=1e-4, atol=1e-4)


def _plain(old, new):
    def network():
        model = _spikingjelly()
        for i, m in enumerate(model):
            model[i] = new() if isinstance(m, old) else m
        return model

    return network


class _Closed(nn.Module):
    def forward(self, x):
        return (x >= 1).float() + 0.1 * x  # a slope, in place of a surrogate


@pytest.mark.supports(
    "Weights", "methods that need a batch norm or a potential, on a network without", "refused: the message names it"
)
@pytest.mark.parametrize("name", available())
def test_a_method_says_what_it_needs(name, data):
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import neuron

    cases = (
        ("batch norm", nn.BatchNorm2d, nn.Identity),
        ("potential", neuron.LIFNode, _Closed),
    )
    for words, old, new in cases:
        if any(need.startswith(words) for need in registry.METHODS[name].needs):
            with pytest.raises(UserError, match=words):
                _run(name, _plain(old, new), data)
        else:
            _run(name, _plain(old, new), data)


def test_a_copy_of_our_network_is_measured_alike(data):
    # The same weights in our neurons and in SpikingJelly's: the same spikes, so the same operations and connections.
    theirs = _spikingjelly()
    ours = nn.Sequential(
        *(_Fold(*theirs[:2]), LIF(), _Fold(*theirs[3:5]), LIF(), _Fold(theirs[6], theirs[7], theirs[8]), LIF()),
        _Fold(theirs[10]),
    )
    from spikingjelly.activation_based import functional

    x = to_network(data.x[:8], T)
    theirs.eval()
    with torch.no_grad():
        for m in theirs.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.weight.fill_(3.0)
            if isinstance(m, nn.Conv2d | nn.Linear):
                m.weight.mul_(torch.rand_like(m.weight) < 0.5)
    found = measure.sops(theirs, x), measure.connections(theirs, x.shape)
    functional.set_step_mode(theirs, "s")
    expected = measure.sops(ours, x), measure.connections(ours, x.shape)
    assert found[0].total == pytest.approx(expected[0].total, rel=1e-6)
    assert found[0].total > 0
    assert list(found[0].per_layer.values()) == pytest.approx(list(expected[0].per_layer.values()), rel=1e-6)
    assert (found[1].alive, found[1].total) == (expected[1].alive, expected[1].total)


class _Fold(nn.Sequential):
    def forward(self, x):
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


@pytest.mark.parametrize("network", NETWORKS)
def test_steps_are_counted_all(network, data):
    # By hand: what reaches the second layer, convolved with ones where its weights are not zero.
    torch.manual_seed(0)
    model = NETWORKS[network]().eval()
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.weight.fill_(3.0)
    second = [m for m in model.modules() if isinstance(m, nn.Conv2d)][1]
    second.weight.data[::2] = 0
    x, entered = to_network(data.x[:4], T), []
    with second.register_forward_hook(lambda m, args, out: entered.append(args[0].detach().flatten(0, -4))):
        reset(model)
        with torch.no_grad():
            model(x)
    ones = (second.weight != 0).float()
    expected = nn.functional.conv2d(torch.cat(entered), ones).sum() / 4
    name = next(n for n, m in model.named_modules() if m is second)
    assert expected > 0
    assert measure.sops(model, x).per_layer[name] == pytest.approx(float(expected))


@pytest.mark.supports(
    "Recordings",
    "any data set of PyTorch: events `[T, C, H, W]` or images `[C, H, W]`, with labels",
    "accepted in a training",
)
def test_a_plain_data_set_will_do(data):
    own = torch.utils.data.TensorDataset(data.x, data.y)
    recipe = Recipe(epochs=1, batch_size=10, augment=False)
    model = _spikingjelly()
    c = train(model, own, recipe, create("magnitude", sparsity=0.5), torch.Generator(), T)
    assert c.masks.alive == round(0.5 * c.masks.total)
    assert outputs(model, own, T)[0].shape == (T, 12, 10)
