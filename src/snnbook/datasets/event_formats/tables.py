"""What the formats share: events from columns, words from bytes, the size of a sensor from what is written of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Size = tuple[int, int]  # height and width, px
Decoded = tuple[np.ndarray, Size | None]  # the events of a file as they are in it, and their sensor where it says it

NAMES = {
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "t": ("t", "ts", "time", "timestamp", "timestamps"),
    "p": ("p", "ps", "pol", "polarity", "polarities", "on"),
}


def table(columns: Mapping[str, Any]) -> np.ndarray:
    """Columns x, y, t and p `[N]`, under any of their names, as one array. Raises ValueError where one is missing."""
    chosen = {}
    for field, names in NAMES.items():
        here = [name for name in columns if name.lower() in names]
        if len(here) != 1:
            raise ValueError(f"expected {field} under one of the names {', '.join(names)}; it has {', '.join(columns)}")
        chosen[field] = np.asarray(columns[here[0]])
    if len({values.shape for values in chosen.values()}) != 1 or chosen["t"].ndim != 1:
        shapes = ", ".join(f"{field} {values.shape}" for field, values in chosen.items())
        raise ValueError(f"expected as many values of each field [N]; got {shapes}")
    events = np.empty(chosen["t"].shape, [(field, values.dtype) for field, values in chosen.items()])
    for field, values in chosen.items():
        events[field] = values
    return events


def unpacked(content: bytes, dtype: str, columns: int = 1) -> np.ndarray:
    """Words of a type, `[N]` or `[N, columns]`. Raises ValueError unless they take all of the bytes."""
    size = np.dtype(dtype).itemsize * columns
    if len(content) % size:
        raise ValueError(f"its events take {len(content):,} bytes, no multiple of {size}")
    words = np.frombuffer(content, dtype)
    return words.reshape(-1, columns) if columns > 1 else words


def sensor_size(header: Mapping[str, Any]) -> Size | None:
    """`(H, W)` by `height` and `width` or by Prophesee's `geometry`, such as 1280x720, which has the width first."""
    if {"height", "width"} <= set(header):
        return int(header["height"]), int(header["width"])
    if "geometry" in header:
        width, height = str(header["geometry"]).split("x")
        return int(height), int(width)
    return None
