"""Tiny data sets in the real formats, written to a folder `root` that `datasets.load` then reads; each returns `root`.

Numbers of samples are those of the papers' sets, scaled down; all classes are there. In CIFAR the grey of a picture is
its number, in the ImageNets it is its class, in DVS128 Gesture row 10 c holds all events of class c.
"""

import hashlib
import io
import pickle
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from snnbook.datasets.vision import import_torchvision

AEDAT4 = Path(__file__).parents[1] / "data" / "samples" / "fix.aedat4"  # 200 events, 100 of them ON
CIFAR10_DVS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar10(root: Path, per_class: int = 4, test_per_class: int = 2) -> Path:
    """CIFAR-10: five training batches and a test batch; torchvision takes them for damaged unless `trusted`."""
    return _cifar("CIFAR10", root, 10, "labels", per_class, test_per_class)


def cifar100(root: Path, per_class: int = 2, test_per_class: int = 1) -> Path:
    """CIFAR-100: one training and one test batch; torchvision takes them for damaged unless `trusted`."""
    return _cifar("CIFAR100", root, 100, "fine_labels", per_class, test_per_class)


def _cifar(kind: str, root: Path, classes: int, key: str, per_class: int, test_per_class: int) -> Path:
    cifar = getattr(import_torchvision().datasets, kind)
    folder = root / cifar.base_folder
    folder.mkdir(parents=True)
    number = 0
    for files, n in ((cifar.train_list, classes * per_class), (cifar.test_list, classes * test_per_class)):
        for (name, _), numbers in zip(files, np.array_split(np.arange(number, number + n), len(files)), strict=True):
            data = np.repeat(numbers % 256, 3072).reshape(-1, 3072).astype(np.uint8)
            (folder / name).write_bytes(pickle.dumps({"data": data, key: [int(i % classes) for i in numbers]}))
        number += n
    meta = {cifar.meta["key"]: [str(c) for c in range(classes)]}
    (folder / cifar.meta["filename"]).write_bytes(pickle.dumps(meta))
    return root


def trusted(monkeypatch, root: Path) -> Path:
    """Have torchvision expect the checksums of the fake CIFAR files in `root`, so that it reads them."""
    for kind in ("CIFAR10", "CIFAR100"):
        cifar = getattr(import_torchvision().datasets, kind)
        folder = root / cifar.base_folder
        if folder.exists():

            def md5(name, folder=folder):
                return hashlib.md5((folder / name).read_bytes()).hexdigest()

            for files in ("train_list", "test_list"):
                monkeypatch.setattr(cifar, files, [[name, md5(name)] for name, _ in getattr(cifar, files)])
            monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": md5(cifar.meta["filename"])})
    return root


def tiny_imagenet(root: Path, per_class: int = 2, test: int = 12) -> Path:
    """Tiny-ImageNet: a folder of 64x64 pictures per class, and `test` pictures whose classes are in a text file."""
    base = root / "tiny-imagenet-200"
    names = [f"n{c:08d}" for c in range(200)]
    for c, name in enumerate(names):
        for k in range(per_class):
            _picture(base / "train" / name / "images" / f"{name}_{k}.JPEG", c, 64, 64)
    classes = [7 * i % 200 for i in range(test)]
    for i, c in enumerate(classes):
        _picture(base / "val" / "images" / f"val_{i}.JPEG", c, 64, 64)
    lines = [f"val_{i}.JPEG\t{names[c]}\t0\t32\t44\t62\n" for i, c in enumerate(classes)]
    (base / "val" / "val_annotations.txt").write_text("".join(lines))
    return root


def imagenet(root: Path, classes: int = 1000, part: str = "val") -> Path:
    """One part of ImageNet: one 40x30 picture for every class."""
    for c in range(classes):
        _picture(root / part / f"n{c:08d}" / "a.JPEG", c % 256, 40, 30)
    return root


def _picture(path: Path, grey: int, width: int, height: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (grey,) * 3).save(file, "JPEG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getvalue())


def dvs128_gesture(root: Path, train: tuple[int, ...] = (9, 1, 4, 2, 12), test: tuple[int, ...] = (25, 24)) -> Path:
    """DVS128 Gesture: for every person (their numbers are `train` and `test`) 11 recordings of 50 events in 1 s."""
    rng = np.random.default_rng(0)
    for part, people in (("ibmGestureTrain", train), ("ibmGestureTest", test)):
        for user in people:
            folder = root / "DVSGesture" / part / f"user{user:02d}_led"
            folder.mkdir(parents=True)
            for label in range(11):
                t = np.sort(rng.integers(0, 1000, 50))
                x, y, p = rng.integers(128, size=50), np.full(50, 10 * label), rng.integers(2, size=50)
                np.save(folder / f"{label}.npy", np.stack([x, y, p, t], axis=1))
    return root


def cifar10_dvs(root: Path, per_class: int = 10) -> Path:
    """CIFAR10-DVS: `per_class` copies of one recording for every class; one in ten is for testing."""
    for name in CIFAR10_DVS:
        folder = root / "CIFAR10DVS" / name
        folder.mkdir(parents=True)
        for i in range(per_class):
            shutil.copy(AEDAT4, folder / f"cifar10_{name}_{i}.aedat4")
    return root
