"""AEDAT 4, by the package aedat, and AEDAT 2 of a DVS128, DAVIS240 or DAVIS346.

AEDAT 2 is as jAER shows it, but with row 0 at the top. It is decoded here: tonic 1.7 fails on it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from snnbook.datasets.event_formats.stated import Stated
from snnbook.datasets.event_formats.tables import Decoded, table, unpacked
from snnbook.errors import UserError

_CHIPS = {"DVS128": (128, 128), "DAVIS240": (180, 240), "DAVIS346": (260, 346)}


def read(path: Path, stated: Stated) -> Decoded:
    """The events of an AEDAT file, whose first line says its version."""
    with path.open("rb") as file:
        match = re.match(rb"#!AER-DAT(\d+\.\d+)", file.readline(100))
    if match is None:
        raise ValueError("it does not begin with #!AER-DAT, as AEDAT files do")
    version = match[1].decode()
    if path.suffix.lower() == ".aedat4" and version[0] != "4":
        raise UserError(f"{path} is AEDAT {version} and not AEDAT 4, as its name says: such files end in .aedat")
    if version[0] not in "24":
        raise UserError(f"{path} is AEDAT {version}, and versions 2 and 4 are read: convert it")
    return _aedat4(path) if version[0] == "4" else _aedat2(path, stated)


def _aedat4(path: Path) -> Decoded:
    try:
        import aedat as reader
    except ImportError as err:
        raise UserError(f'{path} is read with the package aedat: pip install "snnbook[events]"') from err
    decoder = reader.Decoder(str(path))
    streams = {number: stream for number, stream in decoder.id_to_stream().items() if stream["type"] == "events"}
    if not streams:
        raise ValueError("it holds no stream of events")
    number = min(streams)
    packets = [packet["events"] for packet in decoder if packet["stream_id"] == number]
    if not packets:
        raise ValueError("it holds no events")
    events = np.concatenate(packets)
    events.dtype.names = ("t", "x", "y", "p")
    return events, (streams[number]["height"], streams[number]["width"])


def _aedat2(path: Path, stated: Stated) -> Decoded:
    """Pairs of an address and a time in µs, both big-endian, after lines that begin with #. Ref: jAER's extractors."""
    content = path.read_bytes()
    header = re.match(rb"(?:#[\t\x20-\x7e]*\r?\n)*", content)
    start = header.end() if header else 0
    pairs = unpacked(content[start:], ">i4", 2).astype(np.int64)
    named = content[:start].decode("ascii").upper()
    size = next((size for chip, size in _CHIPS.items() if chip in named), stated.sensor)
    if size is None:
        raise UserError(f"{path} does not say which chip it is of: give sensor=(H, W), in px")
    if size not in _CHIPS.values():
        raise UserError(f"{path}: AEDAT 2 is read of sensors of {', '.join(map(str, _CHIPS.values()))} px, not {size}")
    if size == _CHIPS["DVS128"]:
        address, t = pairs[pairs[:, 0] & 0x8000 == 0].T  # others are signals, and no events
        x, y, p = address >> 1 & 0x7F, address >> 8 & 0x7F, 1 - (address & 1)
    else:
        address, t = pairs[pairs[:, 0] & 0x80000400 == 0].T  # others are pixels of pictures, or signals
        x, y, p = address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1
    return table({"x": size[1] - 1 - x, "y": size[0] - 1 - y, "t": t, "p": p}), size
