"""The image sets, read from small files in the real formats; torchvision is imported in one place."""

import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import snnbook
from snnbook import datasets
from snnbook.datasets import vision
from snnbook.errors import UserError


def test_only_one_module_imports_torchvision():
    root = Path(snnbook.__file__).parent
    users = [
        p
        for p in root.rglob("*.py")
        if re.search(r"^\s*(import|from) torchvision|\"torchvision\"", p.read_text(), re.M)
    ]
    assert [p.name for p in users] == ["vision.py"]


def test_torchvision_can_be_imported_beside_this_torch():
    assert vision.import_torchvision() is vision.import_torchvision()
    assert vision.import_torchvision().transforms.ToTensor()


def write_cifar(root: Path, kind) -> None:
    """Five training batches of 40 pictures, one test batch of 20; the grey of a picture is its number."""
    folder = root / kind.base_folder
    folder.mkdir()
    classes = 100 if "100" in kind.__name__ else 10
    key = "fine_labels" if classes == 100 else "labels"
    number = 0
    for name, _ in kind.train_list + kind.test_list:
        n = {"train": 200, "test": 20, "test_batch": 20}.get(name, 40)
        data = np.repeat(np.arange(number, number + n) % 256, 3072).reshape(n, 3072).astype(np.uint8)
        labels = [i % min(classes, 20) for i in range(n)]
        (folder / name).write_bytes(pickle.dumps({"data": data, key: labels}))
        number += n
    meta = {kind.meta["key"]: [str(i) for i in range(classes)]}
    (folder / kind.meta["filename"]).write_bytes(pickle.dumps(meta))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar(name, tmp_path, monkeypatch):
    kind = getattr(vision.import_torchvision().datasets, name.upper())
    with pytest.raises(UserError, match=rf"{name} is not in .*{kind.base_folder} with .*download=True"):
        datasets.load(name, "train", root=tmp_path)
    write_cifar(tmp_path, kind)
    with pytest.raises(UserError, match="is damaged"):
        datasets.load(name, "train", root=tmp_path)
    monkeypatch.setattr(kind, "_check_integrity", lambda self: True)
    monkeypatch.setattr(kind, "_load_meta", lambda self: None)

    train, validation, test = (datasets.load(name, s, root=tmp_path) for s in ("train", "validation", "test"))
    assert (len(train), len(validation), len(test)) == (180, 20, 20)
    assert train.num_classes == int(name[5:])
    assert train.static
    numbers = []
    for data in (train, validation):
        mean, std = (torch.tensor(c).view(3, 1, 1) for c in vision._COLOURS[name])
        for x, _ in data:
            grey = (x * std + mean) * 255
            assert x.shape == (3, 32, 32)
            assert grey.std() < 1e-3
            numbers.append(round(grey.mean().item()))
    assert sorted(numbers) == list(range(200))
    assert len(datasets.load(name, "train", root=tmp_path, validation=0)) == 200
    with pytest.raises(UserError, match="no validation samples with validation=0"):
        datasets.load(name, "validation", root=tmp_path, validation=0)
    with pytest.raises(UserError, match=r"in \[0, 1\); got 1.5"):
        datasets.load(name, "train", root=tmp_path, validation=1.5)

    small = train.head(20)
    assert len(set(small.y.tolist())) == min(20, len(set(train.y.tolist())))
    x = torch.stack([train[i][0] for i in range(8)])
    cut = datasets.load(name, "train", root=tmp_path, cutout=16)
    for data in (train, cut):
        once, again = (data.augment(x, torch.Generator().manual_seed(2)) for _ in range(2))
        assert once.shape == x.shape
        assert torch.equal(once, again)
        assert not torch.equal(once, x)
    with pytest.raises(IndexError):
        train[len(train)]


def test_cutout_covers_with_black_before_the_pictures_are_normalised():
    """A 16 px square, as in paper A; white pictures, so that everything black is cut out or came in at the border."""
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in vision._COLOURS["cifar10"])
    white, black = (1 - mean) / std, -mean / std
    changed = vision._augment(white.expand(20, 3, 32, 32), torch.Generator().manual_seed(0), black, 16)
    is_black = (changed == black).all(1)
    assert torch.equal(is_black | (changed == white).all(1), torch.ones(20, 32, 32, dtype=torch.bool))
    inside = is_black[:, 4:28, 4:28].sum((1, 2))  # beyond what cropping moves
    assert inside.max() == 16 * 16
    assert (inside >= 4 * 4).all()


def picture(grey: int, width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (grey,) * 3).save(file, "JPEG")
    return file.getvalue()


def test_tiny_imagenet(tmp_path):
    with pytest.raises(UserError, match=r"expected .*tiny-imagenet-200 with train/<class>/images"):
        datasets.load("tiny_imagenet", "train", root=tmp_path)
    base = tmp_path / "tiny-imagenet-200"
    names = [f"n{i:08d}" for i in range(200)]
    for i, name in enumerate(names):
        (base / "train" / name / "images").mkdir(parents=True)
        for k in range(2):
            (base / "train" / name / "images" / f"{name}_{k}.JPEG").write_bytes(picture(i, 64, 64))
    with pytest.raises(UserError, match=r"expected .*val_annotations.txt"):
        datasets.load("tiny_imagenet", "test", root=tmp_path)
    (base / "val" / "images").mkdir(parents=True)
    lines = [f"val_{i}.JPEG\t{names[(7 * i) % 200]}\t0\t32\t44\t62\n" for i in range(12)]
    (base / "val" / "val_annotations.txt").write_text("".join(lines))
    for i in range(12):
        (base / "val" / "images" / f"val_{i}.JPEG").write_bytes(picture((7 * i) % 200, 64, 64))

    for split, n in (("train", 200), ("validation", 200), ("test", 12)):
        data = datasets.load("tiny_imagenet", split, root=tmp_path)
        assert len(data) == n
        assert (data.num_classes, data[0][0].shape) == (200, (3, 64, 64))
        for x, y in (data[i] for i in (0, 3, 11)):
            assert x.mean(dim=(1, 2))[0].item() * 0.229 + 0.485 == pytest.approx(y.item() / 255, abs=0.01)


def test_imagenet(tmp_path):
    with pytest.raises(UserError, match=r"imagenet is not in .*: expected .* with train/<class>/\*.JPEG and val"):
        datasets.load("imagenet", "test", root=tmp_path)
    for i in range(3):
        folder = tmp_path / "val" / f"n{i:08d}"
        folder.mkdir(parents=True)
        (folder / "a.JPEG").write_bytes(picture(80 * i, 40, 30))
    with pytest.raises(UserError, match=r"imagenet has 1000 classes, but .* has 3 folders"):
        datasets.load("imagenet", "test", root=tmp_path)
    for i in range(3, 1000):
        folder = tmp_path / "val" / f"n{i:08d}"
        folder.mkdir(parents=True)
        (folder / "a.JPEG").write_bytes(picture(i % 256, 40, 30))
    data = datasets.load("imagenet", "test", root=tmp_path)
    assert len(data) == 1000
    x, y = data[2]
    assert (x.shape, y.item()) == ((3, 224, 224), 2)
    batch = torch.stack([data[i][0] for i in range(3)])
    once, again = (data.augment(batch, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(once, again)
    assert torch.allclose(once.mean((2, 3)), batch.mean((2, 3)), atol=0.05)


def test_root_must_be_given():
    with pytest.raises(UserError, match="cifar10 is read from disk: give root="):
        datasets.load("cifar10", "train")
    assert datasets.fingerprint("cifar10") == datasets.fingerprint("cifar10", root="anywhere")
    assert datasets.fingerprint("cifar10") != datasets.fingerprint("cifar10", validation=0)
