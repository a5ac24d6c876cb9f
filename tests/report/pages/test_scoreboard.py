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
    assert f"Of the {len(papers.claims())} claims that the four papers make, {tested} are measured here" in text
    assert f"**{tally[claims.HOLDS]} hold, " in text
    assert f"{tally[claims.BY_CONSTRUCTION]} more hold by construction." in text
    assert tally[claims.BY_CONSTRUCTION] == 2


def test_every_verdict_in_one_line_names_what_was_run():
    lines = scoreboard.headlines(BOARD)
    assert len(lines) == len([v for v in BOARD if v.outcome in scoreboard.VERDICTS])
    assert all("Run on " in line and ", standing in for " in line for line in lines)
    (better,) = [line for line in lines if "(A-04)" in line]
    assert better.startswith("- ✓ holds: CIFAR10: at 96.75")
    assert "It does not hold against the same restarts with nothing pruned: " in better


def test_the_picture_has_a_number_for_every_outcome_that_occurs():
    text = scoreboard.picture(BOARD).markdown
    assert "paper A: " in text
    assert "2 holds by construction" in text
