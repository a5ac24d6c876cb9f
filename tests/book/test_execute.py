"""A page appears only from a notebook that ran to the end, with the parameters that were given."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from book.tiny import write

from snnbook import paths
from snnbook.book import ExecutedPage, NotebookError, execute, kernels
from snnbook.book.execute import check_page, execute_all, use_this_interpreter
from snnbook.errors import UserError


def text_of(page: ExecutedPage) -> str:
    nb = nbformat.read(page.path, as_version=4)
    return "".join(o.text for c in nb.cells if c.cell_type == "code" for o in c.outputs)


def test_parameters_arrive_in_this_interpreter_and_the_page_is_kept_until_something_changes(tmp_path):
    out, given = tmp_path / "out", {"number": 7}
    code = "import os, sys\nprint(number, sys.prefix, os.environ['OMP_NUM_THREADS'], os.getcwd(), sep='|')"
    page = execute(write(tmp_path, code), given, out)
    number, prefix, threads, folder = text_of(page).strip().split("|")
    assert (number, threads, Path(folder)) == ("7", "1", paths.repository())
    assert Path(prefix) == Path(sys.prefix)
    assert page.path == out / "ideas" / "tiny.ipynb"
    assert [p.name for p in page.path.parent.iterdir()] == ["tiny.ipynb"]
    assert not page.kept
    assert execute(write(tmp_path, code), given, out).kept
    again = execute(write(tmp_path, "print(number + 1)"), given, out)
    assert not again.kept
    assert text_of(again) == "8\n"


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_a_kernel_has_its_libraries_at_once_from_a_process_with_one_thread(tmp_path):
    code = f"""import os, sys
print(set({kernels.IMPORTS}) - set(sys.modules), len(os.listdir(f"/proc/{{os.getppid()}}/task")))"""
    assert text_of(execute(write(tmp_path, code), {}, tmp_path / "out")) == "set() 1\n"


def test_an_unknown_parameter_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match="unknown parameter 'nmber'; did you mean number"):
        execute(write(tmp_path, "print(1)"), {"nmber": 2}, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.ipynb"))


def test_a_notebook_that_fails_leaves_no_page_not_even_the_old_one_and_the_others_are_tried(tmp_path, capsys):
    out = tmp_path / "out"
    every = [write(tmp_path, "# a comment\nx = 1 / 0"), write(tmp_path, "import os\nos._exit(1)", "dies")]
    for name in ("ideas/tiny", "gone"):
        (out / f"{name}.ipynb").parent.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.ipynb").write_text("{}")
    with pytest.raises(NotebookError) as error:
        execute_all(every, every, {"profile": "laptop"}, out)
    assert r"ideas/tiny: cell 2 (`x = 1 / 0`): ZeroDivisionError: division by" in str(error.value)
    assert "dies: the kernel died" in str(error.value)
    assert list(out.rglob("*.ipynb")) == []
    assert capsys.readouterr().out.count("failed") == 2


@pytest.mark.parametrize(
    ("outputs", "why"),
    [
        ([nbformat.v4.new_output("error", ename="KeyError", evalue="'a'", traceback=[])], "an error, KeyError"),
        ([], "code and no output"),
    ],
)
def test_a_page_with_an_error_output_or_without_any_is_refused(outputs, why):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("f()", outputs=outputs)])
    with pytest.raises(NotebookError, match=why):
        check_page(nb, "page")


def test_without_a_home_that_can_be_written_jupyter_gets_one_of_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "prepare", lambda environment: {})
    monkeypatch.setenv("SNNBOOK_BUILD", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PATH", "")
    for home, chosen in ((tmp_path, tmp_path), ("/dev/null/home", tmp_path / "jupyter" / "home")):
        monkeypatch.setenv("HOME", str(home))
        use_this_interpreter.__wrapped__()
        assert Path.home() == chosen
        assert chosen.is_dir()
