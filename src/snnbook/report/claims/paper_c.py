"""What the comparison of all methods has on claims of paper C (Chen et al. 2023), as evidence until its own runs are.

All of it is on the part of CIFAR-10, with one dense network and as many epochs for all; the paper's rows have other
networks and epochs, and most of them CIFAR-100.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from snnbook.report.claims.equal import against, points
from snnbook.report.claims.judging import Comparison, comparison, difference, evidence
from snnbook.report.ladders import at_budget, keys, point, trained_longer
from snnbook.report.records import ResultsLike

IMAGES = "CIFAR10"
OURS = "criticality"
OWN = "paper C's own runs, on a hundred classes and with no regeneration as a control, are still to come"


def _beats(study: ResultsLike, data: str, rivals: Sequence[str]) -> Iterator[Comparison]:
    for rival in rivals:
        yield from against(study, data, OURS, rival, "weights")


@evidence("C-01", (IMAGES,), f"these methods have equally many epochs, but for IMP's rounds; {OWN}")
def _best_at_95(study: ResultsLike, data: str) -> Iterator[Comparison]:
    for rival in ("gradr", "imp", "rcmo", "ndsnn"):
        yield from against(study, data, OURS, rival, "weights", left=5.0)
    for key in keys(study, data, "imp"):
        if trained_longer(study, key):
            theirs = point(study.records[key], "weights")
            ours = at_budget(points(study, data, OURS, "weights"), theirs.x)
            epochs = study.records[key][0].metrics["epochs"]
            what = f"accuracy at equal weights, {OURS} minus imp in rounds of {epochs} epochs in all (points)"
            yield comparison(what, difference(ours, theirs.y), "> 0")


@evidence("C-02", (IMAGES,), OWN)
def _better_on_images(study: ResultsLike, data: str) -> Iterator[Comparison]:
    yield from _beats(study, data, ("gradr", "stds", "rcmo"))


@evidence("C-03", (IMAGES,), OWN)
def _better_than_two(study: ResultsLike, data: str) -> Iterator[Comparison]:
    yield from _beats(study, data, ("imp", "ndsnn"))


@evidence("C-04", (IMAGES,), OWN)
def _better_than_four(study: ResultsLike, data: str) -> Iterator[Comparison]:
    yield from _beats(study, data, ("gradr", "imp", "rcmo", "ndsnn"))


@evidence("C-07", (IMAGES,), f"with one dense network a smaller loss is a higher accuracy; {OWN}")
def _smaller_loss(study: ResultsLike, data: str) -> Iterator[Comparison]:
    yield from _beats(study, data, ("gradr", "imp", "rcmo", "ndsnn", "rigl", "stds"))
