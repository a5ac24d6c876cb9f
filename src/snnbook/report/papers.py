"""The printed numbers of the four papers, as they stand in `data/paper/`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from snnbook import paths
from snnbook.errors import UserError, unknown


@dataclass(frozen=True)
class Paper:
    """A paper of the book; `doi` is empty where the print gives none."""

    letter: str
    short: str
    authors: str
    year: int
    title: str
    venue: str
    doi: str = ""

    @property
    def citation(self) -> str:
        """The reference in one line."""
        end = f" doi:{self.doi}." if self.doi else ""
        return f"{self.authors} ({self.year}). {self.title}. {self.venue}.{end}"


PAPERS: dict[str, Paper] = {
    paper.letter: paper
    for paper in (
        Paper(
            "A",
            "Gou et al. 2025",
            "Gou S, Fu J, Sha Y, Cao Z, Guo Z, Eshraghian JK, Li R, Jiao L",
            2025,
            "Dynamic spatio-temporal pruning for efficient spiking neural networks",
            "Frontiers in Neuroscience 19:1545583",
            "10.3389/fnins.2025.1545583",
        ),
        Paper(
            "B",
            "Shi et al. 2024",
            "Shi X, Ding J, Hao Z, Yu Z",
            2024,
            "Towards energy efficient spiking neural networks: an unstructured pruning framework",
            "ICLR 2024",
        ),
        Paper(
            "C",
            "Chen et al. 2023",
            "Chen S, Liu B, Liu Z, You H",
            2023,
            "Brain-inspired efficient pruning: exploiting criticality in spiking neural networks",
            "arXiv:2311.16141",
        ),
        Paper(
            "D",
            "Wang et al. 2026",
            "Wang J, Ye Z, Ouyang Y",
            2026,
            "Spiking layer-adaptive magnitude-based pruning",
            "abstract only",
        ),
    )
}


def paper(letter: str) -> Paper:
    """The paper of a letter. Raises UserError for an unknown one."""
    if letter not in PAPERS:
        raise unknown("paper", letter, PAPERS)
    return PAPERS[letter]


def _read(name: str) -> pd.DataFrame:
    path = paths.data() / "paper" / f"{name}.csv"
    if not path.is_file():
        raise UserError(f"{path.name} is missing in {path.parent}")
    return _parsed(path).copy()


@cache
def _parsed(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def tables() -> list[tuple[str, str]]:
    """The printed tables there are: (paper, table number)."""
    names = sorted(path.stem for path in (paths.data() / "paper").glob("?_table*.csv"))
    return [(name[0], name.split("_table")[1]) for name in names]


def table(letter: str, number: str) -> pd.DataFrame:
    """A printed table, one row per line of print. Columns: see `data/README.md`.

    Raises UserError for an unknown paper or table.
    """
    paper(letter)
    valid = [n for p, n in tables() if p == letter]
    if str(number) not in valid:
        raise unknown(f"table of paper {letter}", number, valid or ["none"])
    return _read(f"{letter}_table{number}")


def rows(letter: str, number: str, **where: object) -> pd.DataFrame:
    """The rows of a printed table with these values: `rows("A", "5", variant="S+T", T=10)`.

    Raises UserError for an unknown paper, table or column.
    """
    frame = table(letter, number)
    for name, wanted in where.items():
        _check_column(frame, letter, number, name)
        frame = frame[frame[name] == wanted]
    return frame


def value(letter: str, number: str, column: str, **where: object) -> float:
    """One printed number: `value("A", "4", "acc", dataset="DVS128-Gesture", variant="S+T")`.

    NaN where the cell is empty. Raises UserError unless exactly one row fits.
    """
    frame = rows(letter, number, **where)
    _check_column(frame, letter, number, column)
    if len(frame) != 1:
        given = ", ".join(f"{k}={v!r}" for k, v in where.items())
        raise UserError(f"paper {letter} Table {number} has {len(frame)} rows with {given}; one is needed")
    return float(frame[column].iloc[0])


def _check_column(frame: pd.DataFrame, letter: str, number: str, name: str) -> None:
    if name not in frame.columns:
        raise unknown(f"column of paper {letter} Table {number}", name, frame.columns)


def _of(frame: pd.DataFrame, letter: str | None) -> pd.DataFrame:
    if letter is None:
        return frame
    paper(letter)
    return frame[frame["paper"].str.split("; ").map(lambda letters: letter in letters)].reset_index(drop=True)


def claims(letter: str | None = None) -> pd.DataFrame:
    """The claims in checkable form, of one paper or of all; `page` is the notebook on which a claim is judged."""
    return _of(_read("claims"), letter)


def discrepancies(letter: str | None = None) -> pd.DataFrame:
    """Where a paper contradicts itself, another or its public code.

    Grades: E(rror), Q(uestionable), O(CR), I(nferred), C(ode), see `data/README.md`.
    """
    return _of(_read("discrepancies"), letter)


def hyperparameters(letter: str | None = None) -> pd.DataFrame:
    """The settings that a paper or its public code states, and those that are missing, see `data/README.md`."""
    return _of(_read("hyperparameters"), letter)


def claim_texts(ids: Iterable[str]) -> dict[str, str]:
    """Claim id → the claim in one sentence. Raises UserError for an unknown id."""
    known = claims().set_index("id")["claim"].to_dict()
    wanted = list(ids)
    for claim in wanted:
        if claim not in known:
            raise unknown("claim", claim, known)
    return {claim: known[claim] for claim in wanted}


def chips() -> pd.DataFrame:
    """What chips spend on a synaptic operation, as paper B prints it in A.10, and in one unit.

    Columns: chip, reference, printed, unit ("pJ/SOP" or "GSOPS/W"), condition ("typical", "maximum" or empty), and
    pJ_per_SOP, which is 1000 over a number of GSOPS/W.
    """
    frame = _read("B_chips")
    rate = frame["unit"] == "GSOPS/W"
    frame["pJ_per_SOP"] = frame["printed"].where(~rate, 1000 / frame["printed"])
    return frame


def energies() -> pd.DataFrame:
    """Energies that the sources of `snnbook.joules` print, with the counts of the case; see `data/README.md`."""
    return _read("energy")
