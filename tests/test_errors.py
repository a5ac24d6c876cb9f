"""Settings are what they are annotated with, within their bounds; otherwise one line says what they must be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest

from snnbook.errors import OneOf, UserError, Within, check_types

Share = Annotated[float, Within(0, 1, "[)")]


@dataclass
class Settings:
    share: Share = 0.5
    span: Annotated[float, Within(0, 1, "(]")] = 1.0
    count: Annotated[int, Within(1)] = 1
    rate: Annotated[float, Within(0, ends="()")] = 1.0
    limit: Share | None = None
    schedule: Annotated[str | Callable[[float], float], OneOf("schedule", ("cubic", "linear"))] = "cubic"
    switch: bool | str = True
    names: tuple[str, ...] = ()
    pairs: dict[str, Any] = field(default_factory=dict)
    anything: Any = None
    state: list[str] = field(default=None, init=False)  # type: ignore[assignment]

    def __post_init__(self):
        check_types(self)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"share": 0, "span": 1, "count": 10**9, "rate": 1e-30},
        {"limit": 0.0},
        {"limit": None},
        {"schedule": "linear"},
        {"schedule": lambda done: done},
        {"switch": "auto", "names": ("a", "b"), "pairs": {"a": 1}, "anything": [math.nan]},
    ],
)
def test_what_fits_passes(settings):
    Settings(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.0}, "share must lie in [0, 1), got 1.0"),
        ({"share": -0.1}, "share must lie in [0, 1), got -0.1"),
        ({"share": "half"}, "share must be float, got 'half'"),
        ({"share": True}, "share must be float, got True"),
        ({"share": math.nan}, "share must be finite, got nan"),
        ({"span": 0.0}, "span must lie in (0, 1], got 0.0"),
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"count": 1.0}, "count must be int, got 1.0"),
        ({"count": False}, "count must be int, got False"),
        ({"rate": 0}, "rate must be more than 0, got 0"),
        ({"rate": math.inf}, "rate must be finite, got inf"),
        ({"limit": 1.0}, "limit must lie in [0, 1), got 1.0"),
        ({"limit": "none"}, "limit must be float or none, got 'none'"),
        ({"schedule": "cube"}, "unknown schedule 'cube'; did you mean cubic? known: cubic, linear"),
        ({"schedule": 3}, "schedule must be str or a function, got 3"),
        ({"switch": 1}, "switch must be bool or str, got 1"),
        ({"names": ("a", 1)}, "names must be tuple[str, ...], got ('a', 1)"),
        ({"names": ["a"]}, "names must be tuple[str, ...], got ['a']"),
        ({"pairs": ()}, "pairs must be dict[str, Any], got ()"),
    ],
)
def test_what_does_not_fit_is_named(settings, message):
    with pytest.raises(UserError) as caught:
        Settings(**settings)
    assert str(caught.value) == message
