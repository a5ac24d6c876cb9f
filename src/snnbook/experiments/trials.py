"""A trial: a frozen configuration whose id names it, and what it takes to run one.

Ref: open_lth, whose runs are their hyperparameters. A trial never holds the seed: seeds are replicates of one id.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from snnbook import datasets, networks, pruning
from snnbook.errors import UserError, check_types, unknown
from snnbook.training import Recipe

Pairs = tuple[tuple[str, Any], ...]

DETAILS = {
    "rounds": "what is left and how accurate it is at the end of every round of the method",
    "weights": "how many weights of each magnitude there are",
    "outputs": "the outputs of the first test samples at every step",
    "taylor": "divergence and Fisher information of a small change of the read-out's weights",
}
# Fields that came after the first records: left out of a configuration at their default, so that those stay valid.
_LATER = ("details",)


def _pairs(settings: Mapping[str, Any] | Pairs) -> Pairs:
    def frozen(value: Any) -> Any:
        return tuple(frozen(v) for v in value) if isinstance(value, list | tuple) else value

    return tuple(sorted((key, frozen(value)) for key, value in dict(settings).items()))


@dataclass(frozen=True)
class Trial(Recipe):
    """Everything that decides a result but the seed.

    data, T: data set and number of time steps; train_size: use the first samples only (0 = all).
    network, width, network_settings: what `networks.build` takes. method, settings: what `pruning.create` takes.
    details: what its record holds beyond the usual, names of DETAILS.
    start: the trial whose trained network (same seed) this one starts from. The rest, by keyword: the `Recipe`.
    Raises UserError for anything unknown or out of range, before any work is done.
    """

    data: str
    T: int
    network: str
    width: float = 1.0
    network_settings: Pairs = ()
    method: str = "dense"
    settings: Pairs = ()
    train_size: int = 0
    fisher_samples: int = 0
    details: tuple[str, ...] = ()
    start: Trial | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "network_settings", _pairs(self.network_settings))
        object.__setattr__(self, "settings", _pairs(self.settings))
        check_types(self)
        if self.data not in datasets.available():
            raise unknown("data set", self.data, datasets.available())
        if self.network not in networks.available():
            raise unknown("network", self.network, networks.available())
        if self.T < 1:
            raise UserError(f"T must be at least 1 step, got {self.T}")
        if not self.width > 0:
            raise UserError(f"width must be positive, got {self.width}")
        if self.train_size < 0 or self.fisher_samples < 0:
            raise UserError("train_size and fisher_samples must not be negative")
        for name in self.details:
            if name not in DETAILS:
                raise unknown("detail", name, DETAILS)
        super().__post_init__()
        pruning.create(self.method, **dict(self.settings)).rounds(self.epochs)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The canonical form: plain values, defaults included, the starting trial by its id."""
        config = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "start"}
        config |= {key: dict(config[key]) for key in ("settings", "network_settings")}
        for name in _LATER:
            if not config[name]:
                del config[name]
        return json.loads(json.dumps(config | {"start": self.start and self.start.id}))

    @cached_property
    def id(self) -> str:
        """A readable slug and a hash of the fields that differ from their defaults and of the data."""
        defaults = {f.name: f.default for f in fields(self)}
        chosen = {
            key: value
            for key, value in self.config.items()
            if key in ("data", "T", "network") or value not in (defaults[key], {}, None)
        }
        text = json.dumps([chosen, _fingerprint(self.data, self.T)], sort_keys=True)
        words = [self.method, self.data, f"T{self.T}", *(f"{k}-{v}" for k, v in self.settings)]
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words))[:60].strip("-")
        return f"{slug}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    @property
    def cost(self) -> float:
        """Work in sample-steps, good enough to weigh trials against each other in a progress bar."""
        size = self.train_size or 1000
        return size * self.T * sum(pruning.create(self.method, **dict(self.settings)).rounds(self.epochs))


def _fingerprint(data: str, T: int) -> str:
    """The data's hash; empty for a set on disk without a folder that holds it."""
    info = datasets.info(data)
    if info.on_disk and "SNNBOOK_ROOT" not in os.environ:
        return ""
    options = {"root": os.environ["SNNBOOK_ROOT"]} if info.on_disk else {}
    return datasets.fingerprint(data, **options, **({} if info.static else {"T": T}))


def options(text: str) -> dict[str, Any]:
    """`"key=value key=value"` → dict; values are numbers, true/false or words. Raises UserError for anything else."""
    found: dict[str, Any] = {}
    for word in text.split():
        key, eq, value = word.partition("=")
        if not (key and eq and value):
            raise UserError(f"options are key=value pairs, got {word!r}")
        if key in ("name", "profile", "seeds"):
            raise UserError(f"{key} is not an option of a study: give it by itself, such as --{key}")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found


def seeds(text: str) -> tuple[int, ...]:
    """`"0-4"` or `"0,2,5"` → seeds in order. Raises UserError if the text does not parse."""
    try:
        found: list[int] = []
        for part in text.split(","):
            first, dash, last = part.partition("-")
            found += range(int(first), int(last) + 1) if dash else [int(first)]
    except ValueError:
        found = []
    if not found or len(set(found)) != len(found):
        raise UserError(f"seeds are ranges or lists such as 0-4 or 0,2,5 without repeats, got {text!r}")
    return tuple(found)
