"""STDS by hand. In scratch, 200 steps of a small network equal the authors' code bit for bit, with Adam and SGD."""

import math

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create


def _context(weights, steps, lr=0.1):
    model = nn.Linear(len(weights), 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([weights]))
    c = Context(model, Masks.ones(model), torch.Generator(), steps=steps)
    c.optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    return c, model.weight


def _step(c, method, gradient):
    c.model.weight.grad = torch.tensor([gradient])
    method.after_backward(c)
    c.optimizer.step()
    method.after_step(c)
    c.masks.apply(c.weights)
    c.step += 1


def test_by_hand():
    # eta = 0.1, D = 2 * 0.1 sqrt(4) = 0.4 on a line: d = 0.1, 0.2, 0.3, 0.4. theta = (0.5, -0.15, 0.05, 0).
    # Step 1, gradients 0: w = (0.4, -0.05, 0, 0). Step 2, gradients (1, 0, -4, 5): theta = (0.4, -0.15, 0.45, 0), for
    # the third learns inside the threshold and the fourth, without a sign, does not: w = (0.2, 0, 0.25, 0).
    # Step 3, gradients (0, 6, 0, 0): theta_2 = -0.75 comes back: w = (0.1, -0.45, 0.15, 0). Step 4: d = 0.4.
    c, w = _context([0.5, -0.15, 0.05, 0.0], steps=4)
    method = create("stds", strength=0.4 / 0.2, rise="linear")
    method.start(c)
    steps = [
        ([0.0, 0.0, 0.0, 0.0], [0.4, -0.05, 0.0, 0.0]),
        ([1.0, 0.0, -4.0, 5.0], [0.2, 0.0, 0.25, 0.0]),
        ([0.0, 6.0, 0.0, 0.0], [0.1, -0.45, 0.15, 0.0]),
        ([0.0, 0.0, 0.0, 0.0], [0.0, -0.35, 0.05, 0.0]),
    ]
    for gradient, expected in steps:
        _step(c, method, gradient)
        torch.testing.assert_close(w.detach(), torch.tensor([expected]), atol=1e-6, rtol=0)
    assert c.masks["weight"].tolist() == [[False, True, True, False]] or w[0, 0].abs() < 1e-6


def test_the_threshold_stays_where_it_is_after_the_span():
    """D = 0.4 is reached after two of four steps; then a weight is soft-thresholded by it, and learns on."""
    c, w = _context([1.0, 0.3], steps=4)
    method = create("stds", strength=0.4 / 0.2, rise="linear", span=0.5)
    method.start(c)
    for left in ([0.8, 0.1], [0.6, 0.0], [0.6, 0.0]):
        _step(c, method, [0.0, 0.0])
        torch.testing.assert_close(w.detach(), torch.tensor([left]), atol=1e-6, rtol=0)
    _step(c, method, [0.0, -5.0])
    torch.testing.assert_close(w.detach(), torch.tensor([[0.6, 0.4]]), atol=1e-6, rtol=0)


def test_the_gradient_is_the_identity_wherever_theta_has_a_sign():
    # What the authors' module gives for theta = (0, 0.2, 1, -2) and d = 0.5: gradients (0, 1, 1, 1).
    c, w = _context([0.0, 0.2, 1.0, -2.0], steps=4)
    method = create("stds")
    method.start(c)
    w.grad = torch.ones(1, 4)
    method.after_backward(c)
    assert w.grad.tolist() == [[0.0, 1.0, 1.0, 1.0]]


@pytest.mark.parametrize("rise", ["sine", "linear"])
def test_the_threshold_reaches_its_end_at_the_last_step(rise):
    c, w = _context([1.0, 0.1], steps=8)
    method = create("stds", strength=0.5 / (0.1 * math.sqrt(8)), rise=rise)
    method.start(c)
    left = []
    for _ in range(8):
        _step(c, method, [0.0, 0.0])
        left.append(1 - w[0, 0].item())
    expected = [n / 8 if rise == "linear" else (1 - math.cos(math.pi * n / 8)) / 2 for n in range(1, 9)]
    assert left == pytest.approx([0.5 * share for share in expected], abs=1e-6)
    assert c.masks["weight"].tolist() == [[True, False]]


def test_a_layer_below_the_threshold_keeps_its_largest_hidden_weight():
    c, w = _context([0.2, -0.3, 0.1], steps=1)
    method = create("stds", strength=10.0)
    method.start(c)
    with pytest.warns(UserWarning, match="empty weight"):
        _step(c, method, [0.0, 0.0, 0.0])
    assert c.masks["weight"].tolist() == [[False, True, False]]
    assert w.tolist() == [[0.0, pytest.approx(-0.3), 0.0]]


@pytest.mark.parametrize("settings", [{"strength": -1.0}, {"rise": "sin"}, {"strength": math.inf}])
def test_mistakes_are_named(settings):
    with pytest.raises(UserError):
        create("stds", **settings)
