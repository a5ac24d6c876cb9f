"""Every notebook of the book runs at the smoke profile, in the folder of `snnbook book --profile smoke`.

So a page that one of the two has executed is kept by the other, until something that it reads changes.
"""

from __future__ import annotations

import pytest
from filelock import FileLock

from snnbook import book
from snnbook.book.runs import run_studies
from snnbook.book.stamp import Inputs

PAGES = {page.name: page for page in book.notebooks()}
PARAMETERS = {"profile": "smoke", "seeds": "", "results": "", "jobs": 2, "options": ""}


@pytest.fixture(scope="session")
def inputs():
    """What the pages read; the first of the workers runs the studies."""
    folder = book.folder("smoke")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        run_studies((name for page in PAGES.values() for name in page.reads), PARAMETERS | {"jobs": 1})
    return Inputs(PARAMETERS)


@pytest.mark.notebooks
@pytest.mark.parametrize("name", PAGES)
def test_notebook_runs_at_the_smoke_profile(name, inputs):
    page = book.execute(PAGES[name], PARAMETERS, book.folder("smoke") / "executed", inputs)
    assert page.path.is_file()
