"""What the comparison of all methods has on paper D (Wang et al. 2026), whose method is rebuilt from an abstract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from snnbook.report.claims.checks import evidence
from snnbook.report.claims.equal import against
from snnbook.report.claims.judging import Comparison
from snnbook.report.records import ResultsLike


@evidence(
    "D-03",
    ("CIFAR10", "CIFAR10-DVS"),
    "slamp is our reconstruction from the abstract, so that nothing here is a result of paper D; the control is LAMP, "
    "which weighs no time steps",
)
def _magnitude_degrades(study: ResultsLike, data: str) -> Iterator[Comparison]:
    yield from against(study, data, "slamp", "magnitude", "weights")
    for it in against(study, data, "slamp", "lamp", "weights"):
        yield replace(it, control=True)
