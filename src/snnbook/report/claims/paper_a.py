"""The claims of paper A (Gou et al. 2025), by their numbers in the table of claims."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from snnbook.report.claims.judging import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Arms,
    Comparison,
    NotTestable,
    Studies,
    Verdict,
    arms_of,
    claim,
    comparison,
    conclude,
    difference,
    enter,
    over,
)
from snnbook.report.curves import decision_step, decision_steps, normalised
from snnbook.report.ladders import AXES, interpolate
from snnbook.report.records import RecordLike, by_seed, number, record_of, unique
from snnbook.report.stats import mean_sd, wilson

GESTURE, CIFAR10_DVS, CIFAR10, CIFAR100 = "DVS128-Gesture", "CIFAR10-DVS", "CIFAR10", "CIFAR100"
EVENT_SETS = (GESTURE, CIFAR10_DVS)
LAMBDA_DEFAULT, LAMBDAS_BELOW = 0.01, (0.0, 0.001, 0.003)


def _rho(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """Spearman's rank correlation; NaN where one of the two is constant."""
    from scipy.stats import spearmanr  # takes a second to import

    if len(set(map(float, x))) < 2 or len(set(map(float, y))) < 2:
        return math.nan
    return float(spearmanr(x, y).statistic)


def _densities(record: RecordLike) -> list[float]:
    """Share of weights left, layer by layer in order of execution."""
    return [number(layer["weights_alive"]) / number(layer["weights_total"]) for layer in record.layers]


ABLATION = ("none", "S", "T", "S+T")


@claim("A-12", ["A.ablation"], EVENT_SETS, ABLATION)
def _lower_sops(arm: Arms, dataset: str) -> Iterator[Comparison]:
    sops = {name: by_seed(arm[name], "sops") for name in ABLATION}
    for a, b in (("S+T", "S"), ("S+T", "T"), ("S", "none"), ("T", "none")):
        yield comparison(f"SOPs, {a} minus {b} (% of dense)", difference(sops[a], sops[b], sops["none"]), "< 0")


@claim("A-13", ["A.ablation"], EVENT_SETS, ("none", "T"))
def _sops_follow_steps(arm: Arms, dataset: str) -> Iterator[Comparison]:
    sops, dense = by_seed(arm["T"], "sops"), by_seed(arm["none"], "sops")
    steps, all_steps = by_seed(arm["T"], "T"), by_seed(arm["none"], "T")
    gap = over(sops.keys() & dense.keys(), lambda s: sops[s] / dense[s] - steps[s] / all_steps[s])
    yield comparison("share of SOPs left minus t'/T", gap, "within 0.1")


@claim("A-14", ["A.ablation"], EVENT_SETS, ABLATION)
def _no_loss(arm: Arms, dataset: str) -> Iterator[Comparison]:
    dense = by_seed(arm["none"], "top1")
    for name in ABLATION[1:]:
        gain = difference(by_seed(arm[name], "top1"), dense)
        yield comparison(f"accuracy, {name} minus dense (points)", gain, ">= 0")


ROUNDS = (12, 13, 14)  # cuts of a quarter each: the three sparsities of paper A's Tables 2 and 3


def at_round(records: Sequence[RecordLike], cuts: int, what: str = "top1") -> dict[int, float]:
    """Seed → what was measured after so many cuts, in runs whose record tells about every round; NaN where none was."""
    values = {}
    for record in records:
        rounds = record.log.get("rounds", ())
        values[record.seed] = number(rounds[cuts].get(what)) if cuts < len(rounds) else math.nan
    return values


def _after(cuts: int) -> str:
    return f"{100 * (1 - 0.75**cuts):.1f} %"


def _against(arm: Arms, a: str, b: str, lines: Mapping[int, str]) -> Iterator[Comparison]:
    """Accuracy of one arm minus that of another after so many cuts; `b` may be the dense network they began with."""
    for cuts, line in lines.items():
        other = at_round(arm[a], 0) if b == "dense" else at_round(arm[b], cuts)
        gain = difference(at_round(arm[a], cuts), other)
        yield comparison(f"accuracy at {_after(cuts)}, {a} minus {b} (points)", gain, line)


@claim("A-01", ["A.rounds"], (CIFAR10,), ("S", "IMP"), "Both begin with the same dense network")
def _loses_less(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S", "IMP", {14: "> 0"})


@claim("A-02", ["A.hundred"], (CIFAR100,), ("S", "IMP"), "On a plain network of six convolutions, not VGG16")
def _loses_less_everywhere(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S", "IMP", dict.fromkeys(ROUNDS, "> 0"))


@claim("A-04", ["A.rounds"], (CIFAR10,), ("S",))
def _better_than_dense(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S", "dense", {12: "> 0", 13: "> 0"})


@claim("A-05", ["A.rounds"], (CIFAR10,), ("S", "IMP"))
def _more_accurate(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S", "IMP", {13: "> 0", 14: "> 0"})


@claim("A-06", ["A.rounds"], (GESTURE,), ("S", "IMP"))
def _far_better(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S", "IMP", {12: "> 0", 13: "> 10", 14: "> 10"})


@claim("A-07", ["A.rounds"], (GESTURE,), ("S+T",))
def _loses_nothing(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S+T", "dense", dict.fromkeys(ROUNDS, ">= 0"))


@claim("A-09", ["A.rounds"], (CIFAR10_DVS,), ("S", "S+T"))
def _both_better_than_dense(arm: Arms, dataset: str) -> Iterator[Comparison]:
    for name in ("S", "S+T"):
        yield from _against(arm, name, "dense", dict.fromkeys(ROUNDS, "> 0"))


@claim("A-11", ["A.rounds"], (GESTURE,), ("S", "S+T"))
def _declines_at_98(arm: Arms, dataset: str) -> Iterator[Comparison]:
    for name in ("S", "S+T"):
        change = difference(at_round(arm[name], 14), at_round(arm[name], 13))
        what = f"accuracy of {name}, {_after(14)} minus {_after(13)} (points)"
        yield replace(comparison(what, change, "< 0"), control=name != "S")


def _spatial_share(record: RecordLike, kind: str) -> float:
    """Share of the connections left in the first layer of a kind, in per cent."""
    layer = next(layer for layer in record.layers if layer["kind"] == kind)
    return 100 * number(layer["connections_alive"]) / number(layer["connections_total"])


@claim("A-18", ["A.rounds"], EVENT_SETS, ("S+T", "IMP"))
def _where_it_cuts(arm: Arms, dataset: str) -> Iterator[Comparison]:
    for kind, name, line in (("conv", "Conv1", "> 0"), ("linear", "FC1", "< 0")):
        left = {a: {r.seed: _spatial_share(r, kind) for r in arm[a]} for a in ("S+T", "IMP")}
        yield comparison(
            f"connections left in {name}, S+T minus IMP (points)", difference(left["S+T"], left["IMP"]), line
        )


@claim("A-20", ["A.rounds", "A.dense"], EVENT_SETS, ("S+T", "S", "IMP", "none"))
def _fewer_fire_more(arm: Arms, dataset: str) -> Iterator[Comparison]:
    named = ("none", "IMP", "S", "S+T")

    def rho(seed: int) -> float:
        networks = [record_of(arm[name], seed) for name in named]
        layers = [
            _rho(
                [number(r.layers[i]["connections_alive"]) for r in networks],
                [number(r.layers[i]["rate"]) for r in networks],
            )
            for i, layer in enumerate(networks[0].layers)
            if layer["rate"] is not None
        ]
        return float(np.mean(layers))

    seeds = set.intersection(*({r.seed for r in arm[name]} for name in named))
    what = "Spearman rho of connections and firing rate over the four networks, mean of the layers"
    yield comparison(what, {seed: rho(seed) for seed in sorted(seeds)}, "< 0")


STEPS = (10, 15, 20, 25)


@claim("A-15", ["A.steps"], (GESTURE,), [("T", T) for T in STEPS])
def _longer_saves_more(arm: Arms, dataset: str) -> Iterator[Comparison]:
    share = {T: {s: t / T for s, t in by_seed(arm["T", T], "T").items()} for T in STEPS}
    for few, more in pairwise(STEPS):
        yield comparison(
            f"share of the steps that stay, T = {more} minus T = {few}", difference(share[more], share[few]), "< 0"
        )


def _at_every_length(arm: Arms, name: str, line: str) -> Iterator[Comparison]:
    for T in STEPS:
        gain = difference(by_seed(arm[name, T], "top1"), by_seed(arm["none", T], "top1"))
        yield comparison(f"accuracy, {name} minus dense at T = {T} (points)", gain, line)


@claim("A-16", ["A.steps"], (GESTURE,), [(name, T) for T in STEPS for name in ("none", "T")])
def _never_hurts(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _at_every_length(arm, "T", ">= 0")


@claim("A-17", ["A.steps"], (GESTURE,), [(name, T) for T in STEPS for name in ("none", "S+T")])
def _stable(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _at_every_length(arm, "S+T", ">= -1")


@claim(
    "A-26",
    ["A.dense"],
    (GESTURE, CIFAR10_DVS, CIFAR10),
    ("none",),
    "For a random change of the read-out's weights by 1 % and 0.3 % of their norm; spikes are no smooth function of "
    "the weights before them",
    curves=("taylor_kl", "taylor_fisher"),
)
def _quadratic(arm: Arms, dataset: str) -> Iterator[Comparison]:
    for size, name in ((-2, "1 %"), (-1, "0.3 %"), (0, "100 %")):
        gap = {}
        for r in arm["none"]:
            kl, form = r.curves["taylor_kl"][size], r.curves["taylor_fisher"][size]
            gap[r.seed] = float(np.abs(1 - form / kl).max())
        gaps = comparison(f"|1 - half the Fisher form / KL|, worst step, change of {name}", gap, "< 0.1")
        yield replace(gaps, control=size == 0)


def _need_98(records: Sequence[RecordLike]) -> None:
    rounds = [r.log.get("rounds", ()) for r in records]
    sparsity, _ = mean_sd([number(each[-1]["sparsity"]) if each else math.nan for each in rounds])
    if not sparsity >= 98:
        raise NotTestable(f"the claim is about 98 % sparsity; our S+T runs prune {sparsity:.1f} % of the weights")


@claim("A-08", ["A.rounds"], (GESTURE,), ("S+T",))
def _better_at_98(arm: Arms, dataset: str) -> Iterator[Comparison]:
    _need_98(arm["S+T"])
    (only,) = _against(arm, "S+T", "dense", {14: "> 0"})
    tested = len(arm["S+T"][0].curves.get("predictions", ()))
    accuracy = mean_sd(list(at_round(arm["S+T"], 14).values()))[0]
    if tested and math.isfinite(accuracy) and not only.note:
        low, high = wilson(round(accuracy / 100 * tested), tested)
        only = replace(
            only, note=f"one run on {tested} samples: binomial 95 % interval {100 * (high - low):.1f} points"
        )
    yield only


@claim("A-19", ["A.ablation"], EVENT_SETS, ("S+T",))
def _shallow_kept(arm: Arms, dataset: str) -> Iterator[Comparison]:
    rho = {r.seed: _rho(range(len(r.layers)), _densities(r)) for r in arm["S+T"]}
    yield comparison("Spearman rho of layer index and share of weights left", rho, "< 0")


@claim(
    "A-22",
    ["A.curves"],
    EVENT_SETS,
    ("none",),
    "Read off the dense network stopped early; the paper's T is trained on the shortened sequence",
    curves=("kl_smoothed", "accuracy_test"),
)
def _marginal_gain(arm: Arms, dataset: str) -> Iterator[Comparison]:
    def accuracy(record: RecordLike, lam: float) -> float:
        kl = record.curves["kl_smoothed"]
        if not np.isfinite(kl).all():
            return math.nan
        return float(record.curves["accuracy_test"][decision_step(kl, lam) - 1])

    for lam in LAMBDAS_BELOW:
        gain = {r.seed: accuracy(r, lam) - accuracy(r, LAMBDA_DEFAULT) for r in arm["none"]}
        yield comparison(f"accuracy, lambda {lam:g} minus {LAMBDA_DEFAULT:g} (points)", gain, "< 0.5")


@claim("A-23", ["A.curves"], EVENT_SETS, ("none",), curves=("kl_smoothed", "fisher"))
def _same_trend(arm: Arms, dataset: str) -> Iterator[Comparison]:
    rho = {r.seed: _rho(normalised(r.curves["kl_smoothed"]), r.curves["fisher"]) for r in arm["none"]}
    yield comparison("Spearman rho of NormKL and Fisher trace over t", rho, "> 0.9")


@claim("A-24", ["A.ablation"], EVENT_SETS, ("none", "S+T"))
def _larger_weights(arm: Arms, dataset: str) -> Iterator[Comparison]:
    dense, pruned = arm["none"], arm["S+T"]
    for kind in ("mean", "median"):
        metric = f"{kind}_abs_weight"
        base = by_seed(dense, metric)
        change = difference(by_seed(pruned, metric), base, base)
        yield comparison(f"{kind} |w|, S+T minus dense (% of dense)", change, "> 0")
    # Keeping the largest weights makes the mean larger by itself: how far does that alone go?
    top, base = by_seed(dense, "top_abs_mean"), by_seed(dense, "mean_abs_weight")
    alone = difference(top, base, base)
    yield comparison("control: mean |w|, dense's own largest minus all (% of all)", alone, "> 0", control=True)
    beyond = difference(by_seed(pruned, "mean_abs_weight"), top, top)
    what = "control: mean |w|, S+T minus dense's own largest (% of the latter)"
    yield comparison(what, beyond, "> 0", control=True)


@claim("A-25", ["A.rounds"], (GESTURE, CIFAR10_DVS, CIFAR10), ("S", "IMP"))
def _no_layer_emptied(arm: Arms, dataset: str) -> Iterator[Comparison]:
    least = {name: {r.seed: 100 * min(_densities(r)) for r in arm[name]} for name in ("S", "IMP")}
    gain = difference(least["S"], least["IMP"])
    yield comparison("weights left in the emptiest layer, S minus IMP (points)", gain, "> 0")


@claim("A-27", ["A.rounds"], EVENT_SETS, ("S+T",))
def _headline(arm: Arms, dataset: str) -> Iterator[Comparison]:
    _need_98(arm["S+T"])
    steps, all_steps = at_round(arm["S+T"], 14, "T"), at_round(arm["S+T"], 0, "T")
    share = over(steps.keys() & all_steps.keys(), lambda s: steps[s] / all_steps[s])
    yield comparison("share of time steps left", share, "<= 0.5" if dataset == GESTURE else "<= 0.8")
    yield from _against(arm, "S+T", "dense", {14: ">= 0"})


def _monotone(studies: Studies) -> Verdict:
    """A-21 follows from Eq. 9, so a stored curve obeys it or is wrong: no interval is needed."""
    names = ("kl_smoothed", "kl_released", "kl_reverse")
    grid = np.concatenate([[0.0], np.logspace(-4, 0, 81)])
    records = [r for r in unique(studies.values()) if any(name in r.curves for name in names)]
    if not records:
        raise NotTestable("needs records with a KL curve: snnbook run A.curves")
    comparisons = []
    for name in names:
        curves = [r.curves[name] for r in records if name in r.curves]
        if not curves:
            continue
        steps = [decision_steps(kl, grid) for kl in curves if np.isfinite(kl).all()]
        broken = sum(bool((np.diff(s) > 0).any()) for s in steps)
        outcome = FAILS if broken else HOLDS if len(steps) == len(curves) else UNDECIDED
        note = "" if len(steps) == len(curves) else f"{len(curves) - len(steps)} curves are not finite"
        label = f"records whose t' rises with lambda, {name.removeprefix('kl_')} KL"
        comparisons.append(Comparison(label, "<= 0", outcome, broken, broken, broken, len(steps), note))
    return conclude("A-21", comparisons, records, ["t' is non-increasing by Eq. 9; every stored curve was checked"])


enter("A-21", ["A.curves"], _monotone)


def _against_paper_b(studies: Studies) -> Verdict:
    """A-10 reads connections as parameters; here both are compared, at what each network of paper B's ladder has."""
    if missing := [name for name in ("A.rounds", "A.matched") if name not in studies]:
        raise NotTestable(f"needs the study {missing[0]}: snnbook run {missing[0]}")
    data, ours = arms_of([studies["A.rounds"]], CIFAR10_DVS, ())
    matched = studies["A.matched"].records
    theirs = {key.level: r for key, r in matched.items() if (key.data, key.arm) == (data, "unstructured") and r}
    if "S+T" not in ours or not theirs:
        raise NotTestable(f"no records of S+T and of paper B's method on {data or f'a data set for {CIFAR10_DVS}'}")
    comparisons = []
    for axis in ("weights", "connections"):
        for level, records in theirs.items():
            left = {r.seed: AXES[axis].of(r.metrics) for r in records}
            gain = difference(
                {r.seed: _accuracy_at(r, axis, left[r.seed]) for r in ours["S+T"] if r.seed in left},
                by_seed(records, "top1"),
            )
            where = f"{np.mean(list(left.values())):.1f} % of the {axis}"
            comparisons.append(comparison(f"accuracy at {where}, S+T minus paper B's {level} (points)", gain, "> 0"))
    used = [*ours["S+T"], *(r for records in theirs.values() for r in records)]
    notes = ["On the 4Conv2FC network, not VGGSNN; S+T was trained for many more epochs"]
    return conclude("A-10", [replace(one, data=data) for one in comparisons], used, notes)


def _accuracy_at(record: RecordLike, axis: str, left: float) -> float:
    """Accuracy of a run of rounds where `left` per cent of the weights or connections are left, between its rounds."""
    rounds = record.log.get("rounds", ())
    return interpolate([AXES[axis].of(r) for r in rounds], [number(r["top1"]) for r in rounds], left)


enter("A-10", ["A.rounds", "A.matched"], _against_paper_b)
