from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from snnbook.errors import UserError
from snnbook.report import papers

TABLES = papers.tables()
NUMBERS = {
    "T": (1, 99), "decision_T": (1, 99), "base_acc": (0, 100), "acc": (0, 100), "acc_std": (0, 5),
    "delta_acc": (-60, 20), "sparsity": (0, 100), "params_M": (0, 100), "sops_M": (0, 5000),
    "ratio": (0.9, 200), "connections_pct": (0, 100), "neuron_pct": (0, 100), "weight_pct": (0, 100),
    "epochs": (1, 5000), "epochs_code": (1, 5000), "flops_reduction": (0, 100), "source_line": (1, 700),
}  # fmt: skip
EVERY = pytest.mark.parametrize(("letter", "number"), TABLES, ids=lambda x: x)


def rows_with(*columns):
    """(table, row) of every printed row that has all the columns."""
    for letter, number in TABLES:
        frame = papers.table(letter, number)
        if set(columns) <= set(frame.columns):
            for row in frame.dropna(subset=list(columns)).to_dict("records"):
                yield f"{letter}{number}.{row['row']}", row


def test_every_printed_table_is_there():
    printed = {"A": "1 2 3 4 5", "B": "1 2 A1 A2 A3 A4 A5", "C": "1 2 3 4"}
    named = [(letter, number) for letter, numbers in printed.items() for number in numbers.split()]
    assert named == papers.tables()


@EVERY
def test_numbers_are_numbers_in_range(letter, number):
    frame = papers.table(letter, number)
    for column, (low, high) in NUMBERS.items():
        if column in frame:
            assert pd.api.types.is_numeric_dtype(frame[column]), column
            assert frame[column].dropna().between(low, high).all(), column


@EVERY
def test_rows_are_numbered_and_none_is_doubled(letter, number):
    frame = papers.table(letter, number)
    assert list(frame["row"]) == list(range(1, len(frame) + 1))
    assert (frame["paper"] == letter).all()
    assert (frame["table"].astype(str) == number).all()
    assert not frame.drop(columns=["row", "source_line"]).duplicated().any()


def test_printed_changes_follow_from_the_accuracies_or_are_flagged():
    checked = 0
    for name, row in rows_with("base_acc", "acc", "delta_acc"):
        checked += 1
        if abs(row["acc"] - row["base_acc"] - row["delta_acc"]) > 0.011:
            assert not pd.isna(row["inconsistent"]), name
    assert checked > 60


def test_recomputed_changes():
    found = list(rows_with("base_acc", "acc", "delta_recomputed"))
    assert found
    for name, row in found:
        assert row["delta_recomputed"] == pytest.approx(row["acc"] - row["base_acc"], abs=0.006), name


def test_derived_accuracies():
    found = list(rows_with("base_acc", "delta_acc", "acc_derived"))
    assert len(found) == 25
    for name, row in found:
        assert row["acc_derived"] == pytest.approx(row["base_acc"] + row["delta_acc"], abs=0.006), name


def test_implied_dense_parameters():
    found = list(rows_with("sparsity", "params_M", "dense_params_M_implied"))
    assert len(found) > 60
    for name, row in found:
        assert row["dense_params_M_implied"] == pytest.approx(
            row["params_M"] / (1 - row["sparsity"] / 100), rel=0.002
        ), name


def test_one_network_implies_one_size_or_is_flagged():
    for number in ("2", "3"):
        frame = papers.table("A", number).dropna(subset=["params_M"])
        for _, rows in frame[frame["inconsistent"].isna()].groupby(["dataset", "architecture"]):
            sizes = rows["dense_params_M_implied"]
            assert sizes.max() / sizes.min() < 1.05


def test_recomputed_ratios():
    for number in ("1", "A1"):
        frame = papers.table("B", number)
        for _, rows in frame.groupby("dataset"):
            dense = rows.loc[rows["ratio"] == 1, "sops_M"].iloc[0]
            np.testing.assert_allclose(rows["ratio_recomputed"], dense / rows["sops_M"], atol=0.01)
            np.testing.assert_allclose(rows["ratio"], rows["ratio_recomputed"], atol=0.02)


@pytest.mark.parametrize(
    ("letter", "number", "line", "word"),
    [
        ("A", "1", 325, "10,000"),
        ("A", "2", 336, "identical"),
        ("A", "2", 349, "70.54"),
        ("A", "3", 383, "95.83"),
        ("A", "3", 396, "CONNECTIONS"),
        ("A", "4", 419, "95.13"),
        ("A", "5", 468, "-2.08"),
        ("C", "3", 284, "91.37"),
    ],
)
def test_known_inconsistencies_are_flagged(letter, number, line, word):
    frame = papers.table(letter, number)
    assert word in str(frame.loc[frame["source_line"] == line, "inconsistent"].iloc[0])


def test_table_4_as_printed():
    frame = papers.table("A", "4")
    assert list(frame["variant"]) == ["none", "S", "T", "S+T"] * 2
    assert list(frame["acc"]) == [95.83, 95.83, 96.18, 96.52, 71.70, 72.28, 71.88, 71.98]
    assert list(frame["sops_M"]) == [601.52, 30.62, 348.82, 15.41, 579.08, 62.57, 479.54, 53.93]
    assert list(frame["decision_T"]) == [20, 20, 10, 10, 10, 10, 8, 8]


def test_claims_are_unique_complete_and_numbered_without_gaps():
    claims = papers.claims()
    assert claims["id"].is_unique
    assert not claims[["source", "claim", "machine_check", "datasets", "methods", "class"]].isna().any().any()
    assert set(claims["class"]) == {"measured", "by construction", "arithmetic"}
    for letter in papers.PAPERS:
        ids = papers.claims(letter)["id"]
        assert list(ids) == [f"{letter}-{i:02d}" for i in range(1, len(ids) + 1)]
        assert (papers.claims(letter)["paper"] == letter).all()


def test_discrepancies_are_unique_graded_and_refer_to_each_other():
    frame = papers.discrepancies()
    assert frame["id"].is_unique
    assert set(frame["grade"]) == {"E", "Q", "O", "I", "C"}
    assert len(papers.discrepancies("A").query("paper == 'A'")) == 35
    assert "X3" in set(papers.discrepancies("B")["id"])
    named = papers.claims()["paper_numbers_agree"].str.extractall(r"discrepancies ([A-D]\d+)")[0]
    assert set(named) <= set(frame["id"])


def test_what_public_code_does_has_a_place_in_it_and_a_decision():
    frame = papers.discrepancies()
    of_code = frame["grade"] == "C"
    place = r"(?:weight_pruning/|channel_pruning/)?[\w/]+(?:\.\w+)?:\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*"
    assert frame.loc[of_code, "code"].str.fullmatch(rf"{place}(?:; {place})*").all()
    assert set(frame.loc[of_code, "follows"]) == {"paper", "code", "neither"}
    assert frame.loc[of_code, "consequence"].notna().all()
    assert frame.loc[~of_code, ["code", "follows"]].isna().all().all()
    codes = papers.discrepancies("C").query("grade == 'C'")["id"]
    assert list(codes) == [f"C{n}" for n in range(28, 46)]


@pytest.mark.parametrize(("column", "saved"), [("epochs", (91.15, 95.26)), ("epochs_code", (77.88, 88.15))])
def test_savings_of_paper_c_by_print_and_by_code(column, saved):
    own = set(papers.rows("C", "3", dataset="CIFAR100", method="Ours")[column])
    assert len(own) == 1
    lottery = papers.rows("C", "3", dataset="CIFAR100", method="IMP")["epochs"]
    savings = (100 * (1 - own.pop() / lottery)).round(2)
    assert (savings.min(), savings.max()) == saved


def test_hyperparameters_say_what_is_missing():
    frame = papers.hyperparameters("A")
    missing = frame[frame["status"] == "missing"]
    assert {"E (epochs per round)", "tau", "V_th"} <= set(missing["parameter"])
    assert frame.loc[frame["status"] == "stated", "value"].notna().all()


def test_values():
    assert papers.value("A", "4", "acc", dataset="DVS128-Gesture", variant="S+T") == 96.52
    with pytest.raises(UserError, match="2 rows"):
        papers.value("A", "4", "acc", variant="S")
    with pytest.raises(UserError, match="did you mean sops_M"):
        papers.value("A", "4", "sops", variant="S")


def test_unknown_names_name_the_nearest():
    with pytest.raises(UserError, match="unknown paper 'E'"):
        papers.table("E", "1")
    with pytest.raises(UserError, match="unknown table of paper A '9'"):
        papers.table("A", "9")
    with pytest.raises(UserError, match="unknown table of paper D"):
        papers.table("D", "1")
    with pytest.raises(UserError, match="did you mean A-22 or A-12"):
        papers.claim_texts(["A-122"])


def test_a_table_that_is_not_there_is_named(tmp_path, monkeypatch):
    (tmp_path / "paper").mkdir()
    monkeypatch.setenv("SNNBOOK_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"claims\.csv is missing"):
        papers.claims()


def test_papers_are_cited():
    assert list(papers.PAPERS) == list("ABCD")
    for paper in papers.PAPERS.values():
        assert re.match(r"^[A-Z]\w+ et al\. \d{4}$", paper.short)
        assert str(paper.year) in paper.short
        assert paper.title in paper.citation
    assert "doi:10.3389/fnins.2025.1545583" in papers.PAPERS["A"].citation


def test_chips_in_one_unit():
    frame = papers.chips().set_index(["chip", "condition"])["pJ_per_SOP"]
    assert frame.loc["Loihi"].tolist() == [23.6]
    assert frame.loc["TrueNorth"].round(2).tolist() == [21.74, 2.5]
    assert frame.loc["TianJic"].round(2).tolist() == [1.54]


def test_every_printed_energy_names_its_source():
    frame = papers.energies()
    assert frame[["model", "source", "place", "case"]].notna().all(axis=None)
    assert (frame["printed_J"] > 0).all()
    assert (frame["digits"] >= 2).all()
