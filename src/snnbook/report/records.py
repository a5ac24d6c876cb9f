"""What the report reads of a study: its records by label, their metrics by seed, and where they come from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

# The embedded and the real data sets, and the paper's data set whose part each plays.
ROLES = {
    "digits-clutter": "CIFAR10",
    "digits-100": "CIFAR100",
    "digits-dvs": "CIFAR10-DVS",
    "arms-dvs": "DVS128-Gesture",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "cifar10_dvs": "CIFAR10-DVS",
    "dvs128_gesture": "DVS128-Gesture",
}


class RecordLike(Protocol):
    """The fields of a record that pages use."""

    @property
    def id(self) -> str: ...
    @property
    def trial(self) -> Mapping[str, Any]: ...
    @property
    def seed(self) -> int: ...
    @property
    def profile(self) -> str: ...
    @property
    def metrics(self) -> Mapping[str, Any]: ...
    @property
    def layers(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def log(self) -> Mapping[str, Any]: ...
    @property
    def environment(self) -> Mapping[str, Any]: ...
    @property
    def curves(self) -> Mapping[str, np.ndarray]: ...


class ResultsLike(Protocol):
    """A study's records: label → one record per seed."""

    @property
    def records(self) -> Mapping[Any, Sequence[Any]]: ...


def number(value: Any) -> float:
    """A metric as a float; NaN where it is missing."""
    return math.nan if value is None else float(value)


def by_seed(records: Iterable[RecordLike], metric: str) -> dict[int, float]:
    """Seed → metric; NaN where a record lacks it."""
    return {r.seed: number(r.metrics.get(metric)) for r in records}


def unique(studies: Iterable[ResultsLike]) -> list[RecordLike]:
    """All records of the studies, each trial and seed once."""
    seen: dict[tuple[str, int], RecordLike] = {}
    for study in studies:
        for records in study.records.values():
            for record in records:
                seen.setdefault((record.id, record.seed), record)
    return list(seen.values())


def arms(study: ResultsLike) -> Iterator[tuple[str, str, Sequence[RecordLike]]]:
    """(data set, arm, records) of every label; a label without an arm is the dense network, `none`.

    What follows the arm in a label is part of its name: `("arms-dvs", "S+T", "10")` is the arm `S+T 10`.
    """
    for label, records in study.records.items():
        if not records:
            continue
        arm = " ".join(map(str, filter(None, label[1:]))) if isinstance(label, tuple) else ""
        yield records[0].trial["data"], "none" if arm in ("", "dense") else arm, records


def profiles(records: Iterable[RecordLike]) -> list[str]:
    """The profiles that the records were made with."""
    return sorted({r.profile for r in records})


def stand_in(records: Sequence[RecordLike]) -> str | None:
    """`"digits-dvs, arms-dvs (laptop)"` where such data stand in for a paper's; None at its scale."""
    reduced = [r for r in records if r.profile != "paper"]
    if not reduced:
        return None
    data = dict.fromkeys(str(r.trial["data"]) for r in reduced)
    names = ", ".join(filter(None, profiles(reduced)))  # none: run on the page itself
    return ", ".join(data) + (f" ({names})" if names else "")


def scale_note(records: Iterable[RecordLike]) -> str:
    """The sentence that a figure or table of reduced scale must carry; empty for the papers' scale."""
    records = list(records)
    where = stand_in(records)
    if where is None:
        return ""
    seeds = sorted({r.seed for r in records})
    return f"Reduced scale, on our embedded data: {where}, {len(seeds)} seed{'s' if len(seeds) != 1 else ''}."


def with_scale(caption: str, records: Iterable[RecordLike]) -> str:
    """The caption, and behind it what must be said of records of reduced scale."""
    return f"{caption} {scale_note(records)}".strip()
