"""Paper B, unstructured pruning of weights and neurons (Shi et al. 2024): the runs behind its tables and figures.

All train from scratch for as long as a method of the comparison does in total, and their baseline is a dense network
of one schedule of as many epochs. Settings that an experiment does not vary are those that the comparison tuned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from snnbook.experiments.key import Key
from snnbook.experiments.profiles import dense
from snnbook.experiments.store import Store
from snnbook.experiments.studies import register
from snnbook.experiments.studies.compare import (
    TUNING_SEEDS,
    arm,
    candidate_level,
    chosen,
    folder,
    levels,
    plans,
    scores_of,
    settings_at,
)
from snnbook.experiments.trials import Trial
from snnbook.pruning.registry import ComparisonPlan, Settings, grid

METHOD, DENSE, IMAGES = "unstructured", "dense", "CIFAR10"
ON_TWO = (IMAGES, "CIFAR10-DVS")
ON_THREE = (*ON_TWO, "CIFAR100")
RIVALS = ("admm", "gradr", "esl_snn", "stds")
SLOW = 1e-3  # one at which more than a hundredth of the masks is undecided at the steepest of a few hundred steps
FEW_STEPS, MANY_STEPS = "half the epochs", "twice the epochs"
NARROW, WIDE = "half as wide", "twice as wide"


def ours(role: str, profile: str, store: Store | None, **settings: Any) -> Trial:
    """A run of the method as the comparison runs it, with other settings. store: that with tuning's records."""
    return arm(role, METHOD, plans()[METHOD], {**chosen(METHOD, store), **settings}, profile)


def undamaged(role: str, profile: str) -> Trial:
    """The dense network that the runs on the data of a role are measured against."""
    return arm(role, DENSE, replace(plans()[DENSE], from_scratch=True), {}, profile)


def strength(value: float) -> str:
    """The level of a strength."""
    return f"strength {value:g}"


@register("B.ladder", needs=("compare.tuning",))
def ladder(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """Paper B Tables 1 and A1, Figs. A1 and A2: weights and neurons pruned over a ladder of lambda."""
    trials: dict[Key, Trial] = {}
    for role in ON_THREE:
        trials[Key(dense(role, profile).data, DENSE)] = undamaged(role, profile)
        for value in (0.1, 1.0) if profile == "smoke" else (0.01, 0.03, 0.1, 0.3, 1.0, 3.0):
            trial = ours(role, profile, store, strength=value)
            trials[Key(trial.data, METHOD, strength(value))] = trial
    return trials


@register("B.rivals", needs=("compare.tuning",))
def rivals(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """Paper B Table 2 and Fig. 3: against ADMM, Grad R, ESL-SNN and STDS, all as in the comparison of all methods."""
    return _as_compared((METHOD, *RIVALS), profile, store)


@register("B.pair", needs=("compare.tuning",), replicates=10)
def pair(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """Paper B Table 2: against Grad R, the closest rival, with ten seeds."""
    return _as_compared((METHOD, "gradr"), profile, store)


def _as_compared(methods: tuple[str, ...], profile: str, store: Store | None) -> dict[Key, Trial]:
    trials: dict[Key, Trial] = {}
    for role in ON_TWO:
        data = dense(role, profile).data
        trials[Key(data, DENSE)] = undamaged(role, profile)
        for method in methods:
            plan = plans()[method]
            for level in levels(plan, profile, role):
                trials[Key(data, method, level)] = arm(role, method, plan, settings_at(method, level, store), profile)
    return trials


@dataclass(frozen=True)
class Part:
    """An arm of the ablation: what has masks, and the shares of the connections that it is steered to.

    Neurons alone leave a quarter of the connections at once, and weights alone a half, see `soft_masks`.
    """

    masks: Mapping[str, bool]
    targets: tuple[float, ...]

    @property
    def plan(self) -> ComparisonPlan:
        """That of the method with the masks of the arm, and as many candidates around where single masks do well."""
        plan = plans()[METHOD]
        candidates = grid("span lr_mask", *product((0.25, 0.4, 0.8), (3e-3, 1e-2, 3e-2)))
        return replace(plan, candidates=candidates, shared={**plan.shared, **self.masks})


BOTH = "both"
PARTS = {
    BOTH: Part({}, (0.1, 0.05, 0.02, 0.01, 0.005)),
    "weights": Part({"neurons": False}, (0.1, 0.05, 0.02, 0.01, 0.005)),
    "neurons": Part({"weights": False}, (0.2, 0.1, 0.05, 0.02, 0.01)),
}


@register("B.parts.tuning", seeds=TUNING_SEEDS)
def parts_tuning(profile: str) -> dict[Key, Trial]:
    """What the settings of masks of weights alone and of neurons alone are chosen from."""
    data = dense(IMAGES, profile).data
    return {
        Key(data, name, candidate_level(level, candidate)): _tried(name, level, candidate, profile)
        for name, part in PARTS.items()
        if name != BOTH
        for candidate in part.plan.candidates[: 2 if profile == "smoke" else None]
        for level in part.plan.tuned_at
    }


def _tried(part: str, level: str, candidate: Settings, profile: str) -> Trial:
    plan = PARTS[part].plan
    return arm(IMAGES, METHOD, plan, {**plan.levels[level], **candidate}, profile)


def tuning_scores(part: str, store: Store | None = None) -> list[float]:
    """Validation accuracy of each candidate of an arm, as `compare.tuning_scores` has that of a method."""

    def trial(level: str, candidate: Settings) -> Trial:
        return _tried(part, level, candidate, "laptop")

    return scores_of(f"masks of {part} alone", PARTS[part].plan, trial, folder(store), "B.parts.tuning")


def chosen_for(part: str, store: Store | None = None) -> Settings:
    """The candidate of an arm that did best in tuning, as `compare.chosen` has that of a method."""
    if part == BOTH:
        return chosen(METHOD, store)
    scores = tuning_scores(part, store)
    return PARTS[part].plan.candidates[scores.index(max(scores))]


@register("B.parts", needs=("compare.tuning", "B.parts.tuning"))
def parts(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """Paper B Table A2 and Fig. 4: masks of weights, of neurons and of both, steered to shares of the connections."""
    trials: dict[Key, Trial] = {}
    for role in ON_TWO:
        data = dense(role, profile).data
        trials[Key(data, DENSE)] = undamaged(role, profile)
        for name, part in PARTS.items():
            settings = {**chosen_for(name, store), **part.masks}
            for target in part.targets[: 2 if profile == "smoke" else None]:
                trials[Key(data, name, f"target {target:g}")] = ours(role, profile, store, **settings, target=target)
    return trials


@register("B.slope", needs=("compare.tuning",))
def slope(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """Paper B Fig. A3: the slope of the masks at first and at last, where masks move so slowly that it matters."""
    trials: dict[Key, Trial] = {}
    slopes = [(5.0, last) for last in (200.0, 1000.0, 5000.0)] + [(first, 1000.0) for first in (1.0, 25.0)]
    for first, last in slopes:
        for value in (0.3,) if profile == "smoke" else (0.1, 0.3, 1.0):
            settings = {"strength": value, "beta": first, "beta_end": last, "lr_mask": SLOW}
            trial = ours(IMAGES, profile, store, **settings)
            trials[Key(trial.data, f"{first:g} to {last:g}", strength(value))] = trial
    return trials


@register("B.width", needs=("compare.tuning",))
def width(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """What stands in for a network with less redundancy, which paper B says can lose less: narrower and wider ones."""
    trials: dict[Key, Trial] = {}
    for value in (0.5, 1.0) if profile == "smoke" else (0.5, 1.0, 2.0):
        name = f"width {value:g}"
        base = undamaged(IMAGES, profile)
        trials[Key(base.data, name, DENSE)] = _scaled(base, value)
        for lam in (0.1,) if profile == "smoke" else (0.03, 0.1, 0.3):
            trials[Key(base.data, name, strength(lam))] = _scaled(ours(IMAGES, profile, store, strength=lam), value)
    return trials


def _scaled(trial: Trial, width: float) -> Trial:
    return replace(trial, width=trial.width * width)


@register("B.transfer", needs=("compare.tuning",))
def transfer(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """Whether a strength, or a target, leaves as much on other data, networks and lengths of training."""
    trials: dict[Key, Trial] = {}
    for name, settings in (("strength", {"strength": 0.3}), ("target", {"target": 0.02})):
        for role in ON_THREE:
            trial = ours(role, profile, store, **settings)
            trials[Key(trial.data, name)] = trial
            if role == IMAGES:
                other = {
                    FEW_STEPS: replace(trial, epochs=trial.epochs // 2),
                    MANY_STEPS: replace(trial, epochs=trial.epochs * 2),
                    NARROW: _scaled(trial, 0.5),
                    WIDE: _scaled(trial, 2.0),
                }
                trials |= {Key(trial.data, name, change): it for change, it in other.items()}
    return trials


@register("B.product", needs=("compare.tuning",))
def penalties(profile: str, store: Store | None = None) -> dict[Key, Trial]:
    """Paper B Eq. 8 against Eq. 11: the product of the masks or their sum as the penalty, from nine starts.

    On a network half as wide, since Eq. 8 is counted anew at every step.
    """
    trials: dict[Key, Trial] = {}
    starts = list(product((-0.05, 0.0, 0.05), (1.0, 5.0, 25.0)))
    for cost, name in (("product", "Eq. 8"), ("geometry", "Eq. 11")):
        for value in (0.1,) if profile == "smoke" else (0.1, 1.0):
            for alpha, beta in starts[: 2 if profile == "smoke" else None]:
                trial = ours(IMAGES, profile, store, strength=value, cost=cost, alpha=alpha, beta=beta)
                level = f"{strength(value)}, alpha {alpha:g}, beta {beta:g}"
                trials[Key(trial.data, name, level)] = _scaled(trial, 0.5)
    return trials
