"""From a stream of events to frames of event counts.

Ref: paper A Eq. 2-4. The paper speaks of fixed time intervals, its formulas cut the stream into parts of
equal event number; `by` offers both.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnbook.datasets.stream import check_events, window
from snnbook.errors import UserError, unknown

SLICES = ("number", "time")  # what frames have an equal share of: the events, or the time
EXACT = 2**24  # the largest number up to which float32 holds every whole number


def events_to_frames(
    events: np.ndarray,
    T: int,
    sensor_size: tuple[int, int],
    by: str = "number",
    start: Any = None,
    end: Any = None,
) -> Tensor:
    """Count N events (fields x, y, t, p) into T frames, float32 `[T, 2, H, W]`; channel 1 is p > 0 (ON).

    by="number": frames of floor(N/T) events, the last one takes the remainder, so for N < T all but the last
    are empty. by="time": T equal windows from `start` to `end`.

    start, end: only events with start <= t < end are counted, in the unit of t, which may be any. Without `start` the
    first event begins the first window; without `end` the last event is the last to be counted.

    A window has its beginning and not its end. Integer times are whole ticks: without `end` the last window ends one
    tick after the last event. For floats it ends with the last event, which it has, and the beginnings are rounded to
    the type of t, so that 0.3 begins the fourth of ten windows from 0 to 1. Events that are all at one time are in the
    first window. Without any event the frames are zeros. See `stream` for what the fields may hold.

    Raises UserError for T < 1, for fields that are missing or hold anything else, for times that are not sorted, for
    coordinates outside `sensor_size=(H, W)`, for start >= end, for windows shorter than the resolution of floats and
    for a pixel with more than 2**24 events in a frame. Ref: paper A Eq. 2-4.
    """
    check_steps(T)
    T = int(T)  # NumPy's integers overflow, and mix with Python's to floats
    height, width = _check_size(sensor_size)
    if by not in SLICES:
        raise unknown("way to slice events", by, SLICES)
    check_events(events, (height, width))
    events = np.ma.getdata(events)
    cut = _cuts_by_number if by == "number" else _cuts_by_time
    cuts = cut(events["t"], T, start, end)

    counted = events[cuts[0] : cuts[-1]]
    frame = np.repeat(np.arange(T), np.diff(cuts))
    cell = (frame * 2 + (counted["p"] > 0)) * height + counted["y"].astype(np.int64)
    counts = np.bincount(cell * width + counted["x"].astype(np.int64), minlength=T * 2 * height * width)
    counts = counts.reshape(T, 2, height, width)
    if counts.max() > EXACT:
        j, _, y, x = np.unravel_index(counts.argmax(), counts.shape)
        raise UserError(
            f"pixel x={x}, y={y} has {counts.max():,} events in frame {j}; float32 counts to {EXACT:,}: use a larger T"
        )
    return torch.from_numpy(counts.astype(np.float32))


def _cuts_by_number(t: np.ndarray, T: int, start: Any, end: Any) -> list[int]:
    """Where frames begin and end in the stream, `[T + 1]`: frame j has the events from cuts[j] to cuts[j + 1]."""
    first, last = _cuts_by_time(t, 1, start, end)
    return [first + (last - first) // T * j for j in range(T)] + [last]


def _cuts_by_time(t: np.ndarray, T: int, start: Any, end: Any) -> list[int]:
    """The same for T equal windows of time, exact whatever the type and the span of t `[N]`."""
    span = window(t, start, end)
    if span is None:
        return [0] * (T + 1)
    if t.dtype.kind in "mM":
        t = t.astype(np.int64)
    low, high = span
    if low == high:
        return [_before(t, t[-1].item())] + [len(t)] * T
    edges = [low + (high - low) * j / T for j in range(T + 1)]
    if t.dtype.kind != "f":
        return [_before(t, math.ceil(edge)) for edge in edges]
    with np.errstate(over="ignore"):
        rounded = np.array(edges, np.float64).astype(t.dtype)
    if (rounded[1:] <= rounded[:-1]).any():
        raise UserError(
            f"T={T} windows from {float(low)} to {float(high)} are shorter than the resolution of t, {t.dtype}"
        )
    cuts = [_before(t, edge) for edge in rounded.tolist()]
    return cuts if end is not None else [*cuts[:T], len(t)]


def _before(t: np.ndarray, edge: float) -> int:
    """Number of the sorted times that lie before `edge`."""
    return bisect_left(t, edge, key=lambda v: v.item())


def _check_size(sensor_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width in px. Raises UserError unless they are two whole numbers of at least 1."""
    size = np.asarray(sensor_size)
    if size.shape != (2,) or size.dtype.kind not in "iu" or size.min() < 1:
        raise UserError(f"sensor_size is (H, W), two positive whole numbers; got {sensor_size!r}")
    return int(size[0]), int(size[1])


def check_steps(T: int) -> None:
    """Raise UserError unless T is a whole number of at least one time step."""
    if isinstance(T, bool) or not isinstance(T, int | np.integer) or T < 1:
        raise UserError(f"T is the number of time steps, a whole number of at least 1; got {T!r}")


def compact(frames: Tensor) -> np.ndarray:
    """The counts of `frames`, as they are kept on disk: uint16, or uint32 where a count needs it."""
    counts = frames.numpy()
    return counts.astype(np.uint16 if counts.max() < 2**16 else np.uint32)


def downsample(frames: Tensor) -> Tensor:
    """Sum 2x2 neighbours: `[..., H, W]` → `[..., H/2, W/2]`; UserError if H or W is odd."""
    *lead, height, width = frames.shape
    if height % 2 or width % 2:
        raise UserError(f"downsample needs an even height and width, got {height}x{width}")
    return frames.view(*lead, height // 2, 2, width // 2, 2).sum(dim=(-3, -1))
