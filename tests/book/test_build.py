"""A build writes below one folder, which it has for itself, and takes the parameters of notebooks as papermill does."""

from __future__ import annotations

import sys

import pytest

from snnbook import book
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
