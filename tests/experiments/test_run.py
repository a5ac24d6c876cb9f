"""One run: a record that adds up, the same for the same seed, whatever was run before it."""

from dataclasses import replace

import numpy as np
import pytest

from snnbook.errors import UserError
from snnbook.experiments import Store, Trial, run, study


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
        assert m["epochs_start"] == (record.trial["start"] or {"epochs": 0})["epochs"]
        assert m["top5"] >= m["top1"]
        assert record.environment["threads"] == 1
        masks = {k: a for k, a in record.curves.items() if k.startswith("mask/")}
        for layer in layers if masks else ():
            bits = np.unpackbits(masks[f"mask/{layer['name']}.weight"])[: layer["weights_total"]]
            assert bits.sum() == layer["weights_alive"]


def test_a_record_holds_the_trial_that_made_it(done):
    """Settings in effect are all there, so that the trial can be made again from the record alone."""
    for record in done[1].records():
        again = Trial.from_config(record.trial)
        assert again.id == record.id
        assert again.config == record.trial


def test_extras_are_added_and_leave_the_rest_as_it_is():
    """The end of the last round is the network of the record, and no extra changes what is trained."""
    trial = study("A.rounds", "smoke", seeds=(0,)).trials["digits-dvs", "S"]
    trial = replace(trial, extras=("rounds", "weights", "outputs", "taylor"))
    full, plain = run(trial, 0), run(replace(trial, extras=()), 0)
    assert trial.id != replace(trial, extras=()).id
    last = full.log["rounds"][-1]
    for key in ("T", "sparsity", "sops", "top1", "epochs"):
        assert last[key] == full.metrics[key] == plain.metrics[key], key
    share = 100 * full.metrics["connections_alive"] / full.metrics["connections_total"]
    assert last["connections_left"] == pytest.approx(share)
    assert [r["sparsity"] for r in full.log["rounds"]] == pytest.approx([0, 25, 43.75], abs=0.1)
    assert full.curves["magnitudes"].sum() == full.metrics["weights_alive"]
    assert full.curves["outputs"].shape == (full.metrics["T"], 16, 10)
    assert full.curves["taylor_kl"].shape == full.curves["taylor_fisher"].shape == (6, full.metrics["T"])
    with pytest.raises(UserError, match="unknown extra 'weight'; did you mean weights"):
        replace(trial, extras=("weight",))


def test_the_same_seed_gives_the_same_record_and_another_does_not(done, both):
    stored = done[1].get(both.id, 0)
    assert run(both, 0).digest == stored.digest
    assert run(both, 1).digest != stored.digest


def test_dropout_does_not_remember_whether_the_start_was_trained(tmp_path, both):
    drop = {**dict(both.network_settings), "dropout": 0.3}
    trial = replace(both, network_settings=drop, start=replace(both.start, network_settings=drop))
    first = run(trial, 0, Store(tmp_path))
    assert run(trial, 0, Store(tmp_path / "again")).digest == first.digest
    assert run(trial, 0).digest == first.digest


def test_a_gpu_that_is_not_there_is_named_before_any_work(both):
    with pytest.raises(UserError, match="torch sees no GPU"):
        run(replace(both, device="cuda"), 0)
