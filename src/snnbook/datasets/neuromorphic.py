"""DVS128 Gesture and CIFAR10-DVS from disk, read through tonic and cut into frames of event counts.

tonic lists files in the order of the file system; here they are sorted by path, so that sample i is the same
recording everywhere. CIFAR10-DVS has no split of its own: of each class the first 90 % (by file name) are for
training and the last 10 % for testing, as in papers A and B. Validation is a part of the training set: whole
people for DVS128 Gesture, a share of each class chosen with seed 0 for CIFAR10-DVS. `validation=0` trains on
all of it, as the papers do.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from snnbook.datasets.augmentation import event_mix, nda
from snnbook.datasets.base import Augmentation, FileSet, Info, check_split, digest, validation_mask
from snnbook.datasets.cache import cached
from snnbook.datasets.frames import SLICES, events_to_frames
from snnbook.datasets.options import CACHE, DOWNLOAD, ROOT, VALIDATION, OneOf, Option, WholeNumber, steps
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
    Raises UserError for files that are missing, which it names, and for a split without samples.
    """
    check_split(split)
    settings = SETS[name].checked(kw)
    root = SETS[name].root(kw)
    if name == "dvs128_gesture":
        recordings, chosen = _gesture(root, split, settings)
    else:
        recordings, chosen = _cifar10_dvs(root, split, settings)
    if len(chosen) == 0:
        raise UserError(f"{name} has no {split} samples in {root} with validation={settings['validation']}")
    labels = np.array([recordings.targets[i] for i in chosen])
    return FileSet(
        SETS[name],
        split,
        labels,
        fingerprint(name, **kw),
        MIXES[settings["mix"]],
        partial(_sample, recordings, chosen, settings),
    )


def _sample(recordings: Any, chosen: np.ndarray, settings: dict[str, Any], index: int) -> Tensor:
    """Frames of one recording, float32 `[T, 2, size, size]`; cached under its path, size and time of change."""
    position, T, by, size = int(chosen[index]), settings["T"], settings["by"], settings["size"]

    def counts() -> dict[str, np.ndarray]:
        events = recordings[position][0]
        events = events[np.argsort(events["t"], kind="stable")]
        return {"frames": events_to_frames(events, T, SENSOR, by).numpy().astype(np.uint16)}

    if settings["cache"]:
        path = Path(recordings.data[position])
        stat = path.stat()
        key = digest([VERSION, str(path.absolute()), stat.st_size, stat.st_mtime_ns, T, by])
        arrays = cached(f"recordings/{key[:2]}/{key}", counts, compress=True)
    else:
        arrays = counts()
    frames = torch.from_numpy(arrays["frames"]).float()
    if size != SENSOR[0]:
        frames = F.interpolate(frames, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return frames


def _open(kind: type, root: Path, files: str, expected: str, download: bool, **kw: Any) -> Any:
    """tonic's data set in `root`, sorted by path; tonic's own search for the archives is left out."""
    opened = kind
    if not download:
        if not any(root.glob(f"{kind.__name__}/{files}")):
            raise UserError(f"no recordings in {root}: expected {expected}, or give download=True")
        opened = type(kind.__name__, (kind,), {"_check_exists": lambda self: True})
    recordings = opened(str(root), **kw)
    recordings.__class__ = kind  # a class that other processes can import
    order = sorted(range(len(recordings.data)), key=lambda i: Path(recordings.data[i]).parts)
    for attribute in ("data", "targets", "users"):
        if hasattr(recordings, attribute):
            values = getattr(recordings, attribute)
            setattr(recordings, attribute, [values[i] for i in order])
    return recordings


def _gesture(root: Path, split: str, settings: dict[str, Any]) -> tuple[Any, np.ndarray]:
    from tonic.datasets import DVSGesture

    part = "ibmGestureTest" if split == "test" else "ibmGestureTrain"
    recordings = _open(
        DVSGesture,
        root,
        f"{part}/*/*.npy",
        f"DVSGesture/{part}/userNN_LIGHT/LABEL.npy, the contents of {part}.tar.gz",
        settings["download"],
        train=split != "test",
    )
    users = np.array(recordings.users)
    if split == "test":
        return recordings, np.arange(len(users))
    people = np.unique(users)
    held_out = people[len(people) - math.ceil(settings["validation"] * len(people)) :]
    aside = np.isin(users, held_out)
    return recordings, np.flatnonzero(aside if split == "validation" else ~aside)


def _cifar10_dvs(root: Path, split: str, settings: dict[str, Any]) -> tuple[Any, np.ndarray]:
    from tonic.datasets import CIFAR10DVS

    if importlib.util.find_spec("aedat") is None:
        raise UserError('the files of cifar10_dvs are read with the package aedat: pip install "snnbook[events]"')
    recordings = _open(
        CIFAR10DVS,
        root,
        "*/*.aedat4",
        "CIFAR10DVS/<class>/*.aedat4, the contents of CIFAR10DVS.zip and of the ten archives in it",
        settings["download"],
    )
    labels = np.array(recordings.targets)
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
    if split == "test":
        return recordings, np.flatnonzero(test)
    train = np.flatnonzero(~test)
    aside = validation_mask(labels[train], settings["validation"])
    return recordings, train[aside if split == "validation" else ~aside]
