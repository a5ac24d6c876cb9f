"""Connections are live pairs of neurons, counted by loops; weights are numbers that are not zero."""

from __future__ import annotations

import math

import pytest
import torch
from measure_by_hand import Fold, crossings, prune_
from torch import nn

from snnbook.errors import UserError
from snnbook.measure import MAGNITUDES, connections, magnitudes, sops, weights
from snnbook.neurons import LIF


@pytest.fixture
def figure_1() -> nn.Sequential:
    """Paper B Fig. 1: 25 neurons, one 3x3 filter with padding, 25 neurons."""
    return nn.Sequential(LIF(), Fold(prune_(nn.Conv2d(1, 1, 3, padding=1), 0)), LIF())


@pytest.mark.parametrize(("place", "lost"), [((2, 2), 9), ((0, 2), 6), ((4, 4), 4)])
@pytest.mark.parametrize("side", [0, 2])
def test_a_masked_neuron_loses_its_connections(figure_1, place, lost, side):
    mask = torch.ones(1, 5, 5, dtype=torch.bool)
    mask[0, place[0], place[1]] = False
    figure_1[side].mask = mask
    counted = connections(figure_1, (1, 5, 5))
    assert (counted.alive, counted.total) == (169 - lost, 169)
    assert (counted.neurons_alive, counted.neurons_total) == (49, 50)


@pytest.mark.parametrize(("place", "lost"), [((1, 1), 25), ((0, 1), 20), ((1, 2), 20), ((0, 0), 16)])
def test_a_zero_weight_loses_its_connections(figure_1, place, lost):
    with torch.no_grad():
        figure_1[1][0].weight[0, 0, place[0], place[1]] = 0
    assert connections(figure_1, (1, 5, 5)).alive == 169 - lost


def test_cifarnet_has_the_connections_that_paper_b_counts():
    """On 32 x 32 pixels, 256C3 256C3 256C3 MP2 256C3 256C3 256C3 MP2: 1.6 G connections, borders exact."""
    stack: list[nn.Module] = []
    for channels, pooled in [(3, False), (256, False), (256, True), (256, False), (256, False), (256, True)]:
        stack += [nn.Conv2d(channels, 256, 3, padding=1, bias=False), nn.MaxPool2d(2 if pooled else 1)]
    linear = 64 * 256 * 2048 + 2048 * 100  # counted by their sizes: their weights would only cost time here
    assert connections(nn.Sequential(*stack), (3, 32, 32)).total + linear == 1_614_720_000


def test_liveness_matches_loops(network):
    live = torch.ones(2, 8, 9)
    counted = connections(network, (2, 8, 9))
    for name, behind in {"0.0": 1, "2.0": 3, "5.0": 6, "9.0": 10, "11.0": None}.items():
        layer = network.get_submodule(name)
        post = None if behind is None else network[behind].mask
        assert counted.per_layer[name][0] == pytest.approx(crossings(layer, live, post), rel=1e-12)
        if behind is not None:
            reached = torch.zeros_like(post, dtype=torch.float32)
            for place in post.nonzero():
                alone = torch.zeros_like(post)
                alone[tuple(place)] = True
                reached[tuple(place)] = crossings(layer, live, alone) > 0
            live = reached
        if name == "2.0":
            live = nn.functional.max_pool2d(live[None], 2)[0]
        if name == "5.0":
            live = nn.functional.avg_pool2d(live[None], 2, 1)[0].flatten()
    assert list(counted.per_layer) == ["0.0", "2.0", "5.0", "9.0", "11.0"]
    assert counted.alive == sum(a for a, _ in counted.per_layer.values()) < counted.total


def test_neurons_that_nothing_reaches_are_dead():
    net = nn.Sequential(Fold(nn.Linear(2, 3)), LIF(), Fold(nn.Linear(3, 4)), LIF(), Fold(nn.Linear(4, 5)))
    for layer in (net[0][0], net[2][0], net[4][0]):
        prune_(layer, 0)
    with torch.no_grad():
        net[0][0].weight[1] = 0  # neuron 1 loses all inputs, and with it its 4 outgoing connections
        net[2][0].weight[3, 0] = net[2][0].weight[3, 2] = 0  # neuron 3 hangs on neuron 1 alone
    assert connections(net, (2,)).per_layer == {"0.0": (4, 6), "2.0": (6, 12), "4.0": (15, 20)}


def test_addition_counts_both_branches():
    class Add(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (prune_(nn.Linear(3, 3), 0) for _ in range(3))
            self.one, self.two = LIF(), LIF()

        def forward(self, x):
            s = self.one(self.a(x))
            return self.c(s + self.two(self.b(s)))

    assert connections(Add(), (3,)).per_layer == {"a": (9, 9), "b": (9, 9), "c": (18, 18)}


@pytest.mark.parametrize("shape", [(2, 8, 9), (4, 3, 2, 8, 9)])
def test_one_sample_and_a_full_input_count_the_same(network, shape):
    assert connections(network, shape) == connections(network, (1, 1, 2, 8, 9))


def test_shapes_of_flat_and_static_input():
    flat = nn.Sequential(Fold(nn.Linear(4, 3)), LIF())
    assert connections(flat, (4,)) == connections(flat, (5, 7, 4))
    assert connections(nn.Linear(4, 3), (9, 4)).total == 12
    assert connections(nn.Conv2d(1, 1, 3), (2, 1, 5, 5)).total == connections(nn.Conv2d(1, 1, 3), (1, 5, 5)).total


@pytest.mark.supports(
    "Synapses", "a module that `identity=(...)` names as neurons", "counted as neurons, whatever it multiplies"
)
def test_unknown_modules():
    class Strange(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(size, size))

        def forward(self, x):
            return x @ self.weight

    net = nn.Sequential(nn.Linear(3, 3), Strange(3), nn.Linear(3, 2))
    assert connections(net, (3,)).per_layer == {"0": (9, 9), "1": (9, 9), "2": (6, 6)}
    assert connections(net, (3,), identity=(Strange,)).total == 15


@pytest.mark.supports(
    "Shapes",
    "a shape that the network does not take",
    "refused",
    says="the network does not take a sample of shape (5, 8, 9); tried",
)
def test_errors_name_the_shapes_that_were_tried(network):
    with pytest.raises(UserError, match="does not take a sample of shape"):
        connections(network, (5, 8, 9))
    with pytest.raises(UserError, match="1 to 6 axes"):
        connections(network, ())
    with pytest.raises(UserError, match="nothing is multiplied"):
        connections(nn.Sequential(LIF()), (3,))


def test_connections_times_steps_bound_the_sops(network, events):
    counted, live = sops(network, (events > 0).float()), connections(network, (2, 8, 9))
    for name, value in counted.per_layer.items():
        assert value <= 4 * live.per_layer[name][0] + 1e-9


def test_weights_and_parameters():
    net = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, -2, 0, 0, 0, 0, 0, 3]).view(2, 1, 2, 2))
        net[3].weight.copy_(torch.tensor([[4.0, 0], [0, 0], [0, -5]]))
    counted = weights(net, k=2)
    assert counted.per_layer == {"0": (3, 8), "3": (2, 6)}
    assert (counted.alive, counted.total) == (5, 14)
    assert (counted.parameters_alive, counted.parameters_total) == (5 + 2 + 4, 14 + 2 + 4)
    assert counted.sparsity == pytest.approx(100 * 9 / 14)
    assert counted.sparsity_parameters == pytest.approx(45)
    assert (counted.mean_abs, counted.median_abs, counted.top_abs_mean) == (3, 3, 4.5)
    assert weights(net, k=100).top_abs_mean == 3
    assert weights(net).top_abs_mean is None
    with pytest.raises(UserError, match="at least 1"):
        weights(net, k=0)


def test_weights_of_a_network_without_any_left():
    net = nn.Linear(2, 2, bias=False)
    nn.init.zeros_(net.weight)
    counted = weights(net, k=1)
    assert counted.sparsity == 100
    assert all(map(math.isnan, (counted.mean_abs, counted.median_abs, counted.top_abs_mean)))


def test_magnitudes_counts_every_live_weight_once():
    net = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 2))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.0, 1e-9, -0.5], [0.5, 100.0, 0.0]]))
        net[1].weight.copy_(torch.tensor([[2e-6, 10.0], [-0.55, 0.0]]))
    counts = magnitudes(net)
    assert len(counts) == len(MAGNITUDES) - 1
    # 1e-9 lies below the scale, 10 and 100 at its end and beyond. A tenfold is 20 bins: log10(2) * 20 = 6.02,
    # log10(0.5 / 1e-6) * 20 = 113.98 and log10(0.55 / 1e-6) * 20 = 114.8, each one more behind the first bin.
    assert {i: n for i, n in enumerate(counts.tolist()) if n} == {0: 1, 7: 1, 114: 2, 115: 1, 141: 2}
    with pytest.raises(UserError, match="no convolution"):
        magnitudes(nn.ReLU())
