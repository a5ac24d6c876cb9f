"""The reconstruction of SCCD by hand."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.pruning import Context, Masks, create


class _Net(nn.Module):
    """Neurons with a constant input, the beta of their batch norm, for three steps; a linear layer reads them."""

    def __init__(self, gamma, beta):
        super().__init__()
        self.layer, self.norm, self.lif = nn.Linear(2, 4, bias=False), nn.BatchNorm1d(4), LIF()
        self.out = nn.Linear(4, 3)
        nn.init.zeros_(self.layer.weight)
        self.norm.weight.data, self.norm.bias.data = torch.tensor(gamma), torch.tensor(beta)

    def forward(self, x):
        y = self.norm(self.layer(x).flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.out(self.lif(y))


def _context(steps=4):
    model = _Net([0.9, 0.2, -0.5, 0.4], [0.5, 2.5, 1.2, 2.5])
    x = torch.rand(3, 120, 2)
    c = Context(model, Masks.ones(model), torch.Generator(), steps=steps)
    c.samples = lambda n: (x[:, :n], torch.zeros(min(n, 120), dtype=torch.long))
    return c


@pytest.mark.parametrize(
    ("balance", "gone"),
    [
        # tau = 2: an input of 0.5 never fires, 2.5 fires at every step, 1.2 charges to 0.6, 0.9, 1.05: once in three.
        # b = 0.5: sqrt(gamma rate) = 0, 0.45, 0.41, 0.63.
        (0.5, [0, 2]),
        # b = 0: gamma = 0.9, 0.2, 0.5, 0.4.
        (0.0, [1, 3]),
        # b = 1: rate = 0, 1, 1/3, 1.
        (1.0, [0, 2]),
    ],
)
def test_importance_is_a_geometric_mean_of_scale_and_rate(balance, gone):
    c = _context()
    c.step = 1
    method = create("sccd", channels=0.5, balance=balance)
    method.start(c)
    method.after_step(c)
    assert (~c.masks["layer.weight"].any(1)).nonzero().flatten().tolist() == gone
    assert (c.masks.alive, c.masks.total) == (2 * 2 + 2 * 3, 4 * 2 + 4 * 3)


def test_balance_decides_between_a_large_scale_and_a_high_rate():
    # Channel 0: gamma 0.9, rate 1/3. Channel 1: gamma 0.3, rate 1. The first is better where 3^(1-b) > 3^b: b < 0.5.
    for balance, gone in ((0.4, 1), (0.6, 0)):
        c = _context()
        c.model.norm.weight.data = torch.tensor([0.9, 0.3, 2.0, 2.0])
        c.model.norm.bias.data = torch.tensor([1.2, 2.5, 2.5, 2.5])
        c.step = 1
        method = create("sccd", channels=0.25, balance=balance)
        method.start(c)
        method.after_step(c)
        assert (~c.masks["layer.weight"].any(1)).nonzero().flatten().tolist() == [gone]


def test_channels_are_compared_with_the_mean_of_their_layer():
    # Two layers of two channels, all with the same rate; gammas 4, 3 and 0.4, 0.1. As they are, the second layer goes
    # first. Over the means 3.5 and 0.25 they are 1.14, 0.86 and 1.6, 0.4: of two that go, one is in each layer.
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.norm_a, self.fire_a = nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2), LIF()
            self.b, self.norm_b, self.fire_b = nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2), LIF()
            self.out = nn.Linear(2, 3)
            for norm, gamma in ((self.norm_a, [4.0, 3.0]), (self.norm_b, [0.4, 0.1])):
                norm.weight.data, norm.bias.data = torch.tensor(gamma), torch.tensor([9.0, 9.0])

        def forward(self, x):
            for layer, norm, fire in ((self.a, self.norm_a, self.fire_a), (self.b, self.norm_b, self.fire_b)):
                x = fire(norm(layer(x).flatten(0, 1)).unflatten(0, x.shape[:2]))
            return self.out(x)

    model = Two()
    x = torch.zeros(3, 20, 2)
    c = Context(model, Masks.ones(model), torch.Generator(), steps=2)
    c.samples = lambda n: (x[:, :n], torch.zeros(20, dtype=torch.long))
    method = create("sccd", channels=0.5, balance=0.0)
    method.start(c)
    method.after_step(c)
    assert c.masks["a.weight"].any(1).tolist() == [True, False]
    assert c.masks["b.weight"].any(1).tolist() == [True, False]


def test_fine_tuning_pays_for_spikes():
    # Rates 0, 1, 1/3, 1 in evaluation mode: a mean of 7/12.
    c = _context()
    method = create("sccd", strength=0.6)
    method.start(c)
    x = torch.rand(3, 5, 2)
    c.model.eval()
    for c.step, expected in ((0, 0.0), (1, 0.0), (2, 0.6 * 7 / 12), (3, 0.6 * 7 / 12)):
        with method.during_forward(c):
            c.model(x)
        penalty = method.penalty(c)
        assert float(penalty) == pytest.approx(expected)
        assert not c.model.lif._forward_hooks
    penalty.backward()
    assert (c.model.norm.bias.grad[:3] > 0).all(), "less input, fewer spikes"


@pytest.mark.parametrize("bad", [{"channels": 1.0}, {"balance": 1.5}, {"strength": -0.1}, {"samples": -1}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(UserError):
        create("sccd", **bad)


def test_what_does_not_fire_is_refused():
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
    with pytest.raises(UserError, match="ReLU"):
        create("sccd").start(Context(model, Masks.ones(model), torch.Generator(), steps=2))
