"""A verdict on every claim of the papers, reached by program from records.

A paper's claims are checked in a file of its own. A claim is turned into quantities with a line each ("SOPs of S+T
minus SOPs of S, below 0"). A quantity is computed once per seed, so that differences are paired, and its Student-t 95 %
interval decides: on the claimed side of the line the claim holds, on the other side it fails, across the line it is
undecided. With several data sets a claim holds if it holds on all and fails if it fails on any. Fewer than three seeds,
or a number that is missing, decide nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from snnbook.errors import UserError, unknown
from snnbook.report import papers
from snnbook.report.claims.judging import (
    CHECKS,
    FAILS,
    HOLDS,
    NOT_TESTABLE,
    OUTCOMES,
    STUDIES_READ,
    UNDECIDED,
    Comparison,
    NotTestable,
    Studies,
    Verdict,
    comparison,
    decide,
)

__all__ = [
    "FAILS",
    "HOLDS",
    "NOT_TESTABLE",
    "OUTCOMES",
    "UNDECIDED",
    "Comparison",
    "Studies",
    "Verdict",
    "comparison",
    "counts",
    "decide",
    "lines",
    "studies_read",
    "table",
    "testable",
    "verdict",
    "verdicts",
]


def _why_not(row: Mapping[str, Any]) -> str:
    """Why a claim without a check is not testable here: the runs or the data that are missing."""
    methods = [m.strip() for m in str(row["methods"]).split(";")]
    if methods == ["analytic"] or methods == ["-"]:
        return f"a calculation of paper {row['paper']} ({row['source']}), which no check makes"
    if row["small_data_feasibility"] == "arithmetic":
        return f"arithmetic on the printed numbers of paper {row['paper']}, which no check makes"
    sets = str(row["datasets"]).replace(";", ",")
    data = "" if sets in ("none", "any", "all", "same") else f" on {sets} or a stand-in"
    runs = f"needs paper {row['paper']}'s runs of {', '.join(methods)}{data} ({row['source']})"
    return f"{runs}, which no study makes"


def testable() -> list[str]:
    """The claims that have a check."""
    return sorted(CHECKS)


def verdict(claim: str, studies: Studies) -> Verdict:
    """The verdict on one claim from what was run: study name → its results.

    Raises UserError for an unknown claim.
    """
    table = papers.claims().set_index("id", drop=False)
    if claim not in table.index:
        raise unknown("claim", claim, table.index)
    if claim not in CHECKS:
        return Verdict(claim, NOT_TESTABLE, _why_not(table.loc[claim]))
    try:
        return CHECKS[claim](studies)
    except NotTestable as missing:
        return Verdict(claim, NOT_TESTABLE, str(missing))


def studies_read(claim: str | None = None) -> list[str]:
    """The studies that the check of a claim reads, or that of any; none for a claim without a check."""
    if claim is not None:
        return list(STUDIES_READ.get(claim, ()))
    return sorted({study for studies in STUDIES_READ.values() for study in studies})


def verdicts(studies: Studies, claims: Iterable[str] | None = None, paper: str | None = None) -> list[Verdict]:
    """The verdicts on the named claims, on those of a paper, or on all, in the order of the print."""
    if claims is not None and paper is not None:
        raise UserError("name the claims or a paper, not both")
    names = papers.claims(paper)["id"] if claims is None else claims
    return [verdict(name, studies) for name in names]


def lines(board: Iterable[Verdict]) -> list[str]:
    """One plain line per claim that was tested, for a terminal."""
    return [f"{v.claim}  {v.outcome:9}  {v.reason}" for v in board if v.outcome != NOT_TESTABLE]


def table(board: Iterable[Verdict]) -> pd.DataFrame:
    """The verdicts in numbers, a row for each claim: claim, outcome, estimate, low, high, n.

    The estimate is that of the deciding comparison, low and high are its 95 % interval over n seeds; they are empty
    where there is no number.
    """
    columns = ("claim", "outcome", "estimate", "low", "high", "n")
    return pd.DataFrame([{column: getattr(v, column) for column in columns} for v in board], columns=columns)


def counts(board: Iterable[Verdict], paper: str | None = None) -> dict[str, int]:
    """Outcome → number of claims, of one paper or of all."""
    if paper is not None:
        papers.paper(paper)
    chosen = [v.outcome for v in board if paper is None or v.claim.startswith(f"{paper}-")]
    return {outcome: chosen.count(outcome) for outcome in OUTCOMES}


for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)  # a file's checks enter themselves
