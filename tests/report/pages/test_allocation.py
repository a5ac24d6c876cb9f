"""Allocation and choice, worked by hand."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from report_fakes import Results, arm_metrics, compared
from test_tables import Tags

from snnbook.report.pages import allocation

mpl.use("agg")
NOISE = (0.0, 0.1, -0.1)


@pytest.fixture
def study():
    return compared(
        {
            ("dense", ""): arm_metrics(97, 0.0),
            ("random", "90 %"): lambda s: arm_metrics(60 + NOISE[s], 90.0),
            ("random", "99 %"): arm_metrics(20, 99.0),
            ("lamp", "98 %"): arm_metrics(86, 98.0),
            ("slamp", "90 %"): arm_metrics(90, 90.0),
        },
        sets=("digits-dvs",),
        parent=12,
    )


@pytest.fixture
def layers():
    return compared(
        {
            ("lamp", "98 %"): lambda s: arm_metrics(86 + (2, -2, 0)[s], 98.0),
            ("slamp", "90 %"): lambda s: arm_metrics(87 + 2 * NOISE[s], 90.0),
            ("gradr", "strength 3"): arm_metrics(50, 97.0),  # the comparison has no such arm
        },
        sets=("digits-dvs",),
        parent=12,
    )


@pytest.fixture
def starts():
    return compared({(allocation.SCRATCH, "98 %"): arm_metrics(33, 98.0, scratch=True)}, sets=("digits-dvs",))


def test_a_control_from_scratch_stands_beside_noise_from_scratch(study, starts):
    layers = compared({("lamp", "98 %"): arm_metrics(86, 98.0, scratch=True)}, sets=("digits-dvs",))
    (row,) = allocation.splits(study, layers, starts, "digits-dvs")
    assert row.noise == {0: 33, 1: 33, 2: 33}


def test_noise_is_read_off_at_the_weights_of_the_control(study, layers, starts):
    lamp, slamp = allocation.splits(study, layers, starts, "digits-dvs")
    assert lamp.noise == pytest.approx({s: 20 + (40 + NOISE[s]) * 0.30103 for s in range(3)}, abs=1e-4)
    assert slamp.noise == pytest.approx({0: 60, 1: 60.1, 2: 59.9})
    assert (slamp.place, slamp.reached[0], slamp.control[1]) == ("slamp† 90 %", 90, 87.2)


def test_the_two_parts_add_up(study, layers, starts):
    rows = allocation.splits(study, layers, starts, "digits-dvs")
    by_layers, by_choice = allocation.allocation(rows), allocation.choice(rows)
    assert by_layers.known["slamp† 90 %"].estimate == pytest.approx(27)
    assert by_choice.known["slamp† 90 %"].estimate == pytest.approx(3)
    assert by_choice.separate == {"lamp 98 %": False, "slamp† 90 %": True}


def test_words_table_and_picture(study, layers, starts):
    text = allocation.words(study, layers, starts).markdown
    assert (
        "digits-dvs, choice, the method minus random masks with its layer counts: +0.0 to +3.0 points at 2 places; "
        "above 0 at slamp† 90 %; not separated at lamp 98 % (n = 3, Holm over 2)." in text
    )
    assert "allocation, these masks minus random: +27.0 to +54.0 points at 2 places; above 0 at lamp 98 %" in text
    frame = allocation.table(study, layers, starts).frame.set_index("Method")
    assert frame.loc["slamp†", "Its layers at random, %"] == "87.00 ± 0.20 (3)"
    assert frame.loc["lamp", "Choice [95 % interval]"] == "+0.00 [−4.97, +4.97]"
    assert frame.loc["slamp†", "Allocation [95 % interval]"].endswith("*")
    picture = allocation.picture(study, layers, starts)
    Tags(picture.html)
    assert "digits-dvs, slamp† 90 %: 60.0, 87.0, 90.0" in picture.markdown
    assert "† reconstruction, not the authors' method: slamp from the abstract." in picture.markdown


def test_without_records_one_sentence_says_so(study):
    for block in (allocation.words, allocation.table, allocation.picture):
        text = block(study, Results({}), Results({})).markdown
        assert text == "- There is no record yet of a method together with random masks of its layer counts."
