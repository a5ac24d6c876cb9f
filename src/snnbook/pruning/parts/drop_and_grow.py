"""Sparse training: a sparse start, and the step "drop some weights and grow as many others" that is then repeated.

Ref: Mocanu et al. 2018 (random growth), Dettmers & Zettlemoyer 2019 (momentum), Evci et al. 2020 (gradient).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from snnbook import arithmetic
from snnbook.pruning.budgets import Budget, keep_top, spread
from snnbook.pruning.pruner import Context

GROWTH_RULES = ("gradient", "momentum", "random")


def start_sparse(c: Context, sparsity: float, layers: str | Budget) -> None:
    """Keep `round((1 - sparsity) * total)` weights at random places, spread over the layers by the budget `layers`.

    sparsity: share of the weights that dies, in [0, 1). Raises UserError for an unknown budget.
    """
    counts = spread(layers, c.weights, 1 - sparsity)
    c.set_masks({name: keep_top(growth_score(c, w, "random"), counts[name]) for name, w in c.weights.items()})


def growth_score(c: Context, weight: Tensor, rule: str) -> Tensor:
    """How much is to be gained from growing each weight of a layer: a tensor of the weight's shape; the largest grow.

    rule: "gradient" takes |gradient| of the last batch, 0 where there is none; "momentum" takes |running mean| of the
    gradient, over the root of its running mean square where the optimiser keeps one (Adam), and the gradient where it
    keeps neither; "random" takes noise from the context's generator.
    """
    if rule == "random":
        return torch.rand(weight.shape, generator=c.generator).to(weight.device)
    mean, square = c.optimizer_state(weight, "exp_avg"), c.optimizer_state(weight, "exp_avg_sq")
    if rule == "momentum" and mean is not None and square is not None:
        return mean.abs() / (arithmetic.sqrt(square) + 1e-8)
    if rule == "momentum" and (mean := c.optimizer_state(weight, "momentum_buffer")) is not None:
        return mean.abs()
    return torch.zeros_like(weight) if weight.grad is None else weight.grad.detach().abs()


def at_random(c: Context, n: int, among: Tensor) -> Tensor:
    """A bool mask of `n` weights of a layer, drawn from those `among` (bool, of the weight's shape); all if fewer."""
    return keep_top(growth_score(c, among, "random"), n, among)


def regrow(c: Context, kept: Mapping[str, Tensor], counts: Mapping[str, int], rule: str, again: bool = True) -> None:
    """Grow each layer from the weights that were `kept` (bool masks by name) to `counts` weights; take the masks over.

    rule: as in `growth_score`. Grown weights start at zero, with a fresh mean of their gradients. again: weights that
    were alive until now and were not kept may be grown again, and then go on with their values and means.
    `log["grown"]` gets the number of weights that came alive.
    """
    masks = {}
    for name, weight in c.weights.items():
        missing = counts[name] - int(kept[name].sum())
        places = ~kept[name] if again else ~c.masks[name]
        masks[name] = kept[name] | keep_top(growth_score(c, weight, rule), missing, places)
    c.log.setdefault("grown", []).append(sum(int((m & ~c.masks[n]).sum()) for n, m in masks.items()))
    c.set_masks(masks)


def without_weakest(weight: Tensor, alive: Tensor, drop: int) -> Tensor:
    """A bool mask of the weights of a layer that are `alive` (bool), less the `drop` smallest by magnitude.

    All tensors have one shape. Of equal weights the last in order of position are dropped.
    """
    return keep_top(weight.detach().abs(), int(alive.sum()) - drop, alive)


def without_nearest_to_zero(weight: Tensor, alive: Tensor, fraction: float) -> Tensor:
    """A bool mask of the weights of a layer that are `alive` (bool), less those nearest to zero on either side.

    `fraction`, in [0, 1), of the positive weights is dropped and as large a share of the negative ones, numbers being
    rounded down. Living weights that are exactly zero count as positive and go first. Ref: Mocanu et al. 2018.
    """
    sides = (alive & (weight >= 0), alive & (weight < 0))
    positive, negative = (without_weakest(weight, side, int(fraction * int(side.sum()))) for side in sides)
    return positive | negative
