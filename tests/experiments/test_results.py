"""What a page calls: the records of a study by key, metric and curve."""

import numpy as np
import pytest

from snnbook.errors import UserError
from snnbook.experiments import results


def test_results_by_key_metric_and_curve(done):
    read = results("A.ablation", "smoke", "0", str(done[1].path), 1, "")
    key = ("digits-dvs", "none")
    assert read.values(key, "top1").shape == (1,)
    assert np.isnan(read.values(key, "decision_step")).all()
    assert read.curves(key, "accuracy_test").shape == (1, 4)
    assert read.sets == ["digits-dvs", "arms-dvs"]
    assert read.playing("DVS128-Gesture") == "arms-dvs"
    with pytest.raises(UserError, match="did you mean top1"):
        read.values(key, "topp1")
    with pytest.raises(UserError, match="unknown curve"):
        read.curves(key, "accuracy_tset")
    with pytest.raises(UserError, match="unknown arm of the study"):
        read.values(("digits-dvs", "X"), "top1")
    with pytest.raises(UserError, match="none of them plays CIFAR10"):
        read.playing("CIFAR10")


def test_parameters_may_come_as_papermill_gives_them(done):
    folder = done[1].path
    by_text = results("A.ablation", "smoke", "0", str(folder), 1, "")
    for seeds, jobs, options in ((0, "1", None), ([0], None, {}), ("0", 1, {"batch_size": 16})):
        again = results("A.ablation", "smoke", seeds, folder, jobs, options)
        assert (again.seeds, again.ran, again.trials) == ((0,), 0, by_text.trials)
    for jobs in (0, -1, True):
        with pytest.raises(UserError, match="jobs must be a whole number of at least 1"):
            results("A.ablation", "smoke", 0, folder, jobs)
