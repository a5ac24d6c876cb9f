"""The notebooks of the book: text files below `notebooks/` whose headers say what they reproduce and read."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnbook import paths
from snnbook.book.imports import parsed
from snnbook.errors import UserError, unknown
from snnbook.headers import CLAIMS, headers


@dataclass(frozen=True)
class Notebook:
    """One notebook as text.

    name: its path below `notebooks/` without the suffix. reproduces: names of artefacts. reads: names of studies.
    """

    name: str
    path: Path
    reproduces: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


def notebooks(folder: Path | None = None) -> list[Notebook]:
    """The notebooks below `folder` (that of the repository), sorted by name.

    Raises UserError for a header that is wrong (see `snnbook.headers`) and for an unknown study among `reads`.
    """
    from snnbook.experiments import studies
    from snnbook.report.claims import studies_named

    folder = folder or paths.notebooks()
    listed: list[Notebook] = []
    for name, header in headers(folder).items():
        reads = studies_named(header.reads)
        for item in reads:
            if item not in studies.names():
                raise UserError(f"{name}: {unknown('study to read', item, [*studies.names(), CLAIMS])}")
        listed.append(Notebook(name, folder / f"{name}.py", header.reproduces, tuple(dict.fromkeys(reads))))
    return listed


def select(every: Sequence[Notebook], names: Sequence[str]) -> list[Notebook]:
    """The notebooks with these names, which may be paths; all for no name. Raises UserError for an unknown one."""
    by_name = {notebook.name: notebook for notebook in every}
    wanted = [name.removesuffix(".py").removeprefix("notebooks/") for name in names]
    for name in wanted:
        if name not in by_name:
            raise unknown("notebook", name, by_name)
    return [by_name[name] for name in dict.fromkeys(wanted)] or list(every)


def defaults_of(nb: Any) -> dict[str, Any]:
    """Name → default of what the cell tagged `parameters` assigns; empty without such a cell.

    Papermill's own inspection gives up on comments with quotes, and only warns about unknown names.
    """
    cells = [cell for cell in nb.cells if "parameters" in cell.metadata.get("tags", [])]
    assigned = [node for cell in cells for node in parsed(cell.source).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in assigned}
