from __future__ import annotations

import numpy as np
import pytest

from snnbook import measure
from snnbook.report import curves


def test_decision_step_by_hand():
    kl = np.array([5.0, 3.0, 1.2, 1.0, 1.1])
    assert curves.normalised(kl).tolist() == pytest.approx([1, 0.5, 0.05, 0, 0.025])
    assert [curves.decision_step(kl, lam) for lam in (0, 0.01, 0.051, 0.5, 0.51, 2)] == [5, 4, 3, 3, 2, 1]
    assert curves.decision_step(np.ones(4), 0.1) == 4


def test_decision_step_agrees_with_the_measurement():
    rng = np.random.default_rng(1)
    for kl in (*rng.random((20, 8)), np.ones(3), rng.random(6).astype(np.float32)):
        assert curves.normalised(kl).tolist() == pytest.approx(measure.normalise(kl).tolist())
        for lam in (0.0, 0.01, 0.3, 1.0):
            assert curves.decision_step(kl, lam) == measure.decision_timestep(kl, lam)
