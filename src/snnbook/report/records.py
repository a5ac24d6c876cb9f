"""What the report reads of a study: its records by key, their metrics by seed, and where they come from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from snnbook.errors import UserError
from snnbook.report.blocks import counted, listed

if TYPE_CHECKING:
    from snnbook.experiments.key import ByKey


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
    """A study's results: its records by key, one for each seed, and the data sets that were run."""

    @property
    def records(self) -> ByKey[Any]: ...
    @property
    def sets(self) -> list[str]: ...
    def playing(self, dataset: str) -> str:
        """The data set of the study that is a paper's, or stands in for it; UserError if there is none."""


def number(value: Any) -> float:
    """A metric as a float; NaN where it is missing."""
    return math.nan if value is None else float(value)


def by_seed(records: Iterable[RecordLike], metric: str) -> dict[int, float]:
    """Seed → metric; NaN where a record lacks it."""
    return {r.seed: number(r.metrics[metric]) for r in records}


def at_chance(record: RecordLike, top1: float | None = None) -> bool:
    """Whether an accuracy in per cent is within three standard deviations of guessing on the record's test set.

    top1: that of one of its rounds; by default that of the finished network.
    """
    chance, samples = number(record.metrics["chance"]) / 100, number(record.metrics["samples_test"])
    reached = number(record.metrics["top1"]) if top1 is None else top1
    return reached / 100 <= chance + 3 * math.sqrt(chance * (1 - chance) / samples)


def unique(studies: Iterable[ResultsLike]) -> list[RecordLike]:
    """All records of the studies, each trial and seed once."""
    seen: dict[tuple[str, int], RecordLike] = {}
    for study in studies:
        for records in study.records.values():
            for record in records:
                seen.setdefault((record.id, record.seed), record)
    return list(seen.values())


def records_on(study: ResultsLike, data: str) -> list[RecordLike]:
    """The records of a study on one data set, arm by arm."""
    return [r for key, records in study.records.items() if key.data == data for r in records]


def record_of(records: Iterable[RecordLike], seed: int) -> RecordLike:
    """The record of a seed. Raises UserError if there is none."""
    for record in records:
        if record.seed == seed:
            return record
    raise UserError(f"there is no record of seed {seed}")


def layer_names(record: RecordLike, titles: Mapping[str, str] | None = None) -> list[str]:
    """The layers in order of execution, numbered by kind: conv1, conv2, linear1; titles: kind → another word for it."""
    kinds = [(titles or {}).get(layer["kind"], layer["kind"]) for layer in record.layers]
    return [f"{kind}{kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]


def played(study: ResultsLike, datasets: Iterable[str]) -> dict[str, str]:
    """Data set of the study → the one of these papers' data sets that it is or stands in for."""
    parts = {}
    for dataset in datasets:
        try:
            parts[study.playing(dataset)] = dataset
        except UserError:
            continue
    return parts


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


def ran_on(records: Iterable[RecordLike], roles: Mapping[str, str]) -> str:
    """The data and networks behind records: `digits-100, standing in for CIFAR100 (6 convolutions, 2 linear layers)`.

    roles: name of the data → name of the paper's data set that it is or stands in for.
    """
    networks: dict[str, str] = {}
    for record in records:
        kinds = [layer["kind"] for layer in record.layers]
        if kinds or record.trial["data"] not in networks:
            networks[str(record.trial["data"])] = f" ({_network(kinds)})" if kinds else ""
    parts = []
    for data, network in sorted(networks.items()):
        dataset = roles.get(data, "")
        part = f", standing in for {dataset}" if dataset and _plain(dataset) != _plain(data) else ""
        parts.append(f"{data}{part}{network}")
    return listed(parts)


def _plain(name: str) -> str:
    """A name of a data set by its letters and digits: the paper's `CIFAR10-DVS` is our `cifar10_dvs`."""
    return "".join(filter(str.isalnum, name)).lower()


def _network(kinds: Sequence[str]) -> str:
    convolutions, linear = kinds.count("conv"), kinds.count("linear")
    counts = ((convolutions, "convolution"), (linear, "linear layer"))
    return ", ".join(counted(n, word) for n, word in counts if n)


def scale_note(records: Iterable[RecordLike]) -> str:
    """The sentence that a figure or table of reduced scale must carry; empty for the papers' scale."""
    records = list(records)
    where = stand_in(records)
    if where is None:
        return ""
    seeds = {r.seed for r in records}
    return f"Reduced scale, on our embedded data: {where}, {counted(len(seeds), 'seed')}."


def with_scale(caption: str, records: Iterable[RecordLike]) -> str:
    """The caption, and behind it what must be said of records of reduced scale."""
    return f"{caption} {scale_note(records)}".strip()
