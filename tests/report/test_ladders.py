"""Comparisons of methods, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from report_fakes import arm_metrics, compared, rounds, small

from snnbook.errors import UserError
from snnbook.report import ladders
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


def test_two_studies_are_read_as_one():
    first, second = small(), compared({("lamp, from scratch", "90 %"): arm_metrics(80, 90.0)})
    both = ladders.joined(first, second)
    assert ladders.methods(both) == ["magnitude", "lamp", "lamp, from scratch"]
    assert both.sets == first.sets
    swapped = ladders.joined(first, second, {"lamp, from scratch": "lamp"})
    assert ladders.methods(swapped) == ["magnitude", "lamp"]
    (only,) = ladders.ladder(swapped, "digits-dvs", "lamp", "weights")
    assert only.mean == (10, 80)


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
