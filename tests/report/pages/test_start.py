"""The start as a factor, worked by hand."""

from __future__ import annotations

import math

import matplotlib as mpl
import pytest
from report_fakes import Results, arm_metrics, compared
from test_tables import Tags

from snnbook.report.pages import start

mpl.use("agg")
NOISE = (0.0, 0.1, -0.1)


def noisy(accuracy, sparsity, **more):
    return lambda s: arm_metrics(accuracy + NOISE[s], sparsity, **more)


@pytest.fixture
def study():
    return compared(
        {
            ("dense", ""): arm_metrics(97, 0.0),
            ("lamp", "90 %"): arm_metrics(92, 90.0),
            ("lamp", "99 %"): lambda s: arm_metrics(80 + (3, -3, 0)[s], 99.0),
            ("magnitude", "90 %"): arm_metrics(90, 90.0),
            ("criticality", "90 %"): arm_metrics(93, 90.0, connections=0.4),
            ("criticality", "99 %"): arm_metrics(85, 99.0, connections=0.04),
        }
    )


@pytest.fixture
def other():
    control = "criticality, no regeneration, from scratch"
    return compared(
        {
            ("lamp, from scratch", "90 %"): noisy(94, 90.0),
            ("lamp, from scratch", "99 %"): arm_metrics(80.5, 99.0),
            ("criticality, from dense", "90 %"): noisy(91, 90.0),
            (control, "90 %"): noisy(90, 90.0, connections=0.2),
            (control, "99 %"): noisy(80, 99.0, connections=0.02),
            ("dense, one schedule", ""): noisy(98, 0.0),
        }
    )


def test_differences_are_at_the_same_level(study, other):
    lamp, criticality = start.starts(study, other, "digits-dvs")
    assert lamp.title == "lamp, from scratch minus from dense"
    assert lamp.known["90 %"].estimate == pytest.approx(2)
    assert lamp.known["99 %"].estimate == pytest.approx(0.5)
    assert lamp.separate == {"90 %": True, "99 %": False}
    assert list(criticality.known) == ["90 %"]
    assert criticality.known["90 %"].estimate == pytest.approx(2)


def test_regeneration_alone_is_compared_at_equal_weights_connections_and_operations(study, other):
    weights, connections, sops = start.regeneration(study, other, "digits-dvs")
    assert weights.known["99 %"].estimate == pytest.approx(5)
    # At 4 % of the connections the control is log 2 of the way from 80 to 90; 40 % it never has.
    assert list(connections.known) == ["99 %"]
    assert connections.known["99 %"].estimate == pytest.approx(85 - (80 + 10 * math.log10(2)))
    assert sops.known["90 %"].estimate == pytest.approx(93 - 85)  # all spend as much: the mean of the control counts


def test_words_and_table_say_what_the_seeds_separate(study, other):
    text = start.words(study, other).markdown
    assert (
        "digits-dvs: lamp, from scratch minus from dense: the seeds separate the two at 90 % (+2.00 [+1.75, +2.25]), "
        "but not at 99 % (n = 3, Holm over 2)." in text
    )
    assert "dense, one schedule minus two: the seeds separate the two at all weights (+1.00 [+0.75, +1.25])" in text
    assert "magnitude" not in text
    assert "Mean rank at equal weights if one method alone had its other start: lamp (" in text
    frame = start.table(study, other).frame.set_index(["Data", "Difference in accuracy, points"])
    row = frame.loc["digits-dvs", "lamp, from scratch minus from dense"]
    assert row["90 %"] == "+2.00 [+1.75, +2.25] *"
    assert row["all weights"] == "–"
    picture = start.picture(study, other)
    Tags(picture.html)
    assert "digits-clutter, lamp, from scratch minus from dense: 90 % +2.00 [+1.75, +2.25] *" in picture.markdown


def test_without_records_one_sentence_says_so(study):
    for block in (start.words, start.table, start.picture):
        assert block(study, Results({})).markdown == "- There is no record yet of these methods with the other start."
