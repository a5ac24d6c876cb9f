"""A dynamic vision sensor: every pixel reports changes of the log luminance since its last report.

A pixel memorises a reference level. Whenever the log luminance has risen by its ON threshold (fallen by its
OFF threshold) the reference moves up (down) by that threshold and an ON (OFF) event is sent, at the moment at
which the luminance, linear in log between two frames, crosses the level. Real pixels differ in their
thresholds (mismatch), are blind for a while after each event (refractory period: the reference moves on, the
event is lost) and fire without a cause now and then (background activity).
"""

from __future__ import annotations

import numpy as np

EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])


def simulate(
    video: np.ndarray,
    *,
    rng: np.random.Generator,
    on: float = 0.2,
    off: float = 0.2,
    mismatch: float = 0.0,
    refractory_us: int = 0,
    max_events: int = 3,
    noise: float = 0.0,
    step_us: int = 1000,
    dark: float = 0.02,
) -> np.ndarray:
    """Luminance `[S, H, W]`, a frame each `step_us` µs → events x, y, t (µs), p (True = ON), sorted by t.

    on, off: thresholds in log units. mismatch: their relative standard deviation over pixels. refractory_us:
    no event of a pixel within this time of its last one. max_events: reference moves of a pixel per frame at
    most; the rest follows in the next frame. noise: events of random polarity per pixel and frame. dark:
    added to the luminance before the logarithm. The first frame sets the references. Raises ValueError for a
    video that is not `[S, H, W]`.
    """
    if video.ndim != 3:
        raise ValueError(f"video is [S, H, W], got {video.ndim} axes")
    steps, height, width = video.shape
    flat = video.reshape(steps, height * width)
    changing = np.flatnonzero((flat != flat[0]).any(axis=0))
    level = np.log(flat[:, changing].astype(np.float64) + dark)
    theta = {
        polarity: threshold * np.maximum(1 + mismatch * rng.standard_normal(height * width), 0.1)
        for polarity, threshold in ((True, on), (False, off))
    }
    pixel, t, p = _crossings(level, theta[True][changing], theta[False][changing], max_events, step_us)
    count = rng.poisson(noise * height * width * (steps - 1))
    pixel = np.concatenate([changing[pixel], rng.integers(height * width, size=count)])
    t = np.concatenate([t, rng.integers((steps - 1) * step_us + 1, size=count)])
    p = np.concatenate([p, rng.random(count) < 0.5])
    if refractory_us > 0:
        kept = _after_refractory(pixel, t, refractory_us)
        pixel, t, p = pixel[kept], t[kept], p[kept]
    order = np.argsort(t, kind="stable")
    events = np.empty(len(order), EVENT)
    events["y"], events["x"] = np.divmod(pixel[order], width)
    events["t"], events["p"] = t[order], p[order]
    return events


def _crossings(
    level: np.ndarray, on: np.ndarray, off: np.ndarray, max_events: int, step_us: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixel, time and polarity of every threshold crossing of the log luminance `[S, pixels]`."""
    moves = np.empty((len(level) - 1, level.shape[1]))
    references = np.empty_like(moves)
    reference = level[0].copy()
    for s in range(len(moves)):
        references[s] = reference
        change = level[s + 1] - reference
        threshold = np.where(change > 0, on, off)
        moves[s] = np.clip(np.trunc(change / threshold), -max_events, max_events)
        reference += moves[s] * threshold
    step, pixel = np.nonzero(moves)
    n = moves[step, pixel]
    first, last, reference = level[step, pixel], level[step + 1, pixel], references[step, pixel]
    repeats = np.abs(n).astype(np.int64)
    threshold = np.where(n > 0, on[pixel], -off[pixel])
    ordinal = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats) + 1
    step, pixel, first, last, reference, threshold = (
        np.repeat(a, repeats) for a in (step, pixel, first, last, reference, threshold)
    )
    target = reference + ordinal * threshold
    # A pixel held back by max_events has passed its next level before the frame begins: it sends at once.
    overdue = (first - target) * threshold >= 0
    part = np.where(overdue, 0.0, (target - first) / np.where(overdue, 1.0, last - first))
    return pixel, np.rint((step + np.minimum(part, 1.0)) * step_us).astype(np.int64), threshold > 0


def _after_refractory(pixel: np.ndarray, t: np.ndarray, refractory_us: int) -> np.ndarray:
    """Indices of the events that each pixel really sends, when it is blind for a time after each one."""
    if len(t) == 0:
        return np.empty(0, np.int64)
    key = pixel * (t.max() + refractory_us + 1) + t
    order = np.argsort(key, kind="stable")
    key, pixel = key[order], pixel[order]
    following = np.searchsorted(key, key + refractory_us)
    at = np.flatnonzero(np.diff(pixel, prepend=-1))
    kept = []
    while at.size:
        kept.append(at)
        then = following[at]
        inside = then < len(pixel)
        at, then = at[inside], then[inside]
        at = then[pixel[then] == pixel[at]]
    return np.sort(order[np.concatenate(kept)])
