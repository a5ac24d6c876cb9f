"""The table of contents, and the one page that a build writes itself."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from snnbook import paths
from snnbook.book.execute import about
from snnbook.book.notebooks import Notebook
from snnbook.errors import UserError
from snnbook.headers import artefacts, owners

STATUS = "reference/status"
"""The page that a build writes itself: what was executed, when, how long it took, and what of the papers has a page."""


def table_of_contents(book: Path | None = None) -> Any:
    """The content of `_toc.yml` in the book's folder."""
    return yaml.safe_load(((book or paths.book()) / "_toc.yml").read_text(encoding="utf-8"))


def toc_files(toc: Any) -> Iterator[str]:
    """The pages that a table of contents names, in reading order."""
    if isinstance(toc, list):
        for entry in toc:
            yield from toc_files(entry)
    elif isinstance(toc, dict):
        yield from (toc[key] for key in ("root", "file") if key in toc)
        for key in ("parts", "chapters", "sections"):
            yield from toc_files(toc.get(key, []))


def check_toc(toc: Any, pages: Iterable[Notebook], book: Path | None = None) -> None:
    """Raises UserError unless every notebook and prose page is in the table once, and nothing else is."""
    book = book or paths.book()
    listed = list(toc_files(toc))
    prose = {p.relative_to(book).with_suffix("").as_posix() for p in book.rglob("*.md") if "executed" not in p.parts}
    there = {f"executed/{page.name}" for page in pages} | {p for p in prose if not p.startswith("_")} | {STATUS}
    twice = {name for name in listed if listed.count(name) > 1}
    faults = [
        f"{what}: {', '.join(sorted(names))}"
        for what, names in (
            ("listed twice", twice),
            ("listed, but there is no such page", set(listed) - there),
            ("not listed", there - set(listed)),
        )
        if names
    ]
    if faults:
        raise UserError("book/_toc.yml: " + "; ".join(faults))


def present(toc: Any, files: Container[str]) -> Any:
    """The table of contents without the pages that are not among `files`; the first page that is becomes the root."""

    def there(entries: list[Any]) -> list[Any]:
        kept = [e for e in entries if any(f"{e['file']}{end}" in files for end in (".ipynb", ".md"))]
        return [{**e, "sections": there(e["sections"])} if "sections" in e else e for e in kept]

    first, *_ = there([{"file": name} for name in toc_files(toc)])
    parts = [
        {**part, "chapters": [e for e in there(part["chapters"]) if e["file"] != first["file"]]}
        for part in toc["parts"]
    ]
    return {**toc, "root": first["file"], "parts": [part for part in parts if part["chapters"]]}


def status_page(executed: Path) -> str:
    """The status page as Markdown, from the executed notebooks below a folder and the headers of all."""
    rows = []
    for path in sorted(executed.rglob("*.ipynb")):
        page = about(path)
        if page is None or "snnbook" not in page:
            continue
        run, own = page["papermill"], page["snnbook"]
        name = path.relative_to(executed).with_suffix("").as_posix()
        reproduces, reads = (", ".join(own[key]) or "–" for key in ("reproduces", "reads"))
        when = run["start_time"][:16].replace("T", " ")
        profile = own["parameters"].get("profile", "")
        rows.append(f"| [](../executed/{name}) | {reproduces} | {reads} | {profile} | {when} | {run['duration']:.1f} |")
    owner, listed = owners(), []
    for artefact in artefacts().values():
        name = owner.get(artefact.name, "")
        there = (executed / f"{name}.ipynb").is_file()
        page_link = f"[](../executed/{name})" if there else name or "*not yet*"
        listed.append(f"| {artefact.paper} | {artefact.title} | {artefact.about} | {page_link} |")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("snnbook", "torch", "numpy", "papermill"))
    return "\n".join(
        [
            "# Status",
            "",
            "## Pages",
            "",
            "Every notebook of this copy of the book, the studies whose records it reads, when it was executed, and",
            "how long that took. Training is not in these times: notebooks read records. A notebook that fails stops",
            "the build.",
            "",
            "| page | reproduces | reads | profile | executed (UTC) | seconds |",
            "|---|---|---|---|---|---:|",
            *rows,
            "",
            f"Python {sys.version.split()[0]}, {versions}; one thread for each notebook.",
            "",
            "## Tables, figures and algorithms",
            "",
            "All that the four papers show, and the page that makes it again.",
            "",
            "| paper | item | what it shows | page |",
            "|---|---|---|---|",
            *listed,
            "",
        ]
    )
