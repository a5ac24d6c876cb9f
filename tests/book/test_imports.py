"""Dependencies of a piece of code are read off its imports."""

from __future__ import annotations

import ast
import gc
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from subprocess import run

import pytest

from snnbook.book import imports


@pytest.mark.parametrize(
    ("code", "direct"),
    [
        ("from snnbook import errors, __version__", {"snnbook", "snnbook.errors"}),
        ("from snnbook.errors import UserError", {"snnbook.errors"}),
        ("import snnbook.neurons", {"snnbook.neurons"}),
        ("def f():\n    from snnbook import native", {"snnbook.native"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from snnbook import native", set()),
        ("import numpy as np", set()),
    ],
)
def test_what_code_imports_itself(code, direct):
    assert imports.imported(ast.parse(code)) == direct


def test_the_closure_holds_all_that_python_loads():
    """The import itself is the witness: no module of the package is loaded that the closure lacks."""
    statement = "from snnbook import experiments\nfrom snnbook.report import claims, plots"
    script = f"{statement}\nimport sys\nprint(*(name for name in sys.modules if name.split('.')[0] == 'snnbook'))"
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if name in imports.modules()}
    assert loaded <= imports.closure(ast.parse(statement))
    assert "snnbook.cli" not in imports.closure(ast.parse(statement))


def test_a_module_that_looks_others_up_by_name_depends_on_its_whole_folder():
    assert "snnbook.datasets.arms" in imports.closure_of("snnbook.datasets")


def test_threads_may_parse_at_once():
    """While a tree is built another thread may run, here in every collection of garbage."""
    code = "\n".join(f"{'(' * 30}{i}{')' * 30}" for i in range(300))
    thresholds = gc.get_threshold()
    gc.callbacks.append(lambda *_: time.sleep(0))
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert len({ast.dump(tree) for tree in threads.map(imports.parsed, [code] * 8)}) == 1
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.pop()
