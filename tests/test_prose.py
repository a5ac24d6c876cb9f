"""What the prose names exists: commands and their options, targets of make, studies, tables and figures."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from snnbook import headers
from snnbook.cli import main
from snnbook.experiments import studies

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "book/start/*.md",
    "book/reference/*.md",
    "notebooks/**/*.py",
)
BLOCK, INDENTED, SPAN = r"^```(?:bash|python)\n(.*?)^```", r"^ {4}(\S.*)$", r"`([^`]+)`"


@cache
def code() -> tuple[tuple[str, str], ...]:
    """(page, piece) for all code in the prose: lines of blocks, indented lines, and spans between backticks."""
    pieces = []
    for path in (path for pattern in PAGES for path in sorted(ROOT.glob(pattern))):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":  # a notebook: prose stands in comments
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in re.findall(r"^#.*", text, re.M))
        rest = re.sub(BLOCK, "", text, flags=re.M | re.S)
        lines = "".join(re.findall(BLOCK, text, re.M | re.S)).splitlines() + re.findall(INDENTED, rest, re.M)
        found = [line.split("#")[0] for line in lines] + [" ".join(span.split()) for span in re.findall(SPAN, rest)]
        pieces += [(path.relative_to(ROOT).as_posix(), piece) for piece in found]
    return tuple(pieces)


def mentions(pattern: str) -> list[tuple[str, re.Match[str]]]:
    """(page, match) for every place in the code of the prose that matches. There must be one."""
    found = [(page, match) for page, piece in code() for match in re.finditer(pattern, piece)]
    assert found
    return found


def test_commands_and_their_options_exist():
    wrong, named = [], set()
    for page, match in mentions(r"^(?:\S*/)?snnbook ([a-z]+)(.*)"):
        command = main.commands.get(match.group(1))
        valid = {"--help"}.union(*(parameter.opts for parameter in command.params)) if command else set()
        named.add(match.group(1))
        if command is None or not set(re.findall(r"(?<=\s)--?[a-z]+", match.group(2))) <= valid:
            wrong.append(f"{page}: {match.group()}")
    assert wrong == []
    assert named >= set(main.commands), "a command that no page names"


def test_targets_of_make_exist():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    wrong = [f"{page}: {match.group()}" for page, match in mentions(r"^make ([a-z]+)") if match.group(1) not in targets]
    assert wrong == []


def test_studies_tables_and_figures_exist():
    known = {*studies.names(), *headers.artefacts()}
    wrong = [
        f"{page}: {match.group()}"
        for page, match in mentions(r"(?<![\w.])[A-D]\.[a-z]\w*")
        if match.group() not in known
    ]
    assert wrong == []
