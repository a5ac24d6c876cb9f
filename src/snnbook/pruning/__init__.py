"""Pruning methods by name, each one file; scores, schedules and budgets are values handed in."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

from snnbook.errors import unknown
from snnbook.pruning import scores
from snnbook.pruning.budgets import global_masks
from snnbook.pruning.gradual import Gradual
from snnbook.pruning.pruner import Context, Masks, Pruner, prunable
from snnbook.pruning.stp import STP
from snnbook.pruning.thresholds import cut

__all__ = [
    "Context",
    "Masks",
    "Pruner",
    "available",
    "create",
    "cut",
    "global_masks",
    "prunable",
    "scores",
    "settings",
]


@dataclass(frozen=True)
class Method:
    """A name's entry: the class, what it fixes of its settings, and one line for the reader."""

    cls: type[Pruner]
    about: str
    fixed: dict[str, Any] = field(default_factory=dict)


METHODS = {
    "dense": Method(Pruner, "no pruning: the network every method is compared with"),
    "random": Method(Gradual, "gradual pruning by noise (baseline)", {"score": "random"}),
    "magnitude": Method(Gradual, "gradual global magnitude pruning (Zhu & Gupta 2017)", {"score": "magnitude"}),
    "lamp": Method(
        Gradual,
        "gradual layer-adaptive magnitude pruning (Lee et al. 2020; paper A Eq. 1)",
        {"score": "lamp"},
    ),
    "stp": Method(STP, "spatio-temporal pruning: LAMP rounds and the KL decision step (paper A)"),
}


def available() -> dict[str, str]:
    """Method name → one-line description and paper."""
    return {name: method.about for name, method in METHODS.items()}


def settings(name: str) -> list[str]:
    """The settings that method `name` takes. Raises UserError for an unknown name."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    method = METHODS[name]
    return [p for p in inspect.signature(method.cls).parameters if p not in method.fixed]


def create(name: str, **chosen) -> Pruner:
    """The method `name` with its settings. Raises UserError for unknown names, settings and values out of range."""
    known = settings(name)
    for key in chosen:
        if key not in known:
            raise unknown(f"setting of {name}", key, known or ["none"])
    method = METHODS[name]
    return method.cls(**method.fixed, **chosen)
