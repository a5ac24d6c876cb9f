"""Running notebooks with papermill. Execution is the gate: a page exists only if its notebook ran to the end."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from snnbook import arithmetic, paths
from snnbook.book.notebooks import Notebook, defaults_of
from snnbook.book.runs import Parameters
from snnbook.book.stamp import Inputs
from snnbook.errors import UserError, unknown
from snnbook.files import atomic_write
from snnbook.parameters import jobs


@dataclass(frozen=True)
class ExecutedPage:
    """An executed notebook.

    path: the file with its outputs. seconds: wall time of the execution. kept: whether an earlier execution was still
    fresh, so that nothing ran.
    """

    name: str
    path: Path
    seconds: float
    kept: bool


class NotebookError(UserError):
    """A notebook that did not run to the end; the message says which cell and why."""


def execute(notebook: Notebook, parameters: Parameters, out: Path, inputs: Inputs | None = None) -> ExecutedPage:
    """Run one notebook into `out/<name>.ipynb` unless the page there is fresh.

    inputs: shared by pages with the same parameters, so that records are read once for all.
    The page appears only when every cell ran; after a failure there is none. Raises UserError for a parameter
    that the notebook does not have, NotebookError for a cell that fails.
    """
    import jupytext
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    use_this_interpreter()
    text = jupytext.read(notebook.path)
    defaults = defaults_of(text)
    for name in parameters:
        if name not in defaults:
            raise UserError(f"{notebook.name}: {unknown('parameter', name, defaults)}")
    stamp = (inputs or Inputs(parameters)).stamp(notebook)
    if "results" in parameters:
        parameters = {**parameters, "results": paths.from_repository(parameters["results"])}
    page = out / f"{notebook.name}.ipynb"
    page.parent.mkdir(parents=True, exist_ok=True)
    if stamp_of(page) == stamp:
        return ExecutedPage(notebook.name, page, 0.0, kept=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=page.parent, prefix=".running-") as scratch:
        source, target = Path(scratch) / "in.ipynb", Path(scratch) / "out.ipynb"
        nbformat.write(text, source)
        page.unlink(missing_ok=True)
        try:
            papermill.execute_notebook(
                str(source),
                str(target),
                parameters={name: value for name, value in parameters.items() if value != defaults[name]},
                kernel_name="python3",
                cwd=str(paths.repository()),
                progress_bar=False,
                request_save_on_cell_execute=False,
            )
        except PapermillExecutionError as err:
            raise NotebookError(_summary_of(notebook, err)) from None
        except DeadKernelError:
            raise NotebookError(f"{notebook.name}: the kernel died, perhaps for lack of memory") from None
        nb = nbformat.read(target, as_version=4)
        check_page(nb, notebook.name)
        for cell in nb.cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                cell.metadata["tags"].append("hide-input")
        nb.metadata["papermill"].update(input_path=f"notebooks/{notebook.name}.py", output_path=page.name)
        nb.metadata["snnbook"] = {
            "reproduces": list(notebook.reproduces),
            "reads": list(notebook.reads),
            "parameters": dict(parameters),
            "stamp": stamp,
        }
        nbformat.write(nb, target)
        os.replace(target, page)
    return ExecutedPage(notebook.name, page, time.perf_counter() - start, kept=False)


def execute_all(
    wanted: Sequence[Notebook], every: Iterable[Notebook], parameters: Parameters, out: Path
) -> tuple[ExecutedPage, ...]:
    """Execute the wanted notebooks, `jobs` at a time, with a line for each; pages of no notebook are removed.

    All are tried before NotebookError is raised for those that failed.
    """
    names = {notebook.name for notebook in every}
    for old in sorted(out.rglob("*.ipynb")):
        if old.relative_to(out).with_suffix("").as_posix() not in names:
            old.unlink()
    done: list[ExecutedPage] = []
    failed: list[str] = []
    inputs = Inputs(parameters)
    for name in dict.fromkeys(name for notebook in wanted for name in notebook.reads):
        inputs.of_study(name)  # read once, before the threads would all do it together
    use_this_interpreter()
    pool = ThreadPoolExecutor(jobs(parameters.get("jobs", 1)))
    waiting = {pool.submit(execute, notebook, parameters, out, inputs): notebook for notebook in wanted}
    try:
        for i, future in enumerate(as_completed(waiting), 1):
            try:
                page = future.result()
            except UserError as err:
                failed.append(str(err))
                outcome = "failed"
            else:
                done.append(page)
                outcome = "kept" if page.kept else f"{page.seconds:.1f} s"
            print(f"[{i:2d}/{len(wanted)}] {waiting[future].name:<32} {outcome}", flush=True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if failed:
        raise NotebookError("\n".join(failed))
    return tuple(sorted(done, key=lambda page: page.name))


def check_page(nb: Any, name: str) -> None:
    """Raises NotebookError for a page with an error among its outputs, or with code and no output."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    for output in outputs:
        if output.output_type == "error":
            raise NotebookError(f"{name}: an output is an error, {output.ename}: {output.evalue}")
    if code and not outputs:
        raise NotebookError(f"{name}: the page has code and no output")


def about(page: Path) -> Mapping[str, Any] | None:
    """What an execution wrote into a page: run times, parameters, stamp; None if there is no such page."""
    try:
        return json.loads(page.read_text(encoding="utf-8"))["metadata"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stamp_of(page: Path) -> str | None:
    """The stamp that a page was executed with; None if there is no such page."""
    return ((about(page) or {}).get("snnbook") or {}).get("stamp")


def _summary_of(notebook: Notebook, err: Any) -> str:
    """Cell, first line of its code, and the error; the end of the traceback unless the user can mend it."""
    lines = [line for line in err.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    text = f"{notebook.name}: cell {err.exec_count} (`{lines[0] if lines else ''}`): {err.ename}: {err.evalue}"
    if err.ename == "UserError":
        return text
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(err.traceback)).splitlines()
    return "\n".join([text, *(f"    {line}" for line in trace[-15:])])


@cache
def use_this_interpreter() -> None:
    """Put a kernel `python3` first on Jupyter's path that is this interpreter, with one thread for numerics.

    Jupyter keeps files of running kernels in the user's home; where there is none to write to, one below `build/` is.
    """
    from snnbook.book import kernels

    folder = paths.build() / "jupyter"
    if not os.access(os.path.expanduser("~"), os.W_OK):
        os.environ["HOME"] = str(folder / "home")
        (folder / "home").mkdir(parents=True, exist_ok=True)
    environment = {f"{lib}_NUM_THREADS": "1" for lib in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")}
    environment |= {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    environment |= arithmetic.variables()  # what a page trains is the same on every machine
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "--log-level=50", "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
        "env": environment,
        "metadata": kernels.prepare(environment),
    }
    path = folder / "kernels" / "python3" / "kernel.json"
    text = json.dumps(spec, indent=1)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with atomic_write(path) as aside:
            aside.write_text(text, encoding="utf-8")
    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("JUPYTER_PATH")]))
