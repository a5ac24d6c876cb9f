"""Rounds as ladders, and the printed rows beside what was run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from report_fakes import record
from report_fakes import rounds as fake

from snnbook.report import papers
from snnbook.report.pages import paper_a


def matched(top1=70.0, methods=("S", "imp", "stds")):
    """A study of ladders with equal epochs: `dense` at 90 + seed, every method at `top1` + seed on all its rungs."""
    records = {}
    for role in ("digits-clutter", "digits-dvs", "arms-dvs"):
        records[role, "dense", ""] = [
            record(role, "dense", s, top1=90.0 + s, sparsity=0.0, connections_alive=100.0, connections_total=100.0)
            for s in range(5)
        ]
        for method in methods:
            for rung, left in (("90 %", 10.0), ("98 %", 2.0)):
                records[role, method, rung] = [
                    record(
                        role, method, s, top1=top1 + s, sparsity=100 - left, epochs=20,
                        connections_alive=2 * left, connections_total=100.0,
                    )
                    for s in range(5)
                ]  # fmt: skip
    trials = {label: SimpleNamespace(start=None, epochs=20) for label in records}
    return SimpleNamespace(records=records, study=SimpleNamespace(trials=trials))


def test_every_printed_sparsity_is_a_number_of_cuts():
    assert [paper_a.cuts_of(s) for s in (25, 43.75, 96.72, 97.51, 98.11, 98.61)] == [1, 2, 12, 13, 14, 15]


def test_points_are_the_ends_of_the_rounds():
    found = paper_a.points(fake({"S": -1.0}, noise=0.0).records["digits-dvs", "S"], "sparsity")
    assert len(found) == 15
    assert found[0].x == dict.fromkeys(range(5), 100.0)
    assert found[2].x[3] == pytest.approx(56.25)
    assert found[2].y == {s: 90 + s - 2 for s in range(5)}
    assert paper_a.points([], "sops") == []


def test_the_table_of_rounds_pairs_by_seed():
    frame = paper_a.rounds_table(fake(noise=0.0), "digits-dvs").frame
    row = frame[(frame["Cuts"] == 14) & (frame["Pruning"] == "S")].iloc[0]
    assert row["minus dense"].startswith("−7.00 [")
    assert row["minus IMP"].startswith("+7.00 [")
    assert row["Weights left, %"] == "1.78"


def test_epochs_count_the_dense_start():
    study = matched()
    study.study.trials["digits-dvs", "dense", ""] = SimpleNamespace(start=SimpleNamespace(epochs=12), epochs=8)
    assert "digits-dvs: rounds take 150 epochs in total, the other comparison 20." in str(
        paper_a.epochs(fake(), study, ["digits-dvs"])
    )


def test_rows_of_one_network_and_rows_without_data_of_ours():
    run = fake(sets=("digits-100",), noise=0.0)
    frame = paper_a.printed_table(run, matched(), "2", "CIFAR100", "VGG16").frame
    assert set(frame["Network (paper)"]) == {"VGG16"}
    assert set(frame["Row"]) == {"run again"}
    assert set(paper_a.printed_table(run, matched(), "2", "CIFAR100").frame["Row"]) == {"run again", "quoted"}
    elsewhere = paper_a.printed_table(fake(), matched(), "2", "CIFAR100", "ResNet19").frame
    assert set(elsewhere["Row"]) == {"quoted"}


def test_printed_rows_are_run_again_or_quoted():
    table = paper_a.printed_table(fake(noise=0.0), matched(), "3", "CIFAR10-DVS")
    frame = table.frame
    assert len(frame) == (papers.table("A", "3")["dataset"] == "CIFAR10-DVS").sum()
    spatial = frame[(frame["Method"] == "Ours (+S)") & (frame["Sparsity, %"] == "98.18")].iloc[0]
    assert spatial["Change (paper)"] == "+0.58"
    assert spatial["Ours, as many weights"].startswith("−6.9"), "between 13 and 14 cuts of half a point each"
    assert spatial["Row"] == "run again"
    # Ladders reach from 10 % to 2 % of the weights: 3.8 % lie on it, 15.88 % do not, and SCCD was not run.
    stds = frame[frame["Method"] == "STDS"]
    assert stds["Row"].tolist() == ["quoted", "run again", "run again"]
    assert stds["Ours, as many weights"].iloc[2].startswith("−20.00")
    assert set(frame[frame["Method"] == "SCCD-SNN"]["Row"]) == {"quoted"}


def test_a_set_without_a_stand_in_is_quoted_throughout():
    frame = paper_a.printed_table(fake(), matched(), "2", "CIFAR100").frame
    assert len(frame)
    assert set(frame["Row"]) == {"quoted"}


def test_equal_budgets_are_those_of_s():
    frame = paper_a.matched_table(matched(), "digits-dvs", "connections").frame
    assert list(frame.columns[2:]) == ["20.00", "4.00"]
    assert frame.iloc[1:]["4.00"].str.startswith("72.0").all()


def test_pictures_tell_their_numbers():
    picture = paper_a.picture(fake(noise=0.0), ["digits-dvs", "arms-dvs"], "sops")
    assert "digits-dvs, IMP: 92.0 dense, 78.0 after 14 cuts" in picture.markdown
    assert "stds" in paper_a.matched_picture(matched(), "arms-dvs").markdown
