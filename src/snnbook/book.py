"""The book: notebooks run by papermill, put beside the prose and rendered by Jupyter Book.

A build has its own folder, `build/book/<profile>/`: `executed/` holds what papermill wrote, `src/` is prose,
executed notebooks and vendored files together, `_build/html/` is the book. So two profiles never mix, and
nothing in the work tree changes. Execution is the gate: a page exists only if its notebook ran to the end.
"""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from snnbook import paths
from snnbook.errors import UserError, unknown
from snnbook.files import whole
from snnbook.headers import CLAIMS, headers

MATHJAX = "3.2.2"
STATUS = "reference/status"
"""The one page that a build writes itself: what was executed, when, and how long it took."""


@dataclass(frozen=True)
class Notebook:
    """One py:percent file below `notebooks/`; `name` is its path without the suffix."""

    name: str
    path: Path
    reproduces: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """An executed notebook; `kept` when it was still fresh and nothing ran."""

    name: str
    path: Path
    seconds: float
    kept: bool


@dataclass(frozen=True)
class Summary:
    """What a build did."""

    html: Path
    ran: int
    reused: int
    pages: tuple[Page, ...]
    verdicts: tuple[str, ...] = field(default=())


class NotebookError(UserError):
    """A notebook that did not run to the end; the message says which cell and why."""


# --- notebooks --------------------------------------------------------------------------------------------


def notebooks(folder: Path | None = None) -> list[Notebook]:
    """The notebooks of the book by name.

    Raises UserError for a header that is wrong (see `snnbook.headers`) and for an unknown study in `reads`.
    """
    from snnbook.experiments import studies
    from snnbook.report.claims import studies_read

    folder = folder or paths.notebooks()
    listed: list[Notebook] = []
    for name, header in headers(folder).items():
        reads: list[str] = []
        for item in header.reads:
            if item != CLAIMS and item not in studies.names():
                raise UserError(f"{name}: {unknown('study to read', item, [*studies.names(), CLAIMS])}")
            reads += studies_read() if item == CLAIMS else [item]
        listed.append(Notebook(name, folder / f"{name}.py", header.reproduces, tuple(dict.fromkeys(reads))))
    return listed


# --- execution --------------------------------------------------------------------------------------------


def execute(
    notebook: Notebook,
    parameters: Mapping[str, Any],
    out: Path | None = None,
    force: bool = False,
) -> Page:
    """Runs one notebook into `out/<name>.ipynb` unless the page there is fresh.

    The page appears only when every cell ran; after a failure there is none. Raises UserError for a parameter
    that the notebook does not have, NotebookError for a cell that fails.
    """
    import jupytext
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    _use_this_interpreter()
    text = jupytext.read(notebook.path)
    defaults = defaults_of(text)
    for name in parameters:
        if name not in defaults:
            raise UserError(f"{notebook.name}: {unknown('parameter', name, defaults)}")
    page = (out or paths.book() / "executed") / f"{notebook.name}.ipynb"
    page.parent.mkdir(parents=True, exist_ok=True)
    if not force and page.exists() and _stamp_of(page) == stamp(notebook, parameters):
        return Page(notebook.name, page, 0.0, kept=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=page.parent, prefix=".running-") as scratch:
        source, target = Path(scratch) / "in.ipynb", Path(scratch) / "out.ipynb"
        nbformat.write(text, source)
        page.unlink(missing_ok=True)
        try:
            papermill.execute_notebook(
                str(source),
                str(target),
                parameters={name: value for name, value in parameters.items() if value != defaults[name]},
                kernel_name="python3",
                cwd=str(paths.repository()),
                progress_bar=False,
                request_save_on_cell_execute=False,
            )
        except PapermillExecutionError as err:
            raise NotebookError(_summary_of(notebook, err)) from None
        except DeadKernelError:
            raise NotebookError(f"{notebook.name}: the kernel died, perhaps for lack of memory") from None
        nb = nbformat.read(target, as_version=4)
        check_page(nb, notebook.name)
        for cell in nb.cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                cell.metadata["tags"].append("hide-input")
        nb.metadata["papermill"].update(input_path=f"notebooks/{notebook.name}.py", output_path=page.name)
        nb.metadata["snnbook"] = {
            "reproduces": list(notebook.reproduces),
            "reads": list(notebook.reads),
            "parameters": dict(parameters),
            "stamp": stamp(notebook, parameters),
        }
        nbformat.write(nb, target)
        os.replace(target, page)
    return Page(notebook.name, page, time.perf_counter() - start, kept=False)


def defaults_of(nb: Any) -> dict[str, Any]:
    """Name → default of what the cell tagged `parameters` assigns; empty without such a cell.

    Papermill's own inspection gives up on comments with quotes, and only warns about unknown names.
    """
    cells = [cell for cell in nb.cells if "parameters" in cell.metadata.get("tags", [])]
    assigned = [node for cell in cells for node in ast.parse(cell.source).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in assigned}


def check_page(nb: Any, name: str) -> None:
    """Raises NotebookError for a page with an error among its outputs, or with code and no output."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    for output in outputs:
        if output.output_type == "error":
            raise NotebookError(f"{name}: an output is an error, {output.ename}: {output.evalue}")
    if code and not outputs:
        raise NotebookError(f"{name}: the page has code and no output")


def stamp(notebook: Notebook, parameters: Mapping[str, Any]) -> str:
    """A hash of what a page depends on: text, parameters, package, printed numbers, timings, records, versions."""
    digest = hashlib.sha256(notebook.path.read_bytes())
    digest.update(json.dumps(dict(parameters), sort_keys=True, default=str).encode())
    digest.update(_versions().encode())
    package = Path(__file__).parent
    for folder in (package, paths.data() / "paper", paths.bench(), results_folder(parameters)):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder)
            if not any(part.startswith((".", "__pycache__")) for part in name.parts):
                digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def results_folder(parameters: Mapping[str, Any]) -> Path:
    """Where a notebook with these parameters reads its records; a notebook runs in the repository's root."""
    return paths.repository() / paths.results(parameters.get("profile", "laptop"), parameters.get("results", ""))


@cache
def _versions() -> str:
    installed = {f"{d.metadata['Name']}=={d.version}" for d in metadata.distributions()}
    return "\n".join([sys.version, *sorted(installed)])


def _stamp_of(page: Path) -> str | None:
    try:
        return json.loads(page.read_text(encoding="utf-8"))["metadata"]["snnbook"]["stamp"]
    except (ValueError, KeyError, TypeError):
        return None


def _summary_of(notebook: Notebook, err: Any) -> str:
    """Cell, first line of its code, and the error; the end of the traceback unless the user can mend it."""
    lines = [line for line in err.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    text = f"{notebook.name}: cell {err.exec_count} (`{lines[0] if lines else ''}`): {err.ename}: {err.evalue}"
    if err.ename == "UserError":
        return text
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(err.traceback)).splitlines()
    return "\n".join([text, *(f"    {line}" for line in trace[-15:])])


@cache
def _use_this_interpreter() -> None:
    """Puts a kernel `python3` first on Jupyter's path that is this interpreter, with one BLAS thread."""
    one_thread = {f"{lib}_NUM_THREADS": "1" for lib in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")}
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "--log-level=50", "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
        "env": {**one_thread, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
    }
    folder = paths.build() / "jupyter"
    path = folder / "kernels" / "python3" / "kernel.json"
    text = json.dumps(spec, indent=1)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with whole(path) as aside:
            aside.write_text(text, encoding="utf-8")
    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("JUPYTER_PATH")]))


# --- the book ---------------------------------------------------------------------------------------------


def build(
    profile: str = "laptop",
    fresh: bool = False,
    only: Sequence[str] = (),
    seeds: str = "",
    results: str = "",
    jobs: int = 2,
    options: str = "",
    out: Path | None = None,
) -> Summary:
    """Runs what is missing, executes the notebooks, renders the book, and says what happened.

    `fresh` starts from an empty results folder below `build/`, so stored records are neither read nor
    overwritten; a fresh build that was cut off goes on where it stopped. `only` names notebooks: the others
    are not run, and have a page only if an earlier build left one. The rest are the notebooks' parameters.
    Raises UserError.
    """
    if fresh and results:
        raise UserError("a fresh build has its own folder of results; leave out one of the two")
    every = notebooks()
    wanted = _select(every, only)
    check_toc(_toc(), every)
    work = out or paths.build() / ("fresh" if fresh else "book") / profile
    folder = _fresh_results(profile) if fresh else results
    parameters = {"profile": profile, "seeds": seeds, "results": folder, "jobs": jobs, "options": options}
    vendor_mathjax()
    found, ran, reused = _run_studies(wanted, parameters)
    pages = _execute_all(wanted, every, parameters, work / "executed")
    html = render(work, strict=not only)
    if fresh:
        _marker(profile).unlink(missing_ok=True)
    summary = Summary(html, ran, reused, pages, _verdicts(found))
    _report(summary)
    return summary


def render(work: Path, strict: bool = True, prose: Path | None = None) -> Path:
    """Stages prose and `work/executed`, renders them, returns the first page; `strict`: no warning passes."""
    from snnbook.experiments.record import schema_tables

    src, output = work / "src", work / "_build"
    for old in (src, output):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(prose or paths.book(), src, ignore=shutil.ignore_patterns("executed", "_build"))
    shutil.copytree(work / "executed", src / "executed", ignore=shutil.ignore_patterns(".*"))
    status = src / f"{STATUS}.md"
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(_status_page(src / "executed"), encoding="utf-8")
    schema = src / "reference" / "record_schema.txt"  # which the page on records includes
    schema.parent.mkdir(exist_ok=True)
    schema.write_text(schema_tables(), encoding="utf-8")
    config = yaml.safe_load((paths.repository() / "_config.yml").read_text(encoding="utf-8"))
    if not _mathjax(src).exists():
        for key in ("html_extra_path", "mathjax_path"):
            config["sphinx"]["config"].pop(key, None)
    _dump(config, work / "_config.yml")
    if not strict:
        _dump(_present(_toc(src), src), src / "_toc.yml")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(src)]
    command += ["--config", str(work / "_config.yml"), "--path-output", str(work), "--all", "-q"]
    command += ["-W", "-n", "--keep-going"] if strict else []
    done = subprocess.run(command, cwd=paths.repository(), capture_output=True, text=True, check=False)
    log = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    (work / "build.log").write_text(log, encoding="utf-8")
    if done.returncode:
        shutil.rmtree(output / "html", ignore_errors=True)
        told = [line for line in log.splitlines() if re.search(r"WARNING|ERROR|[Ee]rror:", line)]
        raise UserError("\n".join(["the book has warnings, which are errors here:", *(told or log.splitlines()[-20:])]))
    return output / "html" / "index.html"


def vendor_mathjax(book: Path | None = None) -> bool:
    """Puts MathJax into `book/_vendor`, so that formulas need no internet; says so where it cannot.

    Below `_static` it would be added to every page, script by script; `_vendor` is copied as it is.
    """
    book = book or paths.book()
    target = _mathjax(book).parent
    if _mathjax(book).exists():
        return True
    keep = ("es5/tex-mml-chtml.js", "es5/output/chtml/fonts/woff-v2/", "es5/input/tex/extensions/")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            command = [
                "npm",
                "pack",
                f"mathjax@{MATHJAX}",
                "--silent",
                "--fetch-retries=0",
                "--no-update-notifier",
            ]
            subprocess.run(command, cwd=scratch, check=True, capture_output=True, timeout=120)
            with tarfile.open(Path(scratch) / f"mathjax-{MATHJAX}.tgz") as archive:
                members = [m for m in archive if m.name.removeprefix("package/").startswith(keep)]
                archive.extractall(scratch, members=members, filter="data")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(Path(scratch) / "package" / "es5", target)
        except (OSError, subprocess.SubprocessError, tarfile.TarError):
            why = "npm could not fetch it" if shutil.which("npm") else "there is no npm"
            print(f"MathJax is not stored with the book ({why}): formulas will need the internet.", flush=True)
            return False
    return True


def _mathjax(book: Path) -> Path:
    return book / "_vendor" / "_static" / "mathjax" / "tex-mml-chtml.js"


def _select(every: list[Notebook], only: Sequence[str]) -> list[Notebook]:
    by_name = {n.name: n for n in every}
    names = [name.removesuffix(".py").removeprefix("notebooks/") for name in only]
    for name in names:
        if name not in by_name:
            raise unknown("notebook", name, by_name)
    return [by_name[name] for name in names] or every


def _run_studies(pages: Iterable[Notebook], parameters: Mapping[str, Any]) -> tuple[dict[str, Any], int, int]:
    """All missing trials of these pages in one queue: results by study, numbers of trials run and reused."""
    from snnbook.experiments import runner
    from snnbook.experiments.store import Store

    read = dict.fromkeys(item for page in pages for item in page.reads)
    chosen = [runner.asked(item, parameters["profile"], parameters["seeds"], parameters["options"]) for item in read]
    store = Store(results_folder(parameters))
    wanted = [(trial, seed) for study in chosen for trial in study.trials.values() for seed in study.seeds]
    ran, reused = runner.run_many(wanted, store, parameters["profile"], parameters["jobs"])
    return {study.name: runner.run_study(study, store, progress=False) for study in chosen}, ran, reused


def _execute_all(
    pages: list[Notebook], every: list[Notebook], parameters: Mapping[str, Any], out: Path
) -> tuple[Page, ...]:
    """Executes the pages, some at a time, with a line for each; all are tried before a failure is raised."""
    for old in sorted(out.rglob("*.ipynb")):
        if old.relative_to(out).with_suffix("").as_posix() not in {page.name for page in every}:
            old.unlink()
    done: list[Page] = []
    failed: list[str] = []
    _use_this_interpreter()  # once, before the threads would all do it together
    pool = ThreadPoolExecutor(max(1, int(parameters.get("jobs", 1))))
    waiting = {pool.submit(execute, page, parameters, out): page for page in pages}
    try:
        for i, future in enumerate(as_completed(waiting), 1):
            try:
                page = future.result()
            except UserError as err:
                failed.append(str(err))
                told = "failed"
            else:
                done.append(page)
                told = "kept" if page.kept else f"{page.seconds:.1f} s"
            print(f"[{i:2d}/{len(pages)}] {waiting[future].name:<32} {told}", flush=True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if failed:
        raise NotebookError("\n".join(failed))
    return tuple(sorted(done, key=lambda page: page.name))


def _marker(profile: str) -> Path:
    return paths.build() / "fresh" / profile / "unfinished"


def _fresh_results(profile: str) -> str:
    """An empty results folder, or that of a fresh build by the same code that was cut off; from the root."""
    marker = _marker(profile)
    folder = marker.parent / "results"
    code = hashlib.sha256()
    for path in sorted((paths.repository() / "src").rglob("*.py")):
        code.update(path.read_bytes())
    if not marker.exists() or marker.read_text(encoding="utf-8") != code.hexdigest():
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text(code.hexdigest(), encoding="utf-8")
    return folder.relative_to(paths.repository()).as_posix()


def _verdicts(results: Mapping[str, Any]) -> tuple[str, ...]:
    """A line for every claim that these results could test, and one for those that they could not."""
    from snnbook.report import claims, papers

    board = claims.verdicts(results)
    texts = papers.claim_texts(verdict.claim for verdict in board)
    tested = [verdict for verdict in board if verdict.outcome != claims.NOT_TESTABLE]
    lines = [f"{verdict.outcome:<10} {verdict.claim}  {texts[verdict.claim]}" for verdict in tested]
    return (*lines, f"{len(board) - len(tested)} of {len(board)} claims are not testable here")


def _report(summary: Summary) -> None:
    fresh = sum(not page.kept for page in summary.pages)
    print(f"\ntrials: {summary.ran} run, {summary.reused} reused")
    print(f"pages:  {fresh} executed, {len(summary.pages) - fresh} kept")
    if summary.verdicts:
        print("\nverdicts:", *summary.verdicts, sep="\n  ")
    print(f"\nThe book is at {summary.html.as_uri()}", flush=True)


# --- table of contents and status -------------------------------------------------------------------------


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


def _toc(book: Path | None = None) -> Any:
    return yaml.safe_load(((book or paths.book()) / "_toc.yml").read_text(encoding="utf-8"))


def _present(toc: Any, src: Path) -> Any:
    """The table of contents without the pages that are not there; the first page that is becomes the root."""

    def there(entries: list[Any]) -> list[Any]:
        kept = [e for e in entries if any((src / f"{e['file']}{end}").exists() for end in (".ipynb", ".md"))]
        return [{**e, "sections": there(e["sections"])} if "sections" in e else e for e in kept]

    first, *_ = there([{"file": name} for name in toc_files(toc)])
    parts = [
        {**part, "chapters": [e for e in there(part["chapters"]) if e["file"] != first["file"]]}
        for part in toc["parts"]
    ]
    return {**toc, "root": first["file"], "parts": [part for part in parts if part["chapters"]]}


def _dump(value: Any, path: Path) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _status_page(executed: Path) -> str:
    rows = []
    for path in sorted(executed.rglob("*.ipynb")):
        about = json.loads(path.read_text(encoding="utf-8"))["metadata"]
        run, own = about["papermill"], about["snnbook"]
        name = path.relative_to(executed).with_suffix("").as_posix()
        items = ", ".join(own["reproduces"]) or "–"
        when = run["start_time"][:16].replace("T", " ")
        profile = own["parameters"].get("profile", "")
        rows.append(f"| [](../executed/{name}) | {items} | {profile} | {when} | {run['duration']:.1f} |")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("snnbook", "torch", "numpy", "papermill"))
    return "\n".join(
        [
            "# Status",
            "",
            "Every notebook of this copy of the book, when it was executed, and how long that took.",
            "Training is not in these times: notebooks read records. A notebook that fails stops the build.",
            "",
            "| page | reproduces | profile | executed (UTC) | seconds |",
            "|---|---|---|---|---:|",
            *rows,
            "",
            f"Python {sys.version.split()[0]}, {versions}; one thread for each notebook.",
            "",
        ]
    )
