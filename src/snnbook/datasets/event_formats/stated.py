"""What is stated of files of events that do not say it themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from snnbook.datasets.event_formats.tables import Decoded, Size
from snnbook.datasets.options import Maybe, OneOf, Option, Pair, yes_or_no
from snnbook.datasets.stream import FIELDS
from snnbook.errors import UserError

PER_UNIT = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 1}  # µs, but for ns
_LARGEST = 1 << 16  # px; no sensor has more

OPTIONS = {
    "sensor": Option(None, Maybe(Pair(1, _LARGEST, "the height and width of the sensor in px"))),
    "time_unit": Option("found", OneOf(("found", *PER_UNIT))),
    "polarity": Option(None, Maybe(Pair(-255, 255, "the values of p for OFF and for ON"))),
    "columns": Option("named", OneOf(("named", *map("".join, permutations(FIELDS))))),
    "sort": Option(False, yes_or_no),
}


@dataclass(frozen=True)
class Stated:
    """What is stated of files that do not say it themselves.

    sensor: `(H, W)` in px. time_unit: s, ms, us, ns or "found", which is that of the type of t; if that has none, whole
    numbers are µs and floats s. polarity: the values for OFF and ON; None for 0 and 1, -1 and 1 or false and true.
    columns: the order of the columns of rows without names, such as "xytp"; "named" if they have names. sort: whether
    events that are not in order of their times are sorted, and not refused.

    Raises UserError for a value of a wrong type or out of range.
    """

    sensor: Size | None = None
    time_unit: str = "found"
    polarity: tuple[int, int] | None = None
    columns: str = "named"
    sort: bool = False

    def __post_init__(self) -> None:
        for name, option in OPTIONS.items():
            object.__setattr__(self, name, option.check(name, getattr(self, name)))
        if self.polarity is not None and self.polarity[0] == self.polarity[1]:
            raise UserError(f"polarity is the value of p for OFF and another one for ON; got {self.polarity}")


# A function that reads a file of one format. It raises UserError, ValueError or what a damaged file brings about.
Reader = Callable[[Path, Stated], Decoded]
