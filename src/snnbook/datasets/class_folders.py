"""A folder of a reader's own: one folder a class, either in folders of parts (train and test) or all in one.

    root/train/<class>/file      root/<class>/file
    root/test/<class>/file

Names of parts are read in capitals as well, and `validation` (or `val`) may stand beside the two. In one folder of
classes a share of each class is for testing. Without a folder for it, validation is a share of each class of the
training set. Both are drawn with a seed from the files in order of their names: the split is the same everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from snnbook.datasets.base import Info, digest, drawn
from snnbook.datasets.content import content_of
from snnbook.datasets.options import CACHE, ROOT, SEED, TEST, VALIDATION
from snnbook.errors import UserError

OPTIONS = {"root": ROOT, "test": TEST, "validation": VALIDATION, "seed": SEED, "cache": CACHE}
_PARTS = {"train": 0, "validation": 1, "val": 1, "test": 2}


@dataclass(frozen=True)
class ClassFolders:
    """The files of a set: `files` relative to `root` in order of part, class and name, and for each its label.

    labels: int64 `[N]`, numbers of `classes`, which are in order of their names. parts: int64 `[N]`, 0 for training, 1
    for validation, 2 for testing; None where the files are not in folders of parts.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    files: tuple[str, ...]
    labels: np.ndarray
    parts: np.ndarray | None

    @cached_property
    def content(self) -> str:
        """The hash of what the files hold; see `content_of`."""
        return content_of(self.name, self.root, self.files)

    def path(self, index: int) -> Path:
        """Where a file lies."""
        return self.root / self.files[index]

    def split(self, split: str, settings: Mapping[str, Any]) -> np.ndarray:
        """Which files are of a split: int64 `[n]`. Raises UserError where there are none.

        settings: the options of OPTIONS.
        """
        validation, seed = settings["validation"], settings["seed"]
        if self.parts is None:
            parts = 2 * drawn(self.labels, settings["test"], seed).astype(np.int64)
        else:
            parts = self.parts.copy()
        if not (parts == 1).any():
            train = np.flatnonzero(parts == 0)
            parts[train[drawn(self.labels[train], validation, seed)]] = 1
        chosen = np.flatnonzero(parts == _PARTS[split])
        if len(chosen) == 0:
            shares = f"validation={validation}" + (f" and test={settings['test']}" if self.parts is None else "")
            raise UserError(f"{self.name} has no {split} samples in {self.root} with {shares}")
        return chosen


def fingerprint(info: Info, version: int, kw: Mapping[str, Any], folders: ClassFolders) -> str:
    """Hash of all files and of what is done to them, sixteen hexadecimal digits; version: of the code that does it."""
    return digest([info.name, version, folders.content, info.deciding(kw)])


def find(name: str, root: Path, suffixes: tuple[str, ...]) -> ClassFolders:
    """The files in `root` whose names end in any of `suffixes`, in small letters or capitals; others are left alone.

    name: of the data set. Raises UserError, which names the folder, where it cannot be read, where a part or all
    classes are missing, where a class has no files and where the parts have other classes than each other.
    """
    top = _folders(name, root)
    parts = {folder: _PARTS[folder.lower()] for folder in top if folder.lower() in _PARTS}
    if not {"train", "test"} & {folder.lower() for folder in parts}:
        parts = {}
    elif sorted(parts.values()) not in ([0, 2], [0, 1, 2]):
        raise UserError(
            f"{name} in {root} has the parts {', '.join(sorted(parts))}: expected train and test, or classes alone"
        )
    bases = sorted(parts, key=lambda folder: parts[folder]) if parts else [""]
    classes = {base: _folders(name, root / base) if base else top for base in bases}
    for base in bases:
        _check_classes(name, root, base, classes[base], bases[0], classes[bases[0]])

    files: list[str] = []
    labels: list[int] = []
    numbers: list[int] = []
    for base in bases:
        for label, folder in enumerate(classes[base]):
            below = f"{base}/{folder}" if base else folder
            here = [f"{below}/{file}" for file in _files(name, root / below, suffixes)]
            files += here
            labels += [label] * len(here)
            numbers += [parts.get(base, 0)] * len(here)
    return ClassFolders(
        name, root, tuple(classes[bases[0]]), tuple(files), np.array(labels), np.array(numbers) if parts else None
    )


def _check_classes(name: str, root: Path, base: str, classes: list[str], first: str, expected: list[str]) -> None:
    if not classes:
        raise UserError(f"{name} is not in {root / base}: expected a folder for each class")
    if classes != expected:
        other = sorted(set(classes) ^ set(expected))[0]
        has, lacks = (base, first) if other in classes else (first, base)
        raise UserError(
            f"{name} in {root} has the class {other} in {has} and not in {lacks}: both need the same classes"
        )


def _folders(name: str, folder: Path) -> list[str]:
    return sorted(entry.name for entry in _entries(name, folder) if entry.is_dir())


def _files(name: str, folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Names in order. Raises UserError where there are none."""
    files = sorted(entry.name for entry in _entries(name, folder) if entry.name.lower().endswith(suffixes))
    if not files:
        raise UserError(f"{folder}, a class of {name}, has no files that end in {', '.join(suffixes)}")
    return files


def _entries(name: str, folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder but hidden files. Raises UserError where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as err:
        raise UserError(f"{name} cannot be read: {err.strerror}: {folder}") from err
