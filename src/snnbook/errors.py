"""Errors that are the user's to mend: one clear line, no traceback on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A mistake in what was asked for: a name, a number, a file."""


class DamagedRecord(UserWarning):
    """A stored record failed its check, was set aside and is not used."""


def unknown(kind: str, name: object, valid: Iterable[str]) -> UserError:
    """The error for a name that is not known, with the nearest ones that are."""
    names = sorted(valid)
    near = get_close_matches(str(name), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return UserError(f"unknown {kind} {str(name)!r}; {hint}known: {', '.join(names)}")
