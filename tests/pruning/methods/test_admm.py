"""ADMM by hand: projection, dual variable, penalty and cut."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create


def _context(model, steps=4):
    c = Context(model, Masks.ones(model), torch.Generator(), steps=steps)
    c.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return c


def _line(values):
    model = nn.Linear(len(values), 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([values]))
    return model


def test_by_hand():
    # W = (4, -3, 2, 1), half stays: Z = (4, -3, 0, 0), U = 0. The penalty is rho / 2 (2^2 + 1^2) = 0.5 for rho = 0.2,
    # its gradient rho (W - Z + U) = (0, 0, 0.4, 0.2).
    model = _line([4.0, -3.0, 2.0, 1.0])
    c, w = _context(model), model.weight
    method = create("admm", sparsity=0.5, strength=0.2, updates=2, span=0.5)
    method.start(c)
    penalty = method.penalty(c)
    assert penalty.item() == pytest.approx(0.5)
    penalty.backward()
    torch.testing.assert_close(w.grad, torch.tensor([[0.0, 0.0, 0.4, 0.2]]))
    # First update: W is as it was, so Z too, and U = W - Z = (0, 0, 2, 1). No weight is cut.
    method.after_step(c)
    assert method.u["weight"].tolist() == [[0, 0, 2, 1]]
    assert c.masks.alive == 4
    # Second: W = (4, -3, 2.5, 1). W + U = (4, -3, 4.5, 2), so Z = (4, 0, 4.5, 0) and U = (0, -3, 0, 2). This is the
    # last one: the cut is by W alone, and keeps 4 and -3.
    c.step = 1
    with torch.no_grad():
        w[0, 2] = 2.5
    method.after_step(c)
    assert method.z["weight"].tolist() == [[4, 0, 4.5, 0]]
    assert method.u["weight"].tolist() == [[0, -3, 0, 2]]
    assert w.tolist() == [[4, -3, 0, 0]]
    assert c.log["outside"] == pytest.approx([5 / 30, 7.25 / 32.25])
    # From then on there is no penalty and the mask is fixed.
    c.step = 2
    assert method.penalty(c) == 0
    method.after_step(c)
    assert c.masks["weight"].tolist() == [[True, True, False, False]]


def _three():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 10), nn.Linear(10, 20), nn.Linear(20, 5))


@pytest.mark.parametrize("layers", ["uniform", "erk", "global"])
def test_the_total_is_exact_however_it_is_spread(layers):
    c = _context(_three(), steps=10)
    method = create("admm", sparsity=0.5, layers=layers)
    method.start(c)
    for step in range(10):
        c.step = step
        method.after_step(c)
    counts = {n: int(m.sum()) for n, m in c.masks.items()}
    assert sum(counts.values()) == 170
    if layers == "uniform":
        assert counts == {"0.weight": 20, "1.weight": 100, "2.weight": 50}
    elif layers == "global":
        ranked = torch.cat([w.detach().abs().flatten() for w in _three().parameters() if w.dim() == 2]).sort().values
        edge = ranked[170]
        assert counts == {n: int((w.abs() >= edge).sum()) for n, w in _three().named_parameters() if w.dim() == 2}


def test_the_weights_are_drawn_to_their_projection():
    # Without a loss, each step takes eta rho = 0.05 of W - Z + U off W: in 100 steps from one update to the next, all
    # but exp(-5) of it. Z keeps the larger two, which stay.
    model = _line([4.0, -3.0, 2.0, 1.0])
    c, w = _context(model, steps=501), model.weight
    method = create("admm", sparsity=0.5, strength=0.5, updates=5, span=1.0)
    method.start(c)
    for step in range(500):
        c.step = step
        c.optimizer.zero_grad()
        method.penalty(c).backward()
        c.optimizer.step()
        method.after_step(c)
    assert w[0, :2].tolist() == [4, -3]
    assert w[0, 2:].abs().max() < 0.05
    assert c.log["outside"][0] < 1e-3


def test_every_layer_needs_a_weight():
    with pytest.raises(UserError, match="leaves 2 weights for 3 layers"):
        create("admm", sparsity=0.995).start(_context(_three()))


@pytest.mark.parametrize(
    "settings", [{"strength": -1.0}, {"updates": 0}, {"span": 0.0}, {"layers": "local"}, {"layers": 1}]
)
def test_mistakes_are_named(settings):
    with pytest.raises(UserError):
        create("admm", **settings)
