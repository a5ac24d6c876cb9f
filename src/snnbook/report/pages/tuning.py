"""The page on tuning: every candidate by its validation accuracy, and which of them the comparison uses.

Labels are `(role, method, candidate)`. Nothing here reads what was measured on the test split.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import pandas as pd

from snnbook.report import ladders, look, plots
from snnbook.report.blocks import Fragment, listed, sentences
from snnbook.report.ladders import Label
from snnbook.report.records import ResultsLike, number, unique, with_scale
from snnbook.report.stats import mean_sd
from snnbook.report.tables import NONE, Table, format_number


def candidates(study: ResultsLike, used: Collection[Label]) -> Table:
    """Every candidate of the tuning by its accuracy on the validation split; `used` are those of the comparison.

    Reads nothing that was measured on the test split.
    """
    rows = []
    for role, method in dict.fromkeys(label[:2] for label in study.records):
        tried = _tried(study, role, method)
        best = max(tried.values(), default=math.nan)
        for label, value in tried.items():
            marks = [word for word, is_so in (("best", value == best), ("used", label in used)) if is_so]
            rows.append(
                {
                    "Data": role,
                    "Method": method,
                    "Candidate": label[2],
                    "Validation accuracy, %": format_number(value),
                    "minus best": format_number(value - best, 2, signed=True) if value != best else NONE,
                    "Mark": ", ".join(marks) or NONE,
                }
            )
    columns = ["Data", "Method", "Candidate", "Validation accuracy, %", "minus best", "Mark"]
    caption = "Candidates by their accuracy on the validation split. Used: the setting of the comparison."
    frame = pd.DataFrame(rows, columns=columns)
    return Table(frame, with_scale(caption, unique([study])), row_headers=3)


def _tried(study: ResultsLike, role: str, method: str) -> dict[Label, float]:
    labels = ladders.labels(study, role, method)
    return {x: mean_sd([number(r.metrics.get("top1_validation")) for r in study.records[x]])[0] for x in labels}


def summary(study: ResultsLike, used: Collection[Label]) -> Fragment:
    """How many candidates each method had, and where the best of them is not the one that is used."""
    counts: dict[int, list[str]] = {}
    lines = []
    for role, method in dict.fromkeys(label[:2] for label in study.records):
        tried = _tried(study, role, method)
        counts.setdefault(len(tried), []).append(method)
        best = max(tried, key=lambda label: tried[label])
        mine = [label for label in tried if label in used]
        if mine and best not in mine and tried[best] > tried[mine[0]]:
            gap = format_number(tried[best] - tried[mine[0]])
            lines.append(f"{method} on {role}: {best[2]} was better by {gap} points than {mine[0][2]}, which is used.")
        elif not mine:
            lines.append(f"{method} on {role}: the comparison of this profile uses none of these candidates.")
    told = [f"{n} candidate{'s' if n > 1 else ''}: {listed(names)}." for n, names in sorted(counts.items())]
    return sentences(told + lines)


def picture(study: ResultsLike, used: Collection[Label]) -> plots.Picture:
    """Candidates as points, the used ones filled."""
    names = list(dict.fromkeys(label[:2] for label in study.records))
    fig, ax = plots.subplots(figsize=(8, 0.8 + 0.3 * max(3, len(names))))
    for i, (role, method) in enumerate(names):
        for label, value in _tried(study, role, method).items():
            face = look.colour(method) if label in used else "none"
            ax.plot(value, i, "o", color=look.colour(method), markerfacecolor=face, ms=7)
    ax.set_yticks(range(len(names)), [method for _, method in names], fontsize=9)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel("validation accuracy, %")
    told = "; ".join(
        f"{m}: {', '.join(f'{x[2]} {v:.1f} percent' for x, v in _tried(study, role, m).items())}" for role, m in names
    )
    return plots.picture(
        fig,
        alt=f"Validation accuracy of every candidate. {told}.",
        caption="Validation accuracy of the candidates of each method; filled: the one that the comparison uses.",
        records=unique([study]),
    )
