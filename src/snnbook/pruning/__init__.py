"""Pruning methods by name, each one file; scores, schedules and budgets are values handed in."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from snnbook.pruning import methods, scores
from snnbook.pruning.budgets import global_masks
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.pruner import Context, Masks, Pruner
from snnbook.pruning.registry import METHODS, ComparisonPlan, available, create, identity, method, settings
from snnbook.pruning.saving import load, save
from snnbook.pruning.weights import frozen, prunable

__all__ = [
    "METHODS",
    "ComparisonPlan",
    "Context",
    "Masks",
    "Pruner",
    "available",
    "create",
    "cut",
    "frozen",
    "global_masks",
    "identity",
    "load",
    "method",
    "prunable",
    "save",
    "scores",
    "settings",
]

method("dense", about="no pruning: the network every method is compared with", plan=ComparisonPlan(levels={}))(Pruner)
for _module in iter_modules(methods.__path__, f"{methods.__name__}."):
    import_module(_module.name)
