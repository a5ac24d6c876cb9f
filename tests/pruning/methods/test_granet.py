"""GraNet by hand; the schedule of its public code, and the last cut that it leaves out."""

from itertools import pairwise

import torch
from torch import nn

from snnbook.pruning import Context, Masks, create


def test_granet_by_hand():
    # Weights 1 to 8. The cut after step 2 of 4 leaves 5 to 8. The share exchanged is then 0.005 + 0.495 / 2 = 0.2525,
    # of four weights 1.01, rounded up 2: 5 and 6 are dropped, and of all but 7 and 8 those of 1 and 6 have the largest
    # gradients. 6 was dropped just now and keeps its value and momentum; 1 was cut and starts anew.
    model = nn.Linear(8, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.arange(1.0, 9).view(1, 8))
    model.weight.grad = torch.tensor([[9.0, 0, 1, 0, 2, 8, 0, 0]])
    c = Context(model, Masks.ones(model), torch.Generator(), steps=4)
    c.optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    c.optimizer.state[model.weight]["momentum_buffer"] = torch.full((1, 8), 7.0)
    method = create("granet", sparsity=0.5, initial=0.0, updates=1, span=0.5)
    method.start(c)
    assert c.masks.alive == 8
    for c.step in range(4):
        method.after_step(c)
    # After the last step, where the next exchange is due, nothing is: nothing would train what grew.
    assert c.masks["weight"].int().tolist() == [[1, 0, 0, 0, 0, 1, 1, 1]]
    assert model.weight.tolist() == [[0, 0, 0, 0, 0, 6, 7, 8]]
    assert c.optimizer.state[model.weight]["momentum_buffer"][0, [0, 5, 6, 7]].tolist() == [0, 7, 7, 7]
    assert c.log["grown"] == [1]


def test_the_schedule_is_that_of_the_public_code_with_the_last_cut():
    # The public code (with the tie at its threshold kept), trained by SGD from 50 % to 10 % of these 6032 weights with
    # K = 10 of 16 exchanges, had our masks to the last weight for nine cuts, and these counts. It stays at 606, a
    # thousandth of the range short of the 603 of 10 %.
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(288, 20), nn.Linear(20, 10))
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=16)
    method = create("granet", sparsity=0.9, initial=0.5, updates=10, span=0.625)
    method.start(c)
    counts, masks = [c.masks.alive], []
    for c.step in range(16):
        for w in c.weights.values():
            w.grad = torch.randn_like(w)
        method.after_step(c)
        counts.append(c.masks.alive)
        masks.append(torch.cat([m.flatten() for m in c.masks.values()]))
    assert counts == [3016, 2362, 1839, 1431, 1124, 905, 758, 668, 623, 606] + [603] * 7
    assert all((a != b).any() for a, b in pairwise(masks[9:-1])), "exchanges go on to the end"
    assert torch.equal(masks[-1], masks[-2])


def test_a_start_that_is_sparser_than_the_end_is_at_the_end_from_the_start():
    model = nn.Linear(10, 10)
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=25)
    create("granet", sparsity=0.3, initial=0.8).start(c)
    assert c.masks.alive == 70
