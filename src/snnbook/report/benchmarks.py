"""What a benchmark and its page have in common: names of variants and measures, and the files of `snnbook bench`.

A benchmark writes these names into its file and a page looks for them there, so that each is spelt once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from snnbook import paths
from snnbook.errors import UserError
from snnbook.report.blocks import Fragment, paragraph

# Variants: of the neurons and of a training step, of LAMP, and of inference.
SNNBOOK, NARROW, STEP_BY_STEP, JELLY = "snnbook", "snnbook, bfloat16", "torch, step by step", "SpikingJelly"
PUBLIC, SORTED = "public code, re-stated", "one sort per layer"
PATHS = ("masked", "table", "event")  # a layer's sizes hold the place of the one that was chosen
AUTOMATIC, BYTES = "automatic", "table, 8 bits"
DENSE, DENSE_LAST, DENSE_BF16, DENSE_INT8 = "dense", "dense, channels last", "dense bfloat16", "dense int8"
CSR, COMPILED = "CSR", "dense, torch.compile"
PLAIN, COUNTED = "forward pass", "counted pass"
OTHER_COUNTERS = ("SpikingJelly", "sinabs", "syops", "NeuroBench")

# Kinds of measures.
IN_ONE_PROCESS = "time over ours, all variants in one process that keeps freed memory"
SPREAD = "time per element, largest over smallest of all sizes"
GRADIENTS = "distance of the first gradients from those of snnbook in contiguous layout"
LIF_SHARE = "share of the step in the LIF passes"
DECIDED_OTHERWISE = "weights decided otherwise than by the exact ranks"
COPY = "speed of a copy"
WORK = "time for each live weight, neuron and step"
OPERATIONS, MULTIPLIED = "operations per sample", "multiplications among them"
ENTERING = "values, summed, that enter the layers"
ACCURACY, ROUNDED = "accuracy", "change of accuracy with weights of 8 bits"

Bench = Mapping[str, Any]  # the content of one file
Benches = Mapping[str, Bench]  # name of a benchmark → the content of its file


def load(names: Sequence[str], folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """The results that are there, by benchmark (default: those of `data/bench`).

    Raises UserError for a file that is not one.
    """
    folder = folder or paths.bench()
    results = {}
    for name in names:
        path = folder / f"{name}.json"
        if path.is_file():
            try:
                results[name] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as err:
                raise UserError(f"{path} is not a result of `snnbook bench`: {err}") from err
    return results


def timings(bench: Bench) -> dict[tuple[str, str], float]:
    """The median times in the unit of the benchmark: (case, variant) → time."""
    return {(c["case"], c["variant"]): c["time"] for c in bench["cells"]}


def measures(bench: Bench, kind: str) -> dict[tuple[str, str], float]:
    """The measures of a kind: (case, variant) → value."""
    return {(m["case"], m["variant"]): m["value"] for m in bench["measures"] if m["kind"] == kind}


def missing(name: str) -> Fragment:
    """What a page says where a benchmark was not run."""
    return paragraph(f"There is no data/bench/{name}.json yet; `snnbook bench {name}` writes it.")


def needs(name: str) -> Callable[[Callable[..., Fragment]], Callable[..., Fragment]]:
    """Hand a function the result of its benchmark and what else it takes, or say on the page how to get the result."""

    def decorate(make: Callable[..., Fragment]) -> Callable[..., Fragment]:
        @wraps(make)
        def fragment(benches: Benches, *others: Any) -> Fragment:
            return make(benches[name], *others) if name in benches else missing(name)

        return fragment

    return decorate
