"""RCMO by hand and as the authors' code does it."""

import math

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create


def _context(*values, steps=40, lr=0.1):
    model = nn.Sequential(*(nn.Linear(len(v), 1, bias=False) for v in values))
    with torch.no_grad():
        for layer, v in zip(model, values, strict=True):
            layer.weight.copy_(torch.tensor([v]))
    c = Context(model, Masks.ones(model), torch.Generator(), steps=steps)
    c.optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    return c


def _step(c, method, **gradients):
    for name, w in c.weights.items():
        w.grad = gradients.get("layer" + name[0], torch.zeros(w.shape)).view_as(w)
    method.after_backward(c)
    c.optimizer.step()
    method.after_step(c)
    c.masks.apply(c.weights)
    c.step += 1


def test_as_the_authors_code_does_it():
    # Weights 0.01 to 1, the five smallest pushed up by 0.25 a step; budget 10 %, met in 20 steps. The authors' code was
    # run with the step sizes that correspond: mean = 0.33835, rate = pi / 40, eta = 0.1, pull 0.05, strength 5, so
    # 0.2 pull N rate / mean = 0.2321 for s, (N rate)^2 / 0.2321 = 265.7 for z, 5 / (0.2 mean N) = 0.7389 for y.
    c = _context([1.0] * 4, [i / 100 for i in range(1, 101)])
    method = create("rcmo", sparsity=90 / 104, span=0.5, pull=0.05, strength=5.0, first=False)
    method.start(c)
    assert (method.total, method.target) == (100, 90)
    push = torch.zeros(100)
    push[:5] = -2.5
    expected = {  # step: s, 2 eta y, the first weights that are left behind the five
        2: (0.5552, 0.00253, [6, 7, 8]),
        5: (5.4837, 0.00866, [11, 12, 13]),
        10: (23.7377, 0.12761, [29, 30, 31]),
        15: (51.5759, 0.93757, [57, 58, 59]),
        19: (75.2895, 2.66767, [81, 82, 83]),
    }
    for t in range(1, 20):
        _step(c, method, layer1=push)
        if t in expected:
            s, y, left = expected[t]
            assert method.s == pytest.approx(s, abs=1e-3)
            assert method.y == pytest.approx(y, rel=1e-3)
            alive = c.masks["1.weight"].flatten()
            assert alive.nonzero().flatten()[:8].tolist() == [0, 1, 2, 3, 4, *left]
            assert alive.sum() == 100 - math.ceil(s)
            assert torch.equal(alive, c.model[1].weight.flatten() != 0)
    _step(c, method)  # what is missing at the end of the span is cut
    assert (c.masks.alive, method.met) == (14, True)
    _step(c, method, layer1=-10 * torch.ones(100))
    assert c.masks.alive == 14, "masks are fixed once the budget is met"


def test_a_dead_weight_that_learns_enough_comes_back_and_keeps_its_moments():
    c = _context([0.1, 0.2, 0.3, 0.4], steps=8)
    c.optimizer = torch.optim.SGD(c.model.parameters(), lr=0.1, momentum=0.9)
    method = create("rcmo", sparsity=0.75, span=1.0)
    method.start(c)
    while c.masks.alive > 2:
        _step(c, method)
    assert c.masks["0.weight"].tolist() == [[False, False, True, True]]
    method.s = 1.5  # two weights go
    # 0 + 0.1 * 5 = 0.5 is the largest of all; 0.3 and 0.4 follow, of which the lesser goes.
    method.z = 0.0
    _step(c, method, layer0=torch.tensor([-5.0, 0.0, 0.0, 0.0]))
    assert c.masks["0.weight"].tolist() == [[True, False, False, True]]
    assert c.model[0].weight[0, 0].item() == pytest.approx(0.5)
    assert c.optimizer.state[c.model[0].weight]["momentum_buffer"][0, 0] == -5


def test_left_to_itself_the_number_goes_along_a_quarter_of_a_wave():
    # Without the pull of y: s = target (1 - cos(pi / 2 t / span)); at half of it 1 - cos(pi / 4) = 0.293 of the target.
    torch.manual_seed(0)
    c = _context(torch.randn(1000).tolist(), steps=200)
    method = create("rcmo", sparsity=0.9, span=0.5, pull=0.0)
    method.start(c)
    seen = []
    for _ in range(100):
        _step(c, method)
        seen.append(c.masks.total - c.masks.alive)
    assert seen == sorted(seen)
    assert seen[49] == pytest.approx(900 * (1 - math.cos(math.pi / 4)), abs=10)
    assert seen[98] == pytest.approx(900 * (1 - math.cos(math.pi / 2 * 0.99)), abs=15)
    assert seen[99] == 900


def test_the_first_layer_can_be_left_dense():
    c = _context([1.0] * 3, [0.1] * 7)
    method = create("rcmo", sparsity=0.6, first=False)
    method.start(c)
    for _ in range(20):
        _step(c, method)
    assert c.masks["0.weight"].all()
    assert c.masks.alive == 4
    with pytest.raises(UserError, match="behind the first layer"):
        create("rcmo", sparsity=0.7, first=False).start(_context([1.0] * 3, [0.1] * 7))


@pytest.mark.parametrize("settings", [{"strength": -1.0}, {"pull": -1.0}, {"span": 0.0}, {"first": 1}])
def test_mistakes_are_named(settings):
    with pytest.raises(UserError):
        create("rcmo", **settings)
