"""A reader's own recordings: frames are those of the events, counted one by one, whatever the format."""

import fake_recordings as write
import numpy as np
import pytest
import torch

from snnbook import datasets
from snnbook.errors import UserError
from snnbook.experiments import Trial

SIZE = (10, 12)


@pytest.fixture
def made(tmp_path):
    """One folder of two classes with ten recordings in four formats, and their events by name."""
    header = "% evt {}\n% geometry 12x10\n% end\n"
    events = {}
    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(5):
            some = write.made(40 + i, SIZE, 5000, seed=ord(label) + i)
            name = tmp_path / label / str(i)
            if i == 0:
                file = write.evt2(name.with_suffix(".raw"), some, header.format("2.0"))
            elif i == 1:
                file = write.evt3(name.with_suffix(".raw"), some, header.format("3.0"))
            elif i == 2:
                file = write.dat(name.with_suffix(".dat"), some, SIZE)
            else:
                np.save(file := name.with_suffix(".npy"), some)
            events[f"{label}/{file.name}"] = some
    return tmp_path, events


def counted(events, T, by):
    """The frames, event by event."""
    frames = np.zeros((T, 2, *SIZE), np.float32)
    first, last = int(events["t"].min()), int(events["t"].max()) + 1
    for i, (x, y, t, p) in enumerate(events.tolist()):
        frame = min(i // (len(events) // T), T - 1) if by == "number" else (t - first) * T // (last - first)
        frames[frame, p, y, x] += 1
    return frames


@pytest.mark.parametrize("by", ["number", "time"])
def test_frames_are_counted_event_by_event(made, by):
    root, events = made
    options = {"root": root, "T": 4, "by": by, "sensor": SIZE, "test": 0.4, "validation": 0.3}
    sets = [datasets.load("events", split, **options) for split in ("train", "validation", "test")]
    assert [np.bincount(data.y).tolist() for data in sets] == [[2, 2], [1, 1], [2, 2]]
    seen = []
    for data in sets:
        assert (data.info.classes, data.num_classes, data.info.shape) == (("a", "b"), 2, (4, 2, *SIZE))
        for i, (path, y) in enumerate(zip(data._sample.args[0], data.y, strict=True)):
            name = f"{path.parent.name}/{path.name}"
            seen.append(name)
            some = np.sort(events[name], order=["t", "y", "p", "x"]) if name.endswith("1.raw") else events[name]
            for _ in range(2):  # the second time from the cache
                assert np.array_equal(data[i][0], counted(some, 4, by)), name
            assert data.info.classes[y] == path.parent.name
    assert sorted(seen) == sorted(events)


def test_the_sensor_is_that_of_the_first_file_or_stated(made):
    """The files of numpy do not say it."""
    root, events = made
    assert datasets.image_size("events", root=root) == SIZE
    with pytest.raises(UserError, match=r"\.npy does not say how large its sensor is: give sensor=\(H, W\)"):
        list(datasets.load("events", "train", root=root, validation=0).read([torch.arange(8)]))
    small = datasets.load("events", "test", root=root, sensor=SIZE, size=6, T=2)
    assert small[0][0].shape == (2, 2, 6, 6)
    assert small.info.shape == (2, 2, 6, 6)
    for label in "ab":
        for i in (3, 4):
            (root / label / f"{i}.npy").unlink()
    write.dat(root / "b" / "2.dat", events["b/2.dat"], (10, 13))
    data = datasets.load("events", "train", root=root, validation=0, test=0)
    with pytest.raises(UserError, match=r"b/2\.dat is of a sensor of 10x13 px, and .*a/0\.raw of 10x12"):
        data[5]


def test_a_recording_that_cannot_be_used_is_named_when_it_is_read(made):
    root, events = made
    late = events["a/3.npy"].copy()
    late["t"] = late["t"][::-1]
    np.save(root / "a" / "3.npy", late)
    options = {"root": root, "sensor": SIZE, "T": 2, "test": 0, "validation": 0}
    data = datasets.load("events", "train", **options)
    with pytest.raises(UserError, match=r"a/3\.npy: t of event \d+ is \d+ µs, earlier than the event before it"):
        data[3]
    assert datasets.load("events", "train", sort=True, **options)[3][0].sum() == len(late)
    write.dat(root / "a" / "2.dat", events["a/2.dat"][:0], SIZE)
    with pytest.raises(UserError, match=r"a/2\.dat cannot be read as a recording: it holds no events"):
        data[2]


def test_what_is_stated_is_part_of_a_trial(made):
    root, _ = made
    settings = {"sensor": SIZE, "polarity": (0, 1), "columns": "xytp", "seed": 2}
    trial = Trial("events", 3, "vggsnn", data_settings=settings, root=str(root))
    assert trial.image_size == SIZE
    assert trial.config["data_settings"]["sensor"] == list(SIZE)
    assert Trial.from_config(trial.config, str(root)).id == trial.id
    known = {datasets.fingerprint("events", root=root, **kw) for kw in ({}, {"sort": True}, {"sensor": SIZE}, {"T": 3})}
    assert len(known) == 4
    with pytest.raises(UserError, match="T is the number of time steps"):
        datasets.load("events", "train", root=root, T=0)
