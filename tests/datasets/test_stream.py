"""Fields of events: what means the same is read alike, what means nothing is refused by field and event."""

import numpy as np
import pytest
import torch

from snnbook.datasets import events_to_frames
from snnbook.errors import UserError

H, W = 3, 4


def events(**columns) -> np.ndarray:
    """Four events on the sensor, with the columns that are given in place of theirs."""
    columns = {"x": [0, 1, 2, 3], "y": [2, 0, 1, 0], "t": [5, 6, 7, 8], "p": [0, 1, 1, 0]} | columns
    arrays = {field: np.asarray(values) for field, values in columns.items()}
    rows = np.empty(4, [(field, a.dtype) for field, a in arrays.items()])
    for field, a in arrays.items():
        rows[field] = a
    return rows


def refused(match: str, rows: np.ndarray) -> None:
    for by in ("number", "time"):
        with pytest.raises(UserError, match=match) as err:
            events_to_frames(rows, 2, (H, W), by)
        assert "\n" not in str(err.value)


@pytest.mark.supports("Recordings", "whole coordinates of any type, floats too", "counted")
@pytest.mark.parametrize("dtype", [f"{order}{kind}" for order in "<>" for kind in ("i1", "u2", "i8", "u8", "f2", "f8")])
def test_whole_coordinates_of_any_type_are_counted(dtype):
    same = events(x=np.array([0, 1, 2, 3], dtype), y=np.array([2, 0, 1, 0], dtype))
    assert torch.equal(events_to_frames(same, 2, (H, W)), events_to_frames(events(), 2, (H, W)))


@pytest.mark.supports(
    "Recordings",
    "fractions, NaN and infinity as coordinates",
    "refused",
    says="… of event 1 is 1.5, not a whole number",
)
@pytest.mark.supports(
    "Recordings",
    "coordinates outside the sensor",
    "refused",
    says="… of event 3 is -1, outside the sensor: sensor_size=(H, W)=(3, 4) allows 0 to",
)
@pytest.mark.parametrize("field", ["x", "y"])
def test_coordinates_that_are_none_are_refused(field):
    size = {"x": W, "y": H}[field]
    refused(rf"{field} of event 1 is 1\.5, not a whole number", events(**{field: [0, 1.5, 0, 0.5]}))
    refused(rf"{field} of event 2 is nan, not a finite number", events(**{field: [0, 0, np.nan, 0]}))
    refused(rf"{field} of event 0 is -inf, not a finite number", events(**{field: [-np.inf, 0, 0, 0]}))
    for value in (-1, size):
        low, high = min(value, 0), max(value, 0)
        reason = rf"sensor_size=\(H, W\)=\(3, 4\) allows 0 to {size - 1}, {field} runs from {low} to {high}"
        refused(f"{field} of event 3 is {value}, outside the sensor: {reason}", events(**{field: [0, 0, 0, value]}))
    large = np.array([0, 2**64 - 1, 0, 0], np.uint64)
    refused(f"{field} of event 1 is 18446744073709551615, outside the sensor", events(**{field: large}))


@pytest.mark.supports("Recordings", "polarity as false and true, 0 and 1, or -1 and 1", "counted alike")
@pytest.mark.parametrize(
    "p", [np.array([False, True, True, False]), [-1, 1, 1, -1], np.array([0, 1, 1, 0], ">u2"), [-1.0, 1.0, 1.0, -1.0]]
)
def test_codings_of_polarity_give_the_same_frames(p):
    assert torch.equal(events_to_frames(events(p=p), 2, (H, W)), events_to_frames(events(), 2, (H, W)))


@pytest.mark.supports(
    "Recordings",
    "other polarities, and two codings in one recording",
    "refused",
    says="p of event 1 is 2, polarity is coded as 0 and 1, as -1 and 1 or as false and true",
)
def test_polarities_that_say_not_what_is_on_are_refused():
    coding = "polarity is coded as 0 and 1, as -1 and 1 or as false and true"
    refused(f"p of event 1 is 2, {coding}", events(p=[1, 2, 2, 1]))
    refused(f"p of event 3 is 255, {coding}", events(p=np.array([1, 1, 1, 255], np.uint8)))
    refused("p of event 0 is 0.5, not a whole number", events(p=[0.5, 1, 1, 0]))
    refused(f"p of event 2 is 0, in one recording with -1: {coding}", events(p=[1, -1, 0, 0]))
    refused(f"p of event 3 is -1, in one recording with 0: {coding}", events(p=[0, 1, 0, -1]))
    refused(
        "p of the events must be integers or floats of at most 64 bits; it is <U3", events(p=["on", "off", "on", "on"])
    )


@pytest.mark.supports(
    "Recordings",
    "missing and infinite times",
    "refused",
    says="t of event 1 is nan, not a finite number: leave such events out",
)
@pytest.mark.supports(
    "Recordings",
    "times that run backwards",
    "refused",
    says="t of event 2 is 4, earlier than the event before it: sort with",
)
def test_times_that_are_missing_or_run_backwards_are_refused():
    refused("t of event 1 is nan, not a finite number", events(t=[0.0, np.nan, 1.0, np.nan]))
    refused("t of event 3 is inf, not a finite number", events(t=[0.0, 1.0, 2.0, np.inf]))
    refused("t of event 2 is NaT, not a finite number", events(t=np.array([0, 1, "NaT", 3], "m8[us]")))
    refused("t of event 2 is 4, earlier than the event before it: sort with", events(t=[5, 6, 4, 3]))
    refused("t of event 1 is 3, earlier than the event before it", events(t=np.array([2**64 - 1, 3, 4, 5], np.uint64)))
    refused("t of the events must be .*, datetime64 or timedelta64; it is complex128", events(t=np.zeros(4, complex)))
    refused("t of the events must be .* of at most 64 bits", events(t=np.zeros(4, np.longdouble)))


@pytest.mark.supports(
    "Recordings",
    "values that numpy masks",
    "refused",
    says="t of event 2 is --, masked: leave out the events that have no value",
)
def test_masked_values_are_refused_and_a_mask_without_any_is_not():
    masked = np.ma.array(events())
    assert torch.equal(events_to_frames(masked, 2, (H, W)), events_to_frames(events(), 2, (H, W)))
    masked["t"][2] = np.ma.masked
    refused("t of event 2 is --, masked: leave out the events that have no value", masked)


@pytest.mark.supports("Recordings", "missing fields", "refused", says="events lack the field(s) y, p; they have x, t")
@pytest.mark.supports(
    "Recordings",
    "arrays of another form",
    "refused",
    says="events must be a structured array [N] with the fields x, y, t, p",
)
def test_what_is_no_stream_of_events_is_refused():
    refused(r"lack the field\(s\) y, p; they have x, t", events()[["x", "t"]])
    refused(
        "x of the events must be integers or floats",
        np.zeros(4, [("x", "i2", 2), ("y", "i2"), ("t", "i8"), ("p", "?")]),
    )
    for other in (np.zeros((5, 4)), events().reshape(2, 2), events()[0], [(0, 0, 0, 0)], None):
        refused(r"events must be a structured array \[N\] with the fields x, y, t, p", other)
