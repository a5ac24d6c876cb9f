"""Data sets: four that are generated on the spot, the papers' own, read from disk, and a reader's own folders.

`load(name, split)` gives samples `[C, H, W]` (static) or frames of event counts `[T, 2, H, W]`. Splits are
train, validation and test: tune on validation, touch test once.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from snnbook.datasets import embedded, neuromorphic, pictures, recordings, vision
from snnbook.datasets.base import FileSet, FrameSet, Info, MemorySet, PackedSet
from snnbook.datasets.embedded import events, video
from snnbook.datasets.event_files import Recording, read_events
from snnbook.datasets.frames import downsample, events_to_frames
from snnbook.datasets.sensor import simulate
from snnbook.errors import unknown

__all__ = [
    "FileSet",
    "FrameSet",
    "Info",
    "MemorySet",
    "PackedSet",
    "Recording",
    "available",
    "downsample",
    "events",
    "events_to_frames",
    "fingerprint",
    "image_size",
    "info",
    "load",
    "read_events",
    "settings",
    "simulate",
    "video",
]

_MODULES: tuple[ModuleType, ...] = (embedded, vision, neuromorphic, pictures, recordings)


def _module(name: str) -> ModuleType:
    for module in _MODULES:
        if name in module.SETS:
            return module
    raise unknown("data set", name, available())


def available() -> dict[str, str]:
    """Name → one-line description of every data set."""
    return {name: i.description for module in _MODULES for name, i in module.SETS.items()}


def info(name: str) -> Info:
    """What is known of a data set without reading it; UserError for an unknown name."""
    return _module(name).SETS[name]


def settings(name: str, **kw: Any) -> dict[str, Any]:
    """The options that decide what the samples of a set are, given or default, each in its one form; T is left out.

    Raises UserError for any other option and for values out of range.
    """
    chosen = info(name)
    names = [key for key, option in chosen.options.items() if option.decides and key != "T"]
    for key in kw:
        if key not in names:
            raise chosen.unknown_option(key, names)
    return {key: value for key, value in chosen.deciding(kw).items() if key in names}


def image_size(name: str, **kw: Any) -> tuple[int, int]:
    """Height and width in px of the samples of a set under these options.

    For a reader's own folders without `size` that is what the first file says, so they need `root`.
    """
    module = _module(name)
    if module in (pictures, recordings):
        return module.image_size(name, **kw)
    height, width = info(name).shape[-2:]
    size = kw.get("size")
    return (size, size) if size else (height, width)


def fingerprint(name: str, **kw: Any) -> str:
    """Hash of what decides the samples of a set, the same for all its splits: sixteen hexadecimal digits.

    For an embedded set these are the generator's version and parameters and T; for one on disk the files' content (see
    `content`) and the options that decide what is made of them, T included. Where the files lie does not count.
    Raises UserError for an unknown name or option, and for a set on disk that is not in `root`, or without `root` if
    the content of the published files is not known (`Info.content`).
    """
    return _module(name).fingerprint(name, **kw)


def load(name: str, split: str, **kw: Any) -> FrameSet:
    """A split (train, validation, test) of a data set; `T=` for event sets, `root=` for those on disk.

    The other options are those of `info(name).options`.
    Embedded sets come as MemorySet (`.x` and `.y`), pictures that are decoded once as PackedSet (read by the batch),
    the others as FileSet (sample by sample).
    Raises UserError for an unknown name, split or option and for files that are not there.
    """
    return _module(name).load(name, split, **kw)
