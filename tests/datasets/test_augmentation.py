"""Augmentations move what is there, by no more than they say, and draw from the generator only."""

import math

import pytest
import torch

from snnbook.datasets import augmentation as aug


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


X = torch.arange(5 * 3 * 12 * 12, dtype=torch.float32).view(5, 3, 12, 12)
EVENTS = torch.arange(6 * 4 * 2 * 12 * 12, dtype=torch.float32).view(6, 4, 2, 12, 12)


@pytest.mark.parametrize(
    ("change", "x"),
    [
        (aug.shift_batch, X),
        (aug.crop, X),
        (aug.flip, X),
        (aug.resized_crop, X),
        (lambda x, g: aug.cutout(x, g, 5), X),
        (aug.roll, EVENTS),
        (aug.event_mix, EVENTS),
        (aug.nda, EVENTS),
    ],
)
def test_same_generator_same_change(change, x):
    before, state = x.clone(), torch.random.get_rng_state()
    first, second = change(x, generator()), change(x, generator())
    assert first.shape == x.shape
    assert torch.equal(first, second)
    assert any(not torch.equal(first, change(x, generator(s))) for s in range(1, 6))
    assert torch.equal(x, before)
    assert torch.equal(state, torch.random.get_rng_state())


def test_shift_moves_the_batch_by_at_most_one_pixel():
    inner = {X[..., 1 + dy : 11 + dy, 1 + dx : 11 + dx].sum().item() for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    assert {aug.shift_batch(X, generator(s))[..., 1:11, 1:11].sum().item() for s in range(60)} == inner


def test_roll_treats_all_frames_of_a_sample_alike():
    rolled = aug.roll(EVENTS, generator(1))
    for before, after in zip(EVENTS, rolled, strict=True):
        matches = [torch.equal(torch.roll(before, (dy, dx), (-2, -1)), after) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        assert sum(matches) == 1


def test_cutout_covers_one_square_in_all_frames():
    x = torch.ones(50, 4, 2, 12, 12)
    hole = aug.cutout(x, generator(), 5) == 0
    assert (hole == hole[:, :1, :1]).all()
    area = hole[:, 0, 0].sum((1, 2))
    assert area.max() == 25
    assert area.min() >= 4
    filled = aug.cutout(X, generator(), 12, fill=torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1))
    assert (filled[0, :, 6, 6] == torch.tensor([1.0, 2.0, 3.0])).any() or torch.equal(filled[0, :, 6, 6], X[0, :, 6, 6])


def test_crop_brings_in_the_fill():
    fill = torch.tensor([-1.0, -2.0, -3.0]).view(3, 1, 1)
    cropped = aug.crop(X, generator(3), 4, fill)
    for c in range(3):
        new = cropped[:, c][cropped[:, c] < 0]
        assert (new == fill[c]).all()


def test_rotate_by_a_quarter_turn():
    turned = aug.rotate(EVENTS, torch.full((6,), math.pi / 2))
    assert torch.allclose(turned, torch.rot90(EVENTS, 1, (-2, -1)), atol=0.1) or torch.allclose(
        turned, torch.rot90(EVENTS, -1, (-2, -1)), atol=0.1
    )
    assert torch.allclose(aug.rotate(EVENTS, torch.zeros(6)), EVENTS, atol=0.1)


def test_shear_by_hand():
    """At 45° the row y px above the middle moves by y px; rows lie at -1.5, -0.5, 0.5, 1.5 from it."""
    x = torch.zeros(2, 1, 1, 4, 4)
    x[..., 1] = 1
    leaned = aug.shear(x, torch.tensor([0.0, math.pi / 4]))
    torch.testing.assert_close(leaned[0], x[0])
    rows = [[0, 0, 0.5, 0.5], [0, 0.5, 0.5, 0], [0.5, 0.5, 0, 0], [0.5, 0, 0, 0]]
    torch.testing.assert_close(leaned[1, 0, 0], torch.tensor(rows))


def test_nda_rolls_turns_or_leans_and_mirrors_nothing(monkeypatch):
    angles = []

    def turned(to):
        return lambda x, by: angles.append(by) or torch.full_like(x, to)

    monkeypatch.setattr(aug, "rotate", turned(-1.0))
    monkeypatch.setattr(aug, "shear", turned(-2.0))
    x = torch.arange(12.0).expand(300, 2, 2, 12, 12)
    changed = aug.nda(x, generator())
    kinds = [int((changed == k).all((1, 2, 3, 4)).sum()) for k in (-1, -2)]
    rolled = [s for s in changed if s.min() >= 0]
    assert all(70 < n < 130 for n in (*kinds, len(rolled)))
    assert {int(s[0, 0, 0, 0]) for s in rolled} == {0, 1, 2, 3, 4, 5, 11, 10, 9, 8, 7}
    assert all(((s.diff() - 1) % 12 == 0).all() for s in rolled)  # still from left to right
    for by in angles:
        assert by.abs().max() <= math.pi / 6
        assert by.min() < -0.5 < 0.5 < by.max()


def test_flip_mirrors_about_half():
    x = torch.arange(4.0).expand(400, 1, 1, 4)
    assert 150 < (aug.flip(x, generator())[:, 0, 0, 0] == 3).sum() < 250
