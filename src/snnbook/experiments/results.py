"""The records of a study, as pages and the command line read them; what the store lacks is run first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnbook import parameters, paths
from snnbook.errors import UserError, unknown
from snnbook.experiments.key import ByKey, Key
from snnbook.experiments.profiles import check_profile
from snnbook.experiments.queue import plan, run_planned
from snnbook.experiments.record import Record
from snnbook.experiments.store import Store
from snnbook.experiments.studies import Study, applicable, check_options, run_before, study
from snnbook.experiments.trials import Trial


@dataclass
class Results:
    """The records of a study.

    records: key → one record per seed, in the order of `seeds`. ran: number of trainings that were run for them, those
    of starts included. reused: number of records that were stored before.
    """

    study: Study
    records: ByKey[list[Record]]
    ran: int = 0
    reused: int = 0

    @property
    def name(self) -> str:
        """The name of the study."""
        return self.study.name

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that every trial was run with, in order."""
        return self.study.seeds

    @property
    def trials(self) -> ByKey[Trial]:
        """Key → trial."""
        return self.study.trials

    @property
    def sets(self) -> list[str]:
        """Names of the data sets that were run, in the order of the trials."""
        return self.study.trials.sets

    def playing(self, dataset: str) -> str:
        """The name of the data set of this study that is `dataset`, a paper's, or stands in for it.

        Raises UserError if there is none.
        """
        return self.study.playing(dataset)

    def values(self, key: Key | tuple[Any, ...], metric: str) -> np.ndarray:
        """One metric over the seeds, `[seeds]`, in the unit that METRICS gives; a metric that is None becomes NaN.

        Raises UserError for a key or metric that is not known.
        """
        return np.array([r.metrics[metric] for r in self.records[key]], dtype=float)

    def curves(self, key: Key | tuple[Any, ...], name: str) -> np.ndarray:
        """One curve over the seeds, `[seeds, *]`, in the unit that CURVES gives.

        Raises UserError for a key or a curve that is not there.
        """
        records = self.records[key]
        if name not in records[0].curves:
            raise unknown("curve", name, records[0].curves)
        return np.stack([r.curves[name] for r in records])


def run_study(chosen: Study, store: Store, jobs: int = 2, cluster: str = "", progress: bool = True) -> Results:
    """The results of a study: stored records are reused, the others are run.

    Parameters and errors are those of `run_many`.
    """
    return run_studies([chosen], store, jobs, cluster, progress)[chosen.name]


def run_studies(
    chosen: Sequence[Study], store: Store, jobs: int = 2, cluster: str = "", progress: bool = True
) -> dict[str, Results]:
    """The results of several studies by name, of which every record is read once and all missing ones are run together.

    Raises UserError as `run_many` does.
    """
    wanted = {(t.id, seed): (t, seed) for s in chosen for t, seed in s.jobs}
    read = {name: record for name in wanted if (record := store.get(*name)) is not None}
    missing = [name for name in wanted if name not in read]
    planned = plan([wanted[name] for name in missing], store)
    run_planned(planned, store, chosen[0].profile if chosen else "", jobs, cluster, progress)
    for id, seed in missing:
        record = store.get(id, seed)
        if record is None:
            raise UserError(f"the record of {id}, seed {seed}, is gone from {store.path}")
        read[id, seed] = record
    ran = {(trial.id, seed) for trial, seed in planned.jobs}
    results = {}
    for s in chosen:
        records = ByKey({key: [read[trial.id, seed] for seed in s.seeds] for key, trial in s.trials.items()})
        own = {(t.id, seed) for t, seed in s.jobs}
        with_starts = own | {(t.start.id, seed) for t, seed in s.jobs if t.start}
        results[s.name] = Results(s, records, len(with_starts & ran), len(own - ran))
    return results


def run_needed(names: Iterable[str], profile: str, store: Store, jobs: int = 2, cluster: str = "") -> None:
    """Run the studies by whose records settings of these are chosen. Parameters and errors are those of `run_many`."""
    for before in run_before(names, profile, store):
        run_study(before, store, jobs, cluster)


def asked(seeds: Any, options: Any) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Seeds and options of a page or a command line (see `snnbook.parameters`), to be checked before anything is run.

    Raises UserError for what does not parse and for an option that no trial takes.
    """
    given = parameters.options(options)
    check_options(given)
    return parameters.seeds(seeds), given


def study_for_page(name: str, profile: Any, seeds: Any, options: Any, store: Store | None = None) -> Study:
    """A study from a page's parameters (see `snnbook.parameters`); options that only other studies take are left out.

    Raises UserError for what does not parse, for an unknown study, profile or option.
    """
    profile = parameters.profile(profile)
    chosen = applicable(name, parameters.options(options), profile, store)
    return study(name, profile, parameters.seeds(seeds), store, **chosen)


def open_store(profile: Any, folder: Any = "") -> Store:
    """The records under `folder` ("" = where the profile keeps them); both as a notebook is given them.

    Raises UserError for an unknown profile, for a file, and for "" outside a clone of the repository.
    """
    profile = parameters.profile(profile)
    check_profile(profile)
    return Store(paths.results(profile, parameters.results(folder)))


def results(
    name: str, profile: Any = "laptop", seeds: Any = "", results: Any = "", jobs: Any = 2, options: Any = ""
) -> Results:
    """What a notebook calls: the records of a study, given the notebook's own parameters (see `snnbook.parameters`).

    `results` is the folder of records ("" = the profile's); trials that it lacks are run first, with a line that says
    how many and how long, those of the studies that this one is chosen by as well. Options that only other studies take
    are left out. Raises UserError for an unknown name or option, and without `results` outside a clone.
    """
    return results_of([name], open_store(profile, results), profile, seeds, options, jobs)[name]


def results_of(
    names: Iterable[str], store: Store, profile: Any, seeds: Any = "", options: Any = "", jobs: Any = 2
) -> dict[str, Results]:
    """The results of several studies by name, given a notebook's parameters; see `results`.

    What does not parse is refused before a trial is run.
    """
    names, profile, jobs = list(dict.fromkeys(names)), parameters.profile(profile), parameters.jobs(jobs)
    asked(seeds, options)
    run_needed(names, profile, store, jobs)
    return run_studies([study_for_page(name, profile, seeds, options, store) for name in names], store, jobs)
