"""The sensor does what one computes by hand for a pixel, and its events are at home in tonic."""

import numpy as np
import pytest
from tonic.transforms import ToFrame

from snnbook.datasets import events_to_frames, simulate

# log luminance 0, 0.5, 0.5, -0.3 at 0, 1, 2 and 3 ms
PIXEL = np.exp([0.0, 0.5, 0.5, -0.3]).reshape(4, 1, 1)


def run(video, **kw):
    return simulate(video, rng=np.random.default_rng(0), **{"dark": 0.0, **kw})


def test_one_pixel_by_hand():
    """It crosses 0.2 and 0.4 upwards in the first ms, then 0.2, 0.0 and -0.2 downwards in the third."""
    events = run(PIXEL, on=0.2, off=0.2)
    assert events["t"].tolist() == [400, 800, 2375, 2625, 2875]
    assert events["p"].tolist() == [True, True, False, False, False]


def test_on_and_off_thresholds_are_separate():
    events = run(PIXEL, on=0.45, off=0.3)
    assert events["t"].tolist() == [900, 2438, 2812]
    assert events["p"].tolist() == [True, False, False]


def test_what_max_events_holds_back_follows_in_the_next_frame():
    events = run(PIXEL, on=0.2, off=0.2, max_events=1)
    assert events["t"].tolist() == [400, 1000, 2375]
    assert events["p"].tolist() == [True, True, False]


def test_in_the_refractory_period_the_event_is_lost_but_the_reference_moves():
    events = run(PIXEL, on=0.2, off=0.2, refractory_us=500)
    assert events["t"].tolist() == [400, 2375, 2875]


def test_threshold_mismatch_differs_from_pixel_to_pixel():
    video = np.exp(np.stack([np.zeros((50, 50)), np.full((50, 50), 0.201)]))
    assert len(run(video, on=0.2)) == 2500
    assert 1150 < len(run(video, on=0.2, mismatch=0.15)) < 1400


def test_noise_is_of_the_stated_rate_and_of_either_polarity():
    events = run(np.ones((101, 20, 30)), noise=0.01, step_us=500)
    assert len(events) == pytest.approx(600, abs=100)
    assert events["p"].mean() == pytest.approx(0.5, abs=0.1)
    assert events["t"].min() >= 0
    assert 49_000 < events["t"].max() <= 50_000
    assert len(run(np.ones((101, 20, 30)))) == 0


def moving_bar() -> np.ndarray:
    video = np.full((12, 8, 10), 0.2)
    for s in range(12):
        video[s, :, max(s - 2, 0) : s] = 0.8
    return video


def test_a_bright_bar_leaves_on_before_and_off_behind():
    events = run(moving_bar(), mismatch=0.1, max_events=9)
    assert (np.diff(events["t"]) >= 0).all()
    passed = events[events["x"] == 4]
    assert passed["p"][0]
    assert not passed["p"][-1]
    assert passed["t"][passed["p"]].max() < passed["t"][~passed["p"]].min()


def test_no_pixel_fires_within_its_refractory_period():
    events = run(moving_bar(), noise=0.3, refractory_us=700)
    pixel = events["y"].astype(int) * 10 + events["x"]
    gaps = [np.diff(events["t"][pixel == i]) for i in np.unique(pixel)]
    assert np.concatenate(gaps).min() >= 700


def test_events_are_tonic_events():
    """tonic's bins are half open and leave out the very last event, ours do not."""
    events = run(moving_bar(), noise=0.05)
    assert events.dtype.names == ("x", "y", "t", "p")
    theirs = ToFrame(sensor_size=(10, 8, 2), n_time_bins=1)(events)
    assert (theirs == events_to_frames(events[:-1], 1, (8, 10)).numpy()).all()
    theirs = ToFrame(sensor_size=(10, 8, 2), time_window=1000)(events)
    ours = np.stack(
        [
            events_to_frames(events[(events["t"] - events["t"][0]) // 1000 == j], 1, (8, 10))[0].numpy()
            for j in range(len(theirs))
        ]
    )
    assert (theirs == ours).all()


def test_a_video_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"video is \[S, H, W\]"):
        run(np.ones((4, 4)))
