"""The step that sparse training repeats: drop the weakest, grow the most promising."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.pruning import Context, Masks, create
from snnbook.pruning.parts.drop_and_grow import (
    growth_score,
    regrow,
    start_sparse,
    without_nearest_to_zero,
    without_weakest,
)

SPARSE = ("set", "esl_snn", "rigl", "granet", "ndsnn")


def _layer(values, grad=None, optimizer=None):
    """A layer with these weights, alive where not zero, with these gradients."""
    model = nn.Linear(len(values), 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([values]))
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=4)
    c.masks["weight"] = model.weight != 0
    if grad is not None:
        model.weight.grad = torch.tensor([grad])
    if optimizer is not None:
        c.optimizer = optimizer(model.parameters(), lr=0.1)
    return c, model.weight


def test_weakest_by_magnitude_and_by_sign():
    _, w = _layer([0.1, 0.2, 0.3, 0.4, -0.25, -0.5, 0.0, 0.0])
    alive = w != 0
    # Of six the three smallest magnitudes are 0.1, 0.2 and -0.25.
    assert w[without_weakest(w, alive, 3)].tolist() == pytest.approx([0.3, 0.4, -0.5])
    # Half of four positive ones and half of two negative ones, from zero up: 0.1, 0.2 and -0.25; a third: 0.1 alone.
    assert w[without_nearest_to_zero(w, alive, 0.5)].tolist() == pytest.approx([0.3, 0.4, -0.5])
    assert w[without_nearest_to_zero(w, alive, 1 / 3)].tolist() == pytest.approx([0.2, 0.3, 0.4, -0.25, -0.5])
    # All positive: by sign it takes the smallest of each sign, by magnitude only the small positive ones.
    _, w = _layer([0.1, 0.2, -1.0, -2.0])
    assert w[without_weakest(w, w != 0, 2)].tolist() == [-1.0, -2.0]
    assert w[without_nearest_to_zero(w, w != 0, 0.5)].tolist() == pytest.approx([0.2, -2.0])


def test_a_living_weight_that_is_exactly_zero_goes_first():
    _, w = _layer([0.0, 0.1, 0.2, -0.3])
    alive = torch.ones_like(w, dtype=torch.bool)
    assert without_nearest_to_zero(w, alive, 0.4).tolist() == [[False, True, True, True]]


def test_promise_is_gradient_momentum_or_noise():
    c, w = _layer([1.0, 0.0, 0.0], [0.5, -2.0, 1.0], torch.optim.SGD)
    assert growth_score(c, w, "gradient").tolist() == [[0.5, 2.0, 1.0]]
    assert growth_score(c, w, "momentum").tolist() == [[0.5, 2.0, 1.0]], "no momentum yet: the gradient"
    c.optimizer.state[w]["momentum_buffer"] = torch.tensor([[0.0, 1.0, -3.0]])
    assert growth_score(c, w, "momentum").tolist() == [[0.0, 1.0, 3.0]]
    # Adam: 0.1 over the root of 0.0001 is 10, 0.2 over the root of 0.04 is 1: the smaller mean promises more.
    c, w = _layer([1.0, 0.0, 0.0], [0.0, 0.0, 0.0], torch.optim.Adam)
    c.optimizer.state[w] |= {
        "exp_avg": torch.tensor([[0.0, 0.1, -0.2]]),
        "exp_avg_sq": torch.tensor([[1.0, 0.0001, 0.04]]),
    }
    assert growth_score(c, w, "momentum")[0].tolist() == pytest.approx([0, 10, 1], rel=1e-4)
    assert not torch.equal(growth_score(c, w, "random"), growth_score(c, w, "random"))
    w.grad = None
    assert growth_score(c, w, "gradient").tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(("again", "places"), [(True, [0, 4]), (False, [3, 4])])
def test_regrow_from_what_was_kept(again, places):
    # 0.1 and 0.2 were dropped and 0.5 kept; two grow. The largest gradients are 9 (dropped), 3 and 2 (dead).
    c, w = _layer([0.1, 0.2, 0.5, 0.0, 0.0], [9.0, 1.0, 8.0, 2.0, 3.0], torch.optim.SGD)
    c.optimizer.state[w]["momentum_buffer"] = torch.full((1, 5), 7.0)
    kept = {"weight": torch.tensor([[False, False, True, False, False]])}
    regrow(c, kept, {"weight": 3}, "gradient", again)
    assert c.masks["weight"][0].nonzero().flatten().tolist() == sorted([2, *places])
    # A weight that was dropped and grew at once goes on; the others start at zero with no momentum.
    assert w[0].tolist() == pytest.approx([0.1 if again else 0, 0, 0.5, 0, 0])
    momentum = c.optimizer.state[w]["momentum_buffer"][0]
    assert momentum[places].tolist() == ([7, 0] if again else [0, 0])
    assert momentum[2] == 7
    assert c.log["grown"] == [1 if again else 2]


def test_a_sparse_start_is_exact_and_random():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 20), nn.Linear(20, 10))
    starts = []
    for seed in (0, 0, 1):
        c = Context(model, Masks.ones(model), torch.Generator().manual_seed(seed))
        start_sparse(c, 0.9, "uniform")
        assert [int(m.sum()) for m in c.masks.values()] == [60, 20]
        starts.append(torch.cat([m.flatten() for m in c.masks.values()]))
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("updates", 0, "updates must be at least 1"),
        ("updates", 2.0, "updates must be int"),
        ("span", 0.0, "span must lie in"),
        ("span", 1.1, "span must lie in"),
        ("fraction", 1.0, "fraction must lie"),
        ("fraction", -0.1, "fraction must lie"),
        ("layers", "erks", "did you mean erk"),
    ],
)
@pytest.mark.parametrize("name", SPARSE)
def test_mistakes_are_named(name, setting, value, message):
    with pytest.raises(UserError, match=message):
        create(name, **{setting: value})


@pytest.mark.parametrize("name", ["granet", "ndsnn"])
def test_a_start_without_weights_is_refused(name):
    with pytest.raises(UserError, match="initial must lie in"):
        create(name, initial=1.0)


@pytest.mark.parametrize("name", SPARSE)
def test_the_count_is_right_after_every_step_and_masks_move(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.Flatten(), nn.Linear(8 * 9, 10))
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=30)
    c.optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    method = create(name, sparsity=0.9, updates=5)
    method.start(c)
    first, alive, before = {n: m.clone() for n, m in c.masks.items()}, [c.masks.alive], []
    for c.step in range(30):
        before.append({n: m.clone() for n, m in c.masks.items()})
        c.optimizer.zero_grad()
        model(torch.randn(4, 2, 5, 5)).square().sum().backward()
        method.after_backward(c)
        c.optimizer.step()
        method.after_step(c)
        c.masks.apply(c.weights)
        alive.append(c.masks.alive)
        if name not in ("granet", "ndsnn"):  # the layers keep their shares
            assert all(c.masks[n].sum() == first[n].sum() for n in first)
    assert alive[-1] == round(0.1 * c.masks.total)
    assert alive == sorted(alive, reverse=True)
    assert any((c.masks[n] & ~first[n]).any() for n in first), "something grew"
    assert all(torch.equal(before[-1][n], c.masks[n]) for n in c.masks), "nothing moves at the end"


@pytest.mark.parametrize("name", ["set", "esl_snn", "rigl", "granet", "ndsnn", "criticality"])
def test_what_grows_starts_at_zero_although_the_optimiser_has_moved_it(name):
    """In the order of the loop: the optimiser's step, which moves dead weights too, then the method, then the masks."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 30, bias=False), LIF(tau=1.0), nn.Linear(30, 4, bias=False))
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=40)
    x = torch.rand(2, 5, 30)
    c.samples = lambda n: (x[:, :n], torch.zeros(n, dtype=torch.int64))
    c.optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    method, grown = create(name, sparsity=0.8, updates=4, span=0.5), 0
    method.start(c)
    for c.step in range(40):
        with method.during_forward(c):
            loss = model(x).square().sum()
        c.optimizer.zero_grad()
        loss.backward()
        before = {n: m.clone() for n, m in c.masks.items()}
        method.after_backward(c)
        c.optimizer.step()
        method.after_step(c)
        for n, w in c.weights.items():
            new = c.masks[n] & ~before[n]
            grown += int(new.sum())
            assert name == "rigl" or (w[new] == 0).all()
        c.masks.apply(c.weights)
    assert grown > 10
