"""Rockpool 3.1: neurons behind a synaptic filter, modules that answer in Rockpool's own form, networks."""

from __future__ import annotations

import sys

import pytest
import torch
from alike import EVENTS, BatchFirst, currents, measured, ours, pruned, run
from torch import nn

from snnbook import measure
from snnbook.errors import UserError
from snnbook.pruning import prunable

# Its optional samna is, as the registry has it, a package that installs another one when it is imported.
sys.modules.setdefault("samna", None)  # type: ignore[arg-type]
modules = pytest.importorskip(
    "rockpool.nn.modules", reason="Rockpool is not installed; `make bench` makes an environment with it"
)
from rockpool.nn.combinators import Sequential
from rockpool.parameters import Constant

ALPHA, BETA = 0.75, 0.5


def _lif(n, spikes=1.0, threshold=1.0, trainable=False):
    """Neurons with decay ALPHA behind synapses with decay BETA; at most `spikes` spikes a step."""
    own = (lambda v: v) if trainable else Constant
    return modules.LIFTorch(
        n,
        leak_mode="decays",
        alpha=own(torch.tensor(ALPHA)),
        beta=own(torch.tensor(BETA)),
        bias=own(torch.tensor(0.0)),
        threshold=own(torch.tensor(threshold)),
        max_spikes_per_dt=torch.tensor(spikes),
    )


def _filtered(x):
    """The current of their synapses: i[t] = BETA (i[t-1] + x[t])."""
    current, out = torch.zeros_like(x[0]), []
    for x_t in x:
        current = BETA * (current + x_t)
        out.append(current)
    return torch.stack(out)


@pytest.mark.differs(
    "current of a synapse", ours="acts in its own step", theirs={"Rockpool": "passes a filter that decays over steps"}
)
def test_neurons_are_ours_with_a_soft_reset_behind_a_synaptic_filter():
    x = currents(9, 2, 6).float()
    spikes = run(BatchFirst(_lif(6)), x)[0]
    assert torch.equal(spikes, ours(_filtered(x), tau=1 / (1 - ALPHA), v_reset=None, decay_input=False)[0])
    assert 0 < spikes.mean() < 1


@pytest.mark.differs(
    "spikes of a neuron in one step",
    ours="one at most",
    theirs={"Rockpool": "as many as the potential holds thresholds, by default"},
)
def test_several_spikes_in_one_step():
    # The default of Rockpool: as many spikes as the potential holds thresholds.
    x = torch.full((1, 1, 1), 3.7 / BETA)
    assert BatchFirst(_lif(1, spikes=2.0**16))(x).item() == 3
    assert BatchFirst(_lif(1))(x).item() == 1
    assert ours(_filtered(x), tau=1.0)[0].item() == 1


@pytest.mark.differs("a spike at exactly the threshold", ours="fires", theirs={"Rockpool": "fires"})
def test_a_spike_at_exactly_the_threshold():
    at = torch.full((1, 1, 1), 1 / BETA)
    assert BatchFirst(_lif(1))(at).item() == ours(_filtered(at), tau=1.0)[0].item() == 1


def _network(trainable=False):
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Flatten(2), nn.Linear(128, 16), BatchFirst(_lif(16, trainable=trainable)), nn.Linear(16, 16)),
        *(BatchFirst(_lif(16, trainable=trainable)), nn.Linear(16, 3)),
    )


@pytest.mark.supports(
    "State",
    "networks of Rockpool: LIFTorch, trainable or not",
    "counted and pruned: the same twice, and at batch sizes 1, 7 and 64",
)
@pytest.mark.parametrize("trainable", [False, True])
def test_networks_are_measured_alike_and_pruned(trainable):
    model = _network(trainable)
    measured(model, (modules.LIFTorch,))
    with torch.no_grad():  # what is left over is the state of the first sample
        model(EVENTS)
    assert model[2].neurons.vmem.any()
    measured(model, (modules.LIFTorch,))
    pruned(model)


@pytest.mark.supports(
    "Wrappers",
    "modules of Rockpool that answer in Rockpool's own form",
    "refused",
    says="TorchSequential answers as Rockpool's modules do: call its to_torch() first",
)
def test_a_network_of_theirs_alone_is_refused_until_it_answers_as_torch_does():
    net = Sequential(modules.LinearTorch((128, 16)), _lif(16), modules.LinearTorch((16, 3)))
    with pytest.raises(UserError, match=r"^TorchSequential answers as Rockpool's modules do: call its to_torch\(\)"):
        prunable(net)


@pytest.mark.supports(
    "Synapses",
    "connections of neurons with recurrent weights of their own",
    "refused",
    says="cannot count the synapses of '2.neurons' (LIFTorch): it has neurons in its forward pass",
)
def test_a_neuron_with_recurrent_weights_is_refused():
    model = nn.Sequential(nn.Flatten(2), nn.Linear(128, 16), BatchFirst(modules.LIFTorch(16, has_rec=True)))
    with pytest.raises(UserError, match="LIFTorch"):
        measure.connections(model, EVENTS.shape)
