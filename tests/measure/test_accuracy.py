"""Accuracy by hand, with ties and per step."""

from __future__ import annotations

import pytest
import torch

from snnbook.errors import UserError
from snnbook.measure import accuracy, accuracy_per_step

LOGITS = torch.tensor(
    [
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.0, 3.0, 0.0], [0.0, 5.0, 0.0]],
    ]
)


def test_running_mean_decides():
    labels = torch.tensor([1, 2])
    # Running sums of sample 0: (0 1 0), (2 1 0), (2 4 0); of sample 1: (0 0 1), (0 0 2), (0 5 2).
    assert accuracy_per_step(LOGITS, labels).tolist() == [100, 50, 50]
    assert accuracy(LOGITS, labels) == 50
    assert accuracy(LOGITS, labels, k=2) == 100
    assert accuracy(LOGITS, labels, k=3) == 100


def test_the_last_step_is_the_accuracy():
    g = torch.Generator().manual_seed(0)
    logits = torch.randint(0, 3, (7, 200, 5), generator=g) / 10
    labels = torch.randint(0, 5, (200,), generator=g)
    curve = accuracy_per_step(logits, labels)
    assert curve.shape == (7,)
    assert curve[-1].item() == pytest.approx(accuracy(logits, labels))
    assert [accuracy(logits[:t], labels) for t in range(1, 8)] == pytest.approx(curve.tolist())
    assert [accuracy(logits, labels, k) for k in range(1, 6)] == sorted(
        accuracy(logits, labels, k) for k in range(1, 6)
    )
    assert accuracy(logits, labels, 5) == 100


def test_ties_go_to_the_lower_class_and_nan_to_none():
    logits = torch.zeros(1, 3, 3)
    labels = torch.arange(3)
    assert accuracy(logits, labels) == pytest.approx(100 / 3)
    assert accuracy(logits, labels, k=2) == pytest.approx(200 / 3)
    assert accuracy(logits * float("nan"), labels) == 0


@pytest.mark.parametrize(
    ("logits", "labels", "k", "match"),
    [
        (LOGITS[0], torch.tensor([1, 2]), 1, "logits must be"),
        (LOGITS, torch.tensor([1]), 1, "labels must be"),
        (LOGITS, torch.tensor([1, 3]), 1, "from 0 to 2"),
        (LOGITS, torch.tensor([1, 2]), 4, "k must be"),
    ],
)
def test_errors(logits, labels, k, match):
    with pytest.raises(UserError, match=match):
        accuracy(logits, labels, k)
