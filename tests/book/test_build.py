"""A build writes below one folder, which it has for itself, and takes the parameters of notebooks as papermill does."""

from __future__ import annotations

import sys

import pytest

from snnbook import book
from snnbook.book import Notebook
from snnbook.book.runs import lacking
from snnbook.errors import UserError
from snnbook.experiments import Store, study
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
    whole = Notebook("ideas/lif", tmp_path / "lif.py")
    without = Notebook("ideas/lamp", tmp_path / "lamp.py", (), ("lamp",))
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


def test_what_settings_were_tuned_by_is_lacking_at_the_laptop_alone(tmp_path, monkeypatch):
    """The other profiles take the settings that the repository's records chose, and never run the tuning."""
    own = {(trial.id, seed) for trial, seed in study("compare", "smoke").jobs}
    monkeypatch.setattr(Store, "has", lambda self, id, seed: (id, seed) in own)
    given = {"seeds": "", "options": "", "results": str(tmp_path)}
    assert lacking(["compare", "lamp"], given | {"profile": "smoke"}) == ["lamp"]
    assert lacking(["compare"], given | {"profile": "laptop"}) == ["compare"]
