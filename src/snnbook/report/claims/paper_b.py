"""Claims of paper B (Shi et al. 2024): what can be calculated, and the evidence that the comparison of methods has."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from snnbook.report.claims.checks import Studies, enter, evidence
from snnbook.report.claims.equal import against, mean_gap, runs
from snnbook.report.claims.judging import FAILS, HOLDS, Comparison, Verdict, comparison
from snnbook.report.ladders import AXES, Point, ladder, methods
from snnbook.report.records import ResultsLike, at_chance
from snnbook.report.stats import rank_correlation
from snnbook.report.synapses import DENSE, KERNEL, ONE_NEURON, ONE_WEIGHT, Removal

IMAGES, EVENTS = "CIFAR10", "CIFAR10-DVS"
RIVALS = ("admm", "gradr", "esl_snn", "stds")
LAYER = "a 3x3 convolution over 5x5 neurons"
OWN = "paper B's own runs, over more strengths of its penalty and with its loss, are still to come"


@evidence("B-05", (IMAGES, EVENTS), OWN)
def _upper_left(study: ResultsLike, data: str) -> Iterator[Comparison]:
    for rival in RIVALS:
        yield from against(study, data, "unstructured", rival, "sops")


@evidence("B-06", (IMAGES,), f"that some pair exists is true of nearly any two; the pair is the one in print; {OWN}")
def _fewer_weights_more_energy(study: ResultsLike, data: str) -> Iterator[Comparison]:
    def sops(method: str) -> list[Point]:
        """The ladder by weights, with SOPs in the place of the accuracy."""
        by_axis = (ladder(study, data, method, axis) for axis in ("weights", "sops"))
        return [replace(left, y=spent.x) for left, spent in zip(*by_axis, strict=True)]

    gradr, stds = sops("gradr"), sops("stds")
    gap, levels = mean_gap(gradr, stds)
    if levels:
        what = f"thousand SOPs at equal weights, gradr minus stds ({levels} of {len(stds)} levels of stds)"
        yield comparison(what, gap, "> 0")


@evidence("B-07", (IMAGES, EVENTS), f"these are all methods of the comparison, not the paper's networks; {OWN}")
def _in_proportion(study: ResultsLike, data: str) -> Iterator[Comparison]:
    by_seed: dict[int, list[tuple[float, float]]] = {}
    for r in (r for method in methods(study, data) for r in runs(study, data, method)):
        if not at_chance(r) and r.metrics["connections_alive"]:  # a network that guesses may be silent
            by_seed.setdefault(r.seed, []).append((AXES["connections"].of(r.metrics), AXES["sops"].of(r.metrics)))
    pairs = {seed: np.array(both).T for seed, both in by_seed.items() if len(both) > 2}
    rho = {seed: rank_correlation(left, spent) for seed, (left, spent) in pairs.items()}
    cv = {seed: _variation(spent / left) for seed, (left, spent) in pairs.items()}
    if pairs:
        n = min(both.shape[1] for both in pairs.values())
        yield comparison(f"Spearman rho of connections left and SOPs over {n} networks", rho, "> 0.9")
        yield comparison(f"coefficient of variation of SOPs per connection left over {n} networks", cv, "< 0.2")


def _variation(x: np.ndarray) -> float:
    mean = float(x.mean())
    return float(x.std(ddof=1)) / mean if mean else math.nan


def _counts_of_fig1(_: Studies) -> Verdict:
    """The counts that the claim names, from Eq. 2 over every synapse."""
    lost = (0, 9, 9, 6, 6, 4, 4, 25, 20, 16)  # by neurons inside, at an edge, in a corner; by weights
    claimed = [169 - n for n in lost]
    counted = [int(removal.alive().sum()) for removal in (DENSE, *ONE_NEURON, *ONE_WEIGHT)]
    outcome = HOLDS if counted == claimed else FAILS
    reason = f"Connections counted one by one: {_list(counted)}; claimed are {_list(claimed)}"
    return Verdict("B-21", outcome, reason, ran=LAYER)


def _neuron_against_its_weights(_: Studies) -> Verdict:
    """All weights that one neuron uses, pruned in place of the neuron."""
    taps = tuple(product(range(KERNEL), range(KERNEL)))
    by_mask, by_weights = (int(it.alive().sum()) for it in (ONE_NEURON[0], Removal("its weights", weights=taps)))
    outcome = HOLDS if by_weights == 0 < by_mask else FAILS
    reason = (
        f"Of 169 connections {by_mask} are left without one inner neuron, and {by_weights} without all weights that "
    )
    return Verdict("B-23", outcome, reason + "it uses, which all other neurons of the channel share", ran=LAYER)


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


enter("B-21", (), _counts_of_fig1)
enter("B-23", (), _neuron_against_its_weights)
