"""The headers of the notebooks, the table of contents, and the page on status."""

from __future__ import annotations

import json
import subprocess

import jupytext
import nbformat
import papermill
import pytest
from book.tiny import write
from jupytext.cli import jupytext as jupytext_command

from snnbook import book, headers, paths
from snnbook.book.notebooks import defaults_of, select
from snnbook.book.toc import STATUS, check_toc, present, status_page, table_of_contents
from snnbook.errors import UserError
from snnbook.experiments import studies

FILES = sorted(paths.notebooks().rglob("*.py"))


def test_every_study_has_a_page_that_reads_it():
    """A study that is still in training, by `data/unfinished.txt`, and one that it needs may have none yet."""
    unfinished = (paths.data() / "unfinished.txt").read_text(encoding="utf-8").split()
    later = {study for name in unfinished for study in (name, *studies.needs(name))}
    read = {study for page in book.notebooks() for study in page.reads}
    assert read <= set(studies.names()) <= read | later


def test_the_table_of_contents_is_complete_and_has_no_orphans():
    check_toc(table_of_contents(), book.notebooks())


def test_notebooks_are_text_and_survive_the_round_trip():
    assert {p.suffix for p in paths.notebooks().rglob("*") if p.is_file()} == {".py"}
    assert not jupytext_command(["--test", "--quiet", "--to", "ipynb", *map(str, FILES)])


def test_no_executed_notebook_is_tracked():
    command = ["git", "-C", str(paths.repository()), "ls-files", "*.ipynb", "book/executed", "book/_vendor", "build"]
    tracked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tracked.stdout.split() == []


def test_every_notebook_has_the_same_parameters(tmp_path):
    cells = {}
    for path in FILES:
        nb = jupytext.read(path)
        tagged = [c.source for c in nb.cells if "parameters" in c.metadata.get("tags", [])]
        assert len(tagged) == 1, path.name
        cells[path.stem] = tagged[0]
    assert len(set(cells.values())) == 1, cells
    defaults = defaults_of(nb)
    assert defaults == {"profile": "laptop", "seeds": "", "results": "", "jobs": 2, "options": ""}
    # Readers call papermill themselves, and it warns about names that it does not find.
    nbformat.write(nb, tmp_path / "page.ipynb")
    assert set(papermill.inspect_notebook(str(tmp_path / "page.ipynb"))) == set(defaults)


def test_an_unknown_study_to_read_is_refused_with_the_nearest(tmp_path):
    write(tmp_path, "", reads="comparre")
    with pytest.raises(UserError, match=r"ideas/tiny: unknown study to read 'comparre'; did you mean compare"):
        book.notebooks(tmp_path)


def test_notebooks_are_selected_by_name_or_path():
    every = book.notebooks()
    assert [page.name for page in select(every, ["notebooks/ideas/lif.py", "start", "ideas/lif"])] == [
        "ideas/lif",
        "start",
    ]
    assert select(every, []) == every
    with pytest.raises(UserError, match="unknown notebook 'ideas/fil'; did you mean ideas/lif"):
        select(every, ["ideas/fil"])


def test_orphans_ghosts_and_doubles_in_the_table_of_contents_are_named(tmp_path):
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "lost.md").write_text("# Lost\n")
    toc = {"root": "executed/a", "parts": [{"chapters": [{"file": "ghost"}, {"file": "executed/a"}]}]}
    with pytest.raises(UserError) as error:
        check_toc(toc, [book.Notebook("a", tmp_path / "a.py")], tmp_path)
    assert "listed twice: executed/a" in str(error.value)
    assert "no such page: ghost" in str(error.value)
    assert f"not listed: {STATUS}, start/lost" in str(error.value)


def test_pages_that_are_not_there_leave_the_table_of_contents():
    chapters = [{"file": "b"}, {"file": "c", "sections": [{"file": "d"}]}, {"file": "d"}]
    toc = {"format": "jb-book", "root": "a", "parts": [{"chapters": [{"file": "c"}]}, {"chapters": chapters}]}
    pruned = present(toc, {"b.md", "d.ipynb"})
    assert pruned == {"format": "jb-book", "root": "b", "parts": [{"chapters": [{"file": "d"}]}]}


def test_the_status_page_lists_what_was_executed_and_what_is_still_missing(tmp_path):
    own = {"reproduces": ["A.table4"], "reads": ["lamp"], "parameters": {"profile": "smoke"}}
    page = {"papermill": {"start_time": "2030-01-02T03:04:05", "duration": 1.25}, "snnbook": own}
    (tmp_path / "stp").mkdir()
    (tmp_path / "stp" / "table4.ipynb").write_text(json.dumps({"metadata": page}))
    lines = status_page(tmp_path).splitlines()
    assert "| [](../executed/stp/table4) | A.table4 | lamp | smoke | 2030-01-02 03:04 | 1.2 |" in lines
    assert any(line.startswith("| A | Table 4 |") and "(../executed/stp/table4)" in line for line in lines)
    assert any(line.startswith("| A | Fig. 5 |") and line.endswith("| stp/fig5 |") for line in lines)  # not executed
    assert sum("*not yet*" in line for line in lines) == sum(
        name not in {artefact for header in headers.headers().values() for artefact in header.reproduces}
        for name in headers.artefacts()
    )
