"""How long it takes to import, to read a study, and to list and read a large store; run by hand.

    python tests/measure_store.py [--trials 20000] [--folder FOLDER]

Prints seconds, best of three, beside what is the least that the work could take: importing torch, and listing and
reading the same files without looking into them. The large store has five seeds of every trial: 100,000 records of
4 kB, which take 0.9 GB and a minute to write. All files are in the system's cache.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from snnbook.bench.timing import surroundings
from snnbook.experiments import Record, Store, open_store, results, study
from snnbook.experiments.record import LAYER_METRICS, METRICS
from snnbook.experiments.store import packed

SEEDS = range(5)
READ = 1000
Keys = list[tuple[str, int]]


def build(store: Store, trials: int) -> None:
    """Write the files that `Store.put` writes, but without waiting for the disk at each; all have the same arrays."""
    draw = random.Random(0)
    curves = {"loss": np.arange(30.0), "predictions": np.arange(440, dtype=np.uint16)}
    for trial in range(trials):
        config = {f"field_{i}": draw.random() for i in range(30)}
        for seed in SEEDS:
            layers = [{name: draw.random() for name in LAYER_METRICS} for _ in range(9)]
            metrics = {name: draw.random() for name in METRICS}
            record = Record(f"method-data-T4-sparsity-0.98-{trial:08x}", seed, config, metrics, layers, curves)
            if trial == seed == 0:
                store.put(record)
                curves = store.get(record.id, 0).curves
            text, arrays = packed(record)
            path = store.file(record.id, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
            path.with_suffix(".npz").write_bytes(arrays)


def seconds(work: Callable[[], object]) -> float:
    """The fastest of three runs."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def show(what: str, ours: Callable[[], object], least: str, plain: Callable[[], object]) -> None:
    """One line: our seconds, those of the least there is to do, and their ratio."""
    taken, floor = seconds(ours), seconds(plain)
    print(f"{what:<40} {taken:7.3f} s   {taken / floor:5.1f} x {least} ({floor:.3f} s)")


def imported(module: str) -> Callable[[], object]:
    """Run Python for nothing but an import."""
    return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def listed(folder: Path) -> int:
    """The number of files below the folders of a folder."""
    return sum(len(os.listdir(trial)) for trial in os.scandir(folder))


def bytes_of(store: Store, keys: Keys) -> Callable[[], object]:
    """Read the JSON files of records without looking into them."""
    return lambda: [store.file(*key).read_bytes() for key in keys]


def metrics_of(store: Store, keys: Keys) -> Callable[[], object]:
    """Read a metric of records."""
    return lambda: [store.get(*key).metrics["top1"] for key in keys]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20_000, help="trials of the large store")
    parser.add_argument("--folder", help="where to build the large store; else where temporary files go")
    chosen = parser.parse_args()
    machine = surroundings()
    print(f"{machine['model']}, {machine['processor']}, {machine['cores']} cores")
    show("from snnbook import experiments", imported("snnbook.experiments"), "importing torch", imported("torch"))

    compared, store = study("compare", "laptop"), open_store("laptop")
    keys = [(trial.id, seed) for trial in compared.trials.values() for seed in compared.seeds]
    if all(store.has(*key) for key in keys):
        show(f"study of {len(keys)} records", lambda: results("compare"), "reading", bytes_of(store, keys))
    else:
        print("the study has records to be run: not measured")

    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        store = Store(folder)
        build(store, chosen.trials)
        keys = list(store.stored())
        some = random.Random(0).sample(keys, min(READ, len(keys)))
        show(f"list {len(keys)} records", lambda: list(store.stored()), "listing", lambda: listed(store.path))
        show(f"metrics of {len(some)} of them", metrics_of(store, some), "reading", bytes_of(store, some))


if __name__ == "__main__":
    main()
