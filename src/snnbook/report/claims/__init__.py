"""A verdict on every claim of the papers, reached by program from records.

A paper's claims are checked in a file of its own. A claim is turned into quantities with a line each ("SOPs of S+T
minus SOPs of S, below 0"). A quantity is computed once per seed, so that differences are paired, and its Student-t 95 %
interval decides: on the claimed side of the line the claim holds, on the other side it fails, across the line it is
undecided. A claim of several parts, or on several data sets, holds if all of them hold, and fails if one contradicts it
after Holm's correction for their number. Fewer than three seeds and a number that is missing decide nothing; a network
that guesses or lost a layer makes nothing hold. A claim that follows from how its quantities are made holds by
construction, which is an outcome of its own. Where the records are not the claim's own runs they are evidence only.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from snnbook.errors import UserError, unknown
from snnbook.headers import CLAIMS
from snnbook.report import papers
from snnbook.report.claims.checks import CHECKS, STUDIES_READ, NotTestable, Studies
from snnbook.report.claims.judging import (
    BY_CONSTRUCTION,
    CONDITIONAL,
    EVIDENCE,
    FAILS,
    HOLDS,
    NOT_TESTABLE,
    OUTCOMES,
    UNDECIDED,
    Comparison,
    Verdict,
    comparison,
    decide,
)

__all__ = [
    "BY_CONSTRUCTION",
    "CONDITIONAL",
    "EVIDENCE",
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
    "studies_named",
    "studies_read",
    "table",
    "testable",
    "verdict",
    "verdicts",
]


def _why_not(row: Mapping[str, Any]) -> str:
    """Why a claim without a check is not testable here: the runs or the data that are missing."""
    methods = [m.strip() for m in str(row["methods"]).split(";")]
    if row["class"] == "arithmetic":
        return f"arithmetic on the printed numbers of paper {row['paper']} ({row['source']}), which no check makes"
    if row["class"] == "by construction":
        return f"it follows by construction in paper {row['paper']} ({row['source']}), which no check shows"
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
        reached = CHECKS[claim](studies)
    except NotTestable as missing:
        return Verdict(claim, NOT_TESTABLE, str(missing))
    if reached.outcome == HOLDS and table.loc[claim, "class"] == "by construction":
        return replace(reached, outcome=BY_CONSTRUCTION)
    return reached


def studies_read(claim: str | None = None, paper: str | None = None) -> list[str]:
    """The studies that the check of a claim reads, or those of a paper, or any; none for a claim without a check."""
    if claim is not None:
        return list(STUDIES_READ.get(claim, ()))
    mine = (studies for name, studies in STUDIES_READ.items() if paper is None or name.startswith(f"{paper}-"))
    return sorted({study for studies in mine for study in studies})


def studies_named(reads: Iterable[str]) -> list[str]:
    """The studies that a notebook's header names: `claims` stands for all that checks read, `claims.A` for paper A's.

    Raises UserError for an unknown paper.
    """
    studies = []
    for name in reads:
        word, _, paper = name.partition(".")
        if word != CLAIMS:
            studies.append(name)
        else:
            studies += studies_read(paper=papers.paper(paper).letter if paper else None)
    return list(dict.fromkeys(studies))


def verdicts(studies: Studies, claims: Iterable[str] | None = None, paper: str | None = None) -> list[Verdict]:
    """The verdicts on the named claims, on those of a paper, or on all, in the order of the print."""
    if claims is not None and paper is not None:
        raise UserError("name the claims or a paper, not both")
    names = papers.claims(paper)["id"] if claims is None else claims
    return [verdict(name, studies) for name in names]


def lines(board: Iterable[Verdict]) -> list[str]:
    """One plain line per claim that there is a verdict or evidence on, for a terminal."""
    width = max(map(len, OUTCOMES))
    shown = [v for v in board if v.outcome != NOT_TESTABLE]
    return [f"{v.claim}  {v.outcome:{width}}  {v.why}" for v in shown]


def table(board: Iterable[Verdict]) -> pd.DataFrame:
    """The verdicts in numbers, a row for each claim: claim, outcome, estimate, low, high, n.

    The estimate is that of the deciding comparison, and of that least in the claim's favour where there is evidence
    only; low and high are its 95 % interval over n seeds. They are empty where there is no number.
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
