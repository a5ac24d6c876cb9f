"""Prose and executed notebooks put together and rendered by Jupyter Book.

A build from scratch lets no warning pass. A later one renders only the pages that changed, if the build below it passed
and nothing changed that other pages show or refer to (headings, labels, the table of contents, the configuration);
otherwise it starts from scratch as well. So every page of a book that is there was rendered without a warning.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import yaml

from snnbook import paths
from snnbook.book.stamp import versions
from snnbook.book.toc import STATUS, present, status_page, table_of_contents
from snnbook.errors import UserError
from snnbook.files import held

MATHJAX = "3.2.2"
PASSED = "passed.json"
"""The file of a build that says on what a strict rendering passed: settings and names of all files."""


def render(work: Path, strict: bool = True, prose: Path | None = None) -> Path:
    """Stage prose and `work/executed`, render them, and return the first page.

    strict: no warning passes, and all pages of the table of contents must be there; otherwise missing ones leave the
    table. Raises UserError with the warnings, and then leaves no book.
    """
    prose, src, output, passed = prose or paths.book(), work / "src", work / "_build", work / PASSED
    config = _config(prose)
    files = _staged(work, prose, strict)
    state = json.dumps([config, sorted(files), _text(files["_toc.yml"]), versions().decode()])
    changed = {name for name, content in files.items() if _differs(src / name, content)}
    on_top = passed.exists() and passed.read_text(encoding="utf-8") == state and (output / "html").is_dir()
    if not (strict and on_top and all(_alone(src / name, files[name]) for name in changed)):
        for old in (src, output):
            shutil.rmtree(old, ignore_errors=True)
        changed = set(files)
    passed.unlink(missing_ok=True)
    for name in changed:
        (src / name).parent.mkdir(parents=True, exist_ok=True)
        (src / name).write_bytes(files[name])
    (work / "_config.yml").write_text(config, encoding="utf-8")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(src)]
    command += ["--config", str(work / "_config.yml"), "--path-output", str(work), "-q"]
    command += ["-W", "-n", "--keep-going"] if strict else []
    done = subprocess.run(command, cwd=paths.repository(), capture_output=True, text=True, check=False)
    log = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    (work / "build.log").write_text(log, encoding="utf-8")
    if done.returncode:
        shutil.rmtree(output / "html", ignore_errors=True)
        lines = [line for line in log.splitlines() if re.search(r"WARNING|ERROR|[Ee]rror:", line)]
        raise UserError(
            "\n".join(["the book has warnings, which are errors here:", *(lines or log.splitlines()[-20:])])
        )
    if strict:
        passed.write_text(state, encoding="utf-8")
    return output / "html" / "index.html"


def _config(prose: Path) -> str:
    """The configuration, without the lines for MathJax where it is not stored with the book."""
    config = yaml.safe_load((paths.repository() / "_config.yml").read_text(encoding="utf-8"))
    if not mathjax(prose).exists():
        for key in ("html_extra_path", "mathjax_path"):
            config["sphinx"]["config"].pop(key, None)
    return _yaml(config)


def _staged(work: Path, prose: Path, strict: bool) -> dict[str, bytes]:
    """Name → content of every file that is rendered."""
    from snnbook.experiments.record import schema_tables

    files = {}
    for name, folder in (("", prose), ("executed/", work / "executed")):
        for path in folder.rglob("*"):
            relative = path.relative_to(folder)
            if path.is_file() and relative.parts[0] not in ("executed", "_build") and ".running-" not in str(relative):
                files[name + relative.as_posix()] = path.read_bytes()
    files[f"{STATUS}.md"] = status_page(work / "executed").encode()
    files["reference/record_schema.txt"] = schema_tables().encode()  # which the page on records includes
    if not strict:
        files["_toc.yml"] = _yaml(present(table_of_contents(prose), files)).encode()
    return files


def _differs(path: Path, content: bytes) -> bool:
    return not path.is_file() or path.read_bytes() != content


_STRUCTURE = re.compile(
    r"""^\s*(\#{1,6}\s        # a heading
    | \([^)]*\)=              # a label
    | [`:]{3,}\{ | :[\w-]+:   # a directive, an option of one
    | .*\$\$\s*\(             # a labelled equation
    | .*\{\#)                 # an attribute with a name
    """,
    re.VERBOSE,
)
_SHARED = ("{glossary}", "{bibliography}")


def structure(name: str, content: bytes) -> list[str] | None:
    """What other pages may show of a page or refer to: its headings, labels and directives; None where that is all."""
    text = _text(content)
    if not name.endswith((".md", ".ipynb")) or any(word in text for word in _SHARED):
        return None
    if name.endswith(".md"):
        return [line for line in text.splitlines() if _STRUCTURE.match(line)]
    lines = []
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "markdown":
            lines += [line for line in "".join(cell["source"]).splitlines() if _STRUCTURE.match(line)]
        else:
            named = {key: value for key, value in cell["metadata"].items() if key not in ("papermill", "execution")}
            lines.append(json.dumps(named, sort_keys=True))
    return lines


def _alone(path: Path, content: bytes) -> bool:
    """Whether a changed page can be rendered alone: what others may see of it is as it was."""
    new = structure(path.name, content)
    return new is not None and path.is_file() and structure(path.name, path.read_bytes()) == new


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def mathjax(book: Path) -> Path:
    """The script that shows formulas, where it is stored with a book."""
    return book / "_vendor" / "_static" / "mathjax" / "tex-mml-chtml.js"


def vendor_mathjax(book: Path | None = None) -> bool:
    """Put MathJax into `book/_vendor`, so that formulas need no internet; says so where it cannot.

    Below `_static` it would be added to every page, script by script; `_vendor` is copied as it is.
    """
    book = book or paths.book()
    with held(book, wait=True):  # builds of several profiles share it
        why_not = "" if mathjax(book).exists() else _fetch_mathjax(book)
    if why_not:
        print(f"MathJax is not stored with the book ({why_not}): formulas will need the internet.", flush=True)
    return not why_not


def _fetch_mathjax(book: Path) -> str:
    """Why MathJax cannot be stored with a book; empty where it is stored now."""
    if not os.access(book, os.W_OK):
        return f"{book} cannot be written"
    script = mathjax(book)
    keep = ("es5/tex-mml-chtml.js", "es5/output/chtml/fonts/woff-v2/", "es5/input/tex/extensions/")
    command = ["npm", "pack", f"mathjax@{MATHJAX}", "--silent", "--fetch-retries=0", "--no-update-notifier"]
    with tempfile.TemporaryDirectory() as scratch:
        try:
            subprocess.run(command, cwd=scratch, check=True, capture_output=True, timeout=120)
            with tarfile.open(Path(scratch) / f"mathjax-{MATHJAX}.tgz") as archive:
                members = [m for m in archive if m.name.removeprefix("package/").startswith(keep)]
                archive.extractall(scratch, members=members, filter="data")
            script.parent.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(script.parent, ignore_errors=True)
            shutil.move(Path(scratch) / "package" / "es5", script.parent)
        except (OSError, subprocess.SubprocessError, tarfile.TarError):
            return "npm could not fetch it" if shutil.which("npm") else "there is no npm"
    return ""
