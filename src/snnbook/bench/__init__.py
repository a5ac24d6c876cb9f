"""Benchmarks of the parts that the time goes into, and what else there is: `snnbook bench NAME`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from snnbook.bench import count, lamp, lif, peers, sops, sparse, train, trained
from snnbook.bench.timing import Bounded, Result, WrongResult
from snnbook.errors import unknown

__all__ = ["BENCHES", "HOW", "Bounded", "Result", "WrongResult", "installed", "possible", "report", "run"]

BENCHES = {module.NAME: module.bench for module in (lif, train, lamp, count, sops, sparse, trained)}
HOW, installed = peers.HOW, peers.installed


def possible() -> list[str]:
    """The benchmarks that can run here: without the other counters there is nothing to compare them with."""
    return [name for name in BENCHES if name != sops.NAME or not sops.missing()]


def run(name: str, rounds: int = 5, quick: bool = False, **settings: Any) -> Result:
    """Run one benchmark. Raises UserError for an unknown name, WrongResult if a variant computes something else."""
    if name not in BENCHES:
        raise unknown("benchmark", name, BENCHES)
    return BENCHES[name](rounds, quick, **settings)


def report(result: Result) -> Iterator[str]:
    """The result as lines of text: times with their ratios, memory, other measures, and what was to be reached."""
    machine = result.environment
    yield f"{machine['model']}, {machine['processor']}, {machine['cores']} cores, one thread used"
    yield f"kernels: {machine['native']}"
    packages = ("snnbook", "torch", *peers.PACKAGES, "syops", "neurobench")
    yield ", ".join(f"{name} {machine[name]}" for name in packages if name in machine)
    width = max((len(f"{c.case}, {c.variant}") for c in result.cells), default=0)
    for c in result.cells:
        ratios = [f"{r.ratio:6.2f} x {r.ours}" for r in result.ratios if (r.case, r.peer) == (c.case, c.variant)]
        yield f"{f'{c.case}, {c.variant}':{width}}  {c.time:9.3f} {result.unit} {'; '.join(ratios)}"
    for m in result.memory:
        yield f"{f'{m.case}, {m.variant}':{width}}  {m.times:9.2f} x the size of the data, extra peak memory"
    for measure in result.measures:
        what = ", ".join(filter(None, (measure.case, measure.variant, measure.kind)))
        yield f"{what}: {measure.value:.4g} {measure.unit}".rstrip()
    yield f"{len(result.checks)} checks of the results hold"
    for goal in result.goals:
        outcome = "reached" if goal.reached else "NOT REACHED"
        yield f"{outcome:<11} {goal.what}: {goal.value:g} ({goal.bound} {goal.limit:g})"
