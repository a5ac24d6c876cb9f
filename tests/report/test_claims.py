from __future__ import annotations

import math

import numpy as np
import pytest
from report_fakes import ALL_SETS, SETS, Results, ablation, falling_kl, record, rounds, study

from snnbook import headers
from snnbook.errors import UserError
from snnbook.experiments.key import Key
from snnbook.report import claims, papers
from snnbook.report.claims import (
    FAILS,
    HOLDS,
    NOT_TESTABLE,
    UNDECIDED,
    Verdict,
    comparison,
    decide,
    paper_a,
    verdict,
)
from snnbook.report.stats import Interval

HOLDING = {"A-12", "A-13", "A-14", "A-19", "A-24"}


def outcome(claim, results, name="A.ablation"):
    return verdict(claim, {name: results}).outcome


def dense(make, sets=SETS, seeds=range(5)):
    return study({"dense": lambda data, seed: {"curves": make(seed)}}, sets, seeds)


@pytest.mark.parametrize(
    ("line", "holds", "fails", "undecided"),
    [
        ("< 0", (-2, -1), (0, 1), (-1, 1)),
        ("<= 0", (-1, 0), (0.1, 1), (-1, 0.1)),
        ("> 0.9", (0.91, 1), (0.8, 0.9), (0.8, 1)),
        (">= 0", (0, 1), (-1, -0.1), (-0.1, 1)),
        ("within 0.1", (-0.05, 0.09), (0.1, 0.3), (0.05, 0.15)),
        ("within 0.1", (-0.09, 0.09), (-0.3, -0.1), (-0.3, 0.3)),
    ],
)
def test_the_side_of_the_line_decides(line, holds, fails, undecided):
    for (low, high), wanted in ((holds, HOLDS), (fails, FAILS), (undecided, UNDECIDED)):
        assert decide(Interval((low + high) / 2, low, high, 5), line) == wanted


def test_a_clear_effect_holds():
    results = ablation()
    assert {c for c in claims.testable() if outcome(c, results) == HOLDS} == HOLDING


def test_a_clear_opposite_effect_fails():
    results = ablation(accuracy=(95, 90, 88, 80), sops=(100, 120, 130, 140), steps=(10, 10, 9, 9))
    for claim in ("A-12", "A-13", "A-14"):
        assert outcome(claim, results) == FAILS, claim


def test_noise_is_undecided():
    results = ablation(accuracy=(90, 90, 90, 90), noise=3)
    assert outcome("A-14", results) == UNDECIDED


def test_the_estimate_is_the_paired_difference():
    found = verdict("A-08", {"A.rounds": rounds({"S+T": 2 / 14}, noise=0.01)})
    assert found.estimate == pytest.approx(2, abs=0.05)
    assert found.low < found.estimate < found.high
    assert found.n == 5


@pytest.mark.parametrize("seeds", [range(1), range(2)])
def test_fewer_than_three_seeds_decide_nothing(seeds):
    full = ablation()
    few = Results({k: [r for r in v if r.seed in seeds] for k, v in full.records.items()})
    for claim in HOLDING:
        found = verdict(claim, {"A.ablation": few})
        assert found.outcome == UNDECIDED
        assert "3 seeds are needed" in found.reason
        assert found.n == len(seeds)


def test_missing_seeds_leave_the_common_ones():
    results = ablation()
    results.records["arms-dvs", "S+T"].pop(0)
    found = verdict("A-14", {"A.ablation": results})
    assert found.outcome == HOLDS
    assert {p.n for p in found.comparisons} == {4, 5}


def test_a_number_that_is_missing_decides_nothing():
    for broken in (math.nan, None):
        results = ablation()
        results.records["arms-dvs", "S"][2].metrics["sops"] = broken
        found = verdict("A-12", {"A.ablation": results})
        assert found.outcome == UNDECIDED
        assert "no number for seed 2" in found.reason
        assert found.estimate is None


def test_a_data_set_that_was_not_run_decides_nothing():
    results = ablation()
    results = Results({k: v for k, v in results.records.items() if k.data == "digits-dvs"})
    found = verdict("A-12", {"A.ablation": results})
    assert found.outcome == UNDECIDED
    assert "DVS128-Gesture" in found.reason
    assert found.stand_in == "digits-dvs (laptop)"


def test_one_failing_data_set_fails_the_claim():
    good, bad = ablation(), ablation(sops=(100, 120, 60, 6))
    mixed = Results({k: (good if k.data == SETS[0] else bad).records[k] for k in good.records})
    found = verdict("A-12", {"A.ablation": mixed})
    assert found.outcome == FAILS
    assert {(p.data, p.outcome) for p in found.comparisons if "S minus none" in p.what} == {
        ("digits-dvs", HOLDS),
        ("arms-dvs", FAILS),
    }


def test_wording_and_stand_in_follow_the_profile():
    found = verdict("A-12", {"A.ablation": ablation()})
    assert found.stand_in == "arms-dvs, digits-dvs (laptop)"
    assert "on our embedded data" in found.reason
    real = ablation(sets=("cifar10_dvs", "dvs128_gesture"))
    for records in real.records.values():
        for r in records:
            r.environment["profile"] = "paper"
    found = verdict("A-12", {"A.ablation": real})
    assert found.outcome == HOLDS
    assert found.stand_in is None
    assert "embedded" not in found.reason


def test_a_lower_sparsity_is_not_the_claims_condition():
    for claim in ("A-08", "A-27"):
        found = verdict(claim, {"A.rounds": rounds(cuts=10)})
        assert found.outcome == NOT_TESTABLE
        assert "94.4 %" in found.reason


@pytest.mark.parametrize(
    ("gain", "steps", "wanted"), [(0.1, 5, HOLDS), (0.1, 7, FAILS), (-0.2, 5, FAILS), (0.0, 5, UNDECIDED)]
)
def test_all_that_the_abstract_promises_at_once(gain, steps, wanted):
    assert outcome("A-27", rounds({"S+T": gain}, steps=steps), "A.rounds") == wanted


def test_larger_weights_come_with_the_control():
    found = verdict("A-24", {"A.ablation": ablation()})
    controls = [p for p in found.comparisons if p.control]
    assert found.outcome == HOLDS
    assert len(controls) == 4
    assert controls[0].estimate == pytest.approx(200)  # 0.15 against 0.05
    assert controls[1].estimate == pytest.approx(100 * (0.202 - 0.15) / 0.15)


def test_layer_order():
    assert outcome("A-19", ablation()) == HOLDS

    def reverse(data, seed):
        return {"layers": (0.01, 0.2, 0.5, 0.9)}

    assert outcome("A-19", study({"S+T": reverse})) == FAILS

    def flat(data, seed):
        return {"layers": (0.5, 0.5, 0.5)}

    assert outcome("A-19", study({"S+T": flat})) == UNDECIDED


@pytest.mark.parametrize(
    ("spatial", "magnitude", "wanted"),
    [((0.9, 0.2), (0.99, 0.01), HOLDS), ((0.99, 0.01), (0.9, 0.2), FAILS), ((0.9, 0.2), (0.9, 0.2), FAILS)],
)
def test_emptiest_layer(spatial, magnitude, wanted):
    assert outcome("A-25", rounds(layers={"S": spatial, "IMP": magnitude}), "A.rounds") == wanted


# Gains per cut: with S above IMP by 0.5 a cut the difference is 6 points after 12 cuts and 7 after 14.
@pytest.mark.parametrize(
    ("claim", "gain", "wanted"),
    [
        ("A-01", {}, HOLDS),
        ("A-01", {"IMP": -0.4}, FAILS),
        ("A-01", {"IMP": -0.5}, UNDECIDED),
        ("A-04", {"S": 0.2}, HOLDS),
        ("A-04", {"S": -0.2}, FAILS),
        ("A-05", {}, HOLDS),
        ("A-05", {"IMP": 0.0}, FAILS),
        ("A-06", {"IMP": -1.5}, HOLDS),  # 12, 13 and 14 points
        ("A-06", {}, FAILS),  # more, but not ten points more
        ("A-07", {}, HOLDS),
        ("A-07", {"S+T": -0.2}, FAILS),
        ("A-09", {"S": 0.2, "S+T": 0.2}, HOLDS),
        ("A-09", {"S": 0.2, "S+T": -0.2}, FAILS),
        ("A-11", {"S": -1.0}, HOLDS),
        ("A-11", {"S": 1.0}, FAILS),
    ],
)
def test_rounds_against_each_other_and_against_dense(claim, gain, wanted):
    assert outcome(claim, rounds(gain), "A.rounds") == wanted


@pytest.mark.parametrize(("gain", "wanted"), [({}, HOLDS), ({"IMP": -0.4}, FAILS)])
def test_rounds_of_a_hundred_classes(gain, wanted):
    assert outcome("A-02", rounds(gain, sets=("digits-100",), noise=0.01), "A.hundred") == wanted


def test_a_run_of_fewer_rounds_decides_nothing():
    found = verdict("A-01", {"A.rounds": rounds(cuts=2)})
    assert found.outcome == UNDECIDED
    assert "no number" in found.reason


def test_dense_is_the_same_network_before_the_first_cut():
    found = verdict("A-07", {"A.rounds": rounds({"S+T": 0.25}, noise=0.0)})
    assert [p.estimate for p in found.comparisons] == pytest.approx([3.0, 3.25, 3.5])


def test_where_it_cuts():
    kept = {"S+T": (0.9, 0.2, 0.01, 0.5), "IMP": (0.5, 0.2, 0.02, 0.5)}
    assert outcome("A-18", rounds(layers=kept), "A.rounds") == HOLDS
    assert outcome("A-18", rounds(layers={"S+T": kept["IMP"], "IMP": kept["S+T"]}), "A.rounds") == FAILS


@pytest.mark.parametrize(("sign", "wanted"), [(-1, HOLDS), (1, FAILS)])
def test_fewer_connections_and_more_spikes(sign, wanted):
    def layers(share):
        return ((share, 0.3 + sign * 0.2 * share), (share, 0.2 + sign * 0.1 * share), (share, None))

    pruned = rounds(layers={"IMP": layers(0.2), "S": layers(0.4), "S+T": layers(0.3)})
    whole = study({"dense": lambda data, seed: {"layers": layers(1.0)}})
    found = verdict("A-20", {"A.rounds": pruned, "A.dense": whole})
    assert found.outcome == wanted
    assert found.estimate == pytest.approx(sign)


def lengths(steps, gain):
    """A study like A.steps: steps that stay at 10, 15, 20 and 25, and what S+T adds to the dense accuracy."""
    records = {}
    for T, t in zip(paper_a.STEPS, steps, strict=True):
        for arm, more in (("none", 0.0), ("T", abs(gain)), ("S+T", gain)):
            records[Key("arms-dvs", arm, T=T)] = [
                record("arms-dvs", arm, seed, T=T if arm == "none" else t, top1=90 + seed + more) for seed in range(5)
            ]
    return Results(records)


def test_total_time_steps():
    assert outcome("A-15", lengths((8, 9, 10, 10), 1.0), "A.steps") == HOLDS
    assert outcome("A-15", lengths((8, 12, 16, 21), 1.0), "A.steps") == FAILS
    assert outcome("A-16", lengths((8, 9, 10, 10), 1.0), "A.steps") == HOLDS
    assert outcome("A-17", lengths((8, 9, 10, 10), -0.5), "A.steps") == HOLDS
    assert outcome("A-17", lengths((8, 9, 10, 10), -2.0), "A.steps") == FAILS


@pytest.mark.parametrize(("error", "wanted"), [(0.01, HOLDS), (0.5, FAILS)])
def test_the_quadratic_form(error, wanted):
    def make(data, seed):
        kl = np.full((6, 4), 0.3)
        return {"curves": {"taylor_kl": kl, "taylor_fisher": kl * (1 + error)}}

    found = verdict("A-26", {"A.dense": study({"dense": make}, ALL_SETS)})
    assert found.outcome == wanted
    assert [p.control for p in found.comparisons] == [False, False, True] * 3


def test_paper_b_at_equal_weights_and_at_equal_connections():
    def rival(left, connections, top1):
        return lambda data, seed: {
            "sparsity": 100 - left,
            "connections_alive": connections,
            "connections_total": 100.0,
            "top1": top1 + seed,
        }

    # S+T keeps its 90 over all rounds, among which are 31.6 % of the weights and 32.8 % of the connections.
    ours = rounds({"S+T": 0.0}, noise=0.0)
    for top1, wanted in ((80, HOLDS), (95, FAILS)):
        theirs = Results(
            {
                ("digits-dvs", "unstructured", "strength 1"): [
                    record("digits-dvs", "unstructured", seed, **rival(31.6, 32.8, top1)("", seed)) for seed in range(5)
                ]
            }
        )
        found = verdict("A-10", {"A.rounds": ours, "A.matched": theirs})
        assert found.outcome == wanted
        assert [p.estimate for p in found.comparisons] == pytest.approx([90 - top1] * 2)
    theirs.records["digits-dvs", "unstructured", "strength 1"][0].metrics["sparsity"] = 99.9
    beyond = verdict("A-10", {"A.rounds": ours, "A.matched": theirs})
    assert "no number for seed 0" in beyond.reason or beyond.outcome == FAILS
    assert beyond.comparisons[0].outcome == UNDECIDED, "no round has so few weights left"
    assert verdict("A-10", {"A.rounds": ours}).outcome == NOT_TESTABLE


def test_decision_step_is_monotone_for_any_curve():
    rng = np.random.default_rng(0)
    curves = {name: rng.random(12) for name in ("kl_smoothed", "kl_released", "kl_reverse")}
    found = verdict("A-21", {"A.curves": dense(lambda seed: curves)})
    assert found.outcome == HOLDS
    assert len(found.comparisons) == 3
    assert outcome("A-21", dense(lambda seed: {"kl_smoothed": np.full(3, np.nan)}), "A.curves") == UNDECIDED


def test_decision_step_that_rises_would_be_caught(monkeypatch):
    monkeypatch.setattr(paper_a, "decision_steps", lambda kl, lams: (100 * lams).astype(int))
    assert outcome("A-21", dense(lambda seed: {"kl_smoothed": falling_kl(seed)}), "A.curves") == FAILS


@pytest.mark.parametrize(("slope", "wanted"), [(0.01, HOLDS), (5.0, FAILS)])
def test_gain_beyond_the_default_lambda(slope, wanted):
    def curves(seed):
        return {"kl_smoothed": falling_kl(seed, 20), "accuracy_test": 50 + slope * np.arange(20)}

    def broken(seed):
        return curves(seed) | {"kl_smoothed": np.full(20, np.nan)}

    assert verdict("A-22", {"A.curves": dense(broken)}).outcome == UNDECIDED
    found = verdict("A-22", {"A.curves": dense(curves)})
    assert found.outcome == wanted
    assert len(found.comparisons) == 6


def test_norm_kl_and_fisher():
    def like(seed):
        return {"kl_smoothed": falling_kl(seed), "fisher": falling_kl(seed) ** 2}

    def unlike(seed):
        return {"kl_smoothed": falling_kl(seed), "fisher": -falling_kl(seed)}

    def without(seed):
        return {"kl_smoothed": falling_kl(seed)}

    assert outcome("A-23", dense(like), "A.curves") == HOLDS
    assert outcome("A-23", dense(unlike), "A.curves") == FAILS
    found = verdict("A-23", {"A.curves": dense(without)})
    assert found.outcome == NOT_TESTABLE
    assert "fisher" in found.reason


def test_without_its_study_a_claim_is_not_testable():
    for claim in claims.testable():
        found = verdict(claim, {})
        assert found.outcome == NOT_TESTABLE
        assert "snnbook run" in found.reason


def test_every_other_claim_says_what_is_missing():
    for row in papers.claims().to_dict("records"):
        if row["id"] not in claims.testable():
            found = verdict(row["id"], {"A.ablation": ablation()})
            assert found.outcome == NOT_TESTABLE
            assert len(found.reason) > 20
            assert found.estimate is None


def test_methods_that_were_not_run_are_named():
    assert "IMP" in verdict("A-03", {}).reason
    assert "joint" in verdict("B-01", {}).reason
    assert "SLAMP" in verdict("D-02", {}).reason


def test_tests_are_for_claims_of_the_print():
    assert set(claims.testable()) <= set(papers.claims()["id"])


def test_a_claim_is_judged_on_a_page_that_reads_what_its_check_does():
    pages = papers.claims().set_index("id")["page"].dropna()
    assert set(claims.testable()) <= set(pages.index)
    for claim, name in pages.items():
        reads = headers.header(name).reads
        assert headers.CLAIMS in reads or set(claims.studies_read(claim)) <= set(reads), claim


def test_unknown_claim():
    with pytest.raises(UserError, match="unknown claim 'A-99'"):
        verdict("A-99", {})
    with pytest.raises(UserError, match="not both"):
        claims.verdicts({}, ["A-12"], "A")


def test_zero_spread_is_no_trouble():
    assert comparison("x", {0: 1.0, 1: 1.0, 2: 1.0}, "> 0").outcome == HOLDS
    assert comparison("x", {0: 0.0, 1: 0.0, 2: 0.0}, "> 0").outcome == FAILS
    results = ablation(sops=(0, 0, 0, 0))
    assert outcome("A-12", results) == UNDECIDED


def test_scoreboard_counts_every_claim_once():
    board = claims.verdicts({"A.ablation": ablation()})
    assert [v.claim for v in board] == list(papers.claims()["id"])
    tally = claims.counts(board)
    assert list(tally) == list(claims.OUTCOMES)
    assert sum(tally.values()) == len(board)
    assert tally[HOLDS] == len(HOLDING)
    untested = set(papers.claims("B")["id"]) - set(claims.testable())
    assert claims.counts(board, "B")[NOT_TESTABLE] >= len(untested)
    assert sum(sum(claims.counts(board, p).values()) for p in papers.PAPERS) == len(board)


def test_lines_for_the_terminal():
    lines = claims.lines([verdict("A-12", {"A.ablation": ablation()}), Verdict("B-01", NOT_TESTABLE, "why")])
    assert len(lines) == 1
    assert lines[0].startswith("A-12  holds")


def test_binomial_width_is_told_where_predictions_are_kept():
    results = rounds()
    for r in results.records["arms-dvs", "S+T"]:
        r.curves["predictions"] = np.zeros(288, dtype=np.uint8)
    assert "288 samples" in verdict("A-08", {"A.rounds": results}).comparisons[0].note


def test_a_fake_is_a_record():
    assert record(top1=1.0).profile == "laptop"
