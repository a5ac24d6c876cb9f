"""Four generated data sets: offline, small, and hard enough to be worth training on.

digits-clutter stands in for CIFAR-10, digits-100 (two such pictures side by side) for CIFAR-100, digits-dvs for
CIFAR10-DVS (an image moved in a closed loop in front of an event sensor), arms-dvs for DVS128 Gesture (motions that
differ only in time). Sample i of a split has its own random generator, seeded with (seed of the split, i), so it does
not depend on any other; its class is i modulo the number of classes. A split shows only its own digits (see `digits`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from snnbook.datasets import arms, digits
from snnbook.datasets.augmentation import roll, shift_batch
from snnbook.datasets.base import Info, MemorySet, check_split, digest
from snnbook.datasets.cache import cached
from snnbook.datasets.frames import compact, downsample, events_to_frames
from snnbook.datasets.options import Option, steps
from snnbook.datasets.parameters import (
    ARMS_DVS,
    DIGITS_100,
    DIGITS_CLUTTER,
    DIGITS_DVS,
    PARAMETERS,
    ClutterParameters,
    SensorParameters,
)
from snnbook.datasets.sensor import simulate
from snnbook.errors import UserError

# Of the code below and of `digits`, `arms`, `sensor` and `frames`: one more whenever a sample changes. The parameters
# are part of the fingerprint themselves.
VERSION = 1

SEEDS = {"train": 1, "test": 2, "validation": 3}


_DIGITS = tuple("0123456789")

SETS = {
    info.name: info
    for info in (
        Info(
            "digits-clutter",
            "distorted digits among fragments, bars and noise, grey 12x12, 10 classes; embedded",
            True,
            _DIGITS,
            (1, 12, 12),
            {},
            plays="CIFAR10",
        ),
        Info(
            "digits-100",
            "two distorted digits side by side, each among clutter, grey 12x20, 100 classes; embedded",
            True,
            tuple(left + right for left in _DIGITS for right in _DIGITS),
            (1, 12, 20),
            {},
            plays="CIFAR100",
        ),
        Info(
            "digits-dvs",
            "digits in closed-loop motion before a simulated event sensor, 2x16x16, 10 classes; embedded",
            False,
            _DIGITS,
            (DIGITS_DVS.T, 2, 16, 16),
            {"T": Option(DIGITS_DVS.T, steps)},
            plays="CIFAR10-DVS",
        ),
        Info(
            "arms-dvs",
            "eleven arm motions before a simulated event sensor, 2x16x16; embedded",
            False,
            arms.MOTIONS,
            (ARMS_DVS.T, 2, 16, 16),
            {"T": Option(ARMS_DVS.T, steps)},
            plays="DVS128-Gesture",
        ),
    )
}


def fingerprint(name: str, **kw: Any) -> str:
    """Hash of the generator's version, seeds and parameters, T included: sixteen hexadecimal digits."""
    return digest([name, VERSION, SEEDS, asdict(PARAMETERS[name]) | SETS[name].checked(kw)])


def load(name: str, split: str, **kw: Any) -> MemorySet:
    """A split of an embedded set: pictures `[N, 1, H, W]`, standardised by the training set, or frames of counts."""
    arrays = raw(name, split, **kw)
    x = torch.from_numpy(arrays["x"]).float()
    if SETS[name].static:
        grey = arrays["x"] if split == "train" else raw(name, "train")["x"]
        x = ((x - float(grey.mean())) / float(grey.std())).unsqueeze(1)
    augmentation = shift_batch if SETS[name].static else roll
    return MemorySet(SETS[name], split, x, arrays["y"], fingerprint(name, **kw), augmentation)


def raw(name: str, split: str, **kw: Any) -> dict[str, np.ndarray]:
    """What is kept on disk: x, the values `[N, *]` of `sample`, and the labels y, int64 `[N]`."""
    check_split(split)
    settings = SETS[name].checked(kw)
    n = PARAMETERS[name].size(split)

    def generate() -> dict[str, np.ndarray]:
        x = np.stack([sample(name, split, i, **settings) for i in range(n)])
        return {"x": x, "y": np.arange(n) % SETS[name].num_classes}

    return cached(f"{name}-{fingerprint(name, **kw)}-{split}", generate)


def sample(name: str, split: str, index: int, T: int = 0) -> np.ndarray:
    """One sample as it is generated: grey values, uint8 `[H, W]`, or counts of events `[T, 2, 16, 16]` (see `compact`).

    T: number of frames of an event set. Raises UserError for an index or split that the set does not have.
    """
    if name in PICTURES:
        return PICTURES[name](split, index)
    side = PARAMETERS[name].side
    counts = events_to_frames(events(name, split, index), T, (side, side))
    return compact(downsample(counts))


def _start(name: str, split: str, index: int) -> tuple[np.random.Generator, int]:
    """The random generator of a sample, and its class."""
    check_split(split)
    if not 0 <= index < PARAMETERS[name].size(split):
        raise UserError(f"{name} {split} has samples 0 to {PARAMETERS[name].size(split) - 1}; got {index}")
    return np.random.default_rng([SEEDS[split], index]), index % SETS[name].num_classes


def _digit(split: str, index: int, label: int) -> np.ndarray:
    """The digit `[8, 8]` behind a sample: the digits of its class in turn."""
    members = digits.split_by_class()[split][label]
    return digits.images()[0][members[index // 10 % len(members)]]


def clutter(split: str, index: int) -> np.ndarray:
    """One picture of digits-clutter, uint8 `[12, 12]`."""
    rng, label = _start("digits-clutter", split, index)
    return _clutter(_digit(split, index, label), label, split, DIGITS_CLUTTER, rng)


def pair(split: str, index: int) -> np.ndarray:
    """One picture of digits-100, uint8 `[12, 20]`; its digits are drawn from those of its class and split."""
    rng, label = _start("digits-100", split, index)
    halves = []
    for digit in divmod(label, 10):
        image = digits.images()[0][rng.choice(digits.split_by_class()[split][digit])]
        half = _clutter(image, digit, split, DIGITS_100, rng)
        halves.append(half[:, DIGITS_100.margin : DIGITS_100.side - DIGITS_100.margin])
    return np.concatenate(halves, axis=1)


PICTURES: dict[str, Callable[[str, int], np.ndarray]] = {"digits-clutter": clutter, "digits-100": pair}


def _clutter(digit: np.ndarray, label: int, split: str, r: ClutterParameters, rng: np.random.Generator) -> np.ndarray:
    """A digit `[8, 8]` warped, among a fragment of another class, light, a bar and noise: uint8 `[12, 12]`."""
    h, side = r.hardness, r.side
    size = side / 8 * rng.uniform(*r.scale)
    aspect = np.exp(h * r.anisotropy * rng.uniform(-1, 1))
    forward = _turn(h * r.rotation * rng.uniform(-1, 1)) @ np.array(
        [[size * aspect, 0.0], [h * r.shear * size * rng.uniform(-1, 1), size / aspect]]
    )
    picture = _warp(digit, forward, h * r.shift * rng.uniform(-1, 1, 2), side)

    members = np.concatenate([d for c, d in enumerate(digits.split_by_class()[split]) if c != label])
    row, column = rng.integers(0, 8 - r.patch + 1, 2)
    fragment = digits.images()[0][rng.choice(members)][row : row + r.patch, column : column + r.patch]
    fragment = rng.uniform(*r.patch_gain) * np.rot90(fragment, int(rng.integers(4)))
    top, left = rng.integers(0, side - r.patch + 1, 2)
    place = picture[top : top + r.patch, left : left + r.patch]
    np.maximum(place, fragment, out=place)
    picture = picture * rng.uniform(*r.contrast)

    spread = digits.tent(np.linspace(0, r.background_grid - 1, side), r.background_grid)
    grid = rng.standard_normal((r.background_grid, r.background_grid))
    picture = picture + h * r.background * spread @ grid @ spread.T
    if rng.random() < h * r.bar:
        width, angle, value = side * rng.uniform(*r.bar_width), rng.uniform(0, np.pi), rng.random()
        axis = np.arange(side) - (side - 1) / 2
        across = axis[:, None] * np.sin(angle) + axis * np.cos(angle) - side / 4 * rng.uniform(-1, 1)
        cover = np.clip(width / 2 + 0.5 - np.abs(across), 0, 1)
        picture = (1 - cover) * picture + cover * value
    picture = picture + h * r.noise * rng.standard_normal((side, side))
    return np.rint(255 * np.clip(r.black + r.gain * picture, 0, 1)).astype(np.uint8)


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _warp(image: np.ndarray, forward: np.ndarray, shift: np.ndarray, side: int) -> np.ndarray:
    """`image` mapped by `forward` about its centre onto a `side` x `side` picture, bilinear, zero outside."""
    back = np.linalg.inv(forward)
    offset = (np.array(image.shape) - 1) / 2 - back @ ((side - 1) / 2 + shift)
    from scipy import ndimage  # takes 0.2 s to import

    return ndimage.affine_transform(image, back, offset, (side, side), order=1, mode="grid-constant")


def video(name: str, split: str, index: int) -> np.ndarray:
    """What the sensor sees in one sample of an event set: luminance `[S, 32, 32]`."""
    _sensor(name)
    return _video(name, split, index, _start(name, split, index)[0])


def events(name: str, split: str, index: int) -> np.ndarray:
    """The events of one sample: fields x, y, t (µs), p, sorted by t; deterministic, nothing is stored."""
    r = _sensor(name)
    rng, _ = _start(name, split, index)
    return simulate(
        _video(name, split, index, rng),
        rng=rng,
        on=r.threshold,
        off=r.threshold,
        mismatch=r.mismatch,
        refractory_us=r.refractory_us,
        max_events=r.max_events,
        noise=r.noise,
        step_us=r.step_us,
    )


def _sensor(name: str) -> SensorParameters:
    parameters = PARAMETERS.get(name)
    if not isinstance(parameters, SensorParameters):
        raise UserError(f"{name} has no simulated events; digits-dvs and arms-dvs have")
    return parameters


def _video(name: str, split: str, index: int, rng: np.random.Generator) -> np.ndarray:
    label = index % SETS[name].num_classes
    return _loop(_digit(split, index, label), rng) if name == "digits-dvs" else _gesture(label, rng)


def _loop(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A digit that runs round a diamond, eased at its corners, with a jitter."""
    r = DIGITS_DVS
    scale = r.side / 8 * rng.uniform(*r.scale)
    gain = rng.uniform(*r.contrast) * (r.dark_gain if rng.random() < r.dark_share else 1.0)
    leg, part = np.divmod(np.arange(r.steps) * 4 * r.loops / r.steps, 1)
    corner = (leg + rng.integers(4)) % 4 * np.pi / 2
    eased = part**2 * (3 - 2 * part)
    path = np.stack([(1 - eased) * f(corner) + eased * f(corner + np.pi / 2) for f in (np.sin, np.cos)])
    path = r.side * rng.uniform(*r.amplitude) * path
    path = path + r.jitter * np.cumsum(rng.standard_normal(path.shape), axis=1)
    axis = np.arange(r.side) - (r.side - 1) / 2
    rows, columns = (digits.tent((axis - centre[:, None]) / scale + 3.5, 8) for centre in path)
    return r.grey + gain * (rows @ digit @ columns.transpose(0, 2, 1))


def _gesture(motion: int, rng: np.random.Generator) -> np.ndarray:
    """Two arms that carry out one motion, in a body, tempo and light of its own."""
    r = ARMS_DVS
    h = r.hardness
    u = np.arange(r.steps) / r.steps
    tempo = u + h * r.tempo * rng.random() / (2 * np.pi) * np.sin(2 * np.pi * (u + rng.random()))
    theta = 2 * np.pi * (rng.uniform(*r.cycles) * tempo + rng.random())
    offsets = arms.hands(motion, theta, rng)
    unit = r.side * (1 + h * r.scale * rng.uniform(-1, 1))
    amplitude = 1 + h * r.amplitude * rng.uniform(-1, 0.5)
    chest = np.array([0.5, 0.42]) * r.side + unit * h * r.place * rng.uniform(-1, 1, 2)
    chest = chest + unit * h * r.drift * (u[:, None] - 0.5) * rng.uniform(-1, 1, 2)
    thick = 1 + h * r.thickness * rng.uniform(-1, 1)
    cover = np.zeros((r.steps, r.side, r.side), np.float32)
    for side, offset in offsets.items():
        shoulder = chest + unit * np.array([side * arms.SHOULDER, 0.0])
        path = np.stack(offset, axis=1)
        path = path.mean(0) + amplitude * (path - path.mean(0))
        phase, pace = rng.random((2, 2))
        path = path + h * r.wobble * np.sin(2 * np.pi * ((1 + 3 * pace) * u[:, None] + phase))
        hand = shoulder + unit * path
        np.maximum(cover, arms.capsule(shoulder, hand, unit * r.arm * thick, r.side), out=cover)
        np.maximum(cover, arms.capsule(hand, hand, unit * r.hand * thick, r.side), out=cover)
    ground, light = rng.uniform(*r.background), rng.uniform(*r.contrast)
    return ground + light * (1 - cover if rng.random() < r.flip_share else cover)
