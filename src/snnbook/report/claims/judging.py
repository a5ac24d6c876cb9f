"""How a verdict is reached: comparisons, the line that each must keep to, and what follows for the whole claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from snnbook.errors import UserError
from snnbook.report.records import RecordLike, ResultsLike, stand_in
from snnbook.report.stats import Interval, mean_interval

HOLDS, FAILS, UNDECIDED, NOT_TESTABLE = OUTCOMES = ("holds", "fails", "undecided", "not testable here")
MIN_SEEDS = 3

Studies = Mapping[str, ResultsLike]  # name → results
Arm = str | tuple[str, int]  # an arm, or an arm at a number of time steps where its study has several
Arms = Mapping[Arm, Sequence[RecordLike]]  # of one data set


@dataclass(frozen=True)
class Comparison:
    """One quantity of a claim on one data set, beside the line that the claim draws.

    what: the quantity with its unit. line: such as `< 0`. estimate, low, high: the mean over `n` seeds and its 95 %
    interval, NaN where there is no number. control: it is shown and does not count.
    """

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
    """What a program says of a claim.

    outcome: one of OUTCOMES. estimate, low, high, n: those of the deciding comparison. stand_in: the data that were run
    where these are not the paper's.
    """

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
    """A comparison from the quantity's value for each seed, whose Student interval decides."""
    seeds = sorted(values)
    missing = [s for s in seeds if not math.isfinite(values[s])]
    if missing:
        note = f"no number for seed {', '.join(map(str, missing))}"
        return Comparison(
            what, line, UNDECIDED, math.nan, math.nan, math.nan, len(seeds) - len(missing), note, "", control
        )
    mean = mean_interval([values[s] for s in seeds])
    outcome, note = decide(mean, line), ""
    if mean.n < MIN_SEEDS:
        outcome, note = UNDECIDED, f"{MIN_SEEDS} seeds are needed"
    return Comparison(what, line, outcome, mean.estimate, mean.low, mean.high, mean.n, note, "", control)


def join(outcomes: Iterable[str]) -> str:
    """Holds if all hold, fails if any fails, else undecided."""
    outcomes = list(outcomes)
    if FAILS in outcomes:
        return FAILS
    return HOLDS if outcomes and all(outcome == HOLDS for outcome in outcomes) else UNDECIDED


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
    values = {}
    for seed in seeds:
        try:
            values[seed] = value(seed)
        except ZeroDivisionError:
            values[seed] = math.nan
    return values


def difference(a: Mapping[int, float], b: Mapping[int, float], of: Mapping[int, float] | None = None) -> dict:
    """a - b per common seed; in per cent of `of` where given."""
    seeds = a.keys() & b.keys() & (a if of is None else of).keys()
    return over(seeds, lambda s: a[s] - b[s] if of is None else 100 * (a[s] - b[s]) / of[s])


# Claim → its check, a function of the studies, and the names of those that it reads. Filled by `enter`.
CHECKS: dict[str, Callable[[Studies], Verdict]] = {}
STUDIES_READ: dict[str, tuple[str, ...]] = {}
Body = Callable[[Arms, str], Iterator[Comparison]]


def claim(
    claim: str,
    studies: Sequence[str],
    datasets: Sequence[str],
    needs: Sequence[Arm],
    note: str = "",
    curves: Sequence[str] = (),
) -> Callable[[Body], Body]:
    """Enter `body(arms, dataset) → comparisons` as the check of a claim.

    It runs once for each of the paper's `datasets`, on the study's own data set that is it or plays it, and gets the
    records of that set by arm. `needs` are the arms and `curves` the curves that it cannot do without; of several
    `studies` that have an arm the first counts. `note` is a sentence for the reason.
    """

    def register(body: Body) -> Body:
        def check(at_hand: Studies) -> Verdict:
            chosen = [at_hand[name] for name in studies if name in at_hand]
            if not chosen:
                raise NotTestable(f"needs the study {studies[0]}: snnbook run {studies[0]}")
            comparisons: list[Comparison] = []
            used: list[RecordLike] = []
            for dataset in datasets:
                data, arms = arms_of(chosen, dataset, curves)
                if lacking := [arm for arm in needs if arm not in arms]:
                    what = f"no records of {', '.join(map(_named, lacking))} on {data or f'a data set for {dataset}'}"
                    what += f" with {' and '.join(curves)}" if curves else ""
                    comparisons.append(
                        Comparison("data", "> 0", UNDECIDED, math.nan, math.nan, math.nan, 0, what, data)
                    )
                    continue
                used += [r for arm in needs for r in arms[arm]]
                comparisons += [replace(one, data=data) for one in body(arms, dataset)]
            if not used:
                raise NotTestable("; ".join(one.note for one in comparisons))
            return conclude(claim, comparisons, used, [note] if note else [])

        enter(claim, studies, check)
        return body

    return register


def enter(claim: str, studies: Iterable[str], check: Callable[[Studies], Verdict]) -> None:
    """Enter a check that `claim` does not fit: a function of all studies at hand, which may raise NotTestable."""
    STUDIES_READ[claim] = tuple(studies)
    CHECKS[claim] = check


def _named(arm: Arm) -> str:
    if isinstance(arm, tuple):
        return f"{_named(arm[0])} at T = {arm[1]}"
    return "the dense network" if arm == "none" else arm


def arms_of(
    studies: Sequence[ResultsLike], dataset: str, curves: Sequence[str]
) -> tuple[str, dict[Arm, Sequence[RecordLike]]]:
    """The data set that is the paper's `dataset` or plays it ("" if none was run), and its records by arm.

    An arm is taken from the first study that has it with all `curves`. The network that is not pruned is the arm
    `none`, whatever its study calls it. Arms with levels are left out.
    """
    name = ""
    arms: dict[Arm, Sequence[RecordLike]] = {}
    for study in studies:
        try:
            name = study.playing(dataset)
        except UserError:
            continue
        for key, records in study.records.items():
            if key.data == name and not key.level and records and all(c in r.curves for c in curves for r in records):
                arm = "none" if key.arm == "dense" else key.arm
                arms.setdefault((arm, key.T) if key.T else arm, records)
    return name, arms
