"""RigL by hand, and as the authors' code does it."""

import pytest
import torch
from torch import nn

from snnbook.pruning import Context, Masks, create
from snnbook.pruning.schedules import cosine


def _context():
    model = nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.1, -0.5, 0.3, 0.2], [0, 0, 0, -0.9]]))
    model.weight.grad = torch.tensor([[9.0, 1, 1, -0.1], [2, -3, 0.5, 1]])
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=100)
    c.masks["weight"] = model.weight != 0
    c.optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    c.optimizer.state[model.weight]["momentum_buffer"] = torch.full((2, 4), 7.0)
    return c, model.weight


# With one update in the middle, f = fraction / 2. The numbers are what the authors' code gives for f = 0.2 and 0.4:
# of five weights int(5 f) = 1 and 2 are dropped, 0.1 first. Its gradient is the largest of all, so it stays each time.
@pytest.mark.parametrize(
    ("f", "weights", "alive", "momentum"),
    [
        (0.2, [[0.1, -0.5, 0.3, 0.2], [0, 0, 0, -0.9]], [[1, 1, 1, 1], [0, 0, 0, 1]], [[7, 7, 7, 7], [7, 7, 7, 7]]),
        (0.4, [[0.1, -0.5, 0.3, 0.0], [0, 0, 0, -0.9]], [[1, 1, 1, 0], [0, 1, 0, 1]], [[7, 7, 7, 7], [7, 0, 7, 7]]),
    ],
)
def test_rigl_as_the_authors_code_does_it(f, weights, alive, momentum):
    c, w = _context()
    c.step = 49
    create("rigl", updates=1, span=1.0, fraction=2 * f).after_backward(c)
    assert c.masks["weight"].int().tolist() == alive
    torch.testing.assert_close(w.detach(), torch.tensor(weights))
    assert c.optimizer.state[w]["momentum_buffer"].int().tolist() == momentum


def test_no_step_is_taken_where_the_masks_change():
    c, w = _context()
    c.step = 49
    create("rigl", updates=1, span=1.0, fraction=0.8).after_backward(c)
    before = w.detach().clone()
    c.optimizer.step()
    assert torch.equal(before, w)


def test_without_a_second_chance_what_is_dropped_is_gone():
    # Two of five go, 0.1 and 0.2; only the dead may grow, by gradient 3 and 2, and both start at zero.
    c, w = _context()
    c.step = 49
    create("rigl", updates=1, span=1.0, fraction=0.8, again=False).after_backward(c)
    assert c.masks["weight"].int().tolist() == [[0, 1, 1, 0], [1, 1, 0, 1]]
    assert w.detach().flatten().nonzero().flatten().tolist() == [1, 2, 7]


def test_without_a_second_chance_no_more_are_dropped_than_can_grow():
    c, _ = _context()
    c.masks["weight"][:] = True
    c.masks["weight"][1, 1] = False
    c.step = 49
    create("rigl", updates=1, span=1.0, fraction=0.98, again=False).after_backward(c)
    assert c.masks.alive == 7
    assert c.masks["weight"][1, 1]


def test_updates_come_at_equal_distances_before_the_end_of_the_span_with_a_falling_share(monkeypatch):
    # Three updates before step 80 of 100: after 20, 40 and 60, with f = 0.3 (1 + cos(pi t / 80)) / 2.
    dropped = []
    c, _ = _context()
    method = create("rigl", updates=3, span=0.8, fraction=0.3)
    monkeypatch.setattr(
        "snnbook.pruning.methods.rigl.cosine", lambda *a: dropped.append((c.step + 1, cosine(*a))) or 0.0
    )
    for c.step in range(100):
        method.after_backward(c)
    assert [step for step, _ in dropped] == [20, 40, 60]
    assert [f for _, f in dropped] == pytest.approx([0.25606602, 0.15, 0.04393398])
