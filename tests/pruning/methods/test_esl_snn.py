"""ESL-SNN by hand: its pruning rules and its growth rules."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.pruning import Context, Masks, create


def _grown(**settings):
    # Four of eight weights; two updates in three steps, the first after step 1: the fraction is 0.6 (1 + cos 60)/2 =
    # 0.45, which rounds down to one of four.
    model = nn.Linear(8, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.2, 0.5, -0.1, -0.9, 0, 0, 0, 0]]))
    model.weight.grad = torch.tensor([[0.0, 0, 0, 0, 1, 2, 3, 4]])
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=3)
    c.masks["weight"] = model.weight != 0
    c.optimizer = torch.optim.Adam(model.parameters())
    c.optimizer.state[model.weight] |= {
        "exp_avg": torch.tensor([[0, 0, 0, 0, 0.1, 0.4, 0.2, 0.3]]),
        "exp_avg_sq": torch.tensor([[1, 1, 1, 1, 0.0001, 0.04, 0.01, 0.01]]),
    }
    create("esl_snn", updates=2, span=1.0, fraction=0.6, **settings).after_step(c)
    assert c.masks.alive == 4
    return c.masks["weight"][0].nonzero().flatten().tolist()


def test_esl_snn_by_hand():
    # The smallest of the four is -0.1. Momentum over its spread: 10, 2, 2, 3; the gradient: 1, 2, 3, 4.
    assert _grown() == [0, 1, 3, 4]
    assert _grown(growth="gradient") == [0, 1, 3, 7]
    kept = _grown(growth="random")
    assert {0, 1, 3} < set(kept)


def test_pruning_by_sign_takes_a_fraction_of_each():
    # 0.45 of two positive and of two negative weights rounds down to none: nothing is exchanged.
    assert _grown(prune="set") == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"prune": "sets"}, "did you mean set"), ({"growth": "momentun"}, "did you mean momentum")],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        create("esl_snn", **settings)
