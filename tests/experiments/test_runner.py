"""One run, many runs, killed runs: the same records, once each."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from snnbook.errors import UserError
from snnbook.experiments import Store, run, run_many, run_study, study
from snnbook.experiments import verify as v
from snnbook.experiments.runner import results

SMOKE = study("A.table4", "smoke", seeds=(0,))
BOTH = SMOKE.trials["digits-dvs", "S+T"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("results"))
    return run_study(SMOKE, store, jobs=1, progress=False), store


def test_a_study_leaves_one_sound_record_per_trial_seed_and_start(done):
    found, store = done
    assert (found.ran, found.reused) == (10, 0), "eight arms and the two dense networks that they start from"
    assert len(store.records()) == 10
    again = run_study(SMOKE, store, jobs=1, progress=False)
    assert (again.ran, again.reused) == (0, 8)


def test_a_record_adds_up(done):
    for record in done[1].records():
        m, layers = record.metrics, record.layers
        assert m["weights_alive"] == sum(layer["weights_alive"] for layer in layers)
        assert m["weights_total"] == sum(layer["weights_total"] for layer in layers)
        assert m["connections_alive"] == pytest.approx(sum(layer["connections_alive"] for layer in layers))
        assert m["sops"] == pytest.approx(sum(layer["sops"] for layer in layers[1:]))
        assert m["sparsity"] == pytest.approx(100 * (1 - m["weights_alive"] / m["weights_total"]))
        assert m["top1"] == pytest.approx(record.curves["accuracy_test"][-1])
        assert len(record.curves["accuracy_test"]) == m["T"]
        assert len(record.curves["loss"]) == m["epochs"] == record.trial["epochs"]
        assert len(record.curves["predictions"]) == m["samples_test"]
        assert m["top5"] >= m["top1"]
        assert record.environment["threads"] == 1
        masks = {k: a for k, a in record.curves.items() if k.startswith("mask/")}
        for layer in layers if masks else ():
            bits = np.unpackbits(masks[f"mask/{layer['name']}.weight"])[: layer["weights_total"]]
            assert bits.sum() == layer["weights_alive"]


def test_details_are_added_and_leave_the_rest_as_it_is():
    """The end of the last round is the network of the record, and no detail changes what is trained."""
    trial = study("A.rounds", "smoke", seeds=(0,)).trials["digits-dvs", "S"]
    trial = replace(trial, details=("rounds", "weights", "outputs", "taylor"))
    found, plain = run(trial, 0), run(replace(trial, details=()), 0)
    assert trial.id != replace(trial, details=()).id
    assert "details" not in plain.trial, "records from before there were details stay valid"
    last = found.log["rounds"][-1]
    for key in ("T", "sparsity", "sops", "top1", "epochs"):
        assert last[key] == found.metrics[key] == plain.metrics[key], key
    share = 100 * found.metrics["connections_alive"] / found.metrics["connections_total"]
    assert last["connections_left"] == pytest.approx(share)
    assert [r["sparsity"] for r in found.log["rounds"]] == pytest.approx([0, 25, 43.75], abs=0.1)
    assert found.curves["magnitudes"].sum() == found.metrics["weights_alive"]
    assert found.curves["outputs"].shape == (found.metrics["T"], 16, 10)
    assert found.curves["taylor_kl"].shape == found.curves["taylor_fisher"].shape == (6, found.metrics["T"])
    with pytest.raises(UserError, match="unknown detail 'weight'; did you mean weights"):
        replace(trial, details=("weight",))


def test_the_same_seed_gives_the_same_record_and_another_does_not(done):
    stored = done[1].get(BOTH.id, 0)
    assert run(BOTH, 0).digest == stored.digest
    assert run(BOTH, 1).digest != stored.digest


def test_workers_give_the_records_of_the_serial_path(done, tmp_path):
    store = Store(tmp_path)
    assert run_many([(BOTH, 0)], store, "smoke", jobs=2, progress=False) == (2, 0)
    assert store.get(BOTH.id, 0).digest == done[1].get(BOTH.id, 0).digest


def test_a_lost_checkpoint_is_made_again(done, tmp_path):
    store = Store(tmp_path)
    run_many([(BOTH, 0)], store, "smoke", jobs=1, progress=False)
    for path in [*store.path.glob(".checkpoints/*"), store.file(BOTH.id, 0)]:
        path.unlink()
    assert run_many([(BOTH, 0)], store, "smoke", jobs=1, progress=False) == (2, 0)
    assert store.get(BOTH.id, 0).digest == done[1].get(BOTH.id, 0).digest


def test_kill_at_any_moment_loses_at_most_the_running_trial(tmp_path):
    code = (
        "from snnbook.experiments import *\n"
        f"run_study(study('lamp', 'smoke', seeds=(0, 1), epochs=6), Store({str(tmp_path)!r}), jobs=1, progress=False)"
    )
    chosen = study("lamp", "smoke", seeds=(0, 1), epochs=6)
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*/seed-*.json"))) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(Store(tmp_path).records())
    assert kept >= 3
    found = run_study(chosen, Store(tmp_path), jobs=1, progress=False)
    assert len(Store(tmp_path).records()) == 10
    assert found.ran + kept == 10


@pytest.mark.parametrize("step", ["save_weights", "put"])
def test_kill_while_a_trial_is_stored_is_as_if_it_had_not_run(tmp_path, step):
    chosen, store = study("lamp", "smoke", seeds=(0,)), Store(tmp_path)
    with patch.object(Store, step, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        run_study(chosen, store, jobs=1, progress=False)
    assert store.records() == []
    assert run_study(chosen, store, jobs=1, progress=False).ran == len(store.records()) == 5


def test_one_failing_trial_does_not_cost_the_others(tmp_path):
    good = study("lamp", "smoke", seeds=(0,)).trials["digits-clutter", "dense"].start
    bad = replace(good, optimizer="sgd", lr=1e38)
    with pytest.raises(UserError, match="1 of 2 trials failed, the others are stored"):
        run_many([(bad, 0), (good, 0)], Store(tmp_path), jobs=1, progress=False)
    assert Store(tmp_path).has(good.id, 0)


def test_no_scheduler_at_that_address(tmp_path):
    with pytest.raises(UserError, match="no Dask scheduler at"):
        run_many([(BOTH.start, 0)], Store(tmp_path), cluster="tcp://127.0.0.1:1", progress=False)
    with pytest.raises(UserError, match="no Dask scheduler at"):
        run_many([(BOTH.start, 0)], Store(tmp_path), cluster="foo://bar", progress=False)


def test_results_by_label_metric_and_curve(done):
    found = results("A.table4", "smoke", "0", str(done[1].path), 1, "")
    label = ("digits-dvs", "none")
    assert found.values(label, "top1").shape == (1,)
    assert np.isnan(found.values(label, "decision_step")).all()
    assert found.curves(label, "accuracy_test").shape == (1, 4)
    with pytest.raises(UserError, match="did you mean top1"):
        found.values(label, "topp1")
    with pytest.raises(UserError, match="unknown label"):
        found.values(("digits-dvs", "X"), "top1")


def test_seeds_may_come_as_a_number_as_papermill_gives_them(done):
    assert results("A.table4", "smoke", 0, str(done[1].path), 1).study.seeds == (0,)  # type: ignore[arg-type]


def test_dropout_does_not_remember_whether_the_start_was_trained(tmp_path):
    trial = study("A.table4", "smoke").trials["digits-dvs", "T"]
    drop = {**dict(trial.network_settings), "dropout": 0.3}
    trial = replace(trial, network_settings=drop, start=replace(trial.start, network_settings=drop))
    first = run(trial, 0, Store(tmp_path))
    assert run(trial, 0).digest == first.digest
    store = Store(tmp_path / "again")
    run(trial.start, 0, store)
    assert run(trial, 0, store).digest == first.digest


def test_table_4_has_its_arms_at_every_profile():
    for profile in ("smoke", "laptop", "paper"):
        for role in ("digits-dvs", "arms-dvs"):
            assert {arm for r, arm in study("A.table4", profile).trials if r == role} == {"none", "S", "T", "S+T"}


def test_verify_tells_equal_close_and_different(done, monkeypatch):
    store = done[1]
    assert {check.outcome for check in v.verify(store, sample=2)} == {"equal"}
    stored, again = store.get(BOTH.id, 0), store.get(BOTH.id, 0)
    again.metrics["top1"] += 1
    assert v.compare(stored, again).outcome == "differs", "the same machine owes the same bits"
    stored.environment["processor"] = "another"
    assert v.compare(stored, again).outcome == "close"
    again.metrics["top1"] += 50
    assert "top1" in v.compare(stored, again).why
    again.metrics["weights_alive"] += 1
    assert "weights_alive" in v.compare(stored, again).why


def test_verify_without_records(tmp_path):
    with pytest.raises(UserError, match="no records"):
        list(v.verify(Store(tmp_path)))
