"""Stored records against their trials, run again."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from snnbook import arithmetic
from snnbook.errors import UserError
from snnbook.experiments import Store, verify
from snnbook.experiments.verify import compare, prediction_interval

held = pytest.mark.skipif(not arithmetic.held(), reason="records are the same where torch computes with AVX2")


def seeds(store, record, top1, sops, id=""):
    """Records of one trial whose seeds have these accuracies and SOPs, put into the store."""
    made = []
    for seed, values in enumerate(zip(top1, sops, strict=True)):
        metrics = record.metrics | dict(zip(("top1", "sops"), values, strict=True))
        made.append(replace(record, id=id or record.id, seed=seed, metrics=metrics))
        store.put(made[-1])
    return made


def moved(record, torch="another", **metrics):
    """The record of a re-run with these metrics and version of torch."""
    return replace(record, metrics=record.metrics | metrics, environment=record.environment | {"torch": torch})


@held
def test_the_record_of_a_trial_is_that_of_its_rerun(done, both):
    store = done[1]
    assert {check.outcome for check in verify.verify(store, sample=1, cheapest=True)} == {"equal"}
    assert [check.id for check in verify.verify(store, sample=1, id=both.start.id)] == [both.start.id]


@held
def test_two_that_are_held_owe_each_other_every_bit(done, both):
    stored = done[1].get(both.id, 0)
    again = replace(stored, metrics=stored.metrics | {"mean_abs_weight": np.nextafter(stored.metrics["sops"], 1)})
    check = compare(stored, again, done[1])
    assert (check.outcome, "although both were held: mean_abs_weight" in check.why) == ("differs", True)
    for environment in ({"native": None}, {"processor": "AVX512"}, {"threads": 2}):
        elsewhere = replace(again, environment=again.environment | environment)
        assert compare(stored, elsewhere, done[1]).outcome == "unjudged", "every trial has one seed"


def test_elsewhere_metrics_lie_where_a_further_seed_would(done, both, tmp_path):
    store = Store(tmp_path)
    stored = seeds(store, done[1].get(both.id, 0), (90, 91, 92), (1000, 1100, 900))[0]
    low, high = prediction_interval([90, 91, 92])
    for top1, outcome in ((low - 0.1, "differs"), (low + 0.1, "close"), (high - 0.1, "close"), (high + 0.1, "differs")):
        check = compare(stored, moved(stored, top1=top1, sops=1000), store)
        assert check.outcome == outcome, check
        assert ("top1: stored 90, now" if outcome == "differs" else "another torch") in check.why
    assert compare(stored, moved(stored, sops=1e5), store).why.startswith("sops: stored 1000, now 100000, outside ")
    alive = stored.metrics["weights_alive"]
    assert "weights_alive" in compare(stored, moved(stored, weights_alive=alive + 1), store).why, "seeds have as many"
    assert "neurons_total" in compare(stored, moved(stored, neurons_total=1), store).why


def test_seeds_that_say_nothing_of_the_spread_borrow_it_from_trials_alike(done, both, tmp_path):
    store, record = Store(tmp_path), done[1].get(both.id, 0)
    (alone,) = seeds(store, record, (10,), (0,))
    assert compare(alone, moved(alone, sops=1497), store).outcome == "unjudged"
    other = replace(record, trial=record.trial | {"method": "lamp"})
    seeds(store, other, (10, 90), (0, 5000), id="of-another-method")
    assert compare(alone, moved(alone, sops=1497), store).outcome == "unjudged"
    seeds(store, record, (10, 12), (0, 2000), id="at-another-level")
    assert compare(alone, moved(alone, sops=1497), store).outcome == "close"
    silent = seeds(store, record, (10, 10, 10), (0, 0, 0))[0]
    assert compare(silent, moved(silent, sops=1497), store).outcome == "close"
    assert compare(silent, moved(silent, sops=1e6), store).outcome == "differs"


def test_the_prediction_interval_holds_its_share_of_further_values():
    rng = np.random.default_rng(0)
    inside = []
    for sample in rng.normal(3, 2, (2000, 6)):
        low, high = prediction_interval(sample[:5].tolist())
        inside.append(low <= sample[5] <= high)
    assert np.mean(inside) == pytest.approx(verify.PROBABILITY, abs=0.006)
    half = stats.t.ppf(0.995, 2) * math.sqrt(4 / 3)
    assert prediction_interval([1, 2, 3], [[5, 9]]) == pytest.approx((2 - half, 2 + half))
    half = stats.t.ppf(0.995, 3) * math.sqrt(8 / 3 * 3 / 2)
    assert prediction_interval([1, 1], [[5, 9], [7, 7], [4]]) == pytest.approx((1 - half, 1 + half))
    assert prediction_interval([1, 1, 1]) == (1, 1)
    assert prediction_interval([1], [[2]]) is None


def test_a_record_of_other_defaults_does_not_pass(done, both):
    stored = done[1].get(both.id, 0)
    changed = replace(stored, trial={**stored.trial, "settings": {**stored.trial["settings"], "tail": 0.125}})
    check = verify.again(changed, done[1])
    assert check.outcome == "differs"
    assert "data or defaults have changed" in check.why


def test_verify_without_records(tmp_path):
    with pytest.raises(UserError, match="no record"):
        list(verify.verify(Store(tmp_path)))
