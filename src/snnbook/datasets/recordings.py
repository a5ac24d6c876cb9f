"""A reader's own recordings in folders of classes (see `class_folders`), cut into frames of event counts.

What a file does not say of its sensor, the unit of its times and its polarity is stated by options; see
`event_formats.stated.Stated`. All recordings are of one sensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from snnbook.datasets import class_folders, event_files
from snnbook.datasets.base import FileSet, Info, check_split
from snnbook.datasets.class_folders import ClassFolders
from snnbook.datasets.event_files import SUFFIXES, Recording
from snnbook.datasets.event_formats.stated import OPTIONS, Stated
from snnbook.datasets.event_formats.tables import Size
from snnbook.datasets.frames import SLICES
from snnbook.datasets.neuromorphic import MIXES
from snnbook.datasets.options import Maybe, OneOf, Option, WholeNumber, steps
from snnbook.errors import UserError

VERSION = 1
T = 10

SETS = {
    "events": Info(
        "events",
        "your own recordings of events in folders of classes; needs root=",
        False,
        (),
        (T, 2, 128, 128),
        {
            **class_folders.OPTIONS,
            "T": Option(T, steps),
            "by": Option("number", OneOf(SLICES)),
            "size": Option(None, Maybe(WholeNumber(1, 4096, "the side of the frames in px"))),
            "mix": Option(False, OneOf(tuple(MIXES))),
            **OPTIONS,
        },
        files=("train/<class>/*", "test/<class>/*", "<class>/*"),
    )
}


def fingerprint(name: str, **kw: Any) -> str:
    """Hash of the files' content and of what is done to them."""
    folders = class_folders.find(name, SETS[name].root(kw), SUFFIXES)
    return class_folders.fingerprint(SETS[name], VERSION, kw, folders)


def image_size(name: str, **kw: Any) -> Size:
    """Height and width of a frame, px, from the options or from the first file."""
    settings = SETS[name].checked(kw)
    if settings["size"] is not None:
        return settings["size"], settings["size"]
    stated = _stated(settings)
    return stated.sensor or _sensor(class_folders.find(name, SETS[name].root(kw), SUFFIXES), stated)


def load(name: str, split: str, **kw: Any) -> FileSet:
    """A split of frames of event counts, float32 `[T, 2, H, W]`; the classes' names are `.info.classes`.

    They are kept on disk after the first reading, compressed, unless cache=False. Raises UserError for folders and
    files that cannot be read or used, which it names; for all files but the first, when a sample is read.
    """
    check_split(split)
    info = SETS[name]
    settings = info.checked(kw)
    folders = class_folders.find(name, info.root(kw), SUFFIXES)
    chosen = folders.split(split, settings)
    stated = _stated(settings)
    sensor = _sensor(folders, stated)
    shape = (settings["size"],) * 2 if settings["size"] else sensor
    content = class_folders.fingerprint(info, VERSION, kw, folders)
    info = replace(info, classes=folders.classes, shape=(settings["T"], 2, *shape))
    sample = partial(_sample, [folders.path(i) for i in chosen], settings, stated, sensor, folders.path(0))
    return FileSet(info, split, folders.labels[chosen], content, MIXES[settings["mix"]], sample)


def _stated(settings: Mapping[str, Any]) -> Stated:
    return Stated(**{name: settings[name] for name in OPTIONS})


def _sensor(folders: ClassFolders, stated: Stated) -> Size:
    """That of all recordings: as it is stated, or as the first file says."""
    return stated.sensor or event_files.read(folders.path(0), stated).sensor_size


def _sample(
    files: list[Path], settings: Mapping[str, Any], stated: Stated, sensor: Size, first: Path, index: int
) -> Tensor:
    def read(path: Path) -> Recording:
        recording = event_files.read(path, stated)
        if recording.sensor_size != sensor:
            (height, width), (h, w) = recording.sensor_size, sensor
            raise UserError(f"{path} is of a sensor of {height}x{width} px, and {first} of {h}x{w}")
        return recording

    T, by, size, cache = (settings[name] for name in ("T", "by", "size", "cache"))
    return event_files.frames(files[index], read, T, by, size, cache, sensor, *astuple(stated))
