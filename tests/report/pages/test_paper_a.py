"""Rounds as ladders, and the printed rows beside what was run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from report_fakes import Results, ablation, record
from report_fakes import rounds as fake

from snnbook.report import papers
from snnbook.report.pages.paper_a import ablation as pages_ablation
from snnbook.report.pages.paper_a import framework, layers, rounds


def matched(top1=70.0, methods=("S", "imp", "stds")):
    """A study of ladders with equal epochs: `dense` at 90 + seed, every method at `top1` + seed at all its levels."""
    records = {}
    for data in ("digits-clutter", "digits-dvs", "arms-dvs"):
        arms = {("dense", ""): (90.0, 100.0)}
        arms |= {(m, level): (top1, left) for m in methods for level, left in (("90 %", 10.0), ("98 %", 2.0))}
        for (method, level), (accuracy, left) in arms.items():
            records[data, method, level] = [
                record(
                    data, method, seed, top1=accuracy + seed, sparsity=100 - left, epochs=8, epochs_start=12,
                    connections_alive=min(2 * left, 100.0), connections_total=100.0,
                )
                for seed in range(5)
            ]  # fmt: skip
    return Results(records)


def test_every_printed_sparsity_is_a_number_of_cuts():
    assert [rounds.cuts_of(s) for s in (25, 43.75, 96.72, 97.51, 98.11, 98.61)] == [1, 2, 12, 13, 14, 15]


def test_the_table_of_rounds_pairs_by_seed():
    frame = rounds.rounds_table(fake(noise=0.0), "digits-dvs").frame
    row = frame[(frame["Cuts"] == 14) & (frame["Pruning"] == "S")].iloc[0]
    assert row["minus dense"].startswith("−7.00 [")
    assert row["minus IMP"].startswith("+7.00 [")
    assert row["Weights left, %"] == "1.78"


def test_epochs_count_the_dense_start():
    text = str(rounds.epochs(fake(), matched(), ["digits-dvs"]))
    assert "digits-dvs: rounds take 150 epochs in total, the other comparison 20." in text


def test_rows_of_one_network_and_rows_without_data_of_ours():
    run = fake(sets=("digits-100",), noise=0.0)
    frame = rounds.printed_table(run, matched(), "2", "CIFAR100", "VGG16").frame
    assert set(frame["Network (paper)"]) == {"VGG16"}
    assert set(frame["Row"]) == {"run again"}
    assert set(rounds.printed_table(run, matched(), "2", "CIFAR100").frame["Row"]) == {"run again", "quoted"}
    elsewhere = rounds.printed_table(fake(), matched(), "2", "CIFAR100", "ResNet19").frame
    assert set(elsewhere["Row"]) == {"quoted"}


def test_printed_rows_are_run_again_or_quoted():
    table = rounds.printed_table(fake(noise=0.0), matched(), "3", "CIFAR10-DVS")
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
    frame = rounds.printed_table(fake(), matched(), "2", "CIFAR100").frame
    assert len(frame)
    assert set(frame["Row"]) == {"quoted"}


def test_equal_budgets_are_those_of_s():
    frame = rounds.matched_table(matched(), "digits-dvs", "connections").frame
    assert list(frame.columns[2:]) == ["20.00", "4.00"]
    assert frame.iloc[1:]["4.00"].str.startswith("72.0").all()


def test_pictures_tell_their_numbers():
    picture = rounds.picture(fake(noise=0.0), ["digits-dvs", "arms-dvs"], "sops")
    assert "digits-dvs, IMP: 92.0 dense, 78.0 after 14 cuts" in picture.markdown
    assert "stds" in rounds.matched_picture(matched(), "arms-dvs").markdown


# --- the ablation


def test_a_figure_names_the_data_that_were_run():
    study = ablation(sets=("cifar10_dvs", "dvs128_gesture"))
    table, picture = pages_ablation.halved(study), pages_ablation.picture(study)
    assert table.frame["Data (paper → ours)"].tolist()[0] == "CIFAR10-DVS → cifar10_dvs"
    assert "dvs128_gesture S+T: " in picture.markdown
    assert "digits" not in table.markdown + picture.markdown


def test_steps_and_operations_that_temporal_pruning_leaves():
    frame = pages_ablation.halved(ablation(noise=0)).frame
    row = frame[(frame["Comparison"] == "T over none") & frame["Data (paper → ours)"].str.endswith("arms-dvs")].iloc[0]
    assert (row["Paper: steps"], row["Paper: SOPs"]) == ("0.50", "0.58")  # 10 of 20 steps; 348.82 of 601.52
    assert (row["Ours: steps"], row["Ours: SOPs [95 % interval]"]) == ("0.60", "0.60 [0.60, 0.60]")


def lengths():
    """A study like A.steps, with 10 and 12 steps: T keeps half of them, S+T loses two points."""
    return Results(
        {
            ("arms-dvs", arm, "", T): [
                record("arms-dvs", arm, s, T=T // share, top1=90.0 + s - loss, sops=1e5 / share) for s in range(3)
            ]
            for T in (10, 12)
            for arm, share, loss in (("none", 1, 0), ("T", 2, 0), ("S+T", 2, 2))
        }
    )


def test_total_steps_stand_beside_the_print():
    frame = pages_ablation.steps_table(lengths()).frame
    row = frame[(frame["T"] == 10) & (frame["Pruning"] == "S+T")].iloc[0]
    printed = papers.rows("A", "5", T=10)
    base, both = (printed.loc[printed["variant"] == arm, "acc"].iloc[0] for arm in ("none", "S+T"))
    assert row["Paper: accuracy, %"] == f"{both:.2f}"
    assert row["Paper: change"] == f"{both - base:+.2f}".replace("-", "−")
    assert row["Ours: change"] == "−2.00 [−2.00, −2.00]"
    assert row["Ours: t'"] == "5.0 ± 0.0 (3)"
    assert set(frame.loc[frame["T"] == 12, "Paper: accuracy, %"]) == {"–"}, "the paper has no 12 steps"
    assert (
        "T = 12: 0.50 of the steps stay, accuracy 91.0 dense and 89.0"
        in pages_ablation.steps_picture(lengths()).markdown
    )


# --- layers


def test_the_largest_of_a_histogram():
    counts = np.array([5, 3, 2])
    assert layers.largest(counts, 4).tolist() == [0, 2, 2]
    assert layers.largest(counts, 10).tolist() == [5, 3, 2]
    assert layers.largest(counts, 0).tolist() == [0, 0, 0]


def test_the_median_of_a_histogram():
    assert layers.median(np.array([0, 2, 6, 2, 0]), np.array([1.0, 10.0, 100.0])) == 10.0


def test_layers_have_the_papers_names():
    run = fake()
    dense = Results({(data, "dense"): run.records[data, "S"] for data in ("digits-dvs", "arms-dvs")})
    by_set = layers.networks(run, dense)
    assert list(by_set) == ["digits-dvs", "arms-dvs"]
    frame = layers.connectivity_table(by_set).frame
    assert frame["Layer"].tolist() == ["Conv1", "Conv2", "FC1", "FC2"] * 2
    assert frame["IMP: connections, %"].tolist()[0] == "50.00"
    assert set(frame["dense: connections, %"]) == {"100"}


# --- the framework


def test_the_slowest_recording_that_is_right():
    # Two steps, three recordings, two classes: the first is wrong, the second right at once, the third only at last.
    outputs = np.array([[[9.0, 0.0], [9.0, 0.0], [0.0, 2.0]], [[9.0, 0.0], [9.0, 0.0], [9.0, 0.0]]])
    labels = np.array([1, 0, 0])
    found = framework.slowest(record(curves={"outputs": outputs}), labels, ("left", "right"))
    assert (found.place, found.label) == (2, 0)
    assert found.belief[0].tolist() == pytest.approx([1 / (1 + math.e**2), 1 - 1 / (1 + math.e**2)])
    assert found.belief[1, 0] == pytest.approx(1 / (1 + math.e**-3.5))  # the mean of (0, 2) and (9, 0)
