"""The verdicts of the repository's records are a table of the repository: none changes unnoticed."""

from __future__ import annotations

import pandas as pd
import pytest

from snnbook import paths
from snnbook.experiments import open_store, plan, run_studies, study
from snnbook.report import claims, papers


def test_the_verdicts_of_the_records_are_those_of_the_table():
    """Claims of a study that is still in training, by `data/unfinished.txt`, have none yet."""
    store = open_store("laptop")
    chosen = [study(name, "laptop", store=store) for name in claims.studies_read()]
    lacking = {one.name for one in chosen if plan(one.jobs, store).jobs}
    unfinished = (paths.data() / "unfinished.txt").read_text(encoding="utf-8").split()
    assert lacking == set(unfinished) & set(claims.studies_read()), "the repository lacks records"
    complete = [one for one in chosen if one.name not in lacking]
    now = claims.table(claims.verdicts(run_studies(complete, store, jobs=1))).set_index("claim")
    kept = pd.read_csv(paths.data() / "verdicts.csv", index_col="claim")
    how = "if this is meant: snnbook claims --write data/verdicts.csv"
    assert list(kept.index) == list(papers.claims()["id"])
    assert now["outcome"].to_dict() == kept["outcome"].to_dict(), how
    for column in ("estimate", "low", "high", "n"):
        ours, theirs = (table[column].astype(float).tolist() for table in (now, kept))
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12, nan_ok=True), f"{column}: {how}"
