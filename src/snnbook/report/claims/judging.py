"""How a verdict is reached: comparisons, the line that each must keep to, and what follows for the whole claim.

A claim of several parts *holds* if all of them do: each is tested at its own level, and no correction is needed, since
to hold wrongly the claim has to pass in the part that is not true. It *fails* if one of them contradicts it: with many
parts one will do so by chance, so the p-values of the contradictions are corrected for the number of parts (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from snnbook.report.records import RecordLike, at_chance, ran_on
from snnbook.report.stats import CONFIDENCE, Interval, holm, mean_interval, p_less, same

HOLDS, BY_CONSTRUCTION, FAILS, UNDECIDED, EVIDENCE, NOT_TESTABLE = OUTCOMES = (
    "holds",
    "holds by construction",
    "fails",
    "undecided",
    "evidence only",
    "not testable here",
)
MIN_SEEDS = 3
MARGIN = 0.5  # points of accuracy that a claim of "no loss" may lose
NO_LOSS = f">= 0, margin {MARGIN:g}"
ALPHA = (1 - CONFIDENCE) / 2  # one-sided level: a single part contradicts where its interval lies beyond the line
CONDITIONAL = (
    "Intervals are Student's over the seeds, at 95 %, and conditional on one training set and one test set: they say "
    "nothing of other data."
)

Arm = str | tuple[str, int]  # an arm, or an arm at a number of time steps where its study has several


class Values(dict[int, float]):
    """Seed → quantity; `sides` are the numbers of seeds of whatever it was computed from."""

    def __init__(self, values: Mapping[int, float], sides: Iterable[int] = ()):
        super().__init__(values)
        self.sides = tuple(sides)


@dataclass(frozen=True)
class Comparison:
    """One quantity of a claim on one data set, beside the line that the claim draws.

    what: the quantity with its unit. line: such as `< 0`. estimate, low, high: the mean over `n` seeds and its 95 %
    interval, NaN where there is no number. p: one-sided p-value of what contradicts the line. sides: the numbers of
    seeds of whatever it was computed from, where these are not `n`. control: it is shown and does not count. explains:
    what else may be behind the claimed effect and is no part of this control's; empty for other controls.
    """

    what: str
    line: str
    outcome: str
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    note: str = ""
    data: str = ""
    control: bool = False
    p: float = 1.0
    sides: tuple[int, ...] = ()
    explains: str = ""

    @property
    def seeds(self) -> str:
        """`n = 4`, or `n = 4 (of 4 and 5 seeds)` where the sides have more in all."""
        of = " and ".join(map(str, sorted(set(self.sides))))
        return f"n = {self.n} (of {of} seeds)" if of else f"n = {self.n}"

    @property
    def spread(self) -> str:
        """The interval, or in words that there is none."""
        if self.n > 1 and self.low == self.high:
            return "(the same for every seed)"
        return f"[{_g(self.low)}, {_g(self.high)}]"

    def __str__(self) -> str:
        where = f"{self.data}: " if self.data else ""
        if self.n == 0 or math.isnan(self.estimate):
            return f"{where}{self.what}: {self.note or 'no number'}"
        text = f"{where}{self.what} {_g(self.estimate)} {self.spread}, {self.seeds}, claimed {self.line}"
        return f"{text} ({self.note})" if self.note else text

    def noted(self, *notes: str) -> Comparison:
        """The same with more notes behind its own; empty ones are left out."""
        return replace(self, note="; ".join(filter(None, (self.note, *notes))))


@dataclass(frozen=True)
class Verdict:
    """What a program says of a claim.

    outcome: one of OUTCOMES. estimate, low, high, n: those of the deciding comparison, or of that least in favour where
    there is evidence only. ran: the data and the networks that were run, in words; empty for a calculation. caution: a
    sentence for every place that shows the outcome; mostly empty.
    """

    claim: str
    outcome: str
    reason: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    ran: str = ""
    caution: str = ""
    comparisons: tuple[Comparison, ...] = ()

    @property
    def basis(self) -> str:
        """What it rests on: `Run on ...`, or that nothing was run."""
        return f"Run on {self.ran}" if self.ran else "Computed from the print; nothing was run"

    @property
    def why(self) -> str:
        """The reason, behind the caution where there is one."""
        return " ".join(filter(None, (self.caution, self.reason)))


def _g(x: float) -> str:
    """Three digits; what is left of rounding is zero."""
    return f"{round(x, 9) + 0.0:.3g}"


# --- one comparison ---------------------------------------------------------------------------------------


def limit(line: str) -> tuple[str, float]:
    """The sign of a line and the number that decides: those of `>= 0, margin 0.5` are `>=` and -0.5."""
    claimed, _, margin = line.partition(", margin ")
    sign, at = claimed.split()
    return sign, float(at) - float(margin or 0)


def decide(interval: Interval, line: str) -> str:
    """The outcome of "the quantity is `line`", where `line` is like `"< 0"`, `">= 0, margin 0.5"` or `"within 0.1"`."""
    sign, at = limit(line)
    low, high = interval.low, interval.high
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


def contradiction(values: Sequence[float], line: str) -> float:
    """One-sided p-value of Student's t test against "the mean of `values [n]` keeps to `line`".

    Values without any spread contradict it with certainty or not at all, whichever side they are on.
    """
    if len(values) > 1 and same(values):
        return float(decide(mean_interval(values), line) != FAILS)
    sign, at = limit(line)
    below = p_less(values, -at if sign == "within" else at)
    above = p_less([-v for v in values], -at)
    return {"<": above, "<=": above, ">": below, ">=": below, "within": min(above, below)}[sign]


def comparison(what: str, values: Mapping[int, float], line: str, control: bool = False) -> Comparison:
    """A comparison from the quantity's value for each seed, whose Student interval decides."""
    seeds = sorted(values)
    missing = [s for s in seeds if not math.isfinite(values[s])]
    sides = values.sides if isinstance(values, Values) and set(values.sides) - {len(seeds)} else ()
    if missing or not seeds:
        note = f"no number for seed {', '.join(map(str, missing))}" if seeds else "the two sides have no seed in common"
        n = len(seeds) - len(missing)
        return Comparison(what, line, UNDECIDED, n=n, note=note, control=control, sides=sides)
    numbers = [values[s] for s in seeds]
    mean, p = mean_interval(numbers), contradiction(numbers, line)
    outcome, note = decide(mean, line), ""
    if mean.n < MIN_SEEDS:
        outcome, note, p = UNDECIDED, f"{MIN_SEEDS} seeds are needed", 1.0
    return Comparison(
        what, line, outcome, mean.estimate, mean.low, mean.high, mean.n, note, control=control, p=p, sides=sides
    )


def over(value: Callable[[int], float], *sides: Collection[int]) -> Values:
    """Common seed of the sides → value, NaN where it divides by zero."""
    seeds = [set(side) for side in sides]
    numbers = [n for side in sides for n in (side.sides if isinstance(side, Values) and side.sides else [len(side)])]
    values = {}
    for seed in sorted(set.intersection(*seeds)):
        try:
            values[seed] = value(seed)
        except ZeroDivisionError:
            values[seed] = math.nan
    return Values(values, numbers)


def difference(a: Mapping[int, float], b: Mapping[int, float], of: Mapping[int, float] | None = None) -> Values:
    """a - b per common seed; in per cent of `of` where given."""
    if of is None:
        return over(lambda s: a[s] - b[s], a, b)
    return over(lambda s: 100 * (a[s] - b[s]) / of[s], a, b, of)


def ratio(a: Mapping[int, float], b: Mapping[int, float]) -> Values:
    """a / b per common seed."""
    return over(lambda s: a[s] / b[s], a, b)


def named(arm: Arm) -> str:
    """An arm in words."""
    if isinstance(arm, tuple):
        return f"{named(arm[0])} at T = {arm[1]}"
    return "the dense network" if arm == "none" else arm


def doubts(arm: Arm, records: Sequence[RecordLike], accuracy: Mapping[int, float] | None = None) -> list[str]:
    """Why an arm can make no claim hold: it guesses, or pruning would have emptied layers that had to be rescued.

    accuracy: seed → accuracy in per cent of the round that is compared; by default that of the finished networks.
    """
    guessing = sum(at_chance(r, None if accuracy is None else accuracy.get(r.seed)) for r in records)
    rescued = sum(bool(r.log.get("rescued")) for r in records)
    counts = ((guessing, "guesses"), (rescued, "has layers that had to be rescued"))
    return [f"{named(arm)} {what} in {n} of {len(records)} runs" for n, what in counts if n]


def guarded(it: Comparison, reasons: Iterable[str]) -> Comparison:
    """A comparison that would hold is undecided where there are such reasons; no other one changes.

    A difference from a network that guesses, or that lost a layer, says how badly that one broke and not how good the
    other one is.
    """
    reasons = list(reasons)
    if it.outcome != HOLDS or not reasons:
        return it
    return replace(it, outcome=UNDECIDED).noted("decides nothing: " + ", ".join(reasons))


# --- the whole claim --------------------------------------------------------------------------------------


def join(outcomes: Iterable[str]) -> str:
    """Holds if all hold, fails if any fails, else undecided."""
    outcomes = list(outcomes)
    if FAILS in outcomes:
        return FAILS
    return HOLDS if outcomes and all(outcome == HOLDS for outcome in outcomes) else UNDECIDED


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Comparisons of which only those contradict the claim that still do after Holm's correction for their number.

    Controls are no part of it. A note has the corrected p-value of every one that contradicts the claim by itself.
    """
    counted = [i for i, it in enumerate(comparisons) if not it.control]
    result = list(comparisons)
    for i, p in zip(counted, holm([comparisons[i].p for i in counted]), strict=True):
        it = comparisons[i]
        if it.outcome == FAILS and not it.low < it.high:
            result[i] = it.noted("contradicts it for certain, since there is no spread")
        elif it.outcome == FAILS:
            parts = f" after Holm's correction for {len(counted)} parts" if len(counted) > 1 else ""
            if p <= ALPHA:
                result[i] = it.noted(f"contradicts it, p {_p(p)}{parts}")
            else:
                own = f"contradicts it by itself, p {_p(it.p)}, but not{parts}, p {_p(p)}"
                result[i] = replace(it, outcome=UNDECIDED).noted(own)
    return result


def _p(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}"


def _clearance(it: Comparison) -> float:
    """Distance of the estimate from its line in half-widths of the interval."""
    sign, at = limit(it.line)
    distance = abs(abs(it.estimate) - at) if sign == "within" else abs(it.estimate - at)
    half = (it.high - it.low) / 2
    return distance / half if half > 0 else math.inf


def _deciding(comparisons: Iterable[Comparison], outcome: str) -> Comparison:
    """Where all hold the one closest to its line; the clearest contradiction; of those undecided one that says why."""
    order: dict[str, Callable[[Comparison], tuple[float, ...]]] = {
        HOLDS: lambda it: (_clearance(it),),
        FAILS: lambda it: (it.p, -_clearance(it)),
        UNDECIDED: lambda it: (not math.isnan(it.estimate), not it.note, _clearance(it)),
    }
    return min((it for it in comparisons if it.outcome == outcome), key=order[outcome])


def conclude(
    claim: str,
    comparisons: Sequence[Comparison],
    records: Iterable[RecordLike],
    roles: Mapping[str, str],
    notes: Sequence[str] = (),
) -> Verdict:
    """The verdict from the comparisons of a claim, the records behind them, and the parts that their data play."""
    comparisons = corrected(comparisons)
    counted = [it for it in comparisons if not it.control]
    outcome = join(it.outcome for it in counted)
    deciding = _deciding(counted, outcome)
    ran, agree, of = ran_on(records, roles), sum(it.outcome == outcome for it in counted), len(counted)
    leads = {
        HOLDS: (f"all {of} parts lie as claimed; closest to the line", "it lies as claimed"),
        FAILS: (f"of {of} parts {agree} contradict{'s' if agree == 1 else ''} it", "it lies the other way"),
        UNDECIDED: (f"of {of} parts {agree} do{'es' if agree == 1 else ''} not decide", "it does not decide"),
    }
    lead = leads[outcome][of == 1]
    others = [it for it in comparisons if it.control and it.explains and outcome == HOLDS and it.outcome != HOLDS]
    caution = f"It does not hold against {others[0].explains}: {others[0]}." if others else ""
    if len(roles) == 1:  # its data are named already
        deciding = replace(deciding, data="")
    controls = [f"Control, {it}" for it in comparisons if it.control]
    return Verdict(
        claim,
        outcome,
        ". ".join([f"On {ran}: {lead}: {deciding}", *controls, *notes]),
        *_numbers(deciding),
        ran=ran,
        caution=caution,
        comparisons=tuple(comparisons),
    )


def present(
    claim: str, comparisons: Sequence[Comparison], records: Iterable[RecordLike], roles: Mapping[str, str], why: str
) -> Verdict:
    """What there is on a claim where the runs are not its own, as evidence without a verdict; why: they are not."""
    ran, counted = ran_on(records, roles), [it for it in comparisons if not it.control]
    outcomes = [it.outcome for it in counted]
    least = _deciding(counted, next(o for o in (FAILS, UNDECIDED, HOLDS) if o in outcomes))
    text = (
        f"Evidence and no verdict: {why}. On {ran}: by their own intervals {outcomes.count(HOLDS)} of {len(counted)} "
    )
    text += f"comparisons lie as claimed, {outcomes.count(FAILS)} the other way. Least in its favour: {least}"
    text = ". ".join([text, *(f"Control, {it}" for it in comparisons if it.control)])
    return Verdict(claim, EVIDENCE, text, *_numbers(least), ran=ran, comparisons=tuple(comparisons))


def _numbers(it: Comparison) -> tuple[float | None, float | None, float | None, int]:
    """Estimate, low, high and n of a comparison, None for what it lacks."""
    estimate, low, high = (None if math.isnan(x) else x for x in (it.estimate, it.low, it.high))
    return estimate, low, high, it.n
