"""Joules: what the sources print, a layer worked by hand, and what every model must obey."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from snnbook import joules, measure, networks
from snnbook.errors import UserError
from snnbook.joules import LayerCounts
from snnbook.networks.convnet import Fold
from snnbook.neurons import LIF
from snnbook.report import papers
from snnbook.report.record_energy import printed_case

PRINTED = papers.energies()
SPIKES_IN = 3


@pytest.mark.parametrize("row", PRINTED.to_dict("records"), ids=lambda row: f"{row['model']}: {row['case']}")
def test_what_the_source_prints(row):
    ours = row["layers"] * joules.charged([printed_case(row)], row["model"]).total
    assert f"{ours:.{row['digits'] - 1}e}" == f"{row['printed_J']:.{row['digits'] - 1}e}"


def test_every_model_is_checked_but_for_the_line_of_its_memory():
    assert set(joules.MODELS) - set(PRINTED["model"]) == {"lemaire"}
    three = {8: 10, 32: 20, 1024: 100}  # KiB → pJ, Horowitz 2014
    assert [joules.sram_lines(8192 * size) for size in three] == list(three.values())
    assert all(abs(joules.sram(8192 * size) - pj) < 5 for size, pj in three.items())
    assert joules.sram_lines(1e12) == 100
    assert joules.sram_lines(0) == 0


def five_by_five():
    """The layer of paper B Fig. 1, 5 x 5 neurons behind 5 x 5, and three input spikes: corner, edge, middle."""
    net = nn.Sequential(Fold(nn.Conv2d(1, 1, 3, padding=1, bias=False)), LIF(v_threshold=100.0))
    net[0][0].weight.data.fill_(0.1)
    x = torch.zeros(2, 1, 1, 5, 5)
    x[0, 0, 0, 0, 0] = x[0, 0, 0, 0, 2] = x[1, 0, 0, 2, 2] = 1
    return net, x


def test_a_layer_by_hand():
    net, x = five_by_five()
    (layer,) = measure.counts(net, x)
    crossings = 4 + 6 + 9
    assert layer == LayerCounts(
        "0.0", "conv", crossings, 0.0, SPIKES_IN, 0.0, 25, 50, True, 2, 9, 0, (1, 1), kernel=9, positions=25
    )  # fmt: skip
    assert measure.energy([layer], "horowitz").total == pytest.approx(19 * 0.9e-12)
    assert measure.energy([layer], "loihi").parts == pytest.approx({"synapses": 19 * 27.1e-12, "neurons": 50 * 81e-12})
    weights, potentials, queue = (1.09e-5 * 32 * n + 13.2 for n in (9, 25, 1000))
    by_hand = {
        "synapses": 19 * 0.1,
        "neurons": 50 * (0.1 + 3.2),
        "addresses": 19 * 0.1 + 2 * 3 * 3.2,
        "weights in memory": 19 * weights,
        "potentials in memory": 2 * (19 + 50) * potentials,
        "spikes in queues": 3 * queue,
    }
    parts = measure.energy([layer], "lemaire").parts
    assert parts == pytest.approx({name: pj * 1e-12 for name, pj in by_hand.items()})
    cycle = 8 * (9 * 1.76423 + 8 * (2.03084 + 0.094245)) + 128 * 1.15e-6 + 1.274 * 4 + 397 + 4.64 + 1.6 + 157.12
    assert measure.energy([layer], "spikesim").total == pytest.approx(2 * 25 * cycle * 1e-12)


def test_values_that_are_no_spikes_are_multiplied():
    net, x = five_by_five()
    (layer,) = measure.counts(net, 2 * x)
    assert (layer.accumulates, layer.multiplies) == (0, 19)
    assert measure.energy([layer]).total == pytest.approx(19 * 4.6e-12)
    spikes = measure.energy(measure.counts(net, x), "lemaire").total
    assert measure.energy([layer], "lemaire").total - spikes == pytest.approx(19 * 3.1e-12)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = networks.build(
        "cifarnet", 4, 1, 8, width=1.0, T=3, convolutions=(6, "M", 8), hidden=(10,), vote=2, v_threshold=0.3
    )
    for w in net.parameters():
        if w.dim() > 1:
            w.data = w.abs()
    x = torch.rand(4, 1, 8, 8)
    return net.eval(), x, measure.sops(net, x)


@pytest.mark.parametrize("model", joules.MODELS)
def test_layers_and_parts_add_up(network, model):
    net, x, operations = network
    counted = measure.counts(net, x, operations)
    assert [layer.name for layer in counted] == list(operations.macs)
    whole = measure.energy(counted, model, known_only=True)
    assert whole.total > 0
    assert whole.total == pytest.approx(sum(sum(parts.values()) for parts in whole.per_layer.values()))
    alone = [measure.energy([layer], model, known_only=True).total for layer in counted]
    assert whole.total == pytest.approx(sum(alone))


def test_sops_alone_are_enough_for_operations(network):
    net, x, operations = network
    assert measure.energy(operations) == measure.energy(measure.counts(net, x, operations))
    with pytest.raises(UserError, match=r"'loihi' needs more than SOPs: hand in measure\.counts"):
        measure.energy(operations, "loihi")


@pytest.mark.parametrize("model", joules.MODELS)
def test_no_model_charges_more_for_less(model):
    """Input spikes stay the same; weights, then neurons of the layer go."""
    net, x = five_by_five()
    spent = [measure.energy(measure.counts(net, x), model).total]
    for i, j in ((0, 0), (1, 1), (2, 1)):
        net[0][0].weight.data[0, 0, i, j] = 0
        spent.append(measure.energy(measure.counts(net, x), model).total)
    mask = torch.ones(1, 5, 5, dtype=torch.bool)
    for place in ((0, 1, 1), (0, 2, 2)):
        mask[place] = False
        net[1].mask = mask.clone()
        spent.append(measure.energy(measure.counts(net, x), model).total)
    assert spent == sorted(spent, reverse=True)
    saves = spent[-1] < spent[0]
    assert saves == (model != "spikesim")


def test_crossbars_charge_blocks_of_channels():
    layer = LayerCounts("l", "conv", 0, 0, channels=(64, 64), kernel=9, positions=4, steps=2)
    one = measure.energy([layer], "spikesim").total
    for channels, blocks in (((1, 1), 1), ((65, 64), 2), ((65, 129), 6)):
        wider = dataclasses.replace(layer, channels=channels)
        assert measure.energy([wider], "spikesim").total == pytest.approx(blocks * one)


def test_channels_without_a_weight_are_not_counted(network):
    net, x, _ = network
    convolution = next(m for m in net.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 6)
    kept = convolution.weight.data.clone()
    try:
        convolution.weight.data[:3] = 0
        convolution.weight.data[:, 0] = 0
        layer = measure.counts(net, x)[1]
    finally:
        convolution.weight.data = kept
    assert layer.channels == (5, 5)
    assert layer.weights == int((kept[3:, 1:] != 0).sum())


def test_neurons_behind_two_layers_are_charged_once():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.neuron = Fold(nn.Linear(4, 3)), Fold(nn.Linear(4, 3)), LIF()

        def forward(self, x):
            return self.neuron(self.a(x) + self.b(x))

    first, second = measure.counts(Two(), torch.ones(5, 1, 4))
    assert (first.updates, second.updates, second.spikes_out) == (15, 0, 0)
    assert first.potentials == second.potentials == 3


@pytest.mark.parametrize(
    ("layer", "model", "kind"),
    [
        (nn.Linear(4, 4), "spikesim", "linear"),
        (nn.Conv2d(4, 4, 1, groups=2), "lemaire", "grouped Conv2d"),
        (nn.ConvTranspose2d(4, 4, 1), "lemaire", "ConvTranspose2d"),
        (nn.Conv3d(4, 4, 1), "lemaire", "Conv3d"),
    ],
    ids=lambda v: str(v)[:12],
)
def test_a_layer_that_the_model_does_not_know_is_named(layer, model, kind):
    net = nn.Sequential(Fold(layer), LIF())
    axes = layer.weight.dim() - 1 if not isinstance(layer, nn.Linear) else 1
    counted = measure.counts(net, torch.ones(2, 1, 4, *[2] * (axes - 1)))
    with pytest.raises(UserError, match=rf"{model}' does not know layer '0\.0' \({kind}\)"):
        measure.energy(counted, model)
    left = measure.energy(counted, model, known_only=True)
    assert (left.total, left.left_out) == (0, ("0.0",))
    assert measure.energy(counted, "horowitz").total > 0


@pytest.mark.parametrize("model", joules.MODELS)
def test_gates_are_known_to_no_model(model):
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.neuron = Fold(nn.Linear(4, 4)), LIF()
            self.layer[0].weight.data.fill_(1.0)

        def forward(self, x):
            return self.neuron(self.layer(x)) * x

    with pytest.raises(UserError, match=f"{model}' does not know layer .* \\(products of single values\\)"):
        measure.energy(measure.counts(Gated(), torch.full((2, 1, 4), 9.0))[-1:], model)


def test_an_unknown_model():
    with pytest.raises(UserError, match="unknown energy model 'lemair'; did you mean lemaire"):
        measure.energy([], "lemair")
