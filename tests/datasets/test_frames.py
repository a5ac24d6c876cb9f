"""Frames are counts of paper A Eq. 2-4, no event is lost or invented, and wrong input is named."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from snnbook.datasets import downsample, events_to_frames, frames
from snnbook.datasets.sensor import EVENT
from snnbook.errors import UserError

H, W = 3, 4


def stream(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    events = np.empty(n, EVENT)
    events["x"], events["y"] = rng.integers(W, size=n), rng.integers(H, size=n)
    events["t"], events["p"] = np.sort(rng.integers(1000, size=n)), rng.random(n) < 0.5
    return events


def by_the_formulas(events: np.ndarray, T: int) -> torch.Tensor:
    frames, n = torch.zeros(T, 2, H, W), len(events)
    for j in range(T):
        left = n // T * j
        right = n // T * (j + 1) if j < T - 1 else n
        for e in events[left:right]:
            frames[j, int(e["p"]), e["y"], e["x"]] += 1
    return frames


@pytest.mark.supports("Recordings", "frames of equal numbers of events", "counted; the last frame takes the remainder")
@given(st.integers(0, 10**6), st.integers(0, 40), st.integers(1, 9))
def test_frames_by_number_are_paper_a_eq_2_to_4(seed, n, T):
    events = stream(seed, n)
    frames = events_to_frames(events, T, (H, W))
    assert frames.dtype == torch.float32
    assert torch.equal(frames, by_the_formulas(events, T))


def test_fewer_events_than_frames_all_go_to_the_last():
    frames = events_to_frames(stream(0, 3), 5, (H, W))
    assert frames.sum((1, 2, 3)).tolist() == [0, 0, 0, 0, 3]


@given(st.integers(0, 10**6), st.integers(0, 40), st.integers(1, 9))
def test_every_event_is_counted_once(seed, n, T):
    events = stream(seed, n)
    for by in ("number", "time"):
        whole = events_to_frames(events, T, (H, W), by).sum(0)
        assert torch.equal(whole, by_the_formulas(events, 1)[0])


@pytest.mark.supports("Recordings", "frames of equal windows of time", "counted")
def test_frames_by_time_are_equal_windows():
    events = stream(0, 6)
    events["t"] = [100, 109, 110, 119, 120, 129]
    frames = events_to_frames(events, 3, (H, W), by="time")
    assert frames.sum((1, 2, 3)).tolist() == [2, 2, 2]
    events["t"] = [100, 101, 102, 103, 104, 129]
    assert events_to_frames(events, 3, (H, W), by="time").sum((1, 2, 3)).tolist() == [5, 0, 1]


def at(times, dtype=None) -> np.ndarray:
    """Events of one pixel at these times."""
    t = np.asarray(times, dtype)
    events = np.zeros(len(t), [("x", np.int16), ("y", np.int16), ("t", t.dtype), ("p", np.int8)])
    events["t"] = t
    return events


def counts(times, T, dtype=None, by="time", **window) -> list[int]:
    """Number of events in each frame."""
    return events_to_frames(at(times, dtype), T, (1, 1), by, **window).sum((1, 2, 3)).int().tolist()


INTEGERS = [np.dtype(f"{order}{kind}{size}") for order in "<>" for kind in "iu" for size in (1, 2, 4, 8)]


@pytest.mark.supports("Recordings", "integer times of any width, sign and byte order", "counted exactly")
@given(st.data(), st.sampled_from(INTEGERS), st.integers(1, 300))
def test_integer_times_of_any_width_and_span_are_cut_by_the_formula(data, dtype, T):
    limits = np.iinfo(dtype)
    near = data.draw(st.integers(limits.min, limits.max))
    value = st.one_of(st.integers(near, min(near + 50, limits.max)), st.integers(limits.min, limits.max))
    t = sorted(data.draw(st.lists(value, min_size=1, max_size=30)))
    frame = [(v - t[0]) * T // (t[-1] - t[0] + 1) for v in t]
    assert counts(t, T, dtype) == np.bincount(frame, minlength=T).tolist()


@pytest.mark.supports(
    "Recordings", "times far from zero and far apart, such as nanoseconds since 1970", "counted exactly"
)
def test_the_last_of_many_events_may_be_far_from_the_first():
    assert counts([0, *1_700_000_000_000_000_000 + np.arange(99)], 20) == [1] + [0] * 18 + [99]
    assert counts([-(2**63), 2**63 - 1], 3) == [1, 0, 1]


@pytest.mark.supports(
    "Recordings", "a `start` and an `end` that you give", "counted: start ≤ t < end, in the unit of t"
)
@given(
    st.lists(st.integers(-(10**6), 10**6), max_size=30),
    st.integers(1, 9),
    st.sampled_from(["number", "time"]),
    st.integers(-(2**62), 2**62),
    st.integers(1, 10**9),
    st.integers(-(10**6), 10**6),
    st.integers(1, 10**6),
)
def test_a_window_counts_what_is_in_it_wherever_time_begins_and_whatever_its_unit(
    t, T, by, origin, unit, start, length
):
    t, end = sorted(t), start + length
    window = counts(t, T, np.int64, by, start=start, end=end)
    assert sum(window) == sum(start <= v < end for v in t)
    assert window == counts(np.array(t, np.int64) + origin, T, by=by, start=start + origin, end=end + origin)
    assert window == counts(np.array(t, np.int64) * unit, T, by=by, start=start * unit, end=end * unit)
    if by == "time":
        brute = [sum(start * T + j * length <= v * T < start * T + (j + 1) * length for v in t) for j in range(T)]
        assert window == brute


@pytest.mark.supports(
    "Recordings", "seconds, milli-, micro- and nanoseconds, in floats and in integers", "counted alike"
)
@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=30),
    st.integers(1, 9),
    st.integers(0, 10**7),
    st.integers(10, 10**7),
)
def test_seconds_are_cut_as_microseconds(t, T, start, length):
    t, end = np.sort(t), start + length
    assert counts(t / 1e6, T, start=start / 1e6, end=end / 1e6) == counts(t, T, start=start, end=end)


@pytest.mark.parametrize(
    ("dtype", "last", "n", "T"),
    [(np.float64, 0.999, 1000, 4), (np.float16, 0.7, 701, 7), (">f4", 8.5, 8501, 17), (np.float64, 8.5, 8501, 17)],
)
def test_windows_of_float_times_are_those_of_a_histogram(dtype, last, n, T):
    """But for events at an edge, whose last bit decides."""
    t = np.linspace(0, last, n).astype(dtype)
    ours, theirs = counts(t, T), np.histogram(t.astype(np.float64), T)[0]
    assert sum(ours) == n
    assert np.abs(np.cumsum(ours) - np.cumsum(theirs)).max() <= 1


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30), st.integers(1, 9))
def test_float_times_lie_in_their_windows_to_the_last_bit(t, T):
    t = np.sort(t)
    bit = np.spacing(np.abs(t).max())
    assume(t[0] == t[-1] or t[-1] - t[0] > 4 * T * bit)
    cut = counts(t, T)
    assert sum(cut) == len(t)
    assert cut[0] > 0
    assert cut[-1] > 0 or t[0] == t[-1]
    first, width, bit = Fraction(t[0]), (Fraction(t[-1]) - Fraction(t[0])) / T, Fraction(bit)
    for v, j in zip(map(Fraction, t), np.repeat(range(T), cut).tolist(), strict=True):
        assert first + j * width - bit <= v <= first + (j + 1) * width + bit


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_decimals_begin_the_windows_that_they_name(dtype):
    tenths = np.arange(10) / 10
    assert counts(tenths, 10, dtype, start=0, end=1) == [1] * 10
    assert counts(tenths, 5, dtype, start=0.3, end=0.8) == [1] * 5


@pytest.mark.supports("Recordings", "events that are all at one time", "counted in the first window")
def test_events_at_one_time_are_in_the_first_window():
    for dtype in (np.int64, np.float64):
        assert counts([7] * 5, 3, dtype) == [5, 0, 0]
        assert counts([7] * 5, 3, dtype, start=7) == [5, 0, 0]
        assert counts([7] * 5, 3, dtype, start=4) == [0, 0, 5]


def test_a_start_or_an_end_alone():
    assert counts([0, 1, 2, 3, 4, 5], 2, start=2) == [2, 2]
    assert counts([0, 1, 2, 3, 4, 5], 2, end=4) == [2, 2]
    assert counts([0.0, 1, 2, 3, 4, 5], 2, start=2) == [2, 2]
    assert counts([0.0, 1, 2, 3, 4, 5], 2, end=4) == [2, 2]
    assert counts([0, 10], 2, start=-0.5, end=19.5) == [1, 1]
    assert counts([0, 1, 2, 3, 4, 5, 6], 3, by="number", start=1, end=6) == [1, 1, 3]


@pytest.mark.supports("Recordings", "datetime64 and timedelta64", "counted")
@pytest.mark.supports(
    "Recordings",
    "a `start` of another type than the times",
    "refused",
    says="start must be of type datetime64[ms], as t is; got 5",
)
def test_dates_and_durations_are_times():
    t = np.array([0, 1, 2, 9], "m8[ms]")
    day = np.datetime64("2026-01-31", "ms")
    assert counts(t, 2) == counts(t + day, 2) == counts([0, 1, 2, 9], 2) == [3, 1]
    assert counts(t + day, 2, start=day, end=day + 2) == [1, 1]
    with pytest.raises(UserError, match=r"start must be of type datetime64\[ms\], as t is; got 5"):
        counts(t + day, 2, start=5)
    with pytest.raises(
        UserError, match=r"end must be of type timedelta64\[ms\], as t is; got np.timedelta64\(1500,'us'"
    ):
        counts(t, 2, end=np.timedelta64(1500, "us"))
    with pytest.raises(UserError, match="end must be a finite number"):
        counts([0, 1], 2, end=np.timedelta64(1500, "us"))
    with pytest.raises(UserError, match=r"start must be of type timedelta64\[ms\], as t is; got .*1,'Y'"):
        counts(t, 2, start=np.timedelta64(1, "Y"))
    with pytest.raises(UserError, match=r"end must be of type datetime64\[ns\], as t is; got .*2700"):
        counts((t + day).astype("M8[ns]"), 2, end=np.datetime64("2700-01-01"))  # beyond what nanoseconds hold


@pytest.mark.supports(
    "Recordings", "a `start` that is not before the end", "refused", says="start must lie before end; got start="
)
@pytest.mark.parametrize("by", ["number", "time"])
def test_windows_that_are_none_are_refused(by):
    for t in ([0, 1, 2], [0.0, 1.0, 2.0]):
        for window in ({"start": 1, "end": 1}, {"start": 2, "end": 1}, {"start": 4}, {"end": 0}):
            with pytest.raises(UserError, match=r"start must lie before end; got .*; t runs from 0.* to 2"):
                counts(t, 2, by=by, **window)
    with pytest.raises(UserError, match="start must lie before end; got start=2, end=1"):
        counts([], 2, np.int64, by=by, start=2, end=1)
    for value in (np.nan, np.inf, "0", True, [0], 2**70):
        with pytest.raises(UserError, match="start must be a finite number in the unit of t; got"):
            counts([0, 1, 2], 2, by=by, start=value)


@pytest.mark.supports(
    "Recordings",
    "windows shorter than the resolution of the times",
    "refused",
    says="T=100 windows from 8.0 to 8.5 are shorter than the resolution of t, float16",
)
def test_windows_shorter_than_the_resolution_of_floats_are_refused():
    with pytest.raises(
        UserError, match=r"T=100 windows from 8\.0 to 8\.5 are shorter than the resolution of t, float16"
    ):
        counts([8, 8.5], 100, np.float16)


@pytest.mark.supports("Recordings", "a recording without events", "accepted: frames of zeros")
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, "M8[us]"])
@pytest.mark.parametrize("by", ["number", "time"])
def test_no_events_give_empty_frames(dtype, by):
    assert counts([], 3, dtype, by) == [0, 0, 0]


@pytest.mark.supports("Recordings", "hot pixels", "counted up to 2^24 events in a frame")
@pytest.mark.supports(
    "Recordings",
    "a pixel with more than 2^24 events in a frame",
    "refused",
    says="pixel x=0, y=0 has 5 events in frame 1; float32 counts to 4: use a larger T",
)
def test_counts_never_wrap_and_are_never_rounded(monkeypatch):
    n = 70_000
    assert frames.compact(events_to_frames(at(np.arange(n)), 1, (1, 1))).tolist() == [[[[n]], [[0]]]]
    assert frames.compact(torch.full((1, 2, 1, 1), 65535.0)).dtype == np.uint16
    assert torch.tensor(frames.EXACT - 1.0) + 1 == frames.EXACT
    assert torch.tensor(float(frames.EXACT)) + 1 == frames.EXACT
    monkeypatch.setattr(frames, "EXACT", 4)
    with pytest.raises(UserError, match="pixel x=0, y=0 has 5 events in frame 1; float32 counts to 4: use a larger T"):
        counts([0, 8, 9, 9, 9, 9], 2)


def test_polarity_may_be_signed_and_fields_in_any_order():
    events = stream(0, 20)
    other = np.empty(20, [("t", np.uint64), ("x", np.uint16), ("y", np.uint16), ("p", np.int8)])
    for field in "txy":
        other[field] = events[field]
    other["p"] = np.where(events["p"], 1, -1)
    for by in ("number", "time"):
        assert torch.equal(events_to_frames(other, 4, (H, W), by), events_to_frames(events, 4, (H, W), by))


def test_downsample_sums_two_by_two():
    frames = torch.arange(16.0).view(1, 1, 4, 4)
    assert downsample(frames).tolist() == [[[[10.0, 18.0], [42.0, 50.0]]]]
    with pytest.raises(UserError, match="even"):
        downsample(torch.zeros(2, 3, 4))


@pytest.mark.supports(
    "Recordings",
    "T that is no whole number of at least 1",
    "refused",
    says="T is the number of time steps, a whole number of at least 1; got",
)
@pytest.mark.parametrize("T", [0, -1, 2.5, "4", True])
def test_a_number_of_steps_that_is_none_is_refused(T):
    with pytest.raises(UserError, match="T is the number of time steps"):
        events_to_frames(stream(0, 5), T, (H, W))


@pytest.mark.parametrize("integer", [np.int8, np.uint64])
@pytest.mark.parametrize("by", ["number", "time"])
def test_numpys_integers_are_numbers_of_steps(integer, by):
    events = stream(0, 50)
    assert torch.equal(events_to_frames(events, integer(9), (99, 99), by), events_to_frames(events, 9, (99, 99), by))


@pytest.mark.supports(
    "Recordings",
    "sensor_size that is no pair of positive whole numbers",
    "refused",
    says="sensor_size is (H, W), two positive whole numbers; got",
)
@pytest.mark.parametrize("size", [(H, W, 2), (0, 4), (2.5, 4), 4, ("3", "4")])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(UserError, match=r"sensor_size is \(H, W\), two positive whole numbers"):
        events_to_frames(stream(0, 5), 2, size)


def test_an_unknown_way_to_slice_is_refused():
    with pytest.raises(UserError, match="did you mean number"):
        events_to_frames(stream(0, 5), 2, (H, W), by="numbr")
