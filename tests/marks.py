"""What the tests promise to users, as two tables: `python tests/marks.py` writes `data/tested/`.

A test says by a mark what a user may rely on:

    @pytest.mark.supports("State", "a state that nobody clears", "refused", says="1 (Own of test_states) keeps a state")
    @pytest.mark.differs("a spike at exactly the threshold", ours="fires", theirs={"Norse": "does not fire"})

`supports` goes to `support.csv`; `says` is the beginning of the message, `…` standing for anything, and the test fails
where users see another (`conftest.py`). `differs` goes to `definitions.csv`, one row for each library. The marks are
read and the tests are not imported, so that the tables are the same whichever libraries are installed.
"""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from snnbook import paths

TESTS = Path(__file__).parent
KINDS = ("Synapses", "MACs and ACs", "Weights", "Wrappers", "State", "Shapes", "Recordings", "Files", "Places")
OUTCOMES = ("counted", "pruned", "accepted", "restored", "reported apart", "left alone", "refused")
SUPPORT = ("kind", "what", "outcome", "says", "test")
DEFINITIONS = ("definition", "ours", "library", "theirs", "test")

Row = tuple[str, ...]


def _supports(kind: str, what: str, outcome: str, says: str = "") -> list[Row]:
    if kind not in KINDS:
        raise ValueError(f"the kind {kind!r} is none of {', '.join(KINDS)}")
    if not outcome.startswith(OUTCOMES):
        raise ValueError(f"the outcome {outcome!r} begins with none of {', '.join(OUTCOMES)}")
    return [(kind, what, outcome, says)]


def _differs(definition: str, ours: str, theirs: dict[str, str]) -> list[Row]:
    return [(definition, ours, library, value) for library, value in theirs.items()]


_MARKS = {"pytest.mark.supports": _supports, "pytest.mark.differs": _differs}


def _rows(folder: Path, mark: str) -> Iterator[Row]:
    """What the marks of one name say, with the test that each is on, in order of files and lines."""
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            test = f"{path.relative_to(folder).as_posix()}::{node.name}"
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func) == mark:
                    try:
                        given = [ast.literal_eval(value) for value in call.args]
                        named = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
                        yield from ((*row, test) for row in _MARKS[mark](*given, **named))
                    except (TypeError, ValueError) as err:
                        raise ValueError(f"{test}: {err}") from err


def support(folder: Path = TESTS) -> list[Row]:
    """The rows of `support.csv`, by kind, what is refused last.

    Raises ValueError, naming the test, for a mark of another form and for one thing that is promised twice.
    """
    rows = list(_rows(folder, "pytest.mark.supports"))
    _check_unique(rows, 0, 1)
    return sorted(rows, key=lambda row: (KINDS.index(row[0]), row[2].startswith("refused")))


def definitions(folder: Path = TESTS) -> list[Row]:
    """The rows of `definitions.csv`, by definition and library.

    Raises ValueError, naming the test, for a mark of another form, for a library that is said to differ twice, and for
    two marks that say another thing of ours.
    """
    rows = list(_rows(folder, "pytest.mark.differs"))
    _check_unique(rows, 0, 2)
    ours: dict[str, str] = {}
    for row in rows:
        if ours.setdefault(row[0], row[1]) != row[1]:
            raise ValueError(f"{row[-1]}: ours is {row[1]!r} here and {ours[row[0]]!r} elsewhere, for {row[0]!r}")
    return sorted(rows)


def _check_unique(rows: list[Row], *columns: int) -> None:
    first: dict[Row, str] = {}
    for row in rows:
        name = tuple(row[i] for i in columns)
        if name in first:
            raise ValueError(f"{row[-1]}: {', '.join(name)} stands at {first[name]}, too")
        first[name] = row[-1]


def as_csv(header: Row, rows: list[Row]) -> str:
    """The text of a table."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def tables() -> dict[Path, str]:
    """File → its text, as the marks of now have it."""
    folder = paths.tested()
    return {
        folder / "support.csv": as_csv(SUPPORT, support()),
        folder / "definitions.csv": as_csv(DEFINITIONS, definitions()),
    }


if __name__ == "__main__":
    for file, content in tables().items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(content, encoding="utf-8")
