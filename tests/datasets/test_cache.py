"""The cache never gives back anything but what was stored, and its loss costs time only."""

import errno
import os

import numpy as np
import pytest

from snnbook.datasets import cache
from snnbook.errors import UserError


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A set that counts how often it is made."""
    monkeypatch.setenv("SNNBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_warned", False)
    count = []

    def make():
        count.append(1)
        return {"x": np.arange(1000, dtype=np.uint16), "y": np.arange(5)}

    def get(**kw):
        arrays = cache.cached("a/set", make, **kw)
        assert np.array_equal(arrays["x"], np.arange(1000))
        assert sorted(arrays) == ["x", "y"]
        return len(count)

    return get


@pytest.mark.parametrize("compress", [False, True])
def test_it_is_made_once(made, compress, tmp_path):
    assert [made(compress=compress), made(compress=compress)] == [1, 1]
    assert [p.name for p in (tmp_path / "cache" / "a").iterdir()] == ["set.npz"]


def damage_truncated(path):
    path.write_bytes(path.read_bytes()[:700])


def damage_one_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_empty(path):
    path.write_bytes(b"")


def damage_other_content(path):
    np.savez(path, x=np.arange(1000), y=np.arange(5), checksum=np.array("0" * 64))


def damage_no_checksum(path):
    np.savez(path, x=np.arange(3))


def damage_not_arrays(path):
    np.save(path.open("wb"), np.arange(3))


@pytest.mark.parametrize(
    "damage",
    [
        damage_truncated,
        damage_one_byte,
        damage_empty,
        damage_other_content,
        damage_no_checksum,
        damage_not_arrays,
    ],
)
def test_a_damaged_file_is_made_again(made, damage, tmp_path):
    made()
    damage(tmp_path / "cache" / "a" / "set.npz")
    assert [made(), made()] == [2, 2]


def test_a_folder_that_cannot_be_written_costs_one_warning(made, tmp_path, recwarn):
    (tmp_path / "cache").write_text("a file in the way")
    assert [made(), made()] == [1, 2]
    assert [str(w.message).split(":")[0] for w in recwarn.list] == [
        "data sets are generated anew each time, the cache cannot be written"
    ]


def test_a_full_disk_leaves_nothing_behind(made, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(UserWarning, match="No space left"):
        made()
    assert list((tmp_path / "cache" / "a").iterdir()) == []


def test_the_digest_sees_names_types_and_shapes():
    a = np.arange(6)
    variants = [{"a": a}, {"b": a}, {"a": a.astype(np.int32)}, {"a": a.reshape(2, 3)}, {"a": a + 1}]
    assert len({cache.array_digest(v) for v in variants}) == len(variants)


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Rows of bytes that are packed, and a list of those that were made."""
    monkeypatch.setenv("SNNBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_warned", False)
    monkeypatch.setattr(cache, "AT_ONCE", 4)
    values, seen = np.random.default_rng(0).integers(256, size=(10, 3, 2), dtype=np.uint8), []

    def make(i):
        seen.append(i)
        return values[i]

    return values, seen, lambda: cache.packed("some", values.shape, make)


def test_rows_are_made_once_and_read_where_they_lie(rows, tmp_path, monkeypatch):
    values, seen, packed = rows
    for ahead in (0, cache.AHEAD):
        monkeypatch.setattr(cache, "AHEAD", ahead)
        stored = packed()
        assert len(stored) == 10
        assert np.array_equal(stored[np.array([7, 0, 7])], values[[7, 0, 7]])
        assert np.array_equal(stored[np.arange(10)], values)
    assert sorted(seen) == list(range(10))
    assert [p.name for p in (tmp_path / "cache" / "some").iterdir()] == ["rows"]


def test_a_damaged_row_is_made_again_and_a_file_that_is_cut_as_a_whole(rows, tmp_path):
    values, seen, packed = rows
    packed()
    file = tmp_path / "cache" / "some" / "rows"
    content = bytearray(file.read_bytes())
    content[6 * 4] ^= 1  # in row 4
    content[60 + 4 * 8] ^= 1  # the checksum of row 8
    file.write_bytes(content)
    del seen[:]
    assert np.array_equal(packed()[np.arange(10)], values)
    assert seen == [4, 8]
    file.write_bytes(content[:-1])
    assert np.array_equal(packed()[np.arange(10)], values)
    assert sorted(seen) == [*range(4), 4, 4, 5, 6, 7, 8, 8, 9]


def test_rows_that_cannot_be_kept_cost_one_warning(rows, tmp_path, monkeypatch, recwarn):
    *_, packed = rows
    (tmp_path / "cache").write_text("a file in the way")
    assert [packed(), packed()] == [None, None]
    assert len(recwarn.list) == 1
    monkeypatch.setattr(cache.paths, "cache", lambda: None)
    assert packed() is None


def test_what_making_a_row_raises_is_raised_and_nothing_is_kept(rows, tmp_path):
    def fail(i):
        raise UserError(f"row {i} cannot be made")

    with pytest.raises(UserError, match="row 0 cannot be made"):
        cache.packed("none", (3, 2), fail)
    assert list((tmp_path / "cache" / "none").iterdir()) == []


def test_of_processes_that_ask_at_once_one_makes_the_rows(rows):
    _, seen, packed = rows
    children = []
    for _ in range(3):
        if (pid := os.fork()) == 0:
            packed()
            os._exit(len(seen))
        children.append(pid)
    assert sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children) == [0, 0, 10]
