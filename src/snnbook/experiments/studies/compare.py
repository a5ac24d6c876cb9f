"""The comparison of all methods, and the tuning that their settings are chosen by.

All methods get the same epochs in total. Those whose source prunes a trained network go on from the dense one of the
same seed; the others train from scratch for as long as both of these trainings take together. How a method takes part
is its entry's `plan`, see `snnbook.pruning.registry`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from snnbook import paths
from snnbook.errors import UserError
from snnbook.experiments.key import Key
from snnbook.experiments.profiles import EVENT_ROLES, SEEDS, dense, trained_on
from snnbook.experiments.store import Store
from snnbook.experiments.studies import register
from snnbook.experiments.trials import Trial
from snnbook.pruning.registry import SPANS, ComparisonPlan, Settings, described, methods

COMPARED_ON = ("CIFAR10", "CIFAR10-DVS")
TUNED_ON = COMPARED_ON[0]
TUNING_SEEDS = (100, 101)  # not among those that results are shown for


def plans() -> dict[str, ComparisonPlan]:
    """Method → its plan, of all methods that take part."""
    return {name: entry.plan for name, entry in methods().items() if entry.plan is not None}


def levels(plan: ComparisonPlan, profile: str, role: str) -> list[str]:
    """The names of the levels of a plan that a profile runs on the data of a role.

    On an embedded set of events, where a run takes two to three times as long, methods that are told their sparsity
    leave out the lowest and the highest.
    """
    if profile == "smoke":
        return list(islice(plan.levels, 2))
    told = all("sparsity" in settings for settings in plan.levels.values())
    inner = told and profile == "laptop" and role in EVENT_ROLES
    return list(plan.levels)[1:-1] if inner else list(plan.levels)


@register("compare", needs=("compare.tuning",))
def compare(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """All methods on two sets, each over its levels of sparsity, with the same epochs in total."""
    trials: dict[Key, Trial] = {}
    for role in COMPARED_ON:
        parent = dense(role, profile)
        for method, plan in plans().items():
            if method == "dense":
                trials[Key(parent.data, "dense")] = arm(role, method, plan, {}, profile)
            for level in levels(plan, profile, role):
                settings = settings_at(method, level, store)
                trials[Key(parent.data, method, level)] = arm(role, method, plan, settings, profile)
        if profile != "smoke" and role == COMPARED_ON[0]:  # such a run costs as much as eight others
            whole = {"cuts": 14, "share": 0.25, "rewind": 20 if profile == "paper" else 2}
            more = replace(parent, method="imp", settings=whole, fisher_samples=0)
            trials[Key(parent.data, "imp", "98 %, 25 % a round")] = more
    return trials


def arm(role: str, method: str, plan: ComparisonPlan, settings: Mapping[str, Any], profile: str) -> Trial:
    """One level of a method: as many epochs in total as any other, from the dense network or from scratch.

    settings: those of the level and of the candidate; those that the plan shares are added.
    """
    parent = dense(role, profile)
    epochs = {"smoke": 4, "laptop": 20, "paper": 600}[profile]
    merged: dict[str, Any] = {**plan.shared, **plan.by_role.get(role, {}), **settings}
    if profile == "paper":  # where the paper's own threshold of the decision step, the default, holds
        merged.pop("lam", None)
    if profile == "smoke":  # there are not more epochs than for these
        merged |= {name: small for name, small in (("cuts", 2), ("rewind", 1), ("tail", 0.5)) if name in merged}
    if "rewind" in merged:  # trainings of its own, which add up
        epochs = (epochs + merged["cuts"] * merged["rewind"]) // (merged["cuts"] + 1)
    elif not plan.from_scratch:
        epochs -= parent.epochs
    start = None if plan.from_scratch else parent
    network = {**dict(parent.network_settings), **plan.network}
    more: dict[str, Any] = {"network_settings": network, "epochs": epochs, "start": start}
    return replace(parent, method=method, settings=merged, fisher_samples=0, **more)


@register("compare.tuning", seeds=TUNING_SEEDS)
def tuning(profile: str) -> dict[Key, Trial]:
    """What the settings of the comparison are chosen from, on one set and at the levels of each method's plan."""
    data = dense(TUNED_ON, profile).data
    return {
        Key(data, method, candidate_level(level, candidate)): tuned(method, level, candidate, profile)
        for method, plan in plans().items()
        for candidate in islice(plan.candidates, 2 if profile == "smoke" else None)
        for level in plan.tuned_at
    }


def candidate_level(level: str, candidate: Settings) -> str:
    """The level of a key in the study of tuning: the candidate, and where it was tried."""
    return f"{described(candidate)}, at {level}"


def tuned(method: str, level: str, candidate: Settings, profile: str) -> Trial:
    """The trial of a candidate at a level."""
    plan = plans()[method]
    return arm(TUNED_ON, method, plan, {**plan.levels[level], **candidate}, profile)


def chosen(method: str, store: Store | None = None) -> Settings:
    """The candidate of a method that did best on the validation split in tuning, the first of equals.

    store: the records of tuning at the profile laptop; None: those of the repository. Every profile uses them.
    Raises UserError if a candidate has no record there, and if none can be judged at the common budget.
    """
    candidates = plans()[method].candidates
    if not candidates:
        return {}
    scores = tuning_scores(method, store)
    return candidates[scores.index(max(scores))]


def settings_at(method: str, level: str, store: Store | None = None) -> Settings:
    """The settings of a method at one of its levels: those chosen by tuning and the level's own. store: as there."""
    return {**chosen(method, store), **plans()[method].levels[level]}


def tuning_scores(method: str, store: Store | None = None) -> list[float]:
    """Validation accuracy of each candidate in per cent at the common budget, mean over the seeds of tuning.

    A method that is given its sparsity was tried at the budget. For another the accuracy is interpolated, seed by seed,
    between the levels of its plan, linearly in the logarithm of what is left; a candidate that does not pass the budget
    between them scores -inf. store: as for `chosen`.
    Raises UserError if a candidate has no record there, and if no candidate passes the budget.
    """
    return list(_scores(method, folder(store)))


def folder(store: Store | None) -> Path:
    """Where the records of tuning are: those of `store`, or of the repository at the profile laptop."""
    return store.path if store is not None else paths.results("laptop")


@cache
def _scores(method: str, folder: Path) -> tuple[float, ...]:
    def trial(level: str, candidate: Settings) -> Trial:
        return tuned(method, level, candidate, "laptop")

    return tuple(scores_of(method, plans()[method], trial, folder, "compare.tuning"))


def scores_of(
    name: str, plan: ComparisonPlan, trial: Callable[[str, Settings], Trial], folder: Path, study: str
) -> list[float]:
    """`tuning_scores` of any plan. name: what is tuned. trial: level and candidate → trial. study: that of tuning.

    Raises UserError as `tuning_scores` does.
    """
    store, scores = Store(folder), []
    for candidate in plan.candidates:
        trials = [trial(level, candidate) for level in plan.tuned_at]
        by_seed = [[store.get(trial.id, seed) for trial in trials] for seed in TUNING_SEEDS]
        if any(record is None for records in by_seed for record in records):
            raise UserError(f"{name} was not tuned in {folder}: snnbook run {study}")
        at_budget = [_at_budget(plan, [r.metrics for r in records if r is not None]) for records in by_seed]
        scores.append(sum(at_budget) / len(at_budget))
    if max(scores) == -math.inf:
        raise UserError(f"no candidate of {name} passes {plan.budget:g} % of the {plan.axis} between its levels")
    return scores


def _at_budget(plan: ComparisonPlan, metrics: Sequence[Mapping[str, float]]) -> float:
    if len(metrics) == 1:
        return metrics[0]["top1_validation"]
    left = [100 * m[f"{plan.axis}_alive"] / m[f"{plan.axis}_total"] for m in metrics]
    points = sorted(zip(left, (m["top1_validation"] for m in metrics), strict=True))
    if not points[0][0] <= plan.budget <= points[-1][0]:
        return -math.inf
    x, y = zip(*points, strict=True)
    return float(np.interp(math.log(plan.budget), np.log(x), y))


def edges(method: str, store: Store | None = None) -> list[str]:
    """Settings whose chosen value is the smallest or the largest that was tried with the others as they are.

    Numbers only. It is no edge where there is nothing beyond: at 0, at the spans of pruning at once and to the very
    end, and where the next value is refused, such as no cut at all, or more cuts than there are epochs before the tail.
    """
    best, at_edge = chosen(method, store), []
    for name, value in best.items():
        rest = {key: v for key, v in best.items() if key != name}
        tried = [c[name] for c in plans()[method].candidates if {k: v for k, v in c.items() if k != name} == rest]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        nothing_beyond = value in (SPANS[0], SPANS[-1]) if name == "span" else value == 0
        if number and not nothing_beyond and len(tried) > 1 and value in (min(tried), max(tried)):
            nearest = min((v for v in tried if v != value), key=lambda v: abs(v - value))
            beyond = 2 * value - nearest if isinstance(value, int) else value**2 / nearest
            at_edge += [name] if _possible(method, {**best, name: beyond}) else []
    return at_edge


def _possible(method: str, candidate: Settings) -> bool:
    """Whether there is a trial of these settings at every level that candidates are tried at."""
    try:
        for level in plans()[method].tuned_at:
            tuned(method, level, candidate, "laptop")
    except UserError:
        return False
    return True


@register("compare.start", needs=("compare.tuning",))
def start(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """The start as a factor of its own: methods that cut a dense network from scratch, and the other way round.

    With no regeneration, criticality is gradual magnitude pruning on its own schedule. The dense network is trained for
    all epochs of the comparison in one schedule, where that of the study `compare` is trained twice. Noise is there at
    the levels of `compare.layers`, whose controls from scratch it is compared with.
    """
    arms: tuple[tuple[str, str, bool, Settings, tuple[str, ...]], ...] = (
        ("lamp, from scratch", "lamp", True, {}, ()),
        ("magnitude, from scratch", "magnitude", True, {}, ()),
        ("criticality, from dense", "criticality", False, {}, ()),
        ("criticality, no regeneration, from scratch", "criticality", True, {"regeneration": 0.0}, ()),
        ("random, from scratch", "random", True, {}, CONTROLLED["lamp"]),
    )
    trials: dict[Key, Trial] = {}
    by_method = plans()
    for role in COMPARED_ON:
        data = dense(role, profile).data
        for name, method, from_scratch, more, only in arms:
            plan = replace(by_method[method], from_scratch=from_scratch)
            for level in only or levels(plan, profile, role):
                merged = {**settings_at(method, level, store), **more}
                trials[Key(data, name, level)] = arm(role, method, plan, merged, profile)
        once = replace(by_method["dense"], from_scratch=True)
        trials[Key(data, "dense, one schedule")] = arm(role, "dense", once, {}, profile)
    return trials


# The first five of the comparison by mean rank at equal weights, and the two levels at which each has its control.
CONTROLLED: dict[str, tuple[str, str]] = {
    "lamp": ("95 %", "98 %"),
    "slamp": ("95 %", "98 %"),
    "criticality": ("95 %", "98 %"),
    "granet": ("95 %", "98 %"),
    "gradr": ("strength 3.5", "strength 5.5"),
}


@register("compare.layers", needs=("compare.tuning", "compare"))
def layers(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """Controls of the first five methods: as many weights in every layer as the method leaves, drawn at random.

    A control starts as its method does, trains for as long and prunes gradually on the schedule tuned for `random`. The
    shares that it keeps of each layer are those of the method's records at the profile laptop, mean over their seeds.
    """
    schedule = chosen("random", store)
    trials: dict[Key, Trial] = {}
    for role in COMPARED_ON:
        data = dense(role, profile).data
        for method, of_interest in CONTROLLED.items():
            plan = plans()[method]
            for level in of_interest:
                kept = _kept(role, method, level, store)
                random = replace(plans()["random"], from_scratch=plan.from_scratch)
                trials[Key(data, method, level)] = arm(role, "random", random, {**schedule, "layers": kept}, profile)
    return trials


def _kept(role: str, method: str, level: str, store: Store | None) -> tuple[float, ...]:
    """Share of the weights of each layer that a method leaves at a level of the comparison, mean over the seeds."""
    plan, records = plans()[method], Store(folder(store))
    trial = arm(role, method, plan, settings_at(method, level, store), "laptop")
    by_seed = [records.get(trial.id, seed) for seed in SEEDS["laptop"]]
    if None in by_seed:
        raise UserError(f"{method} at {level} has no record in {records.path}: snnbook run compare")
    shares = [[n["weights_alive"] / n["weights_total"] for n in r.layers] for r in by_seed if r is not None]
    return tuple(round(float(share), 6) for share in np.mean(shares, 0))


@register("lamp")
def lamp(profile: str) -> dict[Key, Trial]:
    """LAMP against magnitude and noise at one sparsity, on the static set."""
    parent = dense("CIFAR10", profile)
    trials = {Key(parent.data, "dense"): trained_on(parent, "dense", profile)}
    for method in ("random", "magnitude", "lamp"):
        trials[Key(parent.data, method)] = trained_on(parent, method, profile, sparsity=0.98)
    return trials
