"""The five parameters of every notebook, as people, the command line and papermill hand them over.

Papermill reads YAML, so a value may be text, a number, a list, a mapping or null (None). A value is taken for what it
means, or refused by one line that names the parameter; null and an empty text stand for the default.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from numbers import Integral
from typing import Any

from snnbook import paths
from snnbook.errors import UserError

DEFAULTS: dict[str, Any] = {"profile": "laptop", "seeds": "", "results": "", "jobs": 2, "options": ""}
"""Name → what an empty value stands for; no seeds and no results are those of the profile."""
MOST_SEEDS = 10_000


def profile(value: Any) -> str:
    """The name of a profile, which need not be known. Raises UserError for what is no text."""
    if value is None or value == "":
        return DEFAULTS["profile"]
    if not isinstance(value, str):
        raise UserError(f"profile must be the name of a profile, got {value!r}")
    return value


def seeds(value: Any) -> tuple[int, ...]:
    """A number, `"0-4"`, `"0,2,5"` or a list of such → seeds in order; empty for those of the profile.

    Raises UserError for what does not parse and for seeds that stand there twice.
    """
    if value is None or value == "":
        return ()
    parts = list(value) if isinstance(value, list | tuple | range) else [value]
    listed: list[int] = []
    try:
        for part in parts:
            if not isinstance(part, str | Integral) or isinstance(part, bool):
                raise ValueError
            for item in str(part).split(","):
                first, dash, last = item.partition("-")
                start, end = int(first), int(last if dash else first)
                if not 0 <= start <= end < min(2**63, start + MOST_SEEDS):
                    raise ValueError
                listed += range(start, end + 1)
    except ValueError:
        listed = []
    if not 0 < len(set(listed)) == len(listed):
        raise UserError(f"seeds are numbers, ranges or lists such as 0-4 or 0,2,5 without repeats, got {value!r}")
    return tuple(listed)


def results(value: Any) -> str:
    """The whole name of a folder of records, a relative one taken from the working folder; empty for the profile's.

    Raises UserError for what is no text: papermill makes a number of a folder `7`, unless it is given with `-r`.
    """
    if value is None or value == "":
        return ""
    if not isinstance(value, str | os.PathLike):
        raise UserError(f"results must be the name of a folder as text, got {value!r}")
    return str(paths.absolute(os.fspath(value)))


def jobs(value: Any) -> int:
    """The number of trials that run at a time. Raises UserError for what is no whole number of at least 1."""
    if value is None or value == "":
        return DEFAULTS["jobs"]
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise UserError(f"jobs must be a whole number of at least 1, got {value!r}")
    return int(value)


def options(value: Any) -> dict[str, Any]:
    """`"key=value key=value"` or a mapping → dict; values are numbers, true/false, null, lists or words.

    In a text, values are quoted where they hold a blank. A relative folder `root` is taken from the working folder.
    Raises UserError for anything else.
    """
    if value is None or value == "":
        return {}
    if isinstance(value, Mapping):
        chosen = dict(value)
        if wrong := [key for key in chosen if not isinstance(key, str) or not key or "=" in key]:
            raise UserError(f"options have names, got {wrong[0]!r} in {value!r}")
        try:
            chosen = json.loads(json.dumps(chosen))
        except (TypeError, ValueError, RecursionError) as err:
            raise UserError(f"options hold numbers, words and lists of them, got {value!r}: {err}") from err
    elif isinstance(value, str):
        chosen = _parsed(value)
    else:
        raise UserError(f"options are key=value pairs or a mapping, got {value!r}")
    for key in ("name", "profile", "seeds"):
        if key in chosen:
            raise UserError(f"{key} is not an option of a study: give it by itself, such as --{key}")
    if isinstance(chosen.get("root"), str) and chosen["root"]:
        chosen["root"] = str(paths.absolute(chosen["root"]))
    return chosen


def _parsed(text: str) -> dict[str, Any]:
    try:
        words = shlex.split(text)
    except ValueError as err:
        raise UserError(f"options are key=value pairs, got {text!r}: {err}") from err
    chosen: dict[str, Any] = {}
    for word in words:
        key, eq, value = word.partition("=")
        if not (key and eq and value):
            raise UserError(f"options are key=value pairs, got {word!r}")
        if key in chosen:
            raise UserError(f"options give {key} twice, in {text!r}")
        chosen[key] = _value(value)
    return chosen


def _value(word: str) -> Any:
    """What a word means as the value of an option: what it is in JSON, or else the word itself."""
    try:
        return json.loads(word)
    except (ValueError, RecursionError):
        return word


def as_text(given: Mapping[str, Any]) -> dict[str, Any]:
    """The five parameters in the one form in which they are compared, shown and handed on: text, and `jobs` an int.

    given: they and whatever else; one that is missing has its default. Raises UserError for a value that is refused.
    """
    taken = DEFAULTS | dict(given)
    wanted = seeds(taken["seeds"])
    return {
        "profile": profile(taken["profile"]),
        "seeds": taken["seeds"] if isinstance(taken["seeds"], str) else ",".join(map(str, wanted)),
        "results": results(taken["results"]),
        "jobs": jobs(taken["jobs"]),
        "options": shlex.join(f"{key}={_word(value)}" for key, value in options(taken["options"]).items()),
    }


def _word(value: Any) -> str:
    """The word that `_value` reads as this value; it is not empty."""
    return value if isinstance(value, str) and value and _value(value) == value else json.dumps(value)
