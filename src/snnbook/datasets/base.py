"""What every data set has in common, in memory or read from files sample by sample."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from snnbook.datasets.cache import Packed
from snnbook.datasets.content import content
from snnbook.datasets.options import Option
from snnbook.errors import UserError, unknown

SPLITS = ("train", "validation", "test")
READERS = 4  # processes that read a set on disk, at most
WORTH_READERS = 20  # batches; fewer are read by the time that processes have started and ended

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Info:
    """What is known of a data set before anything is read or generated.

    shape: of one sample, `[C, H, W]` or `[T, 2, H, W]` at the default T. options: the keywords that `load` takes.
    plays: the papers' data set that this one is or stands in for. published: samples for training and for testing that
    a set came with, before a validation split; (0, 0) for those that are generated here. files: glob patterns of the
    files of a set on disk, relative to `root`. content: the hash of the published files (see `content`), empty for sets
    that are generated and for those whose published files nobody has hashed here.
    """

    name: str
    description: str
    static: bool
    classes: tuple[str, ...] | int
    shape: tuple[int, ...]
    options: Mapping[str, Option]
    plays: str = ""
    published: tuple[int, int] = (0, 0)
    files: tuple[str, ...] = ()
    content: str = ""

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.classes if isinstance(self.classes, int) else len(self.classes)

    @property
    def on_disk(self) -> bool:
        """Whether the set is read from files and not generated."""
        return bool(self.files)

    def checked(self, kw: Mapping[str, Any]) -> dict[str, Any]:
        """All options, given or default, each in its one form.

        T may be given for every set; a static one ignores it: its pictures are shown for T steps by the network.
        Raises UserError for an unknown option and for a value of a wrong type or out of range.
        """
        if self.static:
            kw = {key: value for key, value in kw.items() if key != "T"}
        for key in kw:
            if key not in self.options:
                raise self.unknown_option(key, self.options)
        return {key: option.check(key, kw.get(key, option.default)) for key, option in self.options.items()}

    def deciding(self, kw: Mapping[str, Any]) -> dict[str, Any]:
        """Of `checked`, the options that decide what the samples are."""
        return {key: value for key, value in self.checked(kw).items() if self.options[key].decides}

    def unknown_option(self, name: str, valid: Iterable[str]) -> UserError:
        """The error for an option that is none of `valid`."""
        if not valid:
            return UserError(f"data set {self.name} has no option {name!r}, nor any other")
        return unknown(f"option of data set {self.name}", name, valid)

    def root(self, kw: Mapping[str, Any]) -> Path:
        """The folder that holds a set on disk. Raises UserError if the options do not give it or it may not be read."""
        root = self.checked(kw)["root"]
        if root is None:
            raise UserError(f"data set {self.name} is read from disk: give root=, the folder that holds it")
        try:
            os.scandir(root).close()
        except PermissionError as err:
            raise UserError(f"{self.name} cannot be read: {err.strerror}: {root}") from err
        except OSError:  # the loaders say what they expect there
            pass
        return root

    def fingerprint(self, version: int, kw: Mapping[str, Any]) -> str:
        """Hash of the files of a set on disk and of what is done to them: sixteen hexadecimal digits.

        version: of the code that reads them. Without `root` the published files are meant. Raises UserError where there
        are no such files, and without `root` if the content of the published ones is not known.
        """
        published = self.checked(kw)["root"] is None and self.content
        files = self.content if published else content(self.name, self.root(kw), self.files)
        return digest([self.name, version, files, self.deciding(kw)])


class Colours(NamedTuple):
    """Mean and standard deviation of the colour channels, from 0 to 1, by which pictures are normalised."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def samples(self, pictures: Tensor) -> Tensor:
        """`(pictures / 255 - mean) / std`: uint8 `[N, C, H, W]` → float32."""
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in self)
        return pictures.to(torch.float32).div_(255).sub_(mean).div_(std)

    @property
    def black(self) -> Tensor:
        """What a black pixel becomes, `[C, 1, 1]`."""
        return (-torch.tensor(self.mean) / torch.tensor(self.std)).view(-1, 1, 1)


class FrameSet(Dataset):
    """A split of a data set: samples float32 `[C, H, W]` (static) or `[T, 2, H, W]` (events), labels `.y` int64 `[N]`.

    name, split, num_classes and static say what it is; fingerprint is the hash of what decides its samples.
    A MemorySet holds all samples, a PackedSet holds or maps pictures as bytes, a FileSet reads a sample when it is
    asked for.
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
        """Sample `index`, float32, and its label, int64 `[]`."""
        raise NotImplementedError

    def read(self, indices: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches that `indices` name, in this order: samples `[N, ...]` and labels `[N]` for every int64 `[N]`."""
        raise NotImplementedError

    def augment(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A randomly changed copy of a training batch `[N, ...]`, all randomness drawn from `generator`."""
        return self._augmentation(x, generator)

    def head_indices(self, n: int) -> Tensor:
        """Which samples `head(n)` takes, in its order: int64 `[min(n, N)]`. Raises UserError for n < 1."""
        if n < 1:
            raise UserError(f"a subset has at least 1 sample, got {n}")
        return self._classes_in_turn[:n]

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

    def read(self, indices: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        return ((self.x[index], self.y[index]) for index in indices)

    def head(self, n: int) -> MemorySet:
        index = self.head_indices(n)
        return MemorySet(self.info, self.split, self.x[index], self.y[index], self.fingerprint, self._augmentation)


class PackedSet(FrameSet):
    """Pictures as bytes: sample i is `(pictures[chosen[i]] / 255 - mean) / std`, float32 `[C, H, W]`.

    pictures: uint8 `[M, C, H, W]`, in memory or mapped from a file. chosen: int64 `[N]`. colours: mean and std.
    """

    def __init__(
        self,
        info: Info,
        split: str,
        y: np.ndarray | Tensor,
        fingerprint: str,
        augmentation: Augmentation,
        pictures: np.ndarray | Packed,
        chosen: np.ndarray,
        colours: Colours,
    ):
        super().__init__(info, split, y, fingerprint, augmentation)
        self._pictures, self._chosen, self._colours = pictures, chosen, colours

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        index = range(len(self))[index]
        return self._samples(self._chosen[[index]])[0], self.y[index]

    def read(self, indices: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        return ((self._samples(self._chosen[index.numpy()]), self.y[index]) for index in indices)

    def _samples(self, numbers: np.ndarray) -> Tensor:
        return self._colours.samples(torch.from_numpy(self._pictures[numbers]))

    def head(self, n: int) -> PackedSet:
        index = self.head_indices(n)
        rest = (self.fingerprint, self._augmentation, self._pictures, self._chosen[index.numpy()], self._colours)
        return PackedSet(self.info, self.split, self.y[index], *rest)


class FileSet(FrameSet):
    """A data set on disk: sample i is read by `sample(i)` when it is asked for."""

    def __init__(
        self,
        info: Info,
        split: str,
        y: np.ndarray | Tensor,
        fingerprint: str,
        augmentation: Augmentation,
        sample: Callable[[int], Tensor],
    ):
        super().__init__(info, split, y, fingerprint, augmentation)
        self._sample = sample

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        index = range(len(self))[index]
        return self._sample(index), self.y[index]

    def read(self, indices: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Other processes read the batches that come next while one is in use; torch's global generator is left alone.

        Fewer batches than WORTH_READERS are read in this process, and all are in one that may have no children, as
        Dask's workers are by default.
        """
        batches = [index.tolist() for index in indices]
        alone = len(batches) < WORTH_READERS or multiprocessing.current_process().daemon
        readers = 0 if alone else min(READERS, _processors())
        loader = DataLoader(
            _Handed(self),
            batch_sampler=batches,
            num_workers=readers,
            collate_fn=_packed,
            generator=torch.Generator(),
            # A forked reader starts in milliseconds, also in a process that was itself spawned.
            multiprocessing_context="fork" if readers and sys.platform == "linux" else None,
        )
        return (_unpacked(batch) for batch in loader)

    def head(self, n: int) -> FileSet:
        index = self.head_indices(n)
        sample = partial(_chosen_sample, self._sample, index.numpy())
        return FileSet(self.info, self.split, self.y[index], self.fingerprint, self._augmentation, sample)


class _Handed(Dataset):
    """Samples as they are; a UserError is handed on as a value: torch would write a reader's traceback into it."""

    def __init__(self, data: FileSet):
        self.data = data

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor] | UserError:
        try:
            return self.data[index]
        except UserError as err:
            return err


def _packed(samples: list[tuple[Tensor, Tensor] | UserError]) -> tuple[np.ndarray, np.ndarray] | UserError:
    """A batch as arrays, which go through a pipe; tensors would take shared memory, of which a container has little."""
    pairs = []
    for sample in samples:
        if isinstance(sample, UserError):
            return sample
        pairs.append(sample)
    return np.stack([x.numpy() for x, _ in pairs]), np.stack([y.numpy() for _, y in pairs])


def _unpacked(batch: tuple[np.ndarray, np.ndarray] | UserError) -> tuple[Tensor, Tensor]:
    if isinstance(batch, UserError):
        raise batch
    return torch.from_numpy(batch[0]), torch.from_numpy(batch[1])


def _processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chosen_sample(sample: Callable[[int], Tensor], chosen: np.ndarray, index: int) -> Tensor:
    return sample(int(chosen[index]))


def unreadable(file: str | Path, what: str, reason: object) -> UserError:
    """The error for a file that cannot be read as `what` it should be, in one line."""
    return UserError(
        f"{file} cannot be read as {what}: {' '.join(str(reason).split())}; if it was cut short, get it anew"
    )


def check_split(split: str) -> None:
    """Raise UserError unless `split` is train, validation or test."""
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)


def digest(parameters: object) -> str:
    """Sixteen hexadecimal digits that change whenever a parameter does."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]


def drawn(groups: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    """Which samples are set aside, for validation or for testing: bool `[N]`, a `fraction` of each group.

    groups: the group of each sample, `[N]`. seed: of the draw. Every group of two or more keeps at least one sample on
    each side, unless fraction is 0, which sets none aside.
    """
    aside = np.zeros(len(groups), bool)
    rng = np.random.default_rng(seed)
    for g in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == g))
        n = min(max(round(fraction * len(members)), 1), len(members) - 1) if fraction else 0
        aside[members[:n]] = True
    return aside
