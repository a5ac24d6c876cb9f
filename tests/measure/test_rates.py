"""Firing rates are spikes behind the mask, per neuron and step."""

from __future__ import annotations

import pytest
import torch
from measure_by_hand import Fold, PlainNeuron
from torch import nn

from snnbook.measure import firing_rates
from snnbook.neurons import LIF


def test_constant_drive_has_a_closed_form():
    """Input 1.2 and tau 2: potentials 0.6, 0.9, 1.05, then reset; one spike every three steps."""
    net = nn.Sequential(nn.Identity(), LIF())
    x = torch.full((6, 2, 4), 1.2)
    assert firing_rates(net, x) == {"1": pytest.approx(1 / 3)}
    net[1].mask = torch.tensor([True, False, True, True])
    assert firing_rates(net, x) == {"1": pytest.approx(1 / 4)}


def test_batches_weigh_by_their_size(network, events):
    whole = firing_rates(network, events, batch_size=None)
    assert list(whole) == ["1", "3", "6", "10"]
    assert firing_rates(network, events, batch_size=2) == pytest.approx(whole, rel=1e-12)
    with torch.no_grad():
        s = network.eval()[1](network[0](events))
    assert whole["1"] == pytest.approx(s.double().mean().item())


def test_other_neurons_by_class():
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = PlainNeuron()

        def forward(self, x):
            return torch.stack([self.cell(x_t) for x_t in x])

    x = torch.rand(5, 3, 4) * 4
    own = firing_rates(Loop(), x, neurons=(PlainNeuron,))["cell"]
    assert own == firing_rates(nn.Sequential(LIF()), x)["0"] > 0


def test_the_network_is_left_as_it_was(network, events):
    network.train()
    firing_rates(network, events)
    assert all(m.training and not m._forward_hooks for m in network.modules())
    assert isinstance(network[0], Fold)
