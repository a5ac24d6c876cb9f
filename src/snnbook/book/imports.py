"""Which modules of the package a piece of code depends on, read off its imports without running it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from threading import Lock

import snnbook

PACKAGE = Path(snnbook.__file__).parent
_PARSER = Lock()  # Python 3.11 counts the depth of a tree for all threads together and fails where two parse at once


@cache
def modules() -> dict[str, Path]:
    """Name → file of every module of the package."""
    return {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parsed(code: str) -> ast.Module:
    """The syntax tree of a piece of code; pages are executed by several threads, which take turns here."""
    with _PARSER:
        return ast.parse(code)


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return parsed(path.read_text(encoding="utf-8"))


def statements(node: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every import that runs, in functions too: (module, names taken from it); not those for the type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, ()) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield child.module or "", tuple(alias.name for alias in child.names)
        else:
            yield from statements(child)


def imported(node: ast.AST) -> frozenset[str]:
    """The modules of the package that a piece of code imports itself."""
    known, used = modules(), set()
    for name, members in statements(node):
        submodules = {f"{name}.{member}" for member in members} & set(known)
        used |= submodules
        if name in known and len(submodules) < max(1, len(members)):
            used.add(name)
    return frozenset(used)


@cache
def needed(module: str) -> frozenset[str]:
    """What importing one module imports next: the packages it lies in, its own imports, and its whole folder if it
    looks modules up by name."""
    known = modules()
    parts = module.split(".")
    packages = {".".join(parts[:i]) for i in range(1, len(parts))}
    inside: set[str] = set()
    if "import_module(" in known[module].read_text(encoding="utf-8"):
        home = module if known[module].name == "__init__.py" else module.rpartition(".")[0]
        inside = {name for name in known if name.startswith(f"{home}.")}
    return frozenset((imported(tree(known[module])) | packages | inside) - {module})


def closure(code: ast.AST, without: Collection[tuple[str, str]] = ()) -> frozenset[str]:
    """All modules of the package that a piece of code depends on: what it imports, what that imports, and so on.

    without: imports, as pairs of the importing module and the imported one, that are not followed.
    """
    return _closure(imported(code), without)


def closure_of(module: str) -> frozenset[str]:
    """The same for a module of the package, itself included."""
    return _closure(frozenset({module}))


def _closure(start: frozenset[str], without: Collection[tuple[str, str]] = ()) -> frozenset[str]:
    left, reached = list(start), set[str]()
    while left:
        module = left.pop()
        if module not in reached:
            reached.add(module)
            left += (name for name in needed(module) if (module, name) not in without)
    return frozenset(reached)
