"""Scores and budgets against hand-worked cases, brute force and the public definition at scale."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook.errors import UserError
from snnbook.pruning import global_masks
from snnbook.pruning.scores import lamp, lamp_printed, magnitude, random


def test_lamp_by_hand():
    # Squares .01 .04 .25 1 4; sums of those at least as large: 5.3 5.29 5.25 5 4.
    w = torch.tensor([0.5, -0.1, 2.0, 0.2, -1.0])
    expected = torch.tensor([0.25 / 5.25, 0.01 / 5.3, 1.0, 0.04 / 5.29, 1 / 5], dtype=torch.float64)
    torch.testing.assert_close(lamp({"w": w})["w"], expected, rtol=1e-6, atol=0)


def test_lamp_as_printed_keeps_the_smallest():
    # Squares .01 .04 .25 1 4; sums of those at most as large: .01 .05 .30 1.30 5.30. The largest goes first.
    w = torch.tensor([0.5, -0.1, 2.0, 0.2, -1.0])
    expected = torch.tensor([0.25 / 0.30, 1.0, 4 / 5.30, 0.04 / 0.05, 1 / 1.30], dtype=torch.float64)
    torch.testing.assert_close(lamp_printed({"w": w})["w"], expected, rtol=1e-6, atol=0)
    assert global_masks(lamp_printed({"w": w}), 0.2)["w"].tolist() == [True, True, False, True, True]


@given(st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_lamp_by_brute_force(values):
    w = torch.tensor(values, dtype=torch.float64)
    score = lamp({"w": w})["w"]
    ranked = sorted(range(len(values)), key=lambda i: (-abs(values[i]), i))
    for rank, i in enumerate(ranked):
        tail = sum(values[j] ** 2 for j in ranked[: rank + 1])
        assert score[i].item() == pytest.approx(values[i] ** 2 / tail if tail > 1e-300 else 0.0, abs=1e-12)


def test_lamp_is_right_beyond_the_integers_of_float32():
    # Equal weights: the k-th in rank has k weights at least as large, so its score is 1/k. Float32 sums stop at 2^24.
    n = 18_000_000
    score = lamp({"w": torch.ones(n)})["w"]
    for k in (1, 2, 3, 1000, n // 2, n - 1, n):
        assert score[k - 1].item() == pytest.approx(1 / k, rel=1e-12)


def test_largest_weight_of_every_layer_scores_one_so_no_layer_is_emptied():
    g = torch.Generator().manual_seed(0)
    weights = {f"l{i}": torch.randn(50, generator=g) * 10.0**-i for i in range(4)}
    masks = global_masks(lamp(weights), 0.97)
    assert all(m.any() for m in masks.values())
    assert not all(m.any() for m in global_masks(magnitude(weights), 0.97).values())


@given(st.integers(0, 1000), st.floats(0, 0.98), st.booleans())
@settings(max_examples=60, deadline=None)
def test_survivors_are_counted_exactly_and_the_dead_stay_dead(seed, sparsity, ties):
    g = torch.Generator().manual_seed(seed)
    weights = {"a": torch.randn(13, 7, generator=g), "b": torch.randn(40, generator=g)}
    scores = {n: w.round() if ties else w for n, w in magnitude(weights).items()}
    alive = {n: torch.rand(w.shape, generator=g) < 0.7 for n, w in weights.items()}
    total = sum(int(m.sum()) for m in alive.values())
    masks = global_masks(scores, sparsity, alive)
    assert sum(int(m.sum()) for m in masks.values()) == round((1 - sparsity) * total)
    assert all(not (masks[n] & ~alive[n]).any() for n in masks)
    kept = torch.cat([scores[n][masks[n]] for n in masks])
    lost = torch.cat([scores[n][alive[n] & ~masks[n]] for n in masks])
    assert not len(lost) or kept.min() >= lost.max()


def test_rounds_of_a_quarter_reach_the_printed_sparsities():
    # Paper A's weights: 5Conv2FC has 1,697,024 of 1,698,926 parameters; 98.11 % after 14 rounds over all parameters.
    alive, scores = None, {"w": torch.rand(1_697_024, generator=torch.Generator().manual_seed(0))}
    for _ in range(14):
        alive = global_masks(scores, 0.25, alive)
    left = int(alive["w"].sum()) + 1_698_926 - 1_697_024
    assert 100 * (1 - left / 1_698_926) == pytest.approx(98.11, abs=0.005)


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 1.5, float("nan")])
def test_sparsity_out_of_range(sparsity):
    with pytest.raises(UserError, match="sparsity must lie in"):
        global_masks({"w": torch.rand(4)}, sparsity)


def test_nan_and_emptying_are_refused():
    with pytest.raises(UserError, match="NaN"):
        global_masks(magnitude({"w": torch.tensor([1.0, float("nan")])}), 0.5)
    with pytest.raises(UserError, match="leaves none"):
        global_masks({"w": torch.rand(10)}, 0.96)


def test_random_follows_its_generator():
    a, b = (random({"w": torch.zeros(9)}, torch.Generator().manual_seed(s))["w"] for s in (1, 1))
    assert torch.equal(a, b)
