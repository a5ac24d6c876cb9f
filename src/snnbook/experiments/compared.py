"""How each method takes part in the comparison of all methods: its start, its settings and its ladder of sparsities.

All get the same epochs in total. Methods whose source prunes a trained network go on from the dense one of the same
seed; the others train from scratch for as long as both of these trainings take together. Each was tuned with the same
number of candidates, on the validation split of digits-clutter, with a seed that the comparison does not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Settings = Mapping[str, Any]

SPARSITIES = (0.90, 0.95, 0.98, 0.99)


def percent(share: float) -> str:
    """`0.9` → `90 %`: the name of a rung."""
    return f"{100 * share:g} %"


@dataclass(frozen=True)
class Arm:
    """ladder: name of a rung → its settings. settings: those of all rungs, as tuned. candidates: what tuning tried,
    at the rung `tuned`. on: settings that hold on one set only, by its name. scratch: trained from scratch.

    Where settings hold a number of `cuts`, a rung's sparsity becomes the share of the survivors that each cut takes.
    """

    ladder: Mapping[str, Settings] = field(default_factory=lambda: {percent(s): {"sparsity": s} for s in SPARSITIES})
    settings: Settings = field(default_factory=dict)
    candidates: tuple[Settings, ...] = ()
    on: Mapping[str, Settings] = field(default_factory=dict)
    scratch: bool = False
    tuned: str = "98 %"


def steps(name: str, values: tuple[float, ...]) -> dict[str, Settings]:
    """Rungs of a method whose sparsity is an outcome of one setting."""
    return {f"{name} {v:g}": {name: v} for v in values}


def described(settings: Settings) -> str:
    """`{"span": 0.6, "updates": 12}` → `span 0.6, updates 12`."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in settings.items()
    )


_GRADUAL: tuple[Settings, ...] = (
    {"span": 0.4, "updates": 12},
    {"span": 0.6, "updates": 12},
    {"span": 0.8, "updates": 12},
    {"span": 0.6, "updates": 24},
)

_ROUNDS: tuple[dict[str, Any], ...] = (
    {"cuts": 6, "tail": 0.25},
    {"cuts": 4, "tail": 0.25},
    {"cuts": 4, "tail": 0.5},
    {"cuts": 3, "tail": 0.5},
)
_IMP: tuple[dict[str, Any], ...] = (
    {"cuts": 1, "rewind": 2},
    {"cuts": 2, "rewind": 2},
    {"cuts": 3, "rewind": 1},
    {"cuts": 4, "rewind": 1},
)

ARMS: dict[str, Arm] = {
    "dense": Arm(ladder={}),
    "random": Arm(settings=_GRADUAL[0], candidates=_GRADUAL),
    "magnitude": Arm(settings=_GRADUAL[0], candidates=_GRADUAL),
    "lamp": Arm(settings=_GRADUAL[0], candidates=_GRADUAL),
#    "imp": Arm(scratch=True, settings={"cuts": 2, "rewind": 2}, candidates=_IMP),
    "stp": Arm(settings=_ROUNDS[0] | {"lam": 0.05}, candidates=_ROUNDS, on={"digits-clutter": {"temporal": False}}),
}
