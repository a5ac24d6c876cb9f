"""Tables for a page: the printed value beside ours, and the verdicts.

A table has a caption, headers with a scope, and a container that scrolls on a narrow screen and takes the
keyboard's focus. It sets no colours, so it follows the theme; what matters is said in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from snnbook.errors import UserError
from snnbook.report import papers
from snnbook.report.blocks import Fragment, escape, required
from snnbook.report.claims import (
    BY_CONSTRUCTION,
    CONDITIONAL,
    EVIDENCE,
    FAILS,
    HOLDS,
    NOT_TESTABLE,
    UNDECIDED,
    Comparison,
    Verdict,
)
from snnbook.report.records import RecordLike, ResultsLike, by_seed, played, with_scale
from snnbook.report.stats import Interval, mean_interval, mean_sd, paired

MARKS = {HOLDS: "✓", BY_CONSTRUCTION: "≡", FAILS: "✗", UNDECIDED: "?", EVIDENCE: "○", NOT_TESTABLE: "–"}
AS_EVIDENCE = {HOLDS: "lies as claimed", FAILS: "lies the other way", UNDECIDED: "does not decide"}
NONE = "–"


class Table(Fragment):
    """A data frame as an accessible table; its first `row_headers` columns name the row.

    frame: what it shows. A cell may be a Fragment, such as a link. Raises UserError without a caption.
    """

    def __init__(self, frame: pd.DataFrame, caption: str, row_headers: int = 1):
        self.frame, self.caption = frame, required("the caption", caption)
        super().__init__(_html(frame, self.caption, row_headers), _markdown(frame, self.caption))


def _text(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return NONE if missing else str(value)


def _numeric(text: str) -> bool:
    return bool(text) and (text[0].isdigit() or (text[0] in "+−-" and text[1:2].isdigit()))


def _html(frame: pd.DataFrame, caption: str, row_headers: int) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in frame.columns)
    body = []
    for row in frame.itertuples(index=False):
        cells = [(_text(value), value.html if isinstance(value, Fragment) else escape(_text(value))) for value in row]
        html = [f'<th scope="row" style="text-align:left">{cell}</th>' for _, cell in cells[:row_headers]]
        for text, cell in cells[row_headers:]:
            # A number with its spread and interval stays on one line; a sentence that begins with a number is prose.
            number = _numeric(text) and len(text) <= 32
            style = "text-align:right;white-space:nowrap" if number else "text-align:left"
            html.append(f'<td style="{style}">{cell}</td>')
        body.append(f"<tr>{''.join(html)}</tr>")
    return (
        f'<div class="snnbook-table" role="region" tabindex="0" aria-label="{escape(caption)}" '
        'style="overflow-x:auto"><table class="table">'
        f'<caption style="caption-side:top">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _markdown(frame: pd.DataFrame, caption: str) -> str:
    def row(cells: Iterable[Any]) -> str:
        return "| " + " | ".join(_text(c).replace("|", "\\|") for c in cells) + " |"

    rows = [row(frame.columns), row("---" for _ in frame.columns)]
    return "\n".join([f"{caption}\n", *rows, *(row(values) for values in frame.itertuples(index=False))])


@dataclass(frozen=True)
class Quantity:
    """A row of a comparison: our metric times `scale`, and the column of the printed table, if it has one.

    relative: give changes in per cent of the baseline instead of in the quantity's own unit. change: give them at all.
    """

    title: str
    metric: str
    column: str = ""
    digits: int = 2
    scale: float = 1.0
    relative: bool = False
    change: bool = True


def format_number(value: float, digits: int = 2, signed: bool = False) -> str:
    """A number with a true minus sign; `–` for NaN."""
    if not math.isfinite(value):
        return NONE
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return text.replace("-", "−")


def mean_sd_text(values: Sequence[float], digits: int = 2) -> str:
    """`96.18 ± 0.21 (5)`: mean, sd and number of seeds."""
    mean, sd = mean_sd(values)
    if not math.isfinite(mean):
        return NONE if not len(values) else f"{NONE} ({len(values)})"
    spread = f" ± {format_number(sd, digits)}" if math.isfinite(sd) else ""
    return f"{format_number(mean, digits)}{spread} ({len(values)})"


def interval_text(interval: Interval, digits: int = 2, signed: bool = False, unit: str = "") -> str:
    """`0.52 [0.48, 0.57]`: an estimate with its interval; without it for a single seed.

    signed: with a sign, as `+0.35 [−0.10, +0.80]`. unit: stands behind the estimate.
    """
    if not math.isfinite(interval.estimate):
        return NONE
    estimate, low, high = (format_number(x, digits, signed) for x in (interval.estimate, interval.low, interval.high))
    return f"{estimate}{unit} [{low}, {high}]" if interval.n > 1 else f"{estimate}{unit} (1 seed: no interval)"


def change_text(a: Mapping[int, float], b: Mapping[int, float], digits: int = 2, relative: bool = False) -> str:
    """`+0.35 [−0.10, +0.80]`: the paired difference a - b over common seeds with its 95 % interval."""
    if relative:
        a = {s: 100 * a[s] / b[s] if b.get(s) else math.nan for s in a}
        b = dict.fromkeys(b, 100.0)
    mean = mean_interval(list(paired(a, b).values()))
    return interval_text(mean, digits, signed=True, unit=" %" if relative else "")


def duration(seconds: float) -> str:
    """`1 h 5 min`, `3 min 20 s`, `12 s`."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def range_text(values: Iterable[float]) -> str:
    """`8 to 20`, or `20` where all values are the same."""
    ordered = sorted(values)
    if not ordered:
        return NONE
    return f"{ordered[0]:g}" if ordered[0] == ordered[-1] else f"{ordered[0]:g} to {ordered[-1]:g}"


def beside_print(
    study: ResultsLike, quantities: Sequence[Quantity], caption: str, number: str, paper: str = "A", data: str = ""
) -> Table:
    """A printed table of an ablation beside ours: one row for each quantity and arm, with the change from `none`.

    A row is found in print by the data set that ours is or plays and by the variant that our arm is named after; an arm
    with a setting of our own behind a comma is not in print. With `data` only this data set of the study is shown, and
    named in the caption instead of in every row.
    Raises UserError where the printed table has no or several such rows.
    """
    parts = played(study, papers.table(paper, number)["dataset"].unique())
    rows = []
    chosen = {key: records for key, records in study.records.items() if records and data in ("", key.data)}
    for q in quantities:
        for key, records in chosen.items():
            if key.data not in parts:
                raise UserError(f"{key.data!r} stands in for no data set of paper {paper}, Table {number}")
            base = study.records[key.data, "none"]
            ours, origin = (_scaled(group, q) for group in (records, base))
            where = {"paper": paper, "number": number, "dataset": parts[key.data]}
            printed, printed_base = (_printed(q, variant=arm, **where) for arm in (key.arm, "none"))
            change = printed - printed_base
            if q.relative and printed_base:
                change *= 100 / printed_base
            unit = " %" if q.relative and math.isfinite(change) else ""
            bare = key.arm == "none" or not q.change
            digits = 1 if q.relative else q.digits
            rows.append(
                {
                    "Quantity": q.title,
                    "Data (paper → ours)": f"{parts[key.data]} → {key.data}",
                    "Pruning": key.arm,
                    f"Paper {paper}": format_number(printed, q.digits),
                    "Ours": mean_sd_text(list(ours.values()), q.digits),
                    f"Paper {paper}, change": NONE if bare else format_number(change, digits, True) + unit,
                    "Ours, change": NONE if bare else change_text(ours, origin, digits, q.relative),
                }
            )
    frame = pd.DataFrame(rows)
    if data:
        caption += f" Data: {frame.pop('Data (paper → ours)').iloc[0]}."
    used = [r for records in chosen.values() for r in records]
    caption += " Ours: mean ± sd (number of seeds); change: paired over seeds, with its 95 % interval."
    return Table(frame, with_scale(caption, used), row_headers=2 if data else 3)


def _printed(q: Quantity, paper: str, number: str, variant: str, **where: object) -> float:
    if not q.column or ", " in variant:
        return math.nan
    return papers.value(paper, number, q.column, variant=variant, **where)


def _scaled(records: Sequence[RecordLike], q: Quantity) -> dict[int, float]:
    return {seed: value * q.scale for seed, value in by_seed(records, q.metric).items()}


def mark(outcome: str) -> str:
    """A verdict as symbol and word: `✓ holds`."""
    return f"{MARKS[outcome]} {outcome}"


def verdict_table(board: Sequence[Verdict], caption: str = "The claims and their verdicts") -> Table:
    """Claim and where it is printed, verdict, and the reason: what was run, the deciding number and its interval."""
    known = papers.claims().set_index("id")
    rows = [
        {
            "Claim": v.claim,
            "In words": f"{known.loc[v.claim, 'claim']} ({known.loc[v.claim, 'source']})",
            "Verdict": mark(v.outcome),
            "Why": v.why,
        }
        for v in board
    ]
    columns = ["Claim", "In words", "Verdict", "Why"]
    if any(v.n for v in board):
        caption = f"{caption.rstrip('.')}. {CONDITIONAL}"
    return Table(pd.DataFrame(rows, columns=columns), caption)


def waiting_table(board: Sequence[Verdict], caption: str) -> Table:
    """The claims among `board` that are not testable here, with what each waits for."""
    known = papers.claims().set_index("id")
    rows = [
        {"Claim": v.claim, "In words": known.loc[v.claim, "claim"], "Waits for": v.reason}
        for v in board
        if v.outcome == NOT_TESTABLE
    ]
    return Table(pd.DataFrame(rows, columns=["Claim", "In words", "Waits for"]), caption)


def comparisons_table(verdict: Verdict) -> Table:
    """Every quantity behind one verdict, data set by data set."""

    def role(it: Comparison) -> str:
        if it.control:
            return "control, does not count"
        return AS_EVIDENCE[it.outcome] if verdict.outcome == EVIDENCE else mark(it.outcome)

    def row(it: Comparison) -> dict[str, str]:
        known = it.n > 0 and math.isfinite(it.estimate)
        return {
            "Data": it.data or "all records",
            "Quantity": it.what,
            "Claimed": it.line,
            "Ours": f"{it.estimate:.3g} {it.spread}".replace("-", "−") if known else NONE,
            "Seeds": it.seeds if it.n else NONE,
            "Outcome": role(it),
            "Remark": it.note,
        }

    columns = ["Data", "Quantity", "Claimed", "Ours", "Seeds", "Outcome", "Remark"]
    what = (
        "every comparison, none of which is a verdict" if verdict.outcome == EVIDENCE else "every comparison behind it"
    )
    caption = f"{verdict.claim}, {verdict.outcome}: {what}. {CONDITIONAL}"
    return Table(pd.DataFrame([row(it) for it in verdict.comparisons], columns=columns), caption, row_headers=2)
