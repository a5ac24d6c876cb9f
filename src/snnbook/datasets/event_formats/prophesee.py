"""Prophesee's `.dat` and `.raw` (EVT 2 and EVT 3), little-endian, after a header of lines that begin with %.

They are decoded here: of the libraries for them, one adds up the times of EVT 3 wrongly (expelliarmus 1.1) and one
makes times that go back equal (faery 0.7); neither notices a file that is cut short. A `.dat` may be AEDAT as well.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from snnbook.datasets.event_formats import aedat
from snnbook.datasets.event_formats.stated import Stated
from snnbook.datasets.event_formats.tables import Decoded, Size, sensor_size, table, unpacked
from snnbook.errors import UserError


def dat(path: Path, stated: Stated) -> Decoded:
    """A time of 32 bits in µs, then 14 bits x, 14 bits y and 4 bits p. Ref: Prophesee, DAT file format."""
    with path.open("rb") as file:
        if file.read(9) == b"#!AER-DAT":
            return aedat.read(path, stated)
    header, start = _header(path)
    content = path.read_bytes()[start:]
    if len(content) < 2 or content[0] not in (0, 12):
        raise ValueError("its events are of no type that has a pixel")
    pairs = unpacked(content[2:], "<u4", 2)
    t, address = pairs[:, 0], pairs[:, 1]
    x, y, p = address & 0x3FFF, address >> 14 & 0x3FFF, address >> 28
    return table({"x": x, "y": y, "t": t, "p": p}), _header_size(header)


def raw(path: Path, stated: Stated) -> Decoded:
    """Words of EVT 2 or EVT 3; raises UserError for another version and for big-endian words."""
    header, start = _header(path)
    named = re.match(r"(?:EVT)?(2\.?1|2|3)", header.get("format", header.get("evt", "")))
    version = named[1] if named else "of no version"
    if version not in ("2", "3") or header.get("endianness", "little") != "little":
        raise UserError(f"{path} is EVT {version}, and little-endian EVT 2 and EVT 3 are read: convert it")
    content = path.read_bytes()[start:]
    events = _evt2(unpacked(content, "<u4")) if version == "2" else _evt3(unpacked(content, "<u2"))
    return events, _header_size(header)


def _evt2(words: np.ndarray) -> np.ndarray:
    """Words of 4 bits kind: 0 and 1 are events with the 6 low bits of the time, 8 its high 28 bits in µs.

    Ref: Prophesee, EVT 2.0 format.
    """
    kind = words >> 28
    high, known = _latest(_unwrapped(words & 0xFFFFFFF, kind == 8, 28), kind == 8)
    here = known & (kind <= 1)
    word = words[here]
    return table({"x": word >> 11 & 0x7FF, "y": word & 0x7FF, "t": high[here] << 6 | word >> 22 & 63, "p": kind[here]})


def _evt3(words: np.ndarray) -> np.ndarray:
    """Words of 4 bits kind: 0 row, 2 event, 3 base of vectors of 12 (4) or 8 (5) pixels, 6 and 8 the time in µs.

    The time has 12 low and 12 high bits; a new high part sets the low one to 0. Ref: Prophesee, EVT 3.0 format.
    """
    kind, value = words >> 12, words.astype(np.int64) & 0xFFF
    row, has_row = _latest(value & 0x7FF, kind == 0)
    high, known = _latest(_unwrapped(value, kind == 8, 12), kind == 8)
    changed = np.concatenate([[True], high[1:] != high[:-1]])
    low, _ = _latest(np.where(kind == 6, value, 0), (kind == 6) | changed)
    time = high << 12 | low

    width = np.select([kind == 4, kind == 5], [12, 8], 0)
    before = np.cumsum(width) - width  # pixels of all vectors up to a word
    base, has_base = _latest((value & 0x7FF) - before, kind == 3)
    polarity, _ = _latest(value >> 11, kind == 3)
    single = np.flatnonzero((kind == 2) & known & has_row)
    vector = np.flatnonzero((width > 0) & known & has_row & has_base)
    at, bit = np.nonzero(value[vector, None] >> np.arange(12) & (np.arange(12) < width[vector, None]))
    word = np.concatenate([single, vector[at]])
    x = np.concatenate([value[single] & 0x7FF, (base + before)[vector[at]] + bit])
    p = np.concatenate([value[single] >> 11, polarity[vector[at]]])
    order = np.argsort(word, kind="stable")
    return table({"x": x[order], "y": row[word[order]], "t": time[word[order]], "p": p[order]})


def _latest(values: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each word the value of the latest one `where` up to it, and whether there is one."""
    index = np.maximum.accumulate(np.where(where, np.arange(len(values)), -1))
    return values[index] if len(values) else values, index >= 0


def _unwrapped(values: np.ndarray, where: np.ndarray, bits: int) -> np.ndarray:
    """Counters of so many bits, continued where they go round: they fall by almost all of their range."""
    values = values.astype(np.int64)
    counters = values[where]
    rounds = np.cumsum(np.concatenate([[0], np.diff(counters) < 16 - (1 << bits)])) if len(counters) else 0
    values[where] = counters + (rounds << bits)
    return values


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The words of a Prophesee header, by their first in small letters, and where the data begin."""
    words: dict[str, str] = {}
    with path.open("rb") as file:
        start = 0
        while (line := file.readline(1000)).startswith(b"%"):
            start = file.tell()
            key, _, value = line[1:].decode("latin-1").strip().partition(" ")
            if key == "end":
                break
            words[key.lower()] = value.strip()
    return words, start


def _header_size(header: dict[str, str]) -> Size | None:
    return sensor_size(header) or sensor_size(dict(re.findall(r"(height|width)=(\d+)", header.get("format", ""))))
