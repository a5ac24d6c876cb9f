"""The event sets, read through tonic from small files in the real formats, in the same order everywhere."""

import struct
from pathlib import Path

import fake_data
import numpy as np
import pytest
import torch

from snnbook import datasets
from snnbook.datasets import event_files, neuromorphic
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
    monkeypatch.setattr(event_files, "events_to_frames", None)
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
    files = {split: data._sample.args[0] for split, data in sets.items()}
    assert [file.stem for file in files["test"]][:4] == [
        "cifar10_airplane_8",
        "cifar10_airplane_9",
        "cifar10_automobile_8",
        "cifar10_automobile_9",
    ]
    assert len(set().union(*files.values())) == 200
    frames, _ = sets["test"][0]
    assert frames.shape == (10, 2, 128, 128)
    assert frames.sum((1, 2, 3)).tolist() == [20] * 10
    assert frames[:, 0].sum() == frames[:, 1].sum() == 100
    small = sets["train"].head(20)
    assert np.bincount(small.y).tolist() == [2] * 10
    assert torch.equal(small[0][0], frames)


def first(gesture: Path, rows, **kw) -> torch.Tensor:
    """Frames of the first test recording when its file holds `rows`."""
    np.save(gesture / "DVSGesture" / "ibmGestureTest" / "user24_led" / "0.npy", rows)
    return datasets.load("dvs128_gesture", "test", root=gesture, **({"T": 2, "cache": False} | kw))[0][0]


@pytest.mark.supports("Recordings", "hot pixels in frames that are kept on disk", "counted: 70,000 events stay 70,000")
def test_a_hot_pixel_keeps_all_its_events_also_in_the_cache(gesture, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNBOOK_CACHE", str(tmp_path / "cache"))
    n = 70_000
    rows = np.stack([np.full(n, 5), np.full(n, 6), np.ones(n, int), np.arange(n)], axis=1)
    for frames in (first(gesture, rows, T=1, cache=True) for _ in range(2)):
        assert frames[0, 1, 6, 5] == frames.sum() == n


ROWS = np.array([[1, 2, 0, 0], [3, 4, 1, 5], [5, 6, 1, 9], [7, 8, 0, 100]])


@pytest.mark.supports("Recordings", "files with rows in any type and order", "counted alike")
@pytest.mark.parametrize("by", ["number", "time"])
def test_recordings_in_any_type_and_order_are_read_alike(gesture, by):
    right = first(gesture, ROWS, by=by)
    for rows in (ROWS.astype(np.int8), ROWS.astype(">f4"), ROWS[[2, 0, 3, 1]], ROWS.astype(np.uint64)):
        assert torch.equal(first(gesture, rows, by=by), right)
    signed = ROWS * [1, 1, 2, 1] - [0, 0, 1, 0]
    assert torch.equal(first(gesture, signed, by=by), right)
    assert torch.equal(first(gesture, ROWS + np.array([0, 0, 0, 1_700_000_000_000_000_000]), by=by), right)
    assert torch.equal(first(gesture, ROWS + np.array([0, 0, 0, 0.25]), by=by), right)


@pytest.mark.supports(
    "Recordings", "a file with a row that is no event", "refused", says="…user24_led/0.npy: … of event 2 is"
)
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((1, 2, 3, 4), "p of event 2 is 3, polarity is coded"),
        ((1, 128, 1, 4), "y of event 2 is 128, outside the sensor"),
        ((1, 2, 1, np.nan), "t of event 2 is nan, not a finite number"),
        ((1, 2.5, 1, 4), r"y of event 2 is 2\.5, not a whole number"),
    ],
)
def test_a_row_that_is_no_event_is_refused_by_file_and_field(gesture, row, reason):
    with pytest.raises(UserError, match=rf"user24_led/0\.npy: {reason}"):
        first(gesture, np.array([*ROWS[:2], row, ROWS[3]]))


@pytest.mark.supports(
    "Recordings", "a file that holds another array", "refused", says="…user24_led/0.npy cannot be read as a recording: "
)
@pytest.mark.parametrize("rows", [ROWS[:0], ROWS[:, :3], ROWS.astype(str), ROWS * 10**17, np.array([None])])
def test_an_array_that_is_no_recording_is_refused_by_its_file(gesture, rows):
    with pytest.raises(UserError, match=r"user24_led/0\.npy cannot be read as a recording: ") as err:
        first(gesture, rows)
    assert "\n" not in str(err.value)


def cut_short(file: Path, read, *bounds: int) -> None:
    """Wherever a file is cut, its reading is refused in one line that names it. bounds: the ends of its parts."""
    whole = file.read_bytes()
    for n in {0, 1, len(whole) - 1, *range(0, len(whole), 19), *(b + i for b in bounds for i in (-1, 0, 1))}:
        file.write_bytes(whole[:n])
        with pytest.raises(UserError, match=f"{file.name} cannot be read as a recording: .+ get it anew") as err:
            read(file)
        assert "\n" not in str(err.value)


@pytest.mark.supports(
    "Recordings",
    "a `.npy` that is cut short, wherever, or missing",
    "refused",
    says="…3.npy cannot be read as a recording: ",
)
def test_gesture_recordings_that_are_cut_short_are_named(tmp_path):
    np.save(tmp_path / "3.npy", ROWS)
    cut_short(tmp_path / "3.npy", neuromorphic.read_recording, 10, 128)
    np.save(tmp_path / "3.npy", ROWS)
    with (tmp_path / "3.npy").open("ab") as file:
        file.write(b"0")
    with pytest.raises(UserError, match=r"3\.npy cannot be read as a recording: it holds more than its header says"):
        neuromorphic.read_recording(tmp_path / "3.npy")
    with pytest.raises(UserError, match=r"4\.npy cannot be read as a recording: .*No such file"):
        neuromorphic.read_recording(tmp_path / "4.npy")


@pytest.mark.supports(
    "Recordings",
    "an `.aedat4` that is cut short, also between two packets",
    "refused",
    says="…two.aedat4 cannot be read as a recording: ",
)
def test_cifar10_dvs_recordings_that_are_cut_short_are_named(tmp_path):
    """Also between two packets: the header says where the events end. Beyond that place, none is missing."""
    pytest.importorskip("aedat")
    sample = bytearray(fake_data.AEDAT4.read_bytes())
    position = 54  # of the field that says where the packets end
    header, (end,) = 18 + struct.unpack_from("<I", sample, 14)[0], struct.unpack_from("<q", sample, position)
    packet = sample[header:end]
    file = tmp_path / "two.aedat4"
    struct.pack_into("<q", sample, position, end + len(packet))
    file.write_bytes(sample[:end] + packet)
    assert len(neuromorphic.read_recording(file)) == 400
    cut_short(file, neuromorphic.read_recording, header, header + 8, end)


def test_a_recording_on_which_its_reader_panics_is_named(tmp_path):
    """The panics of a library in Rust are no Exception."""
    pytest.importorskip("aedat")
    damaged = bytearray(fake_data.AEDAT4.read_bytes())
    damaged[66] ^= 16  # a text in the header seems longer than the header
    file = tmp_path / "damaged.aedat4"
    file.write_bytes(damaged)
    with pytest.raises(UserError, match=r"damaged\.aedat4 cannot be read as a recording"):
        neuromorphic.read_recording(file)


@pytest.mark.supports(
    "Recordings",
    "files that are no recordings of the set",
    "refused",
    says="…user24_led/11.npy is no recording of dvs128_gesture: expected userNN_LIGHT",
)
def test_stray_files_are_named(gesture, tmp_path):
    folder = gesture / "DVSGesture" / "ibmGestureTest" / "user24_led"
    (folder / "._0.npy").write_bytes(b"a file that macOS leaves beside others")
    assert len(datasets.load("dvs128_gesture", "test", root=gesture)) == 22
    (folder / "11.npy").write_bytes(b"")
    with pytest.raises(UserError, match=r"user24_led/11\.npy is no recording of dvs128_gesture: expected userNN_LIGHT"):
        datasets.load("dvs128_gesture", "test", root=gesture)
    pytest.importorskip("aedat")
    fake_data.cifar10_dvs(tmp_path, per_class=2)
    (tmp_path / "CIFAR10DVS" / "dog").rename(tmp_path / "CIFAR10DVS" / "dogs")
    with pytest.raises(UserError, match=r"dogs/cifar10_dog_0\.aedat4 is no recording of cifar10_dvs"):
        datasets.load("cifar10_dvs", "test", root=tmp_path)


@pytest.mark.supports(
    "Recordings",
    "a folder without recordings",
    "refused",
    says="no recordings in …: expected DVSGesture/ibmGestureTest/userNN_LIGHT",
)
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
