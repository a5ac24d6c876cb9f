"""The embedded sets never change unnoticed, never mix their splits, and depend on nothing but their seeds."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snnbook import datasets
from snnbook.datasets import digits, embedded
from snnbook.datasets.cache import array_digest
from snnbook.datasets.frames import downsample, events_to_frames
from snnbook.errors import UserError

SPLITS_FOLDER = Path(__file__).parents[2] / "data" / "splits"
SPLITS = ("train", "validation", "test")
EVENT_SETS = ("digits-dvs", "arms-dvs")
CLASSES = {"digits-clutter": 10, "digits-100": 100, "digits-dvs": 10, "arms-dvs": 11}

# Digests of every ninth sample, which are of all classes. A changed one means changed data: raise `embedded.VERSION`,
# and every stored record is out of date.
GOLDEN = {
    ("digits-clutter", "train"): "6a16271896f43ef9",
    ("digits-clutter", "validation"): "9ab364b9a39bf8ef",
    ("digits-clutter", "test"): "5273471ea9e67d4a",
    ("digits-100", "train"): "a5251287877ccd01",
    ("digits-100", "validation"): "35043f235dfb7596",
    ("digits-100", "test"): "8367e09e5ace3c01",
    ("digits-dvs", "train"): "896a9f210e3b72f1",
    ("digits-dvs", "validation"): "96c632bf54ec931d",
    ("digits-dvs", "test"): "7357bf1ac3c888f3",
    ("arms-dvs", "train"): "180debdcd3777e1f",
    ("arms-dvs", "validation"): "d850531818410f07",
    ("arms-dvs", "test"): "47d47533af9c7522",
}


# Part of the names of the trials on record.
FINGERPRINTS = {
    "digits-clutter": "605aa5aacde905ec",
    "digits-dvs": "22a217ba6a3f73fb",
    "arms-dvs": "fcd290cf4466f35e",
}

SIZES = {
    "digits-clutter": (2000, 500, 1000),
    "digits-100": (4000, 1000, 1000),
    "digits-dvs": (1200, 300, 500),
    "arms-dvs": (770, 220, 440),
}


@pytest.mark.parametrize(("name", "split"), GOLDEN)
def test_the_data_are_what_they_were(name, split):
    samples, settings = range(0, embedded.PARAMETERS[name].size(split), 9), datasets.info(name).checked({})
    x = np.stack([embedded.sample(name, split, i, **settings) for i in samples])
    assert array_digest({"x": x})[:16] == GOLDEN[name, split]


@pytest.mark.parametrize("name", CLASSES)
def test_a_split_holds_its_samples_in_turn(name):
    """Shapes, types and balance of the classes."""
    assert tuple(embedded.PARAMETERS[name].size(split) for split in SPLITS) == SIZES[name]
    data, info = datasets.load(name, "validation"), datasets.info(name)
    arrays = embedded.raw(name, "validation")
    assert data.x.shape == (len(data), *info.shape) == (SIZES[name][1], *info.shape)
    assert (data.x.dtype, data.y.dtype) == (torch.float32, torch.int64)
    assert (data.name, data.split, data.static) == (name, "validation", name not in EVENT_SETS)
    assert data.num_classes == CLASSES[name]
    assert len(set(np.bincount(data.y))) == 1
    for i in (0, 1, len(data) - 1):
        assert (arrays["x"][i] == embedded.sample(name, "validation", i, **info.checked({}))).all()
        assert arrays["y"][i] == data.y[i] == data[i][1] == i % CLASSES[name]
        assert torch.equal(data[i][0], data.x[i])


def test_pictures_are_standardised_by_the_training_set():
    train, test = datasets.load("digits-clutter", "train"), datasets.load("digits-clutter", "test")
    assert train.x.mean().item() == pytest.approx(0, abs=1e-5)
    assert train.x.std().item() == pytest.approx(1, abs=1e-4)
    grey = embedded.raw("digits-clutter", "train")["x"]
    back = test.x[:, 0] * float(grey.std()) + float(grey.mean())
    assert np.abs(back.numpy() - embedded.raw("digits-clutter", "test")["x"]).max() < 1e-3


def test_no_digit_is_in_two_splits():
    parts = [digits.indices(split) for split in SPLITS]
    assert [len(p) for p in parts] == [1047, 250, 500]
    assert sorted(np.concatenate(parts)) == list(range(1797))
    labels = digits.images()[1]
    for split in SPLITS:
        for c, members in enumerate(digits.split_by_class()[split]):
            assert (labels[members] == c).all()
    assert {len(m) for m in digits.split_by_class()["test"]} == {50}
    assert {len(m) for m in digits.split_by_class()["validation"]} == {25}


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_is_drawn_from_its_own_digits_only(split, monkeypatch):
    """With all other digits blanked out nothing changes, fragments in the clutter included."""
    pictures = {make: [make(split, i) for i in range(30)] for make in embedded.PICTURES.values()}
    expected = embedded.events("digits-dvs", split, 3)
    images, labels = digits.images()
    own = np.zeros_like(images)
    own[digits.indices(split)] = images[digits.indices(split)]
    monkeypatch.setattr(digits, "images", lambda: (own, labels))
    for make, before in pictures.items():
        assert all((make(split, i) == picture).all() for i, picture in enumerate(before))
    assert (embedded.events("digits-dvs", split, 3) == expected).all()


def test_the_halves_of_a_pair_are_its_two_digits(monkeypatch):
    """Class 37 is a 3 beside a 7: with all other digits blanked out both halves of the picture are there."""
    calm = replace(embedded.DIGITS_100, hardness=0.0, patch_gain=(0.0, 0.0), contrast=(1.0, 1.0))
    monkeypatch.setattr(embedded, "DIGITS_100", calm)
    images, labels = digits.images()
    assert datasets.info("digits-100").classes[37] == "37"
    for index in (37, 137):
        both = embedded.pair("validation", index)
        assert both.shape == (12, 20)
        for digit, half in ((3, 0), (7, 1)):
            monkeypatch.setattr(digits, "images", lambda d=digit: (images * (labels == d)[:, None, None], labels))
            one = embedded.pair("validation", index)
            parts = one[:, :10], one[:, 10:]
            assert (parts[half] == both[:, 10 * half : 10 * half + 10]).all()
            assert parts[half].max() > 150
            assert (parts[1 - half] == 51).all()  # black, 0.2 of 255
            monkeypatch.setattr(digits, "images", lambda: (images, labels))


@pytest.mark.parametrize("split", SPLITS)
def test_the_public_record_of_the_splits_is_right(split):
    name = f"digits-{split}.txt"
    text = (SPLITS_FOLDER / name).read_bytes()
    assert np.array_equal(np.array(text.split(), dtype=int), digits.indices(split))
    line = f"{hashlib.sha256(text).hexdigest()}  {name}"
    assert line in (SPLITS_FOLDER / "SHA256SUMS").read_text().splitlines()


@pytest.mark.parametrize("name", EVENT_SETS)
def test_events_of_one_sample_are_those_behind_its_frames(name):
    events = datasets.events(name, "validation", 7)
    frames = downsample(events_to_frames(events, datasets.info(name).options["T"].default, (32, 32)))
    assert torch.equal(frames, datasets.load(name, "validation").x[7])
    assert datasets.video(name, "validation", 7).shape == (embedded.PARAMETERS[name].steps, 32, 32)
    assert (datasets.video(name, "validation", 7) >= 0).all()


def test_another_number_of_steps_shows_the_same_events():
    ten, four = (embedded.sample("digits-dvs", "validation", 3, T=T) for T in (10, 4))
    assert (len(ten), len(four)) == (10, 4)
    assert (four.sum(0) == ten.sum(0)).all()
    assert datasets.fingerprint("digits-dvs", T=4) != datasets.fingerprint("digits-dvs")


def test_how_busy_the_sensor_is():
    for name, low, high in (("digits-dvs", 4000, 6000), ("arms-dvs", 2000, 3000)):
        counts = [len(datasets.events(name, "train", i)) for i in range(44)]
        assert low < np.mean(counts) < high


def test_another_process_makes_the_same_samples():
    code = (
        "import hashlib; from snnbook.datasets import embedded as e;"
        "d = e.clutter('test', 41).tobytes() + e.pair('test', 41).tobytes();"
        "d += e.events('digits-dvs', 'test', 8).tobytes();"
        "print(hashlib.sha256(d + e.events('arms-dvs', 'train', 10).tobytes()).hexdigest())"
    )
    here = embedded.clutter("test", 41).tobytes() + embedded.pair("test", 41).tobytes()
    here += datasets.events("digits-dvs", "test", 8).tobytes()
    here += datasets.events("arms-dvs", "train", 10).tobytes()
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": "7"}
    )
    assert there.stdout.strip() == hashlib.sha256(here).hexdigest(), there.stderr


def test_the_fingerprint_tells_what_changes_the_data(monkeypatch):
    known = {name: datasets.fingerprint(name) for name in embedded.SETS}
    assert len(set(known.values())) == len(embedded.SETS) == 4
    assert {name: known[name] for name in FINGERPRINTS} == FINGERPRINTS
    assert known["arms-dvs"] == datasets.fingerprint("arms-dvs", T=20) != datasets.fingerprint("arms-dvs", T=16)
    assert known["digits-clutter"] == datasets.fingerprint("digits-clutter", T=4)
    monkeypatch.setattr(embedded, "VERSION", embedded.VERSION + 1)
    assert all(datasets.fingerprint(name) != old for name, old in known.items())


def test_augmentation_is_drawn_from_the_generator():
    for name in embedded.SETS:
        x = datasets.load(name, "validation").x[:20]
        data = datasets.load(name, "validation")
        once, again = (data.augment(x, torch.Generator().manual_seed(5)) for _ in range(2))
        assert once.shape == x.shape
        assert torch.equal(once, again)
        assert not torch.equal(once, x)
        if not data.static:
            assert torch.equal(once.sum((-1, -2)), x.sum((-1, -2)))


def test_what_is_not_there_is_named():
    with pytest.raises(UserError, match=r"unknown data set 'digits-dsv'; did you mean digits-dvs"):
        datasets.load("digits-dsv", "train")
    with pytest.raises(UserError, match=r"unknown split 'trian'; did you mean train"):
        datasets.load("digits-dvs", "trian")
    with pytest.raises(UserError, match=r"unknown option of data set digits-dvs 't'"):
        datasets.load("digits-dvs", "train", t=3)
    with pytest.raises(UserError, match="T is the number of time steps"):
        datasets.load("digits-dvs", "train", T=0)
    with pytest.raises(UserError, match="has samples 0 to 499; got 500"):
        datasets.events("digits-dvs", "test", 500)
    for show in (datasets.events, datasets.video):
        with pytest.raises(UserError, match="has no simulated events"):
            show("digits-100", "test", 0)
    with pytest.raises(UserError, match="at least 1 sample"):
        datasets.load("digits-clutter", "test").head(0)
    assert set(embedded.SETS) < set(datasets.available())
