"""What of paper B has a page, and where its claims are judged."""

from __future__ import annotations

import pandas as pd

from snnbook import headers
from snnbook.report import papers
from snnbook.report.blocks import Fragment, escape
from snnbook.report.tables import NONE, Table

PAPER, HERE = "B", "unstructured/paper"


def items() -> Table:
    """Every table, figure and algorithm of the paper, with the page that makes it again where there is one."""
    pages = headers.owners()
    rows = [
        {"Item": artefact.title, "What it shows": artefact.about, "Page": link(pages.get(name))}
        for name, artefact in headers.artefacts().items()
        if artefact.paper == PAPER
    ]
    there = sum(isinstance(row["Page"], Fragment) for row in rows)
    return Table(pd.DataFrame(rows), f"Tables, figures and algorithms of paper B: {there} of {len(rows)} have a page.")


def claims() -> Table:
    """Every claim of the paper in our words, with the page on which it is judged where there is one."""
    table = papers.claims(PAPER)
    rows = [
        {"Claim": row["id"], "Source": row["source"], "In our words": row["claim"], "Page": link(row["page"])}
        for row in table.to_dict("records")
    ]
    there = sum(isinstance(row["Page"], Fragment) for row in rows)
    return Table(pd.DataFrame(rows), f"Claims of paper B: {there} of {len(rows)} are judged on a page.")


def link(page: object) -> Fragment | str:
    """A link to a page of the book from this one; a dash where there is none."""
    if not isinstance(page, str):
        return NONE
    folder = HERE.split("/")[0]
    target = page.removeprefix(f"{folder}/") if page.startswith(f"{folder}/") else f"../{page}"
    return Fragment(f'<a href="{escape(target)}.html">{escape(page)}</a>', page)
