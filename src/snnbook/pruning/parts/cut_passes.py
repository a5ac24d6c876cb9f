"""The passes over the weights that a global cut takes, compiled and in numpy with the same results.

Of two float32 numbers without their signs, the larger one is also the larger one if both are read as integers. The
`bits` here are these integers of 31 bits.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from snnbook import native

Array = np.ndarray

OFFSET_BITS = 15  # a bin: weights whose bits agree but for these lowest, so whose |w| lie within 1/256 of each other
BINS = 1 << 16
MOST = 0x7FFFFFFF
_SPARE, _ROOM = 32, 1 << 23  # of the kernel's table: entries beside the bins, and weights that one holds
_CHUNK, _LIST = 1 << 18, 1 << 20  # weights that numpy takes at a time


def _kernel(name: str, w: Array, out: Array, low: int = 0, high: int = 0, alive: Array | None = None) -> int:
    """Run a kernel of select.cpp and return what it counted. All but `mask` fill one table or list, on one thread.

    w: int32, the bits of float32 weights. out: what the kernel writes. alive: bool, of the size of `w`, None for all.
    All are contiguous.
    """
    args = native.Select(w.ctypes.data, None if alive is None else alive.ctypes.data, out.ctypes.data, 0, low, high)
    native.run(f"select_{name}", args, len(w), 1 << 16 if name == "mask" else max(len(w), 1))
    return args.count


def _chunks(w: Array) -> Iterator[tuple[slice, Array]]:
    """The bits of a few weights at a time, and where they are."""
    for start in range(0, len(w), _CHUNK):
        at = slice(start, start + _CHUNK)
        yield at, w[at] & MOST


def memory(x: Tensor) -> Array:
    """A tensor without gaps, as it lies in memory: float32 as int32, bool as it is."""
    flat = x.as_strided((x.numel(),), (1,)).numpy()
    return flat.view(np.int32) if x.dtype == torch.float32 else flat


def histogram(w: Array) -> tuple[Array, Array]:
    """The bins with nonzero weights from the largest down `[B]`, and their sums of 1, d and d^2 `[3, B]`, all int64.

    d are the lowest 15 bits. `w [n]` int32.
    """
    sums = np.zeros((3, BINS), np.int64)
    if native.available():
        for start in range(0, len(w), _ROOM):
            table = np.zeros((BINS + _SPARE, 2), np.int64)
            _kernel("histogram", w[start : start + _ROOM], table)
            used = np.flatnonzero(table[:BINS, 0])
            packed, d2 = table[used].T
            sums[:, used] += packed >> 39, packed & ((1 << 39) - 1), d2
    else:
        for _, bits in _chunks(w):
            bits = bits[bits > 0]
            d = (bits % (1 << OFFSET_BITS)).astype(np.float64)
            for total, term in zip(sums, (None, d, d * d), strict=True):  # sums of a chunk are exact: below 2^53
                total += np.bincount(bits >> OFFSET_BITS, term, BINS).astype(np.int64)
    used = np.flatnonzero(sums[0])[::-1]
    return used, sums[:, used]


def collect(w: Array, low: int, high: int) -> Array:
    """The bits from `low` to `high`, both included. `w [n]` int32."""
    if native.available():
        out = np.empty(len(w), np.int32)  # takes only the memory that is written to
        return out[: _kernel("collect", w, out, low, high)]
    return np.concatenate([bits[(bits >= low) & (bits <= high)] for _, bits in _chunks(w)] or [w[:0]])


def distinct(w: Array, low: int, high: int, n: int) -> tuple[Array, Array]:
    """The different bits from `low` to `high`, from the largest down, and how many weights have each; `n` have any."""
    if n <= high - low:
        ordered = collect(w, low, high)
        ordered.sort()
        heads = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        return ordered[heads][::-1].astype(np.int64), np.diff(heads, append=len(ordered))[::-1]
    count = np.zeros(high - low + 1, np.int64)  # more weights than there are different bits
    for start in range(0, len(w), _LIST):
        count += np.bincount(collect(w[start : start + _LIST], low, high) - low, minlength=len(count))
    places = np.flatnonzero(count)[::-1]
    return places + low, count[places]


def mask(w: Tensor, alive: Tensor | None, low: int, extra: int) -> Tensor | None:
    """True for weights of bits >= low, and for the first `extra` living ones of bits low - 1 in order of position.

    `w` float32 without gaps, `alive` bool with its strides, None for all. None if a dead weight is not zero.
    """
    out = torch.empty_like(w, dtype=torch.bool)
    flat, flags, living = memory(w), memory(out), None if alive is None else memory(alive)
    if native.available():
        stray = _kernel("mask", flat, flags, low, 0, living) > 0
    else:
        stray = False
        for at, bits in _chunks(flat):
            np.greater_equal(bits, low, out=flags[at])
            stray |= living is not None and bool(((bits != 0) > living[at]).any())
    if stray:
        return None
    if extra > 0:
        ordered = out.contiguous()
        flat, flags, living = (
            memory(w.contiguous()),
            memory(ordered),
            None if alive is None else memory(alive.contiguous()),
        )
        for at, bits in _chunks(flat):
            equal = bits == low - 1
            places = np.flatnonzero(equal if living is None else equal & living[at])[:extra]
            flags[at][places] = True
            extra -= len(places)
            if not extra:
                break
        out.copy_(ordered)
    return out
