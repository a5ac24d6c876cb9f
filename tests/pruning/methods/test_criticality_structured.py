"""Paper C's Algorithm 2 by hand."""

import math

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.pruning import Context, Masks, create


class _Net(nn.Module):
    """Neurons whose potential is the beta of their batch norm: weights 0, tau 1. A linear layer reads them."""

    def __init__(self, gamma, beta):
        super().__init__()
        self.layer, self.norm, self.lif = nn.Linear(2, 4, bias=False), nn.BatchNorm1d(4), LIF(tau=1.0)
        self.out = nn.Linear(4, 3)
        nn.init.zeros_(self.layer.weight)
        self.norm.weight.data, self.norm.bias.data = torch.tensor(gamma), torch.tensor(beta)

    def forward(self, x):
        y = self.norm(self.layer(x).flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.out(self.lif(y))


def _context(model, steps=2):
    x = torch.rand(3, 250, 2)
    c = Context(model, Masks.ones(model), torch.Generator(), steps=steps)
    c.samples = lambda n: (x[:, :n], torch.zeros(min(n, 250), dtype=torch.long))
    return c


def _cut(model, **settings):
    c = _context(model)
    method = create("criticality_structured", **settings)
    method.start(c)
    method.after_step(c)
    return method, c


def test_the_most_critical_of_the_cut_channels_comes_back():
    # |gamma| 0.1 0.2 0.3 0.4, s = 1/2 and r = 1/2: s' = 3/4, so 0, 1 and 2 are cut. Their potentials are beta = 0, 1
    # and 0.5, at distances -1, 0 and -0.5 of the threshold: g' = 0.09, 1 and 0.29, so 1 comes back, and 0 and 2 stay
    # cut. Slimming alone (r = 0) would cut 0 and 1.
    _, c = _cut(_Net([0.1, -0.2, 0.3, 0.4], [0.0, 1.0, 0.5, 0.9]), channels=0.5, regeneration=0.5)
    assert c.masks["layer.weight"].any(1).tolist() == [False, True, False, True]
    assert c.masks["out.weight"].any(0).tolist() == [False, True, False, True]
    _, c = _cut(_Net([0.1, -0.2, 0.3, 0.4], [0.0, 1.0, 0.5, 0.9]), channels=0.5, regeneration=0.0)
    assert c.masks["layer.weight"].any(1).tolist() == [False, False, True, True]


def test_scores_are_those_of_the_paper():
    beta = [0.0, 1.0, 0.5, 0.9]
    method, c = _cut(_Net([1.0] * 4, beta), channels=0.0, regeneration=0.0)
    expected = [1 / (1 + math.pi**2 * (b - 1) ** 2) for b in beta]
    assert method._scores(c).tolist() == pytest.approx(expected)


def test_the_penalty_ends_with_the_cut():
    method, c = _cut(_Net([1.0] * 4, [0.0] * 4), strength=0.5)
    assert method.penalty(c).item() == pytest.approx(0.5 * c.model.norm.weight.abs().sum().item())
    c.step = 1
    assert method.penalty(c) == 0.0


@pytest.mark.parametrize("bad", [{"channels": 1.0}, {"regeneration": 1.0}, {"samples": -1}, {"aggregate": 1}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(UserError):
        create("criticality_structured", **bad)


def test_what_has_no_potential_is_refused():
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
    c = Context(model, Masks.ones(model), torch.Generator(), steps=2)
    c.samples = lambda n: (torch.rand(n, 2), torch.zeros(n))
    with pytest.raises(UserError, match="membrane potential"):
        create("criticality_structured").start(c)
    with pytest.raises(UserError, match="did you mean max"):
        create("criticality_structured", aggregate="maxi").start(_context(_Net([1.0] * 4, [0.0] * 4)))
