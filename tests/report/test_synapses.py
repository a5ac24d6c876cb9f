"""The synapses of paper B's Fig. 1, held against the counter that measures networks and against formulas."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snnbook import measure
from snnbook.networks.base import Fold
from snnbook.neurons import LIF
from snnbook.report import synapses
from snnbook.report.synapses import Removal

INSIDE = [2, 3, 3, 3, 2]  # taps of the kernel that lie on the map, by place along an axis
USES = [4, 5, 4]  # places at which a tap lies on the map, by tap


def counted(removal):
    net = nn.Sequential(Fold(nn.Conv2d(1, 1, 1)), LIF(), Fold(nn.Conv2d(1, 1, 3, padding=1)), LIF())
    for lif, places in ((net[1], removal.pre), (net[3], removal.post)):
        lif.mask = torch.ones(1, 5, 5, dtype=torch.bool)
        for place in places:
            lif.mask[0][place] = False
    for place in removal.weights:
        net[2][0].weight.data[0, 0][place] = 0
    return measure.connections(net, (1, 5, 5)).per_layer["2.0"][0]


@pytest.mark.parametrize("place", [(0, 0), (0, 2), (4, 3), (2, 2)])
def test_a_neuron_has_as_many_synapses_as_taps_fit_inside(place):
    own = INSIDE[place[0]] * INSIDE[place[1]]
    for removal in (Removal("before", pre=(place,)), Removal("behind", post=(place,))):
        assert removal.alive().sum() == counted(removal) == 169 - own


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 1), (1, 1)])
def test_a_weight_has_a_synapse_wherever_it_is_not_on_the_padding(place):
    removal = Removal("weight", weights=(place,))
    assert removal.alive().sum() == counted(removal) == 169 - USES[place[0]] * USES[place[1]]


def test_the_panels_of_the_figure():
    every = (synapses.DENSE, *synapses.ONE_NEURON, *synapses.ONE_WEIGHT, *synapses.SEVERAL)
    left = [int(removal.alive().sum()) for removal in every]
    assert left == [169, 160, 160, 163, 163, 165, 165, 144, 149, 153, 136, 136, 152, 128]
    assert left == [counted(removal) for removal in every]
    assert len({removal.name for removal in every}) == len(every)


def test_what_goes_together_is_what_goes_one_by_one():
    pre, weights, post = ((1, 3), (4, 4)), ((0, 1),), ((0, 0), (2, 3))
    together = Removal("all", pre, weights, post).alive()
    apart = Removal("before", pre).alive() & Removal("w", (), weights).alive() & Removal("b", (), (), post).alive()
    assert (together == apart).all()
    assert together.sum() == counted(Removal("all", pre, weights, post))
