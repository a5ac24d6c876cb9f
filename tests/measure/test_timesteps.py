"""Divergences by their definitions, decision steps by their properties, Fisher trace by Jacobians."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from measure_by_hand import Fold
from torch import nn

from snnbook.errors import UserError
from snnbook.measure import decision_timestep, fisher_trace, kl_curve, normalise, taylor
from snnbook.neurons import LIF

curves = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


def divergence(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


@pytest.fixture
def outputs() -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return torch.randn(4, 5, 3, generator=g), torch.randint(0, 3, (5,), generator=g)


@pytest.mark.parametrize("variant", ["smoothed", "released", "reverse"])
def test_variants_are_what_they_say(outputs, variant):
    logits, labels = outputs
    expected = []
    for t in range(1, 5):
        total = 0.0
        for n, label in enumerate(labels.tolist()):
            z = logits[:t, n].double().mean(0)
            p = (z.exp() / z.exp().sum()).tolist()
            hot = [float(c == label) for c in range(3)]
            smooth = [0.9 * h + 0.1 / 3 for h in hot]
            soft = [math.exp(h) / (math.e + 2) for h in hot]
            pair = {"smoothed": (p, smooth), "released": (soft, p), "reverse": (hot, p)}[variant]
            total += divergence(*pair)
        expected.append(total / 5)
    curve = kl_curve(logits, labels, variant, eps=0.1)
    assert curve.dtype == torch.float64
    assert curve.tolist() == pytest.approx(expected, rel=1e-9)


def test_uniform_output_has_a_closed_form():
    logits, labels, eps, k = torch.zeros(2, 3, 4), torch.tensor([0, 1, 3]), 1e-3, 4
    q = 1 - eps + eps / k
    expected = -math.log(4) - (math.log(q) + 3 * math.log(eps / k)) / 4
    assert kl_curve(logits, labels).tolist() == pytest.approx([expected] * 2)
    assert kl_curve(logits, labels, "reverse").tolist() == pytest.approx([math.log(4)] * 2)
    assert kl_curve(logits, labels, eps=1.0).tolist() == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize("variant", ["smoothed", "released", "reverse"])
def test_divergences_are_finite_and_not_negative(variant):
    g = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 6, (50,), generator=g)
    for scale in (1e-3, 1, 1e4):
        curve = kl_curve(torch.randn(5, 50, 6, generator=g) * scale, labels, variant)
        assert curve.isfinite().all()
        assert (curve >= -1e-12).all()


def test_reverse_is_the_cross_entropy(outputs):
    logits, labels = outputs
    assert kl_curve(logits, labels, "reverse")[-1].item() == pytest.approx(
        F.cross_entropy(logits.double().mean(0), labels).item()
    )


def test_normalise():
    assert normalise([3.0, 1.0, 2.0]).tolist() == [1, 0, 0.5]
    assert normalise(np.array([2.0, 2.0])).tolist() == [0, 0]


def test_decision_step_by_hand():
    kl = torch.tensor([9.0, 5.0, 1.05, 1.0, 3.0])
    assert [decision_timestep(kl, lam) for lam in (0, 1e-9, 0.01, 0.3, 0.6, 1.0, 1.1)] == [
        5,
        4,
        3,
        3,
        2,
        2,
        1,
    ]
    assert decision_timestep([0.7], 0.5) == 1
    assert decision_timestep([0.7] * 6, 0.5) == 6


@given(curves, st.floats(0, 2), st.floats(0, 2))
def test_decision_step_never_grows_with_lambda(kl, a, b):
    early, late = decision_timestep(kl, max(a, b)), decision_timestep(kl, min(a, b))
    assert 1 <= early <= late <= len(kl)


@given(curves, st.floats(1e-6, 1))
def test_decision_step_is_the_first_below(kl, lam):
    norm, t = normalise(kl), decision_timestep(kl, lam)
    assert 0 <= norm.min() <= norm.max() <= 1
    if norm.max() > 0:
        assert norm[t - 1] < lam
        assert (norm[: t - 1] >= lam).all()
    else:
        assert t == len(kl)


def test_errors(outputs):
    logits, labels = outputs
    with pytest.raises(UserError, match="did you mean smoothed"):
        kl_curve(logits, labels, "smooth")
    with pytest.raises(UserError, match="eps"):
        kl_curve(logits, labels, eps=0)
    with pytest.raises(UserError, match="labels"):
        kl_curve(logits, labels + 2)
    for lam in (-0.1, float("nan")):
        with pytest.raises(UserError, match="lam"):
            decision_timestep([1.0, 0.0], lam)
    for bad in ([1.0, float("nan")], [float("inf"), 0.0]):
        with pytest.raises(UserError, match="finite"):
            decision_timestep(bad, 0.1)
    with pytest.raises(UserError, match=r"\[T\]"):
        normalise([])


def test_fisher_trace_matches_the_jacobian():
    """For softmax(W x + b): ||onehot - p||^2 (||x||^2 + 1), with x the mean over steps."""
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    x, y = torch.randn(5, 6, 4), torch.randint(0, 3, (6,))
    means = x.double().cumsum(0) / torch.arange(1, 6)[:, None, None]
    with torch.no_grad():
        p = F.softmax(means @ net.weight.double().T + net.bias.double(), -1)
    expected = ((F.one_hot(y, 3) - p).square().sum(-1) * (means.square().sum(-1) + 1)).mean(1)
    torch.testing.assert_close(fisher_trace(net, x, y), expected, rtol=1e-5, atol=0)


def test_fisher_trace_matches_truncated_runs_of_a_spiking_network():
    torch.manual_seed(0)
    net = nn.Sequential(
        Fold(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)),
        LIF(v_threshold=0.3),
        nn.Flatten(2),
        Fold(nn.Linear(12, 4)),
    )
    with torch.no_grad():
        net(torch.rand(3, 8, 2, 4, 4))  # statistics of the batch norm that are not the defaults
    net[2].eval()
    net[3][0].bias.requires_grad_(False)
    x, y = torch.poisson(torch.ones(3, 4, 2, 4, 4)), torch.tensor([0, 3, 1, 1])
    net[3][0].weight.grad = torch.ones_like(net[3][0].weight)
    state = {k: v.clone() for k, v in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    trace = fisher_trace(net, x, y)

    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert torch.equal(net[3][0].weight.grad, torch.ones_like(net[3][0].weight))
    assert net[0][0].weight.grad is None

    net.eval()
    expected = torch.zeros(3, dtype=torch.float64)
    for t in range(3):
        for n in range(4):
            net.zero_grad(set_to_none=True)
            F.cross_entropy(net(x[: t + 1, n : n + 1]).mean(0), y[n : n + 1]).backward()
            expected[t] += sum(p.grad.double().square().sum() for p in net.parameters() if p.grad is not None) / 4
    torch.testing.assert_close(trace, expected, rtol=1e-4, atol=1e-9)
    assert (trace > 0).all()


def test_fisher_trace_errors():
    net = nn.Linear(4, 3)
    with pytest.raises(UserError, match="labels"):
        fisher_trace(net, torch.ones(2, 3, 4), torch.tensor([0]))
    with pytest.raises(UserError, match="logits must be"):
        fisher_trace(net, torch.ones(3, 4), torch.tensor([0, 1, 2]))
    with pytest.raises(UserError, match="no trainable"):
        fisher_trace(net.requires_grad_(False), torch.ones(2, 3, 4), torch.tensor([0, 1, 2]))


def spiking(*behind):
    """A small network with spikes in front of its last layer, and `behind` after it."""
    torch.manual_seed(0)
    return nn.Sequential(Fold(nn.Linear(5, 8)), LIF(v_threshold=0.1), Fold(nn.Linear(8, 3)), *behind)


def test_taylor_is_half_the_quadratic_form_of_the_fisher_matrix():
    """F = mean over samples of J' (diag(p) - p p') J, J the Jacobian of the mean outputs, built entry by entry."""
    net, x = spiking(), torch.randn(3, 4, 5)
    kept = {k: v.clone() for k, v in net.state_dict().items()}
    sizes = (0.5, 0.1)
    kl, form = taylor(net, x, torch.Generator().manual_seed(1), sizes)
    assert all(torch.equal(v, kept[k]) for k, v in net.state_dict().items())
    d = torch.randn(3, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    d *= net[2][0].weight.detach().double().norm() / d.norm()
    with torch.no_grad():
        spikes = net[1](net[0](x)).double()
        for t in range(3):
            s = spikes[: t + 1].mean(0)
            w, b = net[2][0].weight.double(), net[2][0].bias.double()
            for i, size in enumerate(sizes):
                exact, quadratic = 0.0, 0.0
                for n in range(4):
                    p = (s[n] @ w.T + b).softmax(-1)
                    q = (s[n] @ (w + size * d).T + b).softmax(-1)
                    exact += float((p * (p / q).log()).sum()) / 4
                    jacobian = torch.stack([torch.outer(torch.eye(3).double()[k], s[n]).flatten() for k in range(3)])
                    fisher = jacobian.T @ (p.diag() - torch.outer(p, p)) @ jacobian
                    quadratic += 0.5 * size**2 * float(d.flatten() @ fisher @ d.flatten()) / 4
                assert kl[i, t].item() == pytest.approx(exact, rel=1e-4)
                assert form[i, t].item() == pytest.approx(quadratic, rel=1e-4)


def test_taylor_closes_as_the_change_shrinks():
    kl, form = taylor(spiking(), torch.randn(4, 20, 5), torch.Generator().manual_seed(0), (1.0, 0.1, 0.01, 0.001))
    gap = (1 - form / kl).abs().amax(1)
    assert (gap[1:] < 0.2 * gap[:-1]).all(), "third order: ten times smaller, ten times closer"


def test_taylor_needs_a_read_out_that_is_linear():
    with pytest.raises(UserError, match="not linear"):
        taylor(spiking(LIF(v_threshold=0.05)), torch.randn(3, 4, 5), torch.Generator().manual_seed(0))
