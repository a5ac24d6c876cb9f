"""SET by hand: fractions by sign, growth at random, dropped weights are gone."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create
from snnbook.pruning.parts.drop_and_grow import without_nearest_to_zero


def _context(values, seed=0):
    model = nn.Linear(len(values), 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([values]))
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(seed), steps=2)
    c.masks["weight"] = model.weight != 0
    c.optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    c.optimizer.state[model.weight]["momentum_buffer"] = torch.full((1, len(values)), 7.0)
    return c, model.weight


def _once(c, **settings):
    # 2 steps, one update: it follows the first step, and after the second nothing is exchanged.
    method = create("set", updates=1, span=1.0, fraction=0.5, **settings)
    for c.step in range(2):
        method.after_step(c)


VALUES = [0.1, 0.2, 0.3, 0.4, -0.1, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_set_by_hand():
    # Half of the four positive weights, 0.1 and 0.2, and half of the two negative ones, -0.1, go. Three grow, at zero
    # and without momentum, anywhere but where 0.3, 0.4 and -0.5 are.
    c, w = _context(VALUES)
    _once(c)
    assert c.masks.alive == 6
    assert w[0].nonzero().flatten().tolist() == [2, 3, 5]
    grown = c.masks["weight"][0].clone()
    grown[[2, 3, 5]] = False
    assert grown.sum() == 3
    assert (c.optimizer.state[w]["momentum_buffer"][0][grown] == 0).all()
    assert (c.optimizer.state[w]["momentum_buffer"][0][[2, 3, 5]] == 7).all()


def test_what_is_dropped_comes_back_only_as_a_new_weight():
    # A full layer: the only free places are those of the weights that were dropped.
    c, w = _context(VALUES[:6])
    _once(c)
    assert c.masks["weight"].all()
    assert w[0].tolist() == pytest.approx([0, 0, 0.3, 0.4, 0, -0.5])
    assert c.optimizer.state[w]["momentum_buffer"][0].tolist() == [0, 0, 7, 7, 0, 7]


def test_growth_is_uniform_over_the_free_places():
    # Three of nine places: each is taken in a third of 900 cases, 300 with a deviation of 14.
    counts = torch.zeros(12)
    for seed in range(900):
        c, _ = _context(VALUES, seed)
        _once(c)
        counts += c.masks["weight"][0]
    free = counts[[0, 1, 4, 6, 7, 8, 9, 10, 11]]
    assert free.sum() == 2700
    assert (free - 300).abs().max() < 70


def test_new_weights_may_start_with_noise():
    c, w = _context(VALUES)
    _once(c, noise=0.1)
    assert torch.equal(w != 0, c.masks["weight"])
    assert w[0, [2, 3, 5]].tolist() == pytest.approx([0.3, 0.4, -0.5])
    with pytest.raises(UserError, match="noise"):
        create("set", noise=-0.1)


def test_how_many_go_beside_the_authors_code():
    # 200 positive and 210 negative weights, 30 %: the authors' code, run on them, keeps 139 and 147. It drops one
    # positive weight more than 30 % of 200, the one at its threshold.
    w = torch.cat([torch.rand(200) + 0.1, -torch.rand(210) - 0.1])
    kept = without_nearest_to_zero(w, w != 0, 0.3)
    assert (int((kept & (w > 0)).sum()), int((kept & (w < 0)).sum())) == (140, 147)
