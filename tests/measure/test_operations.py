"""SOPs are what triple loops over spikes and live synapses count."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_by_hand import Fold, PlainNeuron, crossings, inputs_of, prune_
from torch import nn
from torch.nn.utils import parametrize, prune

from snnbook.errors import UserError
from snnbook.measure import connections, firing_rates, sops
from snnbook.neurons import LIF

LAYERS = {"0.0": 1, "2.0": 3, "5.0": 6, "9.0": 10, "11.0": None}  # layer → index of the neurons behind it


@pytest.mark.supports("Synapses", "layers of the package's networks", "counted as a loop over all synapses counts them")
def test_every_layer_matches_loops(network, events):
    counted = sops(network, events)
    entering = inputs_of(network, events)
    for name, behind in LAYERS.items():
        layer = network.get_submodule(name)
        post = None if behind is None else network[behind].mask
        by_row = torch.tensor([crossings(layer, x, post) for x in entering[layer]], dtype=torch.float64)
        expected = by_row.view(4, 3).sum(1) / 3
        if name == counted.encoding_layer:
            assert counted.encoding_sops == pytest.approx(float(expected.sum()), rel=1e-12)
            ones = torch.ones_like(entering[layer][0])
            assert counted.encoding_macs == 4 * crossings(layer, ones, post)
        else:
            torch.testing.assert_close(counted.per_step[name], expected, rtol=1e-12, atol=0)
            assert counted.per_layer[name] == pytest.approx(float(expected.sum()), rel=1e-12)
            assert expected.sum() > 0
    assert list(counted.per_layer) == list(LAYERS)[1:]
    assert counted.total == sum(counted.per_layer.values())


def test_counts_do_not_depend_on_the_batch_size(network, events):
    whole = sops(network, events, batch_size=None)
    for size in (1, 2):
        assert sops(network, events, batch_size=size).per_layer == pytest.approx(whole.per_layer, rel=1e-12)


def test_dense_counts_are_rate_times_fan_out():
    torch.manual_seed(0)
    net = nn.Sequential(Fold(nn.Linear(7, 20)), LIF(), Fold(prune_(nn.Linear(20, 5), 0)))
    x = torch.poisson(torch.full((6, 8, 7), 2.0))
    counted = sops(net, x)
    assert counted.total > 0
    assert counted.total == pytest.approx(firing_rates(net, x)["1"] * 20 * 6 * 5, rel=1e-12)
    assert counted.macs == {"0.0": 6 * 7 * 20, "2.0": 6 * 20 * 5}


@pytest.mark.supports(
    "MACs and ACs", "pixels of a static image in the first layer", "reported apart in `encoding_macs`; they are no SOPs"
)
def test_static_images_are_encoded_once():
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode = prune_(nn.Conv2d(1, 3, 3, padding=1), 0)
            self.rest = nn.Sequential(LIF(), nn.Flatten(2), Fold(nn.Linear(48, 4)))

        def forward(self, x):
            return self.rest(self.encode(x).expand(5, -1, -1, -1, -1))

    counted = sops(Net(), torch.rand(2, 1, 4, 4))
    assert counted.encoding_layer == "encode"
    assert counted.encoding_macs == 3 * 100  # 16 x 9 synapses less those that reach over the border
    assert counted.encoding_sops == 0
    assert counted.macs == {"encode": 300, "rest.2.0": 5 * 48 * 4}
    assert counted.per_step["rest.2.0"].shape == (5,)


def test_counts_are_exact_beyond_single_precision():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        for layer in net:
            layer.weight.fill_(1)
    x = torch.tensor([2.0**24, 1, 1, 1]).view(1, 4, 1)
    assert sops(net, x).total * 4 == 2**24 + 3


@pytest.mark.supports("Synapses", "a layer that runs several times", "counted in every run")
def test_a_layer_that_runs_twice_counts_twice():
    shared = prune_(nn.Linear(6, 6), 0.3)

    class Twice(nn.Module):
        def __init__(self, shared: nn.Module) -> None:
            super().__init__()
            self.first, self.shared, self.neurons = nn.Linear(6, 6), shared, LIF(v_threshold=0.2)

        def forward(self, x):
            return self.shared(self.neurons(self.shared(self.neurons(self.first(x)))))

    x = torch.rand(3, 4, 6) * 3
    net = Twice(shared)
    counted = sops(net, x)
    with torch.no_grad():
        a = net.neurons(net.first(x))
        b = net.neurons(shared(a))
    alive = (shared.weight != 0).double()
    expected = sum(float((s.double() @ alive.T).sum()) for s in (a, b)) / 4
    assert counted.total == pytest.approx(expected)
    assert counted.per_step["shared"].shape == (6,)


@pytest.mark.supports("Shapes", "a loop over time steps", "counted as all steps at once")
def test_a_readers_network_with_a_loop_over_time_counts_the_same():
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 4, 3, bias=False), prune_(nn.Linear(64, 5), 0.5)
    ours = nn.Sequential(Fold(first), LIF(), nn.Flatten(2), Fold(second))

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.neuron, self.second = first, PlainNeuron(), second

        def forward(self, x):
            return torch.stack([self.second(self.neuron(self.first(x_t)).flatten(1)) for x_t in x])

    x = torch.poisson(torch.full((3, 5, 2, 6, 6), 2.0))
    loop = Loop()
    loop.neuron.v = torch.ones(7)  # left behind by an earlier batch of another size
    a, b = sops(ours, x, batch_size=2), sops(loop, x, batch_size=2)
    assert a.total == b.total > 0
    assert a.encoding_macs == b.encoding_macs
    torch.testing.assert_close(a.per_step["3.0"], b.per_step["second"])
    assert connections(loop, (3, 1, 2, 6, 6)).alive == connections(ours, (2, 6, 6)).alive


def test_masks_of_torch_are_seen(network, events):
    expected = sops(network, events).per_layer
    first, second, conv = network[9][0], network[11][0], network[2][0]
    for layer in (first, conv):
        mask = (layer.weight != 0).float()
        with torch.no_grad():
            layer.weight.copy_(torch.where(mask > 0, layer.weight, 7.0))
        prune.custom_from_mask(layer, "weight", mask)

    class Masked(nn.Module):
        def __init__(self, mask: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("mask", mask)

        def forward(self, w):
            return w * self.mask

    parametrize.register_parametrization(second, "weight", Masked((second.weight != 0).float()))
    assert sops(network, events).per_layer == expected


class Shortcut(nn.Module):
    """A block whose shortcut runs first, so that order of execution alone would give it the wrong neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Fold(prune_(nn.Conv2d(1, 2, 1), 0), nn.BatchNorm2d(2))
        self.shortcut = Fold(prune_(nn.Conv2d(2, 3, 1), 0), nn.BatchNorm2d(3))
        self.one = Fold(prune_(nn.Conv2d(2, 3, 3, padding=1), 0.3), nn.BatchNorm2d(3))
        self.two = Fold(prune_(nn.Conv2d(3, 3, 3, padding=1), 0.3), nn.BatchNorm2d(3), nn.MaxPool2d(2))
        self.pool = Fold(nn.MaxPool2d(2))
        self.before, self.inside, self.behind = LIF(v_threshold=0.1), LIF(v_threshold=0.1), LIF()

    def forward(self, x):
        x = self.before(self.stem(x))
        y = self.pool(self.shortcut(x))
        y += self.two(self.inside(self.one(x)))
        return self.behind(y)


def test_masks_follow_the_data_through_shortcuts_and_pooling():
    torch.manual_seed(0)
    net = Shortcut()
    net.inside.mask = torch.rand(3, 4, 4) >= 0.4
    net.behind.mask = torch.rand(3, 2, 2) >= 0.4
    wide = net.behind.mask.repeat_interleave(2, 1).repeat_interleave(2, 2)
    x = torch.rand(2, 2, 1, 4, 4) * 4
    counted, entering = sops(net, x), inputs_of(net, x)
    live = connections(net, (1, 4, 4)).per_layer
    for name, post in {"shortcut.0": wide, "one.0": net.inside.mask, "two.0": wide}.items():
        layer = net.get_submodule(name)
        assert counted.per_layer[name] == sum(crossings(layer, s, post) for s in entering[layer]) / 2
        source = torch.ones(2, 4, 4) if name != "two.0" else net.inside.mask.float()
        assert live[name][0] == crossings(layer, source, post)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_sops_are_linear_in_the_weight_mask(seed, share):
    torch.manual_seed(seed)
    net = nn.Sequential(Fold(nn.Conv2d(1, 3, 3, padding=1)), LIF(v_threshold=0.2), Fold(nn.Conv2d(3, 2, 3, stride=2)))
    x = torch.rand(2, 3, 1, 5, 5) * 3
    dense = prune_(net[2][0], 0).weight.clone()
    whole = sops(net, x).total
    mask = torch.rand_like(dense) >= share
    parts = []
    for m in (mask, ~mask):
        with torch.no_grad():
            net[2][0].weight.copy_(dense * m)
        parts.append(sops(net, x).total)
    assert all(p <= whole for p in parts)
    assert sum(parts) == pytest.approx(whole, rel=1e-12)


def test_the_network_is_left_as_it_was(network, events):
    network.train()
    network[2].eval()
    network[1].keep_potential, network[1].potential = True, torch.ones(2)
    modes = [m.training for m in network.modules()]
    state = {k: v.clone() for k, v in network.state_dict().items()}
    sops(network, events)
    connections(network, (2, 8, 9))
    with pytest.raises(RuntimeError):
        sops(network, events[:, :, :1])
    assert [m.training for m in network.modules()] == modes
    assert all(torch.equal(v, state[k]) for k, v in network.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    assert network[1].keep_potential
    assert torch.equal(network[1].potential, torch.ones(2))
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.supports("Shapes", "an input without samples", "refused", says="input of shape (…) holds no sample")
@pytest.mark.supports(
    "Synapses",
    "a network that multiplies nothing",
    "refused",
    says="no convolution or linear layer ran: there are no synapses to count",
)
def test_errors_name_what_is_wrong(network, events):
    with pytest.raises(UserError, match="must be"):
        sops(network, events[0, 0, 0, 0])
    with pytest.raises(UserError, match="no sample"):
        sops(network, events[:, :0])
    with pytest.raises(UserError, match="no synapses"):
        sops(nn.Sequential(LIF()), torch.ones(2, 2, 3))


@pytest.mark.supports(
    "Shapes",
    "time folded into the batch, whichever of the two axes is the slower",
    "counted, every step apart in `per_step`",
)
def test_steps_are_told_apart_whichever_axis_is_folded_first():
    torch.manual_seed(0)
    first, second = nn.Linear(6, 8), prune_(nn.Linear(8, 5), 0.3)
    ours = nn.Sequential(first, LIF(v_threshold=0.3), second)

    class SamplesFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.neurons, self.second, self.mark = first, LIF(v_threshold=0.3), second, PlainNeuron()

        def forward(self, x):
            T, N = x.shape[:2]
            z = self.first(x.transpose(0, 1).reshape(N * T, -1))
            z = self.neurons(z.unflatten(0, (N, T)).transpose(0, 1))
            return self.second(z.transpose(0, 1).flatten(0, 1)).unflatten(0, (N, T)).transpose(0, 1)

    x = torch.rand(4, 7, 6) * 2
    for size in (1, 3, 64):
        torch.testing.assert_close(sops(SamplesFirst(), x, size).per_step["second"], sops(ours, x).per_step["2"])
