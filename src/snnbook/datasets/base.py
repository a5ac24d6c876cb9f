"""What every data set has in common, in memory or read from files sample by sample."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from snnbook.errors import UserError, unknown

SPLITS = ("train", "validation", "test")

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Info:
    """What is known of a data set before anything is read or generated.

    shape: of one sample, `[C, H, W]` or `[T, 2, H, W]` at the default T. options: the keywords that `load`
    takes, with their defaults; the value None marks one that must be given. published: samples for training and for
    testing that a set came with, before a validation split; (0, 0) for those that are generated here.
    """

    name: str
    description: str
    static: bool
    classes: tuple[str, ...] | int
    shape: tuple[int, ...]
    options: Mapping[str, Any]
    published: tuple[int, int] = (0, 0)

    @property
    def num_classes(self) -> int:
        return self.classes if isinstance(self.classes, int) else len(self.classes)

    def settings(self, kw: Mapping[str, Any]) -> dict[str, Any]:
        """All options, given or default; UserError for an unknown or a missing one.

        T may be given for every set; a static one ignores it: its pictures are shown for T steps by the
        network.
        """
        if self.static:
            kw = {key: value for key, value in kw.items() if key != "T"}
        for key in kw:
            if key not in self.options:
                raise unknown(f"option of data set {self.name}", key, self.options)
        settings = {**self.options, **kw}
        if settings.get("root", "") is None:
            raise UserError(f"data set {self.name} is read from disk: give root=, the folder that holds it")
        return settings


class FrameSet(Dataset):
    """A split of a data set: samples float32 `[C, H, W]` (static) or `[T, 2, H, W]` (events), labels `.y` int64 `[N]`.

    name, split, num_classes and static say what it is; fingerprint is the hash of what decides its samples.
    A MemorySet holds all samples, a FileSet reads one when it is asked for.
    """

    def __init__(self, info: Info, split: str, y: np.ndarray | Tensor, fingerprint: str, augmentation: Augmentation):
        self.info = info
        self.name = info.name
        self.split = split
        self.num_classes = info.num_classes
        self.static = info.static
        self.fingerprint = fingerprint
        self.y = torch.as_tensor(y, dtype=torch.int64)
        self._augmentation = augmentation

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """One sample and its label."""
        raise NotImplementedError

    def augment(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A randomly changed copy of a training batch `[N, ...]`, all randomness drawn from `generator`."""
        return self._augmentation(x, generator)

    def head_indices(self, n: int) -> Tensor:
        """Which samples `head(n)` takes, in its order: int64 `[min(n, N)]`. Raises UserError for n < 1."""
        if n < 1:
            raise UserError(f"a subset has at least 1 sample, got {n}")
        return self._classes_in_turn[:n]

    def subset(self, n: int) -> FrameSet:
        """The former name of `head`."""
        return self.head(n)

    @cached_property
    def _classes_in_turn(self) -> Tensor:
        """All indices: the first sample of every class, then the second of every class, and so on."""
        labels = self.y.numpy()
        rank = np.empty(len(labels), np.int64)
        for c in np.unique(labels):
            members = np.flatnonzero(labels == c)
            rank[members] = np.arange(len(members))
        return torch.from_numpy(np.lexsort((labels, rank)))

    def head(self, n: int) -> FrameSet:
        """The first n samples, or all if there are fewer, with the classes in turn as far as they last.

        Sets on disk are sorted by class: their first n samples as they lie would be of one class. The embedded sets
        have their classes in turn already. Raises UserError for n < 1.
        """
        raise NotImplementedError


class MemorySet(FrameSet):
    """A data set in memory: samples `.x`, float32 `[N, C, H, W]` (static) or `[N, T, 2, H, W]` (events)."""

    def __init__(
        self,
        info: Info,
        split: str,
        x: Tensor,
        y: np.ndarray | Tensor,
        fingerprint: str,
        augmentation: Augmentation,
    ):
        super().__init__(info, split, y, fingerprint, augmentation)
        self.x = x

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]

    def head(self, n: int) -> MemorySet:
        index = self.head_indices(n)
        return MemorySet(self.info, self.split, self.x[index], self.y[index], self.fingerprint, self._augmentation)


class FileSet(FrameSet):
    """A data set on disk: sample i is read by `read(i)` when it is asked for."""

    def __init__(
        self,
        info: Info,
        split: str,
        y: np.ndarray | Tensor,
        fingerprint: str,
        augmentation: Augmentation,
        read: Callable[[int], Tensor],
    ):
        super().__init__(info, split, y, fingerprint, augmentation)
        self._read = read

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        index = range(len(self))[index]
        return self._read(index), self.y[index]

    def head(self, n: int) -> FileSet:
        index = self.head_indices(n)
        read = partial(_read_chosen, self._read, index.numpy())
        return FileSet(self.info, self.split, self.y[index], self.fingerprint, self._augmentation, read)


def _read_chosen(read: Callable[[int], Tensor], chosen: np.ndarray, index: int) -> Tensor:
    return read(int(chosen[index]))


def check_split(split: str) -> None:
    """Raise UserError unless `split` is train, validation or test."""
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)


def check_share(validation: float) -> None:
    """Raise UserError unless `validation` lies in [0, 1)."""
    if not 0 <= validation < 1:
        raise UserError(f"validation is the share of the training set that is set aside, in [0, 1); got {validation}")


def digest(parameters: object) -> str:
    """Sixteen hexadecimal digits that change whenever a parameter does."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]


def carve(groups: np.ndarray, fraction: float) -> np.ndarray:
    """Which training samples are for validation: bool `[N]`, `fraction` of each group, drawn with seed 0.

    Every group keeps at least one sample on each side if it has two; fraction=0 sets none aside.
    """
    check_share(fraction)
    aside = np.zeros(len(groups), bool)
    rng = np.random.default_rng(0)
    for g in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == g))
        n = min(max(round(fraction * len(members)), 1), len(members) - 1) if fraction else 0
        aside[members[:n]] = True
    return aside
