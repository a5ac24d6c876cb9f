"""A verdict on every claim of the papers, reached by program from records.

A claim is turned into quantities with a line each ("SOPs of S+T minus SOPs of S, below 0"). A quantity is
computed once per seed, so that differences are paired, and its Student-t 95 % interval decides: on the
claimed side of the line the claim holds, on the other side it fails, across the line it is undecided. With
several data sets a claim holds if it holds on all and fails if it fails on any. Fewer than three seeds, or a
number that is missing, decide nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import stats as scipy_stats

from snnbook.errors import UserError, unknown
from snnbook.report import papers
from snnbook.report.records import (
    ROLES,
    RecordLike,
    ResultsLike,
    arms,
    by_seed,
    number,
    stand_in,
    unique,
)
from snnbook.report.stats import Interval, mean_interval, mean_sd, wilson

HOLDS, FAILS, UNDECIDED, NOT_TESTABLE = OUTCOMES = ("holds", "fails", "undecided", "not testable here")
MIN_SEEDS = 3
GESTURE, CIFAR10_DVS, CIFAR10 = "DVS128-Gesture", "CIFAR10-DVS", "CIFAR10"
EVENT_SETS = (GESTURE, CIFAR10_DVS)
LAMBDA_DEFAULT, LAMBDAS_BELOW = 0.01, (0.0, 0.001, 0.003)

Studies = Mapping[str, ResultsLike]
Arms = Mapping[str, Sequence[RecordLike]]


@dataclass(frozen=True)
class Part:
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
    details: tuple[Part, ...] = ()


class _NotTestable(Exception):
    """The runs exist, but not under the claim's condition."""


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


def quantity(what: str, values: Mapping[int, float], line: str, control: bool = False) -> Part:
    """The part of a claim from its value per seed."""
    seeds = sorted(values)
    missing = [s for s in seeds if not math.isfinite(values[s])]
    if missing:
        note = f"no number for seed {', '.join(map(str, missing))}"
        return Part(what, line, UNDECIDED, math.nan, math.nan, math.nan, len(seeds) - len(missing), note, "", control)
    found = mean_interval([values[s] for s in seeds])
    outcome, note = decide(found, line), ""
    if found.n < MIN_SEEDS:
        outcome, note = UNDECIDED, f"{MIN_SEEDS} seeds are needed"
    return Part(what, line, outcome, found.estimate, found.low, found.high, found.n, note, "", control)


def join(outcomes: Iterable[str]) -> str:
    """Holds if all hold, fails if any fails, else undecided."""
    found = list(outcomes)
    if FAILS in found:
        return FAILS
    return HOLDS if found and all(o == HOLDS for o in found) else UNDECIDED


def _clearance(part: Part) -> float:
    """Distance of the estimate from its line in half-widths of the interval."""
    sign, text = part.line.split()
    distance = abs(abs(part.estimate) - float(text)) if sign == "within" else abs(part.estimate - float(text))
    half = (part.high - part.low) / 2
    return distance / half if half > 0 else math.inf


def _verdict(claim: str, parts: Sequence[Part], records: Sequence[RecordLike], notes: Sequence[str]) -> Verdict:
    counted = [p for p in parts if not p.control]
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
    reason = ". ".join([f"{lead}{closest}{deciding}", *(str(p) for p in parts if p.control), *notes])
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
        tuple(parts),
    )


def normalised(kl: np.ndarray) -> np.ndarray:
    """Min-max normalised KL curve `[T]`; zeros where it is constant. Ref: paper A Eq. 8."""
    curve = np.asarray(kl, dtype=float)
    span = curve.max() - curve.min()
    return np.zeros_like(curve) if span == 0 else (curve - curve.min()) / span


def decision_step(kl: np.ndarray, lam: float) -> int:
    """The first step (1-based) of a finite curve whose normalised KL is below `lam`, else T.

    A verdict does not trust the step that a run chose but finds it again from the stored curve.
    Ref: paper A Eq. 9.
    """
    if kl.max() == kl.min():
        return len(kl)
    below = np.flatnonzero(normalised(kl) < lam)
    return int(below[0]) + 1 if below.size else len(kl)


def _rho(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy_stats.ConstantInputWarning)
        return float(scipy_stats.spearmanr(x, y).statistic)


def _over(seeds: Iterable[int], value: Callable[[int], float]) -> dict[int, float]:
    """Seed → value, NaN where it divides by zero."""
    found = {}
    for seed in seeds:
        try:
            found[seed] = value(seed)
        except ZeroDivisionError:
            found[seed] = math.nan
    return found


def _difference(a: Mapping[int, float], b: Mapping[int, float], of: Mapping[int, float] | None = None) -> dict:
    """a - b per common seed; in per cent of `of` where given."""
    seeds = a.keys() & b.keys() & (a if of is None else of).keys()
    return _over(seeds, lambda s: a[s] - b[s] if of is None else 100 * (a[s] - b[s]) / of[s])


def _densities(record: RecordLike) -> list[float]:
    """Share of weights left, layer by layer in order of execution."""
    return [number(layer["weights_alive"]) / number(layer["weights_total"]) for layer in record.layers]


# Claim → its function of the studies. Filled by the decorator below.
_TESTS: dict[str, Callable[[Studies], Verdict]] = {}
_READ: set[str] = set()  # the studies that these read
Body = Callable[[Arms, str], Iterator[Part]]


def _claim(
    claim: str,
    studies: Sequence[str],
    roles: Sequence[str],
    needs: Sequence[str],
    note: str = "",
    curves: tuple = (),
) -> Callable[[Body], Body]:
    """Register `body(arms of one data set, its role) → parts`, run once per data set that the claim names."""

    def register(body: Body) -> Body:
        _READ.update(studies)

        def test(found: Studies) -> Verdict:
            at_hand = [found[name] for name in studies if name in found]
            if not at_hand:
                raise _NotTestable(f"needs the study {studies[0]}: snnbook run {studies[0]}")
            parts: list[Part] = []
            used: list[RecordLike] = []
            for role in roles:
                data, sets = _arms_of(at_hand, role, needs, curves)
                lacking = [arm for arm in needs if arm not in sets]
                if lacking:
                    named = ", ".join("the dense network" if arm == "none" else arm for arm in lacking)
                    what = f"no records of {named} on {data or f'a data set for {role}'}"
                    what += f" with {' and '.join(curves)}" if curves else ""
                    parts.append(Part("data", "> 0", UNDECIDED, math.nan, math.nan, math.nan, 0, what, data))
                    continue
                used += [r for arm in needs for r in sets[arm]]
                parts += [replace(part, data=data) for part in body(sets, role)]
            if not used:
                raise _NotTestable("; ".join(p.note for p in parts))
            return _verdict(claim, parts, used, [note] if note else [])

        _TESTS[claim] = test
        return body

    return register


def _arms_of(
    studies: Sequence[ResultsLike], role: str, needs: Sequence[str], curves: tuple[str, ...]
) -> tuple[str, dict[str, Sequence[RecordLike]]]:
    """The first study's records for the role, by arm, leaving out arms that lack a needed curve."""
    name = ""
    sets: dict[str, Sequence[RecordLike]] = {}
    for study in studies:
        sets = {}
        for data, arm, records in arms(study):
            if ROLES.get(data) == role:
                name = data
                if all(curve in r.curves for curve in curves for r in records):
                    sets[arm] = records
        if all(arm in sets for arm in needs):
            break
    return name, sets


ABLATION = ("none", "S", "T", "S+T")


@_claim("A-12", ["A.table4"], EVENT_SETS, ABLATION)
def _lower_sops(arm: Arms, role: str) -> Iterator[Part]:
    sops = {name: by_seed(arm[name], "sops") for name in ABLATION}
    for a, b in (("S+T", "S"), ("S+T", "T"), ("S", "none"), ("T", "none")):
        yield quantity(f"SOPs, {a} minus {b} (% of dense)", _difference(sops[a], sops[b], sops["none"]), "< 0")


@_claim("A-13", ["A.table4"], EVENT_SETS, ("none", "T"))
def _sops_follow_steps(arm: Arms, role: str) -> Iterator[Part]:
    sops, dense = by_seed(arm["T"], "sops"), by_seed(arm["none"], "sops")
    steps, all_steps = by_seed(arm["T"], "T"), by_seed(arm["none"], "T")
    gap = _over(sops.keys() & dense.keys(), lambda s: sops[s] / dense[s] - steps[s] / all_steps[s])
    yield quantity("share of SOPs left minus t'/T", gap, "within 0.1")


@_claim("A-14", ["A.table4"], EVENT_SETS, ABLATION)
def _no_loss(arm: Arms, role: str) -> Iterator[Part]:
    dense = by_seed(arm["none"], "top1")
    for name in ABLATION[1:]:
        difference = _difference(by_seed(arm[name], "top1"), dense)
        yield quantity(f"accuracy, {name} minus dense (points)", difference, ">= 0")


def _need_98(records: Sequence[RecordLike]) -> None:
    sparsity, _ = mean_sd([number(r.metrics.get("sparsity")) for r in records])
    if not sparsity >= 98:
        raise _NotTestable(f"the claim is about 98 % sparsity; our S+T runs prune {sparsity:.1f} % of the weights")


@_claim("A-08", ["A.table4"], (GESTURE,), ("none", "S+T"))
def _better_at_98(arm: Arms, role: str) -> Iterator[Part]:
    _need_98(arm["S+T"])
    difference = _difference(by_seed(arm["S+T"], "top1"), by_seed(arm["none"], "top1"))
    part = quantity("accuracy, S+T minus dense (points)", difference, "> 0")
    tested = len(arm["S+T"][0].curves.get("predictions", ()))
    accuracy = mean_sd(list(by_seed(arm["S+T"], "top1").values()))[0]
    if tested and math.isfinite(accuracy) and not part.note:
        low, high = wilson(round(accuracy / 100 * tested), tested)
        part = replace(
            part, note=f"one run on {tested} samples: binomial 95 % interval {100 * (high - low):.1f} points"
        )
    yield part


@_claim("A-19", ["A.table4"], EVENT_SETS, ("S+T",))
def _shallow_kept(arm: Arms, role: str) -> Iterator[Part]:
    rho = {r.seed: _rho(range(len(r.layers)), _densities(r)) for r in arm["S+T"]}
    yield quantity("Spearman rho of layer index and share of weights left", rho, "< 0")


@_claim(
    "A-22",
    ["A.fig5", "A.table4"],
    EVENT_SETS,
    ("none",),
    "Read off the dense network stopped early; the paper's T is trained on the shortened sequence",
    curves=("kl_smoothed", "accuracy_test"),
)
def _marginal_gain(arm: Arms, role: str) -> Iterator[Part]:
    def accuracy(record: RecordLike, lam: float) -> float:
        kl = record.curves["kl_smoothed"]
        if not np.isfinite(kl).all():
            return math.nan
        return float(record.curves["accuracy_test"][decision_step(kl, lam) - 1])

    for lam in LAMBDAS_BELOW:
        gain = {r.seed: accuracy(r, lam) - accuracy(r, LAMBDA_DEFAULT) for r in arm["none"]}
        yield quantity(f"accuracy, lambda {lam:g} minus {LAMBDA_DEFAULT:g} (points)", gain, "< 0.5")


@_claim("A-23", ["A.fig6", "A.fig5", "A.table4"], EVENT_SETS, ("none",), curves=("kl_smoothed", "fisher"))
def _same_trend(arm: Arms, role: str) -> Iterator[Part]:
    rho = {r.seed: _rho(normalised(r.curves["kl_smoothed"]), r.curves["fisher"]) for r in arm["none"]}
    yield quantity("Spearman rho of NormKL and Fisher trace over t", rho, "> 0.9")


@_claim("A-24", ["A.table4"], EVENT_SETS, ("none", "S+T"))
def _larger_weights(arm: Arms, role: str) -> Iterator[Part]:
    dense, pruned = arm["none"], arm["S+T"]
    for kind in ("mean", "median"):
        metric = f"{kind}_abs_weight"
        base = by_seed(dense, metric)
        change = _difference(by_seed(pruned, metric), base, base)
        yield quantity(f"{kind} |w|, S+T minus dense (% of dense)", change, "> 0")
    # Keeping the largest weights makes the mean larger by itself: how far does that alone go?
    top, base = by_seed(dense, "top_abs_mean"), by_seed(dense, "mean_abs_weight")
    alone = _difference(top, base, base)
    yield quantity("control: mean |w|, dense's own largest minus all (% of all)", alone, "> 0", control=True)
    beyond = _difference(by_seed(pruned, "mean_abs_weight"), top, top)
    what = "control: mean |w|, S+T minus dense's own largest (% of the latter)"
    yield quantity(what, beyond, "> 0", control=True)


@_claim(
    "A-25",
    ["lamp"],
    (CIFAR10,),
    ("lamp", "magnitude"),
    "Tested on one of the three data sets that it names; IMP is represented by its score, the global magnitude, on "
    "LAMP's schedule",
)
def _no_layer_emptied(arm: Arms, role: str) -> Iterator[Part]:
    least = {name: {r.seed: 100 * min(_densities(r)) for r in arm[name]} for name in ("lamp", "magnitude")}
    difference = _difference(least["lamp"], least["magnitude"])
    yield quantity("weights left in the emptiest layer, LAMP minus global magnitude (points)", difference, "> 0")


@_claim("A-27", ["A.table4"], EVENT_SETS, ("none", "S+T"))
def _headline(arm: Arms, role: str) -> Iterator[Part]:
    _need_98(arm["S+T"])
    steps, all_steps = by_seed(arm["S+T"], "T"), by_seed(arm["none"], "T")
    share = _over(steps.keys() & all_steps.keys(), lambda s: steps[s] / all_steps[s])
    yield quantity("share of time steps left", share, "<= 0.5" if role == GESTURE else "<= 0.8")
    difference = _difference(by_seed(arm["S+T"], "top1"), by_seed(arm["none"], "top1"))
    yield quantity("accuracy, S+T minus dense (points)", difference, ">= 0")


def _monotone(found: Studies) -> Verdict:
    """A-21 follows from Eq. 9, so a stored curve obeys it or is wrong: no interval is needed."""
    names = ("kl_smoothed", "kl_released", "kl_reverse")
    grid = np.concatenate([[0.0], np.logspace(-4, 0, 81)])
    records = [r for r in unique(found.values()) if any(name in r.curves for name in names)]
    if not records:
        raise _NotTestable("needs records with a KL curve: snnbook run A.fig5")
    parts = []
    for name in names:
        curves = [r.curves[name] for r in records if name in r.curves]
        if not curves:
            continue
        steps = [[decision_step(kl, lam) for lam in grid] for kl in curves if np.isfinite(kl).all()]
        broken = sum(any(b > a for a, b in pairwise(s)) for s in steps)
        outcome = FAILS if broken else HOLDS if len(steps) == len(curves) else UNDECIDED
        note = "" if len(steps) == len(curves) else f"{len(curves) - len(steps)} curves are not finite"
        label = f"records whose t' rises with lambda, {name.removeprefix('kl_')} KL"
        parts.append(Part(label, "<= 0", outcome, broken, broken, broken, len(steps), note))
    return _verdict("A-21", parts, records, ["t' is non-increasing by Eq. 9; every stored curve was checked"])


_TESTS["A-21"] = _monotone

_IMP = "needs iterative magnitude pruning with rewinding (IMP, paper A Table 2), which no run here has"
_SPARSITIES = "needs runs at three sparsities (paper A Table 3); the runs here have one"
_STEPS = "needs runs with T = 10, 15, 20 and 25 (paper A Table 5)"
_UNTESTED = {
    "A-04": "needs LAMPS on static images at 96.75 and 97.54 % sparsity, against dense (paper A Table 2)",
    "A-07": _SPARSITIES,
    "A-09": _SPARSITIES,
    "A-10": "needs paper B's method on the same network, at equal weights and at equal connections",
    "A-11": _SPARSITIES,
    "A-15": _STEPS,
    "A-16": _STEPS,
    "A-17": _STEPS,
    "A-26": "a calculation on a network with a smooth readout, for which no record is needed or kept",
}


def _why_not(row: Mapping[str, Any]) -> str:
    """Why a claim without a test is not testable here: the runs or the data that are missing."""
    if row["id"] in _UNTESTED:
        return _UNTESTED[row["id"]]
    methods = [m.strip() for m in str(row["methods"]).split(";")]
    if row["paper"] == "A" and "IMP" in methods:
        return _IMP
    if methods == ["analytic"] or methods == ["-"]:
        return f"a calculation of paper {row['paper']} ({row['source']}), not part of the runs so far"
    if row["small_data_feasibility"] == "arithmetic":
        return f"arithmetic on the printed numbers of paper {row['paper']}, not part of the runs so far"
    sets = str(row["datasets"]).replace(";", ",")
    data = "" if sets in ("none", "any", "all", "same") else f" on {sets} or a stand-in"
    runs = f"needs paper {row['paper']}'s runs of {', '.join(methods)}{data} ({row['source']})"
    return f"{runs}, which are not here yet"


def testable() -> list[str]:
    """The claims that have a test."""
    return sorted(_TESTS)


def verdict(claim: str, studies: Studies) -> Verdict:
    """The verdict on one claim from what was run: study name → its results.

    Raises UserError for an unknown claim.
    """
    table = papers.claims().set_index("id", drop=False)
    if claim not in table.index:
        raise unknown("claim", claim, table.index)
    if claim not in _TESTS:
        return Verdict(claim, NOT_TESTABLE, _why_not(table.loc[claim]))
    try:
        return _TESTS[claim](studies)
    except _NotTestable as missing:
        return Verdict(claim, NOT_TESTABLE, str(missing))


def studies_read() -> list[str]:
    """The studies that any claim is tested on."""
    return sorted(_READ)


def verdicts(studies: Studies, claims: Iterable[str] | None = None, paper: str | None = None) -> list[Verdict]:
    """The verdicts on the named claims, on those of a paper, or on all, in the order of the print."""
    if claims is not None and paper is not None:
        raise UserError("name the claims or a paper, not both")
    names = papers.claims(paper)["id"] if claims is None else claims
    return [verdict(name, studies) for name in names]


def lines(found: Iterable[Verdict]) -> list[str]:
    """One plain line per claim that was tested, for a terminal."""
    return [f"{v.claim}  {v.outcome:9}  {v.reason}" for v in found if v.outcome != NOT_TESTABLE]
