"""The records that pages read: what is missing is run before any page is executed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnbook import parameters as p
from snnbook import paths
from snnbook.book import imports
from snnbook.files import atomic_write, held

if TYPE_CHECKING:
    from snnbook.experiments import Results, Study

Parameters = Mapping[str, Any]
"""What every notebook of the book takes (see `snnbook.parameters`)."""


@dataclass(frozen=True)
class Runs:
    """The results of studies by name, and how many trials were run and reused for them."""

    results: dict[str, Results]
    ran: int
    reused: int


def results_folder(parameters: Parameters) -> Path:
    """The folder of records that a notebook with these parameters reads."""
    return paths.results(p.profile(parameters.get("profile")), p.results(parameters.get("results")))


def study_of(name: str, parameters: Parameters) -> Study:
    """A study as a notebook with these parameters asks for it."""
    from snnbook.experiments import open_store
    from snnbook.experiments.results import study_for_page

    profile = parameters.get("profile")
    store = open_store(profile, parameters.get("results"))
    return study_for_page(name, profile, parameters.get("seeds"), parameters.get("options"), store)


def run_studies(names: Iterable[str], parameters: Parameters) -> Runs:
    """Run all missing trials of these studies in one queue, and read their records.

    Smoke records are thrown away first when the code that makes them has changed: they are there to see that it runs.
    """
    from snnbook.experiments import open_store, results_of

    store = open_store(parameters["profile"], parameters["results"])
    if parameters["profile"] == "smoke" and not parameters["results"]:
        empty_unless(store.path, store.path / ".code", code_of_runs())
    given = (parameters[key] for key in ("profile", "seeds", "options", "jobs"))
    results = results_of(names, store, *given)
    return Runs(results, sum(r.ran for r in results.values()), sum(r.reused for r in results.values()))


def lacking(names: Iterable[str], parameters: Parameters) -> list[str]:
    """Those of these studies that lack a record, or the records by which their settings are chosen.

    Raises UserError for parameters that do not parse, and for an unknown study or option.
    """
    from snnbook.experiments import open_store
    from snnbook.experiments.results import asked
    from snnbook.experiments.studies import run_before

    profile, store = parameters["profile"], open_store(parameters["profile"], parameters["results"])
    asked(parameters["seeds"], parameters["options"])

    def complete(study: Study) -> bool:
        return all(store.has(trial.id, seed) for trial, seed in study.jobs)

    def whole(name: str) -> bool:  # `all` asks for no study before those that it is chosen by are complete
        return all(map(complete, run_before([name], profile, store))) and complete(study_of(name, parameters))

    return [name for name in dict.fromkeys(names) if not whole(name)]


def code_of_runs() -> str:
    """A hash of the code that decides what a run of a trial gives."""
    code = hashlib.sha256()
    for module in sorted(imports.closure_of("snnbook.experiments")):
        code.update(module.encode() + imports.modules()[module].read_bytes())
    return code.hexdigest()


def empty_unless(folder: Path, marker: Path, content: str) -> None:
    """Empty a folder unless `marker`, a file, has this content; afterwards the folder is there and the file has it.

    Raises UserError where trials that another process runs write to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if marker.exists() and marker.read_text(encoding="utf-8") == content:
        return
    with held(folder):
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        with atomic_write(marker) as aside:
            aside.write_text(content, encoding="utf-8")
