"""Comparisons of methods, worked by hand."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_fakes import arm_metrics, compared, rounds, small

from snnbook.errors import UserError
from snnbook.report import ladders, stats
from snnbook.report.ladders import Point

NAN = math.nan


def test_accuracy_is_linear_in_the_logarithm_of_what_is_spent():
    # From (1, 80) to (100, 90): a budget of 10 is half of the way in log x, of 31.6 three quarters.
    x, y = [100, 1], [90, 80]
    assert ladders.interpolate(x, y, 10) == pytest.approx(85)
    assert ladders.interpolate(x, y, 10**1.5) == pytest.approx(87.5)
    assert ladders.interpolate(x, y, 1) == 80
    # Three levels: only the two around the budget count.
    assert ladders.interpolate([1, 10, 100], [0, 50, 90], 10**1.5) == pytest.approx(70)


@pytest.mark.parametrize(("budget", "expected"), [(0.5, NAN), (200, NAN), (104, 90), (0.96, 80), (0, NAN), (NAN, NAN)])
def test_nothing_is_extrapolated_beyond_a_rounding(budget, expected):
    found = ladders.interpolate([1, 100], [80, 90], budget)
    assert found == expected or (math.isnan(found) and math.isnan(expected))


def test_points_without_a_value_are_left_out():
    # No operations at all has no logarithm, an unknown accuracy no value; two levels at one cost count as their mean.
    assert ladders.interpolate([0, 1, 100, 10], [5, 80, 90, NAN], 10) == pytest.approx(85)
    assert ladders.interpolate([1, 1, 100], [70, 90, 90], 1) == 80
    assert math.isnan(ladders.interpolate([0], [50], 1))
    assert math.isnan(ladders.interpolate([], [], 1))


def test_each_seed_has_its_own_ladder_and_may_have_its_own_budget():
    points = [Point("a", {0: 1, 1: 2}, {0: 80, 1: 70}), Point("b", {0: 100, 1: 200}, {0: 90, 1: 90})]
    assert ladders.at_budget(points, 10) == pytest.approx({0: 85, 1: 70 + 20 * math.log(5) / math.log(100)})
    assert ladders.at_budget(points, {0: 1, 1: 20}) == pytest.approx({0: 80, 1: 80})
    assert ladders.at_budget([], 10) == {}


def test_budgets_are_what_the_middle_method_spends():
    # At 90 %: magnitude 100 and lamp 200 thousand, and a third method 50: the middle one is magnitude.
    found = small(
        more={("random", "90 %"): arm_metrics(50, 90.0, 5e4), ("nslim", "channels 0.5"): arm_metrics(90, 50.0, 8e5)}
    )
    assert ladders.budgets(found, "digits-dvs", "sops") == {"90 %": 100, "99 %": pytest.approx(15)}
    assert ladders.budgets(found, "digits-dvs", "weights") == {"90 %": 10, "99 %": 1}
    with pytest.raises(UserError, match="did you mean weights"):
        ladders.ladder(found, "digits-dvs", "lamp", "wieghts")


def test_scores_have_a_row_for_each_set_and_budget():
    found = ladders.scores(small(), "weights")
    assert found["lamp"].tolist() == [[94, 95, 96], [84, 85, 86]] * 2
    # Operations: budgets are 150 and 15 thousand; magnitude ends at 100, lamp at 20.
    sops = ladders.scores(small(), "sops", "digits-dvs")
    assert np.isnan(sops["magnitude"][0]).all()
    assert sops["magnitude"][1] == pytest.approx(np.array([82, 83, 84]) + 10 * math.log10(1.5))
    assert np.isnan(sops["lamp"][1]).all()


def test_a_seed_that_not_all_have_does_not_count():
    found = small()
    found.records["digits-dvs", "lamp", "90 %"].pop()
    assert ladders.common_seeds(found) == [0, 1]
    assert ladders.scores(found, "weights")["magnitude"].shape == (4, 2)


def test_the_front_is_what_nothing_beats():
    # (1, 80) is cheapest, (3, 90) best; (2, 80) costs more than the first for as much, (3, 85) less for as much.
    spent, gained = [1, 2, 3, 3, 3, NAN], [80, 80, 90, 85, 90, 99]
    assert ladders.pareto(spent, gained) == [True, False, True, False, True, False]
    assert ladders.pareto([], []) == []


def test_the_front_of_a_study():
    # By weights lamp beats magnitude at both levels; by operations each of the four is cheaper or better.
    assert [m for m, _ in ladders.front(small(), "digits-dvs", "weights")] == ["lamp", "lamp"]
    by_sops = ladders.front(small(), "digits-dvs", "sops")
    assert [(m, p.level) for m, p in by_sops] == [
        ("magnitude", "99 %"), ("lamp", "99 %"), ("magnitude", "90 %"), ("lamp", "90 %"),
    ]  # fmt: skip


def test_ranks_share_ties_and_leave_out_the_unknown():
    assert ladders.ranks({"a": 5, "b": 7, "c": 5, "d": NAN}) == {"b": 1, "a": 2.5, "c": 2.5}
    assert ladders.ranks({}) == {}


def test_ranks_of_each_seed_by_hand():
    # Place 1: a > b > c for seed 0, b > a = c for seed 1. Place 2: c lacks a seed and is out: b > a, so 1 and 3.
    found = ladders.seed_ranks(
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
    found = ladders.mean_ranks(by_hand)
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
    long_run = {m: float(r.mean()) for m, r in ladders.seed_ranks(drawn(rng, 20_000)).items()}
    covered = [
        rank.interval.low <= long_run[m] <= rank.interval.high
        for _ in range(100)
        for m, rank in ladders.mean_ranks(drawn(rng, 5)).items()
    ]
    assert 0.92 < np.mean(covered) < 0.98


def test_a_mean_over_few_budgets_says_so():
    known = np.ones((4, 3))
    short = known.copy()
    short[3] = NAN
    found = ladders.mean_ranks({"a": known, "b": 2 * known, "c": short})
    assert {m: (rank.places, rank.few) for m, rank in found.items()} == {
        "a": (4, False),
        "b": (4, False),
        "c": (3, True),
    }


def test_ranks_of_nothing():
    assert ladders.mean_ranks({}) == {}
    alone = ladders.mean_ranks({"a": np.array([[1.0, 2.0]])})["a"]
    assert (alone.places, alone.few) == (0, True)
    assert math.isnan(alone.interval.estimate)
    assert ladders.mean_ranks({"a": np.empty((0, 2)), "b": np.empty((0, 2))})["b"].places == 0
    single = ladders.mean_ranks({"a": np.array([[1.0]]), "b": np.array([[2.0]])})["b"].interval
    assert (single.estimate, single.low, single.high) == (1, -math.inf, math.inf)


def test_pairs_that_the_seeds_separate_after_holms_correction():
    # Differences: a - b 1, 1.1, 0.9 (p = 0.0033), a - c 1, 2, 3 (p = 0.074), b - c 0, 0.9, 2.1 (p = 0.24).
    values = {"a": [[3.0, 3.0, 3.0]], "b": [[2.0, 1.9, 2.1]], "c": [[2.0, 1.0, 0.0]]}
    rows = {m: np.array(v) for m, v in values.items()}
    p = stats.holm([stats.p_value((rows[x] - rows[y])[0]) for x, y in ("ab", "ac", "bc")])
    assert p[0] == pytest.approx(3 * stats.p_value([1, 1.1, 0.9]))
    assert ladders.apart(rows) == [("a", "b")]
    assert ladders.apart({"a": rows["a"], "b": rows["a"]}) == []


def test_a_pair_is_compared_where_both_have_a_value():
    # At the common place a is better by 1, 1.1 and 0.9; where b has none, a would be far worse.
    rows = {"a": np.array([[3.0, 3.1, 2.9], [0.0, 9.0, 0.0]]), "b": np.array([[2.0, 2.0, 2.0], [NAN, NAN, NAN]])}
    assert ladders.apart(rows) == [("a", "b")]
    assert ladders.apart({"a": rows["a"][1:], "b": rows["b"][1:]}) == []


def test_letters_of_ties_by_hand():
    # a and d are separated, and b from d: a, b, c are one group, c, d another.
    groups = ladders.tied("abcd", [("a", "d"), ("b", "d")])
    assert groups == [["a", "b", "c"], ["c", "d"]]
    assert ladders.letters(groups) == {"a": "a", "b": "a", "c": "ab", "d": "b"}
    assert ladders.tied("abc", []) == [["a", "b", "c"]]
    assert ladders.tied("ab", [("a", "b")]) == [["a"], ["b"]]
    assert ladders.tied("", []) == []
    assert ladders.letters([["x"]] * 27)["x"][-2:] == "a'"


@given(
    st.integers(2, 9).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.sampled_from(list(combinations(range(n), 2)))))
    )
)
def test_methods_share_a_letter_just_where_they_are_not_separated(case):
    n, separate = case
    names = [str(i) for i in range(n)]
    groups = ladders.tied(names, [(str(a), str(b)) for a, b in separate])
    marks = ladders.letters(groups)
    for a, b in combinations(range(n), 2):
        assert bool(set(marks[str(a)]) & set(marks[str(b)])) == ((a, b) not in separate)
    for group in groups:  # none is more than the others say
        rest = [set(other) for other in groups if other is not group]
        assert len(group) == 1 or any(not any({a, b} <= r for r in rest) for a, b in combinations(group, 2))


def test_two_studies_are_read_as_one():
    first, second = small(), compared({("lamp, from scratch", "90 %"): arm_metrics(80, 90.0)})
    both = ladders.joined(first, second)
    assert ladders.methods(both) == ["magnitude", "lamp", "lamp, from scratch"]
    assert both.sets == first.sets
    swapped = ladders.joined(first, second, {"lamp, from scratch": "lamp"})
    assert ladders.methods(swapped) == ["magnitude", "lamp"]
    (only,) = ladders.ladder(swapped, "digits-dvs", "lamp", "weights")
    assert only.mean == (10, 80)


def test_kendalls_tau_and_the_turned_pairs():
    # b and c change places; of the six pairs of a, b, c, d one is turned: tau = (5 - 1) / 6. e has no second value.
    before = {"a": 4, "b": 3, "c": 2, "d": 1, "e": 9}
    found = ladders.change(before, {"a": 4, "b": 2, "c": 3, "d": 1})
    assert (found.turned, found.pairs) == (1, 6)
    assert found.tau == pytest.approx(4 / 6)
    assert ladders.change(before, {m: -v for m, v in before.items()}).tau == pytest.approx(-1)
    tied = ladders.change({"a": 1, "b": 1}, {"a": 2, "b": 1})
    assert (tied.turned, tied.pairs) == (0, 1)
    assert math.isnan(tied.tau)


def test_the_level_of_the_slopes_is_the_one_with_most_methods():
    # At 90 % random has no ladder on SOPs; at 99 % all three meet on every axis.
    found = small(
        more={
            ("random", "99 %"): arm_metrics(50, 99.0, 1e4, 0.02),
            ("random", "90 %"): arm_metrics(60, 90.0, 3e4, 0.04),
            ("lamp", "99 %"): arm_metrics(84, 99.0, 1e4, 0.02),
        }
    )
    assert ladders.fullest_level(found, "digits-dvs") == "99 %"
    assert set(ladders.at_level(found, "digits-dvs", "99 %")["sops"]) == {"magnitude", "lamp", "random"}
    assert ladders.fullest_level(compared({("dense", ""): arm_metrics(97, 0.0)}), "digits-dvs") == ""


def test_points_are_the_ends_of_the_rounds():
    found = ladders.rounds(rounds({"S": -1.0}, noise=0.0).records["digits-dvs", "S"], "weights")
    assert len(found) == 15
    assert found[0].x == dict.fromkeys(range(5), 100.0)
    assert found[2].x[3] == pytest.approx(56.25)
    assert found[2].y == {s: 90 + s - 2 for s in range(5)}
    assert ladders.rounds([], "sops") == []
