"""Studies: the trials behind the tables and figures, by the name of what is run. A paper has one file here.

A study is a function of the profile. Options override what its trials have in common. A paper adds a file, whose
functions enter themselves with `register`, and edits none that is there.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from snnbook import datasets, pruning
from snnbook.errors import UserError, unknown
from snnbook.experiments.key import ByKey, Key
from snnbook.experiments.profiles import SEEDS, check_profile
from snnbook.experiments.store import Store
from snnbook.experiments.trials import Trial

Trials = Mapping[Key, Trial]


@dataclass(frozen=True)
class Study:
    """A named set of trials.

    trials: key → trial; pages and claims use the keys. seeds: those that every trial is run with.
    """

    name: str
    profile: str
    trials: ByKey[Trial]
    seeds: tuple[int, ...]

    @property
    def jobs(self) -> list[tuple[Trial, int]]:
        """Every trial with every seed."""
        return [(trial, seed) for trial in self.trials.values() for seed in self.seeds]

    def playing(self, dataset: str) -> str:
        """The name of the data set of this study that is `dataset`, a paper's, or stands in for it.

        Raises UserError if there is none.
        """
        for name in self.trials.sets:
            if datasets.info(name).plays == dataset:
                return name
        raise UserError(f"study {self.name} runs {', '.join(self.trials.sets)}; none of them plays {dataset}")


@dataclass(frozen=True)
class Entry:
    """A study as it enters itself.

    trials: a function from a profile to the trials, or from a profile and a store where `needs` is not empty. needs:
    names of the studies by whose records settings are chosen. seeds: those that the study always runs with and that no
    other study may use; empty for the seeds of the profile. replicates: how many seeds, from 0 on, a main contrast is
    decided with, where nobody asks for others and the profile is not smoke; 0 for the seeds of the profile.
    """

    trials: Callable[..., Trials]
    needs: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    replicates: int = 0

    @property
    def about(self) -> str:
        """The first sentence of the docstring of `trials`."""
        return " ".join((self.trials.__doc__ or "").split("\n\n")[0].split())


STUDIES: dict[str, Entry] = {}


def register(
    name: str, needs: tuple[str, ...] = (), seeds: tuple[int, ...] = (), replicates: int = 0
) -> Callable[[Callable[..., Trials]], Callable[..., Trials]]:
    """Enter a function as the study `name`; see `Entry`. Raises UserError if the name is taken by another function."""

    def enter(trials: Callable[..., Trials]) -> Callable[..., Trials]:
        if name in STUDIES and STUDIES[name].trials.__qualname__ != trials.__qualname__:
            raise UserError(f"there is a study {name!r} already")
        STUDIES[name] = Entry(trials, needs, seeds, replicates)
        return trials

    return enter


def names() -> list[str]:
    """The names of all studies."""
    return list(STUDIES)


def needs(name: str) -> tuple[str, ...]:
    """The studies whose records decide the settings of this one. Raises UserError for an unknown study."""
    return _entry(name).needs


def run_before(names: Iterable[str], profile: str, store: Store) -> Iterator[Study]:
    """The studies by whose records settings of these are chosen, in the order of running; only the laptop's tune.

    Run one before the next is asked for, whose own settings may be chosen by its records. store: where the records are.
    Raises UserError for an unknown study.
    """
    others = dict.fromkeys(other for name in names for other in needs(name))
    for other in others if profile == "laptop" else ():
        yield study(other, profile, store=store)


def _entry(name: str) -> Entry:
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return STUDIES[name]


def _trials(name: str, profile: str, store: Store | None = None) -> Trials:
    entry = _entry(name)
    if not entry.needs:
        return entry.trials(profile)
    return entry.trials(profile, store if profile == "laptop" else None)  # no other profile tunes


def study(
    name: str, profile: str = "laptop", seeds: tuple[int, ...] = (), store: Store | None = None, **options: Any
) -> Study:
    """The study `name` at a profile; `options` override fields of its trials or settings of data and methods.

    store: where the profile laptop has the records by which settings were chosen; None: those in the repository, which
    the other profiles use in any case.
    A study with seeds of its own runs with them, whatever is asked for.
    Raises UserError for an unknown study, profile or option, for values out of range, and for seeds that settings were
    tuned with.
    """
    check_profile(profile)
    entry = _entry(name)
    trials = _trials(name, profile, store)
    if options:
        known = known_options(name, profile, store)
        for key in options:
            if key not in known:
                raise unknown(f"option of {name}", key, known)
        trials = {key: _changed(trial, options) for key, trial in trials.items()}
    tuned_with = {seed for other in STUDIES.values() for seed in other.seeds}
    if not entry.seeds and (taken := tuned_with & set(seeds)):
        raise UserError(f"seed {min(taken)} was used for tuning and cannot be one of the results")
    keyed = ByKey({replace(key, data=trial.data): trial for key, trial in trials.items()})
    usual = tuple(range(entry.replicates)) if profile != "smoke" else ()
    return Study(name, profile, keyed, entry.seeds or seeds or usual or SEEDS[profile])


def known_options(name: str, profile: str = "laptop", store: Store | None = None) -> frozenset[str]:
    """The options that the trials of a study take. Raises UserError for an unknown study."""
    trials = _trials(name, profile, store).values()
    return _options({trial.method for trial in trials}, {trial.data for trial in trials})


def applicable(
    name: str, options: Mapping[str, Any], profile: str = "laptop", store: Store | None = None
) -> dict[str, Any]:
    """Those of `options` that a study takes: one text of options serves all pages of a book.

    Raises UserError for an option that no trial takes.
    """
    if not options:
        return {}
    check_options(options)
    mine = known_options(name, profile, store)
    return {key: value for key, value in options.items() if key in mine}


def check_options(options: Iterable[str]) -> None:
    """Raise UserError for an option that no trial takes, whatever its method and its data. No record is read."""
    known = _options(pruning.available(), datasets.available())
    for key in options:
        if key not in known:
            raise unknown("option", key, known)


def _options(of_methods: Iterable[str], of_sets: Iterable[str]) -> frozenset[str]:
    return _FIELDS.union(*map(pruning.settings, of_methods), *(datasets.settings(data) for data in of_sets))


_BY_STUDY = {"start", "settings", "network_settings", "data_settings", "method", "extras"}
_FIELDS = frozenset(f.name for f in fields(Trial)) - _BY_STUDY
# What shapes data or network shapes the start as well, and so does where it is trained.
_SHARED = {"data", "T", "network", "width", "train_size", "root", "device"}


def _changed(trial: Trial, options: Mapping[str, Any]) -> Trial:
    """`trial` with the options that apply to it."""
    mine = {k: v for k, v in options.items() if k in _FIELDS}
    data = mine.get("data", trial.data)
    if not isinstance(data, str):
        raise UserError(f"data must be the name of a data set, got {data!r}")
    of_method, of_data = pruning.settings(trial.method), datasets.settings(data)
    settings = {k: v for k, v in options.items() if k in of_method}
    data_settings = {k: v for k, v in options.items() if k in of_data}
    shared = {k: v for k, v in mine.items() if k in _SHARED}
    try:
        if trial.start is not None:
            of_start = dict(trial.start.data_settings) | data_settings
            mine["start"] = replace(trial.start, **shared, data_settings=of_start)
        return replace(
            trial,
            **mine,
            settings=dict(trial.settings) | settings,
            data_settings=dict(trial.data_settings) | data_settings,
        )
    except TypeError as err:
        raise UserError(f"an option has a value of the wrong kind: {err}") from err


for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
