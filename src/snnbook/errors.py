"""Errors that are the user's to mend: one clear line, no traceback on the command line."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from typing import Any


class UserError(ValueError):
    """A mistake in what was asked for: a name, a number, a file."""


class DamagedRecord(UserWarning):
    """A stored record is not used: it failed its check and was set aside, or an older snnbook wrote it."""


def unknown(kind: str, name: object, valid: Iterable[str]) -> UserError:
    """The error for a name that is not known, with the nearest ones that are."""
    names = sorted(valid)
    near = get_close_matches(str(name), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return UserError(f"unknown {kind} {str(name)!r}; {hint}known: {', '.join(names)}")


_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}


def check_types(instance: Any) -> None:
    """Raise UserError unless the plain fields of a dataclass hold what they are annotated with, finite if numbers."""
    for field in fields(instance):
        value, kinds = getattr(instance, field.name), _KINDS.get(str(field.type), (object,))
        right = isinstance(value, kinds) and (bool in kinds or object in kinds or not isinstance(value, bool))
        if not right or (isinstance(value, float) and not math.isfinite(value)):
            raise UserError(f"{field.name} must be {field.type} and finite, got {value!r}")
