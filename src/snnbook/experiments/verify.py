"""Checking stored records by running their trials again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from snnbook.errors import UserError
from snnbook.experiments.record import Record
from snnbook.experiments.runner import environment, run
from snnbook.experiments.store import Store
from snnbook.experiments.studies import SEEDS, names, study
from snnbook.experiments.trials import Trial

TOLERANCE = {"top1": 5.0, "sops": 0.25}  # points; share of the stored value
EXACT = ("weights_alive", "weights_total", "parameters_total", "connections_total", "neurons_total")
SAME_MACHINE = ("torch", "numpy", "native", "machine", "processor", "device", "threads")


@dataclass(frozen=True)
class Check:
    """What came of one re-run. outcome: "equal", "close" or "differs"; why: what was compared and found."""

    id: str
    seed: int
    outcome: str
    why: str


def known_trials() -> dict[str, tuple[Trial, str]]:
    """Trial id → trial and profile, for all trials of all studies and those that they start from."""
    found: dict[str, tuple[Trial, str]] = {}
    for profile in SEEDS:
        for name in names():
            for trial in study(name, profile).trials.values():
                for each in (trial, trial.start):
                    if each is not None:
                        found.setdefault(each.id, (each, profile))
    return found


def verify(store: Store, sample: int = 3, seed: int = 0) -> Iterator[Check]:
    """Re-run `sample` stored trials, drawn with `seed`, and compare.

    With the versions and instruction set that a record was made with, it must come out bit for bit. Elsewhere rounding
    differs and grows with training: then counts must be equal, accuracy within 5 points and SOPs within 25 %.
    Raises UserError if the store has no record of a trial that this version knows.
    """
    trials = known_trials()
    keys = [key for key in store.stored() if key[0] in trials]
    if not keys:
        raise UserError(f"no records of known trials in {store.path}: run a study first")
    for id, replicate in random.Random(seed).sample(keys, min(sample, len(keys))):
        stored = store.get(id, replicate)
        if stored is None:
            yield Check(id, replicate, "differs", "the record is damaged")
            continue
        trial, profile = trials[id]
        yield compare(stored, run(trial, replicate, profile=profile))


def compare(stored: Record, again: Record) -> Check:
    """A stored record and its re-run."""
    if stored.digest == again.digest:
        return Check(stored.id, stored.seed, "equal", "bit for bit")
    here = environment()
    changed = [k for k in SAME_MACHINE if stored.environment.get(k) != here[k]]
    wrong = list(_beyond_tolerance(stored.metrics, again.metrics))
    if changed and not wrong:
        return Check(stored.id, stored.seed, "close", f"within tolerance; other {', '.join(changed)}")
    why = "; ".join(wrong) or "not bit for bit, with the same versions and instruction set"
    return Check(stored.id, stored.seed, "differs", why)


def _beyond_tolerance(stored: dict[str, Any], again: dict[str, Any]) -> Iterator[str]:
    for key in EXACT:
        if stored.get(key) != again.get(key):
            yield f"{key}: stored {stored.get(key)}, now {again.get(key)}"
    for key, allowed in TOLERANCE.items():
        limit = allowed if key == "top1" else allowed * abs(stored[key])
        if abs(stored[key] - again[key]) > limit:
            yield f"{key}: stored {stored[key]:.4g}, now {again[key]:.4g}, more than {limit:.3g} apart"
