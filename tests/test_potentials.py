"""What neurons of several libraries show of their potential."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.neurons import IF, LIF, LIFParameters, lif_reference
from snnbook.potentials import potentials
from snnbook.surrogates import Tanh
from snnbook.tracing import reset


def _read(model, x, steps=False):
    """Potentials minus threshold `[T, N, *]` of a model with one kind of neurons."""
    seen = []
    with potentials(model, lambda name, u: seen.append(u)):
        for part in x if steps else [x]:
            model(part)
    assert all(not u.requires_grad for u in seen)
    return torch.cat([u if u.shape == x.shape else u[None] for u in seen])


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    "lif",
    [LIF(), LIF(4 / 3, 0.7, None, decay_input=False), IF(), LIF(surrogate=Tanh(), v_reset=-0.2)],
    ids=["lif", "soft", "if", "reset"],
)
def test_potentials_of_our_neurons(lif, train):
    x = torch.rand(5, 3, 4) * 3
    model = nn.Sequential(lif).train(train)
    expected = lif_reference(x, lif.constants)[1] - lif.constants.v_threshold
    torch.testing.assert_close(_read(model, x), expected)
    assert lif.potential is None
    assert not lif.keep_potential


def test_potentials_are_read_while_training_and_gradients_do_not_change():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 4), LIF(), nn.Linear(4, 2)), torch.rand(5, 3, 3) * 4

    def gradient():
        model.zero_grad()
        model(x).sum().backward()
        return model[0].weight.grad.clone()

    plain = gradient()
    with potentials(model, lambda name, u: None):
        assert torch.equal(gradient(), plain)


SPIKINGJELLY = {
    "LIFNode": ({}, LIFParameters()),
    "LIFNode soft": ({"tau": 1.5, "decay_input": False, "v_reset": None, "v_threshold": 0.7}, None),
    "IFNode": ({}, LIFParameters(math.inf, decay_input=False)),
    "ParametricLIFNode": ({}, LIFParameters()),
}


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("name", SPIKINGJELLY)
def test_potentials_of_spikingjellys_neurons(name, mode, train):
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import neuron, surrogate

    settings, p = SPIKINGJELLY[name]
    node = getattr(neuron, name.split()[0])(**settings, surrogate_function=surrogate.ATan(), step_mode=mode)
    p = p or LIFParameters(**{"tau": 1.5, "v_threshold": 0.7, "v_reset": None, "decay_input": False})
    x, model = torch.rand(5, 3, 4) * 3, nn.Sequential(node).train(train)
    torch.testing.assert_close(_read(model, x, mode == "s"), lif_reference(x, p)[1] - p.v_threshold)
    assert type(node.surrogate_function) is surrogate.ATan
    reset(model)
    spikes = torch.stack([model(part) for part in x]) if mode == "s" else model(x)
    assert torch.equal(spikes, lif_reference(x, p)[0])


def test_watching_spikingjellys_neurons_leaves_gradients_and_state_alone():
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import neuron, surrogate

    torch.manual_seed(0)
    node = neuron.LIFNode(surrogate_function=surrogate.ATan(), step_mode="m")
    model, x, keys = nn.Sequential(nn.Linear(3, 4), node), torch.rand(5, 2, 3) * 4, []

    def gradient():
        model.zero_grad()
        reset(model)
        model(x).sum().backward()
        return model[0].weight.grad.clone()

    plain, keys = gradient(), list(model.state_dict())
    with potentials(model, lambda name, u: None):
        torch.testing.assert_close(gradient(), plain)
    assert list(model.state_dict()) == keys


@pytest.mark.parametrize("init_hidden", [False, True])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic"])
def test_potentials_of_snntorchs_neurons(kind, delay, init_hidden):
    snn = pytest.importorskip("snntorch")
    settings = {"beta": 0.75, "threshold": 0.8, "reset_delay": delay, "init_hidden": init_hidden}
    if kind == "Synaptic":
        settings["alpha"] = 0.0  # a current that does not last
    node, x, seen = getattr(snn, kind)(**settings), torch.rand(6, 3, 4) * 3, []
    state: tuple[torch.Tensor, ...] = ()
    with potentials(nn.Sequential(node), lambda name, u: seen.append(u)):
        for part in x:
            out = node(part, *state)
            state = () if init_hidden else out[1:]
    # Its soft reset takes the threshold off one step later: h = beta v + x - threshold [v > threshold]. Without
    # `reset_delay` it also does so at once, if it did not in this step.
    v = torch.zeros_like(x[0])
    for u, part in zip(seen, x, strict=True):
        late = (v > 0.8).float()
        h = 0.75 * v + part - 0.8 * late
        v = h if delay else h - 0.8 * ((h > 0.8).float() - late)
        torch.testing.assert_close(u, h - 0.8)
    assert "fire" not in vars(node)


class Odd(nn.Module):
    """Neurons that nobody knows."""

    def forward(self, x):
        return (x > 0).float()


class Silent(Odd):
    """Neurons with a surrogate that they do not call."""

    def __init__(self):
        super().__init__()
        self.surrogate_function = nn.Sigmoid()


@pytest.mark.supports(
    "State",
    "potentials of neurons that do not show them",
    "refused",
    says="cannot read the membrane potential of 0 (…)",
)
def test_potentials_that_cannot_be_read():
    with pytest.raises(UserError, match=r"potential of 0 \(Odd\)"), potentials(nn.Sequential(Odd()), print):
        pass
    model = nn.Sequential(Silent())
    with pytest.raises(UserError, match=r"potential of 0 \(Silent\)"), potentials(model, print):
        model(torch.rand(2, 3))
    assert type(model[0].surrogate_function) is nn.Sigmoid
    assert not model[0]._forward_hooks
