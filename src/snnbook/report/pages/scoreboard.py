"""The page of all claims: how many hold, by paper, and how much of each paper the book makes again."""

from __future__ import annotations

from collections.abc import Sequence

from snnbook import headers
from snnbook.report import papers, plots, tables
from snnbook.report.claims import BY_CONSTRUCTION, EVIDENCE, FAILS, HOLDS, OUTCOMES, UNDECIDED, Verdict, counts

TESTED = (HOLDS, FAILS, UNDECIDED)
VERDICTS = (*TESTED, BY_CONSTRUCTION)


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
    ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    numbers = "; ".join(
        f"paper {letter}: " + ", ".join(f"{n} {outcome}" for outcome, n in tally[letter].items() if n)
        for letter in letters
    )
    alt = f"Stacked bars of the number of claims by verdict. {numbers}."
    caption = "Claims by verdict. What holds by construction follows from how its quantities are made; evidence only "
    caption += "means that nothing was run for the claim itself."
    return plots.picture(fig, alt=alt, caption=caption)


def measured(board: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that rest on something that was run."""
    sums = arithmetic(board)
    return [v for v in board if v.outcome in TESTED and v not in sums]


def arithmetic(board: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on claims that are arithmetic on printed numbers: nothing was run for them."""
    kind = papers.claims().set_index("id")["class"]
    return [v for v in board if v.outcome in TESTED and kind[v.claim] == "arithmetic"]


def summary(board: Sequence[Verdict]) -> str:
    """How many claims have which verdict, in Markdown; what was not measured for the claim is counted apart."""
    n, by_runs, by_print = counts(board), counts(measured(board)), counts(arithmetic(board))
    sums = (
        f" {sum(by_print.values())} are arithmetic on printed numbers: {by_print[HOLDS]} hold, {by_print[FAILS]} fail, "
    )
    return (
        f"Of the {len(board)} claims that the four papers make, {sum(by_runs.values())} are measured here: "
        f"**{by_runs[HOLDS]} hold, {by_runs[FAILS]} fail, {by_runs[UNDECIDED]} are undecided.**{sums}"
        f"{by_print[UNDECIDED]} are undecided. {n[BY_CONSTRUCTION]} more hold by construction. On "
        f"{n[EVIDENCE]} there is evidence from runs that are not the claim's own, and no verdict."
    )


def headlines(board: Sequence[Verdict]) -> list[str]:
    """A line of Markdown for every verdict: outcome, claim, and the data and networks that were run, if any were."""
    texts = papers.claim_texts(verdict.claim for verdict in board)
    lines = []
    for v in sorted((v for v in board if v.outcome in VERDICTS), key=lambda v: VERDICTS.index(v.outcome)):
        caution = f" {v.caution}" if v.caution else ""
        lines.append(f"- {tables.mark(v.outcome)}: {texts[v.claim]} ({v.claim}). *{v.basis}.*{caution}")
    return lines
