"""The arms of a comparison as rows of a table: what each reaches and what it spends, over the seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from snnbook.report import ladders
from snnbook.report.ladders import REFERENCE
from snnbook.report.orders import MeanRank
from snnbook.report.records import ResultsLike, by_seed
from snnbook.report.stats import Interval, mean_interval, mean_sd, separated
from snnbook.report.tables import NONE, change_text, format_number, interval_text, mean_sd_text, range_text

if TYPE_CHECKING:
    from snnbook.experiments.key import Key


def level_text(study: ResultsLike, key: Key) -> str:
    """The level, with its epochs where there are more of them than in the ladders."""
    longer = f" ({ladders.total_epochs(study, key):.0f} epochs)" if ladders.trained_longer(study, key) else ""
    return (key.level or NONE) + longer


def _spread(values: Sequence[float], digits: int) -> str:
    """`8.61 ± 0.12`; the mean alone where all seeds spend the same."""
    mean, sd = mean_sd(values)
    spread = f" ± {format_number(sd, digits)}" if sd >= 0.5 * 10**-digits else ""
    return format_number(mean, digits) + spread


def row(study: ResultsLike, key: Key) -> dict[str, str]:
    """An arm as a row of a table: what it reaches and what it spends."""
    records = study.records[key]
    cells = {
        "Data": key.data,
        "Method": key.arm,
        "Level": level_text(study, key),
        "Accuracy, %": mean_sd_text(list(by_seed(records, "top1").values())),
    }
    for axis in ladders.AXES.values():
        cells[axis.title[0].upper() + axis.title[1:]] = _spread([axis.of(r.metrics) for r in records], axis.digits)
    cells["Neurons left, %"] = _spread([ladders.NEURONS(r.metrics) for r in records], 1)
    smaller = [r.metrics["parameters_smaller"] for r in records if r.metrics["parameters_smaller"] is not None]
    cells["Parameters after removal"] = f"{np.mean(smaller):.0f}" if smaller else NONE
    return cells


def rows(study: ResultsLike, keys: Iterable[Key]) -> pd.DataFrame:
    """Arms as rows; the columns on neurons and on the smaller network only where they say something."""
    keys = list(keys)
    frame = pd.DataFrame([row(study, key) for key in keys])
    records = [r for key in keys for r in study.records[key]]
    drop = []
    if not any(ladders.NEURONS(r.metrics) < 100 for r in records):
        drop.append("Neurons left, %")
    if not any(r.metrics["parameters_smaller"] is not None for r in records):
        drop.append("Parameters after removal")
    return frame.drop(columns=drop) if len(frame) else frame


def rank_text(rank: MeanRank) -> str:
    """`3.4 [2.9, 4.1]`: a mean rank with its interval; a dash where there is no place."""
    return interval_text(rank.interval, digits=1)


def against_reference(study: ResultsLike, key: Key) -> str:
    """Accuracy minus that of the reference at as many weights, seed by seed, with its interval."""
    mine = ladders.point(study.records[key], "weights")
    other = ladders.at_budget(ladders.ladder(study, key.data, REFERENCE, "weights"), mine.x)
    return change_text(dict(mine.y), other)


@dataclass(frozen=True)
class Contrast:
    """Two arms at several places, such as levels: place → seed → difference in accuracy, in points.

    title: what is subtracted from what. Places without a difference for every seed are left out of `known`.
    """

    title: str
    differences: Mapping[str, Mapping[int, float]]

    @cached_property
    def known(self) -> dict[str, Interval]:
        """Place → mean difference with Student's interval over the seeds."""
        means = {place: mean_interval(list(by_seed.values())) for place, by_seed in self.differences.items()}
        return {place: mean for place, mean in means.items() if math.isfinite(mean.estimate)}

    @cached_property
    def separate(self) -> dict[str, bool]:
        """Place → whether the seeds separate the two, corrected for the number of places."""
        is_so = separated(list(self.differences[place].values()) for place in self.known)
        return dict(zip(self.known, is_so, strict=True))

    @property
    def apart(self) -> list[str]:
        """The places at which the seeds separate the two."""
        return [place for place, is_so in self.separate.items() if is_so]

    @property
    def tied(self) -> list[str]:
        """The places at which they do not."""
        return [place for place, is_so in self.separate.items() if not is_so]

    @property
    def seeds(self) -> str:
        """`n = 5, Holm over 4`: the number of seeds that the differences are of, and the number of places."""
        return f"n = {range_text(mean.n for mean in self.known.values())}, Holm over {len(self.known)}"

    def text(self, place: str) -> str:
        """`+0.35 [−0.10, +0.80]` at a place, with a star where the seeds separate the two."""
        if place not in self.known:
            return NONE
        return interval_text(self.known[place], signed=True) + " *" * self.separate[place]
