"""NDSNN by hand: every exchange grows less than it drops, down to the exact budget of every layer."""

import torch
from torch import nn

from snnbook.pruning import Context, Masks, create
from snnbook.pruning.budgets import erk


def _context(model, steps):
    return Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=steps)


def test_ndsnn_by_hand():
    # 100 weights, 50 alive at first and 10 at last, twenty updates. At the first, 50 - 40 (1 - 0.95^3) = 44.3 are due,
    # and 0.05 + 0.45 (1 + cos 9 degrees) / 2 = 0.497 of 50, so 24, are dropped. 44 - 26 = 18 grow, by gradient.
    model = nn.Linear(100, 1, bias=False)
    c = _context(model, 20)
    method = create("ndsnn", sparsity=0.9, initial=0.5, updates=20, span=1.0)
    method.start(c)
    assert c.masks.alive == 50
    w, before = model.weight, c.masks["weight"].clone()
    w.grad = torch.rand(1, 100, generator=c.generator)
    values = w.detach().clone()
    c.step = 0
    method.after_step(c)
    assert c.masks.alive == 44
    kept = before & (values.abs() >= values.abs()[before].sort().values[24])
    assert kept.sum() == 26
    assert (c.masks["weight"] & kept).sum() == 26
    grown = c.masks["weight"] & ~kept
    assert w.grad[grown].min() > w.grad[~kept & ~grown].max()
    assert (w[grown & before] == values[grown & before]).all(), "dropped just now: goes on"
    assert (w[grown & ~before] == 0).all()


def test_where_the_budget_falls_faster_than_the_share_nothing_grows():
    # One update from 50 to 10 of 100: 40 are dropped though the share is 0.05.
    model = nn.Linear(100, 1, bias=False)
    c = _context(model, 2)
    method = create("ndsnn", sparsity=0.9, initial=0.5, updates=1, span=0.5)
    method.start(c)
    values, before = model.weight.detach().abs().clone(), c.masks["weight"].clone()
    method.after_step(c)
    assert torch.equal(c.masks["weight"], before & (values >= values[before].sort().values[40]))
    assert c.log["grown"] == [0]


def test_every_layer_ends_at_its_budget():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.Flatten(), nn.Linear(72, 30), nn.Linear(30, 10))
    c = _context(model, 40)
    method = create("ndsnn", sparsity=0.95, initial=0.6, updates=10)
    method.start(c)
    assert {n: int(m.sum()) for n, m in c.masks.items()} == erk(c.weights, 1 - 0.6)
    for c.step in range(40):
        for w in c.weights.values():
            w.grad = torch.randn_like(w)
        method.after_step(c)
        if c.step + 1 < 30:
            assert c.masks.alive > round(0.05 * c.masks.total)
    assert {n: int(m.sum()) for n, m in c.masks.items()} == erk(c.weights, 1 - 0.95)
    assert len(c.log["grown"]) == 10
