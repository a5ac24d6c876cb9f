"""What a data set on disk holds, as one hash: a result must not pass for one on other data.

The hash covers the names and sizes of all files of the set and the beginnings of some of them, of a reader's own
folders those of all. It does not cover where the files lie or when they were written. Taking it is a walk through the
set's folders, once a process: about 5 µs a file where the folders are in memory, so 7 s for ImageNet's 1.3 million
files, and as long as `ls -lR` where they are not. Where all files are read, which takes about 20 µs a file more, the
hash is kept on disk until a file has another name, size or time of change.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from snnbook.datasets.cache import cached
from snnbook.errors import UserError

FILES_READ = 64  # spread evenly over the sorted names
BYTES_READ = 1 << 20  # of each of them


def content(name: str, root: Path, patterns: tuple[str, ...]) -> str:
    """Sixteen hexadecimal digits for the files in `root` that match any of the glob `patterns`.

    They are kept while the process lives: files that change in the meantime are not looked at again.
    Raises UserError where no file matches, and for a file that cannot be read.
    """
    return _content(name, str(root.resolve()), patterns)


def content_of(name: str, root: Path, files: tuple[str, ...]) -> str:
    """The same for the `files` of a set, relative to `root`, all of which are read.

    They are looked at each time, and read again if a name, a size or a time of change is another one.
    """
    folder = str(root.resolve())

    def stamped() -> bytes:
        total = hashlib.sha256(folder.encode())
        for file in files:
            stat = os.stat(os.path.join(folder, file))
            total.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        return total.digest()

    def made() -> dict[str, np.ndarray]:
        total = _read(name, lambda: _hash(folder, files, range(len(files))))
        return {"content": np.frombuffer(total, np.uint8)}

    return cached(f"contents/{_read(name, stamped).hex()[:16]}", made)["content"].tobytes().hex()[:16]


@cache
def _content(name: str, root: str, patterns: tuple[str, ...]) -> str:
    files = sorted({file for pattern in patterns for file in glob.iglob(pattern, root_dir=root)})
    if not files:
        raise UserError(f"{name} is not in {root}: expected {', '.join(patterns)}")
    some = np.unique(np.linspace(0, len(files) - 1, FILES_READ).round().astype(int))
    return _read(name, lambda: _hash(root, files, some)).hex()[:16]


def _read(name: str, hashed: Callable[[], bytes]) -> bytes:
    """What `hashed` returns; UserError, with the file, for one that it cannot read."""
    try:
        return hashed()
    except OSError as err:
        raise UserError(f"{name} cannot be read: {err.strerror}: {err.filename}") from err


def _hash(root: str, files: Sequence[str], read: Iterable[int]) -> bytes:
    """Over the names and sizes of all files and the beginnings of those that `read` numbers."""
    total = hashlib.sha256()
    for file in files:
        size = os.stat(os.path.join(root, file)).st_size
        total.update(f"{file.replace(os.sep, '/')}\0{size}\n".encode())
    for i in read:
        with open(os.path.join(root, files[i]), "rb") as opened:
            total.update(hashlib.sha256(opened.read(BYTES_READ)).digest())
    return total.digest()
