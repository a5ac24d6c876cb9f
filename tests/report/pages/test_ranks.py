"""Ranks and ties of methods, worked by hand."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from report_fakes import arm_metrics, compared
from test_tables import Tags

from snnbook.report import ladders, orders
from snnbook.report.pages import ranks

mpl.use("agg")
LEVELS = ("80 %", "90 %", "95 %", "98 %")
NOISE = (0.0, 0.1, -0.1, 0.2, -0.2)


def several(**accuracy):
    """Each method at four budgets of two sets: accuracy → with a little noise of the seed, or what it is by seed."""

    def arm(level, value):
        at = value if callable(value) else lambda s: value + NOISE[s]
        return lambda s: arm_metrics(at(s), float(level[:2]))

    arms = {(m, level): arm(level, value) for m, value in accuracy.items() for level in LEVELS}
    return compared(arms, seeds=range(5))


@pytest.fixture
def found():
    """magnitude and lamp are the same but for noise, slamp is worse by ten points, set has three budgets of one set."""
    made = several(
        magnitude=lambda s: 90 + (1, -1, 0, 1, -1)[s], lamp=lambda s: 90 + (-1, 1, 0.5, -1, 1)[s], slamp=80, set=70
    )
    for key in [k for k in made.records if k.arm == "set" and (k.data, k.level) > ("digits-clutter", "95 %")]:
        del made.records[key]
    return made


def test_the_first_and_those_tied_with_it(found):
    text = ranks.leaders(found, "weights").markdown
    assert (
        "digits-clutter, at 20.00 (weights left, %): lamp comes first of 4 with 90.10 ± 1.02 (5) %; "
        "tied with it: magnitude (n = 5, 6 pairs)." in text
    )
    alone = several(magnitude=90, lamp=80)
    assert "magnitude comes first of 2 with 90.00 ± 0.16 (5) %, apart from all others (n = 5, 1 pair)." in (
        ranks.leaders(alone, "weights").markdown
    )


def test_letters_stand_beside_accuracies_at_each_budget(found):
    table = ranks._ties_table(found, "weights").frame.set_index("Method")
    assert table.loc["lamp", "digits-clutter, 80 %"] == "90.1 a"
    assert table.loc["magnitude", "digits-clutter, 80 %"] == "90.0 a"
    assert table.loc["slamp†", "digits-clutter, 80 %"] == "80.0 b"
    assert table.loc["set", "digits-dvs, 98 %"] == "–"
    block = ranks.ties(found, "weights")
    Tags(block.html)
    assert "digits-clutter, 80 %: lamp 90.1 a, magnitude 90.0 a, slamp† 80.0 b, set 70.0 c" in block.markdown


def test_few_budgets_are_set_apart_below_and_in_grey(found):
    table = ranks.rank_table(found)
    assert table.frame["Method"].tolist()[-1] == "set"  # though random is worse nowhere: it stands below by its budgets
    row = table.frame.set_index("Method").loc["set"]
    assert str(row["at equal weights"]) == "4.0 [4.0, 4.0] (3)"
    assert '<span style="opacity:0.6">4.0 [4.0, 4.0] (3)</span>' in table.html
    assert row["ties, weights"] == "–"
    assert "fewer than 4 budgets: set (3)." in ranks.rank_sentences(found).markdown


def test_ranks_over_few_budgets_come_last_even_if_they_are_the_best(found):
    best = several(magnitude=90, lamp=80, set=95)
    for key in [k for k in best.records if k.arm == "set" and (k.data, k.level) > ("digits-clutter", "95 %")]:
        del best.records[key]
    assert ranks.rank_table(best).frame["Method"].tolist() == ["magnitude", "lamp", "set"]


def test_ties_in_the_mean_are_of_mean_ranks(found):
    frame = ranks.rank_table(found).frame.set_index("Method")
    assert frame.loc["magnitude", "ties, weights"] == frame.loc["lamp", "ties, weights"] == "a"
    assert frame.loc["slamp†", "ties, weights"] == "b"
    first = orders.mean_ranks(ladders.scores(found, "weights"))
    assert first["slamp"].interval.estimate == pytest.approx((3 * 3 + 5 * 4) / 8)  # stretched to 4 where set is missing
    assert "tied with it: magnitude (n = 5, 3 pairs)" in ranks.rank_sentences(found).markdown
