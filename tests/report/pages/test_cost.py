"""What training costs, worked by hand."""

from __future__ import annotations

import math

from report_fakes import arm_metrics, compared, small

from snnbook.experiments.key import Key
from snnbook.report import ladders
from snnbook.report.pages import cost, method


def test_epochs_and_seconds_count_the_start():
    # Dense: 8 epochs after 12, 10 s: 1.25 s an epoch, so that the start costs 15 s.
    found = compared(
        {
            ("dense", ""): arm_metrics(97, 0.0, cpu=10.0),
            ("magnitude", "90 %"): arm_metrics(92, 90.0, cpu=10.0),
            ("magnitude", "99 %"): arm_metrics(82, 99.0, cpu=20.0),
            ("set", "90 %"): arm_metrics(90, 90.0, epochs=20, cpu=60.0, scratch=True),
            ("imp", "whole"): arm_metrics(95, 98.0, epochs=152, cpu=300.0, scratch=True),
        },
        parent=12,
    )
    assert ladders.total_epochs(found, Key("digits-dvs", "magnitude", "90 %")) == 20
    assert ladders.total_epochs(found, Key("digits-dvs", "set", "90 %")) == 20
    assert ladders.seconds(found, Key("digits-dvs", "magnitude", "90 %")) == dict.fromkeys((0, 1, 2), 25)
    assert ladders.relative_seconds(found, "digits-dvs", "set") == dict.fromkeys(
        (0, 1, 2), 2
    )  # 60 over the mean of 25 and 35
    assert ladders.trained_longer(found, Key("digits-dvs", "imp", "whole"))
    assert not ladders.trained_longer(found, Key("digits-dvs", "set", "90 %"))
    assert ladders.ladder(found, "digits-dvs", "imp", "weights") == []
    assert ladders.relative_seconds(found, "digits-dvs", "imp") == {}
    text = cost.summary(found).markdown
    assert "digits-dvs, 8 epochs after a dense start of 12: magnitude." in text
    assert "digits-dvs, 20 epochs from scratch: set." in text
    assert "imp (whole) takes 152 epochs and is shown apart." in text
    frame = cost.trained_longer(found).frame
    # At 2 % left magnitude is log(5)/log(10) of the way down from 92 to 82.
    gain = 95 - (92 - 10 * math.log10(5))
    assert frame.filter(like="magnitude").iloc[0, 0].startswith(f"+{gain:.2f} [")
    assert "imp, whole" in set(cost.table(found).frame["Method"])
    assert "152 epochs" in method.standing(found, "imp").markdown


def test_an_arm_without_records_has_no_epochs():
    found = small()
    assert ladders.total_epochs(found, Key("digits-dvs", "lamp", "90 %")) == 8
    assert math.isnan(ladders.total_epochs(found, Key("digits-dvs", "none", "")))
    assert "from scratch" in cost.summary(found).markdown
