"""The page on tuning: every candidate by its validation accuracy, and which of them the comparison uses.

A key's level names the candidate. Nothing here reads what was measured on the test split.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import pandas as pd

from snnbook.report import ladders, look, plots
from snnbook.report.blocks import Fragment, listed, sentences
from snnbook.report.records import ResultsLike, number, unique, with_scale
from snnbook.report.stats import mean_sd
from snnbook.report.tables import NONE, Table, format_number

if TYPE_CHECKING:
    from snnbook.experiments.key import Key


def candidates(study: ResultsLike, used: Collection[Key]) -> Table:
    """Every candidate of the tuning by its accuracy on the validation split; `used` are those of the comparison."""
    rows = []
    for data, method in _tuned(study):
        accuracy = _accuracy(study, data, method)
        best = max(accuracy.values(), default=math.nan)
        for key, value in accuracy.items():
            words = [word for word, is_so in (("best", value == best), ("used", key in used)) if is_so]
            rows.append(
                {
                    "Data": data,
                    "Method": method,
                    "Candidate": key.level,
                    "Validation accuracy, %": format_number(value),
                    "minus best": format_number(value - best, 2, signed=True) if value != best else NONE,
                    "Mark": ", ".join(words) or NONE,
                }
            )
    columns = ["Data", "Method", "Candidate", "Validation accuracy, %", "minus best", "Mark"]
    caption = "Candidates by their accuracy on the validation split. Used: the setting of the comparison."
    frame = pd.DataFrame(rows, columns=columns)
    return Table(frame, with_scale(caption, unique([study])), row_headers=3)


def _tuned(study: ResultsLike) -> list[tuple[str, str]]:
    """The data sets and methods of the study."""
    return list(dict.fromkeys((key.data, key.arm) for key in study.records))


def _accuracy(study: ResultsLike, data: str, method: str) -> dict[Key, float]:
    """Candidate of a method → its accuracy on the validation split in per cent, mean over the seeds."""
    return {
        key: mean_sd([number(r.metrics["top1_validation"]) for r in study.records[key]])[0]
        for key in ladders.keys(study, data, method)
    }


def summary(study: ResultsLike, used: Collection[Key]) -> Fragment:
    """How many candidates each method had, and where the best of them is not the one that is used."""
    counts: dict[int, list[str]] = {}
    lines = []
    for data, method in _tuned(study):
        accuracy = _accuracy(study, data, method)
        counts.setdefault(len(accuracy), []).append(method)
        best = max(accuracy, key=accuracy.__getitem__)
        mine = next((key for key in accuracy if key in used), None)
        if mine is None:
            lines.append(f"{method} on {data}: the comparison of this profile uses none of these candidates.")
        elif accuracy[best] > accuracy[mine]:
            gap = format_number(accuracy[best] - accuracy[mine])
            lines.append(
                f"{method} on {data}: {best.level} was better by {gap} points than {mine.level}, which is used."
            )
    numbers = [f"{n} candidate{'s' if n > 1 else ''}: {listed(names)}." for n, names in sorted(counts.items())]
    return sentences(numbers + lines)


def picture(study: ResultsLike, used: Collection[Key]) -> plots.Picture:
    """Candidates as points, the used ones filled."""
    tuned = _tuned(study)
    fig, ax = plots.subplots(figsize=(8, 0.8 + 0.3 * max(3, len(tuned))))
    numbers = []
    for i, (data, method) in enumerate(tuned):
        accuracy = _accuracy(study, data, method)
        for key, value in accuracy.items():
            face = look.colour(method) if key in used else "none"
            ax.plot(value, i, "o", color=look.colour(method), markerfacecolor=face, ms=7)
        numbers.append(f"{method}: {', '.join(f'{key.level} {value:.1f} percent' for key, value in accuracy.items())}")
    ax.set_yticks(range(len(tuned)), [method for _, method in tuned], fontsize=9)
    ax.set_ylim(len(tuned) - 0.4, -0.6)
    ax.set_xlabel("validation accuracy, %")
    return plots.picture(
        fig,
        alt=f"Validation accuracy of every candidate. {'; '.join(numbers)}.",
        caption="Validation accuracy of the candidates of each method; filled: the one that the comparison uses.",
        records=unique([study]),
    )
