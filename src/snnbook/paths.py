"""Where things lie. This is the only module that knows folders; they are looked up when they are asked for.

The package works without a repository around it. What needs one (printed numbers, records, notebooks, the book)
raises a UserError there that says so.

Three variables of the environment move folders: `SNNBOOK_DATA` (`data/`), `SNNBOOK_BUILD` (`build/`) and
`SNNBOOK_CACHE` (the user's cache). So all commands work from a clone that cannot be written.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import platformdirs

from snnbook.errors import UserError

MOVE_CACHE = "set SNNBOOK_CACHE to a folder that can be written"
"""What to do where nothing can be kept in the cache, or where there is none."""


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
        folder = absolute(named)
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

    A relative name is taken from the working folder. Smoke runs are thrown away, so theirs lies below `build/`.
    Raises UserError for the name of a file, and without a name outside a clone.
    """
    if folder:
        named = absolute(folder)
        if named.is_file():
            raise UserError(f"records are kept in a folder, and {named} is a file")
        return named
    return build() / "smoke-results" if profile == "smoke" else data() / "results"


def bench(quick: bool = False) -> Path:
    """The folder of timings; quick ones are thrown away, so theirs lies below `build/`."""
    return build() / "bench" if quick else data() / "bench"


def compiled() -> Path:
    """The folder of the compiled networks that `snnbook bench trained` times."""
    return data() / "compiled"


def tested() -> Path:
    """The folder of what the tests say: what is supported, and which definitions differ from other libraries'."""
    return data() / "tested"


def notebooks() -> Path:
    """The folder of the notebooks, as text."""
    return repository() / "notebooks"


def book() -> Path:
    """The folder of the book's prose and its table of contents."""
    return repository() / "book"


def build() -> Path:
    """The folder of all that can be made again (executed pages, the rendered book, smoke runs).

    It is `SNNBOOK_BUILD` if that is set, else `build/` of the repository.
    """
    named = os.environ.get("SNNBOOK_BUILD")
    return absolute(named) if named else repository() / "build"


def cache() -> Path | None:
    """The folder of data sets that were generated or unpacked: `SNNBOOK_CACHE` if it is set, else the user's cache.

    None for a user without a home folder.
    """
    named = os.environ.get("SNNBOOK_CACHE")
    if named:
        return absolute(named)
    try:
        folder = Path(platformdirs.user_cache_dir("snnbook", appauthor=False))
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # some versions hand back "~" where there is no home


def absolute(name: str | Path) -> Path:
    """The folder or file of a name that a user typed: `~` is the home folder, a relative name is one here.

    Raises UserError for a name that the system cannot follow, such as the home of an unknown user.
    """
    try:
        return Path(name).expanduser().resolve()
    except (RuntimeError, ValueError, OSError) as err:
        raise UserError(f"{str(name)!r} is no name of a folder or file here: {err}") from err


def from_repository(name: str) -> str:
    """The name of a folder as it is typed in the repository, where notebooks run: relative to it if it lies below."""
    root = _clone()
    return Path(name).relative_to(root).as_posix() if name and root and Path(name).is_relative_to(root) else name


def elsewhere(path: Path) -> str:
    """What to do where `path` cannot be written: the option or variable that moves the folder that it lies in."""
    folders = (
        (lambda: results("smoke"), "name another folder with --results, or set SNNBOOK_BUILD to one"),
        (build, "set SNNBOOK_BUILD to a folder that can be written"),
        (lambda: data() / "results", "name another folder with --results"),
        (bench, "name another folder with --output"),
        (compiled, "set SNNBOOK_DATA to a copy of data/ that can be written"),
        (cache, MOVE_CACHE),
    )
    for folder, remedy in folders:
        with contextlib.suppress(UserError):
            if (moved := folder()) is not None and path.absolute().is_relative_to(moved):
                return remedy
    return "name another place"


_REMEDY = "clone it and install with 'pip install -e .'"


def _clone() -> Path | None:
    root = Path(__file__).resolve().parents[2]
    return root if (root / "data" / "paper").is_dir() and (root / "notebooks").is_dir() else None
