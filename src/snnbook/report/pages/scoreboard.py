"""The page of all claims: how many hold, by paper, and how much of each paper the book makes again."""

from __future__ import annotations

from collections.abc import Sequence

from snnbook import headers
from snnbook.report import papers, plots
from snnbook.report.claims import OUTCOMES, Verdict, counts


def reproduced() -> str:
    """`14 of 14 of paper A; 0 of 15 of paper B`: how many tables, figures and algorithms have a page."""
    made = headers.owners()
    by_paper: dict[str, list[bool]] = {}
    for name, artefact in headers.artefacts().items():
        by_paper.setdefault(artefact.paper, []).append(name in made)
    return "; ".join(f"{sum(there)} of {len(there)} of paper {paper}" for paper, there in by_paper.items())


def picture(board: Sequence[Verdict]) -> plots.Picture:
    """Stacked bars: the number of claims of each paper by verdict."""
    letters = sorted(papers.PAPERS)
    tally = {letter: counts(board, letter) for letter in letters}
    fig, ax = plots.subplots(figsize=(8, 2.4))
    left = [0] * len(letters)
    for i, outcome in enumerate(OUTCOMES):
        widths = [tally[letter][outcome] for letter in letters]
        look = {"color": plots.PALETTE[i], "hatch": plots.HATCHES[i], "edgecolor": plots.INK, "alpha": 0.7}
        ax.barh(letters, widths, left=left, label=outcome, **look)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    ax.invert_yaxis()
    ax.set(xlabel="claims", ylabel="paper")
    ax.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    numbers = "; ".join(
        f"paper {letter}: " + ", ".join(f"{n} {outcome}" for outcome, n in tally[letter].items() if n)
        for letter in letters
    )
    alt = f"Stacked bars of the number of claims by verdict. {numbers}."
    return plots.picture(fig, alt=alt, caption="Claims by verdict.")
