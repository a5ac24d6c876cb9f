"""The records on disk: one JSON file a trial and seed, plus one .npz for its arrays, under `<store>/<trial id>/`.

A record appears whole or not at all: both files are written aside and flushed, then renamed, the arrays first. The JSON
begins with the SHA-256 of all its bytes behind that line, and holds size and SHA-256 of the arrays' file. So metrics
are read and checked without the arrays, and a page never shows a truncated or hand-edited record.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnbook.errors import DamagedRecord, UserError, unknown
from snnbook.experiments.record import Record
from snnbook.files import atomic_write

if TYPE_CHECKING:
    import torch

FORMAT = 2
_HEAD, _FOOT = b'{\n "checksum": "', b'",\n'
_START = len(_HEAD) + 64 + len(_FOOT)  # of the bytes that the checksum covers


class _Damage(Exception):
    """A file of a record is not what was written; the text says why."""


class StoredCurves(Mapping[str, np.ndarray]):
    """The arrays of a stored record by name. The file is read and checked once, when an array or a name is asked for.

    Every access unpacks the array anew, so that changing it in place changes nothing here. Raises UserError if the file
    cannot be read, or is not the one that was written: then the record is set aside.
    """

    def __init__(self, path: Path, size: int, checksum: str, damaged: Callable[[str], None]):
        self.path, self.size, self.checksum, self._damaged = path, size, checksum, damaged

    @cached_property
    def content(self) -> bytes:
        """The bytes of the file."""
        try:
            content = _read(self.path)
        except FileNotFoundError:
            content = b""
        if hashlib.sha256(content).hexdigest() != self.checksum:
            why = "does not match its checksum" if content else "is gone or empty"
            self._damaged(f"the file of its arrays {why}")
            raise UserError(f"{self.path} {why}; run the trial again")
        return content

    @cached_property
    def _arrays(self) -> Any:
        return np.load(BytesIO(self.content), allow_pickle=False)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays.files)

    def __len__(self) -> int:
        return len(self._arrays.files)


def packed(record: Record) -> tuple[bytes, bytes]:
    """The two files of a record, JSON and arrays; the latter is empty without curves, and as it was for stored ones."""
    curves, arrays = record.curves, b""
    if isinstance(curves, StoredCurves):
        arrays = curves.content
    elif curves:
        buffer = BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **curves)
        arrays = buffer.getvalue()
    about = {"bytes": len(arrays), "sha256": hashlib.sha256(arrays).hexdigest()} if arrays else None
    body = record.body() | {"arrays": about, "format": FORMAT}
    rest = json.dumps(body, indent=1, sort_keys=True).encode()[2:] + b"\n"  # without "{\n", which the head has
    return _HEAD + hashlib.sha256(rest).hexdigest().encode() + _FOOT + rest, arrays


def _read(path: Path) -> bytes:
    """The bytes of a file. Raises FileNotFoundError if there is none, UserError if it cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as err:
        raise FileNotFoundError(path) from err
    except OSError as err:
        raise UserError(f"cannot read {path}: {err.strerror or err}") from err


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


class Store:
    """The records under a folder, which need not exist yet."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def file(self, id: str, seed: int) -> Path:
        """Where the record of a trial and seed is, or would be."""
        return self.path / id / f"seed-{seed}.json"

    def has(self, id: str, seed: int) -> bool:
        """Whether `get` would return a record; its arrays are there in their size, and are not read.

        Raises UserError as `get` does.
        """
        return self.get(id, seed) is not None

    def get(self, id: str, seed: int) -> Record | None:
        """The record, or None if there is none; its curves are read when they are asked for.

        A truncated or changed record is set aside with a DamagedRecord warning and is None, one by an older snnbook is
        None with that warning. Raises UserError for a file that cannot be read, that a newer snnbook wrote, that has a
        metric which this one does not know, or that is the record of another trial or seed.
        """
        path = self.file(id, seed)
        try:
            content = self._content(path)
            return None if content is None else self._record(path, id, seed, content)
        except FileNotFoundError:
            return None
        except _Damage as err:
            _set_aside(path, str(err))
            return None

    def _content(self, path: Path) -> dict[str, Any] | None:
        data = _read(path)
        try:
            content = json.loads(data)
            format = content["format"]
        except (ValueError, KeyError, TypeError, RecursionError) as err:
            raise _Damage("it is truncated or not a record") from err
        if not isinstance(format, int):
            raise _Damage("it is not a record")
        if format > FORMAT:
            raise UserError(f"{path} was written by a newer snnbook; this one reads format {FORMAT}")
        if format < FORMAT:
            warnings.warn(f"{path} was written by an older snnbook: run it again", DamagedRecord, stacklevel=4)
            return None
        if data[:_START] != _HEAD + hashlib.sha256(data[_START:]).hexdigest().encode() + _FOOT:
            raise _Damage("it does not match its checksum, so it was changed after it was written")
        return content

    def _record(self, path: Path, id: str, seed: int, content: dict[str, Any]) -> Record:
        if (content["id"], content["seed"]) != (id, seed):
            raise UserError(f"{path} is the record of {content['id']}, seed {content['seed']}: move it back")
        about = content.pop("arrays")
        curves: Mapping[str, np.ndarray] = {}
        if about is not None:
            arrays = path.with_suffix(".npz")
            try:
                size = os.stat(arrays).st_size
            except FileNotFoundError:
                raise _Damage("the file of its arrays is not there") from None
            except OSError as err:
                raise UserError(f"cannot read {arrays}: {err.strerror or err}") from err
            if size != about["bytes"]:
                raise _Damage(f"the file of its arrays has {size} bytes, not {about['bytes']}")
            curves = StoredCurves(arrays, size, about["sha256"], lambda why: _set_aside(path, why))
        del content["format"], content["checksum"]
        try:
            return Record(**content, curves=curves)
        except UserError as err:
            raise UserError(f"{path}: {err}") from err

    def put(self, record: Record) -> None:
        """Write a record. Raises UserError if that fails; the record that was there before is then untouched.

        Curves that were read from a store keep the bytes of their file.
        """
        text, arrays = packed(record)
        path = self.file(record.id, record.seed)
        with atomic_write(path) as aside:
            _write(aside, text)
            if arrays:
                with atomic_write(path.with_suffix(".npz")) as arrays_aside:
                    _write(arrays_aside, arrays)
        _flush_folder(path.parent)

    def records(self) -> list[Record]:
        """All records, ordered by id and seed, without the damaged ones. Raises UserError as `get` does."""
        return [r for id, seed in self.stored() if (r := self.get(id, seed)) is not None]

    def stored(self) -> Iterator[tuple[str, int]]:
        """Trial id and seed of every record file, in order, unread. Raises UserError for an unreadable folder."""
        for id in self._ids():
            for seed in self._seeds(id):
                yield id, seed

    def _ids(self) -> list[str]:
        """The folders that may hold records, in order."""
        return sorted(e.name for e in _entries(self.path) if e.name[0] != "." and e.is_dir())

    def _seeds(self, id: str) -> list[int]:
        """The seeds of the record files in a folder, in order."""
        names = (e.name for e in _entries(self.path / id) if e.name.startswith("seed-") and e.name.endswith(".json"))
        return sorted(int(seed) for name in names if (seed := name[5:-5]).isascii() and seed.isdecimal())

    def find(self, id: str) -> list[Record]:
        """The records of a trial, given its id, its start or its hash. Raises UserError if none or several match."""
        ids = self._ids()
        hits = [id] if id in ids else [i for i in ids if i.startswith(id) or i.rsplit("-", 1)[-1] == id]
        hits = [i for i in hits if self._seeds(i)]
        if not hits:
            raise unknown("trial", id, ids or ["none: the store is empty"])
        if len(hits) > 1:
            raise UserError(f"{id!r} fits several trials: {', '.join(hits)}")
        return [r for seed in self._seeds(hits[0]) if (r := self.get(hits[0], seed)) is not None]

    def unfinished(self, id: str, seed: int) -> Path:
        """Where a trial that takes long keeps its state while it runs."""
        return self.path / ".checkpoints" / f"{id}-seed-{seed}.unfinished"

    # Weights that trials start from are kept beside the records but not in git: too large, and they can be re-run.

    def _checkpoint(self, id: str, seed: int) -> Path:
        return self.path / ".checkpoints" / f"{id}-seed-{seed}.safetensors"

    def save_weights(self, id: str, seed: int, state: dict[str, torch.Tensor]) -> None:
        """Keep the trained network of a trial; a folder that cannot be written is no error, only a re-run later."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        with contextlib.suppress(UserError, SafetensorError), atomic_write(self._checkpoint(id, seed)) as aside:
            save_file({k: v.contiguous() for k, v in state.items()}, aside)

    def load_weights(self, id: str, seed: int) -> dict[str, torch.Tensor] | None:
        """The trained network of a trial; None if it is not there or, with a DamagedRecord warning, does not load."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self._checkpoint(id, seed)
        try:
            return load_file(path) if path.exists() else None
        except (OSError, SafetensorError) as err:
            warnings.warn(f"{path.name} is not used: {err}", DamagedRecord, stacklevel=2)
            return None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as err:
        raise UserError(f"cannot read {folder}: {err.strerror or err}") from err


def _set_aside(path: Path, why: str) -> None:
    aside = path.with_suffix(".damaged")
    try:
        os.replace(path, aside)
        what = f"set aside as {aside.name}"
    except OSError as err:
        what = f"it cannot be set aside: {err.strerror or err}"
    warnings.warn(f"{path} is not used: {why}; {what}", DamagedRecord, stacklevel=3)


def _flush_folder(path: Path) -> None:
    """Make renames in a folder last through a power failure, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
