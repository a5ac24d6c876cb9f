"""All claims of all papers with their verdicts, counted and said in a few sentences for the first page."""

from __future__ import annotations

from collections.abc import Sequence

from snnbook.report import papers
from snnbook.report.claims import FAILS, HOLDS, NOT_TESTABLE, OUTCOMES, UNDECIDED, Studies, Verdict, verdicts


def scoreboard(studies: Studies) -> list[Verdict]:
    """The verdict on every claim of the four papers."""
    return verdicts(studies)


def counts(board: Sequence[Verdict], paper: str | None = None) -> dict[str, int]:
    """Outcome → number of claims, of one paper or of all."""
    if paper is not None:
        papers.paper(paper)
    chosen = [v for v in board if paper is None or v.claim.startswith(f"{paper}-")]
    return {outcome: sum(v.outcome == outcome for v in chosen) for outcome in OUTCOMES}


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def summary_sentences(board: Sequence[Verdict]) -> list[str]:
    """What was re-run, what held and what did not, in plain sentences made from the verdicts."""
    total, tally = len(board), counts(board)
    tested = total - tally[NOT_TESTABLE]
    letters = sorted({v.claim[0] for v in board})
    names = _list([papers.PAPERS[letter].short for letter in letters])
    where = "on our embedded data" if any(v.stand_in for v in board) or not tested else "on the papers' data"
    sentences = [f"{_verb(total, 'claim of', 'claims of')} {names}: each has a check that a program can do."]
    if not tested:
        return [*sentences, "None of them could be tested here yet."]
    sentences.append(
        f"{tested} could be tested {where}: {_verb(tally[HOLDS], 'holds', 'hold')}, "
        f"{_verb(tally[FAILS], 'fails', 'fail')} and {_verb(tally[UNDECIDED], 'is', 'are')} undecided."
    )
    texts = papers.claim_texts(v.claim for v in board)
    for outcome, lead in ((HOLDS, "Holds"), (FAILS, "Fails"), (UNDECIDED, "Undecided")):
        found = [f"{texts[v.claim]} ({v.claim})" for v in board if v.outcome == outcome]
        if found:
            sentences.append(f"{lead} {where}: {'; '.join(found)}.")
    if tally[NOT_TESTABLE]:
        waiting = [f"{counts(board, letter)[NOT_TESTABLE]} of paper {letter}" for letter in letters]
        sentences.append(f"Not testable here yet: {_list(waiting)}.")
    return sentences
