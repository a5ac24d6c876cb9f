"""A trial: a frozen configuration whose id names it, and what it takes to run one.

Ref: open_lth, whose runs are their hyperparameters. A trial never holds the seed: seeds are replicates of one id.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from typing import Any

from torch import nn

from snnbook import datasets, networks, pruning
from snnbook.errors import UserError, check_types, unknown
from snnbook.experiments.extras import EXTRAS
from snnbook.training import Recipe

Pairs = tuple[tuple[str, Any], ...]
Settings = Mapping[str, Any] | Pairs  # a trial takes both, and keeps pairs in order of their names
DEVICES = ("cpu", "cuda")


def _pairs(settings: Settings) -> Pairs:
    def frozen(value: Any) -> Any:
        return tuple(frozen(v) for v in value) if isinstance(value, list | tuple) else value

    return tuple(sorted((key, frozen(value)) for key, value in dict(settings).items()))


@dataclass(frozen=True)
class Trial(Recipe):
    """Everything that decides a result but the seed.

    data: name of the data set. T: number of time steps. data_settings: further options of `datasets.load` that decide
    what a sample is. train_size: number of samples of every split that are used, its `head`; 0 uses all.
    network, width, network_settings: what `networks.build` takes under these names. method, settings: what
    `pruning.create` takes. fisher_samples: number of training samples for the Fisher trace; 0 leaves it out.
    extras: names of EXTRAS, which are measurements that the record holds beyond the usual ones. start: the trial from
    whose trained network, of the same seed, this one starts; None starts from random weights. device: "cpu" or "cuda".
    root: folder of a data set on disk. It is no part of the configuration, which holds a fingerprint of the data
    instead. The fields of `Recipe`, which say how the network is trained, are given by keyword.

    Raises UserError for an unknown name and for a value out of range, before any work is done.
    """

    data: str
    T: int
    network: str
    width: float = 1.0
    network_settings: Settings = ()
    method: str = "dense"
    settings: Settings = ()
    train_size: int = 0
    fisher_samples: int = 0
    extras: tuple[str, ...] = ()
    start: Trial | None = None
    data_settings: Settings = ()
    device: str = "cpu"
    root: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name in ("data_settings", "network_settings", "settings"):
            object.__setattr__(self, name, _pairs(getattr(self, name)))
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
        if self.device not in DEVICES:
            raise unknown("device", self.device, DEVICES)
        for name in self.extras:
            if name not in EXTRAS:
                raise unknown("extra", name, EXTRAS)
        super().__post_init__()
        datasets.settings(self.data, **dict(self.data_settings))
        networks.settings(self.network, self.image_size, **dict(self.network_settings))
        pruning.create(self.method, **dict(self.settings)).rounds(self.epochs)
        json.dumps([self.data_settings, self.network_settings, self.settings], default=_named)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of a sample, px."""
        return _image_size(self.data, _pairs(self.data_options))

    def build(self, classes: int, channels: int, size: tuple[int, int]) -> nn.Module:
        """The network of the trial before training, for samples of `channels` and a `size` in px, [H, W]."""
        settings = dict(self.network_settings)
        return networks.build(self.network, classes, channels, size, self.width, self.T, **settings)

    @property
    def data_options(self) -> dict[str, Any]:
        """The options by name that `datasets.load` and `datasets.fingerprint` take for this trial."""
        options = dict(self.data_settings)
        if not datasets.info(self.data).static:
            options["T"] = self.T
        if self.root and datasets.info(self.data).on_disk:
            options["root"] = self.root
        return options

    @cached_property
    def config(self) -> dict[str, Any]:
        """All that decides the result, in plain values: settings with their defaults, and the config of the start.

        Numbers have one form: 2 and 2.0 are the same. Raises UserError where the files of a data set cannot be read.
        """
        config = {f.name: getattr(self, f.name) for f in fields(self) if f.compare and f.name != "start"}
        config["data_settings"] = datasets.settings(self.data, **dict(self.data_settings))
        config["network_settings"] = networks.settings(self.network, self.image_size, **dict(self.network_settings))
        config["settings"] = pruning.identity(self.method, dict(self.settings))
        config["content"] = _fingerprint(self.data, _pairs(self.data_options))
        config["start"] = self.start and self.start.config
        return json.loads(json.dumps(_numbers(config), default=_named))

    @classmethod
    def from_config(cls, config: Mapping[str, Any], root: str = "") -> Trial:
        """The trial that has this `config`; root: as in the trial.

        Raises UserError for a name or setting that this version does not know, TypeError for a field.
        """
        known = {key: value for key, value in config.items() if key not in ("start", "content")}
        known["extras"] = tuple(known["extras"])
        start = cls.from_config(config["start"], root) if config["start"] else None
        return cls(**known, start=start, root=root)

    @cached_property
    def id(self) -> str:
        """A readable slug and eight hexadecimal digits of the hash of `config`.

        The slug names the sparsity and the settings that differ from the method's defaults.
        """
        defaults = pruning.settings(self.method)
        shown = {k: v for k, v in (defaults | dict(self.settings)).items() if v != defaults[k] or k == "sparsity"}
        chosen = [
            f"{k}-{v:g}" if isinstance(v, float) else f"{k}-{v}" for k, v in sorted(shown.items()) if v is not None
        ]
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join([self.method, self.data, f"T{self.T}", *chosen]))[:60].strip("-")
        text = json.dumps(self.config, sort_keys=True)
        return f"{slug}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    @property
    def epochs_start(self) -> int:
        """Number of epochs of all trainings that came before this one; 0 without a start."""
        if self.start is None:
            return 0
        return sum(self.start.rounds) + self.start.epochs_start

    @property
    def rounds(self) -> list[int]:
        """Number of epochs of every training of the method, in order: one entry unless it prunes in rounds."""
        return pruning.create(self.method, **dict(self.settings)).rounds(self.epochs)

    @property
    def cost(self) -> float:
        """Samples times time steps times epochs, by which a progress bar weighs trials.

        A whole set counts as 1000 samples.
        """
        size = self.train_size or 1000
        return size * self.T * sum(self.rounds)


@cache
def _image_size(data: str, options: Pairs) -> tuple[int, int]:
    return datasets.image_size(data, **dict(options))


@cache
def _fingerprint(data: str, options: Pairs) -> str:
    return datasets.fingerprint(data, **dict(options))


def _numbers(value: Any) -> Any:
    """The value with whole floats as integers, in mappings and sequences as well."""
    if isinstance(value, Mapping):
        return {key: _numbers(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _named(value: Any) -> str:
    raise UserError(f"a trial holds numbers, words and lists of them, got {value!r}: hand in the name of it instead")
