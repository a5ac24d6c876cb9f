"""The book: notebooks run by papermill, put beside the prose and rendered by Jupyter Book. `build` is the door.

A build has its own folder, `build/book/<profile>/`: `executed/` holds what papermill wrote, `src/` is prose,
executed notebooks and vendored files together, `_build/html/` is the book. So two profiles never mix, and
nothing in the work tree changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnbook import files, parameters, paths
from snnbook.book.execute import ExecutedPage, NotebookError, execute, execute_all
from snnbook.book.notebooks import Notebook, notebooks, select
from snnbook.book.render import render, vendor_mathjax
from snnbook.book.runs import code_of_runs, empty_unless, lacking, run_studies
from snnbook.book.toc import check_toc, table_of_contents
from snnbook.errors import UserError

__all__ = ["ExecutedPage", "Notebook", "NotebookError", "Summary", "build", "execute", "folder", "notebooks"]


@dataclass(frozen=True)
class Summary:
    """What a build did.

    html: the first page. ran, reused: numbers of trials. pages: the executed notebooks. verdicts: a line for every
    claim that was tested, and one that counts the others.
    """

    html: Path
    ran: int
    reused: int
    pages: tuple[ExecutedPage, ...]
    verdicts: tuple[str, ...] = ()


def folder(profile: str, fresh: bool = False) -> Path:
    """The folder of the builds of a profile; those that train everything anew have one of their own."""
    return paths.build() / ("fresh" if fresh else "book") / profile


def build(
    profile: str = "laptop",
    fresh: bool = False,
    only: Sequence[str] = (),
    seeds: Any = "",
    results: Any = "",
    jobs: Any = 2,
    options: Any = "",
    stored: bool = False,
) -> Summary:
    """Run what is missing, execute the notebooks, render the book, and say what happened.

    fresh: start from an empty results folder below `build/`, so that stored records are neither read nor overwritten;
    a fresh build that was cut off goes on where it stopped. only: names of notebooks; the others are not run, and have
    a page only if an earlier build left one. stored: train nothing; a notebook that reads a study without all its
    records has no page. The rest are the notebooks' parameters (see `snnbook.parameters`).
    Raises UserError, at once where another build of the profile is at work, or where `build/` cannot be written.
    """
    from snnbook.experiments.profiles import check_profile

    if fresh and results:
        raise UserError("a fresh build has its own folder of results; leave out one of the two")
    if fresh and stored:
        raise UserError("a fresh build trains everything; leave out --stored")
    given = parameters.as_text(
        {"profile": profile, "seeds": seeds, "results": results, "jobs": jobs, "options": options}
    )
    check_profile(given["profile"])
    every = notebooks()
    wanted = select(every, only)
    check_toc(table_of_contents(), every)
    work = folder(given["profile"], fresh)
    files.check_writable(work)
    with files.writing(paths.build()), files.held(work):
        unfinished = work / "unfinished"
        if fresh:
            given["results"] = str(work / "results")
            empty_unless(work / "results", unfinished, code_of_runs())
        if stored:
            wanted = _with_records(wanted, given, work / "executed")
        vendor_mathjax()
        runs = run_studies((name for notebook in wanted for name in notebook.reads), given)
        pages = execute_all(wanted, every, given, work / "executed")
        complete = all((work / "executed" / f"{notebook.name}.ipynb").is_file() for notebook in every)
        html = render(work, strict=complete)
        unfinished.unlink(missing_ok=True)
    summary = Summary(html, runs.ran, runs.reused, pages, _verdicts(runs.results))
    _report(summary)
    return summary


def _with_records(wanted: Sequence[Notebook], given: Mapping[str, Any], executed: Path) -> list[Notebook]:
    """The notebooks whose records are all there; the others are named, and their earlier pages removed."""
    without = lacking((name for notebook in wanted for name in notebook.reads), given)
    there = []
    for notebook in wanted:
        reasons = [name for name in notebook.reads if name in without]
        if not reasons:
            there.append(notebook)
            continue
        (executed / f"{notebook.name}.ipynb").unlink(missing_ok=True)
        print(f"no page for {notebook.name}: records are missing of {', '.join(reasons)}", flush=True)
    return there


def _verdicts(results: Mapping[str, Any]) -> tuple[str, ...]:
    """A line for every claim that these results say something of, with what was run, and one that counts the others."""
    from snnbook.report import claims, papers

    board = claims.verdicts(results)
    texts = papers.claim_texts(verdict.claim for verdict in board)
    tested = [verdict for verdict in board if verdict.outcome != claims.NOT_TESTABLE]
    width = max(map(len, claims.OUTCOMES))
    lines = [f"{v.outcome:<{width}} {v.claim}  {texts[v.claim]}. {v.basis}" for v in tested]
    return (*lines, f"{len(board) - len(tested)} of {len(board)} claims are not testable here")


def _report(summary: Summary) -> None:
    executed = sum(not page.kept for page in summary.pages)
    print(f"\ntrials: {summary.ran} run, {summary.reused} reused")
    print(f"pages:  {executed} executed, {len(summary.pages) - executed} kept")
    if summary.verdicts:
        print("\nverdicts:", *summary.verdicts, sep="\n  ")
    print(f"\nThe book is at {summary.html.as_uri()}", flush=True)
