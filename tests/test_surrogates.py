"""Surrogate gradients: closed forms, numeric derivatives, and what back-propagation uses."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnbook.surrogates import SURROGATES, ATan, Sigmoid, Surrogate, Tanh

ALL = [ATan(), ATan(alpha=5.0), Sigmoid(), Sigmoid(alpha=1.5), Tanh()]
GRID = torch.linspace(-4, 4, 4001, dtype=torch.float64)


@pytest.mark.parametrize("surrogate", ALL, ids=str)
def test_derivative_is_the_slope_of_value(surrogate):
    step = 1e-6
    numeric = (surrogate.value(GRID + step) - surrogate.value(GRID - step)) / (2 * step)
    torch.testing.assert_close(surrogate.derivative(GRID), numeric, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("surrogate", ALL, ids=str)
def test_derivative_peaks_at_the_threshold_and_falls_off_evenly(surrogate):
    d = surrogate.derivative(GRID)
    assert d.argmax().item() == 2000
    torch.testing.assert_close(d, d.flip(0), rtol=1e-9, atol=1e-15)
    assert (d[2000:].diff() <= 0).all()
    assert (d >= 0).all()


@pytest.mark.parametrize(
    ("surrogate", "height"),
    [
        (ATan(), 1.0),
        (Sigmoid(), 1.0),
        (Tanh(), 1.5 / math.tanh(1.5)),
        (ATan(5.0), 2.5),
        (Sigmoid(1.5), 0.375),
    ],
    ids=str,
)
def test_height_of_the_peak(surrogate, height):
    assert surrogate.derivative(torch.zeros(1, dtype=torch.float64)).item() == pytest.approx(height, rel=1e-12)


def test_the_peak_of_tanh_is_higher_than_the_others():
    assert Tanh().derivative(torch.zeros(1)).item() == pytest.approx(1.657, abs=5e-4)


@pytest.mark.parametrize(
    ("surrogate", "x", "value"),
    [
        (ATan(), 1 / math.pi, 0.75),
        (Sigmoid(), math.log(3) / 4, 0.75),
        (Tanh(), 0.5, 1.0),
        (Tanh(), 50.0, 0.5 / math.tanh(1.5) + 0.5),
    ],
    ids=str,
)
def test_value_at_points_known_in_closed_form(surrogate, x, value):
    assert surrogate.value(torch.tensor([x, 0.0, -x], dtype=torch.float64)).tolist() == pytest.approx(
        [value, 0.5, 1 - value], rel=1e-12
    )


@pytest.mark.parametrize("surrogate", ALL, ids=str)
def test_spike_is_a_step_with_the_derivative_behind_it(surrogate):
    x = torch.tensor([-1.0, -1e-7, 0.0, 1e-7, 2.0], requires_grad=True)
    s = surrogate.spike(x)
    assert s.tolist() == [0, 0, 1, 1, 1]
    g = torch.arange(1.0, 6.0)
    s.backward(g)
    assert torch.equal(x.grad, g * surrogate.derivative(x.detach()))


@given(st.sampled_from(ALL), st.floats(-1e30, 1e30))
def test_finite_everywhere(surrogate, x):
    at = torch.tensor([x])
    assert surrogate.value(at).isfinite().all()
    assert surrogate.derivative(at).isfinite().all()


def test_every_surrogate_has_a_name_and_no_state():
    for kind in SURROGATES.values():
        assert kind() == kind()
        assert issubclass(kind, Surrogate)
        assert hash(kind()) == hash(kind())
