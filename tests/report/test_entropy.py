"""Entropies as exact sums: closed forms, and what must hold for every distribution."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook.report.entropy import entropy, independent, marginals, spike_entropy, total_correlation


def drawn(seed: int, neurons: int, zeros: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    joint = rng.exponential(size=(2,) * neurons) * (rng.random((2,) * neurons) < (0.6 if zeros else 1))
    joint.flat[0] += 0.1
    return joint / joint.sum()


def test_entropy_of_closed_forms():
    assert entropy([0.25] * 4) == pytest.approx(math.log(4))
    assert entropy([[1.0, 0.0], [0.0, 0.0]]) == 0
    assert spike_entropy([0.0, 0.5, 1.0]) == pytest.approx([0, math.log(2), 0])
    assert spike_entropy(0.2) == pytest.approx(entropy([0.2, 0.8]))


def test_marginals_by_loop():
    joint = drawn(0, 3)
    for i, part in enumerate(marginals(joint)):
        for a in (0, 1):
            states = [x for x in itertools.product((0, 1), repeat=3) if x[i] == a]
            assert part[a] == pytest.approx(sum(joint[x] for x in states))


def test_total_correlation_of_closed_forms():
    copied = np.diag([0.5, 0.5])
    parity = np.array([[[0.25, 0], [0, 0.25]], [[0, 0.25], [0.25, 0]]])  # the third is the parity of the other two
    assert total_correlation(copied) == pytest.approx(math.log(2))
    assert total_correlation(parity) == pytest.approx(math.log(2))
    for i in range(3):
        assert total_correlation(parity.sum(axis=i)) == pytest.approx(0, abs=1e-15), "in pairs they are independent"


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.booleans())
def test_total_correlation_is_the_gap_of_the_entropies(seed, neurons, zeros):
    joint = drawn(seed, neurons, zeros)
    gap = sum(entropy(part) for part in marginals(joint)) - entropy(joint)
    assert total_correlation(joint) == pytest.approx(gap, abs=1e-12)
    assert total_correlation(joint) >= -1e-12
    product = independent(marginals(joint))
    assert product.sum() == pytest.approx(1)
    assert total_correlation(product) == pytest.approx(0, abs=1e-12)
