"""The synapses of paper B's Fig. 1, one by one: a 3x3 convolution from 5x5 to 5x5 neurons, with zero padding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

SIDE, KERNEL = 5, 3
Places = Iterable[tuple[int, int]]


def synapses() -> np.ndarray:
    """Which synapses there are, bool `[5, 5, 3, 3]`: by postsynaptic neuron (row, column) and by weight (row, column).

    A weight of a neuron at the border may fall on the padding, where there is no presynaptic neuron and no synapse.
    """
    return alive((), (), ())


def alive(pre: Places, weights: Places, post: Places) -> np.ndarray:
    """Which synapses are left, bool as `synapses`, without these presynaptic neurons, weights, postsynaptic neurons.

    A synapse is alive if its weight and the neurons at both of its ends are. Ref: paper B Eq. 2.
    """
    before = np.zeros((SIDE + 2, SIDE + 2), bool)  # with the ring of padding, where nothing lives
    before[1:-1, 1:-1] = True
    kernel, behind = np.ones((KERNEL, KERNEL), bool), np.ones((SIDE, SIDE), bool)
    for row, column in pre:
        before[row + 1, column + 1] = False
    for place in weights:
        kernel[place] = False
    for place in post:
        behind[place] = False
    seen = np.lib.stride_tricks.sliding_window_view(before, (KERNEL, KERNEL))
    return seen & kernel & behind[..., None, None]


@dataclass(frozen=True)
class Removal:
    """What is pruned in one panel of the figure: places (row, column) of neurons before, weights, neurons behind."""

    name: str
    pre: tuple[tuple[int, int], ...] = ()
    weights: tuple[tuple[int, int], ...] = ()
    post: tuple[tuple[int, int], ...] = ()

    def alive(self) -> np.ndarray:
        """Which synapses are left, bool `[5, 5, 3, 3]`."""
        return alive(self.pre, self.weights, self.post)


NEURONS = {"inner": (2, 2), "edge": (0, 2), "corner": (0, 0)}
WEIGHTS = {"centre": (1, 1), "edge": (0, 1), "corner": (0, 0)}
DENSE = Removal("nothing")
ONE_NEURON = tuple(
    removal
    for place, at in NEURONS.items()
    for removal in (Removal(f"{place} neuron before", pre=(at,)), Removal(f"{place} neuron behind", post=(at,)))
)
ONE_WEIGHT = tuple(Removal(f"{place} weight", weights=(at,)) for place, at in WEIGHTS.items())
_INNER, _CENTRE = ((2, 2),), ((1, 1),)
SEVERAL = (
    Removal("inner neuron before, centre weight", pre=_INNER, weights=_CENTRE),
    Removal("centre weight, inner neuron behind", weights=_CENTRE, post=_INNER),
    Removal("inner neurons before and behind", pre=_INNER, post=_INNER),
    Removal("all three", pre=_INNER, weights=_CENTRE, post=_INNER),
)
