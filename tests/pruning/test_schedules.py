"""When masks are updated, and how fast the share that is exchanged falls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnbook.pruning.schedules import cosine, cubic, update_number


def test_cosine_by_hand():
    # cos 0 = 1, cos 60 degrees = 1/2, cos 90 degrees = 0, cos 180 degrees = -1.
    assert [cosine(0.4, 0.0, x) for x in (0, 1 / 3, 1 / 2, 1)] == pytest.approx([0.4, 0.3, 0.2, 0])
    assert [cosine(0.5, 0.1, x) for x in (0, 1 / 2, 1)] == pytest.approx([0.5, 0.3, 0.1])


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_schedules_stay_between_their_ends_and_never_turn(first, last, done):
    low, high = sorted((first, last))
    assert low - 1e-12 <= cosine(first, last, done) <= high + 1e-12
    assert cosine(first, last, done) - last == pytest.approx((first - last) * cosine(1, 0, done), abs=1e-12)
    assert 0 <= cubic(done * 0.9) <= cubic(done) <= 1


def test_updates_by_hand():
    # 4 updates in half of 40 steps: after steps 5, 10, 15, 20.
    assert {s: update_number(s, 40, 4, 0.5) for s in range(1, 41) if update_number(s, 40, 4, 0.5)} == {
        5: 1,
        10: 2,
        15: 3,
        20: 4,
    }
    # 6 updates in 3 steps: two on each, numbered by the second.
    assert [update_number(s, 3, 6) for s in (1, 2, 3)] == [3, 5, 6]


@given(st.integers(1, 60), st.integers(1, 80), st.floats(0.01, 1))
def test_the_last_update_always_comes_and_comes_on_time(updates, steps, span):
    found = {s: update_number(s, steps, updates, span) for s in range(1, steps + 1)}
    found = {s: number for s, number in found.items() if number}
    assert list(found.values()) == sorted(set(found.values()))
    assert max(found.values()) == updates
    for s, number in found.items():
        assert s <= number * span * steps / updates + 1
    assert abs(max(found) - max(1, span * steps)) <= 0.5 + 1e-9
