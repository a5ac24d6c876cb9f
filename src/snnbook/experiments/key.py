"""The names of a study's trials: the data set that was run, the arm, and what else tells two trials apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any, TypeVar

from snnbook.errors import unknown

V = TypeVar("V")


@dataclass(frozen=True, order=True)
class Key:
    """The label of a trial within its study.

    data: name of the data set that was run, never of the one it stands in for. arm: name of the method or variant.
    level: which of several settings the arm has, such as a sparsity of `98 %`; empty where it has one. T: number of
    time steps; 0 where all trials of the study on this data set have the same.
    """

    data: str
    arm: str
    level: str = ""
    T: int = 0

    def __str__(self) -> str:
        return " ".join(filter(None, (self.data, self.arm, self.level, f"T={self.T}" if self.T else "")))


class ByKey(dict[Key, V]):
    """A mapping by `Key` that also takes the tuple of a key's parts: `records["digits-dvs", "S"]`.

    Raises UserError for a key that it lacks, with the nearest that it has.
    """

    def __init__(self, entries: Mapping[Any, V] | Iterable[tuple[Any, V]] = ()):
        super().__init__({_key(key): value for key, value in dict(entries).items()})

    def __getitem__(self, key: Any) -> V:
        try:
            return super().__getitem__(_key(key))
        except (KeyError, TypeError):
            raise unknown("arm of the study", " ".join(map(str, _parts(key))), map(str, self)) from None

    def __contains__(self, key: object) -> bool:
        return super().__contains__(_key(key))

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key or of the tuple of its parts; `default` where there is none."""
        return super().get(_key(key), default)

    @property
    def sets(self) -> list[str]:
        """The data sets that were run, in order."""
        return list(dict.fromkeys(key.data for key in self))


def _key(key: Any) -> Any:
    return Key(*key) if isinstance(key, tuple) else key


def _parts(key: Any) -> tuple[Any, ...]:
    return astuple(key) if isinstance(key, Key) else key if isinstance(key, tuple) else (key,)
