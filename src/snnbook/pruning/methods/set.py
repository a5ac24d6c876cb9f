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

from snnbook.pruning.fields import Amount, BudgetSetting, Count, Share, Span
from snnbook.pruning.parts.drop_and_grow import regrow, start_sparse, without_nearest_to_zero
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import update_number_before_end


@method(
    "set", about="sparse evolutionary training: sign-wise drop, random growth", paper="Mocanu et al. 2018",
    family="cut and regrow",
    plan=ComparisonPlan(star({"span": 0.4, "fraction": 0.1}, {"fraction": 0.05}, {"fraction": 0.2}), from_scratch=True),
)  # fmt: skip
@dataclass
class SET(Pruner):
    """sparsity: share of all prunable weights that is dead, in [0, 1), from the start. fraction: zeta, of the weights
    of a layer, that is exchanged at each of the `updates` in the first `span` of the training. layers: the budget
    that spreads the density over the layers. noise: standard deviation of the values that new weights start with.
    """

    sparsity: Share = 0.9
    updates: Count = 20
    span: Span = 0.75
    fraction: Share = 0.3
    layers: BudgetSetting = "erk"
    noise: Amount = 0.0

    def start(self, c: Context) -> None:
        start_sparse(c, self.sparsity, self.layers)

    def after_step(self, c: Context) -> None:
        if not update_number_before_end(c.step + 1, c.steps, self.updates, self.span):
            return
        counts = c.masks.counts
        kept = {name: without_nearest_to_zero(w, c.masks[name], self.fraction) for name, w in c.weights.items()}
        c.set_masks(kept)  # dropped for good: one that grows again here is a new one
        regrow(c, kept, counts, "random")
        if self.noise:
            values = {n: torch.randn(w.shape, generator=c.generator).to(w.device) for n, w in c.weights.items()}
            grown = {n: c.masks[n] & ~kept[n] for n in kept}
            c.set_weights({n: torch.where(grown[n], self.noise * values[n], w) for n, w in c.weights.items()})
