"""CIFAR-10, CIFAR-100, Tiny-ImageNet and ImageNet from disk; the one place that imports torchvision.

The official test set (for Tiny-ImageNet and ImageNet the labelled validation set) is our test split; our
validation split is a share of each class of the training set, chosen with seed 0. `validation=0` trains on
all of it, as the papers do. CIFAR-10 is read from its archive or from pictures in folders of classes.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnbook.datasets import class_folders, pictures
from snnbook.datasets.augmentation import crop_and_flip, flip, resized_crop
from snnbook.datasets.base import Colours, FileSet, FrameSet, Info, PackedSet, check_split, drawn, unreadable
from snnbook.datasets.class_folders import ClassFolders
from snnbook.datasets.options import DOWNLOAD, ROOT, VALIDATION, Option, WholeNumber
from snnbook.errors import UserError

VERSION = 1
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_FOLDER_OPTIONS = {"root": ROOT, "validation": VALIDATION}
_OPTIONS = {
    **_FOLDER_OPTIONS,
    "download": DOWNLOAD,
    "cutout": Option(0, WholeNumber(0, 32, "the side in px of the square that is covered")),
}

SETS = {
    i.name: i
    for i in (
        Info(
            "cifar10",
            "CIFAR-10, 32x32 colour, 10 classes; needs root=",
            True,
            10,
            (3, 32, 32),
            _OPTIONS,
            plays="CIFAR10",
            published=(50_000, 10_000),
            files=tuple(f"cifar-10-batches-py/{f}" for f in ("data_batch_?", "test_batch", "batches.meta")),
        ),
        Info(
            "cifar100",
            "CIFAR-100, 32x32 colour, 100 classes; needs root=",
            True,
            100,
            (3, 32, 32),
            _OPTIONS,
            plays="CIFAR100",
            published=(50_000, 10_000),
            files=tuple(f"cifar-100-python/{f}" for f in ("train", "test", "meta")),
        ),
        Info(
            "tiny_imagenet",
            "Tiny-ImageNet, 64x64 colour, 200 classes; needs root=",
            True,
            200,
            (3, 64, 64),
            _FOLDER_OPTIONS,
            plays="Tiny-ImageNet",
            published=(100_000, 10_000),
            files=tuple(
                f"tiny-imagenet-200/{f}" for f in ("train/*/images/*", "val/images/*", "val/val_annotations.txt")
            ),
        ),
        Info(
            "imagenet",
            "ImageNet, 224x224 colour, 1,000 classes; needs root=",
            True,
            1000,
            (3, 224, 224),
            _FOLDER_OPTIONS,
            plays="ImageNet",
            published=(1_281_167, 50_000),
            files=("train/*/*", "val/*/*"),
        ),
    )
}

# Mean and standard deviation of the colour channels.
_COLOURS = {
    "cifar10": Colours((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": Colours((0.5071, 0.4867, 0.4408), (0.2673, 0.2564, 0.2762)),
    "tiny_imagenet": pictures.COLOURS[3],
    "imagenet": pictures.COLOURS[3],
}


def import_torchvision() -> ModuleType:
    """torchvision, also beside a torch without CUDA.

    torchvision's published wheel is built for CUDA. Without it its compiled operators do not load, and its
    import fails when it describes two of them; these two are declared here, and only after the plain import
    has failed.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as err:
        if "operator torchvision::" not in str(err):
            raise
    for name in [m for m in sys.modules if m == "torchvision" or m.startswith("torchvision.")]:
        del sys.modules[name]
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")


def fingerprint(name: str, **kw: Any) -> str:
    """Hash of the files' content and of what is done to them; see `Info.fingerprint`."""
    info = SETS[name]
    root = info.checked(kw)["root"]
    if root is not None and _as_pictures(name, root):
        return class_folders.fingerprint(info, VERSION, kw, class_folders.find(name, root, pictures.SUFFIXES))
    return info.fingerprint(VERSION, kw)


def load(name: str, split: str, **kw: Any) -> FrameSet:
    """A split of normalised images, float32 `[3, H, W]`.

    Raises UserError for files that are missing or damaged, which it names, and for a split without samples. So does
    the reading of a sample for a picture that is damaged or, in Tiny-ImageNet, of another size.
    """
    check_split(split)
    info, colours = SETS[name], _COLOURS[name]
    settings = info.checked(kw)
    root, test = info.root(kw), split == "test"
    augmentation = (
        _augment_large
        if name == "imagenet"
        else partial(crop_and_flip, fill=colours.black, side=settings.get("cutout", 0))
    )
    if _as_pictures(name, root):
        folders, chosen = _cifar10_folders(root, split, settings["validation"])
        content = class_folders.fingerprint(info, VERSION, kw, folders)
        look = pictures.Look(3, 32, 32)
        return pictures.picture_set(info, split, folders, chosen, content, augmentation, look, colours)
    images = _cifar(name, root, test, settings["download"]) if "cifar" in name else _folder(name, root, test)
    labels = np.array(images.targets if "cifar" in name else [label for _, label in images.samples])
    chosen = np.arange(len(labels))
    if not test:
        aside = drawn(labels, settings["validation"])
        chosen = np.flatnonzero(aside if split == "validation" else ~aside)
    if len(chosen) == 0:
        raise UserError(f"{name} has no {split} samples with validation={settings['validation']}")

    common = (info, split, labels[chosen], fingerprint(name, **kw), augmentation)
    if "cifar" in name:
        return PackedSet(*common, np.ascontiguousarray(images.data.transpose(0, 3, 1, 2)), chosen, colours)
    transforms = import_torchvision().transforms
    resize = [transforms.Resize(256), transforms.CenterCrop(224)] if name == "imagenet" else []
    transform = transforms.Compose([*resize, transforms.ToTensor(), transforms.Normalize(*colours)])
    return FileSet(*common, partial(_sample, images, transform, chosen, info.shape))


def _sample(images: Any, transform: Any, chosen: np.ndarray, shape: tuple[int, ...], index: int) -> Tensor:
    position = int(chosen[index])
    try:
        x = transform(images[position][0])
    except Exception as err:  # whatever a damaged file brings about
        raise unreadable(images.samples[position][0], "a picture", err) from err
    if x.shape != shape:
        height, width = x.shape[1:]
        raise UserError(f"{images.samples[position][0]} has {height}x{width} px, expected {shape[1]}x{shape[2]}")
    return x


def _augment_large(x: Tensor, generator: torch.Generator) -> Tensor:
    return flip(resized_crop(x, generator), generator)


def _as_pictures(name: str, root: Path) -> bool:
    """Whether a folder holds CIFAR-10 as pictures in folders of classes, and not as its archive does."""
    return name == "cifar10" and os.path.isdir(root / "train") and not os.path.isdir(root / "cifar-10-batches-py")


def _cifar10_folders(root: Path, split: str, validation: float) -> tuple[ClassFolders, np.ndarray]:
    """The pictures, and which of them are of a split."""
    folders = class_folders.find("cifar10", root, pictures.SUFFIXES)
    if folders.classes != CIFAR10_CLASSES:
        other = sorted(set(folders.classes) ^ set(CIFAR10_CLASSES))[0]
        known = "which CIFAR-10 has not" if other in folders.classes else "and CIFAR-10 has one"
        lacks = "a class" if other in folders.classes else "no class"
        raise UserError(f"{root / 'train'} has {lacks} {other}, {known}: expected {', '.join(CIFAR10_CLASSES)}")
    return folders, folders.split(split, {"validation": validation, "test": 0.0, "seed": 0})


def _cifar(name: str, root: Path, test: bool, download: bool) -> Any:
    datasets = import_torchvision().datasets
    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    try:
        return kind(root, train=not test, download=download)
    except (OSError, RuntimeError) as err:
        if download:
            raise UserError(f"{name} cannot be downloaded to {root}: {' '.join(str(err).split())}") from err
        folder = root / kind.base_folder
        files = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
        if not folder.exists():
            names = ", ".join(file for file, _ in files)
            archive = f"the archive {kind.filename}, extracted"
            other = ", or pictures in train/<class> and test/<class>" if name == "cifar10" else ""
            raise UserError(
                f"{name} is not in {root}: expected {folder} with {names} ({archive}){other}, or give download=True"
            ) from err
        for file, md5 in files:
            _check_file(folder / file, md5)
        raise unreadable(folder, name, err) from err


def _check_file(file: Path, md5: str) -> None:
    """Raise UserError unless the file is there and is the published one."""
    try:
        content = file.read_bytes()
    except OSError as err:
        raise UserError(f"{file} cannot be read: {err.strerror}; extract the archive anew") from err
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise UserError(
            f"{file} is damaged: {len(content):,} bytes that are not the published ones; extract the archive anew"
        )


def _folder(name: str, root: Path, test: bool) -> Any:
    base = root / "tiny-imagenet-200" if name == "tiny_imagenet" else root
    n = SETS[name].num_classes
    image_folder = import_torchvision().datasets.ImageFolder
    try:
        images = image_folder(base / "train" if name == "tiny_imagenet" or not test else base / "val")
    except OSError as err:
        layout = (
            "train/<class>/images/*.JPEG and val/val_annotations.txt"
            if name == "tiny_imagenet"
            else "train/<class>/*.JPEG and val/<class>/*.JPEG"
        )
        reason = " ".join(str(err).split())
        raise UserError(f"{name} is not in {root}: expected {base} with {layout} ({reason})") from err
    if len(images.classes) != n:
        raise UserError(f"{name} has {n} classes, but {images.root} has {len(images.classes)} folders with images")
    if name == "tiny_imagenet" and test:
        images.samples = _annotated(base / "val", images.class_to_idx)
    return images


def _annotated(folder: Path, number: dict[str, int]) -> list[tuple[str, int]]:
    """The images of Tiny-ImageNet's validation folder, whose classes stand in one text file.

    Raises UserError for a line that names no class, and unless the file has a line for every image and an image for
    every line.
    """
    file = folder / "val_annotations.txt"
    try:
        lines = file.read_text().splitlines()
        images = {image.name for image in (folder / "images").iterdir()}
    except (OSError, UnicodeDecodeError) as err:
        raise UserError(f"tiny_imagenet is not complete: expected {file} and {folder / 'images'} ({err})") from err
    classes = {}
    for i, line in enumerate(lines, 1):
        image, name = (*line.split("\t"), "")[:2]
        if name not in number:
            raise UserError(f"{file}, line {i}: expected an image and one of the {len(number)} classes; got {line!r}")
        classes[image] = number[name]
    if differing := sorted(images ^ set(classes)):
        raise UserError(
            f"{file} has {len(classes):,} images and {folder / 'images'} {len(images):,}: {differing[0]} is in one only"
        )
    return sorted((str(folder / "images" / image), c) for image, c in classes.items())
