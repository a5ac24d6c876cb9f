"""What every data set promises, in memory or on disk."""

import numpy as np
import pytest
import torch

from snnbook import datasets
from snnbook.datasets import FileSet, Info, MemorySet
from snnbook.errors import UserError

INFO = Info("made", "made for a test", True, 3, (1, 1, 1), {})
SORTED = [0, 0, 0, 0, 1, 1, 2]  # labels as on disk: one class after the other


def made(kind, labels=SORTED):
    """A set whose sample i is the number i."""
    x = torch.arange(float(len(labels))).view(-1, 1, 1, 1)
    rest = (labels, "fingerprint", lambda x, generator: x)
    return MemorySet(INFO, "train", x, *rest) if kind is MemorySet else FileSet(INFO, "train", *rest, x.__getitem__)


@pytest.mark.parametrize("kind", [MemorySet, FileSet])
def test_the_head_takes_the_classes_in_turn_as_far_as_they_last(kind):
    data = made(kind)
    assert data.head_indices(100).tolist() == [0, 4, 6, 1, 5, 2, 3]
    for n in (1, 3, 5, 7, 100):
        head = data.head(n)
        assert [int(x) for x, _ in (head[i] for i in range(len(head)))] == [0, 4, 6, 1, 5, 2, 3][:n]
        assert head.y.tolist() == [0, 1, 2, 0, 1, 0, 0][:n]
        assert head.fingerprint == data.fingerprint
    assert [int(x) for x, _ in (data.head(6).head(4)[i] for i in range(4))] == [0, 4, 6, 1]
    with pytest.raises(UserError, match="at least 1 sample, got 0"):
        data.head(0)


@pytest.mark.parametrize("name", ["digits-clutter", "digits-100", "digits-dvs", "arms-dvs"])
def test_the_head_of_an_embedded_set_is_its_first_samples(name):
    data = datasets.load(name, "validation")
    assert data.head_indices(10**6).tolist() == list(range(len(data)))
    assert torch.equal(data.head(3).x, data.x[:3])
    assert np.bincount(data.head(2 * data.num_classes).y).tolist() == [2] * data.num_classes
