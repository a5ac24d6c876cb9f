"""What a notebook says about itself in its header, and the tables, figures and algorithms that it may reproduce.

Below `jupyter:` a notebook of the book has one line such as

    snnbook: {reproduces: [A.table4], reads: [A.ablation], minutes: 5}

`reproduces` names what of the papers the page makes again (`data/paper/artefacts.csv` lists all), `reads` the studies
whose records it shows, and `minutes` how long it takes to read. The word `claims` among `reads` stands for all studies
that the tests of claims read, `claims.A` for those of paper A's claims.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from snnbook import paths
from snnbook.errors import UserError, unknown

CLAIMS = "claims"
"""The word among `reads` for all studies that the tests of claims read."""
TITLES = {"table": "Table", "fig": "Fig.", "algorithm": "Algorithm"}
"""The kinds of artefacts, and how the book writes them."""


@dataclass(frozen=True)
class Artefact:
    """A table, figure or algorithm of a paper; `about` says in our words what it shows."""

    paper: str
    kind: str
    number: str
    about: str

    @property
    def name(self) -> str:
        """Its name in headers and on the command line, such as `A.table4` or `B.figA1`."""
        return f"{self.paper}.{self.kind}{self.number}"

    @property
    def title(self) -> str:
        """Its name in prose, such as `Table 4` or `Fig. A1`."""
        return f"{TITLES[self.kind]} {self.number}"


@dataclass(frozen=True)
class Header:
    """What one notebook says about itself; `name` is its path below `notebooks/` without the suffix."""

    name: str
    reproduces: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    minutes: float = 0


def artefacts() -> dict[str, Artefact]:
    """Name → table, figure or algorithm, for all of the four papers in the order of print.

    Raises UserError where the printed numbers are not at hand.
    """
    path = paths.data() / "paper" / "artefacts.csv"
    if not path.is_file():
        raise UserError(f"{path.name} is missing in {path.parent}")
    with path.open(encoding="utf-8", newline="") as lines:
        listed = [Artefact(**row) for row in csv.DictReader(lines)]
    return {artefact.name: artefact for artefact in listed}


def header(name: str, folder: Path | None = None) -> Header:
    """The header of the notebook `name` below `folder` (that of the repository).

    Raises UserError for an unknown notebook, a header that lacks a part, and an unknown artefact.
    """
    folder = folder or paths.notebooks()
    path = folder / f"{name}.py"
    if not path.is_file():
        raise unknown("notebook", name, _names(folder))
    return _read(name, path, artefacts())


def headers(folder: Path | None = None) -> dict[str, Header]:
    """Name → header of every notebook below `folder` (that of the repository), sorted by name.

    Raises UserError as `header` does, and for an artefact that two notebooks reproduce.
    """
    folder = folder or paths.notebooks()
    valid = artefacts()
    every = {name: _read(name, folder / f"{name}.py", valid) for name in _names(folder)}
    owner: dict[str, str] = {}
    for name, one in every.items():
        for artefact in one.reproduces:
            if artefact in owner:
                raise UserError(f"{name}: {artefact!r} is already reproduced by {owner[artefact]}")
            owner[artefact] = name
    return every


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise UserError(f"there are no notebooks in {folder}")
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.py"))


def _read(name: str, path: Path, valid: Mapping[str, Artefact]) -> Header:
    given = _metadata(path)
    form = "snnbook: {reproduces: [...], reads: [...], minutes: ...}"
    if not isinstance(given, Mapping) or set(given) != {"reproduces", "reads", "minutes"}:
        raise UserError(f"{name}: the header lacks a line `{form}` below `jupyter:`")
    reproduces, reads, minutes = given["reproduces"], given["reads"], given["minutes"]
    lists = all(isinstance(part, list) and all(isinstance(item, str) for item in part) for part in (reproduces, reads))
    if not lists or not isinstance(minutes, int | float) or minutes <= 0:
        raise UserError(f"{name}: the header must have the form `{form}`, with lists of names and a positive number")
    for artefact in reproduces:
        if artefact not in valid:
            raise UserError(f"{name}: {unknown('artefact to reproduce', artefact, valid)}")
    for part in (reproduces, reads):
        if len(part) != len(set(part)):
            raise UserError(f"{name}: a name stands twice in {part}")
    return Header(name, tuple(reproduces), tuple(reads), minutes)


def _metadata(path: Path) -> Any:
    """What stands below `jupyter: snnbook:` in the comment between the first two lines `# ---`."""
    head: list[str] = []
    with path.open(encoding="utf-8") as lines:
        if next(lines, "").rstrip() != "# ---":
            return None
        for line in lines:
            if line.rstrip() == "# ---":
                break
            head.append(line.removeprefix("#").removeprefix(" "))
    try:
        return yaml.safe_load("".join(head))["jupyter"]["snnbook"]
    except (yaml.YAMLError, KeyError, TypeError):
        return None


def owners() -> dict[str, str]:
    """Artefact → the page that makes it again, without those that have none. Raises UserError as `headers` does."""
    return {artefact: header.name for header in headers().values() for artefact in header.reproduces}
