"""Grad R by hand, and as the authors' code does it."""

import math

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create


def _context(weights, optimizer, lr, steps=36):
    model = nn.Linear(len(weights), 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([weights]))
    c = Context(model, Masks.ones(model), torch.Generator(), steps=steps)
    c.optimizer = optimizer(model.parameters(), lr=lr)
    return c, model.weight


def _step(c, method, gradient):
    c.model.weight.grad = gradient.view_as(c.model.weight)
    method.after_backward(c)
    c.optimizer.step()
    method.after_step(c)
    c.masks.apply(c.weights)
    c.step += 1


def test_by_hand_a_weight_is_off_below_zero_and_comes_back():
    # eta = 0.1 and alpha = 6 / sqrt(36) = 1: the prior takes 0.1 off every theta per step.
    # w = (0.3, -0.25): theta = (0.3, 0.25), s = (+, -). Gradients (2, -1) change s theta by (-0.2, +0.1):
    # theta = (0.3 - 0.2 - 0.1, 0.25 - 0.1 - 0.1) = (0.0, 0.05): the first is off, the second is -0.05.
    # Gradients (1, 0): theta = (-0.2, -0.05), both are off, dormant ones learn on. (-5, 3): theta = (0.2, 0.15).
    c, w = _context([0.3, -0.25], torch.optim.SGD, 0.1)
    method = create("gradr", strength=6.0)
    method.start(c)
    _step(c, method, torch.tensor([2.0, -1.0]))
    torch.testing.assert_close(w.detach(), torch.tensor([[0.0, -0.05]]), atol=1e-6, rtol=0)
    method.hidden["weight"][0, 0] = 0.0
    with pytest.warns(UserWarning, match="empty weight"):
        _step(c, method, torch.tensor([1.0, 0.0]))
    _step(c, method, torch.tensor([-5.0, 3.0]))
    torch.testing.assert_close(w.detach(), torch.tensor([[0.2, -0.15]]), atol=1e-6, rtol=0)
    assert c.masks["weight"].all()


def test_as_the_authors_code_does_it():
    # The authors' code with Adam, eta = 0.01, alpha = 0.2, s = 0.95 and the gradient 2 (w - target) of its weights.
    # Its prior has Adam's correction, which is put into the strength here.
    c, w = _context([0.02, -0.01, 0.5, -0.3, 0.05], torch.optim.Adam, 0.01)
    target = torch.tensor([[0.1, 0.2, -0.4, -0.3, 0.0]])
    method = create("gradr", prior=0.95)
    method.start(c)
    expected = {
        1: ([0.01, 0.0, 0.47, -0.28, 0.02], [0.01, 0.02, 0.47, -0.28, 0.02]),
        5: ([0.021453, 0.0, 0.40152, -0.285857, 0.0], [0.021453, 0.088528, 0.40152, -0.285857, -0.035181]),
        20: ([0.102978, 0.0, 0.213001, -0.292002, 0.0], [0.102978, 0.281471, 0.213001, -0.292002, -0.109962]),
        40: ([0.090308, 0.0, 0.0, -0.29583, 0.0], [0.090308, 0.523242, -0.000979, -0.29583, -0.160078]),
    }
    for t in range(1, 41):
        method.strength = 0.2 / (1 - 0.9**t) * math.sqrt(c.steps)
        _step(c, method, 2 * (w.detach() - target))
        if t in expected:
            effective, hidden = (torch.tensor([values]) for values in expected[t])
            torch.testing.assert_close(w.detach(), effective, atol=2e-6, rtol=0)
            torch.testing.assert_close(method.hidden["weight"], hidden, atol=2e-6, rtol=0)
            assert torch.equal(c.masks["weight"], w != 0)


def test_a_strength_means_the_same_in_a_longer_training():
    # Against steps of chance of +-eta, the share of weights that ends below zero is the normal distribution's at
    # strength - start / (eta sqrt(N)): with 1.5 and 1, 0.691; the standard error over 4000 weights is 0.0073.
    for steps in (100, 400):
        eta = 0.2 / math.sqrt(steps)
        c, _ = _context([0.2] * 4000, torch.optim.SGD, eta, steps)
        method = create("gradr", strength=1.5)
        method.start(c)
        g = torch.Generator().manual_seed(0)
        for _ in range(steps):
            _step(c, method, torch.randint(2, (4000,), generator=g) * 2.0 - 1)
        assert c.masks.sparsity == pytest.approx(0.691, abs=0.04)


def test_below_the_centre_of_the_prior_the_push_turns_round():
    # p = 0.5 puts the centre at 0: with alpha = 1 and eta = 0.1, theta = -0.25 goes up by 0.1, 0.25 down.
    c, w = _context([0.25, 0.25], torch.optim.SGD, 0.1)
    method = create("gradr", strength=6.0, prior=0.5)
    method.start(c)
    method.hidden["weight"][0, 1] = -0.25
    _step(c, method, torch.zeros(2))
    torch.testing.assert_close(method.hidden["weight"], torch.tensor([[0.15, -0.15]]))
    assert w.tolist() == [[pytest.approx(0.15), 0.0]]


@pytest.mark.parametrize("settings", [{"strength": -1.0}, {"prior": 0.4}, {"prior": 1.0}, {"strength": "much"}])
def test_mistakes_are_named(settings):
    with pytest.raises(UserError):
        create("gradr", **settings)
