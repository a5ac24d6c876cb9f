"""The house rules a program can check: direction of imports, docstrings, sizes, nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from snnbook.book.imports import imported, modules, statements, tree

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "snnbook"

# From the ground up. A module imports from its own floor and from the floors below it, never from above.
FLOORS = (
    (
        "snnbook",
        "snnbook.arithmetic",
        "snnbook.errors",
        "snnbook.files",
        "snnbook.headers",
        "snnbook.joules",
        "snnbook.parameters",
        "snnbook.paths",
    ),
    ("snnbook.surrogates",),
    ("snnbook.native",),
    ("snnbook.neurons", "snnbook.states"),
    ("snnbook.networks", "snnbook.potentials", "snnbook.tracing"),
    (
        "snnbook.pruning.budgets",
        "snnbook.pruning.fields",
        "snnbook.pruning.pruner",
        "snnbook.pruning.registry",
        "snnbook.pruning.schedules",
        "snnbook.pruning.scores",
        "snnbook.pruning.weights",
    ),
    ("snnbook.pruning.parts",),
    ("snnbook.pruning", "snnbook.pruning.methods"),
    ("snnbook.measure", "snnbook.datasets", "snnbook.feeding", "snnbook.rehearsal", "snnbook.training"),
    ("snnbook.sparse",),
    ("snnbook.experiments.key", "snnbook.experiments.record", "snnbook.experiments.store"),
    ("snnbook.experiments.extras", "snnbook.experiments.trials"),
    ("snnbook.experiments.measurements", "snnbook.experiments.profiles", "snnbook.experiments.run"),
    ("snnbook.experiments.queue", "snnbook.experiments.studies"),
    ("snnbook.experiments",),
    ("snnbook.report",),
    ("snnbook.bench", "snnbook.book", "snnbook.cli", "snnbook.doctor"),
)
REPORT_MAY_USE = (
    "snnbook",
    "snnbook.errors",
    "snnbook.headers",
    "snnbook.joules",
    "snnbook.parameters",
    "snnbook.paths",
    "snnbook.report",
    "snnbook.experiments.key",
    "snnbook.experiments.record",
    "snnbook.experiments.store",
    "snnbook.pruning.registry",
    "snnbook.surrogates",  # whose peak is a claim
)
METHODS = sorted((PACKAGE / "pruning" / "methods").glob("[!_]*.py"))


def uses(module: str) -> frozenset[str]:
    """The modules of this package that a module imports."""
    return imported(tree(modules()[module])) - {module}


def covered_by(module: str, units: tuple[str, ...]) -> str:
    """The longest of the names that the module is or lies in ('snnbook' itself covers nothing else)."""
    inside = (unit for unit in units if module == unit or (module.startswith(unit + ".") and unit != "snnbook"))
    return max(inside, key=len, default="")


def floor(module: str) -> int:
    return max(range(len(FLOORS)), key=lambda i: len(covered_by(module, FLOORS[i])))


def test_every_module_has_a_floor():
    assert [module for module in modules() if not any(covered_by(module, units) for units in FLOORS)] == []


def test_imports_run_one_way():
    upward = [f"{m} → {used}" for m in modules() for used in uses(m) if floor(used) > floor(m)]
    assert upward == []


def test_no_relative_imports():
    relative = [
        module
        for module, path in modules().items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_no_circles():
    try:
        TopologicalSorter({module: uses(module) for module in modules()}).prepare()
    except CycleError as err:
        pytest.fail(" → ".join(err.args[1]))


def test_measure_knows_no_method():
    assert not [
        module
        for module in modules()
        if covered_by(module, ("snnbook.measure",)) and any(covered_by(u, ("snnbook.pruning",)) for u in uses(module))
    ]


def test_report_stands_on_records_alone():
    beyond = [
        f"{module} → {used}"
        for module in modules()
        if module.startswith("snnbook.report") and module != "snnbook.report.page"  # which asks for the records
        for used in uses(module)
        if not covered_by(used, REPORT_MAY_USE)
    ]
    assert beyond == []


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
            yield node


def test_everything_public_has_a_docstring():
    bare = [
        f"{module}.{node.name}"
        for module, path in modules().items()
        for node in public(tree(path).body)
        if not ast.get_docstring(node)
    ]
    bare += [module for module, path in modules().items() if not ast.get_docstring(tree(path))]
    assert bare == []


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.stem)
def test_a_method_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 100


def test_torchvision_has_one_door():
    sources = [*modules().values(), *(ROOT / "notebooks").rglob("*.py")]
    named = re.compile(r"import_module\(.torchvision")
    doors = {
        path.relative_to(ROOT).as_posix()
        for path in sources
        if any(name.split(".")[0] == "torchvision" for name, _ in statements(tree(path)))
        or named.search(path.read_text(encoding="utf-8"))
    }
    assert doors <= {"src/snnbook/datasets/vision.py"}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_front_pages_name_what_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"(?:src|data|book|notebooks|tests|[.]ci)/[\w./-]*\w/?|\b[A-Z]+[.](?:md|cff)\b", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def files_in_git() -> list[Path]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


# Written so that this file does not match: a slash or a dot is never followed by its word.
OF_ONE_MACHINE = {
    "path of a machine": rb"(?<![\w.~*-])/(?:work|root|home|Users|opt|mnt)/[\w.]",
    "package registry": rb"(?:pypi|pythonhosted|npmjs|anaconda)[.](?:org|com)|index[-]url|find[-]links",
    "address in a network": rb"https?[:]//(?:localhost|\d+[.]\d+[.]\d+[.]\d+)",
}


@pytest.mark.parametrize("kind", OF_ONE_MACHINE)
def test_nothing_of_one_machine_in_git(kind):
    pattern = re.compile(OF_ONE_MACHINE[kind])
    found = []
    for path in files_in_git():
        content = path.read_bytes()
        if b"\0" not in content and (match := pattern.search(content)):
            found.append(f"{path.relative_to(ROOT)}: {match.group().decode()}")
    assert found == []


def test_the_pattern_for_paths_finds_them():
    pattern = re.compile(OF_ONE_MACHINE["path of a machine"])
    for folder in ("work", "root", "home"):
        assert pattern.search(f"from '/{folder}/someone/x.py'".encode())
    assert not pattern.search(b"book/executed/home/x or https://example.org/home/x")
