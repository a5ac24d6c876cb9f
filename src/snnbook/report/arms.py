"""The arms of a comparison as rows of a table: what each reaches and what it spends, over the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from snnbook.report import ladders
from snnbook.report.ladders import REFERENCE
from snnbook.report.records import ResultsLike, by_seed
from snnbook.report.stats import Interval, mean_sd
from snnbook.report.tables import NONE, change_text, format_number, mean_sd_text

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


def rank_text(rank: Interval) -> str:
    """`3.4 [2.9, 4.1]`: a mean rank with its interval."""
    if not rank.n:
        return NONE
    return f"{rank.estimate:.1f} [{rank.low:.1f}, {rank.high:.1f}]"


def against_reference(study: ResultsLike, key: Key) -> str:
    """Accuracy minus that of the reference at as many weights, seed by seed, with its interval."""
    mine = ladders.point(study.records[key], "weights")
    other = ladders.at_budget(ladders.ladder(study, key.data, REFERENCE, "weights"), mine.x)
    return change_text(dict(mine.y), other)
