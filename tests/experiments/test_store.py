"""A record appears whole or not at all, one that was changed is never used, and nothing else sets one aside."""

import errno
import json
import os
import shutil
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snnbook.errors import DamagedRecord, UserError
from snnbook.experiments.record import METRICS, Record
from snnbook.experiments.store import Store

ID = "lamp-x-12345678"


def _record(seed=0, **metrics):
    noise = np.random.default_rng(seed).bytes(64)  # which no seed can pack into fewer bytes than another
    curves = {"kl_smoothed": np.array([3.0, 1.0, 0.0]), "mask/a.weight": np.frombuffer(noise, np.uint8)}
    log = {"grown": [3, 1]}
    return Record(ID, seed, {"data": "x"}, {"top1": 91.25, **metrics}, [{"name": "a"}], curves, log, {"wall_s": 1.5})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def _arrays(path):
    return path.with_suffix(".npz")


def _unreadable(monkeypatch, name, code=errno.EIO):
    """Reading files of that name fails, as it does on a broken disk."""
    read = Path.read_bytes

    def failing(path):
        if path.name == name:
            raise OSError(code, os.strerror(code), str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", failing)


# --- what is put is what is got -----------------------------------------------------------------------------


def test_what_was_put_is_what_is_got(store):
    store.put(_record())
    stored = store.get(ID, 0)
    assert stored.body() == _record().body()
    assert {n: a.tolist() for n, a in stored.curves.items()} == {n: a.tolist() for n, a in _record().curves.items()}
    assert stored.digest == _record().digest
    assert store.has(ID, 0)
    assert not store.has(ID, 1)
    assert store.get(ID, 1) is None
    assert store.get("another", 0) is None


def test_a_record_without_curves_is_one_file(store):
    record = _record()
    record.curves = {}
    store.put(record)
    assert [p.name for p in (store.path / ID).iterdir()] == ["seed-0.json"]
    assert dict(store.get(ID, 0).curves) == {}


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, width=64)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=5), PLAIN, max_size=3)
RECORDS = st.builds(
    Record,
    id=st.just(ID),
    seed=st.integers(0, 10**6),
    trial=OBJECTS,
    metrics=st.dictionaries(st.sampled_from(list(METRICS)), st.none() | NUMBERS),
    layers=st.lists(OBJECTS, max_size=2),
    curves=st.dictionaries(
        st.sampled_from(["loss", "mask/body.1.weight", "neurons/0"]),
        st.sampled_from(["<f8", "<f4", "<u2", "|u1"]).flatmap(lambda kind: arrays(kind, st.integers(0, 4))),
    ),
    log=OBJECTS,
    environment=OBJECTS,
)


@given(record=RECORDS)
def test_any_record_comes_back_equal_and_copies_with_the_same_bytes(tmp_path_factory, record):
    one, two = (Store(tmp_path_factory.mktemp("store")) for _ in range(2))
    one.put(record)
    stored = one.get(record.id, record.seed)
    assert stored.body() == record.body()
    assert stored.digest == record.digest
    two.put(stored)
    for path in (one.path / ID).iterdir():
        assert (two.path / ID / path.name).read_bytes() == path.read_bytes()


def test_the_file_is_plain_json_and_one_number_changes_two_lines(store):
    store.put(_record())
    path = store.file(ID, 0)
    before = path.read_text().splitlines()
    content = json.loads(path.read_text())
    assert content["metrics"]["top1"] == 91.25
    assert content["format"] == 2
    store.put(_record(top1=90.0))
    after = path.read_text().splitlines()
    changed = [line for line, other in zip(after, before, strict=True) if line != other]
    assert [line.split(":")[0].strip() for line in changed] == ['"checksum"', '"top1"']


# --- arrays only when they are asked for --------------------------------------------------------------------


def test_metrics_are_read_without_the_arrays(store, monkeypatch):
    store.put(_record())
    _unreadable(monkeypatch, "seed-0.npz")
    stored = store.get(ID, 0)
    assert stored.metrics["top1"] == 91.25
    with pytest.raises(UserError, match=r"cannot read .*seed-0\.npz: Input/output error"):
        stored.curves["kl_smoothed"]
    monkeypatch.undo()
    assert stored.curves["kl_smoothed"][0] == 3.0, "a disk that failed once set nothing aside"


def test_arrays_that_go_after_the_metrics_were_read(store):
    store.put(_record())
    stored = store.get(ID, 0)
    _arrays(store.file(ID, 0)).unlink()
    assert stored.metrics["top1"] == 91.25
    with pytest.warns(DamagedRecord, match="its arrays is gone"), pytest.raises(UserError, match="run the trial again"):
        stored.curves["kl_smoothed"]
    assert not store.has(ID, 0)


def test_changing_an_array_in_place_changes_nothing_stored(store):
    store.put(_record())
    stored = store.get(ID, 0)
    stored.curves["kl_smoothed"][:] = 0
    assert stored.digest == _record().digest


def _flip(path):
    content = bytearray(_arrays(path).read_bytes())
    content[len(content) // 2] ^= 1
    _arrays(path).write_bytes(content)


def _swap(path):
    """Both files are sound and have the same size."""
    one, two = _arrays(path), path.with_name("seed-1.npz")
    assert len(one.read_bytes()) == len(two.read_bytes())
    held = one.read_bytes()
    shutil.copy(two, one)
    two.write_bytes(held)


@pytest.mark.parametrize("damage", [_flip, _swap])
def test_arrays_that_do_not_match_are_never_handed_out(store, damage):
    store.put(_record(0))
    store.put(_record(1))
    path = store.file(ID, 0)
    damage(path)
    stored = store.get(ID, 0)
    aside = "arrays does not match its checksum; set aside as seed-0.damaged"
    with pytest.warns(DamagedRecord, match=aside), pytest.raises(UserError, match="run the trial again"):
        stored.curves["kl_smoothed"]
    assert path.with_suffix(".damaged").exists()
    assert not store.has(ID, 0)


# --- what sets a record aside -------------------------------------------------------------------------------


def _truncate(path):
    path.write_text(path.read_text()[:-40])


def _edit(path):
    path.write_text(path.read_text().replace("91.25", "99.25"))


def _written_anew(path):
    path.write_text(json.dumps(json.loads(path.read_text())))


def _empty(path):
    path.write_bytes(b"")


def _not_text(path):
    path.write_bytes(b"\xff\xfe\x00")


def _another_kind(path):
    path.write_text("[1, 2]")


def _truncated_arrays(path):
    _arrays(path).write_bytes(_arrays(path).read_bytes()[:-1])


def _without_arrays(path):
    _arrays(path).unlink()


DAMAGES = [_truncate, _edit, _written_anew, _empty, _not_text, _another_kind, _truncated_arrays, _without_arrays]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_named_set_aside_and_not_used(store, damage):
    store.put(_record())
    path = store.file(ID, 0)
    damage(path)
    with pytest.warns(DamagedRecord, match=r"seed-0\.json is not used: .*; set aside as seed-0\.damaged"):
        assert not store.has(ID, 0)
    assert not path.exists()
    assert path.with_suffix(".damaged").exists()
    assert store.records() == []
    store.put(_record())
    assert store.has(ID, 0), "it can be run again"


def test_a_damaged_record_in_a_read_only_folder_is_not_used_either(store, monkeypatch):
    store.put(_record())
    _truncate(store.file(ID, 0))

    def read_only(*paths):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", read_only)
    with pytest.warns(DamagedRecord, match="it cannot be set aside: Read-only file system"):
        assert store.get(ID, 0) is None
    assert store.file(ID, 0).exists()


def _untouched(store, message):
    before = {p: p.read_bytes() for p in store.path.rglob("*") if p.is_file()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserError, match=message):
            store.has(ID, 0)
    assert {p: p.read_bytes() for p in before} == before


def test_a_newer_format_is_an_error_and_stays(store):
    store.put(_record())
    path = store.file(ID, 0)
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    _untouched(store, "was written by a newer snnbook")


def test_an_older_format_is_not_used_and_stays_until_it_is_run_again(store):
    path = store.file(ID, 0)
    path.parent.mkdir(parents=True)
    path.write_text('{"format": 0}')
    with pytest.warns(DamagedRecord, match="was written by an older snnbook: run it again"):
        assert not store.has(ID, 0)
    assert path.exists()
    store.put(_record())
    assert store.has(ID, 0)


def test_a_record_under_the_name_of_another_is_an_error_and_stays(store):
    store.put(_record(1))
    for path in (store.path / ID).glob("seed-1.*"):
        path.rename(path.with_name(path.name.replace("1", "0")))
    _untouched(store, f"is the record of {ID}, seed 1")


def test_a_metric_that_the_schema_does_not_know_is_an_error_and_stays(store, monkeypatch):
    store.put(_record(sops=3.0))
    monkeypatch.delitem(METRICS, "sops")
    with pytest.raises(UserError, match="unknown metric 'sops'"):
        store.put(_record(sops=3.0))
    stored = store.file(ID, 0)
    _untouched(store, f"{stored.name}: unknown metric 'sops'")


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES])
def test_a_file_that_cannot_be_read_is_an_error_and_stays(store, monkeypatch, code):
    store.put(_record())
    _unreadable(monkeypatch, "seed-0.json", code)
    with pytest.raises(UserError, match=rf"cannot read .*seed-0\.json: {os.strerror(code)}"):
        store.has(ID, 0)
    monkeypatch.undo()
    assert store.has(ID, 0)


# --- writing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [1, 2], ids=["the JSON", "the arrays"])
def test_a_full_disk_leaves_no_half_record_and_the_old_one_intact(store, monkeypatch, files):
    store.put(_record())
    flush, flushed = os.fsync, []

    def full(handle):
        flushed.append(handle)
        if len(flushed) == files:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    monkeypatch.setattr(os, "fsync", full)
    changed = _record(sops=5)
    changed.curves = {"loss": np.zeros(3)}
    with pytest.raises(UserError, match="No space left"):
        store.put(changed)
    monkeypatch.undo()
    assert store.get(ID, 0).digest == _record().digest
    assert not [p for p in store.path.rglob(".writing-*")]


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_process_that_is_killed_while_it_writes_leaves_a_whole_record_or_none(store, monkeypatch, renames):
    """It is killed before the first rename, between the two, and not at all."""
    rename, done = os.replace, []

    def killed(*paths):
        if len(done) == renames:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(paths)
        rename(*paths)

    monkeypatch.setattr(os, "replace", killed)
    child = os.fork()
    if child == 0:
        try:
            store.put(_record())
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == (signal.SIGKILL if renames < 2 else 0)
    monkeypatch.undo()
    assert store.has(ID, 0) == (renames == 2)
    assert list(store.stored()) == [(ID, 0)] * (renames == 2)
    store.put(_record(top1=2.0))
    assert store.get(ID, 0).digest == _record(top1=2.0).digest


# --- many records -------------------------------------------------------------------------------------------


def test_records_are_listed_in_order_and_files_of_the_readers_own_are_left_alone(store):
    for seed in (10, 2):
        store.put(_record(seed))
    other = _record(1)
    other.id = "a-1"
    store.put(other)
    store.file(ID, 2).with_name("seed-2-old.json").write_text("mine")
    (store.path / "notes.txt").write_text("mine")
    (store.path / ".checkpoints").mkdir()
    (store.path / ".checkpoints" / "seed-1.json").write_text("mine")
    assert list(store.stored()) == [("a-1", 1), (ID, 2), (ID, 10)]
    assert [(r.id, r.seed) for r in store.records()] == list(store.stored())
    assert list(Store(store.path / "nowhere").stored()) == []
    assert list(Store(store.path / "notes.txt").stored()) == []


def test_find_takes_a_start_or_the_hash_and_names_near_misses(store):
    for seed in (10, 2):
        store.put(_record(seed))
    assert [r.seed for r in store.find(ID)] == [2, 10]
    assert len(store.find("lamp")) == len(store.find("12345678")) == 2
    with pytest.raises(UserError, match=f"did you mean {ID}"):
        store.find("lamp-y-12345678")
    other = _record()
    other.id = "lamp-z-1"
    store.put(other)
    with pytest.raises(UserError, match="fits several"):
        store.find("lamp")


# --- weights ------------------------------------------------------------------------------------------------


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
