"""Trained networks of every method, compiled: does a synaptic operation predict a millisecond? `snnbook bench trained`.

The networks are those of the comparison of all methods, one seed. Compiled they are a few dozen kB each and kept in
`data/compiled`, so that timing them takes no training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snnbook import arithmetic, datasets, paths, sparse
from snnbook.bench.dense import FP32, LAST, Dense
from snnbook.bench.sparse import AUTO
from snnbook.bench.timing import Case, Result, interleaved, one_thread, progress, surroundings, timed_repeatedly
from snnbook.experiments import Key, Trial, study
from snnbook.experiments.record import Record
from snnbook.experiments.run import load_sets, network, trained
from snnbook.experiments.store import Store
from snnbook.feeding import fetch, to_network
from snnbook.files import check_writable
from snnbook.report import benchmarks
from snnbook.sparse import graph

NAME = "trained"
SEED = 0
SAMPLES = 8  # that a run has, one after the other
BITS = 8  # of a rounded weight


def path_of(trial: Trial) -> Path:
    """The file of a trial's network."""
    return paths.compiled() / f"{trial.id}-seed-{SEED}.safetensors"


def case_name(key: Key) -> str:
    """`Key("digits-dvs", "lamp", "98 %")` → `digits-dvs, lamp, 98 %`."""
    return ", ".join(filter(None, (key.data, key.arm, key.level)))


def trials() -> dict[Key, Trial]:
    """The networks that are timed."""
    return {key: trial for key, trial in study("compare", "laptop").trials.items() if trial.method != "dense"}


def compile_one(trial: Trial, store: Store) -> None:
    """Train a network again, compile it for its test samples and keep it."""
    _, model = trained(trial, SEED, store)
    record = Store(paths.results("laptop")).get(trial.id, SEED)
    x = samples(trial, int(record.metrics["T"]) if record else trial.T, range(64))
    sparse.compile(model, x).save(path_of(trial))


def held_process() -> ProcessPoolExecutor:
    """A process that trains the networks of the records, bit for bit, while this one computes as fast as it can."""
    return ProcessPoolExecutor(1, get_context("spawn"), initializer=arithmetic.hold)


def samples(trial: Trial, T: int, which: range) -> Tensor:
    """Test samples of a trial as its network takes them."""
    test = _test(trial)
    indices = torch.arange(which.start, min(which.stop, len(test)))
    return to_network(fetch(test, indices)[0], T).contiguous()


def _test(trial: Trial) -> datasets.FrameSet:
    return load_sets(trial)["test"]


def predictions(compiled: sparse.Compiled, trial: Trial) -> tuple[Tensor, Tensor]:
    """The classes that a network predicts for all test samples, and their labels, both `[N]`."""
    predicted, test = [], _test(trial)
    for start in range(0, len(test), 100):
        x = samples(trial, compiled.graph.T, range(start, start + 100))
        predicted.append(compiled(x).mean(0).argmax(1))
    return torch.cat(predicted), test.y


def missing() -> list[Trial]:
    """Trials whose compiled network is not there."""
    return [trial for trial in trials().values() if not path_of(trial).exists()]


def labels(key: Key, trial: Trial) -> dict[str, str]:
    """What the page sorts a case by: its data set, method and level, and whether channels or single weights went."""
    removed = "channels" if "channels" in dict(trial.settings) else "weights"
    return {"data": key.data, "method": key.arm, "level": key.level, "removed": removed}


def _cases(chosen: dict[Key, Trial], result: Result, records: Store) -> Iterator[Case]:
    dense: dict[str, dict[str, Callable[[], Any]]] = {}
    for key, trial in chosen.items():
        name, compiled = case_name(key), sparse.load(path_of(trial))
        record = records.get(trial.id, SEED)
        assert record is not None
        x = samples(trial, compiled.graph.T, range(SAMPLES))
        if trial.data not in dense:
            dense[trial.data] = _dense(trial)
        _check(name, compiled, trial, record, result)
        sizes = {
            "sops": round(record.metrics["sops"]),
            "live": sum(row["live"] for row in compiled.layers()),
            "connections": round(record.metrics["connections_alive"]),
            "T": compiled.graph.T,
            "bytes": path_of(trial).stat().st_size,
        }
        pairs = ((FP32, AUTO), (LAST, AUTO))
        runs = dense[trial.data] | {AUTO: partial(compiled, x)}
        yield Case(name, sizes, 1e-3 * SAMPLES, runs, pairs, clock=timed_repeatedly, labels=labels(key, trial))


def _dense(trial: Trial) -> dict[str, Callable[[], Any]]:
    """The network that a trial's was made from; how long it takes does not depend on what it has learnt."""
    x = samples(trial, trial.T, range(SAMPLES))
    full = graph.build(network(trial, _test(trial)).eval(), x)
    singles = x.split(1, 0 if full.static else 1)
    return {name: partial(_one_by_one, Dense(full, last), singles) for name, last in ((FP32, False), (LAST, True))}


def _one_by_one(run: Callable[[Tensor], Tensor], singles: Sequence[Tensor]) -> None:
    for x in singles:
        run(x)


def _check(name: str, compiled: sparse.Compiled, trial: Trial, record: Record, result: Result) -> None:
    """The compiled network decides as the masked one did, on the whole test set; with whole weights it may not."""
    predicted, labels = predictions(compiled, trial)
    masked = torch.from_numpy(record.curves["predictions"].astype("int64"))
    result.check("test samples that a compiled network decides otherwise than the masked one", 0.0,
                 float((predicted != masked).sum()))  # fmt: skip
    whole = sparse.Compiled(graph.quantised(compiled.graph, BITS), compiled.paths)
    accuracy = [100 * float((p == labels).double().mean()) for p in (predicted, predictions(whole, trial)[0])]
    result.measure(benchmarks.ACCURACY, accuracy[0], name, unit="%")
    result.measure(benchmarks.ROUNDED, accuracy[1] - accuracy[0], name, unit="points")


def bench(rounds: int = 5, quick: bool = False) -> Result:
    """Time every compiled network against the dense network that it was made from.

    Trains first what `data/compiled` lacks, unless `quick`. Raises WrongResult where a compiled network decides
    otherwise than the one it was made from.
    """
    result = Result(NAME, "ms", rounds, quick, environment=surroundings())
    if not quick:
        store = Store(paths.build() / "trained")
        left = missing()
        if left:
            check_writable(paths.compiled())
        with progress(len(left)) as bar, held_process() as process:
            for trial in left:
                bar.set_description_str(trial.id, refresh=True)
                process.submit(compile_one, trial, store).result()
                bar.update()
    chosen = {key: trial for key, trial in trials().items() if path_of(trial).exists()}
    if quick:
        chosen = dict(islice(chosen.items(), 3))
    with one_thread(), torch.no_grad():
        cases = list(_cases(chosen, result, Store(paths.results("laptop"))))
        result.cells, result.ratios = interleaved(cases, rounds)
    ratios = [
        min(r for peer in (FP32, LAST) if (r := result.ratio(case_name(key), peer, AUTO)) is not None)
        for key in chosen
        if key.level == "98 %"
    ]
    result.goal("trained networks at 98 %, dense over compiled, the least", "at least", 5.0, min(ratios, default=None))
    return result
