"""The claims of paper C (Chen et al. 2023): its calculations, and what the comparison of all methods has on others.

Equations and printed numbers are computed here and need no run. All that the comparison has is on the part of CIFAR-10,
with one dense network and as many epochs for all, and is evidence only; the paper's rows have other networks and
epochs, and most of them CIFAR-100.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from snnbook.report import papers
from snnbook.report.claims.checks import NotTestable, Studies, enter, evidence, needed
from snnbook.report.claims.equal import against
from snnbook.report.claims.judging import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Comparison,
    Verdict,
    comparison,
    conclude,
    difference,
    join,
)
from snnbook.report.entropy import entropy, independent, marginals, spike_entropy, total_correlation
from snnbook.report.ladders import at_budget, keys, ladder, point, trained_longer
from snnbook.report.records import RecordLike, ResultsLike, number, played

IMAGES = "CIFAR10"
OURS = "criticality"
OWN = "paper C's own runs, on a hundred classes and with no regeneration as a control, are still to come"


def _beats(study: ResultsLike, data: str, rivals: Sequence[str]) -> Iterator[Comparison]:
    for rival in rivals:
        yield from against(study, data, OURS, rival, "weights")


@evidence("C-01", (IMAGES,), f"these methods have equally many epochs, but for IMP's rounds; {OWN}")
def _best_at_95(study: ResultsLike, data: str) -> Iterator[Comparison]:
    for rival in ("gradr", "imp", "rcmo", "ndsnn"):
        yield from against(study, data, OURS, rival, "weights", left=5.0)
    for key in keys(study, data, "imp"):
        if trained_longer(study, key):
            theirs = point(study.records[key], "weights")
            ours = at_budget(ladder(study, data, OURS, "weights"), theirs.x)
            epochs = study.records[key][0].metrics["epochs"]
            what = f"accuracy at equal weights, {OURS} minus imp in rounds of {epochs} epochs in all (points)"
            yield comparison(what, difference(ours, theirs.y), "> 0")


@evidence("C-02", (IMAGES,), OWN)
def _better_on_images(study: ResultsLike, data: str) -> Iterator[Comparison]:
    yield from _beats(study, data, ("gradr", "stds", "rcmo"))


@evidence("C-03", (IMAGES,), OWN)
def _better_than_two(study: ResultsLike, data: str) -> Iterator[Comparison]:
    yield from _beats(study, data, ("imp", "ndsnn"))


@evidence("C-04", (IMAGES,), OWN)
def _better_than_four(study: ResultsLike, data: str) -> Iterator[Comparison]:
    yield from _beats(study, data, ("gradr", "imp", "rcmo", "ndsnn"))


@evidence("C-07", (IMAGES,), f"with one dense network a smaller loss is a higher accuracy; {OWN}")
def _smaller_loss(study: ResultsLike, data: str) -> Iterator[Comparison]:
    yield from _beats(study, data, ("gradr", "imp", "rcmo", "ndsnn", "rigl", "stds"))


# --- calculations -----------------------------------------------------------------------------------------


def _exact(what: str, value: float, line: str, holds: bool) -> Comparison:
    """A number without seeds and without an interval: it keeps to the line or does not."""
    return Comparison(what, line, HOLDS if holds else FAILS, value, note=f"{value:.4g}")


def _entropies(studies: Studies) -> Verdict:
    p, rng = np.linspace(0, 1, 1001), np.random.default_rng(0)
    largest = p[spike_entropy(p).argmax()]
    gaps, of_products = [], []
    for i in range(1000):
        shape = (2,) * (1 + i % 5)
        joint = rng.exponential(size=shape) * (rng.random(shape) < (1 if i % 3 else 0.6))
        joint.flat[0] += 0.1
        joint /= joint.sum()
        gaps.append(sum(map(entropy, marginals(joint))) - entropy(joint))
        of_products.append(abs(total_correlation(independent(marginals(joint)))))
    parts = [
        _exact("p with the largest entropy", float(largest), "= 0.5", largest == 0.5),
        _exact("smallest sum of entropies minus joint entropy (nats)", min(gaps), ">= 0", min(gaps) > -1e-12),
        _exact("largest gap of independent neurons (nats)", max(of_products), "= 0", max(of_products) < 1e-12),
    ]
    reason = (
        f"Entropy is largest at p = {largest:g}. In {len(gaps)} random distributions of one to five neurons the sum is "
        f"never below the joint entropy, and for independent neurons they are equal, to {max(of_products):.0e} nats. "
        "That the sum can stand for the joint entropy of a layer does not follow"
    )
    return Verdict("C-20", join(part.outcome for part in parts), reason, comparisons=tuple(parts))


enter("C-20", (), _entropies)


def _peaks(studies: Studies) -> Verdict:
    import torch  # takes a second to import

    from snnbook.surrogates import SURROGATES

    u = torch.arange(-3000, 3001, dtype=torch.float64) / 1000
    parts, heights = [], []
    for name, surrogate in SURROGATES.items():
        slope = surrogate().derivative(u)
        at, falls = (
            float(u[slope.argmax()]),
            bool((slope[u >= 0].diff() < 0).all() and (slope[u <= 0].diff() > 0).all()),
        )
        parts.append(_exact(f"potential minus threshold with the largest derivative, {name}", at, "= 0", falls))
        heights.append(f"{float(slope.max()):.3f} ({name})")
    reason = (
        f"The derivatives of {len(parts)} surrogates fall on both sides of the threshold. Their largest values are "
        f"{', '.join(heights)}, so scores of different surrogates have no common range"
    )
    return Verdict("C-22", join(part.outcome for part in parts), reason, comparisons=tuple(parts))


enter("C-22", (), _peaks)


def _count_kept(studies: Studies) -> Verdict:
    """The comparison's runs of the paper's method against the sparsity that they were asked for."""
    study = needed(studies, "compare")
    parts: list[Comparison] = []
    used: list[RecordLike] = []
    roles: dict[str, str] = {}
    for data, dataset in played(study, (IMAGES, "CIFAR10-DVS")).items():
        records = [r for key in keys(study, data, OURS) for r in study.records[key]]
        if records:
            worst = {seed: max(_miss(r) for r in records if r.seed == seed) for seed in {r.seed for r in records}}
            parts.append(comparison("weights left minus weights due, largest of all levels", worst, "< 1"))
            used, roles = used + records, roles | {data: dataset}
    if not used:
        raise NotTestable(f"the comparison of all methods has no records of {OURS}")
    note = (
        "By construction: as many weights return as were cut beyond the target. In the public code all that tie return"
    )
    return conclude("C-21", parts, used, roles, [note])


def _miss(record: RecordLike) -> float:
    """By how many weights a run misses its sparsity."""
    due = (1 - record.trial["settings"]["sparsity"]) * number(record.metrics["weights_total"])
    return abs(number(record.metrics["weights_alive"]) - due)


enter("C-21", ("compare",), _count_kept)

CLAIMED_SAVING = (91.15, 95.26)  # per cent of the epochs of IMP and RCMO-SNN


def saved(ours: float, theirs: float) -> float:
    """Share of the epochs of another method that are saved, in per cent; negative where it has fewer."""
    return 100 * (1 - ours / theirs)


def _cheaper(studies: Studies) -> Verdict:
    table = papers.rows("C", "3", dataset="CIFAR100")
    theirs = table.loc[table["method"].isin(["IMP", "RCMO-SNN"]), "epochs"]
    own = table[table["method"] == "Ours"].iloc[0]
    spans = {
        source: [saved(own[source], x) for x in (theirs.min(), theirs.max())] for source in ("epochs", "epochs_code")
    }
    parts = [
        _exact(f"{which} saving by {own[source]:g} epochs, of {of} (%)", value, f">= {line:g}", round(value, 2) >= line)
        for source, of in (("epochs", "Table 3"), ("epochs_code", "the public code"))
        for which, value, line in zip(("smallest", "largest"), spans[source], CLAIMED_SAVING, strict=True)
    ]
    printed, code = (join(part.outcome for part in pair) for pair in (parts[:2], parts[2:]))
    low, high = spans["epochs"]
    text = f"By the {own['epochs']:g} epochs of Table 3 {low:.2f} to {high:.2f} % are saved"
    low, high = spans["epochs_code"]
    text += f"; by the {own['epochs_code']:g} epochs that the public code trains {low:.2f} to {high:.2f} %"
    outcome = printed if printed in (code, FAILS) else UNDECIDED
    if outcome == UNDECIDED:
        text += ". Print and code contradict each other, and nothing here says which was run"
    return Verdict("C-06", outcome, text, comparisons=tuple(parts))


enter("C-06", (), _cheaper)


def _costly_or_worse(studies: Studies) -> Verdict:
    epochs = papers.table("C", "1").set_index("method")["epochs"]
    iterative = epochs[["Grad R", "IMP", "RCMO-SNN"]]
    at = papers.rows("C", "3", dataset="CIFAR100", architecture="ResNet19")
    loss = {
        row["method"]: row["acc"] - row["base_acc"] for row in at.to_dict("records") if 94.9 <= row["sparsity"] <= 95.7
    }
    parts = [
        _exact("fewest epochs of Grad R, IMP and RCMO-SNN", float(iterative.min()), "> 2000", iterative.min() > 2000),
        _exact("accuracy of NDSNN minus that of its dense network (points)", loss["NDSNN"], "< 0", loss["NDSNN"] < 0),
    ]
    others = ", ".join(f"{name} {value:+.2f}" for name, value in loss.items() if name != "NDSNN")
    reason = (
        f"{iterative.min():g} to {iterative.max():g} epochs; NDSNN has {epochs['NDSNN']:g} and {loss['NDSNN']:+.2f} "
        f"points at about 95 %. The others have, in points: {others}; each from a dense network of its own"
    )
    return Verdict("C-23", join(part.outcome for part in parts), reason, comparisons=tuple(parts))


enter("C-23", (), _costly_or_worse)
