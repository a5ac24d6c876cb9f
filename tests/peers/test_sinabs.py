"""sinabs 3.1: neurons with one or several spikes a step, resets, operation counts, networks."""

from __future__ import annotations

import math

import pytest
import torch
from alike import EVENTS, BatchFirst, convolutional, currents, measured, ours, pruned, run
from torch import nn

from snnbook import measure, sparse
from snnbook.errors import UserError

sinabs = pytest.importorskip("sinabs", reason="sinabs is not installed; `make bench` makes an environment with it")
from sinabs import activation, layers
from sinabs.hooks import register_synops_hooks

TAU = 4.0
TAU_MEM = -1 / math.log(1 - 1 / TAU)  # its leak is exp(-1 / tau)


def _neurons(spikes=activation.SingleSpike, reset=None, kind=layers.LIF, **settings):
    settings |= {"tau_mem": TAU_MEM} if kind is layers.LIF else {}
    neurons = kind(spike_fn=spikes, reset_fn=reset or activation.MembraneReset(), **settings).double()
    return BatchFirst(neurons.requires_grad_(False))


RESETS = {"zero": (activation.MembraneReset, 0.0), "subtract": (activation.MembraneSubtract, None)}


@pytest.mark.differs(
    "a soft reset",
    ours="subtracts at once, and what is left leaks",
    theirs={"sinabs": "subtracts at once, and what is left leaks"},
)
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("norm", [True, False])
def test_leaky_neurons(reset, norm):
    theirs, mine = RESETS[reset]
    x = currents(9, 2, 6, scale=4.0 if norm else 1.0)
    spikes = run(_neurons(reset=theirs(), norm_input=norm), x)[0]
    assert torch.equal(spikes, ours(x, tau=TAU, v_reset=mine, decay_input=norm)[0])
    assert 0 < spikes.mean() < 1


@pytest.mark.parametrize("reset", RESETS)
def test_neurons_without_leak(reset):
    theirs, mine = RESETS[reset]
    x = currents(9, 2, 6, scale=0.8)
    spikes = run(_neurons(reset=theirs(), kind=layers.IAF), x)[0]
    assert torch.equal(spikes, ours(x, tau=math.inf, v_reset=mine, decay_input=False)[0])


@pytest.mark.differs(
    "spikes of a neuron in one step",
    ours="one at most",
    theirs={"sinabs": "as many as the potential holds thresholds, by default"},
)
def test_several_spikes_in_one_step():
    # The default of sinabs: as many spikes as the potential holds thresholds, where ours and SingleSpike fire one.
    x = torch.full((1, 1, 1), 3.7, dtype=torch.float64)
    several = _neurons(activation.MultiSpike, activation.MembraneSubtract(), layers.IAF)
    assert several(x).item() == 3
    assert _neurons(kind=layers.IAF)(x).item() == 1
    assert ours(x, tau=1.0)[0].item() == 1


@pytest.mark.differs("a spike at exactly the threshold", ours="fires", theirs={"sinabs": "fires"})
def test_a_spike_at_exactly_the_threshold():
    at = torch.ones(1, 1, 1, dtype=torch.float64)
    assert _neurons(kind=layers.IAF)(at).item() == ours(at, tau=1.0)[0].item() == 1


def _squeezed(pool=nn.MaxPool2d):
    """A network of theirs on all steps of all samples at once, `[T * N, *]`."""
    torch.manual_seed(0)

    def iaf():
        return layers.IAFSqueeze(num_timesteps=len(EVENTS), spike_fn=activation.SingleSpike)

    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1, bias=False), iaf(), pool(2)),
        *(nn.Conv2d(4, 4, 3, bias=False), iaf(), nn.Flatten(), nn.Linear(16, 3, bias=False)),
    )


class _Folded(nn.Module):
    """Theirs takes samples as the slow axis and steps as the fast one."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.transpose(0, 1).flatten(0, 1)).unflatten(0, (x.shape[1], x.shape[0])).transpose(0, 1)


def _counted(net):
    """Their synaptic operations per sample, layer by layer: a mean over samples and steps, times the steps."""
    register_synops_hooks(net)
    for m in net.modules():
        if isinstance(m, layers.StatefulLayer):
            m.reset_states()
    with torch.no_grad():
        _Folded(net)(EVENTS)
    per_step = net.hook_data["synops_per_timestep"]
    return {f"net.{i}": float(v) * len(EVENTS) for i, v in per_step.items()}


def test_operations_of_a_dense_network():
    model = _Folded(_squeezed())
    sops = measured(model, (layers.IAFSqueeze,))
    theirs = _counted(model.net)
    assert theirs.pop("net.0") == pytest.approx(sops.encoding_sops)
    assert theirs == pytest.approx(sops.per_layer)


@pytest.mark.differs("synaptic operations of pruned synapses", ours="none", theirs={"sinabs": "counted"})
def test_operations_of_pruned_synapses_are_none_of_ours_and_all_of_theirs():
    model = _Folded(_squeezed())
    dense = measured(model, (layers.IAFSqueeze,)).per_layer
    model.net[6].weight.data[1:] = 0
    assert _counted(model.net)["net.6"] == pytest.approx(dense["net.6"])
    assert measure.sops(model, EVENTS).per_layer["net.6"] == pytest.approx(dense["net.6"] / 3)


@pytest.mark.differs(
    "operations behind an average pooling",
    ours="the average itself, and one product in `multiplies`",
    theirs={"sinabs": "one for each spike that goes in"},
)
def test_operations_behind_an_average_are_a_fraction_of_ours_and_one_for_each_spike_of_theirs():
    model = _Folded(_squeezed(nn.AvgPool2d))
    sops = measured(model, (layers.IAFSqueeze,)).per_layer
    assert _counted(model.net)["net.3"] == pytest.approx(4 * sops["net.3"])


NEURONS = {
    "LIF": lambda _: BatchFirst(layers.LIF(tau_mem=TAU_MEM)),
    "several spikes": lambda _: BatchFirst(layers.IAF()),
    "adaptive": lambda _: BatchFirst(layers.ALIF(tau_mem=4.0, tau_adapt=8.0)),
    "ExpLeak": lambda _: nn.Sequential(BatchFirst(layers.ExpLeak(tau_mem=4.0)), BatchFirst(layers.IAF())),
}


@pytest.mark.supports(
    "State",
    "networks of sinabs: LIF, IAF, ALIF, ExpLeak",
    "counted and pruned: the same twice, and at batch sizes 1, 7 and 64",
)
@pytest.mark.parametrize("kind", NEURONS)
def test_networks_are_measured_alike_and_pruned(kind):
    model = convolutional(NEURONS[kind])
    measured(model, (layers.StatefulLayer,))
    with torch.no_grad():
        model(EVENTS)
    measured(model, (layers.StatefulLayer,))
    with pytest.raises(UserError, match=r"^cannot compile a Sequential"):
        sparse.compile(pruned(model), EVENTS)
