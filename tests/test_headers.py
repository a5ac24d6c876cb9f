"""What notebooks say about themselves, and the list of all that the four papers show."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from snnbook import headers
from snnbook.errors import UserError
from snnbook.report import papers

LINE = "#   snnbook: {reproduces: [%s], reads: [%s], minutes: 5}\n"
HEAD = "# ---\n# jupyter:\n#   kernelspec: {name: python3}\n%s# ---\n\n# %%%% [markdown]\n# # A page\n"


def write(folder: Path, name: str, line: str) -> None:
    (folder / f"{name}.py").write_text(HEAD % line, encoding="utf-8")


def test_the_full_list_of_what_the_papers_show():
    counts = Counter((artefact.paper, artefact.kind) for artefact in headers.artefacts().values())
    kinds = {paper: tuple(counts[paper, kind] for kind in headers.TITLES) for paper in papers.PAPERS}
    assert kinds == {"A": (5, 8, 1), "B": (7, 7, 1), "C": (5, 6, 2), "D": (3, 2, 1)}
    assert sum(counts.values()) == len(headers.artefacts()) == 48
    assert headers.artefacts()["B.figA1"].title == "Fig. A1"
    assert all(artefact.about for artefact in headers.artefacts().values())
    assert {f"{paper}.table{number}" for paper, number in papers.tables()} <= set(headers.artefacts())


def test_every_notebook_has_a_header_and_paper_a_is_whole():
    claimed = [name for header in headers.headers().values() for name in header.reproduces]
    assert len(claimed) == len(set(claimed))
    assert {name for name in headers.artefacts() if name.startswith("A.")} <= set(claimed)


def test_a_header(tmp_path):
    write(tmp_path, "page", LINE % ("A.fig3, A.fig4", "A.rounds, claims"))
    assert headers.header("page", tmp_path) == headers.Header("page", ("A.fig3", "A.fig4"), ("A.rounds", "claims"), 5)
    with pytest.raises(UserError, match="unknown notebook 'pgae'; did you mean page"):
        headers.header("pgae", tmp_path)


def test_two_notebooks_cannot_reproduce_the_same(tmp_path):
    write(tmp_path, "a", LINE % ("A.table4", ""))
    write(tmp_path, "b", LINE % ("A.table4", ""))
    with pytest.raises(UserError, match=r"b: 'A\.table4' is already reproduced by a"):
        headers.headers(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "lacks a line"),
        ("#   snnbook: {reproduces: []}\n", "lacks a line"),
        ("#   snnbook: {reproduces: []\n", "lacks a line"),
        ("#   snnbook: {reproduces: A.table4, reads: [], minutes: 5}\n", "lists of names"),
        ("#   snnbook: {reproduces: [], reads: [], minutes: 0}\n", "positive number"),
        (LINE % ("A.tabel4", ""), r"'A\.tabel4'; did you mean A\.table4"),
        (LINE % ("", "compare, compare"), "stands twice"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path, line, message):
    write(tmp_path, "bare", line)
    with pytest.raises(UserError, match=f"bare: .*{message}"):
        headers.headers(tmp_path)
