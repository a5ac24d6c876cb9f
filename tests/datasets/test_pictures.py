"""A reader's own pictures: what is in the files comes out, whoever reads it, and what cannot be used is named."""

import errno
import os
import pickle
import shutil
from collections import namedtuple

import numpy as np
import pytest
import torch
from PIL import Image

from snnbook import datasets
from snnbook.datasets import FileSet, PackedSet, cache, pictures
from snnbook.errors import NotKept, UserError
from snnbook.experiments import Trial

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_warned", False)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


@pytest.fixture
def made(tmp_path):
    """A root with twelve pictures of 6x5 px in colour, and their pixels by name."""
    names = [f"{part}/{c}/{i}.png" for part in ("train", "test") for c in ("cat", "dog") for i in range(3)]
    root = tmp_path / "root"
    return root, {name: save(root / name, RNG.integers(256, size=(6, 5, 3), dtype=np.uint8)) for name in names}


def expected(pixels, channels=3):
    mean, std = (np.array(values, np.float32)[:, None, None] for values in pictures.COLOURS[channels])
    return (pixels.reshape(*pixels.shape[:2], channels).transpose(2, 0, 1).astype(np.float32) / 255 - mean) / std


@pytest.mark.parametrize("kept", [True, False])
def test_the_pixels_of_the_files_come_out(made, kept):
    root, pixels = made
    names = sorted(name for name in pixels if name.startswith("test"))
    data = datasets.load("images", "test", root=root, cache=kept)
    assert type(data) is (PackedSet if kept else FileSet)
    assert (data.info.classes, data.num_classes, data.info.shape) == (("cat", "dog"), 2, (3, 6, 5))
    assert data.y.tolist() == [0, 0, 0, 1, 1, 1]
    order = torch.tensor([5, 0, 2])
    for batch in (data.head(6).read([torch.arange(6)]), data.read([order])):
        x, y = next(iter(batch))
        index = [0, 3, 1, 4, 2, 5] if len(x) == 6 else order.tolist()
        np.testing.assert_allclose(x, np.stack([expected(pixels[names[i]]) for i in index]), rtol=0, atol=1e-6)
        assert torch.equal(y, data.y[index])
    assert torch.equal(data[-1][0], x[0])
    again = pickle.loads(pickle.dumps(data))
    assert torch.equal(again[5][0], x[0])
    assert len(pickle.dumps(data)) < 10_000
    with pytest.raises(IndexError):
        data[6]


def test_train_and_validation_share_the_rest(made):
    root, _ = made
    sets = [datasets.load("images", split, root=root, validation=0.3) for split in ("train", "validation")]
    assert [np.bincount(data.y).tolist() for data in sets] == [[2, 2], [1, 1]]
    assert sets[0].fingerprint == sets[1].fingerprint == datasets.fingerprint("images", root=root, validation=0.3)
    options = ({}, {"seed": 1}, {"size": 4}, {"colour": "grey"})
    assert len({datasets.fingerprint("images", root=root, **kw) for kw in options}) == 4


def test_files_are_decoded_once_and_by_one_process(made, monkeypatch):
    """Also when they lie elsewhere: their content counts."""
    root, _ = made
    first = datasets.load("images", "test", root=root)
    shutil.move(root, moved := root.with_name("moved"))

    def again(*where):
        raise AssertionError("a file was decoded again")

    monkeypatch.setattr(pictures, "_decoded", again)
    data = datasets.load("images", "test", root=moved)
    assert torch.equal(data[3][0], first[3][0])
    pid = os.fork()
    if pid == 0:
        os._exit(0 if torch.equal(data[3][0], first[3][0]) else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_damaged_cache_is_made_again(made, tmp_path):
    root, _ = made
    right = datasets.load("images", "test", root=root)[0][0]
    (rows,) = (tmp_path / "cache" / "pictures").rglob("rows")
    content = bytearray(rows.read_bytes())
    first = 6 * 90  # of the test set; a picture has 90 bytes
    content[first] ^= 1
    rows.write_bytes(content)
    assert torch.equal(datasets.load("images", "test", root=root)[0][0], right)
    rows.write_bytes(content[:-1])
    assert torch.equal(datasets.load("images", "test", root=root)[0][0], right)
    assert rows.stat().st_size == len(content)


@pytest.mark.supports("Recordings", "a cache on a full disk", "accepted: pictures are decoded when they are asked for")
def test_a_full_disk_costs_one_warning_and_leaves_nothing_behind(made, tmp_path, monkeypatch):
    root, _ = made
    right = datasets.load("images", "test", root=root)[4][0]
    shutil.rmtree(tmp_path / "cache")
    disk = namedtuple("disk", "free")

    def full(*names):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for part in ("free", "replace"):
        monkeypatch.setattr(cache, "_warned", False)
        with monkeypatch.context() as patch:
            if part == "free":
                patch.setattr(shutil, "disk_usage", lambda path: disk(100))
            else:
                patch.setattr(os, "replace", full)
            with pytest.warns(NotKept, match=r"cannot write .*rows: No space left.*set SNNBOOK_CACHE"):
                data = datasets.load("images", "test", root=root)
        assert type(data) is FileSet
        assert torch.equal(data[4][0], right)
        assert [path for path in (tmp_path / "cache" / "pictures").rglob("*") if path.is_file()] == []


def test_size_and_colour_are_stated_or_found(made):
    root, _ = made
    options = {"root": root, "augment": "none"}
    small = datasets.load("images", "test", size=4, colour="grey", **options)
    assert small.info.shape == small[0][0].shape == (1, 4, 4)
    assert datasets.image_size("images", root=root) == (6, 5)
    assert datasets.image_size("images", size=4) == (4, 4)
    same = datasets.load("images", "test", colour="rgb", **options)
    assert torch.equal(same[0][0], datasets.load("images", "test", **options)[0][0])
    flat = save(root / "test/cat/0.png", np.full((12, 30, 3), 200, np.uint8))
    scaled = datasets.load("images", "test", size=6, **options)[0][0]
    np.testing.assert_allclose(scaled, expected(flat[:6, :6]), rtol=0, atol=1e-6)


def test_pictures_are_turned_the_right_way_up(tmp_path):
    pixels = RNG.integers(256, size=(4, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    for part in ("train", "test"):
        save(tmp_path / part / "a" / "0.png", pixels, exif=exif)
    x, _ = datasets.load("images", "test", root=tmp_path)[0]
    np.testing.assert_allclose(x, expected(np.rot90(pixels, -1), 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("augment", ["crop-mirror", "crop", "none"])
def test_training_samples_are_changed_as_stated(made, augment):
    data = datasets.load("images", "train", root=made[0], size=16, augment=augment)
    x = torch.stack([data[i][0] for i in range(4)])
    once, again = (data.augment(x, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(once, again)
    assert torch.equal(once, x) == (augment == "none")
    mirrored = datasets.load("images", "train", root=made[0], size=1, augment=augment)
    assert torch.equal(mirrored.augment(x[..., :7, :7], torch.Generator().manual_seed(1)), x[..., :7, :7]) == (
        augment in ("crop", "none")
    ), "pictures of less than 8 px are not moved"


@pytest.mark.supports(
    "Recordings", "a picture of your own that is damaged", "refused", says="…dog/1.png cannot be read as a picture: "
)
def test_a_damaged_picture_is_named_and_nothing_is_lost(made, tmp_path):
    root, _ = made
    right = datasets.load("images", "test", root=root)[0][0]
    before = sorted((tmp_path / "cache").rglob("*.npz"))
    file = root / "train" / "dog" / "1.png"
    whole = file.read_bytes()
    for n in (0, 20, len(whole) - 40):
        file.write_bytes(whole[:n])
        with pytest.raises(UserError, match=r"train/dog/1\.png cannot be read as a picture: .+ get it anew") as err:
            datasets.load("images", "test", root=root)
        assert "\n" not in str(err.value)
    assert set(before) <= set((tmp_path / "cache").rglob("*.npz"))
    file.write_bytes(whole)
    assert torch.equal(datasets.load("images", "test", root=root)[0][0], right)


@pytest.mark.supports(
    "Recordings", "a picture of another size or colour mode", "refused", says="…cat/2.png has 6x6 px, expected 6x5, as "
)
def test_a_picture_unlike_the_others_is_named(made):
    root, pixels = made
    file = root / "train" / "cat" / "2.png"
    for wrong, message in (
        (np.zeros((6, 6, 3), np.uint8), r"has 6x6 px, expected 6x5, as .*/train/cat/0\.png is: give size= or colour="),
        (np.zeros((6, 5), np.uint8), r"is grey, expected in colour, as .*/train/cat/0\.png is: give size= or colour="),
        (np.zeros((6, 5), np.uint16), r"has the colour mode I;16: expected 8 bits a channel, grey or RGB"),
        (np.zeros((6, 5, 4), np.uint8), r"is transparent in places: lay it on a background first"),
    ):
        save(file, wrong)
        with pytest.raises(UserError, match=rf"cat/2\.png {message}"):
            datasets.load("images", "test", root=root)
    opaque = np.concatenate([pixels["train/cat/2.png"], np.full((6, 5, 1), 255, np.uint8)], axis=2)
    save(file, opaque)
    data = datasets.load("images", "train", root=root, validation=0)
    np.testing.assert_allclose(data[2][0], expected(pixels["train/cat/2.png"]), rtol=0, atol=1e-6)
    Image.fromarray(pixels["train/cat/2.png"]).quantize(256).save(file)
    data = datasets.load("images", "train", root=root, validation=0)
    np.testing.assert_allclose(data[2][0], expected(pixels["train/cat/2.png"]), rtol=0, atol=1e-6)


def test_a_trial_takes_size_and_colour_from_its_settings_or_the_files(made):
    root, _ = made
    trial = Trial("images", 2, "cifarnet", data_settings={"size": 16, "colour": "grey", "seed": 3}, root=str(root))
    assert trial.image_size == (16, 16)
    assert trial.config["data_settings"] == {
        "test": 0.2, "validation": 0.1, "seed": 3, "size": 16, "colour": "grey", "augment": "crop-mirror",
    }  # fmt: skip
    assert Trial.from_config(trial.config, str(root)).id == trial.id
    with pytest.raises(UserError, match="images is read from disk: give root="):
        Trial("images", 2, "cifarnet")
