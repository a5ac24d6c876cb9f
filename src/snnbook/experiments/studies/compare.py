"""The comparison of all methods, and the tuning that their settings are chosen by.

All methods get the same epochs in total. Those whose source prunes a trained network go on from the dense one of the
same seed; the others train from scratch for as long as both of these trainings take together. How a method takes part
is its entry's `plan`, see `snnbook.pruning.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

from snnbook import paths
from snnbook.errors import UserError
from snnbook.experiments.key import Key
from snnbook.experiments.profiles import dense, trained_on
from snnbook.experiments.store import Store
from snnbook.experiments.studies import register
from snnbook.experiments.trials import Trial
from snnbook.pruning.registry import ComparisonPlan, Settings, described, methods

COMPARED_ON = ("CIFAR10", "CIFAR10-DVS")
TUNED_ON = COMPARED_ON[0]
TUNING_SEEDS = (100,)  # not among those that results are shown for


def plans() -> dict[str, ComparisonPlan]:
    """Method → its plan, of all methods that take part."""
    return {name: entry.plan for name, entry in methods().items() if entry.plan is not None}


def levels(plan: ComparisonPlan, profile: str) -> dict[str, Settings]:
    """The levels of a plan that a profile runs."""
    return dict(islice(plan.levels.items(), 2 if profile == "smoke" else None))


@register("compare", needs=("compare.tuning",))
def compare(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """All methods on two sets, each over its levels of sparsity, with the same epochs in total."""
    trials: dict[Key, Trial] = {}
    for role in COMPARED_ON:
        parent = dense(role, profile)
        for method, plan in plans().items():
            shared = chosen(method, store)
            if method == "dense":
                trials[Key(parent.data, "dense")] = arm(role, method, plan, {}, profile)
            for level, settings in levels(plan, profile).items():
                trials[Key(parent.data, method, level)] = arm(role, method, plan, {**shared, **settings}, profile)
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
    if profile == "smoke":  # there are not more epochs than for these
        merged |= {name: small for name, small in (("cuts", 2), ("rewind", 1)) if name in merged}
    if "rewind" in merged:  # trainings of its own, which add up
        epochs = (epochs + merged["cuts"] * merged["rewind"]) // (merged["cuts"] + 1)
    elif not plan.from_scratch:
        epochs -= parent.epochs
    start = None if plan.from_scratch else parent
    return replace(parent, method=method, settings=merged, fisher_samples=0, epochs=epochs, start=start)


@register("compare.tuning", seeds=TUNING_SEEDS)
def tuning(profile: str) -> dict[Key, Trial]:
    """What the settings of the comparison are chosen from, on one set and at one level of each method."""
    data = dense(TUNED_ON, profile).data
    return {
        Key(data, method, described(candidate)): arm(TUNED_ON, method, plan, {**level, **candidate}, profile)
        for method, plan in plans().items()
        for candidate in islice(plan.candidates, 2 if profile == "smoke" else None)
        for level in (plan.levels[plan.tuned_at],)
    }


def chosen(method: str, store: Store | None = None) -> Settings:
    """The candidate of a method that did best on the validation split in tuning, the first of equals.

    store: the records of tuning at the profile laptop; None: those of the repository. Every profile uses them.
    Raises UserError if a candidate has no record there.
    """
    candidates = plans()[method].candidates
    if not candidates:
        return {}
    return candidates[_best(method, store.path if store is not None else paths.results("laptop"))]


@cache
def _best(method: str, folder: Any) -> int:
    plan, store = plans()[method], Store(folder)
    scores = []
    for candidate in plan.candidates:
        trial = arm(TUNED_ON, method, plan, {**plan.levels[plan.tuned_at], **candidate}, "laptop")
        records = [store.get(trial.id, seed) for seed in TUNING_SEEDS]
        if None in records:
            raise UserError(f"{method} was not tuned in {folder}: snnbook run compare.tuning")
        scores.append(sum(r.metrics["top1_validation"] for r in records if r is not None))
    return scores.index(max(scores))


@register("lamp")
def lamp(profile: str) -> dict[Key, Trial]:
    """LAMP against magnitude and noise at one sparsity, on the static set."""
    parent = dense("CIFAR10", profile)
    trials = {Key(parent.data, "dense"): trained_on(parent, "dense", profile)}
    for method in ("random", "magnitude", "lamp"):
        trials[Key(parent.data, method)] = trained_on(parent, method, profile, sparsity=0.98)
    return trials
