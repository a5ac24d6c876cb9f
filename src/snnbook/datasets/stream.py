"""What a stream of events is: one event a row, with fields x, y, t and p, the earliest first.

x, y: the pixel, whole numbers on the sensor. t: the time in any unit, integers, floats, datetime64 or timedelta64.
p: the polarity as false and true, 0 and 1 or -1 and 1. What is anything else is refused by field and event; events are
counted from 0.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from snnbook.errors import UserError

FIELDS = ("x", "y", "t", "p")
# numpy's letters for bool (b), signed (i) and unsigned (u) integers, floats (f), timedelta64 (m) and datetime64 (M).
_NUMBERS, _MOMENTS = "biuf", "iufmM"


def check_events(events: np.ndarray, sensor_size: tuple[int, int]) -> None:
    """Raise UserError unless `events` `[N]` passes `check_fields` and is sorted by t."""
    check_fields(events, sensor_size)
    check_order(events["t"], "sort with events[np.argsort(events['t'], kind='stable')]")


def check_order(t: np.ndarray, remedy: str, unit: str = "") -> None:
    """Raise UserError, which ends with the `remedy`, unless times `[N]` are sorted. unit: of t, for the message."""
    late = np.concatenate([[False], t[1:] < t[:-1]])
    refuse("t", t, late, f"earlier than the event before it: {remedy}", unit)


def check_fields(events: np.ndarray, sensor_size: tuple[int, int]) -> None:
    """Raise UserError unless every event of `events` `[N]` has numbers x, y, t and p that mean something on the sensor.

    sensor_size: `(H, W)` in px.
    """
    names = getattr(getattr(events, "dtype", None), "names", None)
    if names is None or events.ndim != 1:
        raise UserError(f"events must be a structured array [N] with the fields {', '.join(FIELDS)}")
    if missing := [f for f in FIELDS if f not in names]:
        raise UserError(f"events lack the field(s) {', '.join(missing)}; they have {', '.join(names)}")
    for field in FIELDS:
        _check_numbers(field, events[field], events.dtype[field])
    height, width = sensor_size
    for field, size in (("x", width), ("y", height)):
        values = events[field]
        outside = (values < 0) | (values >= size)
        if outside.any():
            allowed = f"sensor_size=(H, W)=({height}, {width}) allows 0 to {size - 1}"
            refuse(
                field,
                values,
                outside,
                f"outside the sensor: {allowed}, {field} runs from {values.min()} to {values.max()}",
            )
    _check_polarity(events["p"])


def _check_numbers(field: str, values: np.ndarray, dtype: np.dtype) -> None:
    """Raise UserError for a type that holds no such numbers and for values that are missing, infinite or fractional."""
    if dtype.kind not in (_MOMENTS if field == "t" else _NUMBERS) or dtype.itemsize > 8:
        times = ", datetime64 or timedelta64" if field == "t" else ""
        raise UserError(f"{field} of the events must be integers or floats of at most 64 bits{times}; it is {dtype}")
    if np.ma.is_masked(values):
        refuse(field, values, np.ma.getmaskarray(values), "masked: leave out the events that have no value")
    if dtype.kind in "fmM":
        refuse(field, values, ~np.isfinite(values), "not a finite number: leave such events out")
    if dtype.kind == "f" and field != "t":
        refuse(field, values, values != np.floor(values), "not a whole number")


def _check_polarity(p: np.ndarray) -> None:
    """Raise UserError unless all polarities are 0 or 1, or all are -1 or 1: nothing else says which events are ON."""
    coding = "polarity is coded as 0 and 1, as -1 and 1 or as false and true"
    refuse("p", p, (p != 0) & (p != 1) & (p != -1), coding)
    zero, minus = p == 0, p == -1
    if zero.any() and minus.any():
        both = np.arange(len(p)) == max(zero.argmax(), minus.argmax())
        refuse("p", p, both, f"in one recording with {-1 if zero[both][0] else 0}: {coding}")


def refuse(field: str, values: np.ndarray, wrong: np.ndarray, reason: str, unit: str = "") -> None:
    """Raise UserError that names the field and the first event that is wrong, if any is. unit: of the values."""
    if wrong.any():
        event = int(np.argmax(wrong))
        raise UserError(f"{field} of event {event} is {values[event]}{unit}, {reason}")


def window(t: np.ndarray, start: Any, end: Any) -> tuple[Fraction, Fraction] | None:
    """From when to when the sorted times t `[N]` are counted, in their unit; None without events or a given window.

    start, end: what a user gives, or None for the first event, and for one tick after the last event (integers) or the
    last event itself (floats). Raises UserError unless they are such times and start < end; floats that all have one
    time are a window of no length.
    """
    low = None if start is None else _moment("start", start, t.dtype)
    high = None if end is None else _moment("end", end, t.dtype)
    if len(t):
        first, last = t[[0, -1]].astype(np.int64) if t.dtype.kind in "mM" else t[[0, -1]]
        low = _exact(first) if low is None else low
        high = _exact(last) + (t.dtype.kind != "f") if high is None else high
    if low is None or high is None:
        return None
    if low > high or (low == high and not (end is None and t.dtype.kind == "f")):
        times = f"; t runs from {t[0]} to {t[-1]}" if len(t) else ""
        raise UserError(f"start must lie before end; got start={start}, end={end}{times}")
    return low, high


def _moment(name: str, value: Any, dtype: np.dtype) -> Fraction:
    """The time that a user gives beside times of type `dtype`, as a number of their unit."""
    given = np.asarray(value if isinstance(value, int | float | np.generic) else None)
    if dtype.kind in "mM":
        if given.dtype.kind != dtype.kind or not _fits(given, dtype):
            raise UserError(f"{name} must be of type {dtype}, as t is; got {value!r}")
        return _exact(given.astype(dtype).astype(np.int64))
    if given.dtype.kind not in "iuf" or given.dtype.itemsize > 8 or not np.isfinite(given):
        raise UserError(f"{name} must be a finite number in the unit of t; got {value!r}")
    return _exact(given[()])


def _fits(moment: np.ndarray, dtype: np.dtype) -> bool:
    """Whether a datetime64 or timedelta64 is the same in the unit of `dtype`, in which NumPy lets it wrap round."""
    try:
        there = moment.astype(dtype)
        return bool(there == moment and there.astype(moment.dtype) == moment)
    except TypeError:  # years are no number of seconds
        return False


def _exact(number: Any) -> Fraction:
    """A finite number as it is written in decimals: a float 0.1 is one tenth."""
    return Fraction(str(number))
