"""The book's promises: valid headers, a complete table of contents, pages only from notebooks that ran."""

from __future__ import annotations

import subprocess
from pathlib import Path

import jupytext
import nbformat
import papermill
import pytest
from jupytext.cli import jupytext as jupytext_command

from snnbook import book, paths
from snnbook.book import Notebook, NotebookError, execute
from snnbook.errors import UserError
from snnbook.experiments import studies

HEAD = """# ---
# jupyter:
#   jupytext:
#     text_representation: {{extension: .py, format_name: percent}}
#   kernelspec: {{display_name: Python 3, language: python, name: python3}}
#   snnbook: {{reproduces: [{reproduces}], reads: [{reads}], minutes: 1}}
# ---

# %% [markdown]
# # A page

# %% tags=["parameters"]
profile = "laptop"
results = ""
number = 1

"""
FILES = sorted(paths.notebooks().rglob("*.py"))


def write(folder: Path, code: str, name: str = "ideas/tiny", reads: str = "") -> Notebook:
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD.format(reproduces="", reads=reads) + "# %%\n" + code + "\n", encoding="utf-8")
    return Notebook(name, path)


def text_of(page: book.Page) -> str:
    nb = nbformat.read(page.path, as_version=4)
    return "".join(o.text for c in nb.cells if c.cell_type == "code" for o in c.outputs)


# --- the notebooks of the repository


def test_every_study_has_a_page_that_reads_it():
    assert {study for page in book.notebooks() for study in page.reads} == set(studies.names())


def test_the_table_of_contents_is_complete_and_has_no_orphans():
    book.check_toc(book._toc(), book.notebooks())


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
    defaults = book.defaults_of(nb)
    assert defaults == {"profile": "laptop", "seeds": "", "results": "", "jobs": 2, "options": ""}
    # Readers call papermill themselves, and it warns about names that it does not find.
    nbformat.write(nb, tmp_path / "page.ipynb")
    assert set(papermill.inspect_notebook(str(tmp_path / "page.ipynb"))) == set(defaults)


# --- headers and table of contents that are wrong


def test_an_unknown_study_to_read_is_refused_with_the_nearest(tmp_path):
    write(tmp_path, "", reads="comparre")
    with pytest.raises(UserError, match=r"ideas/tiny: unknown study to read 'comparre'; did you mean compare"):
        book.notebooks(tmp_path)


def test_orphans_ghosts_and_doubles_in_the_table_of_contents_are_named(tmp_path):
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "lost.md").write_text("# Lost\n")
    toc = {"root": "executed/a", "parts": [{"chapters": [{"file": "ghost"}, {"file": "executed/a"}]}]}
    with pytest.raises(UserError) as told:
        book.check_toc(toc, [Notebook("a", tmp_path / "a.py")], tmp_path)
    assert "listed twice: executed/a" in str(told.value)
    assert "no such page: ghost" in str(told.value)
    assert f"not listed: {book.STATUS}, start/lost" in str(told.value)


def test_pages_that_are_not_there_leave_the_table_of_contents(tmp_path):
    for name in ("b", "d"):
        (tmp_path / f"{name}.md").touch()
    chapters = [{"file": "b"}, {"file": "c", "sections": [{"file": "d"}]}, {"file": "d"}]
    toc = {"format": "jb-book", "root": "a", "parts": [{"chapters": [{"file": "c"}]}, {"chapters": chapters}]}
    pruned = book._present(toc, tmp_path)
    assert pruned == {"format": "jb-book", "root": "b", "parts": [{"chapters": [{"file": "d"}]}]}


# --- execution


def test_parameters_arrive_and_the_kernel_is_this_interpreter_with_one_thread(tmp_path):
    code = "import os, sys\nprint(number, sys.prefix, os.environ['OMP_NUM_THREADS'], os.getcwd(), sep='|')"
    page = execute(write(tmp_path, code), {"number": 7, "results": str(tmp_path / "none")}, tmp_path / "out")
    number, prefix, threads, folder = text_of(page).strip().split("|")
    assert (number, threads, Path(folder)) == ("7", "1", paths.repository())
    assert Path(prefix) == Path(__import__("sys").prefix)
    assert page.path == tmp_path / "out" / "ideas" / "tiny.ipynb"
    assert [p.name for p in page.path.parent.iterdir()] == ["tiny.ipynb"]


def test_an_unknown_parameter_is_refused_before_anything_runs(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UserError, match="unknown parameter 'nmber'; did you mean number"):
        execute(write(tmp_path, "print(1)"), {"nmber": 2}, out)
    assert not list(out.rglob("*.ipynb"))


def test_a_page_is_kept_until_text_parameters_or_records_change(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    notebook, given = write(tmp_path, "print(number)"), {"results": str(results)}
    assert not execute(notebook, given, tmp_path / "out").kept
    assert execute(notebook, given, tmp_path / "out").kept
    before = book.stamp(notebook, given)
    (results / "seed-0.json").write_text("{}")
    after = book.stamp(notebook, given)
    assert after not in (before, book.stamp(notebook, given | {"number": 2}))
    assert not execute(notebook, given, tmp_path / "out").kept
    write(tmp_path, "print(number, number)")
    page = execute(notebook, given, tmp_path / "out")
    assert not page.kept
    assert text_of(page) == "1 1\n"


def test_a_notebook_that_fails_leaves_no_page_not_even_the_old_one(tmp_path):
    given = {"results": str(tmp_path / "none")}
    page = execute(write(tmp_path, "print('fine')"), given, tmp_path / "out")
    with pytest.raises(NotebookError, match=r"ideas/tiny: cell 3 \(`x = 1 / 0`\): ZeroDivisionError: division by"):
        execute(write(tmp_path, "# a comment\nx = 1 / 0"), given, tmp_path / "out")
    assert list(page.path.parent.iterdir()) == []


def test_a_kernel_that_dies_is_named(tmp_path):
    with pytest.raises(NotebookError, match="ideas/tiny: the kernel died"):
        execute(write(tmp_path, "import os\nos._exit(1)"), {"results": str(tmp_path / "none")}, tmp_path / "out")


@pytest.mark.parametrize(
    ("outputs", "why"),
    [
        (
            [nbformat.v4.new_output("error", ename="KeyError", evalue="'a'", traceback=[])],
            "an error, KeyError",
        ),
        ([], "code and no output"),
    ],
)
def test_a_page_with_an_error_output_or_without_any_is_refused(outputs, why):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("f()", outputs=outputs)])
    with pytest.raises(NotebookError, match=why):
        book.check_page(nb, "page")


# --- the build


def test_a_fresh_build_starts_empty_but_goes_on_where_it_was_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "repository", lambda: tmp_path)
    (tmp_path / "src").mkdir()
    folder = tmp_path / book._fresh_results("laptop")
    (folder / "record").touch()
    assert tmp_path / book._fresh_results("laptop") == folder
    assert (folder / "record").exists()
    (tmp_path / "src" / "changed.py").write_text("x = 1\n")
    book._fresh_results("laptop")
    assert not (folder / "record").exists()
    (folder / "record").touch()
    book._marker("laptop").unlink()
    book._fresh_results("laptop")
    assert not (folder / "record").exists()


def test_without_npm_the_build_says_that_formulas_need_the_internet(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not book.vendor_mathjax(tmp_path)
    assert "there is no npm" in capsys.readouterr().out


def test_unknown_notebooks_are_refused():
    with pytest.raises(UserError, match="unknown notebook 'ideas/fil'; did you mean ideas/lif"):
        book._select([Notebook("ideas/lif", Path()), Notebook("start", Path())], ["ideas/fil"])


@pytest.fixture
def tiny_book(tmp_path):
    prose, work = tmp_path / "book", tmp_path / "work"
    script = book._mathjax(prose)
    script.parent.mkdir(parents=True)
    script.write_text("// stands for MathJax\n")
    for name, text in {
        "_toc.yml": f"format: jb-book\nroot: first\nparts:\n- chapters:\n  - file: {book.STATUS}\n",
        "first.md": "# First\n\nA formula: $a^2$.\n",
        "references.bib": "",
    }.items():
        (prose / name).write_text(text)
    (work / "executed").mkdir(parents=True)
    return prose, work


def test_a_rendered_book_asks_nobody_outside(tiny_book):
    prose, work = tiny_book
    index = book.render(work, prose=prose)
    assert index.is_file()
    pages = "".join((index.parent / f"{name}.html").read_text() for name in ("index", "first", book.STATUS))
    assert "_static/mathjax/tex-mml-chtml.js" in pages
    assert 'src="http' not in pages
    assert '<link rel="stylesheet" href="http' not in pages


def test_a_warning_is_an_error_and_leaves_no_book(tiny_book):
    prose, work = tiny_book
    (prose / "first.md").write_text("# First\n\n{term}`nowhere`\n")
    with pytest.raises(UserError, match=r"first\.md.*nowhere"):
        book.render(work, prose=prose)
    assert not (work / "_build" / "html").exists()
