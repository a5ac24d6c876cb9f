"""The page of our own errata: what was wrong in the first version of this book, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from snnbook import paths
from snnbook.report import ladders
from snnbook.report.blocks import Fragment, sentences
from snnbook.report.claims import NOT_TESTABLE, Verdict
from snnbook.report.records import ResultsLike, unique, with_scale
from snnbook.report.tables import NONE, Table, format_number

ABOUT = ("methods", "comparison", "verdicts", "records")


def changes() -> pd.DataFrame:
    """Our faults: `about` one of ABOUT, what it `concerns`, the `fault`, and how it was `mended`."""
    return pd.read_csv(paths.data() / "errata" / "changes.csv")


def before(name: str) -> pd.DataFrame:
    """What the first version of the book showed: the table `verdicts` or `ranks`."""
    return pd.read_csv(paths.data() / "errata" / f"{name}.csv")


def fault_table(about: str) -> Table:
    """The faults of one kind."""
    rows = changes()
    rows = rows[rows["about"] == about]
    frame = pd.DataFrame(
        {
            "Concerns": rows["concerns"].str.replace(";", ", "),
            "What was wrong": rows["fault"],
            "What is done now": rows["mended"],
        }
    )
    return Table(frame, f"Our faults in the {about}, and what is done now.")


def rank_table(study: ResultsLike) -> Table:
    """The mean rank of each method in the first version and now, at equal weights and at equal SOPs."""
    then = before("ranks").set_index("method")
    now = {axis: ladders.mean_ranks(ladders.scores(study, axis)) for axis in ladders.AXES}
    rows = []
    for method in sorted(ladders.methods(study), key=lambda name: _estimate(now["weights"], name, math.inf)):
        row = {"Method": method}
        for axis, ranked in now.items():
            old, new = then[axis].get(method, math.nan), _estimate(ranked, method)
            row[f"equal {ladders.AXES[axis].short}"] = f"{_rank(old)} → {_rank(new)}"
        rows.append(row)
    frame = pd.DataFrame(rows)
    caption = "Mean rank in the first version → now. The budgets that the means are over are not the same."
    return Table(frame, with_scale(caption, unique([study])))


def _estimate(ranked: Mapping[str, ladders.MeanRank], method: str, unknown: float = math.nan) -> float:
    return ranked[method].interval.estimate if ranked[method].places else unknown


def _rank(value: float) -> str:
    return NONE if math.isnan(value) else format_number(value, 1)


def changed(board: Sequence[Verdict]) -> dict[str, tuple[str, str]]:
    """Claim → its outcome in the first version and now, of those whose outcome is another."""
    then = dict(before("verdicts")[["claim", "outcome"]].itertuples(index=False))
    pairs = {v.claim: (then.get(v.claim, NOT_TESTABLE), v.outcome) for v in board}
    return {claim: pair for claim, pair in pairs.items() if pair[0] != pair[1]}


def verdict_table(board: Sequence[Verdict]) -> Table:
    """The verdicts that are others now, with the changes that concern their claims."""
    rows = changes()
    frame = pd.DataFrame(
        [
            {"Claim": claim, "First version": then, "Now": now, "What changed": _concerning(rows, claim)}
            for claim, (then, now) in changed(board).items()
        ],
        columns=["Claim", "First version", "Now", "What changed"],
    )
    return Table(frame, "Claims whose verdict is another than in the first version.")


def _concerning(rows: pd.DataFrame, claim: str) -> str:
    mine = [row.mended for row in rows.itertuples() if claim in row.concerns.split(";")]
    return " ".join(mine) or "New records, with the changes that concern all."


def summary(board: Sequence[Verdict]) -> Fragment:
    """How many verdicts changed, and from what to what."""
    moves = pd.Series([f"{then} → {now}" for then, now in changed(board).values()], dtype=object).value_counts()
    tested = sum(v.outcome != NOT_TESTABLE for v in board)
    lines = [f"{len(changed(board))} of {tested} tested claims have another verdict than in the first version."]
    return sentences(lines + [f"{move}: {count}." for move, count in moves.items()])
