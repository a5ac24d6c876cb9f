"""Arrays on disk that can be made again at any time: written whole or not at all, checked on reading."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from snnbook import paths
from snnbook.errors import NotKept, UserError
from snnbook.files import atomic_write

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


_warned = False


def _warn_once(reason: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        text = f"data sets are generated anew each time, the cache cannot be written: {reason}"
        warnings.warn(text, NotKept, stacklevel=3)
