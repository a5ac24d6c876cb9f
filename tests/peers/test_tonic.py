"""tonic: frames of event counts."""

from __future__ import annotations

import numpy as np
import pytest
from alike import recording

from snnbook.datasets import events_to_frames

transforms = pytest.importorskip("tonic.transforms", reason="tonic is not installed")


def _frames(events, **how):
    return transforms.ToFrame(sensor_size=(6, 5, 2), **how)(events)


@pytest.mark.parametrize("seed", range(4))
def test_frames_by_number_where_nothing_is_left_over(seed):
    events = recording(60, seed)
    for T in (1, 3, 10):
        assert (events_to_frames(events, T, (5, 6)).numpy() == _frames(events, n_event_bins=T)).all()


@pytest.mark.differs(
    "events left over when frames are cut by number", ours="in the last frame", theirs={"tonic": "dropped"}
)
def test_the_remainder_is_in_our_last_frame_and_in_none_of_theirs():
    events = recording(11)
    assert events_to_frames(events, 4, (5, 6)).sum((1, 2, 3)).tolist() == [2, 2, 2, 5]
    assert _frames(events, n_event_bins=4).sum((1, 2, 3)).tolist() == [2, 2, 2, 2]


@pytest.mark.differs(
    "windows when frames are cut by time",
    ours="of one length",
    theirs={"tonic": "of one length; what lies behind the last is dropped"},
)
def test_by_time_the_last_events_are_in_our_last_frame_and_in_none_of_theirs():
    events = recording(11)
    events["t"] = np.arange(11)
    assert events_to_frames(events, 4, (5, 6), by="time").sum((1, 2, 3)).tolist() == [3, 3, 3, 2]
    assert _frames(events, n_time_bins=4).sum((1, 2, 3)).tolist() == [2, 2, 2, 2]
