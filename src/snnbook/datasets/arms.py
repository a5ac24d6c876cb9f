"""Two moving arms in front of the sensor: eleven motions named after the classes of DVS128 Gesture.

Lengths are in body units (1 = the sensor's side at scale 1), x to the right, y down, measured from the middle
of the chest. "Right" is the person's own, on the left of the picture; turns are as seen in the picture.
"""

from __future__ import annotations

import numpy as np

MOTIONS = (
    "hand clap",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other",
)

RIGHT, LEFT = -1.0, 1.0
SHOULDER = 0.15


def hands(motion: int, theta: np.ndarray, rng: np.random.Generator) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Offset (x, y) of each hand from its shoulder at the phases `theta [S]`, for side RIGHT and LEFT.

    Arm roll, air guitar and other draw their variants from `rng`.
    """
    still = np.zeros_like(theta)
    rest = {side: (side * 0.04 + still, 0.30 + still) for side in (RIGHT, LEFT)}
    cos, sin = np.cos(theta), np.sin(theta)
    name = MOTIONS[motion]
    if name == "hand clap":
        return {side: (-side * (0.065 + 0.06 * cos), 0.10 - 0.02 * sin) for side in (RIGHT, LEFT)}
    side = LEFT if name.startswith("left") else RIGHT
    if name.endswith("wave"):
        return rest | {side: (side * 0.05 + 0.13 * sin, -0.23 + 0.04 * cos**2)}
    if "clockwise" in name:
        turn = -1.0 if "counter" in name else 1.0
        return rest | {side: (side * 0.10 + 0.17 * cos, 0.17 * turn * sin)}
    if name == "arm roll":
        turn = rng.choice((-1.0, 1.0))
        return {side: (-side * SHOULDER + 0.10 * side * cos, 0.14 + 0.10 * side * turn * sin) for side in (RIGHT, LEFT)}
    if name == "air drums":
        return {side: (side * 0.02 + still, 0.12 + 0.13 * side * sin) for side in (RIGHT, LEFT)}
    if name == "air guitar":
        neck = rng.choice((RIGHT, LEFT))
        return {
            neck: (neck * 0.12 + 0.01 * sin, 0.02 + still),
            -neck: (neck * 0.10 + 0.03 * cos, 0.20 + 0.10 * sin),
        }
    movers = ((RIGHT,), (LEFT,), (RIGHT, LEFT))[rng.integers(3)]
    for side in movers:
        fx, fy = rng.choice((0.5, 1.0, 1.5, 2.0), size=2, replace=False)
        px, py = rng.uniform(0, 2 * np.pi, size=2)
        cx, cy = side * rng.uniform(0.0, 0.1), rng.uniform(-0.05, 0.15)
        ax, ay = rng.uniform(0.08, 0.16, size=2)
        rest[side] = (cx + ax * np.sin(fx * theta + px), cy + ay * np.sin(fy * theta + py))
    return rest


def capsule(start: np.ndarray, end: np.ndarray, radius: float, size: int) -> np.ndarray:
    """Coverage, 0 to 1, `[S, size, size]` of a thick segment with moving ends `[S, 2]` (x, y) in px."""
    grid = np.arange(size, dtype=np.float32)
    start, end = start.astype(np.float32), end.astype(np.float32)
    along = end - start
    length2 = np.maximum((along**2).sum(1), np.float32(1e-6))[:, None, None]
    px, py = grid - start[:, :1], grid - start[:, 1:]
    dot = (px * along[:, :1])[:, None, :] + (py * along[:, 1:])[:, :, None]
    h = np.clip(dot / length2, 0, 1)
    distance2 = (px**2)[:, None, :] + (py**2)[:, :, None] - h * (2 * dot - h * length2)
    return np.clip(np.float32(radius + 0.5) - np.sqrt(np.maximum(distance2, 0)), 0, 1)
