"""One module knows the folders; with SNNBOOK_DATA all data move, and without a repository the library still works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from snnbook import book, experiments, paths
from snnbook.book.runs import results_folder
from snnbook.errors import UserError

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "snnbook"


def test_the_folders_of_the_repository():
    assert paths.repository() == ROOT
    assert paths.data() == ROOT / "data"
    for folder in (paths.notebooks(), paths.book(), paths.bench(), paths.compiled(), paths.tested()):
        assert folder.is_dir()
    assert paths.results("laptop").is_dir()
    assert {paths.results("smoke"), paths.bench(quick=True)} == {
        paths.build() / "smoke-results",
        paths.build() / "bench",
    }


@pytest.mark.supports(
    "Places", "a relative folder in --results", "accepted: it is one in the working folder, for every command"
)
@pytest.mark.supports("Places", "a file in --results", "refused", says="records are kept in a folder, and … is a file")
def test_a_relative_folder_is_one_in_the_working_folder_for_every_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "my"
    assert paths.results("laptop", "my") == experiments.open_store("smoke", "my").path == mine
    assert results_folder({"profile": "smoke", "results": "my"}) == mine
    assert paths.from_repository(str(mine)) == str(mine)
    assert paths.from_repository(str(ROOT / "data" / "results")) == "data/results"
    mine.touch()
    with pytest.raises(UserError, match=rf"{mine} is a file"):
        experiments.open_store("smoke", "my")
    with pytest.raises(UserError, match="no name of a folder"):
        paths.results("laptop", "~no-such-user/my")


@pytest.mark.supports(
    "Places", "a clone that cannot be written, with SNNBOOK_BUILD", "accepted: all that is built goes there"
)
def test_what_can_be_made_again_moves_with_one_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBOOK_BUILD", str(tmp_path))
    assert (paths.results("smoke"), paths.bench(quick=True)) == (tmp_path / "smoke-results", tmp_path / "bench")
    assert book.folder("laptop") == tmp_path / "book" / "laptop"


NO_HOME = """
import os, pwd, warnings
def nameless(uid): raise KeyError(uid)
pwd.getpwuid = nameless
import snnbook
from snnbook import datasets
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        assert len(datasets.load("digits-clutter", "test"))
assert [str(w.message).count("set SNNBOOK_CACHE") for w in caught] == [1], [str(w.message) for w in caught]
from snnbook.cli import main
main(["doctor"])
"""


def test_a_home_that_the_system_does_not_know_is_no_folder_with_a_tilde(monkeypatch):
    monkeypatch.delenv("SNNBOOK_CACHE", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: "~/.cache/snnbook")
    assert paths.cache() is None


@pytest.mark.supports("Places", "a user without a home", "accepted: nothing is cached, and one warning says so")
def test_a_user_without_a_home_gets_data_sets_and_one_warning(tmp_path):
    """No variable, and no name for the user's number."""
    env = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME", "SNNBOOK_CACHE")}
    env |= {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", NO_HOME], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert any(line.split()[:3] == ["missing", "data", "cache"] for line in done.stdout.splitlines()), done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.supports("Places", "SNNBOOK_DATA", "accepted: printed numbers, records and timings move together")
def test_all_data_move_together(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBOOK_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"SNNBOOK_DATA is .* no folder 'paper'"):
        paths.data()
    (tmp_path / "paper").mkdir()
    moved = (paths.results("laptop"), paths.results("paper"), paths.bench(), paths.compiled(), paths.tested())
    assert moved == tuple(tmp_path / name for name in ("results", "results", "bench", "compiled", "tested"))
    assert experiments.open_store("laptop").path == tmp_path / "results"


def test_no_other_module_looks_for_folders():
    climbing = [path.name for path in PACKAGE.rglob("*.py") if ".parents[" in path.read_text(encoding="utf-8")]
    assert climbing == ["paths.py"]


def test_without_a_repository_the_library_works_and_the_rest_says_what_it_needs(tmp_path):
    """A copy of the package, as a wheel installs it; the interpreter sees nothing else of the repository."""
    shutil.copytree(PACKAGE, tmp_path / "snnbook", ignore=shutil.ignore_patterns("__pycache__"))
    script = """
import torch
from snnbook import datasets, experiments, headers, measure, networks, pruning, sparse
from snnbook.errors import UserError
from snnbook.report import papers

assert experiments.__file__.startswith(FOLDER), experiments.__file__
assert datasets.load("digits-clutter", "test")[0][0].shape == (1, 12, 12)
x = torch.rand(2, 2, 2, 32, 32).round()
model = networks.build("dvsgesture", in_channels=2, image_size=32, num_classes=10, width=0.05, T=2).eval()
pruning.global_masks(pruning.scores.lamp({"w": torch.randn(5, 5)}), 0.5)
assert measure.sops(model, x).total >= 0
assert sparse.compile(model, x)(x).shape == (2, 2, 10)
for call in (lambda: experiments.results("A.ablation"), papers.claims, headers.headers, headers.artefacts):
    try:
        call()
    except UserError as err:
        assert "part of the repository" in str(err) and "pip install -e ." in str(err), err
        assert "\\n" not in str(err)
    else:
        raise AssertionError("a page's records or notebooks were found outside a clone")
"""
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    env.pop("SNNBOOK_DATA", None)
    command = [sys.executable, "-c", script.replace("FOLDER", repr(str(tmp_path)))]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
