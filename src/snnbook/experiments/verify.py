"""Checking stored records by running their trials again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from snnbook.errors import UserError
from snnbook.experiments.measurements import environment
from snnbook.experiments.record import Record
from snnbook.experiments.run import run
from snnbook.experiments.store import Store
from snnbook.experiments.trials import Trial

TOLERANCE = {"top1": 5.0, "sops": 0.25}  # points; share of the stored value
EXACT = ("weights_alive", "weights_total", "parameters_total", "connections_total", "neurons_total")
SAME_MACHINE = ("torch", "numpy", "native", "machine", "processor", "device", "threads")


@dataclass(frozen=True)
class Check:
    """The outcome of one re-run.

    id, seed: those of the stored record. outcome: "equal", "close" or "differs". why: what was compared, and with what
    result.
    """

    id: str
    seed: int
    outcome: str
    why: str


def verify(
    store: Store, sample: int = 3, seed: int = 0, cheapest: bool = False, id: str = "", root: str = ""
) -> Iterator[Check]:
    """Re-run `sample` stored trials, drawn with `seed`, and compare.

    cheapest: those that took the least time instead, of trials that start from no other. id: records of this trial
    only, by its id, the start of it or its hash. root: the folder of data sets that are read from disk.
    With the versions and instruction set that a record was made with, it must come out bit for bit. Elsewhere rounding
    differs and grows with training: then counts must be equal, accuracy within 5 points and SOPs within 25 %.
    Raises UserError if the store has no record.
    """
    records = store.find(id) if id else store.records()
    if not records:
        raise UserError(f"no record to verify in {store.path}")
    if cheapest:
        records.sort(key=lambda record: (bool(record.trial["start"]), record.environment.get("wall_s", 0.0)))
    else:
        random.Random(seed).shuffle(records)
    for record in records[:sample]:
        yield again(record, root)


def again(stored: Record, root: str = "") -> Check:
    """Run the trial of a stored record again and compare; a trial that this version cannot run "differs"."""
    try:
        trial = Trial.from_config(stored.trial, root)
    except (UserError, TypeError) as err:
        return Check(stored.id, stored.seed, "differs", f"this version cannot run it: {err}")
    if trial.id != stored.id:
        return Check(stored.id, stored.seed, "differs", f"data or defaults have changed: it would now be {trial.id}")
    return compare(stored, run(trial, stored.seed, profile=stored.profile))


def compare(stored: Record, again: Record) -> Check:
    """A stored record compared with its re-run, of which the digests, else the metrics within tolerance."""
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
