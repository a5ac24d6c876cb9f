"""Arrays on disk that can be made again at any time: written whole or not at all, checked on reading."""

from __future__ import annotations

import errno
import hashlib
import math
import mmap
import os
import shutil
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from snnbook import paths
from snnbook.errors import NotKept, UserError
from snnbook.files import atomic_write, held, writing

AT_ONCE = 256  # rows that are made before they are written
AHEAD = 1 << 31  # bytes; smaller files are read into memory when they are opened

Arrays = dict[str, np.ndarray]


def cached(key: str, make: Callable[[], Arrays], compress: bool = False) -> Arrays:
    """The arrays stored under `key` (a relative path), or those of `make()`, stored for the next time.

    A file that is damaged is made again. A folder that cannot be written, or no folder, costs one warning (NotKept)
    and nothing else.
    """
    folder = paths.cache()
    if folder is None:
        _warn_once(f"there is no home folder; {paths.MOVE_CACHE}")
        return make()
    path = folder / f"{key}.npz"
    arrays = _read(path)
    if arrays is None:
        arrays = make()
        try:
            _write(path, arrays, compress)
        except UserError as err:
            _warn_once(str(err))
    return arrays


def _read(path: Path) -> Arrays | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception:  # whatever a damaged archive brings about, the arrays can be made again
        return None
    checksum = arrays.pop("checksum", None)
    return arrays if checksum is not None and str(checksum) == array_digest(arrays) else None


def _write(path: Path, arrays: Arrays, compress: bool) -> None:
    save = np.savez_compressed if compress else np.savez
    with atomic_write(path) as aside, aside.open("wb") as file:
        save(file, allow_pickle=False, checksum=np.array(array_digest(arrays)), **arrays)


def array_digest(arrays: Arrays) -> str:
    """SHA-256 over names, types, shapes and values, in order of the names."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        a = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {a.dtype.newbyteorder('<').str} {a.shape};".encode())
        total.update(a.data)
    return total.hexdigest()


class Packed:
    """Rows of bytes, uint8 `[N, ...]`, in one file that any number of processes read where it lies in memory.

    A row is checked when it is read, and one that is damaged is made again.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], make: Callable[[int], np.ndarray]):
        self.path, self.shape, self._make = path, shape, make
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(mapped) <= AHEAD and hasattr(mmap, "MADV_WILLNEED"):
            mapped.madvise(mmap.MADV_WILLNEED)  # rows are read in any order, and a disk is slow at that
        self._rows = np.frombuffer(mapped, np.uint8, math.prod(shape)).reshape(shape)
        self._sums = np.fromfile(path, "<u4", offset=math.prod(shape))

    def __reduce__(self) -> tuple[Any, ...]:
        return Packed, (self.path, self.shape, self._make)  # another process opens the file, and gets no copy of it

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The rows that `index`, int64 `[n]`, names: uint8 `[n, ...]`. Raises what `make` raises for a damaged row."""
        rows = self._rows[index]
        for i, row, expected in zip(index.tolist(), rows, self._sums[index].tolist(), strict=True):
            if zlib.crc32(row.data) != expected:
                row[...] = self._make(i)
        return rows


def packed(key: str, shape: tuple[int, ...], make: Callable[[int], np.ndarray]) -> Packed | None:
    """The rows stored under `key` (a relative path), or `make(0)` to `make(N - 1)`, stored for the next time.

    shape: `[N, ...]`, of all rows. make: it may be called by several threads at once. None where nothing can be kept,
    which costs one warning (NotKept). Raises what `make` raises; then nothing is kept. Of several processes that ask at
    once, one makes the rows.
    """
    folder = paths.cache()
    if folder is None:
        _warn_once(f"there is no home folder; {paths.MOVE_CACHE}")
        return None
    path = folder / key / "rows"
    failed: list[BaseException] = []

    def made(i: int) -> np.ndarray:
        try:
            return make(i)
        except BaseException as err:
            failed.append(err)
            raise

    try:
        if not _whole(path, shape):
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            with held(path.parent, wait=True):
                if not _whole(path, shape):
                    _pack(path, shape, made)
        return Packed(path, shape, make)
    except UserError as err:
        if err in failed:
            raise
        _warn_once(str(err))
        return None


def _whole(path: Path, shape: tuple[int, ...]) -> bool:
    return path.is_file() and path.stat().st_size == _size(shape)


def _size(shape: tuple[int, ...]) -> int:
    """Bytes of the rows and of their checksums, which come after them."""
    return math.prod(shape) + 4 * shape[0]


def _pack(path: Path, shape: tuple[int, ...], make: Callable[[int], np.ndarray]) -> None:
    with atomic_write(path) as aside, aside.open("wb") as file, ThreadPoolExecutor() as threads:
        if shutil.disk_usage(path.parent).free < _size(shape):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sums = []
        for start in range(0, shape[0], AT_ONCE):
            for row in threads.map(make, range(start, min(start + AT_ONCE, shape[0]))):
                file.write(row.data)
                sums.append(zlib.crc32(row.data))
        file.write(np.array(sums, "<u4").data)


_warned = False


def _warn_once(reason: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        text = f"data sets are generated anew each time, the cache cannot be written: {reason}"
        warnings.warn(text, NotKept, stacklevel=3)
