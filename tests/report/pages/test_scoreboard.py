from __future__ import annotations

from report_fakes import ablation, rounds

from snnbook.report import claims, papers
from snnbook.report.pages import scoreboard

BOARD = claims.verdicts(
    {"A.ablation": ablation(), "A.rounds": rounds({"S": 0.2, "restarts": 0.4}, layers={"IMP": (0.5, 0.4, 0.1, 0.01)})}
)


def test_what_holds_by_construction_is_counted_apart():
    tally = claims.counts(BOARD)
    text = scoreboard.summary(BOARD)
    tested = sum(tally[o] for o in (claims.HOLDS, claims.FAILS, claims.UNDECIDED))
    assert f"Of the {len(papers.claims())} claims that the four papers make, {tested - 2} are measured here" in text
    assert f"**{tally[claims.HOLDS] - 1} hold, " in text
    assert "2 are arithmetic on printed numbers: 1 hold, 0 fail, 1 are undecided." in text
    assert f"{tally[claims.BY_CONSTRUCTION]} more hold by construction." in text
    assert tally[claims.BY_CONSTRUCTION] == 6
    assert len(scoreboard.measured(BOARD)) == tested - 2
    assert [v.claim for v in scoreboard.arithmetic(BOARD)] == ["C-06", "C-23"]


def test_every_verdict_in_one_line_names_what_was_run():
    lines = scoreboard.headlines(BOARD)
    assert len(lines) == len([v for v in BOARD if v.outcome in scoreboard.VERDICTS])
    computed = ("B-21", "B-23", "C-06", "C-20", "C-22", "C-23")
    ran = [line for line in lines if not any(f"({claim})" in line for claim in computed)]
    assert len(lines) - len(ran) == len(computed)
    assert all("Run on " in line and ", standing in for " in line for line in ran)
    assert sum("Computed from the print; nothing was run" in line for line in lines) == 4
    (better,) = [line for line in lines if "(A-04)" in line]
    assert better.startswith("- ✓ holds: CIFAR10: at 96.75")
    assert "It does not hold against the same restarts with nothing pruned: " in better


def test_the_picture_has_a_number_for_every_outcome_that_occurs():
    text = scoreboard.picture(BOARD).markdown
    assert "paper A: " in text
    assert "2 holds by construction" in text
