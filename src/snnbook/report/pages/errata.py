"""The page of our own errata: what was wrong in the first version of this book, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from snnbook import paths
from snnbook.report import ladders, look, orders
from snnbook.report.blocks import Fragment, counted, sentences
from snnbook.report.claims import NOT_TESTABLE, Verdict
from snnbook.report.records import ResultsLike, unique, with_scale
from snnbook.report.tables import Table, format_number

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
    """The mean rank of each method in the first version and now, on every axis; those with few budgets last."""
    then = before("ranks").set_index("method")
    now = {axis: orders.mean_ranks(ladders.scores(study, axis)) for axis in ladders.AXES}
    rows = []
    for method in orders.by_rank(now["weights"]):
        row = {"Method": look.named(method)}
        for axis, ranked in now.items():
            rank = ranked[method]
            few = f" ({counted(rank.places, 'budget')})" if rank.places and rank.few else ""
            pair = (then[axis].get(method, math.nan), rank.estimate if rank.places else math.nan)
            row[f"equal {ladders.AXES[axis].short}"] = " → ".join(format_number(value, 1) for value in pair) + few
        rows.append(row)
    caption = (
        "Mean rank in the first version → now, those on few budgets last. The budgets are not the same, and the first "
        "version ranked the means over the seeds, where each seed is ranked by itself now. "
    )
    caption += look.reconstructions(ladders.methods(study))
    return Table(pd.DataFrame(rows), with_scale(caption, unique([study])))


def changed(board: Sequence[Verdict]) -> dict[str, tuple[str, str]]:
    """Claim → its outcome in the first version and now, of those whose outcome is another."""
    then = dict(before("verdicts")[["claim", "outcome"]].itertuples(index=False))
    pairs = {v.claim: (then.get(v.claim, NOT_TESTABLE), v.outcome) for v in board}
    return {claim: pair for claim, pair in pairs.items() if pair[0] != pair[1]}


def verdict_table(board: Sequence[Verdict]) -> Table:
    """The verdicts that have changed, with the changes that concern their claims."""
    rows = changes()
    frame = pd.DataFrame(
        [
            {"Claim": claim, "First version": then, "Now": now, "What changed": _concerning(rows, claim)}
            for claim, (then, now) in changed(board).items()
        ],
        columns=["Claim", "First version", "Now", "What changed"],
    )
    return Table(frame, "Claims whose verdict differs from that of the first version.")


def _concerning(rows: pd.DataFrame, claim: str) -> str:
    mine = [row.mended for row in rows.itertuples() if claim in row.concerns.split(";")]
    return " ".join(mine) or "New records, with the changes that concern all."


def summary(board: Sequence[Verdict]) -> Fragment:
    """How many verdicts changed, and from what to what."""
    moves = pd.Series([f"{then} → {now}" for then, now in changed(board).values()], dtype=object).value_counts()
    tested = sum(v.outcome != NOT_TESTABLE for v in board)
    lines = [f"{len(changed(board))} of {tested} tested claims have another verdict than in the first version."]
    return sentences(lines + [f"{move}: {count}." for move, count in moves.items()])
