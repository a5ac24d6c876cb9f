"""The claims of paper A (Gou et al. 2025), by their numbers in the table of claims.

*Pruned against dense.* The paper compares a network that went through fourteen trainings with a dense one that was
trained once, so that a gain may come from pruning or from training longer. The arm `restarts` goes through the same
rounds and prunes nothing. What a claim says of the dense network is decided by the comparison with the dense network,
since a verdict is on the claim that was made; to fail it for losing to `restarts` would be to fail a claim that the
paper does not make. The difference to `restarts` at the same round stands beside it as a control, and where the claim
holds while that control does not, the verdict says so wherever it is shown: then pruning is not what helped.

*λ.* Where a set's own λ keeps as many steps as the paper does, arms at a larger one are shown as controls.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from snnbook.report import ladders, papers
from snnbook.report.claims.checks import Arms, NotTestable, Studies, arms_of, claim, enter, needed
from snnbook.report.claims.judging import (
    FAILS,
    HOLDS,
    NO_LOSS,
    UNDECIDED,
    Comparison,
    Verdict,
    comparison,
    conclude,
    difference,
    doubts,
    guarded,
    over,
    ratio,
)
from snnbook.report.curves import decision_step, decision_steps, normalised
from snnbook.report.records import RecordLike, by_seed, number, played, record_of, unique
from snnbook.report.stats import mean_sd, rank_correlation, same, wilson

GESTURE, CIFAR10_DVS, CIFAR10, CIFAR100 = "DVS128-Gesture", "CIFAR10-DVS", "CIFAR10", "CIFAR100"
EVENT_SETS = (GESTURE, CIFAR10_DVS)
LAMBDA_DEFAULT, LAMBDAS_BELOW = 0.01, (0.0, 0.001, 0.003)
STEPS_LEFT = {GESTURE: "<= 0.5", CIFAR10_DVS: "<= 0.8"}  # of the time steps, by the paper's abstract
RESTARTS = "restarts"


def _r(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation of curves `[T]`; NaN where one of the two is constant."""
    return math.nan if same(x) or same(y) else float(np.corrcoef(x, y)[0, 1])


def _densities(record: RecordLike) -> list[float]:
    """Share of weights left, layer by layer in order of execution."""
    return [number(layer["weights_alive"]) / number(layer["weights_total"]) for layer in record.layers]


def _lambdas(arm: Arms, *names: str) -> list[str]:
    """What is behind the names of these arms: nothing at the set's own λ, and what names each other λ that all have."""
    behind = [str(other).removeprefix(names[0]) for other in arm if str(other).startswith(f"{names[0]}, λ = ")]
    return ["", *(other for other in behind if all(name + other in arm for name in names))]


ABLATION = ("none", "S", "T", "S+T")


@claim(
    "A-12",
    ["A.ablation"],
    EVENT_SETS,
    ABLATION,
    "It holds by construction as long as neurons do not fire more: fewer synapses and fewer steps carry fewer spikes",
)
def _lower_sops(arm: Arms, dataset: str) -> Iterator[Comparison]:
    sops = {str(name): by_seed(records, "sops") for name, records in arm.items()}
    for lam in _lambdas(arm, "T", "S+T"):
        both, temporal = f"S+T{lam}", f"T{lam}"
        for a, b in ((both, "S"), (both, temporal), *([] if lam else [("S", "none")]), (temporal, "none")):
            gap = difference(sops[a], sops[b], sops["none"])
            yield comparison(f"SOPs, {a} minus {b} (% of dense)", gap, "< 0", control=bool(lam))


@claim("A-13", ["A.ablation"], EVENT_SETS, ("none", "T"))
def _sops_follow_steps(arm: Arms, dataset: str) -> Iterator[Comparison]:
    dense, all_steps = by_seed(arm["none"], "sops"), by_seed(arm["none"], "T")
    printed = {v: papers.rows("A", "4", dataset=dataset, variant=v).iloc[0] for v in ("none", "T")}
    theirs = printed["T"]["sops_M"] / printed["none"]["sops_M"] - printed["T"]["decision_T"] / printed["none"]["T"]
    for lam in _lambdas(arm, "T"):
        sops, steps = by_seed(arm[f"T{lam}"], "sops"), by_seed(arm[f"T{lam}"], "T")
        gap = difference(ratio(sops, dense), ratio(steps, all_steps))
        it = comparison(f"share of SOPs left minus t'/T, T{lam}", gap, "within 0.1", control=bool(lam))
        yield it if lam else it.noted(f"the paper's own is {theirs:.3f}")


def _gain(arm: Arms, a: str, b: str, line: str, T: int = 0) -> Comparison:
    """Accuracy of one arm minus that of another at the end of their training, where T says at how many steps."""
    one, two = (arm[(name, T) if T else name] for name in (a, b))
    gain = difference(by_seed(one, "top1"), by_seed(two, "top1"))
    where = f" at T = {T}" if T else ""
    it = comparison(f"accuracy, {a} minus {'dense' if b == 'none' else b}{where} (points)", gain, line)
    return guarded(it, doubts(a, one))


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
        mine = at_round(arm[a], cuts)
        other = at_round(arm[a], 0) if b == "dense" else at_round(arm[b], cuts)
        it = comparison(f"accuracy at {_after(cuts)}, {a} minus {b} (points)", difference(mine, other), line)
        rival = [] if b == "dense" else doubts(b, arm[b], other)
        yield guarded(it, [*doubts(a, arm[a], mine), *rival])


def _against_dense(arm: Arms, names: Sequence[str], lines: Mapping[int, str]) -> Iterator[Comparison]:
    """Accuracy of arms minus the dense network's after so many cuts; as controls, minus that of `restarts`."""
    for name in names:
        yield from _against(arm, name, "dense", lines)
    for name in names if RESTARTS in arm else ():
        for it in _against(arm, name, RESTARTS, lines):
            yield replace(it, control=True, explains="the same restarts with nothing pruned")


@claim(
    "A-14",
    ["A.rounds", "A.ablation"],
    EVENT_SETS,
    ("S", "S+T", "T", "none"),
    "S and S+T go through the paper's rounds that rewind; T is trained once, as its dense network is",
)
def _no_loss(arm: Arms, dataset: str) -> Iterator[Comparison]:
    for lam in _lambdas(arm, "T"):
        yield replace(_gain(arm, f"T{lam}", "none", NO_LOSS), control=bool(lam))
    yield from _against_dense(arm, ("S", "S+T"), {14: NO_LOSS})


@claim("A-01", ["A.rounds"], (CIFAR10,), ("S", "IMP"), "Both begin with the same dense network", guard=False)
def _loses_less(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S", "IMP", {14: "> 0"})


@claim("A-02", ["A.hundred"], (CIFAR100,), ("S", "IMP"), "The paper's network is VGG16", guard=False)
def _loses_less_everywhere(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S", "IMP", dict.fromkeys(ROUNDS, "> 0"))


@claim("A-04", ["A.rounds"], (CIFAR10,), ("S",), guard=False)
def _better_than_dense(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against_dense(arm, ("S",), {12: "> 0", 13: "> 0"})


@claim("A-05", ["A.rounds"], (CIFAR10,), ("S", "IMP"), guard=False)
def _more_accurate(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S", "IMP", {13: "> 0", 14: "> 0"})


@claim(
    "A-06",
    ["A.rounds"],
    (GESTURE,),
    ("S", "IMP"),
    "The sign decides. The size, more than 10 points, belongs to the paper's data: where both are close to 100 % no "
    "gap can be as large",
    guard=False,
)
def _far_better(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against(arm, "S", "IMP", dict.fromkeys(ROUNDS, "> 0"))
    for cuts in ROUNDS[1:]:
        ours, theirs = (mean_sd(list(at_round(arm[name], cuts).values()))[0] for name in ("S", "IMP"))
        for it in _against(arm, "S", "IMP", {cuts: "> 10"}):
            yield replace(it, control=True).noted(f"S has {ours:.1f} %, IMP {theirs:.1f} %")


@claim("A-07", ["A.rounds"], (GESTURE,), ("S+T",), guard=False)
def _loses_nothing(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against_dense(arm, ("S+T",), dict.fromkeys(ROUNDS, NO_LOSS))


@claim("A-09", ["A.rounds"], (CIFAR10_DVS,), ("S", "S+T"), guard=False)
def _both_better_than_dense(arm: Arms, dataset: str) -> Iterator[Comparison]:
    yield from _against_dense(arm, ("S", "S+T"), dict.fromkeys(ROUNDS, "> 0"))


@claim("A-11", ["A.rounds"], (GESTURE,), ("S", "S+T"), guard=False)
def _declines_at_98(arm: Arms, dataset: str) -> Iterator[Comparison]:
    for name in ("S", "S+T"):
        after = at_round(arm[name], 14)
        change = difference(after, at_round(arm[name], 13))
        it = comparison(f"accuracy of {name}, {_after(14)} minus {_after(13)} (points)", change, "< 0")
        yield guarded(replace(it, control=name != "S"), doubts(name, arm[name], after))


def _spatial_share(record: RecordLike, kind: str) -> float:
    """Share of the connections left in the first layer of a kind, in per cent."""
    layer = next(layer for layer in record.layers if layer["kind"] == kind)
    return 100 * number(layer["connections_alive"]) / number(layer["connections_total"])


@claim("A-18", ["A.rounds"], EVENT_SETS, ("S+T", "IMP"), guard=False)
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
            rank_correlation(
                [number(r.layers[i]["connections_alive"]) for r in networks],
                [number(r.layers[i]["rate"]) for r in networks],
            )
            for i, layer in enumerate(networks[0].layers)
            if layer["rate"] is not None
        ]
        return float(np.mean(layers))

    what = "Spearman rho of connections and firing rate over the four networks, mean of the layers"
    yield comparison(what, over(rho, *([r.seed for r in arm[name]] for name in named)), "< 0")


STEPS = (10, 15, 20, 25)


@claim("A-15", ["A.steps"], (GESTURE,), [("T", T) for T in STEPS])
def _longer_saves_more(arm: Arms, dataset: str) -> Iterator[Comparison]:
    share = {T: {s: t / T for s, t in by_seed(arm["T", T], "T").items()} for T in STEPS}
    for few, more in pairwise(STEPS):
        yield comparison(
            f"share of the steps that stay, T = {more} minus T = {few}", difference(share[more], share[few]), "< 0"
        )


@claim("A-16", ["A.steps"], (GESTURE,), [(name, T) for T in STEPS for name in ("none", "T")])
def _never_hurts(arm: Arms, dataset: str) -> Iterator[Comparison]:
    for T in STEPS:
        yield _gain(arm, "T", "none", NO_LOSS, T)


def _without_rounds(records: Sequence[RecordLike]) -> str:
    """Why records of S+T are not made as the paper's; empty where they went through rounds that rewind."""
    settings = [r.trial.get("settings", {}) for r in records if r.trial["method"] == "stp"]
    if all(given.get("rewind") or not given.get("share", 0) for given in settings):
        return ""
    return "at four lengths there are no runs of S+T in the paper's rounds that rewind; these cut within one training"


@claim("A-17", ["A.steps"], (GESTURE,), [(name, T) for T in STEPS for name in ("none", "S+T")], unlike=_without_rounds)
def _stable(arm: Arms, dataset: str) -> Iterator[Comparison]:
    for T in STEPS:
        yield _gain(arm, "S+T", "none", ">= -1", T)


@claim(
    "A-26",
    ["A.dense"],
    (GESTURE, CIFAR10_DVS, CIFAR10),
    ("none",),
    "It holds by construction for a small change of the read-out's weights, here a random one by 1 % and 0.3 % of "
    "their norm; spikes are no smooth function of the weights before them",
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
    only, *controls = _against_dense(arm, ("S+T",), {14: "> 0"})
    tested = len(arm["S+T"][0].curves.get("predictions", ()))
    accuracy = mean_sd(list(at_round(arm["S+T"], 14).values()))[0]
    if tested and math.isfinite(accuracy):
        low, high = wilson(round(accuracy / 100 * tested), tested)
        only = only.noted(f"one run on {tested} samples: binomial 95 % interval {100 * (high - low):.1f} points")
    yield from (only, *controls)


@claim(
    "A-19",
    ["A.ablation"],
    EVENT_SETS,
    ("S+T",),
    "The read-out is the last of the layers; the control leaves it out",
)
def _shallow_kept(arm: Arms, dataset: str) -> Iterator[Comparison]:
    left = {r.seed: _densities(r) for r in arm["S+T"]}
    for what, last in (("all layers", None), ("all but the read-out", -1)):
        rho = {seed: rank_correlation(range(len(shares[:last])), shares[:last]) for seed, shares in left.items()}
        what = f"Spearman rho of layer index and share of weights left, {what}"
        yield comparison(what, rho, "< 0", control=last is not None)


@claim(
    "A-22",
    ["A.curves"],
    EVENT_SETS,
    ("none",),
    "Read off the dense network stopped early; the paper's T is trained on the shortened sequence, and its networks "
    "vote with spikes",
    curves=("kl_smoothed", "kl_released", "accuracy_test"),
)
def _marginal_gain(arm: Arms, dataset: str) -> Iterator[Comparison]:
    def step(record: RecordLike, lam: float, variant: str = "smoothed") -> float:
        kl = record.curves[f"kl_{variant}"]
        return decision_step(kl, lam) if np.isfinite(kl).all() else math.nan

    def accuracy(record: RecordLike, lam: float) -> float:
        t = step(record, lam)
        return float(record.curves["accuracy_test"][int(t) - 1]) if math.isfinite(t) else math.nan

    for name, records in _read_outs(arm).items():
        for lam in LAMBDAS_BELOW:
            gain = {r.seed: accuracy(r, lam) - accuracy(r, LAMBDA_DEFAULT) for r in records}
            what = f"accuracy, lambda {lam:g} minus {LAMBDA_DEFAULT:g}{name} (points)"
            yield comparison(what, gain, "< 0.5", control=bool(name))
    for name, records in _read_outs(arm).items():
        # The released divergence is made for rates, which only votes are.
        for variant in ("smoothed", "released") if name else ("smoothed",):
            steps = {r.seed: step(r, LAMBDA_DEFAULT, variant) for r in records}
            share = ratio(steps, {r.seed: len(r.curves["kl_smoothed"]) for r in records})
            what = f"share of time steps left at lambda {LAMBDA_DEFAULT:g}, {variant} KL{name}"
            yield comparison(what, share, STEPS_LEFT[dataset], control=True).noted("the line is what the paper's keep")


def _read_outs(arm: Arms) -> dict[str, Sequence[RecordLike]]:
    """Remark → the dense networks: ours, whose read-out is a current, and those that vote with spikes if there are."""
    return {"": arm["none"]} | ({", votes with spikes": arm["votes"]} if "votes" in arm else {})


@claim(
    "A-23",
    ["A.curves"],
    EVENT_SETS,
    ("none",),
    "Pearson's r of the two curves decides, each normalised to its range; ranks see the flat and noisy tail as much as "
    "the fall",
    curves=("kl_smoothed", "fisher"),
)
def _same_trend(arm: Arms, dataset: str) -> Iterator[Comparison]:
    for name, records in _read_outs(arm).items():
        curves = {r.seed: (normalised(r.curves["kl_smoothed"]), normalised(r.curves["fisher"])) for r in records}
        for measure, of in (("Pearson r", _r), ("Spearman rho", rank_correlation)):
            alike = {seed: of(kl, fisher) for seed, (kl, fisher) in curves.items()}
            what = f"{measure} of NormKL and Fisher trace over t{name}"
            yield comparison(what, alike, "> 0.9", control=of is rank_correlation or bool(name))


@claim(
    "A-24",
    ["A.ablation"],
    EVENT_SETS,
    ("none", "S+T"),
    "It holds by construction: keeping the largest weights makes the mean larger, as the first control shows",
)
def _larger_weights(arm: Arms, dataset: str) -> Iterator[Comparison]:
    dense, pruned = arm["none"], arm["S+T"]
    for kind in ("mean", "median"):
        metric = f"{kind}_abs_weight"
        base = by_seed(dense, metric)
        change = difference(by_seed(pruned, metric), base, base)
        yield comparison(f"{kind} |w|, S+T minus dense (% of dense)", change, "> 0")
    top, base = by_seed(dense, "top_abs_mean"), by_seed(dense, "mean_abs_weight")
    alone = difference(top, base, base)
    yield comparison("mean |w|, dense's own largest minus all (% of all)", alone, "> 0", control=True)
    beyond = difference(by_seed(pruned, "mean_abs_weight"), top, top)
    yield comparison("mean |w|, S+T minus dense's own largest (% of the latter)", beyond, "> 0", control=True)


@claim("A-25", ["A.rounds", "A.hundred"], (GESTURE, CIFAR10_DVS, CIFAR10, CIFAR100), ("S", "IMP"), guard=False)
def _no_layer_emptied(arm: Arms, dataset: str) -> Iterator[Comparison]:
    least = {name: {r.seed: 100 * min(_densities(r)) for r in arm[name]} for name in ("S", "IMP")}
    gain = difference(least["S"], least["IMP"])
    rescued = [reason for name in ("S", "IMP") for reason in _rescued(name, arm[name])]
    yield comparison("weights left in the emptiest layer, S minus IMP (points)", gain, "> 0").noted(*rescued)


def _rescued(name: str, records: Sequence[RecordLike]) -> list[str]:
    layers = [len(r.log.get("rescued", ())) for r in records]
    return [f"{name} would have emptied {max(layers)} layers in its worst seed"] if any(layers) else []


@claim("A-27", ["A.rounds"], EVENT_SETS, ("S+T",))
def _headline(arm: Arms, dataset: str) -> Iterator[Comparison]:
    _need_98(arm["S+T"])
    steps, all_steps = at_round(arm["S+T"], 14, "T"), at_round(arm["S+T"], 0, "T")
    yield comparison("share of time steps left", ratio(steps, all_steps), STEPS_LEFT[dataset])
    yield from _against_dense(arm, ("S+T",), {14: NO_LOSS})


def _monotone(studies: Studies) -> Verdict:
    """A-21 follows from Eq. 9, so a stored curve obeys it or is wrong: there is no mean or interval to take."""
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
        note = f"t' rises with lambda in {broken} of {len(curves)} stored curves"
        if len(steps) < len(curves):
            note += f", of which {len(curves) - len(steps)} are not finite"
        label, p = f"{name.removeprefix('kl_')} KL", 0.0 if broken else 1.0
        comparisons.append(Comparison(label, "<= 0", outcome, broken, note=note, p=p))
    roles = {data: dataset for study in studies.values() for data, dataset in played(study, EVENT_SETS).items()}
    return conclude("A-21", comparisons, records, roles, ["By construction, t' is non-increasing in lambda by Eq. 9"])


enter("A-21", ["A.curves"], _monotone)


def _against_paper_b(studies: Studies) -> Verdict:
    """A-10 reads connections as parameters; here both are compared, at what each network of paper B's ladder has."""
    rounds, matched = needed(studies, "A.rounds"), needed(studies, "A.matched").records
    data, ours = arms_of([rounds], CIFAR10_DVS, ())
    theirs = {key.level: r for key, r in matched.items() if (key.data, key.arm) == (data, "unstructured") and r}
    if "S+T" not in ours or not theirs:
        raise NotTestable(f"no records of S+T and of paper B's method on {data or f'a data set for {CIFAR10_DVS}'}")
    comparisons, apart = [], []
    for axis in ("weights", "connections"):
        for level, records in theirs.items():
            rival = ladders.point(records, axis)
            same_left = ladders.at_budget(ladders.rounds(ours["S+T"], axis), rival.x)
            where = f"{rival.mean[0]:.1f} % of the {axis}"
            if not all(map(math.isfinite, same_left.values())):
                apart.append(f"{where} ({level})")
                continue
            gain = comparison(
                f"accuracy at {where}, S+T minus paper B's {level} (points)",
                difference(same_left, rival.y),
                "> 0",
            )
            comparisons.append(guarded(gain, doubts("paper B's method", records)))
    beyond = " or ".join(apart)
    lacking = f"Left out, since not every S+T run has a round with as little: paper B's {beyond}" if apart else ""
    if not comparisons:
        raise NotTestable(lacking)
    used = [*ours["S+T"], *(r for records in theirs.values() for r in records)]
    notes = ["The paper's network is VGGSNN; S+T was trained for many more epochs", *filter(None, [lacking])]
    return conclude("A-10", [replace(one, data=data) for one in comparisons], used, {data: CIFAR10_DVS}, notes)


enter("A-10", ["A.rounds", "A.matched"], _against_paper_b)
