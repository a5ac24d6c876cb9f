"""Running many trials, one after the other or on Dask workers, and saying beforehand what, how many and how long.

A finished trial is not run again; a killed run loses the trials that were running and nothing else.
"""

from __future__ import annotations

import importlib
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from statistics import median
from typing import Any

from tqdm import tqdm

from snnbook import arithmetic, files, parameters
from snnbook.errors import NotKept, UserError
from snnbook.experiments.run import _run, check_device, load_sets
from snnbook.experiments.store import Store
from snnbook.experiments.trials import Trial
from snnbook.pruning import METHODS

Job = tuple[Trial, int]
Name = tuple[str, int]  # trial id and seed


@dataclass(frozen=True)
class Plan:
    """What has to be trained for some jobs, and how long it takes.

    jobs: pairs of a trial and a seed that lack a record, in an order in which a trial comes after its start. reused:
    number of jobs whose record is stored. seconds: processor time of all jobs in s, estimated from stored records of
    the same data and network; None where there is no such record.
    """

    jobs: tuple[Job, ...]
    reused: int
    seconds: float | None

    def __str__(self) -> str:
        if not self.jobs:
            return f"nothing to train: all {self.reused} records are stored"
        data = ", ".join(dict.fromkeys(trial.data for trial, _ in self.jobs))
        methods = ", ".join(dict.fromkeys(trial.method for trial, _ in self.jobs))
        time = "no stored record to judge the time by"
        if self.seconds is not None:
            time = f"about {_duration(self.seconds)} of one core"
        n = len(self.jobs)
        return f"{n} training{'s' if n > 1 else ''} ({methods}) on {data}; {self.reused} reused; {time}"


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def plan(wanted: Iterable[Job], store: Store) -> Plan:
    """The jobs that the store lacks, with the starts that they need, and how long they take.

    Raises UserError as `Store.get` does.
    """
    unique = {(trial.id, seed): (trial, seed) for trial, seed in wanted}
    missing = [job for name, job in unique.items() if not store.has(*name)]
    jobs = _with_starts(missing, store)
    return Plan(tuple(jobs), len(unique) - len(missing), _seconds(jobs, store) if jobs else 0.0)


def run_many(
    wanted: Iterable[Job],
    store: Store,
    profile: str = "",
    jobs: int = 2,
    cluster: str = "",
    progress: bool = True,
) -> tuple[int, int]:
    """Run every trial and seed that the store lacks; returns the number of trials run and the number reused.

    profile: the name that goes into the new records. jobs: number of trials at a time. They run on as many local Dask
    workers of one thread, whose arithmetic is held; one at a time runs in this process if that is held as well.
    cluster: address of a Dask scheduler to use instead, whose workers must see the store's folder. progress: whether a
    bar is shown on stderr, besides the line that says what is trained. All that can run is run before an error of one
    of them is raised; a trial whose start failed is not run.

    Raises UserError with the reasons where trials failed, for fewer than one job, a store that cannot be written, a
    device that is not there, and a scheduler that does not answer.
    """
    planned = plan(wanted, store)
    run_planned(planned, store, profile, jobs, cluster, progress)
    return len(planned.jobs), planned.reused


def run_planned(
    planned: Plan, store: Store, profile: str = "", jobs: int = 2, cluster: str = "", progress: bool = True
) -> None:
    """Run the jobs of a plan; parameters and errors are those of `run_many`."""
    jobs = parameters.jobs(jobs)
    if not planned.jobs:
        return
    files.check_writable(store.path)
    for device in {trial.device for trial, _ in planned.jobs if not cluster}:
        check_device(device)
    print(planned, file=sys.stderr, flush=True)
    for trial in {(t.data, t.T, t.data_settings): t for t, _ in planned.jobs}.values():
        load_sets(trial)  # generate and cache once, before the workers race for it
    bar = tqdm(
        total=sum(t.cost for t, _ in planned.jobs),
        disable=not progress,
        unit="",
        bar_format=_BAR,
        file=sys.stderr,
        mininterval=0.1 if sys.stderr.isatty() else 15,
    )
    with bar, files.held(store.path, alone=False, wait=True):  # nobody empties it meanwhile
        alone = jobs == 1 and not cluster and arithmetic.held()
        if alone or "__main__" in _modules(planned.jobs):  # no worker knows a notebook's method
            failed = _serial(planned.jobs, store, profile, bar)
        else:
            failed = _dask(planned.jobs, store, profile, jobs, cluster, bar)
    if failed:
        names = "; ".join(f"{id}, seed {seed}: {why}" for (id, seed), why in failed.items())
        raise UserError(f"{len(failed)} of {len(planned.jobs)} trials failed, the others are stored: {names}")


_BAR = "{desc} {percentage:3.0f}%|{bar:30}| {elapsed} elapsed, {remaining} left"
N_RECORDS_TIMED = 9  # stored records by which the time of a trial is judged


def _seconds(jobs: Sequence[Job], store: Store) -> float | None:
    """Processor time of the jobs by the median time for each sample and step of like records; None without any."""
    stored = list(store.stored())

    @cache
    def rate(data: str, network: str) -> float | None:
        times = []
        for id, seed in islice((name for name in stored if f"-{data}-T" in name[0]), 5 * N_RECORDS_TIMED):
            record = store.get(id, seed)
            if record is not None and record.trial["network"] == network:
                trial = Trial.from_config(record.trial)
                times.append(record.environment["wall_s"] / trial.cost)
            if len(times) == N_RECORDS_TIMED:
                break
        return median(times) if times else None

    rates = [(rate(trial.data, trial.network), trial.cost) for trial, _ in jobs]
    return None if any(r is None for r, _ in rates) else sum(r * cost for r, cost in rates if r is not None)


def _with_starts(missing: Sequence[Job], store: Store) -> list[Job]:
    """The missing jobs behind the ones they start from, where the record or the network of those is not there."""
    ordered: dict[Name, Job] = {}

    @cache
    def there(trial: Trial, seed: int) -> bool:
        return store.has(trial.id, seed) and store.load_weights(trial.id, seed) is not None

    def add(trial: Trial, seed: int) -> None:
        if trial.start is not None and not there(trial.start, seed):
            add(trial.start, seed)
        ordered.setdefault((trial.id, seed), (trial, seed))

    for trial, seed in missing:
        add(trial, seed)
    return list(ordered.values())


def _title(bar: tqdm, done: int, total: int) -> None:
    bar.set_description_str(f"{done} of {total} trials", refresh=sys.stderr.isatty() or done == total)


def _outcome(trial: Trial, seed: int, store: Store, profile: str, progress: Any) -> str:
    """Run a trial; why it failed, or nothing. What is not the user's to mend comes with its traceback."""
    try:
        _run(trial, seed, store, profile, progress)
    except UserError as err:
        return str(err)
    except Exception:
        return traceback.format_exc(limit=-3)
    return ""


_NO_START = "the trial that it starts from failed"


def _serial(jobs: Sequence[Job], store: Store, profile: str, bar: tqdm) -> dict[Name, str]:
    failed: dict[Name, str] = {}
    for done, (trial, seed) in enumerate(jobs):
        _title(bar, done, len(jobs))
        end = bar.n + trial.cost

        def advance(samples: int, steps: int = trial.T, end: float = end) -> None:
            bar.update(min(samples * steps, max(0.0, end - bar.n)))  # the cost is an estimate: never beyond it

        lost = trial.start is not None and (trial.start.id, seed) in failed
        if why := _NO_START if lost else _outcome(trial, seed, store, profile, advance):
            failed[trial.id, seed] = why
        bar.update(end - bar.n)
    _title(bar, len(jobs), len(jobs))
    return failed


def _modules(jobs: Iterable[Job]) -> set[str]:
    """The modules in which the methods of some jobs enter themselves."""
    return {METHODS[trial.method].cls.__module__ for trial, _ in jobs}


_ONE_AT_A_TIME = threading.Lock()  # a worker with several threads has only one global random generator


def _work(trial: Trial, seed: int, path: str, profile: str, modules: set[str], start: str | None) -> str:
    """One trial in a worker: why it failed, or nothing.

    modules: to import first, where methods enter themselves. start: why its starting trial failed, if that is a job.
    """
    if start:
        return _NO_START
    with _ONE_AT_A_TIME:
        for module in modules:
            importlib.import_module(module)
        warnings.simplefilter("ignore", NotKept)  # who handed out the trial has warned
        return _outcome(trial, seed, Store(path), profile, lambda samples: None)


def _dask(jobs: Sequence[Job], store: Store, profile: str, workers: int, address: str, bar: tqdm) -> dict[Name, str]:
    import dask
    from distributed import Client, LocalCluster, as_completed

    failed: dict[Name, str] = {}
    local = None
    modules = _modules(jobs)
    dask.config.set({"distributed.worker.daemon": False})  # so that a worker may have processes that read its data
    try:
        if not address:
            local = LocalCluster(
                n_workers=min(workers, len(jobs)),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=":0",
                silence_logs=40,
                env={"OMP_NUM_THREADS": "1"} | arithmetic.variables(),
            )
        client = Client(local or address, timeout=10)
    except (OSError, TimeoutError, ValueError) as err:
        if local is not None:
            local.close()
        raise UserError(f"no Dask scheduler at {address}: {err}" if address else f"no local workers: {err}") from err
    try:
        with client:
            futures: dict[Any, Name] = {}
            by_name: dict[Name, Any] = {}
            for trial, seed in jobs:
                start = by_name.get((trial.start.id, seed)) if trial.start else None
                future = client.submit(
                    _work, trial, seed, str(store.path.resolve()), profile, modules, start,
                    key=f"{trial.id}-{seed}", priority=trial.cost + (1e12 if trial.start is None else 0), pure=False,
                )  # fmt: skip
                by_name[trial.id, seed], futures[future] = future, (trial.id, seed)
            costs = {(t.id, s): t.cost for t, s in jobs}
            _title(bar, 0, len(jobs))
            for done, future in enumerate(as_completed(futures), 1):
                name = futures[future]
                try:
                    why = future.result()
                except Exception as err:  # the worker died, or the future was cancelled: the others go on
                    why = f"{type(err).__name__}: {err}"
                if why:
                    failed[name] = why
                bar.update(costs[name])
                _title(bar, done, len(jobs))
    finally:
        if local is not None:
            local.close()
    return failed
