"""The event sets, read through tonic from small files in the real formats, in the same order everywhere."""

from pathlib import Path

import fake_data
import numpy as np
import pytest
import torch

from snnbook import datasets
from snnbook.datasets import neuromorphic
from snnbook.errors import UserError


@pytest.fixture(autouse=True)
def _no_download(monkeypatch):
    from tonic.dataset import Dataset

    def download(self):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(Dataset, "download", download, raising=False)


@pytest.fixture
def gesture(tmp_path) -> Path:
    return fake_data.dvs128_gesture(tmp_path)


def test_gesture(gesture):
    sets = {s: datasets.load("dvs128_gesture", s, root=gesture) for s in ("train", "validation", "test")}
    assert {s: len(d) for s, d in sets.items()} == {"train": 44, "validation": 11, "test": 22}
    train = sets["train"]
    assert (train.num_classes, train.static, hasattr(train, "x")) == (11, False, False)
    for data in sets.values():
        for i in (0, 7, -1):
            frames, y = data[i]
            assert frames.shape == (20, 2, 128, 128)
            assert frames.sum((1, 2, 3)).tolist() == [2] * 19 + [12]
            assert frames[..., 10 * int(y), :].sum() == 50
    x = torch.stack([train[0][0], train[1][0]])
    assert torch.equal(train.augment(x, torch.Generator()), x)


def test_gesture_order_people_and_frames(gesture):
    """Validation is the last person; recordings are sorted by path whatever the file system says."""
    files = sorted((gesture / "DVSGesture" / "ibmGestureTrain").glob("*/*.npy"), key=lambda p: p.parts)
    kept = [f for f in files if f.parent.name != "user12_led"]
    train = datasets.load("dvs128_gesture", "train", root=gesture, T=3, by="time", cache=False)
    assert [f.stem for f in kept] == [str(int(y)) for y in train.y]
    for i in (0, 20, 43):
        x, y, p, t = np.load(kept[i]).T
        events = np.empty(50, [("x", int), ("y", int), ("p", int), ("t", int)])
        events["x"], events["y"], events["p"], events["t"] = x, y, p, 1000 * t
        assert torch.equal(train[i][0], datasets.events_to_frames(events, 3, (128, 128), by="time"))
    everything = datasets.load("dvs128_gesture", "train", root=gesture, validation=0)
    assert len(everything) == 55


def test_gesture_frames_are_kept_and_follow_the_file(gesture, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNBOOK_CACHE", str(tmp_path / "cache"))
    data = datasets.load("dvs128_gesture", "test", root=gesture, T=4)
    first = data[0][0]
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 1
    monkeypatch.setattr(neuromorphic, "events_to_frames", None)
    assert torch.equal(data[0][0], first)
    monkeypatch.undo()
    monkeypatch.setenv("SNNBOOK_CACHE", str(tmp_path / "cache"))
    file = gesture / "DVSGesture" / "ibmGestureTest" / "user24_led" / "0.npy"
    np.save(file, np.load(file)[:30])
    assert data[0][0].sum() == 30


@pytest.mark.parametrize("mix", [True, "nda"])
def test_smaller_frames_and_mixing(gesture, mix):
    data = datasets.load("dvs128_gesture", "test", root=gesture, T=2, size=48, mix=mix)
    x = torch.stack([data[i][0] for i in range(4)])
    assert x.shape == (4, 2, 2, 48, 48)
    once, again = (data.augment(x, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.equal(once, x)


def test_cifar10_dvs(tmp_path):
    pytest.importorskip("aedat")
    fake_data.cifar10_dvs(tmp_path, per_class=20)
    sets = {}
    for split in ("train", "validation", "test"):
        with pytest.warns(UserWarning, match="1,000 recordings per class"):
            sets[split] = datasets.load("cifar10_dvs", split, root=tmp_path)
    assert {s: np.bincount(d.y).tolist() for s, d in sets.items()} == {
        "train": [16] * 10,
        "validation": [2] * 10,
        "test": [2] * 10,
    }
    recordings, chosen = sets["test"]._sample.args[:2]
    names = [Path(recordings.data[i]).stem for i in chosen]
    assert names[:4] == [
        "cifar10_airplane_8",
        "cifar10_airplane_9",
        "cifar10_automobile_8",
        "cifar10_automobile_9",
    ]
    everything = np.concatenate([d._sample.args[1] for d in sets.values()])
    assert sorted(everything) == list(range(200))
    frames, _ = sets["test"][0]
    assert frames.shape == (10, 2, 128, 128)
    assert frames.sum((1, 2, 3)).tolist() == [20] * 10
    assert frames[:, 0].sum() == frames[:, 1].sum() == 100
    small = sets["train"].head(20)
    assert np.bincount(small.y).tolist() == [2] * 10
    assert torch.equal(small[0][0], frames)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no recordings in .*: expected DVSGesture/ibmGestureTest/userNN_LIGHT"):
        datasets.load("dvs128_gesture", "test", root=tmp_path)
    with pytest.raises(UserError, match=r"no recordings in .*: expected CIFAR10DVS/<class>/\*.aedat4"):
        datasets.load("cifar10_dvs", "train", root=tmp_path)
    with pytest.raises(UserError, match="cifar10_dvs is read from disk: give root="):
        datasets.load("cifar10_dvs", "train")
    with pytest.raises(UserError, match="unknown value of mix 'nada'; did you mean nda"):
        datasets.load("cifar10_dvs", "train", root=tmp_path, mix="nada")
    with pytest.raises(UserError, match="T is the number of time steps"):
        datasets.load("cifar10_dvs", "train", root=tmp_path, T=0)
