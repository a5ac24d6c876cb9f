"""The parameters of the four generated data sets: how many samples they have and how their pictures vary.

They are part of a set's fingerprint, and so of the id of every trial on it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What all generated sets have: numbers of samples per split and the side of the picture in px."""

    train: int
    validation: int
    test: int
    side: int

    def size(self, split: str) -> int:
        """Number of samples of a split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[split]


@dataclass(frozen=True, kw_only=True)
class ClutterParameters(Parameters):
    """How a digit is disturbed; lengths in px, angles in rad, grey values from 0 to 1.

    hardness: factor of all disturbances. Two numbers are the range of a uniform distribution.
    """

    side: int = 12
    hardness: float = 0.33
    scale: tuple[float, float] = (0.72, 0.95)
    rotation: float = 0.3
    shear: float = 0.25
    anisotropy: float = 0.2
    shift: float = 1.2
    patch: int = 4
    patch_gain: tuple[float, float] = (0.4, 0.9)
    contrast: tuple[float, float] = (0.55, 1.0)
    background: float = 0.15
    background_grid: int = 5
    bar: float = 0.5
    bar_width: tuple[float, float] = (0.08, 0.16)
    noise: float = 0.12
    black: float = 0.2
    gain: float = 0.65


@dataclass(frozen=True, kw_only=True)
class DigitsClutter(ClutterParameters):
    """digits-clutter: one digit."""

    train: int = 2000
    validation: int = 500
    test: int = 1000


@dataclass(frozen=True, kw_only=True)
class Digits100(ClutterParameters):
    """digits-100: two digits, disturbed as in digits-clutter, each without `margin` columns on either side."""

    train: int = 4000
    validation: int = 1000
    test: int = 1000
    margin: int = 1


@dataclass(frozen=True, kw_only=True)
class SensorParameters(Parameters):
    """What the event sets share: T frames, and the simulated sensor (see `sensor.simulate`).

    A sample is a video of `steps` frames of `step_us` µs.
    """

    side: int = 32
    T: int = 10
    steps: int = 96
    step_us: int = 1000
    threshold: float = 0.18
    mismatch: float = 0.15
    noise: float = 0.004
    max_events: int = 3
    refractory_us: int = 1000


@dataclass(frozen=True, kw_only=True)
class DigitsDVS(SensorParameters):
    """digits-dvs: one digit that moves smoothly in a closed loop, several times."""

    train: int = 1200
    validation: int = 300
    test: int = 500
    scale: tuple[float, float] = (0.6, 0.8)
    grey: float = 0.35
    contrast: tuple[float, float] = (0.25, 0.6)
    dark_share: float = 0.3
    dark_gain: float = -0.5
    amplitude: tuple[float, float] = (0.08, 0.13)
    loops: int = 2
    jitter: float = 0.05


@dataclass(frozen=True, kw_only=True)
class ArmsDVS(SensorParameters):
    """arms-dvs: see `arms` for the motions and the unit of length.

    hardness: factor of all variation between samples.
    """

    train: int = 770
    validation: int = 220
    test: int = 440
    T: int = 20
    steps: int = 120
    step_us: int = 10_000
    threshold: float = 0.20
    noise: float = 0.0036
    refractory_us: int = 10_000
    hardness: float = 1.2
    cycles: tuple[float, float] = (1.6, 3.2)
    tempo: float = 0.25
    place: float = 0.03
    scale: float = 0.08
    amplitude: float = 0.15
    wobble: float = 0.008
    drift: float = 0.02
    arm: float = 0.045
    hand: float = 0.085
    thickness: float = 0.15
    background: tuple[float, float] = (0.15, 0.25)
    contrast: tuple[float, float] = (0.35, 0.65)
    flip_share: float = 0.5


DIGITS_CLUTTER, DIGITS_100, DIGITS_DVS, ARMS_DVS = DigitsClutter(), Digits100(), DigitsDVS(), ArmsDVS()
PARAMETERS: dict[str, Parameters] = {
    "digits-clutter": DIGITS_CLUTTER,
    "digits-100": DIGITS_100,
    "digits-dvs": DIGITS_DVS,
    "arms-dvs": ARMS_DVS,
}
