"""Sparse training: a sparse start, and the step "drop the weakest, grow the most promising" that is then repeated.

Ref: Mocanu et al. 2018 (random growth), Dettmers & Zettlemoyer 2019 (momentum), Evci et al. 2020 (gradient).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from snnbook.errors import UserError, check_types, unknown
from snnbook.pruning.budgets import check_sparsity, erk, keep_top, uniform
from snnbook.pruning.pruner import Context

LAYERS = {"erk": erk, "uniform": uniform}  # how the density is spread over the layers
GROWTH = ("gradient", "momentum", "random")


def check(method: object) -> None:
    """Raise UserError unless a method's settings are of their types and in their ranges, where it has them.

    sparsity, initial, fraction and fraction_end lie in [0, 1), span in (0, 1], updates is at least 1.
    """
    check_types(method)
    settings = vars(method)
    for name in ("sparsity", "initial"):
        check_sparsity(settings.get(name, 0.0))
    for name in ("fraction", "fraction_end"):
        if not 0 <= settings.get(name, 0.0) < 1:
            raise UserError(f"{name} must lie in [0, 1), got {settings[name]}")
    if settings["updates"] < 1 or not 0 < settings["span"] <= 1:
        raise UserError(f"need updates >= 1 and span in (0, 1], got {settings['updates']} and {settings['span']}")
    if settings.get("layers", "erk") not in LAYERS:
        raise unknown("spread over layers", settings["layers"], LAYERS)


def start_sparse(c: Context, sparsity: float, layers: str) -> None:
    """Keep `round((1 - sparsity) * total)` weights at random places, spread over the layers as `layers` says."""
    counts = LAYERS[layers](c.weights, 1 - sparsity)
    c.set_masks({name: keep_top(promise(c, w, "random"), counts[name]) for name, w in c.weights.items()})


def promise(c: Context, weight: Tensor, growth: str) -> Tensor:
    """How much each weight of a layer, dead ones above all, promises if it is grown; of the weight's shape.

    "gradient": |gradient| of the last batch; "momentum": |running mean| of it, over the root of the running mean square
    where the optimiser keeps one (Adam); the gradient if it keeps neither; "random": noise.
    """
    if growth == "random":
        return torch.rand(weight.shape, generator=c.generator).to(weight.device)
    mean, square = c.moment(weight, "exp_avg"), c.moment(weight, "exp_avg_sq")
    if growth == "momentum" and mean is not None and square is not None:
        return mean.abs() / (square.sqrt() + 1e-8)
    if growth == "momentum" and (mean := c.moment(weight, "momentum_buffer")) is not None:
        return mean.abs()
    return torch.zeros_like(weight) if weight.grad is None else weight.grad.detach().abs()


def regrow(c: Context, kept: Mapping[str, Tensor], counts: Mapping[str, int], growth: str, again: bool = True) -> None:
    """Grow each layer from the weights that were `kept` (bool) to `counts` weights, and take the masks over.

    Grown weights start at zero with fresh moments. `again`: those that were alive until now and were not kept may be
    grown again, and then go on with their values and moments. `log["grown"]` lists how many came alive each time.
    """
    masks = {}
    for name, weight in c.weights.items():
        missing = counts[name] - int(kept[name].sum())
        places = ~kept[name] if again else ~c.masks[name]
        masks[name] = kept[name] | keep_top(promise(c, weight, growth), missing, places)
    c.log.setdefault("grown", []).append(sum(int((m & ~c.masks[n]).sum()) for n, m in masks.items()))
    c.set_masks(masks)


def without_weakest(weight: Tensor, alive: Tensor, drop: int) -> Tensor:
    """The living weights of a layer less the `drop` smallest by magnitude, as a bool mask."""
    return keep_top(weight.detach().abs(), int(alive.sum()) - drop, alive)


def without_nearest_to_zero(weight: Tensor, alive: Tensor, fraction: float) -> Tensor:
    """The living weights of a layer less that fraction of the positive ones and of the negative ones next to zero.

    Living weights that are exactly zero count as positive and go first. Ref: Mocanu et al. 2018.
    """
    sides = (alive & (weight >= 0), alive & (weight < 0))
    positive, negative = (without_weakest(weight, side, int(fraction * int(side.sum()))) for side in sides)
    return positive | negative
