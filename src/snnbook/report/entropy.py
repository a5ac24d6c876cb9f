"""Entropies of a few neurons in nats, as exact sums over all states that they can be in together.

A joint distribution is an array with one axis for each neuron, `[2, 2, ...]` for spikes: `joint[1, 0]` is the
probability that the first fires and the second does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def entropy(p: ArrayLike) -> float:
    """-sum p ln p over all entries of a distribution of any shape, in nats; 0 ln 0 is 0. Ref: paper C Eq. 3, 5."""
    x = np.asarray(p, dtype=float)
    return float(-(x * np.log(np.where(x > 0, x, 1.0))).sum()) + 0.0


def spike_entropy(p: ArrayLike) -> Array:
    """Entropy of a neuron that fires with probability `p`, of its shape, in nats. Ref: paper C Eq. 4."""
    x = np.asarray(p, dtype=float)
    terms = [-q * np.log(np.where(q > 0, q, 1.0)) for q in (x, 1 - x)]
    return sum(terms, np.zeros_like(x))


def marginals(joint: ArrayLike) -> list[Array]:
    """The distribution of each neuron by itself, `[states]`, from a joint distribution."""
    x = np.asarray(joint, dtype=float)
    return [x.sum(axis=tuple(j for j in range(x.ndim) if j != i)) for i in range(x.ndim)]


def independent(parts: list[Array]) -> Array:
    """The joint distribution of independent neurons with these distributions: the product of the marginals."""
    joint = np.ones(())
    for part in parts:
        joint = np.multiply.outer(joint, part)
    return joint


def total_correlation(joint: ArrayLike) -> float:
    """Divergence of a joint distribution from the product of its marginals, in nats. Ref: paper C Eq. 10.

    It is the sum of the neurons' entropies minus their joint entropy; for two neurons it is their mutual information.
    """
    x = np.asarray(joint, dtype=float)
    product = independent(marginals(x))
    return float((x * np.log(np.where(x > 0, x / np.where(x > 0, product, 1.0), 1.0))).sum())
