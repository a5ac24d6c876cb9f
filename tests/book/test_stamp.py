"""A page is executed anew when something that it reads changed, and only then."""

from __future__ import annotations

import ast
import shutil

import pytest
from book.tiny import write

from snnbook import paths
from snnbook.book import imports
from snnbook.book.stamp import Inputs, calls_of_paths

CODE = "from snnbook import experiments"


def stamp(notebook, **parameters):
    return Inputs({"profile": "smoke", "seeds": "0", "jobs": 2} | parameters).stamp(notebook)


def test_text_and_parameters(tmp_path):
    before = stamp(write(tmp_path, "print(number)"))
    assert stamp(write(tmp_path, "print(number)"), jobs=1) == before  # decides nothing
    assert stamp(write(tmp_path, "print(number)"), number=2) != before
    assert stamp(write(tmp_path, "print(number, number)")) != before


def test_records_of_the_studies_that_it_reads_and_no_others(tmp_path):
    page, results = write(tmp_path, CODE, reads="lamp"), tmp_path / "results"
    empty = stamp(page, results=str(results))
    (results / "of-another-study").mkdir(parents=True)
    (results / "of-another-study" / "seed-0.json").write_text("{}")
    assert stamp(page, results=str(results)) == empty
    trial = next(iter(Inputs({"profile": "smoke"}).study("lamp").trials.values()))
    (results / trial.id).mkdir()
    (results / trial.id / "seed-0.json").write_text("{}")
    full = stamp(page, results=str(results))
    assert full != empty
    (results / trial.id / "seed-1.json").write_text("{}")  # a seed that is not asked for
    assert stamp(page, results=str(results)) == full
    assert stamp(page, results=str(results), options="sparsity=0.5") != full


def test_records_are_read_once_for_all_pages(tmp_path, monkeypatch):
    inputs, calls = Inputs({"profile": "smoke", "seeds": "0"}), []
    monkeypatch.setattr(inputs, "study", lambda name, study=inputs.study: calls.append(name) or study(name))
    for name in "abc":
        inputs.stamp(write(tmp_path, CODE, name, reads="lamp"))
    assert calls == ["lamp"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package whose files a test may change."""
    copy = tmp_path / "copy" / "snnbook"
    shutil.copytree(imports.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    monkeypatch.setattr(imports, "PACKAGE", copy)
    for cached in (imports.modules, imports.needed):
        cached.cache_clear()
    yield copy
    for cached in (imports.modules, imports.needed):
        cached.cache_clear()


def test_modules_that_it_imports_and_no_others(tmp_path, package):
    page = write(tmp_path, "from snnbook.report import tables")
    before = stamp(page)
    with (package / "cli.py").open("a") as file:
        file.write("# changed\n")
    assert stamp(page) == before
    with (package / "report" / "blocks.py").open("a") as file:  # which tables imports
        file.write("# changed\n")
    assert stamp(page) != before


def test_the_code_behind_records_only_where_the_page_runs_trials_itself(tmp_path, package):
    reader = write(tmp_path, "from snnbook.report.page import Page", "reader")
    runner = write(tmp_path, "from snnbook.report.page import Page\nfrom snnbook import experiments", "runner")
    before = stamp(reader), stamp(runner)
    with (package / "training.py").open("a") as file:
        file.write("# changed\n")
    assert stamp(reader) == before[0]
    assert stamp(runner) != before[1]


def test_data_only_where_its_code_reads_them(tmp_path, monkeypatch):
    shutil.copytree(paths.data() / "paper", tmp_path / "data" / "paper")
    for folder in ("bench", "tested"):
        (tmp_path / "data" / folder).mkdir()
    monkeypatch.setenv("SNNBOOK_DATA", str(tmp_path / "data"))
    pages = {
        "lif": write(tmp_path, "from snnbook.neurons import LIF", "lif"),
        "printed": write(tmp_path, "from snnbook.report import papers", "printed"),
        "timings": write(tmp_path, "from snnbook import paths\npaths.bench()", "timings"),
        "promises": write(tmp_path, "from snnbook.report.pages.your_network import supported", "promises"),
    }

    def changed(folder):
        before = {name: stamp(page) for name, page in pages.items()}
        (tmp_path / "data" / folder / "new.csv").write_text("a\n")
        return {name for name, page in pages.items() if stamp(page) != before[name]}

    assert changed("paper") == {"printed", "promises"}  # whose tables quote papers
    assert changed("bench") == {"timings"}
    assert changed("tested") == {"promises"}


def test_calls_of_paths():
    assert calls_of_paths(ast.parse("paths.bench()\nos.paths.data\nx.data()")) == {"bench"}
