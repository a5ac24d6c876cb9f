"""Gradual pruning to shares of its own in every layer: the control of another method's allocation."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create


def _context(steps=4):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 20, bias=False), nn.Linear(20, 5, bias=False))
    return Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=steps)


@pytest.mark.parametrize("name", ["random", "magnitude"])
def test_every_layer_comes_down_to_its_own_share_at_the_pace_of_the_schedule(name):
    c = _context()
    method = create(name, layers=(0.25, 0.1), updates=2, span=1.0, schedule="linear")
    method.start(c)
    counts, dead = [], {n: torch.zeros_like(m) for n, m in c.masks.items()}
    for c.step in range(4):
        method.after_step(c)
        assert all((~m & d == d).all() for m, d in zip(c.masks.values(), dead.values(), strict=True)), "none comes back"
        dead = {n: ~m for n, m in c.masks.items()}
        counts.append(list(c.masks.counts.values()))
    assert counts == [[200, 100], [125, 55], [125, 55], [50, 10]]
    if name == "magnitude":
        w = c.model[1].weight.detach().abs()
        assert w[c.masks["1.weight"]].min() > 0
        assert int((w > 0).sum()) == 10


def test_a_layer_keeps_at_least_one_weight():
    c = _context(steps=1)
    method = create("random", layers=(1.0, 1e-6), updates=1, span=1.0)
    method.start(c)
    method.after_step(c)
    assert list(c.masks.counts.values()) == [200, 1]


@pytest.mark.parametrize("layers", [(0.5,), (0.5, 0.0), (0.5, 1.5), (0.1, 0.2, 0.3)])
def test_shares_fit_the_layers(layers):
    with pytest.raises(UserError, match=r"share in .0, 1. for each of 0\.weight, 1\.weight"):
        create("random", layers=layers).start(_context())
