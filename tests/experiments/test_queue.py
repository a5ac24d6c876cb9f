"""Many runs, killed runs, failing runs: the same records, once each, and what can be run is run."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from unittest.mock import patch

import pytest

from snnbook import arithmetic
from snnbook.errors import UserError
from snnbook.experiments import Store, plan, queue, run_many, run_study, study


@pytest.fixture
def failing(both):
    """Two trials that go on from one that diverges, and a sound one."""
    bad = replace(both.start, optimizer="sgd", lr=1e38)
    return [(replace(both, start=bad), 0), (replace(both, start=bad, settings={"cuts": 1}), 0), (both.start, 0)]


def test_a_study_leaves_one_sound_record_per_trial_seed_and_start(done, smoke):
    results, store = done
    assert (results.ran, results.reused) == (12, 0), "ten arms and the two dense networks that they start from"
    assert len(store.records()) == 12
    again = run_study(smoke, store, jobs=1, progress=False)
    assert (again.ran, again.reused) == (0, 10)


def test_a_lost_checkpoint_is_made_again(done, both, tmp_path):
    store = Store(tmp_path)
    run_many([(both, 0)], store, "smoke", jobs=1, progress=False)
    for path in [*store.path.glob(".checkpoints/*"), store.file(both.id, 0)]:
        path.unlink()
    assert run_many([(both, 0)], store, "smoke", jobs=1, progress=False) == (2, 0)
    assert store.get(both.id, 0).digest == done[1].get(both.id, 0).digest


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
    again = run_study(chosen, Store(tmp_path), jobs=1, progress=False)
    assert len(Store(tmp_path).records()) == 10
    assert again.ran + kept == 10


@pytest.mark.parametrize("step", ["save_weights", "put"])
def test_kill_while_a_trial_is_stored_is_as_if_it_had_not_run(tmp_path, step):
    chosen, store = study("lamp", "smoke", seeds=(0,)), Store(tmp_path)
    with patch.object(Store, step, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        run_study(chosen, store, jobs=1, progress=False)
    assert store.records() == []
    assert run_study(chosen, store, jobs=1, progress=False).ran == len(store.records()) == 5


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failed_start_fails_what_waits_for_it_once_and_the_others_give_the_records_of_the_serial_path(
    failing, done, both, tmp_path, jobs, monkeypatch
):
    store = Store(tmp_path)
    for name in arithmetic.VARIABLES if jobs > 1 else ():
        monkeypatch.delenv(name, raising=False)  # workers are held all the same
    with pytest.raises(UserError, match="3 of 5 trials failed, the others are stored") as err:
        run_many([*failing, (both, 0)], store, "smoke", jobs=jobs, progress=False)
    assert str(err.value).count("the loss is") == 1, "the start was trained once"
    assert str(err.value).count("the trial that it starts from failed") == 2
    assert {id for id, _ in store.stored()} == {both.start.id, both.id}
    record = store.get(both.id, 0)
    assert record.digest == done[1].get(both.id, 0).digest
    assert (record.environment["processor"] == arithmetic.HELD) == arithmetic.possible()


def test_an_error_of_ours_does_not_cost_the_others_either(tmp_path):
    """Serially as with workers: what is no user's mistake comes with its traceback, after all others have run."""
    chosen, store = study("lamp", "smoke", seeds=(0,)), Store(tmp_path)
    broken = chosen.trials["digits-clutter", "lamp"].id
    real = queue._run

    def run(trial, *args):
        if trial.id == broken:
            raise ZeroDivisionError("of ours")
        return real(trial, *args)

    with (
        patch.object(queue, "_run", run),
        pytest.raises(UserError, match=r"(?s)1 of 5 trials failed.*ZeroDivisionError"),
    ):
        run_study(chosen, store, jobs=1, progress=False)
    assert len(store.records()) == 4


def test_no_scheduler_at_that_address(both, tmp_path):
    with pytest.raises(UserError, match="no Dask scheduler at"):
        run_many([(both.start, 0)], Store(tmp_path), cluster="foo://bar", progress=False)


def test_a_plan_says_what_how_many_and_how_long(done, both, tmp_path):
    store = done[1]
    assert str(plan([(both, 0)], store)) == "nothing to train: all 1 records are stored"
    planned = plan([(both, 1), (both, 0)], store)
    assert [(t.method, seed) for t, seed in planned.jobs] == [("dense", 1), ("stp", 1)], "its start first"
    assert planned.reused == 1
    assert planned.seconds > 0
    assert str(planned).startswith("2 trainings (dense, stp) on digits-dvs; 1 reused; about ")
    assert plan([(both, 0)], Store(tmp_path)).seconds is None, "there is no record to judge by"


def test_what_is_about_to_train_is_said(both, tmp_path, capfd):
    run_many([(both.start, 0)], Store(tmp_path), jobs=1, progress=False)
    assert "1 training (dense) on digits-dvs" in capfd.readouterr().err
