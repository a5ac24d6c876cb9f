"""Files of recorded events: they are read by their format (see `event_formats`), checked and cut into frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from snnbook.datasets.base import digest, unreadable
from snnbook.datasets.cache import cached
from snnbook.datasets.event_formats import READERS
from snnbook.datasets.event_formats.stated import PER_UNIT, Reader, Stated
from snnbook.datasets.event_formats.tables import Decoded, Size
from snnbook.datasets.frames import compact, events_to_frames
from snnbook.datasets.stream import FIELDS, check_fields, check_order, refuse
from snnbook.errors import UserError, unknown

STORED = 2  # version of the frames that are kept on disk
SUFFIXES = tuple(READERS)


class Recording(NamedTuple):
    """Events `[N]` with fields x, y, t and p, t in µs as int64, and the `(H, W)` of their sensor in px."""

    events: np.ndarray
    sensor_size: Size


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
    if path.suffix.lower() not in READERS:
        raise unknown("format of recordings", path.suffix, READERS)
    events, found = decoded(path, READERS[path.suffix.lower()], stated)
    if found and stated.sensor and found != stated.sensor:
        raise UserError(f"{path} is of a sensor of {found[0]}x{found[1]} px, and sensor={stated.sensor} was given")
    size = stated.sensor or found
    if size is None:
        reach = f"x={events['x'].max()} and y={events['y'].max()}"
        raise UserError(f"{path} does not say how large its sensor is: give sensor=(H, W), in px; events reach {reach}")
    with named(path):
        if stated.polarity is not None:
            events["p"] = _polarity(events["p"], *stated.polarity)
        check_fields(events, size)
        t = _microseconds(events["t"], stated.time_unit)
        _check_times(t, stated.sort)
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
        with named(path):
            return {"frames": compact(events_to_frames(events, T, sensor, by))}

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


def decoded(path: Path, reader: Reader, stated: Stated) -> Decoded:
    """What a `reader` gives. Raises UserError, with the file's name, for a file that is damaged or without events."""
    try:
        events, size = reader(path, stated)
        if len(events) == 0:
            raise ValueError("it holds no events")
    except UserError:
        raise
    except BaseException as err:  # whatever a damaged file brings about; the panics of Rust are no Exception
        if isinstance(err, KeyboardInterrupt | SystemExit):
            raise
        raise unreadable(path, "a recording", err) from err
    return events, size


@contextmanager
def named(path: Path) -> Iterator[None]:
    """A block about the events of a file: a UserError of it begins with the file's name."""
    try:
        yield
    except UserError as err:
        raise UserError(f"{path}: {err}") from err


def _polarity(p: np.ndarray, off: int, on: int) -> np.ndarray:
    """0 for `off` and 1 for `on`."""
    refuse("p", p, (p != off) & (p != on), f"and polarity=({off}, {on}) was given")
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
    refuse("t", t, t < 0, "negative", unit=" µs")
    if not sort:
        check_order(t, "give sort=True to sort them", unit=" µs")
