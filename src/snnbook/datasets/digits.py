"""The 1,797 handwritten digits that come with scikit-learn (8x8, 10 classes), and who may use which of them.

They carry no split of their own. Ours is by class: shuffled with seed 0, the first 50 are for testing, the
next 25 for validation, the rest for training. Everything that a split shows is made from its own digits.
"""

from __future__ import annotations

from functools import cache

import numpy as np

TEST_PER_CLASS = 50
VALIDATION_PER_CLASS = 25


@cache
def images() -> tuple[np.ndarray, np.ndarray]:
    """Grey values in 0 to 1 `[1797, 8, 8]` and labels `[1797]`."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.images / 16.0, data.target.astype(np.int64)


@cache
def split_by_class() -> dict[str, tuple[np.ndarray, ...]]:
    """Split → for each of the ten classes, the indices of its digits in random order."""
    rng = np.random.default_rng(0)
    _, labels = images()
    parts: dict[str, tuple[np.ndarray, ...]] = {"train": (), "validation": (), "test": ()}
    for c in range(10):
        members = np.flatnonzero(labels == c)
        rng.shuffle(members)
        test, validation, train = np.split(members, [TEST_PER_CLASS, TEST_PER_CLASS + VALIDATION_PER_CLASS])
        for name, part in (("train", train), ("validation", validation), ("test", test)):
            parts[name] = (*parts[name], part)
    return parts


def indices(split: str) -> np.ndarray:
    """Sorted indices of the digits of a split: 1,047 for train, 250 for validation, 500 for test."""
    return np.sort(np.concatenate(split_by_class()[split]))


def tent(position: np.ndarray, n: int) -> np.ndarray:
    """Linear interpolation weights between n points: positions `[*]` → `[*, n]`; they fade to 0 outside."""
    return np.maximum(0.0, 1.0 - np.abs(np.asarray(position)[..., None] - np.arange(n)))
