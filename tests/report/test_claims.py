from __future__ import annotations

import math

import numpy as np
import pytest
from report_fakes import ALL_SETS, SETS, Results, ablation, arm_metrics, compared, falling_kl, record, rounds, study

from snnbook import headers, surrogates
from snnbook.errors import UserError
from snnbook.experiments.key import Key
from snnbook.pruning.parts.criticality_score import Released
from snnbook.report import claims, papers
from snnbook.report.claims import (
    BY_CONSTRUCTION,
    EVIDENCE,
    FAILS,
    HOLDS,
    NOT_TESTABLE,
    UNDECIDED,
    Verdict,
    comparison,
    decide,
    judging,
    paper_a,
    paper_c,
    verdict,
)
from snnbook.report.entropy import entropy
from snnbook.report.records import at_chance
from snnbook.report.stats import Interval
from snnbook.report.synapses import Removal

HOLDING = {"A-13", "A-19"}
CONSTRUCTED = {"A-12", "A-24"}
CALCULATED = dict.fromkeys(("B-21", "B-23", "C-20", "C-22"), BY_CONSTRUCTION) | {"C-06": UNDECIDED, "C-23": HOLDS}
READING = sorted(set(claims.testable()) - set(CALCULATED))


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
        (">= 0, margin 0.5", (-0.5, 1), (-1, -0.6), (-0.6, 1)),
        (judging.NO_LOSS, (-0.4, -0.1), (-0.9, -0.51), (-0.51, 0.1)),
    ],
)
def test_the_side_of_the_line_decides(line, holds, fails, undecided):
    for (low, high), wanted in ((holds, HOLDS), (fails, FAILS), (undecided, UNDECIDED)):
        assert decide(Interval((low + high) / 2, low, high, 5), line) == wanted


def test_a_clear_effect_holds():
    results = ablation()
    assert {c for c in READING if outcome(c, results) == HOLDS} == HOLDING
    assert {c for c in READING if outcome(c, results) == BY_CONSTRUCTION} == CONSTRUCTED


def test_a_clear_opposite_effect_fails():
    results = ablation(accuracy=(95, 90, 88, 80), sops=(100, 120, 130, 140), steps=(10, 10, 9, 9))
    for claim in ("A-12", "A-13"):
        assert outcome(claim, results) == FAILS, claim


@pytest.mark.parametrize(
    ("spatial", "temporal", "noise", "wanted"),
    [(0.1, 91.5, 0.1, HOLDS), (-0.2, 91.5, 0.1, FAILS), (0.1, 88, 0.1, FAILS), (0.1, 90, 3, UNDECIDED)],
)
def test_no_loss_takes_each_arm_from_the_papers_protocol(spatial, temporal, noise, wanted):
    in_rounds = rounds({"S": spatial, "S+T": spatial, "restarts": 0.0})
    at_once = ablation(accuracy=(90, 50, temporal, 50), noise=noise)  # its S and S+T do not count
    found = verdict("A-14", {"A.rounds": in_rounds, "A.ablation": at_once})
    assert found.outcome == wanted
    assert sum(not p.control for p in found.comparisons) == 6
    assert {p.line for p in found.comparisons} == {">= 0, margin 0.5"}
    assert verdict("A-14", {"A.ablation": at_once}).outcome == NOT_TESTABLE


def test_the_estimate_is_the_paired_difference():
    found = verdict("A-08", {"A.rounds": rounds({"S+T": 2 / 14}, noise=0.01)})
    assert found.estimate == pytest.approx(2, abs=0.05)
    assert found.low < found.estimate < found.high
    assert found.n == 5


@pytest.mark.parametrize("seeds", [range(1), range(2)])
def test_fewer_than_three_seeds_decide_nothing(seeds):
    full = ablation()
    few = Results({k: [r for r in v if r.seed in seeds] for k, v in full.records.items()})
    for claim in HOLDING | CONSTRUCTED:
        found = verdict(claim, {"A.ablation": few})
        assert found.outcome == UNDECIDED
        assert "3 seeds are needed" in found.reason
        assert found.n == len(seeds)


def test_missing_seeds_leave_the_common_ones():
    results = ablation()
    results.records["arms-dvs", "T"].pop(0)
    found = verdict("A-13", {"A.ablation": results})
    assert found.outcome == HOLDS
    assert {p.data: p.seeds for p in found.comparisons} == {
        "arms-dvs": "n = 4 (of 4 and 5 seeds)",
        "digits-dvs": "n = 5",
    }
    results.records["arms-dvs", "T"][:] = []
    assert "no records of T on arms-dvs" in verdict("A-13", {"A.ablation": results}).reason


def test_sides_without_a_common_seed_decide_nothing():
    it = comparison("x", judging.difference({0: 1.0, 1: 1.0}, {2: 0.0}), "> 0")
    assert (it.outcome, it.n, it.sides) == (UNDECIDED, 0, (2, 1))
    assert str(it) == "x: the two sides have no seed in common"


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
    assert found.ran.startswith("digits-dvs, standing in for CIFAR10-DVS (")


def test_one_failing_data_set_fails_the_claim():
    good, bad = ablation(), ablation(sops=(100, 120, 60, 6))
    mixed = Results({k: (good if k.data == SETS[0] else bad).records[k] for k in good.records})
    found = verdict("A-12", {"A.ablation": mixed})
    assert found.outcome == FAILS
    assert {(p.data, p.outcome) for p in found.comparisons if "S minus none" in p.what} == {
        ("digits-dvs", HOLDS),
        ("arms-dvs", FAILS),
    }


def test_a_verdict_names_the_data_and_the_network_that_were_run():
    found = verdict("A-13", {"A.ablation": ablation()})
    networks = "(2 convolutions, 2 linear layers)"
    assert found.ran == (
        f"arms-dvs, standing in for DVS128-Gesture {networks} and digits-dvs, standing in for CIFAR10-DVS {networks}"
    )
    assert found.reason.startswith(f"On {found.ran}: all 2 parts lie as claimed")
    found = verdict("A-13", {"A.ablation": ablation(sets=("cifar10_dvs", "dvs128_gesture"))})
    assert found.ran == f"cifar10_dvs {networks} and dvs128_gesture {networks}"


def test_a_lower_sparsity_is_not_the_claims_condition():
    for claim in ("A-08", "A-27"):
        found = verdict(claim, {"A.rounds": rounds(cuts=10)})
        assert found.outcome == NOT_TESTABLE
        assert "94.4 %" in found.reason


@pytest.mark.parametrize(
    ("gain", "steps", "wanted"),
    [(0.1, 5, HOLDS), (0.0, 5, HOLDS), (0.1, 7, FAILS), (-0.2, 5, FAILS), (-0.5 / 14, 5, UNDECIDED)],
)
def test_all_that_the_abstract_promises_at_once(gain, steps, wanted):
    assert outcome("A-27", rounds({"S+T": gain}, steps=steps), "A.rounds") == wanted


def test_larger_weights_come_with_the_control():
    found = verdict("A-24", {"A.ablation": ablation()})
    controls = [p for p in found.comparisons if p.control]
    assert found.outcome == BY_CONSTRUCTION
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


def test_layer_order_with_and_without_the_read_out():
    found = verdict("A-19", {"A.ablation": study({"S+T": lambda data, seed: {"layers": (0.5, 0.4, 0.3, 0.9)}})})
    assert [(p.control, round(p.estimate, 9)) for p in found.comparisons] == [(False, 0.2), (True, -1.0)] * 2
    assert "0.2 (the same for every seed), n = 5, claimed < 0" in found.reason


@pytest.mark.parametrize(
    ("spatial", "magnitude", "wanted"),
    [((0.9, 0.2), (0.99, 0.01), HOLDS), ((0.99, 0.01), (0.9, 0.2), FAILS), ((0.9, 0.2), (0.9, 0.2), FAILS)],
)
def test_emptiest_layer(spatial, magnitude, wanted):
    shares = {"S": spatial, "IMP": magnitude}
    hundred = rounds(layers=shares, sets=("digits-100",))
    for r in hundred.records["digits-100", "IMP"]:
        r.log["rescued"] = ["conv1", "conv2"]  # an emptied layer is what the claim is about
    found = verdict("A-25", {"A.rounds": rounds(layers=shares), "A.hundred": hundred})
    assert found.outcome == wanted
    assert (
        "IMP would have emptied 2 layers in its worst seed" in {p.data: p.note for p in found.comparisons}["digits-100"]
    )


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
        ("A-06", {}, HOLDS),  # more, if not ten points more
        ("A-06", {"IMP": -0.4}, FAILS),
        ("A-07", {}, HOLDS),
        ("A-07", {"S+T": -0.2}, FAILS),
        ("A-07", {"S+T": -0.01}, HOLDS),  # a loss within the margin
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
    assert "(the same for every seed)" in found.reason
    assert found.estimate == pytest.approx(sign)


def lengths(steps, gain, rewind=0):
    """A study like A.steps: steps that stay at 10, 15, 20 and 25, and what S+T adds to the dense accuracy."""
    records = {}
    for T, t in zip(paper_a.STEPS, steps, strict=True):
        for arm, more in (("none", 0.0), ("T", abs(gain)), ("S+T", gain)):
            records[Key("arms-dvs", arm, T=T)] = [
                record("arms-dvs", arm, seed, T=T if arm == "none" else t, top1=90 + seed + more) for seed in range(5)
            ]
            for r in records[Key("arms-dvs", arm, T=T)]:
                r.trial = {
                    "data": "arms-dvs",
                    "method": "stp",
                    "settings": {"share": 0.25 * ("S" in arm), "rewind": rewind},
                }
    return Results(records)


def test_total_time_steps():
    assert outcome("A-15", lengths((8, 9, 10, 10), 1.0), "A.steps") == HOLDS
    assert outcome("A-15", lengths((8, 12, 16, 21), 1.0), "A.steps") == FAILS
    assert outcome("A-16", lengths((8, 9, 10, 10), 1.0), "A.steps") == HOLDS
    assert outcome("A-17", lengths((8, 9, 10, 10), -0.5, rewind=2), "A.steps") == HOLDS
    assert outcome("A-17", lengths((8, 9, 10, 10), -2.0, rewind=2), "A.steps") == FAILS
    found = verdict("A-17", {"A.steps": lengths((8, 9, 10, 10), -2.0)})
    assert found.outcome == EVIDENCE
    assert "no runs of S+T in the paper's rounds" in found.reason


@pytest.mark.parametrize(("error", "wanted"), [(0.01, BY_CONSTRUCTION), (0.5, FAILS)])
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
    matched = theirs.records["digits-dvs", "unstructured", "strength 1"]
    matched[0].metrics["sparsity"] = 99.9
    beyond = verdict("A-10", {"A.rounds": ours, "A.matched": theirs})
    assert [p.what.split(",")[0][-11:] for p in beyond.comparisons] == ["connections"], "no round has so few weights"
    assert (
        "Left out, since not every S+T run has a round with as little: paper B's 25.3 % of the weights" in beyond.reason
    )
    matched[0].metrics["connections_alive"] = 0.01
    beyond = verdict("A-10", {"A.rounds": ours, "A.matched": theirs})
    assert (beyond.outcome, "26.2 % of the connections" in beyond.reason) == (NOT_TESTABLE, True)
    assert verdict("A-10", {"A.rounds": ours}).outcome == NOT_TESTABLE


def test_decision_step_is_monotone_for_any_curve():
    rng = np.random.default_rng(0)
    curves = {name: rng.random(12) for name in ("kl_smoothed", "kl_released", "kl_reverse")}
    found = verdict("A-21", {"A.curves": dense(lambda seed: curves)})
    assert found.outcome == BY_CONSTRUCTION
    assert [(p.n, p.note) for p in found.comparisons] == [(0, "t' rises with lambda in 0 of 10 stored curves")] * 3
    assert (found.n, found.low) == (0, None), "curves are no sample"
    assert outcome("A-21", dense(lambda seed: {"kl_smoothed": np.full(3, np.nan)}), "A.curves") == UNDECIDED


def test_decision_step_that_rises_would_be_caught(monkeypatch):
    monkeypatch.setattr(paper_a, "decision_steps", lambda kl, lams: (100 * lams).astype(int))
    assert outcome("A-21", dense(lambda seed: {"kl_smoothed": falling_kl(seed)}), "A.curves") == FAILS


@pytest.mark.parametrize(("slope", "wanted"), [(0.01, HOLDS), (5.0, FAILS)])
def test_gain_beyond_the_default_lambda(slope, wanted):
    def curves(seed):
        kl = falling_kl(seed, 20)
        return {"kl_smoothed": kl, "kl_released": kl, "accuracy_test": 50 + slope * np.arange(20)}

    def broken(seed):
        return curves(seed) | {"kl_smoothed": np.full(20, np.nan)}

    assert verdict("A-22", {"A.curves": dense(broken)}).outcome == UNDECIDED
    found = verdict("A-22", {"A.curves": dense(curves)})
    assert found.outcome == wanted
    assert sum(not p.control for p in found.comparisons) == 6
    votes = study({name: lambda data, seed: {"curves": curves(seed)} for name in ("dense", "votes")})
    beside = verdict("A-22", {"A.curves": votes})
    assert (beside.outcome, beside.estimate) == (found.outcome, found.estimate)
    assert [p.what for p in beside.comparisons if "votes" in p.what and p.data == "arms-dvs"] == [
        *(f"accuracy, lambda {lam:g} minus 0.01, votes with spikes (points)" for lam in paper_a.LAMBDAS_BELOW),
        *(f"share of time steps left at lambda 0.01, {kl} KL, votes with spikes" for kl in ("smoothed", "released")),
    ]


def test_norm_kl_and_fisher():
    def like(seed):  # alike but for a flat tail whose ranks are reversed
        kl = falling_kl(seed)
        kl[5:] = kl[5]
        return {"kl_smoothed": kl - 1e-6 * np.arange(10), "fisher": kl + 1e-6 * np.arange(10)}

    def unlike(seed):
        return {"kl_smoothed": falling_kl(seed), "fisher": -falling_kl(seed)}

    def without(seed):
        return {"kl_smoothed": falling_kl(seed)}

    assert outcome("A-23", dense(like), "A.curves") == HOLDS
    by_rank = [p for p in verdict("A-23", {"A.curves": dense(like)}).comparisons if "Spearman" in p.what]
    assert [(p.control, p.outcome) for p in by_rank] == [(True, FAILS)] * 2
    assert outcome("A-23", dense(unlike), "A.curves") == FAILS
    found = verdict("A-23", {"A.curves": dense(without)})
    assert found.outcome == NOT_TESTABLE
    assert "fisher" in found.reason


def test_without_its_study_a_claim_is_not_testable():
    for claim in READING:
        found = verdict(claim, {})
        assert found.outcome == NOT_TESTABLE
        assert "snnbook run" in found.reason


def test_what_is_calculated_needs_no_records_and_can_fail(monkeypatch):
    assert {claim: verdict(claim, {}).outcome for claim in CALCULATED} == CALCULATED
    assert "169, 160, 160, 163" in verdict("B-21", {}).reason
    assert "160 are left without one inner neuron, and 0 without all weights" in verdict("B-23", {}).reason
    monkeypatch.setattr(Removal, "alive", lambda removal: np.ones((5, 5, 3, 3), bool))
    assert {verdict(claim, {}).outcome for claim in ("B-21", "B-23")} == {FAILS}


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
    without = list(CALCULATED.values())
    assert tally[HOLDS] == len(HOLDING) + without.count(HOLDS)
    assert tally[BY_CONSTRUCTION] == len(CONSTRUCTED) + without.count(BY_CONSTRUCTION)
    untested = set(papers.claims("B")["id"]) - set(claims.testable())
    assert claims.counts(board, "B")[NOT_TESTABLE] >= len(untested)
    assert sum(sum(claims.counts(board, p).values()) for p in papers.PAPERS) == len(board)


def test_lines_for_the_terminal():
    lines = claims.lines([verdict("A-12", {"A.ablation": ablation()}), Verdict("B-01", NOT_TESTABLE, "why")])
    assert len(lines) == 1
    assert lines[0].startswith("A-12  holds by construction  On arms-dvs")


def test_binomial_width_is_told_where_predictions_are_kept():
    results = rounds()
    for r in results.records["arms-dvs", "S+T"]:
        r.curves["predictions"] = np.zeros(288, dtype=np.uint8)
    assert "288 samples" in verdict("A-08", {"A.rounds": results}).comparisons[0].note


# --- many parts


def shifted(shift, spread=1.0, n=5):
    """Values of `n` seeds with this mean and sample standard deviation."""
    x = np.arange(n) - (n - 1) / 2
    return dict(enumerate(shift + spread * x / x.std(ddof=1)))


def test_one_contradiction_among_many_parts_is_corrected_for_their_number():
    bad = comparison("bad", shifted(-1.7), "> 0")  # t = -3.8, one-sided p = 0.0095
    good = [comparison(f"good {i}", shifted(5), "> 0") for i in range(7)]
    records = [record(layers=(1.0, 1.0))]
    alone = judging.conclude("A-01", [bad], records, {})
    assert (alone.outcome, bad.outcome) == (FAILS, FAILS)
    assert "contradicts it, p = 0.0095)" in alone.reason
    among = judging.conclude("A-01", [bad, *good], records, {})
    assert among.outcome == UNDECIDED
    assert "by itself, p = 0.0095, but not after Holm's correction for 8 parts, p = 0.076" in among.reason
    controls = [judging.replace(it, control=True) for it in good]
    assert judging.conclude("A-01", [bad, *controls], records, {}).outcome == FAILS, "controls are no parts"
    worse = comparison("worse", shifted(-9), "> 0")
    found = judging.conclude("A-01", [bad, worse, *good], records, {})
    assert found.outcome == FAILS
    assert found.estimate == pytest.approx(-9), "the clearest contradiction decides"
    assert [p.outcome for p in found.comparisons[:2]] == [UNDECIDED, FAILS]


def test_parts_that_are_true_fail_a_claim_no_more_often_than_stated():
    rng = np.random.default_rng(0)
    failed = {"corrected": 0, "each by itself": 0}
    for _ in range(150):
        parts = [comparison("x", dict(enumerate(rng.standard_normal(5))), ">= 0") for _ in range(6)]
        failed["each by itself"] += judging.join(p.outcome for p in parts) == FAILS
        failed["corrected"] += judging.join(p.outcome for p in judging.corrected(parts)) == FAILS
    assert failed["corrected"] / 150 < 0.05
    assert failed["each by itself"] / 150 > 0.09


def test_without_spread_a_part_contradicts_or_it_does_not():
    constant = comparison("x", dict.fromkeys(range(5), -1.0), ">= 0")
    assert (constant.outcome, constant.p, constant.spread) == (FAILS, 0.0, "(the same for every seed)")
    assert comparison("x", dict.fromkeys(range(5), 0.0), ">= 0").p == 1.0
    assert comparison("x", dict.fromkeys(range(5), 0.0), "> 0").p == 0.0
    assert comparison("x", {0: -1.0, 1: -1.0}, ">= 0").p == 1.0, "two seeds decide nothing"
    many = [constant, *(comparison("y", shifted(5), "> 0") for _ in range(9))]
    found = judging.corrected(many)
    assert judging.join(p.outcome for p in found) == FAILS
    assert str(found[0]).endswith("claimed >= 0 (contradicts it for certain, since there is no spread)")


def test_the_margin_makes_equality_provable():
    rng = np.random.default_rng(0)
    samples = [dict(enumerate(0.3 * rng.standard_normal(5))) for _ in range(100)]
    for line, at_least, at_most in ((">= 0", 0.0, 0.06), (judging.NO_LOSS, 0.6, 1.0)):
        held = np.mean([comparison("x", x, line).outcome == HOLDS for x in samples])
        assert at_least <= held <= at_most, line
    lost = [{s: v - 0.5 for s, v in x.items()} for x in samples]  # a loss of the whole margin passes at 2.5 %
    assert np.mean([comparison("x", x, judging.NO_LOSS).outcome == HOLDS for x in lost]) < 0.06


# --- guards


def guess(records, cuts):
    """Let the networks of these records be at chance from so many cuts on."""
    for r in records:
        r.metrics["chance"], r.metrics["samples_test"] = 10.0, 1000
        for one in r.log["rounds"][cuts:]:
            one["top1"] = 12.0 + 0.1 * r.seed  # 10 % and three standard deviations are 12.8 %


def test_a_network_that_guesses_makes_nothing_hold():
    results = rounds(sets=("digits-100",))
    assert outcome("A-02", results, "A.hundred") == HOLDS
    guess(results.records["digits-100", "IMP"], 13)
    found = verdict("A-02", {"A.hundred": results})
    assert found.outcome == UNDECIDED
    assert "IMP guesses in 5 of 5 runs" in found.reason
    assert [p.outcome for p in found.comparisons] == [HOLDS, UNDECIDED, UNDECIDED], "by the accuracy of each round"
    guess(results.records["digits-100", "S"], 0)
    assert outcome("A-02", results, "A.hundred") == FAILS, "a network that guesses may lose"


def test_a_rescued_layer_makes_nothing_hold():
    results = rounds(sets=("digits-100",))
    results.records["digits-100", "IMP"][3].log["rescued"] = ["conv1"]
    found = verdict("A-02", {"A.hundred": results})
    assert found.outcome == UNDECIDED
    assert "IMP has layers that had to be rescued in 1 of 5 runs" in found.reason
    worse = rounds({"IMP": -0.4}, sets=("digits-100",))
    worse.records["digits-100", "IMP"][3].log["rescued"] = ["conv1"]
    assert outcome("A-02", worse, "A.hundred") == FAILS


def test_a_finished_network_that_guesses_makes_no_other_claim_hold():
    results = ablation(chance=10.0, samples_test=1000)
    assert outcome("A-12", results) == BY_CONSTRUCTION
    results.records["arms-dvs", "S+T"][0].metrics["top1"] = 12.0
    found = verdict("A-12", {"A.ablation": results})
    assert found.outcome == UNDECIDED
    assert "S+T guesses in 1 of 5 runs" in found.reason
    assert {p.outcome for p in found.comparisons if p.data == "digits-dvs"} == {HOLDS}


def test_chance_is_three_standard_deviations_wide():
    # 10 % of 1,000 samples: 10 + 3 * sqrt(0.1 * 0.9 / 1000) = 12.846 %
    r = record(top1=12.84, chance=10.0, samples_test=1000)
    assert at_chance(r)
    assert not at_chance(r, 12.85)
    assert not at_chance(record(top1=5.0)), "where chance is not recorded nothing is known"


# --- restarts and lambda


def test_what_longer_training_does_alone_stands_beside_the_dense_network():
    for claim, arm in (("A-04", "S"), ("A-07", "S+T"), ("A-08", "S+T"), ("A-09", "S"), ("A-27", "S+T")):
        gains = {"S": 0.2, "S+T": 0.2}
        plain = verdict(claim, {"A.rounds": rounds(gains, steps=5)})
        assert (plain.outcome, plain.caution) == (HOLDS, "")
        beside = verdict(claim, {"A.rounds": rounds(gains | {"restarts": 0.05}, steps=5)})
        controls = [p for p in beside.comparisons if f"{arm} minus restarts" in p.what]
        assert controls, claim
        assert all(p.control and p.outcome == HOLDS for p in controls)
        assert (beside.outcome, beside.estimate, beside.caution) == (HOLDS, plain.estimate, "")
        beaten = verdict(claim, {"A.rounds": rounds(gains | {"restarts": 0.4}, steps=5)})
        assert beaten.outcome == HOLDS, "the claim is about the dense network"
        assert beaten.caution.startswith("It does not hold against the same restarts with nothing pruned: ")
        assert beaten.why.startswith(beaten.caution)
        worse = verdict(claim, {"A.rounds": rounds({"S": -0.2, "S+T": -0.2, "restarts": 0.4}, steps=5)})
        assert (worse.outcome, worse.caution) == (FAILS, "")


def test_another_lambda_is_a_control():
    results = ablation()
    for name in ("T", "S+T"):
        results.records[Key("digits-dvs", f"{name}, λ = 0.05")] = results.records["digits-dvs", "none"]
    found = verdict("A-12", {"A.ablation": results})
    assert found.outcome == BY_CONSTRUCTION
    assert [(p.what, p.outcome) for p in found.comparisons if p.control] == [
        ("SOPs, S+T, λ = 0.05 minus S (% of dense)", FAILS),
        ("SOPs, S+T, λ = 0.05 minus T, λ = 0.05 (% of dense)", FAILS),
        ("SOPs, T, λ = 0.05 minus none (% of dense)", FAILS),
    ]
    found = verdict("A-13", {"A.ablation": results})
    assert [p.data for p in found.comparisons if p.control] == ["digits-dvs"]
    notes = [p.note for p in found.comparisons if not p.control]
    assert notes == ["the paper's own is 0.080", "the paper's own is 0.028"]


# --- calculations


@pytest.mark.parametrize(
    ("printed", "code", "wanted"),
    [(200, 500, UNDECIDED), (200, 200, HOLDS), (250, 250, FAILS), (250, 500, FAILS), (250, 200, FAILS)],
)
def test_epochs_saved_by_print_and_by_code(printed, code, wanted, monkeypatch):
    table = papers.rows("C", "3", dataset="CIFAR100")
    own = table["method"] == "Ours"
    table.loc[own, ["epochs", "epochs_code"]] = printed, code
    monkeypatch.setattr(papers, "rows", lambda *args, **where: table)
    found = verdict("C-06", {})
    assert found.outcome == wanted
    expected = [100 * (1 - ours / theirs) for ours in (printed, code) for theirs in (2260, 4220)]
    assert [p.estimate for p in found.comparisons] == pytest.approx(expected)


def test_a_method_with_few_epochs_that_loses_nothing_is_against_the_claim(monkeypatch):
    table = papers.rows("C", "3", dataset="CIFAR100", architecture="ResNet19")
    table.loc[table["method"] == "NDSNN", "acc"] = 72.0
    monkeypatch.setattr(papers, "rows", lambda *args, **where: table)
    assert verdict("C-23", {}).outcome == FAILS


def test_a_wrong_entropy_and_a_peak_elsewhere_are_noticed(monkeypatch):
    monkeypatch.setattr(paper_c, "entropy", lambda p: -entropy(p))
    assert verdict("C-20", {}).outcome == FAILS
    monkeypatch.setitem(surrogates.SURROGATES, "released", Released)
    assert verdict("C-22", {}).outcome == FAILS


@pytest.mark.parametrize(("more", "wanted"), [(0.0, BY_CONSTRUCTION), (0.9, BY_CONSTRUCTION), (1.0, FAILS)])
def test_regeneration_keeps_the_count(more, wanted):
    study = compared({("criticality", "90 %"): arm_metrics(90, 90.0)})
    for records in study.records.values():
        for r in records:
            r.trial["settings"] = {"sparsity": 0.9}
            r.metrics |= {"weights_total": 12345, "weights_alive": 0.1 * 12345 + more}
    assert outcome("C-21", study, "compare") == wanted


# --- evidence


def ladder(method, *accuracy, scratch=True, sops=1e5, **more):
    """A method at 90, 95 and 98 %: its accuracies, to which the seed is added, and its SOPs with all weights left."""
    left = {90: 0.1, 95: 0.05, 98: 0.02}
    return {
        (method, f"{level} %"): lambda s, level=level, share=share, top1=top1: arm_metrics(
            top1 + s, level, sops * share, share, epochs=20, scratch=scratch, **more
        )
        for (level, share), top1 in zip(left.items(), accuracy, strict=True)
    }


def comparison_of_methods(**changes):
    return compared(
        {("dense", ""): arm_metrics(97, 0.0, 1e6, 1.0, epochs=20)}
        | ladder("criticality", 92, 90, 86)
        | ladder("imp", 91, 89, 80)
        | ladder("gradr", 93, 91, 87)
        | ladder("stds", 90, 88, 80, sops=0.8e5)
        | ladder("slamp", 92, 91, 88, scratch=False)
        | ladder("magnitude", 90, 88, 80, scratch=False)
        | ladder("lamp", 92, 91, 88, scratch=False)
        | ladder("unstructured", 95, 93, 90)
        | {("imp", "98 %, 25 % a round"): lambda s: arm_metrics(89 + s, 98, 2e3, 0.02, epochs=152, scratch=True)},
        parent=12,
    )


def test_what_the_comparison_has_on_a_claim_is_evidence_and_no_verdict():
    study = comparison_of_methods()
    found = {v.claim: v for v in claims.verdicts({"compare": study}) if v.outcome == EVIDENCE}
    assert set(found) == {"B-05", "B-06", "B-07", "C-01", "C-02", "C-03", "C-04", "C-07", "D-03"}
    for v in found.values():
        assert v.reason.startswith("Evidence and no verdict: ")
        assert "digits-clutter, standing in for CIFAR10" in v.reason
    # At 5 %: one point below Grad R, one above IMP; three below IMP's rounds of 152 epochs at 2 %.
    assert [round(p.estimate, 6) for p in found["C-01"].comparisons] == [-1, 1, -3]
    assert "152 epochs" in found["C-01"].comparisons[-1].what
    assert [round(p.estimate, 6) for p in found["C-03"].comparisons] == pytest.approx([(1 + 1 + 6) / 3])
    assert {round(p.estimate, 6) for p in found["B-06"].comparisons} == {round(0.2 * (10 + 5 + 2) / 3, 6)}
    assert "reconstruction" in found["D-03"].reason
    assert [(p.what.split(",")[1][1:20], p.control) for p in found["D-03"].comparisons] == [
        ("slamp minus magnitu", False),
        ("slamp minus lamp (p", True),
    ] * 2
    mixed = [p.note for p in found["C-01"].comparisons[:2]]
    assert mixed == ["", ""], "both train from scratch"


def test_evidence_is_taken_where_both_ladders_reach():
    study = comparison_of_methods()
    for records in study.records.values():
        for r in records:
            if r.trial["method"] == "unstructured":
                r.metrics["sops"] *= 1000
    found = verdict("B-05", {"compare": study})
    assert found.outcome == NOT_TESTABLE
    assert "nothing to compare" in found.reason


def test_a_fake_is_a_record():
    assert record(top1=1.0).profile == "laptop"
