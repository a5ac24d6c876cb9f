"""Network slimming by hand."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create


def _net(first=(0.1, -0.4, 0.2, 0.3), second=(0.5, 0.05, -0.6)):
    """Two layers of 4 and 3 channels with batch norm and a third without, 1x1: 4 + 12 + 6 weights."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Conv2d(3, 2, 1))
    model[1].weight.data, model[4].weight.data = torch.tensor(first), torch.tensor(second)
    return model


def _context(model, steps=4):
    x = torch.rand(5, 1, 2, 2)
    c = Context(model, Masks.ones(model), torch.Generator(), steps=steps)
    c.samples = lambda n: (x[:n], torch.zeros(min(n, 5), dtype=torch.long))
    return c


def test_the_smallest_scales_of_the_whole_network_go_at_the_cut():
    # |gamma|: 0.1 0.4 0.2 0.3 and 0.5 0.05 0.6. Three of seven go: 0.05, 0.1, 0.2. So the first layer keeps rows 1
    # and 3, the second rows 0 and 2 and columns 1 and 3, the third columns 0 and 2: 2 + 2 * 2 + 2 * 2 = 10 weights.
    # The public code, which keeps what is above the sorted value number int(7 * 3 / 7), would take 0.3 as well.
    model = _net()
    c = _context(model)
    method = create("nslim", channels=3 / 7, strength=0.01)
    method.start(c)
    assert method.penalty(c).item() == pytest.approx(0.01 * (0.1 + 0.4 + 0.2 + 0.3 + 0.5 + 0.05 + 0.6))
    method.after_step(c)
    assert c.masks.alive == 22
    c.step = 1
    method.after_step(c)  # step 2 of 4: half the training
    assert c.masks["0.weight"].flatten().tolist() == [False, True, False, True]
    assert c.masks["3.weight"][..., 0, 0].tolist() == [[False, True, False, True], [False] * 4, [False, True] * 2]
    assert c.masks["6.weight"][..., 0, 0].tolist() == [[True, False, True]] * 2
    assert (c.masks.alive, c.log["channels"]) == (10, [4, 7])
    for m, dead in ((model[0], [0, 2]), (model[1], [0, 2]), (model[3], [1]), (model[4], [1])):
        assert (m.bias[dead] == 0).all()
    assert model[1].weight[[0, 2]].tolist() == [0, 0]
    c.step = 2
    assert method.penalty(c) == 0.0
    method.finish(c)
    assert [m.weight.numel() for m in c.model if isinstance(m, nn.Conv2d)] == [2, 4, 4]
    assert torch.equal(c.model[3].weight[..., 0, 0], model[3].weight[[0, 2]][:, [1, 3], 0, 0])


def test_dead_channels_stay_dead_through_momentum_and_decay():
    model = _net()
    c = _context(model)
    c.optimizer = torch.optim.Adam(model.parameters(), lr=0.1, weight_decay=0.1)
    method = create("nslim", channels=3 / 7)
    method.start(c)
    for c.step in range(4):
        c.optimizer.zero_grad()
        (model(torch.rand(8, 1, 2, 2)).square().sum() + method.penalty(c)).backward()
        c.optimizer.step()
        method.after_step(c)
        c.masks.apply(c.weights)
    dead = ~method.removable.keep(method.removable.norms["1"])
    assert dead.any()
    assert (model[1].weight[dead] == 0).all()
    assert (model[1].bias[dead] == 0).all()
    assert (model[0].bias[dead] == 0).all()


def test_gammas_of_equal_size_and_layers_that_would_be_emptied():
    c = _context(_net((0.1,) * 4, (0.9,) * 3), steps=1)
    method = create("nslim", channels=4 / 7, span=1.0)
    method.start(c)
    with pytest.warns(UserWarning, match="all channels of 0"):
        method.after_step(c)
    assert c.masks["0.weight"].flatten().tolist() == [True, False, False, False]
    assert c.log["rescued"] == ["0"]


@pytest.mark.parametrize(
    "bad",
    [{"channels": 1.0}, {"channels": -0.1}, {"strength": -1.0}, {"span": 0.0}, {"span": 2.0}, {"channels": "half"}],
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(UserError):
        create("nslim", **bad)


def test_a_network_without_batch_norm_is_refused():
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    with pytest.raises(UserError, match="batch norm"):
        create("nslim").start(_context(model))
