"""The page on tuning reads the validation split alone."""

from __future__ import annotations

import math

import pytest
from report_fakes import arm_metrics, compared
from test_tables import Tags

from snnbook.experiments.key import Key
from snnbook.pruning import registry
from snnbook.report.pages import tuning
from snnbook.report.pages.tuning import Choice


@pytest.fixture
def found():
    def scored(first, second, sparsity=98.0):
        return lambda s: arm_metrics(90, sparsity, top1_validation=first if s == 100 else second)

    return compared(
        {
            ("lamp", "span 0.4, at 98 %"): scored(80.0, 81.0),
            ("lamp", "span 0.6, at 98 %"): scored(82.0, 83.0),
            ("ndsnn", "fraction 0.3, at 98 %"): scored(70.0, 71.0),
            ("gradr", "prior 0.6, at strength 1"): scored(85.0, 85.0, 95.0),
            ("gradr", "prior 0.6, at strength 2"): scored(65.0, 65.0, 99.0),
        },
        sets=("digits-clutter",),
        seeds=(100, 101),
    )


CHOICES = {
    "lamp": Choice({"span 0.4": 80.5, "span 0.6": 82.5}, "weights", 2.0, ("span",)),
    "ndsnn": Choice({"fraction 0.3": 70.5}, "weights", 2.0),
    "gradr": Choice({"prior 0.6": 76.25, "prior 0.9": -math.inf}, "connections", 10.0),
}
USED = {Key("digits-clutter", "lamp", "span 0.4, at 98 %")}


def test_every_trial_stands_with_its_seeds_and_its_candidates_score(found):
    frame = tuning.candidates(found, CHOICES, USED).frame
    assert frame["Trial"].tolist() == [key.level for key in found.records]
    assert frame["Seed 100, %"].tolist() == ["80.0", "82.0", "70.0", "85.0", "65.0"]
    assert frame["Seed 101, %"].tolist() == ["81.0", "83.0", "71.0", "85.0", "65.0"]
    assert frame["At the common budget, %"].tolist() == ["80.50", "82.50", "70.50", "76.25", "76.25"]
    assert frame["minus best"].tolist() == ["−2.00", "–", "–", "–", "–"]
    assert frame["Note"].tolist() == ["used", "best", "best", "best", "best"]
    assert frame["Left"].tolist()[2:4] == ["2.00 % of the weights", "50.00 % of the connections"]
    assert frame["Method"].tolist()[2] == "ndsnn†"


def test_counts_budgets_edges_and_what_is_used_are_said(found):
    text = tuning.summary(found, CHOICES, USED).markdown
    assert "1 candidate: ndsnn†." in text
    assert "2 candidates: lamp and gradr." in text
    assert "Compared at 2 % of the weights: lamp and ndsnn†." in text
    assert "Compared at 10 % of the connections: gradr." in text
    assert "At the edge of what was tried: lamp (span)." in text
    assert "Seeds: 100 to 101, none of them one of the comparison." in text
    assert "lamp: span 0.6 was better by 2.00 points than span 0.4, which the comparison uses." in text
    assert "The comparison of this profile uses no candidate of ndsnn† and gradr." in text
    inner = {"ndsnn": CHOICES["ndsnn"]}
    assert "No chosen value is at an edge." in tuning.summary(found, inner, USED).markdown


def test_the_picture_leaves_out_what_does_not_pass_the_budget(found):
    block = tuning.picture(found, CHOICES)
    Tags(block.html)
    assert "gradr: prior 0.6 76.2, prior 0.9 –" in block.markdown


def test_nothing_of_the_test_split_is_shown(found):
    shown = [
        tuning.candidates(found, CHOICES, USED),
        tuning.summary(found, CHOICES, USED),
        tuning.picture(found, CHOICES),
    ]
    assert "90.0" not in "".join(map(str, shown))


def test_candidates_have_the_names_and_the_order_of_the_plan():
    plan = registry.METHODS["lamp"].plan
    scores = [float(i) for i in range(len(plan.candidates))]
    its = tuning.choice("lamp", scores, ["span"])
    assert list(its.scores) == [registry.described(candidate) for candidate in plan.candidates]
    assert (its.best, its.axis, its.budget) == (registry.described(plan.candidates[-1]), plan.axis, plan.budget)
    with pytest.raises(ValueError, match="shorter"):
        tuning.choice("lamp", scores[:-1], [])
