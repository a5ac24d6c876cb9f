"""Recordings in the real formats, event by event as their specifications say; each returns the path that it wrote.

events: a structured array with fields x, y, t (µs) and p (0 or 1), sorted by t. size: `(H, W)` of the sensor, px.
"""

from pathlib import Path

import numpy as np

FIELDS = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.int8)])


def made(n: int, size: tuple[int, int], span: int, start: int = 0, seed: int = 0) -> np.ndarray:
    """`n` random events of a sensor within `span` µs."""
    rng = np.random.default_rng(seed)
    events = np.empty(n, FIELDS)
    events["t"] = start + np.sort(rng.integers(0, span, n))
    events["x"], events["y"], events["p"] = (
        rng.integers(size[1], size=n),
        rng.integers(size[0], size=n),
        rng.integers(2, size=n),
    )
    return events


def n_mnist(path: Path, events: np.ndarray) -> Path:
    """Five bytes: x, y, and 24 bits of polarity and time; y = 240 stands for 2**13 µs more, for 13 bits of time."""
    data, wraps = bytearray(), 0
    for x, y, t, p in events.tolist():
        while t >> 13 > wraps:
            data += bytes([0, 240, 0, 0, 0])
            wraps += 1
        low = t & 0x1FFF
        data += bytes([x, y, p << 7 | low >> 16, low >> 8 & 255, low & 255])
    path.write_bytes(data)
    return path


def aedat2(path: Path, events: np.ndarray, chip: str = "DVS128", header: str | None = None) -> Path:
    """Pairs of address and time, big-endian; x counts from the right, y from the bottom, and OFF is 1 on a DVS128."""
    text = f"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n# AEChip: eu.seebetter.ini.chips.{chip}\r\n"
    height, width = {"DVS128": (128, 128), "DAVIS240C": (180, 240), "DAVIS346": (260, 346)}[chip]
    data = bytearray((text if header is None else header).encode())
    for x, y, t, p in events.tolist():
        x, y = width - 1 - x, height - 1 - y
        address = y << 8 | x << 1 | 1 - p if chip == "DVS128" else y << 22 | x << 12 | p << 11
        data += address.to_bytes(4, "big") + t.to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    return path


def dat(path: Path, events: np.ndarray, size: tuple[int, int]) -> Path:
    """Prophesee's DAT: a time of 32 bits, then 14 bits x, 14 bits y and 4 bits p."""
    data = bytearray(
        f"% Data file containing CD events.\n% Version 2\n% Height {size[0]}\n% Width {size[1]}\n".encode()
    )
    data += bytes([12, 8])
    for x, y, t, p in events.tolist():
        data += t.to_bytes(4, "little") + (p << 28 | y << 14 | x).to_bytes(4, "little")
    path.write_bytes(data)
    return path


def evt2(path: Path, events: np.ndarray, header: str) -> Path:
    """EVT 2: words of 32 bits, for the high bits of the time and for an event with its 6 low bits."""
    words, high = [], None
    for x, y, t, p in events.tolist():
        if t >> 6 != high:
            high = t >> 6
            words.append(8 << 28 | high)
        words.append(p << 28 | (t & 63) << 22 | x << 11 | y)
    return _words(path, header, words, 4)


def evt3(path: Path, events: np.ndarray, header: str) -> Path:
    """EVT 3: words of 16 bits: rows, high and low 12 bits of the time, one pixel, or eight to twelve at once."""
    words, high, low, row, i = [], None, None, None, 0
    events = np.sort(events, order=["t", "y", "p", "x"])
    while i < len(events):
        x, y, t, p = events[i].tolist()
        if high is None:
            high = t >> 12
            words.append(8 << 12 | high & 0xFFF)
        while high < t >> 12:  # a camera writes all of them, and only so a wrap of its 24 bits is seen
            high, low = high + 1, None
            words.append(8 << 12 | high & 0xFFF)
        if t & 0xFFF != low:
            low = t & 0xFFF
            words.append(6 << 12 | low)
        if y != row:
            row = y
            words.append(row)
        same = np.flatnonzero(
            np.all([events[f] == events[f][i] for f in "typ"], axis=0) & (np.arange(len(events)) >= i)
        )
        xs = sorted({int(events["x"][k]) for k in same})
        if len(xs) > 1 and len(xs) == len(same):
            words.append(3 << 12 | p << 11 | xs[0])
            base = xs[0]
            while xs:
                n = 12 if len(xs) > 2 else 8
                now = [v for v in xs if v < base + n]
                words.append((4 if n == 12 else 5) << 12 | sum(1 << v - base for v in now))
                xs, base = xs[len(now) :], base + n
            i += len(same)
        else:
            words.append(2 << 12 | p << 11 | x)
            i += 1
    return _words(path, header, words, 2)


def _words(path: Path, header: str, words: list[int], size: int) -> Path:
    path.write_bytes(header.encode() + b"".join(word.to_bytes(size, "little") for word in words))
    return path
