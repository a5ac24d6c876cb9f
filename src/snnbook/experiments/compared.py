"""How each method takes part in the comparison of all methods, by its plan in `snnbook.pruning`, under older names.

All get the same epochs in total. Methods whose source prunes a trained network go on from the dense one of the same
seed; the others train from scratch for as long as both of these trainings take together. Each was tuned with four
candidates, or fewer where it has no more to choose, on the validation split of digits-clutter, with a seed that the
comparison does not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snnbook.pruning.registry import SPARSITIES, ComparisonPlan, Settings, described, methods, percent

__all__ = ["ARMS", "SPARSITIES", "Arm", "Settings", "described", "percent"]

# Index of the candidate that did best in tuning, where it is not the first.
_BEST = {
    "unstructured": 2, "imp": 1, "stp": 2, "deepr": 1, "admm": 1, "criticality": 1, "granet": 1, "ndsnn": 1,
    "nslim": 1, "greg": 3, "criticality_structured": 2,
}  # fmt: skip
_ROLES = {"CIFAR10": "digits-clutter", "CIFAR10-DVS": "digits-dvs", "DVS128-Gesture": "arms-dvs"}


@dataclass(frozen=True)
class Arm:
    """A `ComparisonPlan` and the index of the best candidate."""

    candidates: tuple[Settings, ...] = ()
    best: int = 0
    scratch: bool = False
    ladder: Mapping[str, Settings] = field(default_factory=dict)
    fixed: Settings = field(default_factory=dict)
    on: Mapping[str, Settings] = field(default_factory=dict)
    tuned: str = "98 %"

    @property
    def chosen(self) -> Settings:
        """The settings that all rungs share on all sets."""
        return {**self.fixed, **(self.candidates[self.best] if self.candidates else {})}


def _arm(name: str, plan: ComparisonPlan) -> Arm:
    by_set: dict[str, Any] = {_ROLES[role]: settings for role, settings in plan.by_role.items()}
    return Arm(plan.candidates, _BEST.get(name, 0), plan.from_scratch, plan.levels, plan.shared, by_set, plan.tuned_at)


ARMS: dict[str, Arm] = {name: _arm(name, entry.plan) for name, entry in methods().items() if entry.plan}
