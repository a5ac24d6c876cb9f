"""A page of the book: what it is about at its head, what it reads, its verdicts, and how it was made at its foot."""

from __future__ import annotations

import platform
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from snnbook import headers, paths
from snnbook.errors import UserError, unknown
from snnbook.parameters import DEFAULTS, as_text
from snnbook.report import claims, papers, tables
from snnbook.report.blocks import Fragment, counted, definitions, details, escape, required
from snnbook.report.claims import Verdict
from snnbook.report.records import RecordLike, ResultsLike, profiles, scale_note, unique
from snnbook.report.tables import Table, duration

if TYPE_CHECKING:
    from snnbook.experiments.results import Results

PACKAGES = ("snnbook", "torch", "numpy", "scipy", "tonic")
ENVIRONMENT = {
    "machine": "Machine",
    "processor": "Instruction set",
    "device": "Device",
    "threads": "Threads",
    "native": "Compiled kernels",
    "commit": "Commit",
    "data": "Data fingerprints",
}
STYLE = "border:1px solid var(--pst-color-border,currentColor);border-radius:.25rem;padding:.5rem 1rem;margin:1em 0"


class Page:
    """One page: `page = Page("stp/table2", globals())` in the notebook of that name.

    It takes the five parameters that papermill sets (see `snnbook.parameters`), and from the notebook's header what
    the page reproduces, reads and how long it takes. What it shows of records goes through `results`, so that the box
    at its foot names all of it.
    Raises UserError for a notebook that is not there and for a parameter that is missing or not of its kind.
    """

    def __init__(self, name: str, parameters: Mapping[str, Any]):
        self.header = headers.header(name)
        for parameter in DEFAULTS:
            if parameter not in parameters:
                raise UserError(f"{name}: the parameter {parameter} is not set")
        self.parameters = as_text(parameters)
        self._results: dict[str, Results] = {}

    @property
    def reads(self) -> list[str]:
        """The studies whose records the page reads, by its header."""
        return claims.studies_named(self.header.reads)

    def opening(self, about: str = "", paper: str = "") -> Fragment:
        """At a glance: the paper, what of it the page reproduces, and how many minutes it takes.

        about, paper: for a page that reproduces no table, figure or algorithm, what it is about and the letter of the
        paper. Raises UserError where neither the header nor the arguments say it.
        """
        artefacts = [headers.artefacts()[name] for name in self.header.reproduces]
        what = about or "; ".join(f"{artefact.title}, {artefact.about}" for artefact in artefacts)
        letter = paper or (artefacts[0].paper if artefacts else "")
        return opening(letter, what, self.header.minutes)

    def results(self, study: str) -> Results:
        """The records of a study, read once. Raises UserError for one that is not among the header's `reads`."""
        if study not in self.reads:
            raise unknown(f"study among the `reads` of {self.header.name}", study, self.reads or ["none"])
        if study not in self._results:
            from snnbook import experiments  # imports torch

            self._results[study] = experiments.results(study, **self.parameters)
        return self._results[study]

    def board(self, paper: str | None = None) -> list[Verdict]:
        """The verdicts on all claims, or on those of a paper, from the studies that the page reads."""
        return claims.verdicts(self._studies(), paper=paper)

    def judged(self, *claim_ids: str) -> list[Verdict]:
        """The verdicts on these claims; by default on those whose page this is. Raises UserError if there are none."""
        table = papers.claims()
        chosen = claim_ids or tuple(table.loc[table["page"] == self.header.name, "id"])
        if not chosen:
            raise UserError(f"no claim is judged on {self.header.name}; see the column `page` of data/paper/claims.csv")
        return claims.verdicts(self._studies(), chosen)

    def verdicts(self, *claim_ids: str) -> Table:
        """The verdicts of `judged` as a table."""
        return tables.verdict_table(self.judged(*claim_ids), "Claims that rest on what this page shows")

    def _studies(self) -> dict[str, ResultsLike]:
        read = set(claims.studies_read())
        return {study: self.results(study) for study in self.reads if study in read}

    def box(self) -> Fragment:
        """How the page was made, from the records that it read.

        Raises UserError if a study of the header's `reads` was not read.
        """
        if unread := [study for study in self.reads if study not in self._results]:
            raise UserError(f"{self.header.name} reads {', '.join(unread)} by its header, but did not")
        return box(self._results.values(), self.header.name, self.parameters)


def versions() -> dict[str, str]:
    """The versions of now: Python and the packages that results depend on."""
    by_package = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            by_package[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return by_package


def seed_range(seeds: Iterable[int]) -> str:
    """`0-4` for an unbroken run, else `0, 2, 5`."""
    ordered = sorted(set(seeds))
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]}-{ordered[-1]}"
    return ", ".join(map(str, ordered))


def commands(notebook: str, parameters: Mapping[str, Any]) -> list[str]:
    """What to type to make this page again: the book's command, and papermill alone."""
    given = {k: str(v) for k, v in parameters.items() if str(v)}
    if "results" in given:
        given["results"] = paths.from_repository(given["results"])
    book = f"snnbook book --only {notebook}"
    for name in DEFAULTS:
        if name in given and (name != "jobs" or given[name] != str(DEFAULTS[name])):
            book += f" --{name} {shlex.quote(given[name])}"
    name = notebook.rsplit("/", 1)[-1]
    # -r hands over text as text: seeds "0" must not become a number.
    values = "".join(f" {'-p' if k == 'jobs' else '-r'} {k} {shlex.quote(v)}" for k, v in given.items())
    return [
        book,
        f"jupytext --to ipynb --output {name}.ipynb notebooks/{notebook}.py",
        f"papermill {name}.ipynb {name}-executed.ipynb{values}",
    ]


def _environments(records: Sequence[RecordLike], key: str) -> list[str]:
    """The distinct values of a key of the records' environments."""
    values = (r.environment.get(key) for r in records)
    return sorted({str(value) for value in values if value is not None})


def _version_rows(records: Sequence[RecordLike]) -> list[tuple[str, str, str]]:
    then: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for name in ("python", *PACKAGES):
            if name in record.environment:
                then[name].add(str(record.environment[name]))
    now = versions()
    return [(name, ", ".join(sorted(then[name])) or "–", now[name]) for name in now]


def _aside(title: str, body: str) -> str:
    head = f'<aside class="snnbook-box" aria-label="{escape(title)}" style="{STYLE}">'
    return f"{head}<p><strong>{escape(title)}</strong></p>{body}</aside>"


def box(studies: Iterable[ResultsLike], notebook: str, parameters: Mapping[str, Any]) -> Fragment:
    """The box of a page, from the studies that it shows (none: it computes what it shows) and its parameters."""
    records = unique(studies)
    lines: list[tuple[str, str]] = []
    profile = ", ".join(profiles(records)) or str(parameters.get("profile", "")) or "none"
    lines.append(("Profile", profile))
    scale = scale_note(records) if records else ""
    if scale:
        lines.append(("Scale", scale))
    seeds: dict[str, set[int]] = defaultdict(set)
    for record in records:
        seeds[record.id].add(record.seed)
    if records:
        every = seed_range(r.seed for r in records)
        lines.append(("Records", f"{len(records)} of {counted(len(seeds), 'trial')}; seeds {every}"))
    else:
        lines.append(("Records", "none: this page computes what it shows"))
    for key, term in ENVIRONMENT.items():
        if values := _environments(records, key):
            lines.append((term, ", ".join(values)))
    walls = [r.environment.get("wall_s") for r in records]
    if any(w is not None for w in walls):
        lines.append(("Training time, all records", duration(sum(w or 0 for w in walls))))
    typed = commands(notebook, parameters)

    html = definitions((term, escape(text)) for term, text in lines)
    html += f"<p>Make this page again:</p><pre>{escape(typed[0])}</pre>"
    html += details("With papermill alone", f"<pre>{escape(chr(10).join(typed[1:]))}</pre>")
    rows = _version_rows(records)
    head = "".join(f'<th scope="col">{t}</th>' for t in ("Package", "Records", "This page"))
    body = "".join(
        f'<tr><th scope="row">{escape(n)}</th><td>{escape(a)}</td><td>{escape(b)}</td></tr>' for n, a, b in rows
    )
    table = f"<caption>Versions then and now</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    html += details("Versions", f"<table>{table}</table>")
    names = [f"{id}: seeds {seed_range(seeds[id])}" for id in sorted(seeds)]
    if names:
        items = "".join(f"<li><code>{escape(name)}</code></li>" for name in names)
        html += details("The records, by trial", f"<ul>{items}</ul>")
    text = [f"{term}: {value}" for term, value in lines] + [f"`{line}`" for line in typed]
    text += [f"{name} {then} (records), {now} (this page)" for name, then, now in rows] + names
    title = "How this page was made"
    return Fragment(_aside(title, html), "\n".join([f"**{title}**\n", *(f"- {line}" for line in text)]))


def opening(letter: str, what: str, minutes: float) -> Fragment:
    """At a glance: the paper, what of it a page reproduces, and how many minutes it takes to read and run.

    Raises UserError for an unknown paper and where nothing is said.
    """
    paper = papers.paper(letter)
    what = required("what the page reproduces", what)
    link = f' <a href="https://doi.org/{paper.doi}">doi:{paper.doi}</a>' if paper.doi else ""
    cited = f"{escape(paper.authors)} ({paper.year}). {escape(paper.title)}. {escape(paper.venue)}.{link}"
    time = f"about {minutes:g} minute{'s' if minutes != 1 else ''}"
    html = definitions([("Paper", f"{paper.letter}: {cited}"), ("Reproduces", escape(what)), ("Takes", time)])
    text = f"**At a glance**\n\n- Paper {paper.letter}: {paper.citation}\n- Reproduces: {what}\n- Takes: {time}"
    return Fragment(_aside("At a glance", html), text)
