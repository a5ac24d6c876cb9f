"""How a verdict is reached: parts of a claim, the line that each must keep to, and what follows for the whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from snnbook.report.records import ROLES, RecordLike, ResultsLike, arms, stand_in
from snnbook.report.stats import Interval, mean_interval

HOLDS, FAILS, UNDECIDED, NOT_TESTABLE = OUTCOMES = ("holds", "fails", "undecided", "not testable here")
MIN_SEEDS = 3

Studies = Mapping[str, ResultsLike]
Arms = Mapping[str, Sequence[RecordLike]]


@dataclass(frozen=True)
class Comparison:
    """One quantity of a claim on one data set; a `control` is shown but does not count."""

    what: str
    line: str
    outcome: str
    estimate: float
    low: float
    high: float
    n: int
    note: str = ""
    data: str = ""
    control: bool = False

    def __str__(self) -> str:
        where = f"{self.data}: " if self.data else ""
        if self.n == 0 or math.isnan(self.estimate):
            return f"{where}{self.what}: {self.note or 'no number'}"
        text = f"{where}{self.what} {self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"
        text += f", n = {self.n}, claimed {self.line}"
        return f"{text} ({self.note})" if self.note else text


@dataclass(frozen=True)
class Verdict:
    """What a program found about a claim. `estimate`, `low`, `high`, `n` are those of the deciding part."""

    claim: str
    outcome: str
    reason: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    stand_in: str | None = None
    comparisons: tuple[Comparison, ...] = ()


class NotTestable(Exception):
    """The runs do not exist, or not under the claim's condition."""


def decide(interval: Interval, line: str) -> str:
    """The outcome of "the quantity is `line`", where `line` is like `"< 0"`, `">= 0"` or `"within 0.1"`."""
    sign, text = line.split()
    at, low, high = float(text), interval.low, interval.high
    if math.isnan(interval.estimate):
        return UNDECIDED
    inside, outside = {
        "<": (high < at, low >= at),
        "<=": (high <= at, low > at),
        ">": (low > at, high <= at),
        ">=": (low >= at, high < at),
        "within": (-at < low and high < at, low >= at or high <= -at),
    }[sign]
    return HOLDS if inside else FAILS if outside else UNDECIDED


def comparison(what: str, values: Mapping[int, float], line: str, control: bool = False) -> Comparison:
    """The part of a claim from its value per seed."""
    seeds = sorted(values)
    missing = [s for s in seeds if not math.isfinite(values[s])]
    if missing:
        note = f"no number for seed {', '.join(map(str, missing))}"
        return Comparison(
            what, line, UNDECIDED, math.nan, math.nan, math.nan, len(seeds) - len(missing), note, "", control
        )
    found = mean_interval([values[s] for s in seeds])
    outcome, note = decide(found, line), ""
    if found.n < MIN_SEEDS:
        outcome, note = UNDECIDED, f"{MIN_SEEDS} seeds are needed"
    return Comparison(what, line, outcome, found.estimate, found.low, found.high, found.n, note, "", control)


def join(outcomes: Iterable[str]) -> str:
    """Holds if all hold, fails if any fails, else undecided."""
    found = list(outcomes)
    if FAILS in found:
        return FAILS
    return HOLDS if found and all(o == HOLDS for o in found) else UNDECIDED


def _clearance(it: Comparison) -> float:
    """Distance of the estimate from its line in half-widths of the interval."""
    sign, text = it.line.split()
    distance = abs(abs(it.estimate) - float(text)) if sign == "within" else abs(it.estimate - float(text))
    half = (it.high - it.low) / 2
    return distance / half if half > 0 else math.inf


def conclude(
    claim: str, comparisons: Sequence[Comparison], records: Sequence[RecordLike], notes: Sequence[str]
) -> Verdict:
    """The verdict from the comparisons of a claim and the records behind them."""
    counted = [p for p in comparisons if not p.control]
    outcome = join(p.outcome for p in counted)
    deciding = min((p for p in counted if p.outcome == outcome), key=_clearance)
    where = stand_in(records)
    place = "on our embedded data" if where else "on the paper's data"
    agree = sum(p.outcome == outcome for p in counted)
    if outcome == HOLDS:
        lead = f"{place} {'it lies' if len(counted) == 1 else f'all {len(counted)} comparisons lie'} as claimed"
    elif outcome == FAILS:
        lead = f"{place} {agree} of {len(counted)} comparisons contradict{'s' if agree == 1 else ''} it"
    else:
        lead = f"{place} {agree} of {len(counted)} comparisons {'does' if agree == 1 else 'do'} not decide"
    closest = "; closest to the line: " if outcome == HOLDS and len(counted) > 1 else ": "
    reason = ". ".join([f"{lead}{closest}{deciding}", *(str(p) for p in comparisons if p.control), *notes])
    known = not math.isnan(deciding.estimate)
    return Verdict(
        claim,
        outcome,
        reason,
        deciding.estimate if known else None,
        deciding.low if known else None,
        deciding.high if known else None,
        deciding.n,
        where,
        tuple(comparisons),
    )


def over(seeds: Iterable[int], value: Callable[[int], float]) -> dict[int, float]:
    """Seed → value, NaN where it divides by zero."""
    found = {}
    for seed in seeds:
        try:
            found[seed] = value(seed)
        except ZeroDivisionError:
            found[seed] = math.nan
    return found


def difference(a: Mapping[int, float], b: Mapping[int, float], of: Mapping[int, float] | None = None) -> dict:
    """a - b per common seed; in per cent of `of` where given."""
    seeds = a.keys() & b.keys() & (a if of is None else of).keys()
    return over(seeds, lambda s: a[s] - b[s] if of is None else 100 * (a[s] - b[s]) / of[s])


# Claim → its function of the studies. Filled by the decorator below.
TESTS: dict[str, Callable[[Studies], Verdict]] = {}
READ: set[str] = set()  # the studies that these read
Body = Callable[[Arms, str], Iterator[Comparison]]


def claim(
    claim: str,
    studies: Sequence[str],
    roles: Sequence[str],
    needs: Sequence[str],
    note: str = "",
    curves: tuple = (),
) -> Callable[[Body], Body]:
    """Register `body(arms of one data set, its role) → parts`, run once per data set that the claim names."""

    def register(body: Body) -> Body:
        READ.update(studies)

        def test(found: Studies) -> Verdict:
            at_hand = [found[name] for name in studies if name in found]
            if not at_hand:
                raise NotTestable(f"needs the study {studies[0]}: snnbook run {studies[0]}")
            parts: list[Comparison] = []
            used: list[RecordLike] = []
            for role in roles:
                data, sets = arms_of(at_hand, role, curves)
                lacking = [arm for arm in needs if arm not in sets]
                if lacking:
                    named = ", ".join("the dense network" if arm == "none" else arm for arm in lacking)
                    what = f"no records of {named} on {data or f'a data set for {role}'}"
                    what += f" with {' and '.join(curves)}" if curves else ""
                    parts.append(Comparison("data", "> 0", UNDECIDED, math.nan, math.nan, math.nan, 0, what, data))
                    continue
                used += [r for arm in needs for r in sets[arm]]
                parts += [replace(part, data=data) for part in body(sets, role)]
            if not used:
                raise NotTestable("; ".join(p.note for p in parts))
            return conclude(claim, parts, used, [note] if note else [])

        TESTS[claim] = test
        return body

    return register


def arms_of(
    studies: Sequence[ResultsLike], role: str, curves: tuple[str, ...]
) -> tuple[str, dict[str, Sequence[RecordLike]]]:
    """The records for the role by arm, each from the first study that has it with the needed curves."""
    name = ""
    sets: dict[str, Sequence[RecordLike]] = {}
    for study in studies:
        for data, arm, records in arms(study):
            if ROLES.get(data) == role:
                name = data
                if all(curve in r.curves for curve in curves for r in records):
                    sets.setdefault(arm, records)
    return name, sets
