"""Growing regularisation by hand."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create


def _net():
    """Three layers; the rows of the second have mean |w| 0.1, 0.4, 0.2, 0.3."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    model[2].weight.data = torch.tensor([0.1, -0.4, 0.2, 0.3])[:, None].repeat(1, 3)
    return model


def _context(model, steps=10):
    c = Context(model, Masks.ones(model), torch.Generator(), steps=steps)
    c.samples = lambda n: (torch.rand(n, 2), torch.zeros(n, dtype=torch.long))
    return c


def _levels(c, method, row):
    """What is added to the gradient of a row's weights, over these weights, step by step."""
    levels = []
    for step in range(c.steps):
        c.step = step
        for p in c.model.parameters():
            p.grad = torch.zeros_like(p)
        method.before_step(c)
        method.after_backward(c)
        levels.append((c.weights["2.weight"].grad / c.weights["2.weight"])[row, 0].item())
    return levels


def test_the_level_of_the_chosen_filters_grows_in_equal_raises_and_is_held():
    # Half of four rows: 0 and 2. Growth over four fifths of 10 steps in 4 raises to 2: 0.5, 1, 1.5, 2, two steps each.
    c = _context(_net())
    method = create("greg", channels=0.5, strength=2.0, updates=4, span=1.0)
    method.start(c)
    assert _levels(c, method, 0) == pytest.approx([0.5, 0.5, 1, 1, 1.5, 1.5, 2, 2, 2, 2])
    assert _levels(c, method, 2)[-1] == pytest.approx(2)
    assert _levels(c, method, 1) == _levels(c, method, 3) == [0.0] * 10
    assert (c.weights["0.weight"].grad == 0).all(), "the first layer stays"
    c.step = 9
    method.after_step(c)
    assert c.masks["2.weight"].any(1).tolist() == [False, True, False, True]
    assert c.masks["4.weight"].any(0).tolist() == [False, True, False, True]
    assert c.masks["0.weight"].all()
    assert c.masks.alive == 6 + 2 * 3 + 2 * 2
    method.finish(c)
    assert (c.model[2].out_features, c.model[4].in_features) == (2, 2)


def test_the_second_variant_chooses_after_a_penalty_on_all():
    # 12 steps before the cut: 3 of picking, 0.01 at the end of them. Then rows 1 and 3 have become the smallest.
    c = _context(_net(), steps=12)
    method = create("greg", channels=0.5, strength=2.0, updates=1, span=1.0, variant=2)
    method.start(c)
    assert _levels(c, method, 1)[:4] == pytest.approx([0.01 / 3, 0.02 / 3, 0.01, 0])
    assert _levels(c, method, 0)[:4] == pytest.approx([0.01 / 3, 0.02 / 3, 0.01, 2])
    c.set_weights({"2.weight": torch.tensor([0.4, 0.1, 0.3, 0.2])[:, None].repeat(1, 3)})
    assert _levels(c, method, 1)[3:] == pytest.approx([2] * 9)


def test_the_first_layer_goes_where_no_other_can():
    for frozen, left in (("", [4, 2]), ("2.weight", [2, 4])):  # without its columns the second layer keeps its rows
        model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 4), nn.Linear(4, 2))
        for name, p in model.named_parameters():
            p.requires_grad_(name != frozen)
        c = _context(model, steps=1)
        method = create("greg", channels=0.5, span=1.0)
        method.start(c)
        method.after_step(c)
        assert [int(model[i].weight.any(1).sum()) for i in (0, 1)] == left


def test_shares_are_rounded_up_and_a_layer_keeps_a_channel():
    # ceil(0.3 * 4) = 2 of four rows go; of 0.99 of them all but one.
    for channels, left in ((0.3, 2), (0.99, 1)):
        c = _context(_net(), steps=1)
        method = create("greg", channels=channels, span=1.0)
        method.start(c)
        method.after_step(c)
        assert [int(c.masks[f"{i}.weight"].any(1).sum()) for i in (0, 2)] == [3, left]


def test_the_penalty_drives_the_chosen_filters_to_zero():
    model = _net()
    c = _context(model, steps=60)
    c.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    method = create("greg", strength=5.0, span=1.0)
    method.start(c)
    before = model[2].weight.detach().abs().mean(1)
    for c.step in range(59):
        c.optimizer.zero_grad()
        model(torch.rand(4, 2)).square().mean().backward()
        method.after_backward(c)
        c.optimizer.step()
    ratio = model[2].weight.detach().abs().mean(1) / before
    assert (ratio[[0, 2]] < 0.01).all()
    assert (ratio[[1, 3]] > 0.5).all()


@pytest.mark.parametrize("bad", [{"channels": 1.0}, {"variant": 3}, {"updates": 0}, {"strength": -1.0}, {"span": 0.0}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(UserError):
        create("greg", **bad)
