"""Checking stored records by running their trials again."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from snnbook import arithmetic
from snnbook.errors import UserError
from snnbook.experiments.record import Record
from snnbook.experiments.run import run
from snnbook.experiments.store import Store
from snnbook.experiments.trials import Trial

EXACT = ("weights_total", "parameters_total", "connections_total", "neurons_total")  # no rounding moves them
SPREAD = ("top1", "sops", "weights_alive", "connections_alive")  # rounding moves them as another seed would
VERSIONS = ("torch", "numpy", "native", "machine", "device", "threads")  # with which the bits are the same
PROBABILITY = 0.99  # that a further seed lies in the interval in which a re-run has to lie


@dataclass(frozen=True)
class Check:
    """The outcome of one re-run.

    id, seed: those of the stored record. outcome: "equal", "close", "unjudged" or "differs". why: what was compared,
    and with what result.
    """

    id: str
    seed: int
    outcome: str
    why: str


def verify(
    store: Store, sample: int = 3, seed: int = 0, cheapest: bool = False, id: str = "", root: str = ""
) -> Iterator[Check]:
    """Re-run `sample` stored trials, drawn with `seed`, and compare, see `compare`.

    cheapest: those that took the least time instead, of trials that start from no other. id: records of this trial
    only, by its id, the start of it or its hash. root: the folder of data sets that are read from disk.
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
        yield again(record, store, root)


def again(stored: Record, store: Store, root: str = "") -> Check:
    """Run the trial of a stored record again and compare; a trial that this version cannot run "differs"."""
    try:
        trial = Trial.from_config(stored.trial, root)
    except (UserError, TypeError) as err:
        return Check(stored.id, stored.seed, "differs", f"this version cannot run it: {err}")
    if trial.id != stored.id:
        return Check(stored.id, stored.seed, "differs", f"data or defaults have changed: it would now be {trial.id}")
    return compare(stored, run(trial, stored.seed, profile=stored.profile), store)


def compare(stored: Record, again: Record, store: Store) -> Check:
    """A stored record compared with its re-run: bit for bit, or with what the seeds in the store spread over.

    Where both were held, see `arithmetic`, on CPUs and with the same versions, every bit has to be the same. Elsewhere
    sums are rounded differently, and training amplifies that until it is as if another seed had been drawn. Then each
    metric of SPREAD has to lie where a further seed would with a probability of 99 %: in the prediction interval by
    Student's t round the mean of the trial's stored seeds. The standard deviation is theirs; of a single seed, or of
    seeds that are all equal, it is the pooled one of all stored trials of the method on the data. Where none of these
    has two seeds, the outcome is "unjudged".
    """

    def check(outcome: str, why: str) -> Check:
        return Check(stored.id, stored.seed, outcome, why)

    if stored.digest == again.digest:
        return check("equal", "bit for bit")
    if not (reasons := _reasons_to_differ(stored, again)):
        changed = [name for name in stored.metrics if stored.metrics[name] != again.metrics.get(name)]
        return check("differs", f"not bit for bit, although both were held: {', '.join(changed) or 'layers or arrays'}")
    wrong = [_difference(name, stored, again) for name in EXACT if stored.metrics[name] != again.metrics[name]]
    trials = _trials_alike(stored, store)
    outside = []
    for name in SPREAD:
        interval = prediction_interval(
            [stored.metrics[name], *(r.metrics[name] for r in trials[stored.id] if r.seed != stored.seed)],
            [[r.metrics[name] for r in records] for id, records in trials.items() if id != stored.id],
        )
        if interval is None:
            return check("differs" if wrong else "unjudged", "; ".join([*wrong, "no trial like it has two seeds"]))
        low, high = interval
        if not low <= again.metrics[name] <= high:
            outside.append(f"{_difference(name, stored, again)}, outside {low:.6g} to {high:.6g}")
    if wrong + outside:
        return check("differs", "; ".join(wrong + outside))
    return check("close", f"within what seeds spread over; not bit for bit: {', '.join(reasons)}")


def _reasons_to_differ(stored: Record, again: Record) -> list[str]:
    """Why a re-run need not have the same bits."""
    there, here = stored.environment, again.environment
    reasons = [f"another {name}" for name in VERSIONS if there.get(name) != here[name]]
    if here["device"] != "cpu":
        reasons.append("not on a CPU")
    for environment, what in ((there, "the record"), (here, "this process")):
        if environment.get("processor") != arithmetic.HELD:
            reasons.append(f"{what} is not held")
    return reasons


def _difference(name: str, stored: Record, again: Record) -> str:
    return f"{name}: stored {stored.metrics[name]:.6g}, now {again.metrics[name]:.6g}"


def _trials_alike(record: Record, store: Store) -> dict[str, list[Record]]:
    """Trial id → stored records, of all trials of the same method on the same data."""
    trials: dict[str, list[Record]] = defaultdict(list)
    for other in store.records():
        if all(other.trial[part] == record.trial[part] for part in ("method", "data")):
            trials[other.id].append(other)
    return trials


def prediction_interval(own: Sequence[float], others: Sequence[Sequence[float]] = ()) -> tuple[float, float] | None:
    """The lowest and highest value that a further one beside `own` has with PROBABILITY.

    The standard deviation is that of `own`; where it has one value, or only equal ones, that within all groups. None
    where no group has two values.
    """
    from scipy.special import stdtrit  # takes 0.2 s to import

    groups = [own] if len(set(own)) > 1 else [own, *others]
    freedom = sum(len(values) - 1 for values in groups)
    if not freedom:
        return None
    variance = sum(sum((v - fmean(values)) ** 2 for v in values) for values in groups) / freedom
    half = float(stdtrit(freedom, (1 + PROBABILITY) / 2)) * math.sqrt(variance * (1 + 1 / len(own)))
    return fmean(own) - half, fmean(own) + half
