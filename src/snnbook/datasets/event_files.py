"""Files of recorded events, one function a format, and what all of them are checked for.

`.npy` and `.npz`: fields or arrays named x, y, t, p or alike, or rows whose `columns` are stated. `.h5`, `.hdf5`: the
same as datasets of one group or as one dataset. `.aedat4`: AEDAT 4, by the package aedat. `.aedat`: AEDAT 4, or AEDAT 2
of a DVS128, DAVIS240 or DAVIS346, as jAER shows it but with row 0 at the top. `.bin`: N-MNIST, by tonic. `.dat` and
`.raw` (EVT 2 and EVT 3) of Prophesee. AEDAT 2 and Prophesee's are decoded here: of the libraries for them, one fails on
AEDAT 2 (tonic 1.7), one adds up the times of EVT 3 wrongly (expelliarmus 1.1) and one makes times that go back equal
(faery 0.7); none notices a file that is cut short.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from snnbook.datasets.base import digest, unreadable
from snnbook.datasets.cache import cached
from snnbook.datasets.frames import compact, events_to_frames
from snnbook.datasets.options import Maybe, OneOf, Option, Pair, yes_or_no
from snnbook.datasets.stream import FIELDS, check_fields
from snnbook.errors import UserError, unknown

STORED = 2  # version of the frames that are kept on disk
Size = tuple[int, int]  # height and width, px

PER_UNIT = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 1}  # µs, but for ns
_NAMES = {
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "t": ("t", "ts", "time", "timestamp", "timestamps"),
    "p": ("p", "ps", "pol", "polarity", "polarities", "on"),
}
_N_MNIST = (34, 34)
_CHIPS = {"DVS128": (128, 128), "DAVIS240": (180, 240), "DAVIS346": (260, 346)}
_LARGEST = 1 << 16  # px; no sensor has more

OPTIONS = {
    "sensor": Option(None, Maybe(Pair(1, _LARGEST, "the height and width of the sensor in px"))),
    "time_unit": Option("found", OneOf(("found", *PER_UNIT))),
    "polarity": Option(None, Maybe(Pair(-255, 255, "the values of p for OFF and for ON"))),
    "columns": Option("named", OneOf(("named", *map("".join, permutations(FIELDS))))),
    "sort": Option(False, yes_or_no),
}


class Recording(NamedTuple):
    """Events `[N]` with fields x, y, t and p, t in µs as int64, and the `(H, W)` of their sensor in px."""

    events: np.ndarray
    sensor_size: Size


@dataclass(frozen=True)
class Stated:
    """What is stated of files that do not say it themselves.

    sensor: `(H, W)` in px. time_unit: s, ms, us, ns or "found", which is that of the type of t; if that has none, whole
    numbers are µs and floats s. polarity: the values for OFF and ON; None for 0 and 1, -1 and 1 or false and true.
    columns: the order of the columns of rows without names, such as "xytp"; "named" if they have names. sort: whether
    events that are not in order of their times are sorted, and not refused.

    Raises UserError for a value of a wrong type or out of range.
    """

    sensor: Size | None = None
    time_unit: str = "found"
    polarity: tuple[int, int] | None = None
    columns: str = "named"
    sort: bool = False

    def __post_init__(self) -> None:
        for name, option in OPTIONS.items():
            object.__setattr__(self, name, option.check(name, getattr(self, name)))
        if self.polarity is not None and self.polarity[0] == self.polarity[1]:
            raise UserError(f"polarity is the value of p for OFF and another one for ON; got {self.polarity}")


Found = tuple[np.ndarray, Size | None]


def read_events(
    file: str | Path,
    sensor: Size | None = None,
    time_unit: str = "found",
    polarity: tuple[int, int] | None = None,
    columns: str = "named",
    sort: bool = False,
) -> Recording:
    """The events of a file in one of the formats of SUFFIXES, and the size of their sensor; see `Stated`.

    Raises UserError, with the file's name, for a file that is damaged, cut short, in another format than its name says
    or without events, for a sensor that is neither stated nor found or is another one than stated, and, with the event,
    for an event that is none, lies outside the sensor, has a negative time or is not in order.
    """
    return read(Path(file), Stated(sensor, time_unit, polarity, columns, sort))


def read(path: Path, stated: Stated) -> Recording:
    """The same with all that is stated in one."""
    events, found = _found(path, stated)
    if found and stated.sensor and found != stated.sensor:
        raise UserError(f"{path} is of a sensor of {found[0]}x{found[1]} px, and sensor={stated.sensor} was given")
    size = stated.sensor or found
    if size is None:
        reach = f"x={events['x'].max()} and y={events['y'].max()}"
        raise UserError(f"{path} does not say how large its sensor is: give sensor=(H, W), in px; events reach {reach}")
    try:
        if stated.polarity is not None:
            events["p"] = _polarity(events["p"], *stated.polarity)
        check_fields(events, size)
        t = _microseconds(events["t"], stated.time_unit)
        _check_times(t, stated.sort)
    except UserError as err:
        raise UserError(f"{path}: {err}") from err
    timed = np.empty(len(t), [(name, t.dtype if name == "t" else events.dtype[name]) for name in FIELDS])
    for name in FIELDS:
        timed[name] = t if name == "t" else events[name]
    return Recording(timed[np.argsort(t, kind="stable")] if stated.sort else timed, size)


def frames(
    path: Path, read: Callable[[Path], Recording], T: int, by: str, size: int | None, cache: bool, *key: object
) -> Tensor:
    """Frames of one recording, float32 `[T, 2, H, W]` or, resized, `[T, 2, size, size]`.

    They are kept on disk under the path, size and time of change of the file and a `key` of how it is read.
    """

    def counts() -> dict[str, np.ndarray]:
        events, sensor = read(path)
        try:
            return {"frames": compact(events_to_frames(events, T, sensor, by))}
        except UserError as err:
            raise UserError(f"{path}: {err}") from err

    if cache:
        try:
            stat = path.stat()
        except OSError as err:
            raise unreadable(path, "a recording", err) from err
        stored = digest([STORED, str(path.absolute()), stat.st_size, stat.st_mtime_ns, T, by, *key])
        arrays = cached(f"recordings/{stored[:2]}/{stored}", counts, compress=True)
    else:
        arrays = counts()
    counted = torch.from_numpy(arrays["frames"]).float()
    if size is None or counted.shape[-2:] == (size, size):
        return counted
    return F.interpolate(counted, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def _found(path: Path, stated: Stated) -> Found:
    """The events of a file as they are in it, and the size of the sensor where the file says it."""
    if path.suffix.lower() not in _READERS:
        raise unknown("format of recordings", path.suffix, _READERS)
    try:
        events, size = _READERS[path.suffix.lower()](path, stated)
        if len(events) == 0:
            raise ValueError("it holds no events")
    except UserError:
        raise
    except BaseException as err:  # whatever a damaged file brings about; the panics of Rust are no Exception
        if isinstance(err, KeyboardInterrupt | SystemExit):
            raise
        raise unreadable(path, "a recording", err) from err
    return events, size


def _polarity(p: np.ndarray, off: int, on: int) -> np.ndarray:
    """0 for `off` and 1 for `on`."""
    wrong = (p != off) & (p != on)
    if wrong.any():
        i = int(wrong.argmax())
        raise UserError(f"p of event {i} is {p[i]}, and polarity=({off}, {on}) was given")
    return p == on


def _microseconds(t: np.ndarray, unit: str) -> np.ndarray:
    """Times as int64 µs. Raises UserError for a unit that is not theirs and for times beyond what 64 bits hold."""
    if t.dtype.kind in "mM":
        if unit != "found":
            raise UserError(f"t is of type {t.dtype}, which has a unit, and time_unit={unit} was given")
        return t.astype(f"{t.dtype.kind}8[us]").astype(np.int64)
    if unit == "found":
        unit = "s" if t.dtype.kind == "f" else "us"
    scale = PER_UNIT[unit]
    if max(abs(float(t.min())), abs(float(t.max()))) * scale >= 2**63:
        raise UserError(f"t runs from {t.min()} to {t.max()}, which is no time in {unit}: give time_unit=")
    if t.dtype.kind == "f":
        return np.rint(t.astype(np.float64) * scale / (1000 if unit == "ns" else 1)).astype(np.int64)
    return t.astype(np.int64) // 1000 if unit == "ns" else t.astype(np.int64) * scale


def _check_times(t: np.ndarray, sort: bool) -> None:
    """Raise UserError for times, in µs, that are negative or, unless they will be sorted, not in order."""
    if (t < 0).any():
        i = int((t < 0).argmax())
        raise UserError(f"t of event {i} is {t[i]} µs, negative")
    if not sort and (late := t[1:] < t[:-1]).any():
        i = int(late.argmax()) + 1
        raise UserError(f"t of event {i} is {t[i]} µs, earlier than the event before it: give sort=True to sort them")


def _table(columns: Mapping[str, Any]) -> np.ndarray:
    """Columns x, y, t and p `[N]`, under any of their names, as one array. Raises ValueError where one is missing."""
    chosen = {}
    for field, names in _NAMES.items():
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


def _rows(array: Any, path: Path, stated: Stated) -> np.ndarray:
    """The events of an array with named fields `[N]` or of one with columns `[N, 4]`."""
    if array.dtype.names:
        return _table({name: array[name] for name in array.dtype.names})
    if array.ndim != 2 or array.shape[1] != 4 or array.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers [N, 4], or [N] with named fields; got {array.dtype} {array.shape}")
    if stated.columns == "named":
        raise UserError(f"{path} has columns without names: give columns=, in their order, such as columns=xytp")
    return _table(dict(zip(stated.columns, array.T, strict=True)))


def _npy(path: Path, stated: Stated) -> Found:
    with path.open("rb") as file:
        array = np.load(file, allow_pickle=False)
        if file.read(1):
            raise ValueError("it holds more than its header says")
    return _rows(array, path, stated), None


def _npz(path: Path, stated: Stated) -> Found:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if len(arrays) == 1:
        return _rows(next(iter(arrays.values())), path, stated), None
    return _table(arrays), None


def _hdf5(path: Path, stated: Stated) -> Found:
    import h5py

    with contextlib.suppress(ImportError):  # filters beyond those of h5py, where they are installed
        importlib.import_module("hdf5plugin")
    with h5py.File(path, "r") as file:
        places = {"/": file}
        file.visititems(lambda name, item: places.update({f"/{name}": item}))
        holders = [name for name, item in places.items() if _holds_events(item, h5py)]
        if len(holders) != 1:
            where = f"events in {', '.join(holders)}" if holders else f"no events in {', '.join(places)}"
            raise ValueError(f"expected events in one place, it has {where}")
        holder = places[holders[0]]
        try:
            if isinstance(holder, h5py.Dataset):
                events = _rows(holder[:], path, stated)
            else:
                events = _table({name: item[:] for name, item in holder.items() if name.lower() in _known()})
        except OSError as err:
            if "filter" not in str(err):
                raise
            raise UserError(f"{path} is compressed by a filter that h5py lacks; try pip install hdf5plugin") from err
        return events, _hdf5_size([holder, holder.parent, file])


def _known() -> set[str]:
    return {name for names in _NAMES.values() for name in names}


def _holds_events(item: Any, h5py: ModuleType) -> bool:
    """Whether an item of an HDF5 file is a table of events or a group of their columns."""
    if isinstance(item, h5py.Dataset):
        columns = item.dtype.names or ()
        if not columns:
            return item.ndim == 2 and item.shape[1] == 4
    else:
        columns = [name for name, child in item.items() if isinstance(child, h5py.Dataset)]
    names = {name.lower() for name in columns}
    return all(names & set(aliases) for aliases in _NAMES.values())


def _hdf5_size(items: list[Any]) -> Size | None:
    """The size of the sensor by the attributes `height` and `width`, or Prophesee's `geometry`."""
    for item in items:
        if {"height", "width"} <= set(item.attrs):
            return int(item.attrs["height"]), int(item.attrs["width"])
        if "geometry" in item.attrs:
            return _geometry(str(item.attrs["geometry"]))
    return None


def _geometry(text: str) -> Size:
    """`(H, W)` of a text such as 1280x720, which has the width first."""
    width, height = text.split("x")
    return int(height), int(width)


def aedat(path: Path, stated: Stated) -> Found:
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


def _aedat4(path: Path) -> Found:
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


def _aedat2(path: Path, stated: Stated) -> Found:
    """Pairs of an address and a time in µs, both big-endian, after lines that begin with #. Ref: jAER's extractors."""
    content = path.read_bytes()
    header = re.match(rb"(?:#[\t\x20-\x7e]*\r?\n)*", content)
    start = header.end() if header else 0
    pairs = _words(content[start:], ">i4", 2).astype(np.int64)
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
    return _table({"x": size[1] - 1 - x, "y": size[0] - 1 - y, "t": t, "p": p}), size


def _bin(path: Path, stated: Stated) -> Found:
    """Events of 5 bytes. Other sets have this format as well, of other sensors, so a stated one counts."""
    from tonic.io import read_mnist_file

    _words(path.read_bytes(), "u1", 5)
    dtype = np.dtype([("x", np.int64), ("y", np.int64), ("t", np.int64), ("p", np.int64)])
    return read_mnist_file(str(path), dtype), stated.sensor or _N_MNIST


def _dat(path: Path, stated: Stated) -> Found:
    """A time of 32 bits in µs, then 14 bits x, 14 bits y and 4 bits p. Ref: Prophesee, DAT file format."""
    with path.open("rb") as file:
        if file.read(9) == b"#!AER-DAT":
            return aedat(path, stated)
    header, start = _header(path)
    content = path.read_bytes()[start:]
    if len(content) < 2 or content[0] not in (0, 12):
        raise ValueError("its events are of no type that has a pixel")
    pairs = _words(content[2:], "<u4", 2)
    t, address = pairs[:, 0], pairs[:, 1]
    x, y, p = address & 0x3FFF, address >> 14 & 0x3FFF, address >> 28
    return _table({"x": x, "y": y, "t": t, "p": p}), _header_size(header)


def _raw(path: Path, stated: Stated) -> Found:
    header, start = _header(path)
    named = re.match(r"(?:EVT)?(2\.?1|2|3)", header.get("format", header.get("evt", "")))
    version = named[1] if named else "of no version"
    if version not in ("2", "3") or header.get("endianness", "little") != "little":
        raise UserError(f"{path} is EVT {version}, and little-endian EVT 2 and EVT 3 are read: convert it")
    content = path.read_bytes()[start:]
    events = _evt2(_words(content, "<u4")) if version == "2" else _evt3(_words(content, "<u2"))
    return events, _header_size(header)


def _evt2(words: np.ndarray) -> np.ndarray:
    """Words of 4 bits kind: 0 and 1 are events with the 6 low bits of the time, 8 its high 28 bits in µs.

    Ref: Prophesee, EVT 2.0 format.
    """
    kind = words >> 28
    high, known = _latest(_unwrapped(words & 0xFFFFFFF, kind == 8, 28), kind == 8)
    here = known & (kind <= 1)
    word = words[here]
    return _table({"x": word >> 11 & 0x7FF, "y": word & 0x7FF, "t": high[here] << 6 | word >> 22 & 63, "p": kind[here]})


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
    return _table({"x": x[order], "y": row[word[order]], "t": time[word[order]], "p": p[order]})


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


def _header_size(header: Mapping[str, str]) -> Size | None:
    if {"height", "width"} <= set(header):
        return int(header["height"]), int(header["width"])
    if "geometry" in header:
        return _geometry(header["geometry"])
    stated = dict(re.findall(r"(height|width)=(\d+)", header.get("format", "")))
    return (int(stated["height"]), int(stated["width"])) if len(stated) == 2 else None


def _words(content: bytes, dtype: str, columns: int = 1) -> np.ndarray:
    """Words of a type, `[N]` or `[N, columns]`. Raises ValueError unless they take all of the bytes."""
    size = np.dtype(dtype).itemsize * columns
    if len(content) % size:
        raise ValueError(f"its events take {len(content):,} bytes, no multiple of {size}")
    words = np.frombuffer(content, dtype)
    return words.reshape(-1, columns) if columns > 1 else words


_READERS: dict[str, Callable[[Path, Stated], Found]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".aedat4": aedat,
    ".aedat": aedat,
    ".bin": _bin,
    ".dat": _dat,
    ".raw": _raw,
}
SUFFIXES = tuple(_READERS)
