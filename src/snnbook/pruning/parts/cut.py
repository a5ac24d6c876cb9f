"""Global cuts by magnitude and by LAMP without sorting the network: the masks of the sorted definition, ties included.

The best weights of a network are, layer by layer, those above an edge. A histogram of each layer over the upper bits
of |w| says for all but a few bins whether they lie above it or below; only the weights of these few are sorted, and
the last ties are settled in integers. So the network is read three times, and the memory beside the masks is a
fraction of that of the weights.

Of LAMP the inverse q = (sum of v^2 over the weights v of the layer down to w in rank) / w^2 is used: the smallest stay.
Within a layer q rises by at least 1 from rank to rank, and among equal weights by exactly 1.
Ref: Lee et al. 2020; paper A Eq. 1. What survives is defined by `scores.py` and `budgets.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from snnbook.pruning.budgets import check_sparsity, global_masks
from snnbook.pruning.parts import cut_passes
from snnbook.pruning.parts.cut_passes import BINS, MOST, OFFSET_BITS, Array
from snnbook.pruning.scores import Score, Tensors, scored

Edge = tuple[int, int]  # (low, extra): weights of bits >= low stay, and the first `extra` of those of bits low - 1
Range = tuple[int, int]  # (start, stop): of a layer's groups those before `start` stay and those from `stop` on go

_INFINITE = 0x7F800000 >> OFFSET_BITS  # the bins from here on hold inf and NaN
_CLOSE = 2.0**-28  # relative: above the rounding of q in float64, below the distance between the q of different |w|


def cut(
    score: str | Score, weights: Tensors, generator: torch.Generator, sparsity: float, masks: Tensors | None = None
) -> dict[str, Tensor]:
    """The masks of `global_masks` for a score of these weights, without sorting them where that is possible.

    score: a name of `scores.SCORES` or a function of the weights by name. "magnitude" and "lamp" of float32 weights on
    the CPU are cut without sorting; all others are scored and sorted. generator: what "random" draws from. sparsity:
    the share of the living weights that goes, in [0, 1). masks: which are alive now, bool, of the weights' shapes; None
    for all. Returns bool masks of the weights' shapes.
    LAMP scores are compared exactly; where two differ by less than the rounding of float64, `global_masks` of `lamp`
    may swap them.
    Raises UserError for an unknown score, and whatever `global_masks` raises it for.
    """
    check_sparsity(sparsity)
    try:
        if not isinstance(score, str) or score not in _RULES:
            raise _NeedsSorting
        layers = {name: _dense(w.detach()) for name, w in weights.items()}
        alive = {name: None if masks is None else _laid_out_as(w, masks[name]) for name, w in layers.items()}
        living = [w.numel() if m is None else _count(m) for w, m in zip(layers.values(), alive.values(), strict=True)]
        edges = _edges(
            score, [cut_passes.memory(w) for w in layers.values()], living, round((1 - sparsity) * sum(living))
        )
        return {n: _mask(w, alive[n], edge) for (n, w), edge in zip(layers.items(), edges, strict=True)}
    except _NeedsSorting:
        return global_masks(scored(score, weights, generator), sparsity, masks)


class _NeedsSorting(Exception):
    """What is not covered here: other scores and devices, float64, inf, NaN, dead weights that are not zero, errors."""


def _dense(w: Tensor) -> Tensor:
    """The weights as float32 without gaps in memory, in whatever order."""
    if w.device.type != "cpu" or w.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise _NeedsSorting
    w = w.float()
    return w if torch.empty_like(w, dtype=torch.bool).stride() == w.stride() else w.contiguous()


def _count(mask: Tensor) -> int:
    return int(np.count_nonzero(cut_passes.memory(mask)))


def _mask(w: Tensor, alive: Tensor | None, edge: Edge) -> Tensor:
    mask = cut_passes.mask(w, alive, *edge)
    if mask is None:
        raise _NeedsSorting
    return mask


def _laid_out_as(w: Tensor, mask: Tensor) -> Tensor:
    return mask if mask.stride() == w.stride() else torch.empty_like(w, dtype=torch.bool).copy_(mask)


def _edges(score: str, layers: list[Array], living: list[int], keep: int) -> list[Edge]:
    """Where to cut each layer so that `keep` of all living weights stay."""
    if keep == 0:
        raise _NeedsSorting
    bins = [_bins(w) for w in layers]
    nonzero = [int(b.before[-1]) for b in bins]
    zeros = keep - sum(nonzero)
    if zeros < 0:
        return _select(score, layers, bins, keep)
    edges = []
    for n, alive in zip(nonzero, living, strict=True):
        edges.append((1, min(zeros, alive - n)))
        zeros -= edges[-1][1]
    return edges


def _select(score: str, layers: list[Array], bins: list[_Groups], keep: int) -> list[Edge]:
    """Where to cut each layer so that `keep` of the nonzero weights stay."""
    ranges, count = _RULES[score]
    unclear = ranges(bins, keep)
    runs = [_runs(w, b, *u) for w, b, u in zip(layers, bins, unclear, strict=True)]
    edges: list[Edge] = []
    for b, (start, _), r, k in zip(bins, unclear, runs, count(bins, runs, keep), strict=True):
        i = int(r.before.searchsorted(k))  # the k weights end in run i - 1
        if i == 0:
            edges.append((int(b.low[start - 1]) if start else MOST, 0))
        else:
            extra = k - int(r.before[i - 1]) if k < r.before[i] else 0
            edges.append((int(r.low[i - 1]) + (extra > 0), extra))
    return edges


@dataclass
class _Groups:
    """Nonzero weights of a layer in groups from the largest down: bins, or runs of equal weights. Arrays `[G]`.

    The bits of a group lie between `low` and `high`; `sums [3, G]` are those of 1, d and d^2, d the lowest 15 bits.
    """

    low: Array
    high: Array
    sums: Array
    above: float = 0.0  # sum of the squares, and number, of the weights above the first group
    number: int = 0

    def __post_init__(self) -> None:
        count, d1, d2 = self.sums
        corner = _values(self.low >> OFFSET_BITS << OFFSET_BITS)
        unit = np.spacing(corner.astype(np.float32)).astype(np.float64)
        squares = count * corner**2 + 2 * corner * unit * d1 + unit**2 * d2
        tail = np.cumsum(np.append(self.above, squares))
        self.before = np.cumsum(np.append(self.number, count))
        # The q of a group lie, for its j-th weight, from least + (j - 1) to most + (j - 1) * step; all up to `last`.
        smallest, largest = _values(self.low) ** 2, _values(self.high) ** 2
        self.least, self.most = tail[:-1] / largest + 1, tail[:-1] / smallest + 1
        self.step, self.last, self.tail = largest / smallest, tail[1:] / smallest, tail

    def at_most(self, q: float) -> int:
        """A bound from above on the number of weights whose inverse score is up to q."""
        i = int(self.least.searchsorted(q, "right")) - 1
        return int(self.before[0] if i < 0 else self.before[i] + min(self.sums[0, i], q - self.least[i] + 1))

    def at_least(self, q: float) -> int:
        """A bound from below on the number of weights whose inverse score is up to q."""
        i = int(self.most.searchsorted(q, "right")) - 1
        sure = (q - self.most[i]) / self.step[i] + 1 if i >= 0 else 0
        return int(self.before[0] if i < 0 else self.before[i] + min(self.sums[0, i], sure))

    def between(self, low: float, high: float) -> Range:
        """The groups that may have inverse scores in (low, high]."""
        return int(self.last.searchsorted(low, "right")), int(self.least.searchsorted(high, "right"))

    def exact(self, stop: int) -> int:
        """The sum of the squares of the groups before `stop`, in squares of the smallest float32."""
        total = 0
        exponents = self.low[:stop] >> 23
        for exponent in np.unique(exponents).tolist():
            i = np.flatnonzero(exponents == exponent)
            lead = (self.low[i] >> OFFSET_BITS & 0xFF) + (0x100 if exponent else 0)  # |w| = (lead 2^15 + d) 2^shift
            leads, mixed, rest = (self.sums[:, i] * (lead**2, lead, 1 + 0 * lead)).sum(1).tolist()
            total += (leads << 30) + (mixed << 16) + rest << 2 * max(exponent - 1, 0)
        return total


def _values(bits: Array) -> Array:
    return bits.astype(np.int32).view(np.float32).astype(np.float64)


def _bins(w: Array) -> _Groups:
    bins, sums = cut_passes.histogram(w)
    if len(bins) and bins[0] >= _INFINITE:
        raise _NeedsSorting
    low = bins << OFFSET_BITS
    return _Groups(np.maximum(low, 1), low + (1 << OFFSET_BITS) - 1, sums)


def _runs(w: Array, bins: _Groups, start: int, stop: int) -> _Groups:
    """The weights of the bins from `start` to `stop` by runs of equal ones."""
    low = count = np.empty(0, np.int64)
    if start < stop:
        low, count = cut_passes.distinct(
            w, int(bins.low[stop - 1]), int(bins.high[start]), int(bins.sums[0, start:stop].sum())
        )
    d = low % (1 << OFFSET_BITS)
    return _Groups(low, low, np.stack([count, count * d, count * d * d]), bins.tail[start], int(bins.before[start]))


def _magnitude_ranges(bins: list[_Groups], keep: int) -> list[Range]:
    """Which bins hold the magnitude of the last of the best `keep`."""
    count = np.zeros(BINS, np.int64)
    for b in bins:
        count[b.low >> OFFSET_BITS] += b.sums[0]
    last = BINS - 1 - int(np.cumsum(count[::-1]).searchsorted(keep))
    places = [b.low >> OFFSET_BITS for b in bins]
    return [(int((at > last).sum()), int((at >= last).sum())) for at in places]


def _magnitude_kept(bins: list[_Groups], runs: list[_Groups], keep: int) -> list[int]:
    """How many of the best `keep` are in each layer; of equal magnitudes the first layers have theirs."""
    bits, count = np.concatenate([r.low for r in runs]), np.concatenate([r.sums[0] for r in runs])
    order = np.argsort(-bits)
    last = bits[order][np.cumsum(count[order]).searchsorted(keep - sum(r.number for r in runs))]
    kept = [int(r.before[(r.low > last).sum()]) for r in runs]
    for i, r in enumerate(runs):
        kept[i] += min(int(r.sums[0, r.low == last].sum()), keep - sum(kept))
    return kept


def _bracket(groups: list[_Groups], keep: int, tolerance: float) -> tuple[float, float]:
    """(low, high] with the inverse score of the last of the best `keep`, as tight as groups and tolerance allow."""
    top = max(float(g.most[-1] + g.sums[0, -1] * g.step[-1]) for g in groups if len(g.low))

    def halve(reached: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
        while high > low * (1 + tolerance):
            middle = low * math.sqrt(high / low)
            low, high = (low, middle) if reached(middle) else (middle, high)
        return low, high

    low, _ = halve(lambda q: sum(g.at_most(q) for g in groups) >= keep, 0.5, top)
    _, high = halve(lambda q: sum(g.at_least(q) for g in groups) >= keep, low, top)
    return low * (1 - _CLOSE), high * (1 + _CLOSE)


def _lamp_ranges(bins: list[_Groups], keep: int) -> list[Range]:
    """Which bins may hold a LAMP score as that of the last of the best `keep`."""
    bracket = _bracket(bins, keep, 2.0**-12)
    return [b.between(*bracket) for b in bins]


def _lamp_kept(bins: list[_Groups], runs: list[_Groups], keep: int) -> list[int]:
    """How many of the best `keep` are in each layer; of equal scores the first layers have theirs."""
    bracket = _bracket(runs, keep, 2.0**-40)
    kept, close = [], []
    for layer, (b, r) in enumerate(zip(bins, runs, strict=True)):
        start, stop = r.between(*bracket)
        kept.append(int(r.before[start]))
        for i in range(start, stop):
            n, here = int(r.sums[0, i]), r.exact(i)
            square = (r.exact(i + 1) - here) // n
            whole, rest = divmod(b.exact(int(b.before.searchsorted(r.number))) + here, square)
            close.append((Fraction(rest, square), layer, whole, n))
    close.sort()
    left = keep - sum(kept)

    # The q of such a run are whole + rest / square + 1, 2, ..., n: one in each of n integers.
    def up_to(integer: int) -> list[int]:
        return [min(max(integer - whole, 0), n) for _, _, whole, n in close]

    low, high = min(whole for _, _, whole, _ in close), max(whole + n for _, _, whole, n in close)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if sum(up_to(middle)) >= left else (middle, high)
    left -= sum(up_to(low))
    for (_, layer, _, _), sure, more in zip(close, up_to(low), up_to(high), strict=True):
        last = min(more - sure, left)
        kept[layer] += sure + last
        left -= last
    return kept


_RULES = {"magnitude": (_magnitude_ranges, _magnitude_kept), "lamp": (_lamp_ranges, _lamp_kept)}
