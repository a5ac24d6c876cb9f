"""The record of a trial and seed on disk: one JSON file, plus one .npz for arrays, both under `<store>/<trial id>/`.

A record appears whole or not at all (written aside, flushed, renamed) and carries a checksum, so that a page never
shows a truncated or hand-edited one. What does not pass is set aside under another name and reported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from snnbook.errors import DamagedRecord, UserError, unknown
from snnbook.files import whole

FORMAT = 1


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=True).encode()


@dataclass
class Record:
    """What one run of a trial with one seed left behind.

    trial: the canonical configuration. metrics: one number or None each. layers: one dict per layer in order of
    execution. curves: arrays by name. environment: versions, device, threads, wall time. See `book/reference` for the
    names and units.
    """

    id: str
    seed: int
    trial: dict[str, Any]
    metrics: dict[str, Any]
    layers: list[dict[str, Any]] = field(default_factory=list)
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    checksum: str = ""

    @property
    def profile(self) -> str:
        return self.environment.get("profile", "")

    @property
    def digest(self) -> str:
        """Hash of everything that a re-run on the same machine must reproduce, bit for bit."""
        h = hashlib.sha256(_canonical([self.id, self.seed, self.trial, self.metrics, self.layers]))
        for name in sorted(self.curves):
            a = self.curves[name]
            h.update(f"{name} {a.dtype.str} {a.shape}".encode() + np.ascontiguousarray(a).tobytes())
        return h.hexdigest()

    def body(self) -> dict[str, Any]:
        """The JSON part, without the checksum."""
        keys = ("id", "seed", "trial", "metrics", "layers", "environment")
        return {"format": FORMAT, **{k: getattr(self, k) for k in keys}}


class Store:
    """The records under a folder, which need not exist yet."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def file(self, id: str, seed: int) -> Path:
        """Where the record of a trial and seed is, or would be."""
        return self.path / id / f"seed-{seed}.json"

    def has(self, id: str, seed: int) -> bool:
        """Whether a sound record is there."""
        return self.get(id, seed) is not None

    def get(self, id: str, seed: int) -> Record | None:
        """The record, or None if there is none; a damaged one is set aside with a DamagedRecord warning."""
        path = self.file(id, seed)
        if not path.exists():
            return None
        try:
            return self._read(path)
        except (ValueError, KeyError, TypeError, OSError) as err:
            aside = path.with_suffix(".damaged")
            with contextlib.suppress(OSError):
                path.rename(aside)
            warnings.warn(f"{path} is not used: {err}; set aside as {aside.name}", DamagedRecord, stacklevel=2)
            return None

    def _read(self, path: Path) -> Record:
        try:
            content = json.loads(path.read_text())
            checksum = content.pop("checksum")
        except (json.JSONDecodeError, KeyError, AttributeError, UnicodeDecodeError) as err:
            raise ValueError("it is truncated or not a record") from err
        if content.get("format", 0) > FORMAT:
            raise ValueError("it was written by a newer snnbook")
        arrays = path.with_suffix(".npz")
        data = arrays.read_bytes() if arrays.exists() else b""
        if hashlib.sha256(_canonical(content) + data).hexdigest() != checksum:
            raise ValueError("it does not match its checksum, so it was changed after it was written")
        with np.load(BytesIO(data)) if data else contextlib.nullcontext({}) as npz:
            curves = {name: npz[name] for name in npz}
        content.pop("format")
        return Record(**content, curves=curves, checksum=checksum)

    def put(self, record: Record) -> None:
        """Write a record atomically. Raises UserError if the folder cannot be written; nothing is left half-done."""
        buffer = BytesIO()
        if record.curves:
            np.savez_compressed(buffer, allow_pickle=False, **record.curves)
        record.checksum = hashlib.sha256(_canonical(record.body()) + buffer.getvalue()).hexdigest()
        path = self.file(record.id, record.seed)
        text = json.dumps(record.body() | {"checksum": record.checksum}, indent=1, sort_keys=True) + "\n"
        if record.curves:
            self._write(path.with_suffix(".npz"), buffer.getvalue())
        self._write(path, text.encode())

    def _write(self, path: Path, data: bytes) -> None:
        try:
            with whole(path) as aside, aside.open("wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
        except OSError as err:
            raise UserError(f"cannot write {path}: {err.strerror or err}; the records there are untouched") from err

    def check_writable(self) -> None:
        """Raise UserError now rather than after an hour of training."""
        probe = self.path / ".probe"
        self._write(probe, b"")
        with contextlib.suppress(OSError):
            probe.unlink()

    def records(self) -> list[Record]:
        """All sound records, ordered by id and seed."""
        return [r for id, seed in self.stored() if (r := self.get(id, seed)) is not None]

    def stored(self) -> Iterator[tuple[str, int]]:
        """Trial id and seed of every record file."""
        found = [p for p in self.path.glob("*/seed-*.json") if p.stem.removeprefix("seed-").isdecimal()]
        yield from sorted((p.parent.name, int(p.stem.removeprefix("seed-"))) for p in found)

    def find(self, id: str) -> list[Record]:
        """The records of a trial, given its id or the start of it. Raises UserError if none or several match."""
        ids = sorted({i for i, _ in self.stored()})
        hits = [id] if id in ids else [i for i in ids if i.startswith(id) or i.rsplit("-", 1)[-1] == id]
        if not hits:
            raise unknown("trial", id, ids or ["none: the store is empty"])
        if len(hits) > 1:
            raise UserError(f"{id!r} fits several trials: {', '.join(hits)}")
        return [r for i, seed in self.stored() if i == hits[0] and (r := self.get(i, seed)) is not None]

    def unfinished(self, id: str, seed: int) -> Path:
        """Where a trial that takes long keeps its state while it runs."""
        return self.path / ".checkpoints" / f"{id}-seed-{seed}.unfinished"

    # Weights that trials start from are kept beside the records but not in git: too large, and they can be re-run.

    def _checkpoint(self, id: str, seed: int) -> Path:
        return self.path / ".checkpoints" / f"{id}-seed-{seed}.safetensors"

    def save_weights(self, id: str, seed: int, state: dict[str, torch.Tensor]) -> None:
        """Keep the trained network of a trial; a folder that cannot be written is no error, only a re-run later."""
        with contextlib.suppress(OSError, SafetensorError), whole(self._checkpoint(id, seed)) as aside:
            save_file({k: v.contiguous() for k, v in state.items()}, aside)

    def load_weights(self, id: str, seed: int) -> dict[str, torch.Tensor] | None:
        """The trained network of a trial, or None if it is not there or does not load."""
        path = self._checkpoint(id, seed)
        try:
            return load_file(path) if path.exists() else None
        except (OSError, SafetensorError) as err:
            warnings.warn(f"{path.name} is not used: {err}", DamagedRecord, stacklevel=2)
            return None
