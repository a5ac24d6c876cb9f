"""The generated parts of a page: what it is about at its head, and how it was made at its foot."""

from __future__ import annotations

import platform
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from snnbook.report import papers
from snnbook.report.blocks import Fragment, definitions, details, escape, required
from snnbook.report.records import RecordLike, ResultsLike, profiles, scale_note, unique
from snnbook.report.tables import duration

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


def versions() -> dict[str, str]:
    """The versions of now: Python and the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def seed_range(seeds: Iterable[int]) -> str:
    """`0-4` for an unbroken run, else `0, 2, 5`."""
    found = sorted(set(seeds))
    if len(found) > 2 and found == list(range(found[0], found[-1] + 1)):
        return f"{found[0]}-{found[-1]}"
    return ", ".join(map(str, found))


def commands(notebook: str, parameters: Mapping[str, Any]) -> list[str]:
    """What to type to make this page again: the book's command, and papermill alone."""
    given = {k: str(v) for k, v in parameters.items() if str(v)}
    book = f"snnbook book --only {notebook}"
    for name in ("profile", "seeds", "results", "jobs", "options"):
        if name in given and (name != "jobs" or given[name] != "2"):
            book += f" --{name} {shlex.quote(given[name])}"
    name = notebook.rsplit("/", 1)[-1]
    # -r hands over text as text: seeds "0" must not become a number.
    values = "".join(f" {'-p' if k == 'jobs' else '-r'} {k} {shlex.quote(v)}" for k, v in given.items())
    return [
        book,
        f"jupytext --to ipynb --output {name}.ipynb notebooks/{notebook}.py",
        f"papermill {name}.ipynb {name}-executed.ipynb{values}",
    ]


def _records(
    results: ResultsLike | Iterable[ResultsLike] | Mapping[str, ResultsLike] | None,
) -> list[RecordLike]:
    if results is None:
        return []
    if isinstance(results, Mapping):
        return unique(results.values())
    return unique(results if isinstance(results, Iterable) else [results])


def _environments(records: Sequence[RecordLike], key: str) -> list[str]:
    """The distinct values of a key of the records' environments."""
    found = (r.environment.get(key) for r in records)
    return sorted({str(value) for value in found if value is not None})


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


def make_box(
    results: ResultsLike | Iterable[ResultsLike] | Mapping[str, ResultsLike] | None,
    notebook: str,
    parameters: Mapping[str, Any],
) -> Fragment:
    """The box of a page, from the records that it shows (None: it shows none) and its parameters."""
    records = _records(results)
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
        trials = f"{len(seeds)} trial{'s' if len(seeds) != 1 else ''}"
        every = seed_range(r.seed for r in records)
        lines.append(("Records", f"{len(records)} of {trials}; seeds {every}"))
    else:
        lines.append(("Records", "none: this page computes what it shows"))
    for key, term in ENVIRONMENT.items():
        if found := _environments(records, key):
            lines.append((term, ", ".join(found)))
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


def box(
    results: ResultsLike | Iterable[ResultsLike] | Mapping[str, ResultsLike] | None,
    notebook: str,
    parameters: Mapping[str, Any],
) -> None:
    """Put the box on the page; see `make_box`."""
    make_box(results, notebook, parameters).show()


def make_opening(paper: str, what: str, minutes: float) -> Fragment:
    """At a glance: the paper, what of it this page reproduces, and how long it takes to read and run."""
    found = papers.paper(paper)
    what = required("what the page reproduces", what)
    link = f' <a href="https://doi.org/{found.doi}">doi:{found.doi}</a>' if found.doi else ""
    cited = f"{escape(found.authors)} ({found.year}). {escape(found.title)}. {escape(found.venue)}.{link}"
    time = f"about {minutes:g} minute{'s' if minutes != 1 else ''}"
    html = definitions([("Paper", f"{found.letter}: {cited}"), ("Reproduces", escape(what)), ("Takes", time)])
    text = f"**At a glance**\n\n- Paper {found.letter}: {found.citation}\n- Reproduces: {what}\n- Takes: {time}"
    return Fragment(_aside("At a glance", html), text)


def opening(paper: str, what: str, minutes: float) -> None:
    """Put the opening on the page; see `make_opening`."""
    make_opening(paper, what, minutes).show()
