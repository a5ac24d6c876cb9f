"""DVS128 Gesture and CIFAR10-DVS from disk, cut into frames of event counts.

Files lie where tonic downloads them. They are sorted by path, so that sample i is the same recording everywhere.
CIFAR10-DVS has no split of its own: of each class the first 90 % (by file name) are for
training and the last 10 % for testing, as in papers A and B. Validation is a part of the training set: whole
people for DVS128 Gesture, a share of each class chosen with seed 0 for CIFAR10-DVS. `validation=0` trains on
all of it, as the papers do.
"""

from __future__ import annotations

import glob
import importlib.util
import math
import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnbook.datasets.augmentation import event_mix, nda
from snnbook.datasets.base import Augmentation, FileSet, Info, check_split, drawn
from snnbook.datasets.event_files import Recording, decoded, frames, named
from snnbook.datasets.event_formats import aedat
from snnbook.datasets.event_formats.arrays import whole_array
from snnbook.datasets.event_formats.stated import Stated
from snnbook.datasets.event_formats.tables import Decoded
from snnbook.datasets.frames import SLICES
from snnbook.datasets.options import CACHE, DOWNLOAD, ROOT, VALIDATION, OneOf, Option, WholeNumber, steps
from snnbook.datasets.stream import check_fields
from snnbook.datasets.vision import CIFAR10_CLASSES
from snnbook.errors import UserError

VERSION = 1
SENSOR = (128, 128)


def _unchanged(x: Tensor, generator: torch.Generator) -> Tensor:
    return x


# The values of `mix`: nothing, what the public code of papers A and B does, the original augmentation.
MIXES: dict[bool | str, Augmentation] = {False: _unchanged, True: event_mix, "nda": nda}

# T frames cut `by` number or time, resized to `size` px, augmented as MIXES says.
_OPTIONS = {
    "root": ROOT,
    "T": Option(20, steps),
    "by": Option("number", OneOf(SLICES)),
    "size": Option(SENSOR[0], WholeNumber(1, SENSOR[0], "the side of the frames in px")),
    "mix": Option(False, OneOf(tuple(MIXES))),
    "validation": VALIDATION,
    "download": DOWNLOAD,
    "cache": CACHE,
}

SETS = {
    i.name: i
    for i in (
        Info(
            "dvs128_gesture",
            "DVS128 Gesture, 128x128 events, 11 classes; needs root=",
            False,
            11,
            (20, 2, *SENSOR),
            _OPTIONS,
            plays="DVS128-Gesture",
            published=(1176, 288),
            files=("DVSGesture/ibmGestureTrain/*/*.npy", "DVSGesture/ibmGestureTest/*/*.npy"),
        ),
        Info(
            "cifar10_dvs",
            "CIFAR10-DVS, 128x128 events, 10 classes; needs root=",
            False,
            10,
            (10, 2, *SENSOR),
            {**_OPTIONS, "T": Option(10, steps)},
            plays="CIFAR10-DVS",
            published=(9000, 1000),  # published as 10,000 without a split; see `_cifar10_dvs`
            files=("CIFAR10DVS/*/*.aedat4",),
        ),
    )
}


def fingerprint(name: str, **kw: Any) -> str:
    """Hash of the files' content and of what is done to them; see `Info.fingerprint`."""
    return SETS[name].fingerprint(VERSION, kw)


def load(name: str, split: str, **kw: Any) -> FileSet:
    """A split of frames of event counts, float32 `[T, 2, size, size]`.

    They are kept on disk after the first reading, compressed (about 0.1 MB a recording), unless cache=False.
    Raises UserError for files that are missing or misplaced, which it names, and for a split without samples. So does
    the reading of a sample for a file that is damaged, cut short or without events, or that holds what is no event.
    """
    check_split(split)
    settings = SETS[name].checked(kw)
    root = SETS[name].root(kw)
    files, labels = (_gesture if name == "dvs128_gesture" else _cifar10_dvs)(root, split, settings)
    if not files:
        raise UserError(f"{name} has no {split} samples in {root} with validation={settings['validation']}")
    return FileSet(
        SETS[name], split, labels, fingerprint(name, **kw), MIXES[settings["mix"]], partial(_sample, files, settings)
    )


def _sample(files: list[Path], settings: dict[str, Any], index: int) -> Tensor:
    """Frames of one recording, float32 `[T, 2, size, size]`."""

    def read(path: Path) -> Recording:
        return Recording(read_recording(path), SENSOR)

    T, by, size, cache = (settings[name] for name in ("T", "by", "size", "cache"))
    return frames(files[index], read, T, by, size, cache)


def read_recording(path: Path) -> np.ndarray:
    """The events of a file, `.npy` of DVS128 Gesture or `.aedat4`, in the order of their times (µs).

    Raises UserError, with the file's name, for a file that is damaged, cut short or without events, and, with the event
    as it lies in the file, for an event that is none.
    """
    events, _ = decoded(path, _gesture_events if path.suffix == ".npy" else aedat.read, Stated())
    with named(path):
        check_fields(events, SENSOR)
    return events[np.argsort(events["t"], kind="stable")]


def _gesture_events(path: Path, stated: Stated) -> Decoded:
    """Rows of x, y, p and t, which is in ms in the file. Raises ValueError for what are none."""
    rows = whole_array(path)
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != 4 or rows.dtype.kind not in "iuf":
        raise ValueError("expected numbers [N, 4], the columns x, y, p and t in ms")
    if len(rows) == 0:
        raise ValueError("it holds no events")  # the extremes of none cannot be taken
    if rows.dtype.kind == "f" and (rows == np.floor(rows)).all() and np.abs(rows).max() < 2**63:
        rows = rows.astype(np.int64)
    t = rows[:, 3]
    if rows.dtype.kind == "f":
        t = t.astype(np.float64) * 1000
    else:
        # Counted from the first event: nanoseconds since 1970 taken for milliseconds leave the range of 64 bits.
        if (span := int(t.max()) - int(t.min())) > (2**63 - 1) // 1000:
            raise ValueError(f"t, in ms, spans {span}")
        t = (t.astype(np.uint64) - t.min().astype(np.uint64)).astype(np.int64) * 1000
    events = np.empty(len(rows), [(field, rows.dtype) for field in "xyp"] + [("t", t.dtype)])
    for field, column in zip("xypt", (*rows.T[:3], t), strict=True):
        events[field] = column
    return events, SENSOR


def _files(root: Path, pattern: str, expected: str) -> list[Path]:
    """The files in `root` that match, sorted by path. Raises UserError where there are none."""
    files = sorted((root / file for file in glob.iglob(pattern, root_dir=root)), key=lambda file: file.parts)
    if not files:
        raise UserError(f"no recordings in {root}: expected {expected}, or give download=True")
    return files


def _gesture(root: Path, split: str, settings: dict[str, Any]) -> tuple[list[Path], np.ndarray]:
    """The recordings of a split and their labels `[N]`."""
    part = "ibmGestureTest" if split == "test" else "ibmGestureTrain"
    if settings["download"]:
        from tonic.datasets import DVSGesture

        DVSGesture(str(root), train=split != "test")
    files = _files(
        root,
        f"DVSGesture/{part}/*/*.npy",
        f"DVSGesture/{part}/userNN_LIGHT/LABEL.npy, the contents of {part}.tar.gz",
    )
    names = [re.fullmatch(r"user(\d+)_.*/(10|\d)\.npy", f"{f.parent.name}/{f.name}") for f in files]
    for file, name in zip(files, names, strict=True):
        if name is None:
            raise UserError(f"{file} is no recording of dvs128_gesture: expected userNN_LIGHT/LABEL.npy, LABEL 0 to 10")
    users, labels = np.array([[int(number) for number in name.groups()] for name in names if name]).T
    chosen = np.arange(len(files))
    if split != "test":
        people = np.unique(users)
        held_out = people[len(people) - math.ceil(settings["validation"] * len(people)) :]
        aside = np.isin(users, held_out)
        chosen = np.flatnonzero(aside if split == "validation" else ~aside)
    return [files[i] for i in chosen], labels[chosen]


def _cifar10_dvs(root: Path, split: str, settings: dict[str, Any]) -> tuple[list[Path], np.ndarray]:
    """The recordings of a split and their labels `[N]`."""
    if importlib.util.find_spec("aedat") is None:
        raise UserError('the files of cifar10_dvs are read with the package aedat: pip install "snnbook[events]"')
    if settings["download"]:
        from tonic.datasets import CIFAR10DVS

        CIFAR10DVS(str(root))
    files = _files(
        root,
        "CIFAR10DVS/*/*.aedat4",
        "CIFAR10DVS/<class>/*.aedat4, the contents of CIFAR10DVS.zip and of the ten archives in it",
    )
    for file in files:
        if file.parent.name not in CIFAR10_CLASSES:
            raise UserError(
                f"{file} is no recording of cifar10_dvs: expected a folder named {', '.join(CIFAR10_CLASSES)}"
            )
    labels = np.array([CIFAR10_CLASSES.index(file.parent.name) for file in files])
    counts = np.bincount(labels, minlength=10)
    if (counts != 1000).any():
        warnings.warn(
            f"cifar10_dvs has 1,000 recordings per class, {root} has {counts.min()} to {counts.max()}",
            stacklevel=4,
        )
    test = np.zeros(len(labels), bool)
    for c in range(10):
        members = np.flatnonzero(labels == c)
        test[members[math.ceil(0.9 * len(members)) :]] = True
    chosen = np.flatnonzero(test)
    if split != "test":
        train = np.flatnonzero(~test)
        aside = drawn(labels[train], settings["validation"])
        chosen = train[aside if split == "validation" else ~aside]
    return [files[i] for i in chosen], labels[chosen]
