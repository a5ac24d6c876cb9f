"""How each method takes part in the comparison of all methods: its start, its settings and its ladder of sparsities.

All get the same epochs in total. Methods whose source prunes a trained network go on from the dense one of the same
seed; the others train from scratch for as long as both of these trainings take together. Each was tuned with four
candidates, or fewer where it has no more to choose, on the validation split of digits-clutter, with a seed that the
comparison does not use.
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


def _targets() -> dict[str, Settings]:
    return {percent(s): {"sparsity": s} for s in SPARSITIES}


@dataclass(frozen=True)
class Arm:
    """candidates: the settings that tuning tried, at the rung `tuned`; `best` is the index of those that are used.

    ladder: name of a rung → its settings. fixed: further settings of all rungs. on: settings that hold on one set only,
    by its name. scratch: trained from scratch. Where settings hold a number of `cuts`, a rung's sparsity becomes the
    share of the survivors that each cut takes.
    """

    candidates: tuple[Settings, ...] = ()
    best: int = 0
    scratch: bool = False
    ladder: Mapping[str, Settings] = field(default_factory=_targets)
    fixed: Settings = field(default_factory=dict)
    on: Mapping[str, Settings] = field(default_factory=dict)
    tuned: str = "98 %"

    @property
    def chosen(self) -> Settings:
        """The settings that all rungs share on all sets."""
        return {**self.fixed, **(self.candidates[self.best] if self.candidates else {})}


def described(settings: Settings) -> str:
    """`{"span": 0.6, "updates": 12}` → `span 0.6, updates 12`."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in settings.items()
    )


def _grid(names: str, *values: tuple[Any, ...]) -> tuple[Settings, ...]:
    """Candidates: the settings of that names, one tuple of values each."""
    return tuple(dict(zip(names.split(), each, strict=True)) for each in values)


def _free(name: str, *values: float, tuned: int = 1) -> dict[str, Any]:
    """A ladder of a method whose sparsity is an outcome of one setting; the rung of that index is the tuned one."""
    ladder = {f"{name} {v:g}": {name: v} for v in values}
    return {"ladder": ladder, "tuned": list(ladder)[tuned]}


_GRADUAL = _grid("span updates", (0.4, 12), (0.6, 12), (0.8, 12), (0.6, 24))
_ROUNDS = _grid("cuts tail", (6, 0.25), (4, 0.25), (4, 0.5), (3, 0.5))
_REWOUND = _grid("cuts rewind", (1, 2), (2, 2), (3, 1), (4, 1))
_DROP = _grid("fraction span", (0.1, 0.5), (0.3, 0.5), (0.1, 0.75), (0.3, 0.75))

ARMS: dict[str, Arm] = {
    "dense": Arm(ladder={}),
    "random": Arm(_GRADUAL),
    "magnitude": Arm(_GRADUAL),
    "lamp": Arm(_GRADUAL),
    "slamp": Arm(_GRADUAL),
    "unstructured": Arm(
        _grid("lr_mask", (3e-3,), (5e-3,), (1e-2,), (2e-2,)), 2, scratch=True, **_free("strength", 0.1, 0.3, 1.0, 3.0)
    ),
    "imp": Arm(_REWOUND, 1, scratch=True),
    "stp": Arm(_ROUNDS, 2, fixed={"lam": 0.05}, on={"digits-clutter": {"temporal": False}}),
    "deepr": Arm(_grid("strength noise", (1e-3, 1e-3), (1e-2, 1e-2), (0.1, 0.1), (0.3, 0.0)), 1, scratch=True),
    "gradr": Arm(scratch=True, **_free("strength", 2.3, 3.5, 5.5, 7.5)),
    "stds": Arm(_grid("rise", ("sine",), ("linear",)), scratch=True, **_free("strength", 1.0, 1.4, 1.8, 2.2)),
    "admm": Arm(
        _grid("layers strength", ("global", 5e-4), ("global", 0.05), ("global", 0.5), ("erk", 0.05)),
        1,
        fixed={"updates": 5},
    ),
    "rcmo": Arm(_grid("span pull", (0.3, 4e-6), (0.5, 4e-6), (0.7, 4e-6), (0.5, 1.0))),
    "criticality": Arm(_grid("regeneration span", (0.01, 0.4), (0.05, 0.4), (0.2, 0.4), (0.05, 0.6)), 1, scratch=True),
    "set": Arm(_DROP, scratch=True),
    "esl_snn": Arm(_grid("fraction updates", (0.3, 20), (0.3, 40), (0.3, 60), (0.5, 40)), scratch=True),
    "rigl": Arm(_grid("again updates", (True, 20), (True, 40), (True, 60), (False, 40)), scratch=True),
    "granet": Arm(_grid("fraction initial", (0.1, 0.5), (0.1, 0.0), (0.2, 0.5), (0.5, 0.5)), 1, scratch=True),
    "ndsnn": Arm(_grid("fraction span", (0.3, 0.5), (0.5, 0.5), (0.3, 0.75), (0.5, 0.75)), 1, scratch=True),
    "nslim": Arm(
        _grid("strength span", (1e-4, 0.5), (1e-3, 0.5), (1e-2, 0.5), (1e-3, 0.3)),
        1,
        **_free("channels", 0.3, 0.42, 0.52, 0.62, tuned=2),
    ),
    "greg": Arm(
        _grid("strength variant", (0.3, 1), (1.0, 1), (3.0, 1), (1.0, 2)),
        3,
        **_free("channels", 0.6, 0.69, 0.78, 0.86, tuned=2),
    ),
    "sccd": Arm(
        _grid("balance strength", (0.25, 0.1), (0.25, 1.0), (0.5, 0.1), (0.5, 1.0)),
        **_free("channels", 0.6, 0.69, 0.78, 0.86, tuned=2),
    ),
    "criticality_structured": Arm(
        _grid("regeneration strength", (0.1, 1e-3), (0.1, 1e-2), (0.3, 1e-3), (0.3, 1e-2)),
        2,
        **_free("channels", 0.3, 0.45, 0.56, 0.7, tuned=2),
    ),
}
