"""Errors that are the user's to mend: one clear line, no traceback on the command line."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints


class UserError(ValueError):
    """A mistake in what was asked for: a name, a number, a file."""


class DamagedRecord(UserWarning):
    """A stored record is not used: it failed its check and was set aside, or an older snnbook wrote it."""


class NotKept(UserWarning):
    """Data that were generated or unpacked are not kept for the next time: there is no folder that can be written."""


def unknown(kind: str, name: object, valid: Iterable[str]) -> UserError:
    """The error for a name that is not known, with the nearest ones that are."""
    names = sorted(valid)
    near = get_close_matches(str(name), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return UserError(f"unknown {kind} {str(name)!r}; {hint}known: {', '.join(names)}")


def first_line(err: BaseException) -> str:
    """The first line of an error's text, or its type if it has none."""
    return str(err).splitlines()[0] if str(err) else type(err).__name__


@dataclass(frozen=True)
class Within:
    """A bound on a number, for `Annotated`: it lies between `low` and `high`; `ends` says which of them it may be."""

    low: float
    high: float = math.inf
    ends: str = "[)"

    def check(self, name: str, value: Any) -> None:
        """Raise UserError unless the number lies in the range."""
        left, right = self.ends[0], self.ends[1]
        low = value > self.low or (left == "[" and value == self.low)
        high = value < self.high or (right == "]" and value == self.high)
        if not (low and high):
            place = f"lie in {left}{self.low:g}, {self.high:g}{right}"
            if self.high == math.inf:
                place = f"be {'at least' if left == '[' else 'more than'} {self.low:g}"
            raise UserError(f"{name} must {place}, got {value!r}")


@dataclass(frozen=True)
class OneOf:
    """A bound on a text, for `Annotated`: it is one of the `valid` names of a `kind`. What is no text passes."""

    kind: str
    valid: Collection[str]

    def check(self, name: str, value: Any) -> None:
        """Raise UserError, with the nearest names, for a text that is not among them."""
        if isinstance(value, str) and value not in self.valid:
            raise unknown(self.kind, value, self.valid)


def check_types(instance: Any) -> None:
    """Raise UserError unless the fields of a dataclass hold what they are annotated with, bounds included.

    Numbers must be finite; an int is a float, a bool is no number. Fields that `__init__` does not take are left out.
    """
    hints = _hints(instance.__class__)
    for field in fields(instance):
        if field.init:
            _check(field.name, getattr(instance, field.name), hints[field.name])


@cache
def _hints(cls: Hashable) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def _check(name: str, value: Any, hint: Any) -> None:
    if not _fits(value, hint):
        raise UserError(f"{name} must be {_words(hint)}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name} must be finite, got {value!r}")
    for bound in _bounds(value, hint):
        bound.check(name, value)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a hint's type, whatever its bounds."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fits(value, args[0])
    if origin in (Union, UnionType):
        return any(_fits(value, member) for member in args)
    if isinstance(value, bool) or hint is Any:
        return hint in (bool, Any)
    if origin is tuple and args[1:] == (Ellipsis,):
        return isinstance(value, tuple) and all(_fits(v, args[0]) for v in value)
    return isinstance(value, (int, float) if hint is float else origin or hint)


def _bounds(value: Any, hint: Any) -> Iterator[Within | OneOf]:
    """The bounds of a hint; of the members of a union, those of the first that the value fits."""
    if get_origin(hint) is Annotated:
        yield from _bounds(value, get_args(hint)[0])
        yield from hint.__metadata__
    elif get_origin(hint) in (Union, UnionType):
        yield from _bounds(value, next(member for member in get_args(hint) if _fits(value, member)))


def _words(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        return _words(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(map(_words, get_args(hint)))
    if hint is NoneType:
        return "none"
    if get_origin(hint) is Callable:
        return "a function"
    return str(hint).replace("typing.", "") if get_args(hint) else str(getattr(hint, "__name__", hint))
