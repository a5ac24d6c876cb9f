"""snnTorch 1.0: its reset, which comes one step later; surrogates; networks that keep or hand on their state."""

from __future__ import annotations

import pytest
import torch
from alike import EVENTS, Steps, convolutional, currents, measured, ours, pruned, run
from torch import nn

from snnbook.surrogates import ATan, Sigmoid

snn = pytest.importorskip("snntorch", reason="snnTorch is not installed; `make bench` makes an environment with it")
from snntorch import surrogate

BETA = 0.75
SAME = {"tau": 1 / (1 - BETA), "decay_input": False}


def _over_time(neurons):
    def forward(x):
        state, spikes = neurons.reset_mem(), []
        for x_t in x:
            s, state = neurons(x_t, state)
            spikes.append(s)
        return torch.stack(spikes)

    return forward


def test_reset_to_zero_gives_the_same_spikes_and_gradients():
    x = currents(9, 2, 6).float()
    theirs = snn.Leaky(beta=BETA, reset_mechanism="zero", spike_grad=surrogate.atan(alpha=2.0))
    for expected, got in zip(run(_over_time(theirs), x), ours(x, **SAME), strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.differs(
    "a soft reset",
    ours="subtracts at once, and what is left leaks",
    theirs={"snnTorch": "subtracts one step later, undecayed"},
)
def test_subtraction_comes_a_step_later_and_without_leak():
    # v[t] = beta v[t-1] + x[t] - [v[t-1] > threshold], where ours is v[t] = beta (v[t-1] - [spike]) + x[t].
    x = currents(9, 2, 6).float()
    got = _over_time(snn.Leaky(beta=BETA, reset_mechanism="subtract"))(x)
    late, mine, theirs, soft = torch.zeros_like(x[0]), torch.zeros_like(x[0]), [], []
    for x_t in x:
        late = BETA * late + x_t - (late > 1).double()
        theirs.append((late > 1).float())
        mine = BETA * mine + x_t
        soft.append((mine >= 1).float())
        mine = mine - soft[-1]
    assert torch.equal(got, torch.stack(theirs))
    assert torch.equal(ours(x, **SAME, v_reset=None)[0], torch.stack(soft))
    assert not torch.equal(torch.stack(theirs), torch.stack(soft))


@pytest.mark.differs("a spike at exactly the threshold", ours="fires", theirs={"snnTorch": "does not fire"})
def test_no_spike_at_exactly_the_threshold():
    at = torch.tensor([[[1.0]]])
    assert _over_time(snn.Leaky(beta=0.5))(at).item() == 0
    assert ours(at, tau=1.0)[0].item() == 1


@pytest.mark.parametrize(
    ("mine", "theirs"), [(ATan(3.0), surrogate.atan(alpha=3.0)), (Sigmoid(5.0), surrogate.sigmoid(slope=5.0))]
)
def test_surrogates(mine, theirs):
    u = torch.linspace(-3, 3, 101, dtype=torch.float64).requires_grad_()
    (expected,) = torch.autograd.grad(theirs(u).sum(), u)
    torch.testing.assert_close(mine.derivative(u.detach()), expected)


class _Handed(nn.Module):
    """Neurons whose potential is handed from step to step."""

    def __init__(self):
        super().__init__()
        self.neurons = snn.Leaky(beta=0.5)

    def forward(self, x):
        return _over_time(self.neurons)(x)


HIDDEN = {
    "handed on": lambda _: _Handed(),
    "Leaky": lambda _: Steps(snn.Leaky(beta=0.5, init_hidden=True)),
    "Synaptic": lambda _: Steps(snn.Synaptic(alpha=0.3, beta=0.5, init_hidden=True)),
    "Alpha": lambda _: Steps(snn.Alpha(alpha=0.6, beta=0.5, init_hidden=True)),
    "Lapicque": lambda _: Steps(snn.Lapicque(beta=0.5, init_hidden=True)),
}


@pytest.mark.supports(
    "State",
    "networks of snnTorch: Leaky, Synaptic, Alpha, Lapicque, potentials kept or handed on",
    "counted and pruned: the same twice, and at batch sizes 1, 7 and 64",
)
@pytest.mark.parametrize("kind", HIDDEN)
def test_networks_are_measured_alike_and_pruned(kind):
    model = convolutional(HIDDEN[kind])
    measured(model, (snn.SpikingNeuron,))
    with torch.no_grad():
        model(EVENTS)
    measured(model, (snn.SpikingNeuron,))
    pruned(model)
