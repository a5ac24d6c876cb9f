"""A build writes below one folder, which it has for itself, and takes the parameters of notebooks as papermill does."""

from __future__ import annotations

import sys

import pytest

from snnbook import book
from snnbook.book import Notebook
from snnbook.errors import UserError
from snnbook.files import held


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    """Everything that is built goes to a folder of the test."""
    monkeypatch.setenv("SNNBOOK_BUILD", str(tmp_path))
    return tmp_path


@pytest.mark.supports(
    "Places", "two builds of one profile at a time", "refused", says="another snnbook is at work in …: wait"
)
@pytest.mark.skipif(sys.platform == "win32", reason="no locks of folders there")
def test_the_later_of_two_builds_of_a_profile_says_that_another_runs(build):
    work = book.folder("smoke")
    work.mkdir(parents=True)
    with held(work), pytest.raises(UserError, match=rf"^another snnbook is at work in {work}: wait"):
        book.build("smoke", only=["ideas/lif"])
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [({"jobs": 0}, "jobs must be"), ({"seeds": True}, "seeds are"), ({"options": 3}, "options are")],
)
def test_parameters_are_refused_before_anything_is_written(given, why, build):
    with pytest.raises(UserError, match=why):
        book.build("smoke", only=["ideas/lif"], **given)
    assert list(build.iterdir()) == []


def test_a_build_from_stored_records_leaves_out_what_lacks_them_and_trains_nothing(
    build, tmp_path, monkeypatch, capsys
):
    whole, without = (
        Notebook("ideas/lif", tmp_path / "lif.py"),
        Notebook("ideas/lamp", tmp_path / "lamp.py", (), ("lamp",)),
    )
    monkeypatch.setattr(book, "notebooks", lambda: [whole, without])
    monkeypatch.setattr(book, "check_toc", lambda *_: None)
    old = book.folder("smoke") / "executed" / "ideas" / "lamp.ipynb"
    old.parent.mkdir(parents=True)
    old.touch()
    executed = []
    monkeypatch.setattr(book, "execute_all", lambda wanted, *_: executed.extend(wanted) or ())
    monkeypatch.setattr(book, "render", lambda work, strict: work / "index.html")
    book.build("smoke", results=str(tmp_path / "records"), stored=True)
    assert executed == [whole]
    assert not old.exists()
    assert "no page for ideas/lamp: records are missing of lamp\n" in capsys.readouterr().out
