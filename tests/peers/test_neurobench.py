"""NeuroBench 2.3: effective and dense synaptic operations, connection sparsity, on one network."""

from __future__ import annotations

import pytest
import torch
from alike import EVENTS, N, Spikes, Steps, T, measured
from torch import nn

from snnbook import measure

pytest.importorskip("neurobench", reason="NeuroBench is not installed; `make bench` makes an environment with it")
snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")
from neurobench.metrics.static import ConnectionSparsity
from neurobench.metrics.workload import SynapticOperations
from neurobench.models import SNNTorchModel


def _layers(bias=False, pool=nn.MaxPool2d):
    torch.manual_seed(0)
    return [
        *(nn.Conv2d(2, 4, 3, padding=1, bias=bias), snn.Leaky(beta=0.5, init_hidden=True), pool(2)),
        *(nn.Conv2d(4, 4, 3, bias=bias), snn.Leaky(beta=0.5, init_hidden=True), nn.Flatten()),
        *(nn.Linear(16, 3, bias=bias), snn.Leaky(beta=0.5, init_hidden=True, output=True)),
    ]


def _counted(layers):
    """Their operations per sample: with the first layer, as accumulations (ACs) if its inputs are only 0 and 1."""
    model, metric = SNNTorchModel(nn.Sequential(*layers)), SynapticOperations()
    model.register_hooks()
    with torch.no_grad():
        predictions = model(EVENTS.transpose(0, 1))
    counts = metric(model, predictions, (EVENTS.transpose(0, 1), torch.zeros(N)))
    model.cleanup_hooks()
    return counts


def _ours(layers):
    return measured(Steps(*layers[:-1], Spikes(layers[-1])), (snn.SpikingNeuron,))


@pytest.mark.differs("operations of a bias", ours="none", theirs={"NeuroBench": "none"})
@pytest.mark.differs(
    "operations of the first layer",
    ours="counted apart, in encoding_macs and encoding_sops",
    theirs={"NeuroBench": "in the sum"},
)
@pytest.mark.parametrize("bias", [False, True])
def test_effective_operations(bias):
    # A bias is no synaptic operation, neither here nor there.
    layers = _layers(bias)
    sops = _ours(layers)
    counts = _counted(layers)
    assert counts["Effective_ACs"] == pytest.approx(sops.total + sops.encoding_sops)
    assert counts["Effective_MACs"] == 0


@pytest.mark.differs("synaptic operations of pruned synapses", ours="none", theirs={"NeuroBench": "none"})
def test_effective_operations_of_a_pruned_network():
    layers = _layers()
    with torch.no_grad():
        layers[3].weight[1:] = 0
        layers[6].weight[:, ::2] = 0
    sops = _ours(layers)
    assert _counted(layers)["Effective_ACs"] == pytest.approx(sops.total + sops.encoding_sops)


@pytest.mark.differs(
    "synapses of an input at the border", ours="those inside the map", theirs={"NeuroBench": "those inside the map"}
)
def test_dense_operations():
    # All inputs and weights as ones: MACs of the dense network in all steps, borders left out as ours leave them out.
    layers = _layers()
    assert _counted(layers)["Dense"] == pytest.approx(sum(_ours(layers).macs.values()))


@pytest.mark.differs(
    "operations behind an average pooling",
    ours="the average itself, and one product in `multiplies`",
    theirs={"NeuroBench": "one MAC for each value that is not zero"},
)
def test_averages_are_multiplications_of_theirs_and_fractions_of_ours():
    layers = _layers(pool=nn.AvgPool2d)
    sops, counts = _ours(layers), _counted(layers)
    second = layers[3].weight.new_tensor(sops.per_layer["step.3"])
    assert counts["Effective_ACs"] == pytest.approx(sops.total + sops.encoding_sops - float(second))
    assert counts["Effective_MACs"] > float(second)  # an input that is not zero counts as one


@pytest.mark.differs(
    "connection sparsity",
    ours="share of dead connections, every use of a weight",
    theirs={"NeuroBench": "share of zero weights, every weight once"},
)
def test_connection_sparsity():
    # Theirs is the share of zero weights, as our `weights` has it; `connections` weighs it with the size of the map.
    layers = _layers()
    with torch.no_grad():
        layers[3].weight[1:] = 0
        layers[6].weight[:, ::2] = 0
    model = nn.Sequential(*layers)
    theirs = ConnectionSparsity()(SNNTorchModel(model))
    assert measure.weights(model).sparsity == pytest.approx(100 * theirs, abs=0.005)
    connections = measure.connections(Steps(*layers[:-1], Spikes(layers[-1])), EVENTS.shape)
    assert 1 - connections.alive / connections.total != pytest.approx(theirs, abs=0.01)
    assert T * connections.total == pytest.approx(_counted(layers)["Dense"])
