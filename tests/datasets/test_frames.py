"""Frames are counts of paper A Eq. 2-4, no event is lost or invented, and wrong input is named."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnbook.datasets import downsample, events_to_frames
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


def test_frames_by_time_are_equal_windows():
    events = stream(0, 6)
    events["t"] = [100, 109, 110, 119, 120, 129]
    frames = events_to_frames(events, 3, (H, W), by="time")
    assert frames.sum((1, 2, 3)).tolist() == [2, 2, 2]
    events["t"] = [100, 101, 102, 103, 104, 129]
    assert events_to_frames(events, 3, (H, W), by="time").sum((1, 2, 3)).tolist() == [5, 0, 1]


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


@pytest.mark.parametrize("T", [0, -1, 2.5, "4", True])
def test_a_number_of_steps_that_is_none_is_refused(T):
    with pytest.raises(UserError, match="T is the number of time steps"):
        events_to_frames(stream(0, 5), T, (H, W))


def test_wrong_events_are_refused_by_name():
    events = stream(0, 5)
    with pytest.raises(UserError, match=r"lack the field\(s\) y, p; they have x, t"):
        events_to_frames(events[["x", "t"]], 2, (H, W))
    with pytest.raises(UserError, match="structured array with the fields x, y, t, p"):
        events_to_frames(np.zeros((5, 4)), 2, (H, W))
    with pytest.raises(UserError, match="sensor_size is"):
        events_to_frames(events, 2, (H, W, 2))
    with pytest.raises(UserError, match="did you mean number"):
        events_to_frames(events, 2, (H, W), by="numbr")
    for field, value in (("x", W), ("y", H), ("x", -1)):
        wrong = events.copy()
        wrong[field][2] = value
        with pytest.raises(UserError, match=rf"outside the sensor: {field} runs"):
            events_to_frames(wrong, 2, (H, W))
    events["t"] = [5, 6, 4, 7, 8]
    with pytest.raises(UserError, match="event 2 is earlier"):
        events_to_frames(events, 2, (H, W))
