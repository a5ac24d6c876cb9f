"""Budgets: which weights survive, given scores and a sparsity."""

from __future__ import annotations

import torch
from torch import Tensor

from snnbook.errors import UserError
from snnbook.pruning.scores import Tensors


def check_sparsity(sparsity: float) -> float:
    """`sparsity` if it lies in [0, 1); UserError otherwise."""
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
