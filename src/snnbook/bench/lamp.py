"""LAMP at 98 % sparsity: score, threshold and masks, against the public code and against one sort per layer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from snnbook import networks, pruning
from snnbook.bench.timing import Case, Result, interleaved, measure_peak_memory, one_thread, surroundings
from snnbook.report import benchmarks

NAME = "lamp"
SPARSITY = 0.98
VGG16 = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)  # channels
OURS, PUBLIC, SORTED = benchmarks.SNNBOOK, benchmarks.PUBLIC, benchmarks.SORTED
SMALL, MIDDLE, LARGE = "14.7M weights", "36.7M weights", "100M weights"
GOALS = {PUBLIC: 60.0, SORTED: 30.0}  # at 36.7M weights
MEMORY_GOAL = 1.0  # extra peak memory over the size of the weights
MAX_SHARE_DIFFERENT = (
    1e-5  # share of the weights on which the public code may decide otherwise, for its sums in float32
)

Weights = dict[str, Tensor]


def shapes(size: str) -> list[torch.Size]:
    """The layers behind a name: the convolutions of VGG16, the 6Conv2FC of the papers, and a wider one."""
    if size == SMALL:
        return [torch.Size((b, a, 3, 3)) for a, b in pairwise(VGG16)]
    with torch.device("meta"):  # only the shapes are needed
        network = networks.build("cifarnet", width=1.655 if size == LARGE else 1.0)
        return [w.shape for w in pruning.prunable(network).values()]


def weights(size: str) -> Weights:
    """Normal weights, in each layer of the scale that networks are initialised with."""
    generator = torch.Generator().manual_seed(0)
    layers = {}
    for i, shape in enumerate(shapes(size)):
        scale = (2 / shape[1:].numel()) ** 0.5
        layers[f"layer{i}"] = torch.randn(shape, generator=generator).mul_(scale)
    return layers


def n_kept(w: Weights) -> int:
    """How many weights are to be left."""
    return round((1 - SPARSITY) * sum(t.numel() for t in w.values()))


def ours(w: Weights) -> Weights:
    """The masks of `snnbook.pruning`."""
    return pruning.cut("lamp", w, torch.Generator(), SPARSITY)


def public(w: Weights) -> Weights:
    """The steps of the code by the authors of LAMP, which users of the method run.

    Scores from a sort and a running sum of each layer, the threshold from the largest of all scores, and then each
    layer cut by magnitude to the share that the threshold leaves it. Ref: Lee et al. 2020,
    github.com/jaeho-lee/layer-adaptive-sparsity.
    """
    scores = []
    for t in w.values():
        squares = t.flatten().square()
        ordered, order = squares.sort()
        smaller = torch.zeros_like(ordered)
        smaller[1:] = ordered.cumsum(0)[:-1]
        ordered = ordered / (squares.sum() - smaller)
        score = torch.zeros_like(ordered)
        score[order] = ordered
        scores.append(score)
    threshold = torch.cat(scores).topk(n_kept(w)).values[-1]
    masks = {}
    for (name, t), score in zip(w.items(), scores, strict=True):
        layer = nn.Module()
        layer.weight = nn.Parameter(t)
        left = (score >= threshold).sum()
        prune.l1_unstructured(layer, "weight", amount=float(1 - left / t.numel()))
        masks[name] = layer.weight_mask
    return masks  # type: ignore[return-value]


def one_sort(w: Weights) -> Weights:
    """What a careful user would write: one sort per layer, and the threshold by bisection; exact, ties included.

    Ranked from the largest, the scores of a layer fall, so that a threshold's count is a search in each layer. Positive
    doubles are ordered as their bits are, so that halving these finds the threshold exactly.
    """
    orders, scores = [], []
    for t in w.values():
        ordered, order = t.flatten().abs().sort(descending=True, stable=True)
        squares = ordered.double().square_()
        scores.append(squares.div_(squares.cumsum(0)).neg_())  # rising, as a search needs it
        orders.append(order)

    def left(bits: int) -> list[int]:
        threshold = -torch.tensor(bits).view(torch.float64)
        return [int(torch.searchsorted(s, threshold, right=True)) for s in scores]

    low, high = 0, int(torch.tensor(2.0, dtype=torch.float64).view(torch.int64))
    while high - low > 1:  # the count at `low` is enough, at `high` it is not
        middle = (low + high) // 2
        low, high = (middle, high) if sum(left(middle)) >= n_kept(w) else (low, middle)
    counts, at_most = left(high), left(low)
    spare = n_kept(w) - sum(counts)
    masks = {}
    for i, (name, t) in enumerate(w.items()):
        ties = min(spare, at_most[i] - counts[i])
        spare -= ties
        mask = torch.zeros(t.numel(), dtype=torch.bool)
        mask[orders[i][: counts[i] + ties]] = True
        masks[name] = mask.view(t.shape)
    return masks


METHODS: dict[str, Callable[[Weights], Weights]] = {OURS: ours, PUBLIC: public, SORTED: one_sort}


def _case(size: str, w: Weights, result: Result) -> Case:
    exact = one_sort(w)
    n = sum(t.numel() for t in w.values())

    def check(method: str, masks: Weights) -> None:
        kept = sum(int(m.sum()) for m in masks.values())
        other = sum(int((masks[name].bool() != exact[name]).sum()) for name in w)
        result.check(f"{size}, {method}: share of the weights decided otherwise than by the exact ranks",
                     MAX_SHARE_DIFFERENT if method == PUBLIC else 0.0, other / n)  # fmt: skip
        if method != PUBLIC:
            result.check(f"{size}, {method}: weights kept beyond or short of the number asked for", 0.0,
                         abs(kept - n_kept(w)))  # fmt: skip
        result.measure(benchmarks.DECIDED_OTHERWISE, other, size, method)

    variants: dict[str, Callable[[], Any]] = {name: lambda f=f: f(w) for name, f in METHODS.items()}  # type: ignore[misc]
    return Case(size, {"weights": n}, 1e-3, variants, tuple((name, OURS) for name in GOALS), check)


def memory_run(method: str, size: str) -> Callable[[], Any]:
    """One run of a method for `peak_memory`; the masks are made in it, the weights are not."""
    METHODS[method]({"layer": torch.randn(64, 64)})  # loads what is loaded at the first call
    w = weights(size)
    return lambda: METHODS[method](w)


def bench(rounds: int = 5, quick: bool = False, large: bool = False) -> Result:
    """Time the three ways to the masks, and their peak memory. Raises WrongResult if the masks are not the same."""
    result = Result(NAME, "ms", rounds, quick, environment=surroundings())
    sizes = [SMALL] if quick else [SMALL, MIDDLE] + [LARGE] * large
    with one_thread():
        cases = [_case(size, weights(size), result) for size in sizes]
        result.cells, result.ratios = interleaved(cases, rounds)
    for case in cases:
        size = 4 * case.sizes["weights"]
        measure_peak_memory(result, case.name, {m: (size, memory_run, m, case.name) for m in METHODS})
    for method, goal in GOALS.items():
        what = f"LAMP, {MIDDLE}, against {method}, times"
        result.goal(what, "at least", goal, result.ratio(MIDDLE, method))
    own = next((m.times for m in result.memory if (m.case, m.variant) == (MIDDLE, OURS)), None)
    result.goal(f"LAMP, {MIDDLE}: extra peak memory, in sizes of the weights", "at most", MEMORY_GOAL, own)
    return result
