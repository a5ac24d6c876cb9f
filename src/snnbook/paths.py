"""Where things lie. This is the only module that knows folders; they are looked up when they are asked for.

The package works without a repository around it. What needs one (printed numbers, records, notebooks, the book)
raises a UserError there that says so.
"""

from __future__ import annotations

import os
from pathlib import Path

from snnbook.errors import UserError


def repository() -> Path:
    """The clone of the repository that the package is imported from.

    Raises UserError where the package was installed as a copy, outside a clone.
    """
    root = _clone()
    if root is None:
        raise UserError(f"the book (notebooks, prose, builds) is part of the repository of snnbook; {_REMEDY}")
    return root


def data() -> Path:
    """The folder of printed numbers, records and timings: `SNNBOOK_DATA` if it is set, else `data/` of the repository.

    Raises UserError where there is neither, or where it lacks the printed numbers (`paper/`).
    """
    named = os.environ.get("SNNBOOK_DATA")
    if named:
        folder = Path(named).expanduser().resolve()
        if not (folder / "paper").is_dir():
            raise UserError(f"SNNBOOK_DATA is {named!r}, but there is no folder 'paper' with the printed numbers")
        return folder
    root = _clone()
    if root is None:
        raise UserError(
            f"the folder data/ (printed numbers, records, timings) is part of the repository of snnbook; {_REMEDY}, "
            "or set SNNBOOK_DATA to such a folder"
        )
    return root / "data"


def results(profile: str, folder: str = "") -> Path:
    """The folder of records: `folder` if one is named, else that of the profile.

    Smoke runs are thrown away, so theirs lies below `build/`. Raises UserError where there is no such folder.
    """
    if folder:
        return Path(folder).expanduser()
    return build() / "smoke-results" if profile == "smoke" else data() / "results"


def bench(quick: bool = False) -> Path:
    """The folder of timings; quick ones are thrown away, so theirs lies below `build/`."""
    return build() / "bench" if quick else data() / "bench"


def compiled() -> Path:
    """The folder of the compiled networks that `snnbook bench trained` times."""
    return data() / "compiled"


def notebooks() -> Path:
    """The folder of the notebooks, as text."""
    return repository() / "notebooks"


def book() -> Path:
    """The folder of the book's prose and its table of contents."""
    return repository() / "book"


def build() -> Path:
    """The folder of all that can be made again: executed pages, the rendered book, smoke runs."""
    return repository() / "build"


_REMEDY = "clone it and install with 'pip install -e .'"


def _clone() -> Path | None:
    root = Path(__file__).resolve().parents[2]
    return root if (root / "data" / "paper").is_dir() and (root / "notebooks").is_dir() else None
