"""Sparse evolutionary training, SET: sparse from the start, and the weakest give way to new ones at random.

Ref: Mocanu et al. 2018, algorithm 1; the authors' public code.

Algorithm: start from an Erdős-Rényi graph. After each epoch, in every layer, remove a fraction zeta of the positive and
of the negative weights, those next to zero, and add as many at random places. The number of weights never changes.

Deviations: the authors exchange after every epoch but the last; here there are `updates` over the first `span` of the
training, since with a learning rate that falls to zero what grows late stays at zero. A layer's density follows its
kernels too (Evci et al. 2020), and is exact instead of a probability. zeta of n weights is rounded down; the authors'
code removes up to one more per sign. It starts new weights at 0 in one version and at N(0, 0.1^2) in the other:
`noise`. Other public code named SET drops by magnitude alone, or the most negative weights instead of those next to
zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from snnbook.errors import UserError
from snnbook.pruning.parts.drop_and_grow import check, regrow, start_sparse, without_nearest_to_zero
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.schedules import due_inside


@dataclass
class SET(Pruner):
    """sparsity: share of all prunable weights that is dead, in [0, 1), from the start. fraction: zeta, of the weights
    of a layer, that is exchanged at each of the `updates` in the first `span` of the training. layers: how the density
    is spread, "erk" or "uniform". noise: standard deviation of the values that new weights start with.
    """

    sparsity: float = 0.9
    updates: int = 20
    span: float = 0.75
    fraction: float = 0.3
    layers: str = "erk"
    noise: float = 0.0

    def __post_init__(self) -> None:
        check(self)
        if self.noise < 0:
            raise UserError(f"noise must not be negative, got {self.noise}")

    def start(self, c: Context) -> None:
        start_sparse(c, self.sparsity, self.layers)

    def after_step(self, c: Context) -> None:
        if not due_inside(c.step + 1, c.steps, self.updates, self.span):
            return
        counts = c.masks.counts
        kept = {name: without_nearest_to_zero(w, c.masks[name], self.fraction) for name, w in c.weights.items()}
        c.set_masks(kept)  # dropped for good: one that grows again here is a new one
        regrow(c, kept, counts, "random")
        if self.noise:
            values = {n: torch.randn(w.shape, generator=c.generator).to(w.device) for n, w in c.weights.items()}
            grown = {n: c.masks[n] & ~kept[n] for n in kept}
            c.put({n: torch.where(grown[n], self.noise * values[n], w) for n, w in c.weights.items()})
