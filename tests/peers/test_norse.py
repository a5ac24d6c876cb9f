"""Norse 1.1: fires above the threshold and not at it; neurons with and without a synaptic current; networks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from alike import EVENTS, Spikes, Steps, convolutional, currents, measured, ours, pruned, run
from measure_by_hand import Fold
from torch import nn

from snnbook import sparse
from snnbook.errors import UserError
from snnbook.surrogates import Surrogate

norse = pytest.importorskip("norse.torch", reason="Norse is not installed; `make bench` makes an environment with it")

TAU = 4.0


@dataclass(frozen=True)
class SuperSpike(Surrogate):
    """The derivative of Norse's default: 1 / (1 + |x|)^2, whatever its parameter `alpha` is."""

    def derivative(self, x):
        return 1 / (1 + x.abs()).square()


class _Cells(Steps):
    """A loop over time around one cell, whose state is handed on."""

    def forward(self, x):
        state, spikes = None, []
        for x_t in x:
            s, state = self.step[0](x_t, state)
            spikes.append(s)
        return torch.stack(spikes)


def _box(**settings):
    """Neurons without a synaptic current, over time; in float64, since each step is one Euler step of length 1."""
    p = norse.LIFBoxParameters(tau_mem_inv=torch.tensor(1 / TAU, dtype=torch.float64), **settings)
    return _Cells(norse.LIFBoxCell(p, dt=1.0))


@pytest.mark.differs(
    "slope α of the surrogate SuperSpike",
    ours="none built in; every other surrogate follows its slope",
    theirs={"Norse": "1 / (1 + |x|)², whatever α is"},
)
@pytest.mark.parametrize("alpha", [100.0, 5.0])
def test_neurons_and_gradients(alpha):
    x = currents(9, 2, 6, scale=4.0)
    theirs = run(_box(alpha=torch.tensor(alpha)), x)
    mine = ours(x, tau=TAU, detach_reset=False, surrogate=SuperSpike())
    for expected, got in zip(theirs, mine, strict=True):
        torch.testing.assert_close(got, expected)
    assert 0 < theirs[0].mean() < 1


@pytest.mark.differs(
    "a soft reset",
    ours="subtracts at once, and what is left leaks",
    theirs={"Norse": "subtracts at once, and what is left leaks"},
)
def test_soft_reset():
    from norse.torch.functional.reset import reset_subtract

    x = currents(9, 2, 6, scale=4.0)
    assert torch.equal(_box(reset_method=reset_subtract)(x), ours(x, tau=TAU, v_reset=None)[0])


@pytest.mark.differs("a spike at exactly the threshold", ours="fires", theirs={"Norse": "does not fire"})
def test_no_spike_at_exactly_the_threshold():
    at = torch.full((1, 1, 1), TAU, dtype=torch.float64)
    assert _box()(at).item() == 0
    assert ours(at, tau=TAU)[0].item() == 1


NEURONS = {
    "LIFBoxCell": lambda _: _Cells(norse.LIFBoxCell(dt=0.01)),
    "LIFCell": lambda _: _Cells(norse.LIFCell(dt=0.005)),
    "LIF": lambda _: Spikes(norse.LIF(dt=0.005)),
    "IAFCell": lambda _: _Cells(norse.IAFCell()),
    "LSNN": lambda _: Spikes(norse.LSNN(norse.LSNNParameters(v_th=torch.tensor(0.05)), dt=0.005)),
}


@pytest.mark.supports(
    "State",
    "networks of Norse: LIF, LIFCell, LIFBoxCell, IAFCell, LSNN",
    "counted and pruned: the same twice, and at batch sizes 1, 7 and 64",
)
@pytest.mark.parametrize("kind", NEURONS)
def test_networks_are_measured_alike_and_pruned(kind):
    model = convolutional(NEURONS[kind])
    measured(model, (nn.Module,) if kind == "IAFCell" else (norse.module.snn.SNN, norse.module.snn.SNNCell))
    with pytest.raises(UserError, match=r"^cannot compile a Sequential"):
        sparse.compile(pruned(model), EVENTS)


def test_their_container_hands_the_states_on():
    torch.manual_seed(0)
    model = Spikes(
        norse.SequentialState(Fold(nn.Conv2d(2, 4, 3)), norse.LIF(dt=0.005), Fold(nn.Flatten(), nn.Linear(144, 3)))
    )
    measured(model, (norse.LIF,))
    pruned(model)
