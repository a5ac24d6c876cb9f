"""The page on tuning reads the validation split alone."""

from __future__ import annotations

from report_fakes import arm_metrics, compared
from test_tables import Tags

from snnbook.experiments.key import Key
from snnbook.report.pages import tuning


def test_tuning_reads_the_validation_split_alone():
    found = compared(
        {
            ("lamp", "span 0.4"): arm_metrics(90, 98.0, top1_validation=80.0),
            ("lamp", "span 0.6"): arm_metrics(95, 98.0, top1_validation=81.5),
            ("set", "fraction 0.3"): arm_metrics(94, 98.0, top1_validation=70.0),
        },
        sets=("digits-clutter",),
        seeds=(100,),
    )
    used = {Key("digits-clutter", "lamp", "span 0.4")}
    frame = tuning.candidates(found, used).frame
    assert frame["Validation accuracy, %"].tolist() == ["80.00", "81.50", "70.00"]
    assert frame["Mark"].tolist() == ["used", "best", "best"]
    assert frame["minus best"].tolist() == ["−1.50", "–", "–"]
    text = tuning.summary(found, used).markdown
    assert "1 candidate: set." in text
    assert "2 candidates: lamp." in text
    assert "span 0.6 was better by 1.50 points than span 0.4, which is used." in text
    assert "set on digits-clutter: the comparison of this profile uses none of these candidates." in text
    everything = text + str(tuning.candidates(found, used)) + str(tuning.picture(found, used))
    Tags(tuning.picture(found, used).html)
    assert not any(test in everything for test in ("90.0", "95.0", "94.0"))
