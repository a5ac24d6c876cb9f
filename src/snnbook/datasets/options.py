"""The keywords that `load` takes: their defaults, their types and their ranges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnbook import paths
from snnbook.datasets.frames import check_steps
from snnbook.errors import UserError, unknown

Check = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Option:
    """A keyword of `load`.

    check: takes the option's name and a value, returns the value in its one form (a share is a float, also where it
    was given as 0) and raises UserError for a value of a wrong type or out of range. decides: whether the option
    decides what the samples are; the folder that holds them does not.
    """

    default: Any
    check: Check
    decides: bool = True


@dataclass(frozen=True)
class WholeNumber:
    """A check for a whole number from `low` to `high`; `what` says what it means, with its unit."""

    low: int
    high: int
    what: str

    def __call__(self, name: str, value: Any) -> int:
        """`value` as an int."""
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not self.low <= value <= self.high:
            raise UserError(f"{name} is {self.what}, a whole number from {self.low} to {self.high}; got {value!r}")
        return int(value)


@dataclass(frozen=True)
class OneOf:
    """A check for one of a few values."""

    values: tuple[bool | str, ...]

    def __call__(self, name: str, value: Any) -> bool | str:
        """`value` as it is."""
        if not any(type(value) is type(known) and value == known for known in self.values):
            raise unknown(f"value of {name}", value, map(str, self.values))
        return value


@dataclass(frozen=True)
class Share:
    """A check for a share of at least 0 and less than 1; `what` says of what."""

    what: str

    def __call__(self, name: str, value: Any) -> float:
        """`value` as a float."""
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < 1:
            raise UserError(f"{name} is {self.what}, in [0, 1); got {value!r}")
        return float(value)


@dataclass(frozen=True)
class Pair:
    """A check for two whole numbers from `low` to `high`; `what` says what they mean, with their unit."""

    low: int
    high: int
    what: str

    def __call__(self, name: str, value: Any) -> tuple[int, int]:
        """`value` as a tuple of ints, also where it was read from JSON as a list."""
        number = WholeNumber(self.low, self.high, self.what)
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise UserError(f"{name} is {self.what}, two whole numbers from {self.low} to {self.high}; got {value!r}")
        return number(name, value[0]), number(name, value[1])


@dataclass(frozen=True)
class Maybe:
    """A check for what is either stated, and then passes `check`, or None: then it is taken from the files."""

    check: Check

    def __call__(self, name: str, value: Any) -> Any:
        """None, or `value` in the form that `check` gives it."""
        return None if value is None else self.check(name, value)


def steps(name: str, value: Any) -> int:
    """The number of time steps."""
    check_steps(value)
    return int(value)


def yes_or_no(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise UserError(f"{name} is true or false; got {value!r}")
    return value


def folder(name: str, value: Any) -> Path | None:
    """A folder, which need not be there; None where it is not given or an empty text."""
    if value is None or value == "":
        return None
    if not isinstance(value, str | Path):
        raise UserError(f"{name} is the folder that holds the data sets; got {value!r}")
    return paths.absolute(value)


ROOT = Option(None, folder, decides=False)
DOWNLOAD = Option(False, yes_or_no, decides=False)
CACHE = Option(True, yes_or_no, decides=False)
VALIDATION = Option(0.1, Share("the share of the training set that is set aside"))
TEST = Option(0.2, Share("the share of each class that is for testing where no folder is"))
SEED = Option(0, WholeNumber(0, 2**32 - 1, "the seed of the split"))
