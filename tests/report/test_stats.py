from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnbook.errors import UserError
from snnbook.report import stats


def test_mean_sd():
    assert stats.mean_sd([1, 2, 3]) == (2.0, 1.0)
    mean, sd = stats.mean_sd([4])
    assert mean == 4
    assert math.isnan(sd)
    assert all(map(math.isnan, stats.mean_sd([])))


def test_student_t_interval_by_hand():
    # 1, 2, 3: mean 2, s.e. 1/sqrt(3), t(0.975, 2) = 4.302653
    found = stats.mean_interval([1, 2, 3])
    half = 4.302653 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half), rel=1e-6)
    assert found.n == 3


def test_one_value_has_no_interval():
    assert stats.mean_interval([2.5]) == stats.Interval(2.5, -math.inf, math.inf, 1)
    assert stats.mean_interval([]).n == 0


def test_nan_stays_nan():
    assert math.isnan(stats.mean_interval([1, math.nan, 2]).low)


def test_pairs_are_matched_by_seed():
    difference = stats.paired({0: 5.0, 2: 7.0, 3: 1.0}, {2: 1.0, 0: 2.0, 9: 4.0})
    assert list(difference.items()) == [(0, 3.0), (2, 6.0)]


def test_pairing_removes_what_seeds_share():
    seed_effect = np.array([0.0, 10.0, 20.0, 30.0])
    ours, theirs = (dict(enumerate(x)) for x in (seed_effect + np.array([1, 1.1, 0.9, 1]), seed_effect))
    found = stats.mean_interval(list(stats.paired(ours, theirs).values()))
    assert 0.8 < found.low < 1 < found.high < 1.2


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [stats.mean_interval(rng.standard_normal(5)) for _ in range(2000)]
    covered = np.mean([i.low <= 0 <= i.high for i in found])
    assert 0.935 < covered < 0.965


def test_student_t_test_by_hand():
    # 1, 2, 3: t = 2 sqrt(3) on 2 degrees of freedom, where p = 1 - t / sqrt(t^2 + 2)
    assert stats.p_value([1, 2, 3]) == pytest.approx(1 - math.sqrt(12 / 14))
    assert stats.p_value([-1, -2, -3]) == stats.p_value([1, 2, 3])
    assert (stats.p_value([2, 2]), stats.p_value([0, 0])) == (0, 1)
    assert stats.p_value([1e-14, 0, -1e-14]) == 1
    assert all(map(math.isnan, map(stats.p_value, ([], [1], [1, math.nan]))))


def test_the_test_and_the_interval_agree():
    rng = np.random.default_rng(0)
    for values in rng.standard_normal((200, 5)) + 1:
        found = stats.mean_interval(values)
        assert (stats.p_value(values) < 0.05) == (not found.low <= 0 <= found.high)


def test_rank_correlation():
    assert stats.rank_correlation([1, 2, 9], [0, 5, 6]) == pytest.approx(1)
    assert stats.rank_correlation([1, 2, 3, 4], [2, 1, 4, 3]) == pytest.approx(1 - 6 * 4 / (4 * 15))
    assert math.isnan(stats.rank_correlation([1, 2, 3], [7, 7, 7]))


def test_one_side_of_the_test_and_the_interval_agree():
    rng = np.random.default_rng(1)
    for x in rng.standard_normal((200, 4)) + 0.8:
        found = stats.mean_interval(x)
        assert (stats.p_less(-x, 0) <= 0.025) == (found.low >= 0)
        assert 2 * min(stats.p_less(x, 0), stats.p_less(-x, 0)) == pytest.approx(stats.p_value(x))
    # 1, 2, 3 against 4: t = -2 / (1 / sqrt(3)), two degrees of freedom
    assert stats.p_less([1, 2, 3], 4) == pytest.approx(0.0370899, rel=1e-5)


def test_a_one_sided_test_without_spread_or_numbers():
    assert [stats.p_less([0.3, 0.3, 0.3], at) for at in (0.2, 0.3, 0.4)] == [1, 1, 0]
    assert stats.p_less([0.1 + 0.2, 0.3], 0.3) == 1, "but for rounding the same"
    assert [stats.p_less(x, 0) for x in ([], [-1.0], [-1.0, math.nan])] == [1, 1, 1]
    assert not stats.same([])
    assert not stats.same([1.0, math.nan])


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1, and never below one before.
    assert stats.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert stats.holm([0.5, math.nan, 0.9]) == pytest.approx([1, math.nan, 1], nan_ok=True)
    assert stats.holm([]).shape == (0,)


def test_holm_keeps_the_rate_of_false_alarms_among_all():
    rng = np.random.default_rng(0)
    families = rng.standard_normal((1000, 10, 5))
    alarms = np.mean([any(stats.separated(family)) for family in families])
    assert 0.03 < alarms < 0.07  # ten tests at 5 % each would give 0.4


def test_wilson_by_hand():
    # Newcombe 1998, Table I, method 3: 81 of 263, and 0 of 20
    assert stats.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert stats.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    with pytest.raises(UserError):
        stats.wilson(3, 2)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_estimate_and_stays_in_range(case):
    k, n = case
    low, high = stats.wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert (1 - high, 1 - low) == pytest.approx(stats.wilson(n - k, n))
