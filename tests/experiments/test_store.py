"""A record appears whole or not at all, and one that was changed is never used."""

import errno
import json
import os

import numpy as np
import pytest
import torch

from snnbook.errors import UserError
from snnbook.experiments.store import DamagedRecord, Record, Store


def _record(seed=0, **metrics):
    curves = {"kl": np.array([3.0, 1.0, 0.0]), "predictions": np.array([1, 2], dtype=np.uint16)}
    return Record("lamp-x-12345678", seed, {"data": "x"}, {"top1": 91.25, **metrics}, [{"name": "a"}], curves)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_what_was_put_is_what_is_got(store):
    store.put(_record())
    found = store.get("lamp-x-12345678", 0)
    assert (found.metrics, found.layers, found.trial) == ({"top1": 91.25}, [{"name": "a"}], {"data": "x"})
    assert found.curves["kl"].tolist() == [3.0, 1.0, 0.0]
    assert found.digest == _record().digest
    assert store.get("lamp-x-12345678", 1) is None


def test_digest_sees_results_and_not_the_environment():
    a, b = _record(), _record()
    b.environment = {"wall_s": 3}
    assert a.digest == b.digest
    assert a.digest != _record(sops=1).digest
    b.curves["kl"][0] = np.nextafter(b.curves["kl"][0], 4)
    assert a.digest != b.digest


def _truncate(path):
    path.write_text(path.read_text()[:-40])


def _edit(path):
    content = json.loads(path.read_text())
    content["metrics"]["top1"] = 99.9
    path.write_text(json.dumps(content))


def _empty(path):
    path.write_bytes(b"")


def _not_text(path):
    path.write_bytes(b"\xff\xfe\x00")


def _newer(path):
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))


def _arrays(path):
    arrays = path.with_suffix(".npz")
    arrays.write_bytes(arrays.read_bytes()[:-1])


def _without_arrays(path):
    path.with_suffix(".npz").unlink()


@pytest.mark.parametrize("damage", [_truncate, _edit, _empty, _not_text, _newer, _arrays, _without_arrays])
def test_a_damaged_record_is_named_set_aside_and_not_used(store, damage):
    store.put(_record())
    path = store.file("lamp-x-12345678", 0)
    damage(path)
    with pytest.warns(DamagedRecord, match=r"seed-0\.json is not used"):
        assert store.get("lamp-x-12345678", 0) is None
    assert not path.exists()
    assert path.with_suffix(".damaged").exists()
    assert store.records() == []
    store.put(_record())
    assert store.has("lamp-x-12345678", 0), "it can be run again"


def test_a_full_disk_leaves_no_half_record_and_the_old_one_intact(store, monkeypatch):
    store.put(_record())

    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        store.put(_record(sops=5))
    monkeypatch.undo()
    assert store.get("lamp-x-12345678", 0).metrics == {"top1": 91.25}
    assert not [p for p in store.path.rglob(".writing-*")]


def test_a_folder_that_cannot_be_written_is_found_out_first(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        Store(tmp_path / "file" / "results").check_writable()


def test_find_takes_a_start_or_the_hash_and_names_near_misses(store):
    for seed in (10, 2):
        store.put(_record(seed))
    assert [r.seed for r in store.find("lamp-x-12345678")] == [2, 10]
    assert len(store.find("lamp")) == len(store.find("12345678")) == 2
    with pytest.raises(UserError, match="did you mean lamp-x-12345678"):
        store.find("lamp-y-12345678")
    other = _record()
    other.id = "lamp-z-1"
    store.put(other)
    with pytest.raises(UserError, match="fits several"):
        store.find("lamp")


def test_a_file_of_the_readers_own_is_left_alone(store):
    store.put(_record())
    store.file("lamp-x-12345678", 0).with_name("seed-0-old.json").write_text("mine")
    assert [r.seed for r in store.records()] == [0]


def test_weights_that_cannot_be_kept_are_no_error(tmp_path):
    (tmp_path / ".checkpoints").write_text("in the way")
    Store(tmp_path).save_weights("t", 0, {"a": torch.arange(4.0)})
    assert Store(tmp_path).load_weights("t", 0) is None


def test_weights_are_kept_beside_the_records(store):
    state = {"a": torch.arange(4.0), "n": torch.tensor(3)}
    assert store.load_weights("t", 0) is None
    store.save_weights("t", 0, state)
    assert all(torch.equal(v, state[k]) for k, v in store.load_weights("t", 0).items())
    next(store.path.glob(".checkpoints/*")).write_bytes(b"broken")
    with pytest.warns(DamagedRecord):
        assert store.load_weights("t", 0) is None
