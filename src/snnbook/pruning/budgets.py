"""Budgets: which weights survive, given scores and a sparsity, and how many of each layer.

A budget by layer is a function of the weights by name and of the density of the whole network, a share in [0, 1], that
returns a number of weights for each layer. A method takes the name of one, or a function of a reader's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from snnbook.errors import UserError, unknown
from snnbook.pruning.scores import Tensors

Budget = Callable[[Tensors, float], Mapping[str, int]]


def check_sparsity(sparsity: float) -> float:
    """Return `sparsity`, a share, if it lies in [0, 1). Raises UserError otherwise."""
    if not (isinstance(sparsity, int | float) and 0 <= sparsity < 1):
        raise UserError(f"sparsity must lie in [0, 1), got {sparsity}")
    return sparsity


def global_masks(scores: Tensors, sparsity: float, masks: Tensors | None = None) -> dict[str, Tensor]:
    """Keep the best `round((1 - sparsity) * alive)` weights of the whole network; bool masks of the scores' shapes.

    `masks` says what is alive now (None: everything); `sparsity` is the share of the living that goes, and the dead
    stay dead. The count is exact: of equal scores the first in order of layer and position stay.
    Raises UserError for a sparsity outside [0, 1), for NaN scores and where nothing would be left.
    """
    check_sparsity(sparsity)
    alive = {n: torch.ones_like(s, dtype=torch.bool) for n, s in scores.items()} if masks is None else masks
    for name, score in scores.items():
        if torch.isnan(score[alive[name]]).any():
            raise UserError(f"NaN scores in {name}: the weights hold NaN, so nothing can be ranked")
    flat = torch.cat([scores[n][alive[n]].flatten() for n in scores]) if scores else torch.empty(0)
    keep = round((1 - sparsity) * flat.numel())
    if keep == 0:
        raise UserError(f"a sparsity of {sparsity} leaves none of {flat.numel()} weights")
    survivors = torch.zeros_like(flat, dtype=torch.bool)
    if keep == flat.numel():
        survivors[:] = True
    else:
        threshold = flat.kthvalue(flat.numel() - keep + 1).values
        survivors = flat > threshold
        ties = (flat == threshold).nonzero().flatten()
        survivors[ties[: keep - int(survivors.sum())]] = True
    out: dict[str, Tensor] = {}
    start = 0
    for name in scores:
        out[name] = alive[name].clone()
        n = int(alive[name].sum())
        out[name][alive[name]] = survivors[start : start + n]
        start += n
    return out


def keep_top(score: Tensor, n: int, among: Tensor | None = None) -> Tensor:
    """A bool mask of the `n` best scores of a layer, or of those `among` (bool); all of these if they are fewer.

    `score`, `among` and the mask have one shape, which may be any. Of equal scores the first in order of position stay,
    counted row by row whatever the layout in memory; NaN ranks last.
    """
    flat = score.detach().flatten().nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    open_ = torch.ones_like(flat, dtype=torch.bool) if among is None else among.flatten()
    ranked = flat[open_]
    best = torch.full_like(ranked, n >= ranked.numel(), dtype=torch.bool)
    if 0 < n < ranked.numel():
        edge = ranked.kthvalue(ranked.numel() - n + 1).values
        best = ranked > edge
        best[(ranked == edge).nonzero().flatten()[: n - int(best.sum())]] = True
    mask = torch.zeros_like(flat, dtype=torch.bool)
    mask[open_] = best
    return mask.view(score.shape)


def uniform(weights: Tensors, density: float) -> dict[str, int]:
    """Weight name → how many weights each layer keeps if all keep the share `density`, in [0, 1]; at least one.

    In all they keep `round(density * total)`, or as many as there are layers if that is more.
    """
    counts = {name: max(1, round(density * w.numel())) for name, w in weights.items()}
    return _exactly(counts, weights, density)


def erk(weights: Tensors, density: float) -> dict[str, int]:
    """Weight name → how many weights each layer keeps by the Erdős-Rényi-kernel rule; at least one.

    `density`, in [0, 1], is the share that the whole network keeps: `round(density * total)` weights in all, or as
    many as there are layers if that is more. A layer's own density is proportional to (sum of its axes) / (product of
    its axes), kernel axes included; where that exceeds 1 the layer is dense and the others share what is left.
    Ref: Mocanu et al. 2018 (fully connected), Evci et al. 2020 (kernels).
    """
    ratio = {name: sum(w.shape) / w.numel() for name, w in weights.items()}
    dense: set[str] = set()
    while True:
        budget = density * sum(w.numel() for w in weights.values()) - sum(weights[n].numel() for n in dense)
        share = sum(sum(w.shape) for n, w in weights.items() if n not in dense)
        scale = budget / share if share else 0.0
        over = {n for n in weights if n not in dense and scale * ratio[n] > 1}
        if not over:
            break
        dense |= over
    counts = {n: w.numel() if n in dense else max(1, round(scale * sum(w.shape))) for n, w in weights.items()}
    return _exactly(counts, weights, density)


def _exactly(counts: dict[str, int], weights: Tensors, density: float) -> dict[str, int]:
    """`counts` with the remainder of rounding put into the largest layers that have room for it."""
    total = max(len(weights), round(density * sum(w.numel() for w in weights.values())))
    for name in sorted(weights, key=lambda n: -weights[n].numel()):
        missing = total - sum(counts.values())
        counts[name] = min(max(counts[name] + missing, 1), weights[name].numel())
    return counts


BUDGETS: dict[str, Budget] = {"erk": erk, "uniform": uniform}


def spread(budget: str | Budget, weights: Tensors, density: float) -> Mapping[str, int]:
    """Weight name → number of weights that stay, by the name of a budget in BUDGETS or by a function.

    Raises UserError for an unknown name, and for a function that gives a layer no number between 0 and its size.
    """
    if isinstance(budget, str):
        if budget not in BUDGETS:
            raise unknown("spread over layers", budget, BUDGETS)
        return BUDGETS[budget](weights, density)
    counts = budget(weights, density)
    for name, w in weights.items():
        if not (isinstance(counts.get(name), int) and 0 <= counts[name] <= w.numel()):
            raise UserError(f"a budget must keep 0 to {w.numel()} weights of {name}, got {counts.get(name)}")
    return counts
