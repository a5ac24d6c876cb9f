"""Our errata name what exists, and say which verdicts have changed."""

import pandas as pd
from report_fakes import small

from snnbook import pruning
from snnbook.report import papers
from snnbook.report.claims import FAILS, HOLDS, UNDECIDED, Verdict
from snnbook.report.pages import errata


def test_every_change_concerns_something_that_there_is():
    rows = errata.changes()
    claims, methods = set(papers.claims()["id"]), set(pruning.available())
    assert set(rows["about"]) == set(errata.ABOUT)
    for row in rows.itertuples():
        known = claims if row.about == "verdicts" else methods
        assert row.concerns == "all" or set(row.concerns.split(";")) <= known, row.concerns
        assert row.fault.endswith(".")
        assert row.mended.endswith(".")
    assert set(errata.before("ranks")["method"]) <= methods
    assert set(errata.before("verdicts")["claim"]) <= claims


def test_changed_verdicts_are_listed_with_what_changed(monkeypatch):
    then = pd.DataFrame({"claim": ["A-01", "A-02", "A-04"], "outcome": [UNDECIDED, HOLDS, FAILS]})
    monkeypatch.setattr(errata, "before", lambda name: then)
    board = [Verdict("A-01", UNDECIDED, ""), Verdict("A-02", UNDECIDED, ""), Verdict("A-04", HOLDS, "")]
    assert errata.changed(board) == {"A-02": (HOLDS, UNDECIDED), "A-04": (FAILS, HOLDS)}
    table = errata.verdict_table(board).frame
    assert list(table["Claim"]) == ["A-02", "A-04"]
    assert "noise of chance" in table["What changed"][0]
    text = str(errata.summary(board))
    assert "2 of 3 tested claims" in text
    assert "holds → undecided: 1." in text


def test_ranks_of_then_stand_beside_those_of_now(monkeypatch):
    then = pd.DataFrame({"method": ["lamp"], "weights": [1.7], "connections": [3.0], "sops": [4.0]})
    monkeypatch.setattr(errata, "before", lambda name: then)
    frame = errata.rank_table(small()).frame
    assert frame["Method"].tolist() == ["lamp", "magnitude"]  # always the first of two, and the last
    assert frame["equal weights"].tolist() == ["1.7 → 1.0", "– → 2.0"]
    assert frame["equal SOPs"][0] == "4.0 → –"  # its ladder reaches no budget of SOPs at which another one is
