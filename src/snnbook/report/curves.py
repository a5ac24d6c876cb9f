"""The decision step, found again from a stored curve: a verdict does not trust the step that a run chose."""

from __future__ import annotations

import numpy as np


def normalised(kl: np.ndarray) -> np.ndarray:
    """Min-max normalised KL curve `[T]`; zeros where it is constant. Ref: paper A Eq. 8."""
    curve = np.asarray(kl, dtype=float)
    span = curve.max() - curve.min()
    return np.zeros_like(curve) if span == 0 else (curve - curve.min()) / span


def decision_step(kl: np.ndarray, lam: float) -> int:
    """The first step, counted from 1, of a finite curve `[T]` whose normalised KL is below `lam`; T if none is.

    Ref: paper A Eq. 9.
    """
    return int(decision_steps(kl, np.array([lam]))[0])


def decision_steps(kl: np.ndarray, lams: np.ndarray) -> np.ndarray:
    """The decision step of a finite curve `[T]` for every threshold, `[lams]`; see `decision_step`."""
    if kl.max() == kl.min():
        return np.full(len(lams), len(kl))
    below = normalised(kl) < lams[:, None]
    return np.where(below.any(axis=1), below.argmax(axis=1) + 1, len(kl))
