"""From a stream of events to frames of event counts.

Ref: paper A Eq. 2-4. The paper speaks of fixed time intervals, its formulas cut the stream into parts of
equal event number; `by` offers both.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from snnbook.errors import UserError, unknown

FIELDS = ("x", "y", "t", "p")
SLICES = ("number", "time")  # what frames have an equal share of: the events, or the time


def check_events(events: np.ndarray, sensor_size: tuple[int, int]) -> None:
    """UserError unless `events` has fields x, y, t, p, is sorted by t and lies on the sensor `(H, W)`."""
    names = getattr(getattr(events, "dtype", None), "names", None)
    if names is None:
        raise UserError(f"events must be a structured array with the fields {', '.join(FIELDS)}")
    if missing := [f for f in FIELDS if f not in names]:
        raise UserError(f"events lack the field(s) {', '.join(missing)}; they have {', '.join(names)}")
    t = events["t"]
    if (late := np.flatnonzero(t[1:] < t[:-1])).size:
        raise UserError(
            f"events must be sorted by t: event {late[0] + 1} is earlier than the one before it; "
            "sort with events[np.argsort(events['t'], kind='stable')]"
        )
    height, width = sensor_size
    for field, size in (("x", width), ("y", height)):
        v = events[field]
        if v.size and (v.min() < 0 or v.max() >= size):
            raise UserError(
                f"events lie outside the sensor: {field} runs from {v.min()} to {v.max()}, "
                f"sensor_size=(H, W)=({height}, {width}) allows 0 to {size - 1}"
            )


def events_to_frames(events: np.ndarray, T: int, sensor_size: tuple[int, int], by: str = "number") -> Tensor:
    """Count N events (fields x, y, t, p) into T frames, float32 `[T, 2, H, W]`; channel 1 is p > 0 (ON).

    by="number": frames of floor(N/T) events, the last one takes the remainder, so for N < T all but the last
    are empty. by="time": T equal windows from the first to the last event. t may have any unit. Raises
    UserError for T < 1, missing fields, unsorted t and coordinates outside `sensor_size=(H, W)`. Ref: paper A
    Eq. 2-4.
    """
    check_steps(T)
    if len(sensor_size) != 2 or min(sensor_size) < 1:
        raise UserError(f"sensor_size is (H, W), two positive numbers; got {tuple(sensor_size)}")
    check_events(events, sensor_size)
    height, width = map(int, sensor_size)
    n = len(events)
    if by == "number":
        frame = np.minimum(np.arange(n) // max(n // T, 1), T - 1) if n >= T else np.full(n, T - 1)
    elif by == "time":
        t = events["t"].astype(np.int64)
        frame = (t - t[0]) * T // (t[-1] - t[0] + 1) if n else t
    else:
        raise unknown("way to slice events", by, SLICES)
    cell = (frame * 2 + (events["p"] > 0)) * height + events["y"]
    counts = np.bincount(cell * width + events["x"], minlength=T * 2 * height * width)
    return torch.from_numpy(counts.astype(np.float32)).view(T, 2, height, width)


def check_steps(T: int) -> None:
    """Raise UserError unless T is a whole number of at least one time step."""
    if isinstance(T, bool) or not isinstance(T, int | np.integer) or T < 1:
        raise UserError(f"T is the number of time steps, a whole number of at least 1; got {T!r}")


def downsample(frames: Tensor) -> Tensor:
    """Sum 2x2 neighbours: `[..., H, W]` → `[..., H/2, W/2]`; UserError if H or W is odd."""
    *lead, height, width = frames.shape
    if height % 2 or width % 2:
        raise UserError(f"downsample needs an even height and width, got {height}x{width}")
    return frames.view(*lead, height // 2, 2, width // 2, 2).sum(dim=(-3, -1))
