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
    if kl.max() == kl.min():
        return len(kl)
    below = np.flatnonzero(normalised(kl) < lam)
    return int(below[0]) + 1 if below.size else len(kl)
