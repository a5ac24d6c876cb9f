"""Comparisons of methods: worked by hand where a number comes out, and shown for records that are few or degenerate."""

from __future__ import annotations

import math
import warnings
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from report_fakes import record
from test_tables import Tags

from snnbook import pruning
from snnbook.errors import UserError
from snnbook.report import ladders, page
from snnbook.report.ladders import Point
from snnbook.report.pages import compare, tuning
from snnbook.report.pages import method as methods

mpl.use("agg")
ROLES = ("digits-clutter", "digits-dvs")
NAN = math.nan


def study(arms, roles=ROLES, seeds=(0, 1, 2), parent=None):
    """Records of `arms`: (method, rung) → metrics, which may depend on the seed; of all but those from scratch the
    trials go on from a start of `parent` epochs."""
    records, trials = {}, {}
    start = SimpleNamespace(epochs=parent, start=None) if parent else None
    for role in roles:
        for (method, rung), make in arms.items():
            found = [record(role, method, s, **(make(s) if callable(make) else make)) for s in seeds]
            for r in found:
                r.id = f"{method}-{role}-{rung}"
                r.environment["train_cpu_s"] = r.metrics.pop("cpu", 10.0)
            scratch = any(r.metrics.pop("scratch", False) for r in found)
            records[role, method, rung] = found
            trials[role, method, rung] = SimpleNamespace(start=None if scratch else start)
    return SimpleNamespace(records=records, study=SimpleNamespace(trials=trials))


def arm(top1, sparsity, sops=1e5, connections=0.5, epochs=8, **more):
    return {
        "top1": top1, "sparsity": sparsity, "sops": sops, "connections_alive": 1000 * connections,
        "connections_total": 1000, "neurons_alive": 50, "neurons_total": 50, "epochs": epochs, "chance": 10.0,
        "samples_test": 1000, "top1_validation": top1 - 1,
    } | more  # fmt: skip


def small(**changes):
    """Dense, and two methods at 90 and 99 %; `b` is better by 2 points and costs twice the operations."""
    return study(
        {
            ("dense", ""): arm(97, 0.0, 1e6, 1.0),
            ("magnitude", "90 %"): lambda s: arm(92 + s, 90.0, 1e5, 0.2),
            ("magnitude", "99 %"): lambda s: arm(82 + s, 99.0, 1e4, 0.02),
            ("lamp", "90 %"): lambda s: arm(94 + s, 90.0, 2e5, 0.4),
            ("lamp", "99 %"): lambda s: arm(84 + s, 99.0, 2e4, 0.04),
        }
        | changes.pop("more", {}),
        **changes,
    )


# --- accuracy at a budget


def test_accuracy_is_linear_in_the_logarithm_of_what_is_spent():
    # From (1, 80) to (100, 90): a budget of 10 is half of the way in log x, of 31.6 three quarters.
    x, y = [100, 1], [90, 80]
    assert ladders.interpolate(x, y, 10) == pytest.approx(85)
    assert ladders.interpolate(x, y, 10**1.5) == pytest.approx(87.5)
    assert ladders.interpolate(x, y, 1) == 80
    # Three rungs: only the two around the budget count.
    assert ladders.interpolate([1, 10, 100], [0, 50, 90], 10**1.5) == pytest.approx(70)


@pytest.mark.parametrize(("budget", "expected"), [(0.5, NAN), (200, NAN), (104, 90), (0.96, 80), (0, NAN), (NAN, NAN)])
def test_nothing_is_extrapolated_beyond_a_rounding(budget, expected):
    found = ladders.interpolate([1, 100], [80, 90], budget)
    assert found == expected or (math.isnan(found) and math.isnan(expected))


def test_points_without_a_value_are_left_out():
    # No operations at all has no logarithm, an unknown accuracy no value; two rungs at one cost count as their mean.
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
    found = small(more={("random", "90 %"): arm(50, 90.0, 5e4), ("nslim", "channels 0.5"): arm(90, 50.0, 8e5)})
    assert ladders.budgets(found, "digits-dvs", "sops") == {"90 %": 100, "99 %": pytest.approx(15)}
    assert ladders.budgets(found, "digits-dvs", "sparsity") == {"90 %": 10, "99 %": 1}
    with pytest.raises(UserError, match="sparsity"):
        ladders.ladder(found, "digits-dvs", "lamp", "sparsty")


def test_scores_have_a_row_for_each_set_and_budget():
    found = ladders.scores(small(), "sparsity")
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
    assert ladders.scores(found, "sparsity")["magnitude"].shape == (4, 2)


# --- order


def test_the_front_is_what_nothing_beats():
    # (1, 80) is cheapest, (3, 90) best; (2, 80) costs more than the first for as much, (3, 85) less for as much.
    spent, gained = [1, 2, 3, 3, 3, NAN], [80, 80, 90, 85, 90, 99]
    assert ladders.pareto(spent, gained) == [True, False, True, False, True, False]
    assert ladders.pareto([], []) == []


def test_the_front_of_a_study():
    # By weights lamp beats magnitude at both rungs; by operations each of the four is cheaper or better.
    assert [m for m, _ in ladders.front(small(), "digits-dvs", "sparsity")] == ["lamp", "lamp"]
    by_sops = ladders.front(small(), "digits-dvs", "sops")
    assert [(m, p.rung) for m, p in by_sops] == [
        ("magnitude", "99 %"), ("lamp", "99 %"), ("magnitude", "90 %"), ("lamp", "90 %"),
    ]  # fmt: skip


def test_ranks_share_ties_and_leave_out_the_unknown():
    assert ladders.ranks({"a": 5, "b": 7, "c": 5, "d": NAN}) == {"b": 1, "a": 2.5, "c": 2.5}
    assert ladders.ranks({}) == {}


def test_mean_ranks_by_hand():
    # Place 1: a > b > c. Place 2: c has no value for one seed and is out: b > a, stretched to 1 and 3. c: place 1 only.
    found = ladders.mean_ranks(
        {
            "a": np.array([[3.0, 3.0], [1.0, 1.0]]),
            "b": np.array([[2.0, 2.0], [2.0, 2.0]]),
            "c": np.array([[1.0, 1.0], [9.0, NAN]]),
        }
    )
    assert {m: (r.estimate, r.n) for m, r in found.items()} == {"a": (2, 2), "b": (1.5, 2), "c": (3, 1)}
    assert all(r.low == r.high == r.estimate for r in found.values())  # every draw of these seeds ranks alike


def test_the_interval_of_a_rank_covers_what_the_seeds_say():
    # a beats b for two seeds of three, and loses by more for the third: over all seeds b is first. Draws without the
    # third seed, 8 of 27, put a first.
    scores = {"a": np.array([[2.0, 2.0, 0.0]]), "b": np.array([[1.0, 1.0, 9.0]])}
    found = ladders.mean_ranks(scores)
    assert (found["b"].estimate, found["b"].low, found["b"].high) == (1, 1, 2)
    wins = [ladders.mean_ranks(scores, draws=400, seed=s, level=0.5)["b"].high for s in range(3)]
    assert wins == [2, 2, 2]  # 8/27 > 25 %
    assert found == ladders.mean_ranks(scores)
    narrow = ladders.mean_ranks(scores, draws=400, level=0.2)["b"]
    assert (narrow.low, narrow.high) == (1, 1)


def test_ranks_of_nothing():
    assert ladders.mean_ranks({}) == {}
    alone = ladders.mean_ranks({"a": np.array([[1.0, 2.0]])})["a"]
    assert alone.n == 0
    assert math.isnan(alone.estimate)
    assert ladders.mean_ranks({"a": np.empty((0, 2)), "b": np.empty((0, 2))})["b"].n == 0


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


def test_the_rung_of_the_slopes_is_the_one_with_most_methods():
    # At 90 % random has no ladder on SOPs; at 99 % all three meet on every axis.
    found = small(
        more={
            ("random", "99 %"): arm(50, 99.0, 1e4, 0.02),
            ("random", "90 %"): arm(60, 90.0, 3e4, 0.04),
            ("lamp", "99 %"): arm(84, 99.0, 1e4, 0.02),
        }
    )
    assert ladders.fullest_rung(found, "digits-dvs") == "99 %"
    assert set(ladders.at_rung(found, "digits-dvs", "99 %")["sops"]) == {"magnitude", "lamp", "random"}
    assert ladders.fullest_rung(study({("dense", ""): arm(97, 0.0)}), "digits-dvs") == ""


# --- cost


def test_epochs_and_seconds_count_the_start():
    # Dense: 8 epochs after 12, 10 s: 1.25 s an epoch, so that the start costs 15 s.
    found = study(
        {
            ("dense", ""): arm(97, 0.0, cpu=10.0),
            ("magnitude", "90 %"): arm(92, 90.0, cpu=10.0),
            ("magnitude", "99 %"): arm(82, 99.0, cpu=20.0),
            ("set", "90 %"): arm(90, 90.0, epochs=20, cpu=60.0, scratch=True),
            ("imp", "whole"): arm(95, 98.0, epochs=152, cpu=300.0, scratch=True),
        },
        parent=12,
    )
    role = "digits-dvs"
    assert ladders.total_epochs(found, (role, "magnitude", "90 %")) == 20
    assert ladders.total_epochs(found, (role, "set", "90 %")) == 20
    assert ladders.seconds(found, (role, "magnitude", "90 %")) == dict.fromkeys((0, 1, 2), 25)
    assert ladders.relative_seconds(found, role, "set") == dict.fromkeys((0, 1, 2), 2)  # 60 over the mean of 25 and 35
    assert ladders.apart(found, (role, "imp", "whole"))
    assert not ladders.apart(found, (role, "set", "90 %"))
    assert ladders.ladder(found, role, "imp", "sparsity") == []
    assert ladders.relative_seconds(found, role, "imp") == {}
    text = compare.cost_sentences(found).markdown
    assert "digits-dvs, 8 epochs after a dense start of 12: magnitude." in text
    assert "digits-dvs, 20 epochs from scratch: set." in text
    assert "imp (whole) takes 152 epochs and is shown apart." in text
    frame = compare.apart_table(found).frame
    # At 2 % left magnitude is log(5)/log(10) of the way down from 92 to 82.
    gain = 95 - (92 - 10 * math.log10(5))
    assert frame.filter(like="magnitude").iloc[0, 0].startswith(f"+{gain:.2f} [")
    assert "imp, whole" in set(compare.cost_table(found).frame["Method"])
    assert "152 epochs" in methods.standing(found, "imp").markdown


def test_without_trials_only_the_epochs_of_a_record_are_known():
    found = small()
    del found.study
    assert ladders.total_epochs(found, ("digits-dvs", "lamp", "90 %")) == 8
    assert math.isnan(ladders.total_epochs(found, ("digits-dvs", "none", "")))
    assert "from scratch" in compare.cost_sentences(found).markdown


# --- blocks


def test_every_method_has_a_family_and_a_look_of_its_own_in_it():
    members = [m for there in methods.FAMILIES.values() for m in there]
    assert set(pruning.available()) - {"dense"} <= set(members)
    assert len(members) == len(set(members))
    assert max(map(len, methods.FAMILIES.values())) <= len(methods.plots.PALETTE)
    assert len(methods.FAMILIES) <= len(methods.plots.PALETTE)
    assert methods.family("of a reader's own") == "other"


def test_where_a_method_stands():
    block = methods.standing(small(), "lamp")
    Tags(block.html)
    assert "+2.00 [+2.00, +2.00]" in block.markdown
    assert "At equal weights: mean rank 1.0 [1.0, 1.0] of 2 methods, over 4 budgets." in block.markdown
    assert "digits-dvs, 99 %: 85.0 percent with 1 percent of the weights and 20 thousand SOPs" in block.html
    assert "Neurons left" not in block.markdown
    assert "Reduced scale" in block.markdown
    assert "minus magnitude" not in methods.standing(small(), "magnitude").markdown
    with pytest.raises(UserError, match="did you mean lamp"):
        methods.standing(small(), "lam")


def test_neurons_and_smaller_networks_are_shown_where_there_are_some():
    found = small(more={("nslim", "channels 0.5"): arm(90, 50.0, 8e5, neurons_alive=25, parameters_smaller=1234)})
    text = methods.standing(found, "nslim").markdown
    assert "| 50.0 | 1234 |" in text
    assert "its ladder reaches none of the budgets" in text


def test_a_page_stands_on_its_own_records():
    found = small(more={("random", "90 %"): arm(50, 90.0)})
    part = methods.of(found, "lamp")
    assert {label[1] for label in part.records} == {"dense", "magnitude", "lamp"}
    box = page.make_box(part, "methods/lamp", {"profile": "laptop"}).markdown
    assert "30 of 10 trials" in box
    assert "random-" not in box


BLOCKS = [
    *(lambda s, axis=axis: compare.by_family(s, axis) for axis in ladders.AXES),
    *(lambda s, axis=axis: compare.leaders(s, axis) for axis in ladders.AXES),
    compare.slopes, compare.order_sentences, compare.order_table, compare.fronts, compare.front_table,
    compare.rank_picture, compare.rank_table, compare.cost_sentences, compare.cost_picture,
    compare.cost_table, compare.apart_table, compare.everything, compare.limits,
    lambda s: methods.standing(s, "magnitude"),
]  # fmt: skip
DEGENERATE = {
    "usual": small,
    "one seed and set": lambda: small(seeds=(0,), roles=("digits-dvs",)),
    "one rung, all right": lambda: study({("dense", ""): arm(100, 0.0), ("magnitude", "90 %"): arm(100, 90.0)}),
    "at chance, no operations": lambda: study(
        {(m, r): arm(10, 90.0, sops=0.0) for m, r in (("dense", ""), ("magnitude", "90 %"), ("lamp", "90 %"))}
    ),
    "no dense network, an unknown method": lambda: study(
        {("magnitude", "90 %"): arm(9, 90.0), ("mine", "90 %"): arm(9, 90.0)}
    ),
}


@pytest.fixture
def quick(monkeypatch):
    """Figures are laid out and not drawn."""
    monkeypatch.setattr(Figure, "savefig", lambda fig, *args, **settings: fig.get_layout_engine().execute(fig))


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.filterwarnings("error")
def test_every_block_can_be_shown(case, quick):
    found = DEGENERATE[case]()
    for block in BLOCKS:
        made = block(found)
        Tags(made.html)
        assert "nan" not in made.markdown


def test_a_method_without_spikes_is_drawn_without_a_warning():
    found = DEGENERATE["at chance, no operations"]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "base64," in methods.standing(found, "lamp").html


def test_a_method_may_be_missing_on_a_set(quick):
    found = small()
    for label in [label for label in found.records if label[:2] == ("digits-clutter", "lamp")]:
        del found.records[label]
    for block in BLOCKS:
        Tags(block(found).html)
    assert ladders.mean_ranks(ladders.scores(found, "sparsity"))["lamp"].n == 2
    assert "digits-clutter: not run here: lamp." in compare.limits(found).markdown
    assert "digits-clutter" not in set(methods.standing(found, "lamp").markdown.split())


def test_the_change_of_order_is_said():
    # At equal weights lamp leads, 90 to 86. The middle one of 100, 200 and 100 thousand operations is 100: there
    # magnitude has its 86, and lamp, half of the way in log from 80 at 50 to 90 at 200 thousand, 85. random stays last.
    found = study(
        {
            ("dense", ""): arm(97, 0.0),
            ("magnitude", "99 %"): arm(80, 99.0, 1e4),
            ("magnitude", "90 %"): arm(86, 90.0, 1e5),
            ("lamp", "99 %"): arm(80, 99.0, 5e4),
            ("lamp", "90 %"): arm(90, 90.0, 2e5),
            ("random", "99 %"): arm(40, 99.0, 1e4),
            ("random", "90 %"): arm(50, 90.0, 1e5),
        },
        roles=("digits-dvs",),
    )
    at = ladders.at_rung(found, "digits-dvs", "90 %")
    assert at["sparsity"] == {"magnitude": 86, "lamp": 90, "random": 50}
    assert at["sops"] == pytest.approx({"magnitude": 86, "lamp": 85, "random": 50})
    assert compare.order_sentences(found).markdown == (
        "- digits-dvs, 90 %: 1 of 3 pairs of methods change places between equal weights and equal SOPs; "
        "magnitude climbs most, from rank 2 to 1; lamp falls most, from rank 1 to 2."
    )
    frame = compare.order_table(found).frame.set_index("Budget")
    assert frame.loc["90 %", "weights → SOPs"] == "0.33 (1 of 3)"


def test_the_leaders_and_those_that_cannot_be_told_from_them():
    def noisy(s):
        return arm(94 + (1, -3, 3)[s], 90.0)

    found = study(
        {
            ("dense", ""): arm(97, 0.0),
            ("magnitude", "90 %"): lambda s: arm(95 + s / 10, 90.0),
            ("lamp", "90 %"): noisy,
            ("random", "90 %"): lambda s: arm(50 + s / 10, 90.0),
        },
        roles=("digits-dvs",),
    )
    text = compare.leaders(found, "sparsity").markdown
    assert (
        "at 10.00 (weights left, %): magnitude comes first of 3 with 95.10 ± 0.10 (3) %; not separable from it: lamp."
        in text
    )


def test_every_arm_is_in_the_file():
    frame = compare.raw(small())
    assert len(frame) == 5 * 2 * 3
    row = frame[(frame["method"] == "lamp") & (frame["rung"] == "99 %") & (frame["seed"] == 1)].iloc[0]
    assert (row["accuracy"], row["sparsity"], row["sops"], row["family"]) == (85, 1, 20, "cut")
    assert 'download="methods.csv"' in compare.everything(small()).html


def test_what_the_records_say_against_themselves():
    found = small(more={("nslim", "channels 0.5"): arm(90, 50.0, 8e5), ("random", "90 %"): arm(12, 90.0)})
    text = compare.limits(found).markdown
    assert "1000 test samples, so that one of them is 0.1 points" in text
    assert "nslim (50 %) and random (10 %)" in text
    # Guessing among 1000: 10 ± 0.95 points; 12 is within three of these.
    assert "a network that guesses, for at least one seed: random 90 %." in text


# --- tuning


def test_tuning_reads_the_validation_split_alone():
    found = study(
        {
            ("lamp", "span 0.4"): arm(90, 98.0, top1_validation=80.0),
            ("lamp", "span 0.6"): arm(95, 98.0, top1_validation=81.5),
            ("set", "fraction 0.3"): arm(94, 98.0, top1_validation=70.0),
        },
        roles=("digits-clutter",),
        seeds=(100,),
    )
    used = {("digits-clutter", "lamp", "span 0.4")}
    frame = tuning.candidates(found, used).frame
    assert frame["Validation accuracy, %"].tolist() == ["80.00", "81.50", "70.00"]
    assert frame["Mark"].tolist() == ["used", "best", "best"]
    assert frame["minus best"].tolist() == ["−1.50", "–", "–"]
    text = tuning.said(found, used).markdown
    assert "1 candidate: set." in text
    assert "2 candidates: lamp." in text
    assert "span 0.6 was better by 1.50 points than span 0.4, which is used." in text
    assert "set on digits-clutter: the comparison of this profile uses none of these candidates." in text
    everything = text + str(tuning.candidates(found, used)) + str(tuning.picture(found, used))
    Tags(tuning.picture(found, used).html)
    assert not any(test in everything for test in ("90.0", "95.0", "94.0"))
