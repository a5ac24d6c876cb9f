"""Deep R by hand: exactly K weights after every step, and what is re-activated lives on."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create


def _context(weights, lr=0.1):
    model = nn.Linear(len(weights), 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([weights]))
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=10)
    c.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return c, model.weight


def _step(c, method, gradient):
    c.model.weight.grad = torch.as_tensor(gradient, dtype=torch.float32).view_as(c.model.weight)
    method.after_backward(c)
    c.optimizer.step()
    method.after_step(c)
    c.masks.apply(c.weights)
    c.step += 1


def test_one_step_by_hand():
    # Signs + - + -. Of 0.5 and -0.1, with eta = 0.1: 0.5 - 0.1 * 1 - 0.1 * 0.5 (alpha) = 0.35 stays; -0.1 + 0.2 + 0.05
    # = 0.15 has changed its sign and turns dormant. One of the three dormant ones is drawn, and starts at 0 without
    # the momentum that its gradient of 9 gave it while it was dormant.
    c, w = _context([0.5, -0.1, 0.3, -0.2])
    method = create("deepr", sparsity=0.5, strength=0.5, noise=0.0)
    method.start(c)
    c.masks["weight"] = torch.tensor([[True, True, False, False]])
    with torch.no_grad():
        w.copy_(torch.tensor([[0.5, -0.1, 0.0, 0.0]]))
    _step(c, method, [1.0, -2.0, 9.0, 9.0])
    assert w[0, 0].item() == pytest.approx(0.35)
    assert (w[0, 1:] == 0).all()
    assert c.masks["weight"][0, 0]
    assert c.masks.alive == 2
    drawn = int(c.masks["weight"][0, 1:].int().argmax()) + 1
    momentum = c.optimizer.state[w]["momentum_buffer"][0]
    assert momentum[0] == 1
    assert momentum[drawn] == 0
    assert c.log["rewired"] == 1


def test_what_is_drawn_stays_if_its_gradient_agrees_with_its_sign():
    # All signs are +. Each of three weights in ten dies in turn; what is drawn grows in the next step and lives. In the
    # published spiking baseline, run in the same way, none of 1,093,215 re-activated weights lived for a step.
    c, w = _context([0.1] * 10)
    method = create("deepr", sparsity=0.7, strength=0.0, noise=0.0)
    method.start(c)
    c.optimizer.param_groups[0]["momentum"] = 0.0
    for _ in range(5):
        before = c.masks["weight"].clone()
        victim = int((before & (w > 0)).int().argmax())
        gradient = torch.full((10,), -0.1)
        gradient[victim] = 100.0
        _step(c, method, gradient)
        assert c.masks.alive == 3
        assert (c.masks["weight"] >= before)[0][torch.arange(10) != victim].all(), "the others live on"
    assert c.log["rewired"] == 5


@pytest.mark.parametrize("layers", ["erk", "uniform"])
def test_every_layer_has_its_number_after_every_step_with_noise(layers):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.Linear(30, 5))
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=30)
    c.optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    method = create("deepr", sparsity=0.8, strength=0.1, noise=5.0, layers=layers)
    method.start(c)
    signs = {n: s.clone() for n, s in method.sign.items()}
    counts = {n: int(m.sum()) for n, m in c.masks.items()}
    assert sum(counts.values()) == round(0.2 * c.masks.total)
    for _ in range(30):
        for p in model.parameters():
            p.grad = torch.randn(p.shape)
        method.after_backward(c)
        c.optimizer.step()
        method.after_step(c)
        c.masks.apply(c.weights)
        c.step += 1
        assert {n: int(m.sum()) for n, m in c.masks.items()} == counts
        assert all((w * signs[n] >= 0).all() for n, w in c.weights.items()), "signs never change"
    assert c.log["rewired"] > 30


def test_noise_moves_living_weights_by_the_learning_rate_times_noise():
    c, w = _context([1.0] * 4000, lr=0.1)
    method = create("deepr", sparsity=0.5, strength=0.2, noise=0.5)
    method.start(c)
    alive = c.masks["weight"].clone()
    _step(c, method, [0.0] * 4000)
    # 1 - 0.1 * 0.2, give or take 0.1 * 0.5 = 0.05; the standard error of the mean of 2000 is 0.0011, of the sd 0.0008.
    assert w[alive].mean().item() == pytest.approx(0.98, abs=0.005)
    assert w[alive].std().item() == pytest.approx(0.05, abs=0.004)
    assert (w[~alive] == 0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strength": -1.0}, "strength must be at least 0"),
        ({"noise": -1.0}, "noise must be at least 0"),
        ({"layers": "er"}, "erk"),
        ({"noise": "x"}, "must be float"),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        create("deepr", **settings)
