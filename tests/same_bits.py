"""Small trials of every method, and of everything that a record may hold: the digests that they come to.

Run it on two processors, or on one and in an emulator, and compare what it prints; CONTRIBUTING.md says how. The tests
run the smallest of these trials.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from snnbook import arithmetic, native
from snnbook.experiments import Store, Trial, run
from snnbook.experiments.extras import EXTRAS
from snnbook.experiments.profiles import ROLES, dense
from snnbook.experiments.studies.compare import arm
from snnbook.pruning.registry import methods

ON = "CIFAR10-DVS"
SMALLEST = replace(dense("CIFAR10", "smoke"), epochs=1, extras=("outputs", "weights"))
VERSIONS = {"torch": "2.13.0", "numpy": "2.4.6"}  # those of constraints.txt, with which its digest is
DIGEST = "dec9753ad0675f51"  # a change means that no stored record comes out bit for bit any more


def due() -> bool:
    """Whether this process owes the smallest trial its digest."""
    versions = {name: version(name).partition("+")[0] for name in VERSIONS}
    return arithmetic.held() and native.available() and versions == VERSIONS


def trials() -> Iterator[tuple[str, Trial]]:
    """Name → trial: each method as it takes part in the comparison, then dense networks with all extras."""
    parent = dense(ON, "smoke")
    for name, entry in methods().items():
        plan = entry.plan
        if plan is None:
            yield name, replace(parent, method=name)
        else:
            level, candidate = next(iter(plan.levels.values()), {}), plan.candidates[-1] if plan.candidates else {}
            yield name, arm(ON, name, plan, {**candidate, **level}, "smoke")
    everything = tuple(EXTRAS)
    yield "dense, measured", replace(parent, fisher_samples=4, extras=everything)
    yield "stp, measured", replace(parent, method="stp", settings={"cuts": 1}, fisher_samples=4, extras=everything)
    for role in ROLES:
        yield f"dense, {role}, as wide as in the book", replace(dense(role, "smoke"), width=1.0, epochs=1)


def main(*wanted: str) -> None:
    """Print the digests of the trials of these names, of all without one."""
    arithmetic.hold()
    print(arithmetic.name(), file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for name, trial in trials():
            if not wanted or name in wanted:
                print(f"{name:48} {run(trial, 0, store).digest[:16]}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
