"""A set on disk is known by what it holds: neither by where it lies nor only by what is done to it."""

import os
import shutil
from dataclasses import replace

import fake_data
import pytest

from snnbook import datasets
from snnbook.datasets import content, vision
from snnbook.datasets.base import digest
from snnbook.errors import UserError


def fingerprint(root, **kw):
    return datasets.fingerprint("dvs128_gesture", root=root, **kw)


@pytest.fixture
def files(tmp_path):
    """A folder of 200 files, more than are read, and the hash of what is in it."""
    for i in range(200):
        (tmp_path / f"{i:03d}.bin").write_bytes(bytes([i]) * 10)

    def hashed():
        content._content.cache_clear()
        return content.content("made", tmp_path, ("*.bin",))

    return tmp_path, hashed


def test_the_place_and_the_age_of_the_files_do_not_count(tmp_path):
    here = fake_data.dvs128_gesture(tmp_path / "here")
    there = shutil.copytree(here, tmp_path / "there")
    (there / "other").write_text("beside the set")
    for file in there.rglob("*.npy"):
        os.utime(file, (0, 0))
    assert fingerprint(here) == fingerprint(there) == fingerprint(str(there))
    assert datasets.load("dvs128_gesture", "train", root=here).fingerprint == fingerprint(there)
    assert datasets.load("dvs128_gesture", "test", root=here, T=3).fingerprint == fingerprint(there, T=3)


def test_what_the_files_hold_counts(files):
    folder, hashed = files
    known = [hashed()]
    (folder / "000.bin").write_bytes(b"x" * 10)  # one of those that are read
    known.append(hashed())
    (folder / "001.bin").write_bytes(b"x" * 11)  # one of the others: its size
    known.append(hashed())
    (folder / "001.bin").rename(folder / "0011.bin")
    known.append(hashed())
    (folder / "002.bin").unlink()
    known.append(hashed())
    (folder / "beside.txt").write_text("not of the set")
    assert hashed() == known[-1]
    assert len(set(known)) == len(known)


def test_of_large_files_the_beginning_is_read(files, monkeypatch):
    folder, hashed = files
    monkeypatch.setattr(content, "BYTES_READ", 4)
    before = hashed()
    (folder / "000.bin").write_bytes(b"\0\0\0\0xxxxxx")
    assert hashed() == before
    (folder / "000.bin").write_bytes(b"\0\0\0xxxxxxx")
    assert hashed() != before


def test_the_options_that_decide_samples_count_and_no_others(tmp_path):
    root = fake_data.dvs128_gesture(tmp_path)
    known = {fingerprint(root)}
    for kw in ({"T": 4}, {"by": "time"}, {"size": 48}, {"mix": True}, {"mix": "nda"}, {"validation": 0}):
        known.add(fingerprint(root, **kw))
    assert len(known) == 7
    assert known == known | {fingerprint(root, cache=False), fingerprint(root, T=20), fingerprint(root, validation=0.0)}


def test_without_a_folder_the_published_files_are_meant(monkeypatch):
    with pytest.raises(UserError, match="cifar10 is read from disk: give root="):
        datasets.fingerprint("cifar10")
    with pytest.raises(UserError, match="cifar10 is read from disk: give root="):
        datasets.load("cifar10", "train")
    monkeypatch.setitem(vision.SETS, "cifar10", replace(datasets.info("cifar10"), content="0123"))
    settings = {"validation": 0.1, "cutout": 0}
    assert datasets.fingerprint("cifar10") == digest(["cifar10", vision.VERSION, "0123", settings])


def test_a_folder_without_the_set_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cifar10_dvs is not in .*: expected CIFAR10DVS/\*/\*.aedat4"):
        datasets.fingerprint("cifar10_dvs", root=tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    root = fake_data.dvs128_gesture(tmp_path)
    (root / "DVSGesture" / "ibmGestureTest" / "user24_led" / "12.npy").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"dvs128_gesture cannot be read: No such file or directory: .*/12\.npy"):
        datasets.fingerprint("dvs128_gesture", root=root)


def test_every_fake_set_has_a_content(tmp_path):
    """The patterns fit the files that the loaders read."""
    sets = ("cifar10", "cifar100", "tiny_imagenet", "imagenet", "dvs128_gesture", "cifar10_dvs")
    for name in sets:
        getattr(fake_data, name)(tmp_path)
    assert len({datasets.fingerprint(name, root=tmp_path) for name in sets}) == len(sets)
    assert all(datasets.info(name).on_disk == (name in (*sets, "images", "events")) for name in datasets.available())
