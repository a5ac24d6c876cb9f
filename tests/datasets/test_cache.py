"""The cache never gives back anything but what was stored, and its loss costs time only."""

import errno
import os

import numpy as np
import pytest

from snnbook.datasets import cache


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
