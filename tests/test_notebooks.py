"""Every notebook of the book runs at the smoke profile, through the same gate as the book's own build."""

from __future__ import annotations

import pytest
from filelock import FileLock

from snnbook import book

PAGES = {page.name: page for page in book.notebooks()}


@pytest.fixture(scope="session")
def parameters(tmp_path_factory):
    """One results folder for all workers, filled by the first of them."""
    shared = tmp_path_factory.getbasetemp().parent / "smoke"
    given = {"profile": "smoke", "seeds": "", "results": str(shared), "jobs": 1, "options": ""}
    with FileLock(f"{shared}.lock"):
        book._run_studies(PAGES.values(), given)
    return given


@pytest.mark.notebooks
@pytest.mark.parametrize("name", PAGES)
def test_notebook_runs_at_the_smoke_profile(name, parameters, tmp_path):
    page = book.execute(PAGES[name], parameters, tmp_path)
    assert page.path.is_file()
