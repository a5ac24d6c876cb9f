"""The pruning methods by name: each enters itself, with what a reader must know of it and how it is compared.

A method of a reader's own enters in the same way, from a notebook or from another package:

    @snnbook.pruning.method("mine", about="drops every second weight")
    @dataclass
    class Mine(snnbook.pruning.Pruner): ...

and is then a name for `create` and for a trial. A process that is to run such a trial must import that module, too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from snnbook.errors import UserError, unknown
from snnbook.pruning.pruner import Pruner

Settings = Mapping[str, Any]
Class = TypeVar("Class", bound=type[Pruner])

FAMILIES = ("cut", "cut and regrow", "rewire by sign", "penalty or soft mask", "structured", "other")
NEEDS = ("batch norm", "neurons", "potentials")
SPARSITIES = (0.80, 0.90, 0.95, 0.98, 0.99)
# Shares of the training that every method with a span is tried with, from at once to the very end.
SPANS = (0.02, 0.15, 0.25, 0.4, 0.6, 0.8, 1.0)


def percent(share: float) -> str:
    """`0.9` → `90 %`: the name of a level."""
    return f"{100 * share:g} %"


def described(settings: Settings) -> str:
    """`{"span": 0.6, "updates": 12}` → `span 0.6, updates 12`: the label of a candidate."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in settings.items()
    )


def grid(names: str, *rows: tuple[Any, ...]) -> tuple[Settings, ...]:
    """Candidates from the names of some settings, separated by blanks, and a tuple of their values for each candidate.

    Raises ValueError for a tuple of another length.
    """
    return tuple(dict(zip(names.split(), row, strict=True)) for row in rows)


def star(centre: Settings, low: Settings, high: Settings) -> tuple[Settings, ...]:
    """The candidates of a method: `centre` with every span of SPANS, and with what `low` and `high` change of it."""
    return (*({**centre, "span": span} for span in SPANS), {**centre, **low}, {**centre, **high})


def levels(name: str, *values: float) -> dict[str, Settings]:
    """Levels of a method whose sparsity is an outcome of one setting: `strength 0.3` → `{"strength": 0.3}`."""
    return {f"{name} {value:g}": {name: value} for value in values}


def sparsities() -> dict[str, Settings]:
    """The levels of a method that is told its sparsity: those at which all such methods are compared."""
    return {percent(sparsity): {"sparsity": sparsity} for sparsity in SPARSITIES}


@dataclass(frozen=True)
class ComparisonPlan:
    """How a method takes part in the comparison of all methods, in which all train for equally many epochs in total.

    candidates: the settings that tuning tries, equally many for every method; the best on the validation split is
    computed from the records of tuning and used at every level. levels: the points of the method's curve, by name, with
    the settings that lead there. tuned_at: the names of the levels at which the candidates are tried: one for a method
    that is given its sparsity, and for another those between which all candidates pass the common budget.
    axis, budget: of what candidates leave the same share, "weights" or "connections", and that share in per cent.
    from_scratch: the method trains from scratch for all of these epochs; otherwise it goes on from the dense network of
    the same seed, whose epochs count. shared: further settings, the same at all levels. by_role: settings that hold
    only on the data set that plays this role, such as "CIFAR10". network: settings of the network that differ from
    those of the others, for a method that trains from scratch.
    Raises UserError if there are candidates and `tuned_at` names what is no level.
    """

    candidates: tuple[Settings, ...] = ()
    levels: Mapping[str, Settings] = field(default_factory=sparsities)
    tuned_at: tuple[str, ...] = ("98 %",)
    axis: str = "weights"
    budget: float = 2.0
    from_scratch: bool = False
    shared: Settings = field(default_factory=dict)
    by_role: Mapping[str, Settings] = field(default_factory=dict)
    network: Settings = field(default_factory=dict)

    def __post_init__(self) -> None:
        for level in self.tuned_at if self.candidates else ():
            if level not in self.levels:
                raise unknown("level", level, self.levels)


@dataclass(frozen=True)
class Method:
    """A name's entry.

    cls: the class. about: one line for the reader. paper: where the method is from; empty for none. family: one of
    FAMILIES, which colour figures. fixed: settings of the class that the name decides. needs: what a network must have
    beyond layers, of NEEDS: batch norm, spiking neurons, neurons whose potential can be read. printed: names of the
    method in the papers' tables. plan: how it is compared with the others; None if it is not. reconstruction: what a
    method without public formulas was made up from, such as "from the abstract"; empty for all others.
    """

    cls: type[Pruner]
    about: str
    paper: str = ""
    family: str = "other"
    fixed: Settings = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    plan: ComparisonPlan | None = None
    reconstruction: str = ""


METHODS: dict[str, Method] = {}


def method(
    name: str,
    *,
    about: str,
    paper: str = "",
    family: str = "other",
    fixed: Settings | None = None,
    needs: tuple[str, ...] = (),
    printed: tuple[str, ...] = (),
    plan: ComparisonPlan | None = None,
    reconstruction: str = "",
) -> Callable[[Class], Class]:
    """A decorator that enters a class of pruners under a name; the parameters are the fields of `Method`.

    Raises UserError for an unknown family or need, and for a name that another class has.
    """
    if family not in FAMILIES:
        raise unknown("family of methods", family, FAMILIES)
    for need in needs:
        if need not in NEEDS:
            raise unknown("need of a method", need, NEEDS)

    def enter(cls: Class) -> Class:
        taken = METHODS.get(name)
        if taken and (taken.cls.__module__, taken.cls.__qualname__) != (cls.__module__, cls.__qualname__):
            raise UserError(f"there is already a method {name!r}: {taken.cls.__module__}.{taken.cls.__qualname__}")
        METHODS[name] = Method(cls, about, paper, family, fixed or {}, needs, printed, plan, reconstruction)
        return cls

    return enter


def methods() -> dict[str, Method]:
    """Name → entry of all methods: dense first, then family by family."""
    return dict(sorted(METHODS.items(), key=lambda entry: (entry[0] != "dense", FAMILIES.index(entry[1].family))))


def available() -> dict[str, str]:
    """Method name → one-line description, which says of a reconstruction that it is one, and paper."""
    listed = {}
    for name, entry in methods().items():
        about = f"{entry.about}, a reconstruction {entry.reconstruction}" if entry.reconstruction else entry.about
        listed[name] = f"{about} ({entry.paper})" if entry.paper else about
    return listed


def settings(name: str) -> dict[str, Any]:
    """The settings that method `name` takes, and their defaults. Raises UserError for an unknown name."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    parameters = inspect.signature(METHODS[name].cls).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in METHODS[name].fixed}


def identity(name: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that tell trials of method `name` apart: those chosen, and the defaults of the others.

    Those that are `fields.later` are left out at their default. Raises UserError for an unknown name.
    """
    defaults = settings(name)
    declared = getattr(METHODS[name].cls, "__dataclass_fields__", {})  # a method of a reader need not be a dataclass
    came_later = {key for key, f in declared.items() if f.metadata.get("later")}
    merged = defaults | dict(chosen)
    return {key: v for key, v in merged.items() if key not in came_later or v != defaults[key]}


def create(name: str, **chosen: Any) -> Pruner:
    """The method `name` with its settings. Raises UserError for unknown names, settings and values out of range."""
    known = settings(name)
    for key in chosen:
        if key not in known:
            raise unknown(f"setting of {name}", key, known or ["none"])
    return METHODS[name].cls(**METHODS[name].fixed, **chosen)
