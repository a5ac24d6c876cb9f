"""Budgets by layer: exact totals, densities of at most 1, the proportions of the Erdős-Rényi-kernel rule."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnbook.pruning.budgets import erk, keep_top, uniform

shapes = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 20), st.integers(1, 20)),
        st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 3), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=6,
)
layers = shapes.map(lambda found: {str(i): torch.empty(shape) for i, shape in enumerate(found)})


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.integers(0, 13), st.data())
def test_keep_top_is_a_sort_by_score_and_position(scores, n, data):
    among = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    best = sorted((i for i in range(len(scores)) if among[i]), key=lambda i: (-scores[i], i))[:n]
    mask = keep_top(torch.tensor(scores, dtype=torch.float32), n, torch.tensor(among))
    assert mask.nonzero().flatten().tolist() == sorted(best)


def test_keep_top_keeps_shapes_and_puts_nan_last():
    # 3 of [[nan, 1], [-inf, 2]]: 2, 1, and of NaN and -inf, which rank the same, the first.
    score = torch.tensor([[float("nan"), 1.0], [-float("inf"), 2.0]])
    assert keep_top(score, 2).tolist() == [[False, True], [False, True]]
    assert keep_top(score, 3).tolist() == [[True, True], [False, True]]
    assert not keep_top(score, 0).any()
    assert keep_top(score, 9).all()


def test_keep_top_counts_positions_in_logical_order_whatever_the_layout():
    score = torch.zeros(2, 3, 2, 2).to(memory_format=torch.channels_last)
    assert keep_top(score, 5).flatten().nonzero().flatten().tolist() == [0, 1, 2, 3, 4]


@given(layers, st.floats(0, 1))
@pytest.mark.parametrize("rule", [erk, uniform])
def test_totals_are_exact_and_no_layer_is_empty_or_overfull(rule, weights, density):
    counts = rule(weights, density)
    assert list(counts) == list(weights)
    assert sum(counts.values()) == max(len(weights), round(density * sum(w.numel() for w in weights.values())))
    assert all(1 <= counts[n] <= w.numel() for n, w in weights.items())


@given(layers, st.floats(0.02, 1))
def test_erk_is_the_scale_at_which_capped_layers_hold_the_budget(weights, density):
    # Another way to the same numbers: a layer holds min(all, scale * sum of axes), with the scale found by bisection.
    sizes = np.array([w.numel() for w in weights.values()])
    axes = np.array([sum(w.shape) for w in weights.values()])
    low, high = 0.0, float(sizes.max())
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if np.minimum(sizes, middle * axes).sum() >= density * sizes.sum() else (middle, high)
    expected = np.minimum(sizes, high * axes)
    # Rounding and the one weight that every layer keeps move at most a weight per layer, into the largest layers.
    assert np.abs(np.array(list(erk(weights, density).values())) - expected).max() <= len(weights) + 1


def test_erk_by_hand():
    # Axes 3 + 2 = 5 of 6 weights and 10 + 10 = 20 of 100; a quarter of 106 is 26.5. Scale 26.5 / 25 = 1.06: 5.3 and
    # 21.2, so 5 and 21, together round(26.5) = 26.
    weights = {"a": torch.empty(2, 3), "b": torch.empty(10, 10)}
    assert erk(weights, 0.25) == {"a": 5, "b": 21}
    # Half is 53, scale 2.12: 10.6 of 6 weights is too much, so all 6, and 53 - 6 = 47 for the other.
    assert erk(weights, 0.5) == {"a": 6, "b": 47}


def test_erk_gives_the_densities_of_public_code():
    # GraNet's code, run on these shapes: 0.355996, 0.0913724 and 0.256317 at 10 %; 1, 0.476389 and 1 at 50 %.
    weights = {"0": torch.empty(8, 1, 3, 3), "1": torch.empty(20, 288), "2": torch.empty(10, 20)}
    assert list(erk(weights, 0.1).values()) == [round(0.355996 * 72), round(0.0913724 * 5760), round(0.256317 * 200)]
    assert list(erk(weights, 0.5).values()) == [72, round(0.476389 * 5760), 200]


def test_uniform_by_hand():
    # A tenth of 6 and of 100: 0.6 and 10, rounded 1 and 10; round(10.6) = 11 in all.
    assert uniform({"a": torch.empty(2, 3), "b": torch.empty(10, 10)}, 0.1) == {"a": 1, "b": 10}
    # Half of 5, 5 and 5 rounds to 2 each, but half of 15 to 8: the first of the largest gets two more.
    assert uniform({n: torch.empty(5, 1) for n in "abc"}, 0.5) == {"a": 4, "b": 2, "c": 2}
