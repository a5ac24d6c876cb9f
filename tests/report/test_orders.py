"""Orders of methods, worked by hand."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnbook.report import orders, stats

NAN = math.nan


def test_ranks_share_ties_and_leave_out_the_unknown():
    assert orders.ranks({"a": 5, "b": 7, "c": 5, "d": NAN}) == {"b": 1, "a": 2.5, "c": 2.5}
    assert orders.ranks({}) == {}


def test_ranks_of_each_seed_by_hand():
    # Place 1: a > b > c for seed 0, b > a = c for seed 1. Place 2: c lacks a seed and is out: b > a, so 1 and 3.
    found = orders.seed_ranks(
        {
            "a": np.array([[3.0, 1.0], [1.0, 1.0]]),
            "b": np.array([[2.0, 2.0], [2.0, 2.0]]),
            "c": np.array([[1.0, 1.0], [9.0, NAN]]),
        }
    )
    assert found["a"].tolist() == [[1, 2.5], [3, 3]]
    assert found["b"].tolist() == [[2, 1], [1, 1]]
    assert found["c"][0].tolist() == [3, 2.5]
    assert np.isnan(found["c"][1]).all()


def test_mean_ranks_are_means_over_places_with_students_interval_over_the_seeds():
    # a: ranks 1 and 2 at place 1, 1 and 2 at place 2: means 1 and 2 for the two seeds.
    by_hand = {
        "a": np.array([[3.0, 1.0]] * 2),
        "b": np.array([[2.0, 2.0]] * 2),
        "c": np.array([[1.0, 0.0], [NAN, 0.0]]),
    }
    found = orders.mean_ranks(by_hand)
    assert (found["a"].interval.estimate, found["a"].places) == (1.75, 2)  # 1 and 2, stretched 1 and 3 without c
    assert (found["c"].interval.estimate, found["c"].places) == (3, 1)
    assert found["a"].interval.n == 2
    low, high = stats.mean_interval([1, 2.5]).low, stats.mean_interval([1, 2.5]).high
    assert (low < 1, high > 3) == (True, True)
    assert (found["a"].interval.low, found["a"].interval.high) == (1, 3)  # no rank lies beyond these


def test_the_interval_of_a_rank_covers_as_often_as_it_says():
    # Four methods with as much noise as distance; what is covered is the mean rank over very many seeds.
    def drawn(rng, seeds):
        truth = np.arange(4.0)[:, None, None]
        return dict(zip("abcd", truth + rng.standard_normal((4, 6, seeds)), strict=True))

    rng = np.random.default_rng(0)
    long_run = {m: float(r.mean()) for m, r in orders.seed_ranks(drawn(rng, 20_000)).items()}
    covered = [
        rank.interval.low <= long_run[m] <= rank.interval.high
        for _ in range(100)
        for m, rank in orders.mean_ranks(drawn(rng, 5)).items()
    ]
    assert 0.92 < np.mean(covered) < 0.98


def test_a_mean_over_few_budgets_says_so():
    known = np.ones((4, 3))
    short = known.copy()
    short[3] = NAN
    found = orders.mean_ranks({"a": known, "b": 2 * known, "c": short})
    assert {m: (rank.places, rank.few) for m, rank in found.items()} == {
        "a": (4, False),
        "b": (4, False),
        "c": (3, True),
    }


def test_ranks_of_nothing():
    assert orders.mean_ranks({}) == {}
    alone = orders.mean_ranks({"a": np.array([[1.0, 2.0]])})["a"]
    assert (alone.places, alone.few) == (0, True)
    assert math.isnan(alone.interval.estimate)
    assert orders.mean_ranks({"a": np.empty((0, 2)), "b": np.empty((0, 2))})["b"].places == 0
    single = orders.mean_ranks({"a": np.array([[1.0]]), "b": np.array([[2.0]])})["b"].interval
    assert (single.estimate, single.low, single.high) == (1, -math.inf, math.inf)


def test_pairs_that_the_seeds_separate_after_holms_correction():
    # Differences: a - b 1, 1.1, 0.9 (p = 0.0033), a - c 1, 2, 3 (p = 0.074), b - c 0, 0.9, 2.1 (p = 0.24).
    values = {"a": [[3.0, 3.0, 3.0]], "b": [[2.0, 1.9, 2.1]], "c": [[2.0, 1.0, 0.0]]}
    rows = {m: np.array(v) for m, v in values.items()}
    p = stats.holm([stats.p_value((rows[x] - rows[y])[0]) for x, y in ("ab", "ac", "bc")])
    assert p[0] == pytest.approx(3 * stats.p_value([1, 1.1, 0.9]))
    assert orders.apart(rows) == [("a", "b")]
    assert orders.apart({"a": rows["a"], "b": rows["a"]}) == []


def test_a_pair_is_compared_where_both_have_a_value():
    # At the common place a is better by 1, 1.1 and 0.9; where b has none, a would be far worse.
    rows = {"a": np.array([[3.0, 3.1, 2.9], [0.0, 9.0, 0.0]]), "b": np.array([[2.0, 2.0, 2.0], [NAN, NAN, NAN]])}
    assert orders.apart(rows) == [("a", "b")]
    assert orders.apart({"a": rows["a"][1:], "b": rows["b"][1:]}) == []


def test_letters_of_ties_by_hand():
    # a and d are separated, and b from d: a, b, c are one group, c, d another.
    groups = orders.tied("abcd", [("a", "d"), ("b", "d")])
    assert groups == [["a", "b", "c"], ["c", "d"]]
    assert orders.letters(groups) == {"a": "a", "b": "a", "c": "ab", "d": "b"}
    assert orders.tied("abc", []) == [["a", "b", "c"]]
    assert orders.tied("ab", [("a", "b")]) == [["a"], ["b"]]
    assert orders.tied("", []) == []
    assert orders.letters([["x"]] * 27)["x"][-2:] == "a'"


@given(
    st.integers(2, 9).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.sampled_from(list(combinations(range(n), 2)))))
    )
)
def test_methods_share_a_letter_just_where_they_are_not_separated(case):
    n, separate = case
    names = [str(i) for i in range(n)]
    groups = orders.tied(names, [(str(a), str(b)) for a, b in separate])
    marks = orders.letters(groups)
    for a, b in combinations(range(n), 2):
        assert bool(set(marks[str(a)]) & set(marks[str(b)])) == ((a, b) not in separate)
    for group in groups:  # none is more than the others say
        rest = [set(other) for other in groups if other is not group]
        assert len(group) == 1 or any(not any({a, b} <= r for r in rest) for a, b in combinations(group, 2))


def test_kendalls_tau_and_the_turned_pairs():
    # b and c change places; of the six pairs of a, b, c, d one is turned: tau = (5 - 1) / 6. e has no second value.
    before = {"a": 4, "b": 3, "c": 2, "d": 1, "e": 9}
    found = orders.change(before, {"a": 4, "b": 2, "c": 3, "d": 1})
    assert (found.turned, found.pairs) == (1, 6)
    assert found.tau == pytest.approx(4 / 6)
    assert orders.change(before, {m: -v for m, v in before.items()}).tau == pytest.approx(-1)
    tied = orders.change({"a": 1, "b": 1}, {"a": 2, "b": 1})
    assert (tied.turned, tied.pairs) == (0, 1)
    assert math.isnan(tied.tau)
