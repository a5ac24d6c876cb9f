"""What a page depends on. A page is executed anew when its stamp has changed, and kept otherwise."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from snnbook import paths
from snnbook.book import imports
from snnbook.book.notebooks import Notebook
from snnbook.book.runs import Parameters, results_folder, study_of

if TYPE_CHECKING:
    from snnbook.experiments import Study

READ_BY_CALL: dict[str, Callable[[], Path]] = {
    "data": lambda: paths.data() / "paper",
    "bench": paths.bench,
    "compiled": paths.compiled,
    "tested": paths.tested,
}
"""The call of `snnbook.paths` that code finds its data with → the folder that pages with such code depend on."""
GIVES_RECORDS = {("snnbook.report.page", "snnbook.experiments")}
"""An import whose whole effect on a page is the records that it hands out, and these are in the stamp themselves."""
DECIDES_NOTHING = {"jobs"}
"""Parameters that change nothing on a page."""


class Inputs:
    """What pages with the same parameters depend on beside their text; studies, modules and folders are read once."""

    def __init__(self, parameters: Parameters):
        self.parameters = {key: value for key, value in parameters.items() if key not in DECIDES_NOTHING}
        self.of_study = cache(self._of_study)
        self.of_module = cache(_of_module)
        self.of_folder = cache(_of_folder)

    def study(self, name: str) -> Study:
        """A study as these pages ask for it."""
        return study_of(name, self.parameters)

    def _of_study(self, name: str) -> bytes:
        """Keys, trials and seeds of a study and the bytes of its records, which hold the checksums of their arrays."""
        study, folder, digest = self.study(name), results_folder(self.parameters), hashlib.sha256()
        for key, trial in study.trials.items():
            for seed in study.seeds:
                digest.update(f"{key}\0{trial.id}\0{seed}\0".encode())
                record = folder / trial.id / f"seed-{seed}.json"
                digest.update(record.read_bytes() if record.is_file() else b"missing")
        return digest.digest()

    def stamp(self, notebook: Notebook) -> str:
        """A hash of all that the page depends on.

        That is the notebook's text, its parameters, the modules that it imports (those that make records only if it
        runs trials itself), the records of the studies that it reads, the printed numbers and timings if these modules
        read them, and the versions of installed packages.
        """
        text = notebook.path.read_bytes()
        digest = hashlib.sha256(text + json.dumps(self.parameters, sort_keys=True, default=str).encode())
        digest.update(versions())
        code = imports.parsed(text.decode())
        modules = sorted(imports.closure(code, GIVES_RECORDS))
        for module in modules:
            digest.update(self.of_module(module))
        for name in notebook.reads:
            digest.update(name.encode() + self.of_study(name))
        trees = [code, *(imports.tree(imports.modules()[module]) for module in modules)]
        for call in sorted(set().union(*map(calls_of_paths, trees)) & set(READ_BY_CALL)):
            digest.update(call.encode() + self.of_folder(READ_BY_CALL[call]()))
        return digest.hexdigest()


@cache
def calls_of_paths(tree: ast.AST) -> frozenset[str]:
    """The functions of `snnbook.paths` that a piece of code uses."""
    return frozenset(
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "paths"
    )


def _of_module(name: str) -> bytes:
    """A hash of a module's name and text."""
    return hashlib.sha256(name.encode() + imports.modules()[name].read_bytes()).digest()


def _of_folder(folder: Path) -> bytes:
    """A hash of names and bytes of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.digest()


@cache
def versions() -> bytes:
    """Python and all installed packages with their versions."""
    installed = {f"{d.metadata['Name']}=={d.version}" for d in metadata.distributions()}
    return "\n".join([sys.version, *sorted(installed)]).encode()
