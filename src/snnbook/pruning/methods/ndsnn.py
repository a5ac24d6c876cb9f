"""NDSNN: spiking networks trained sparse, with fewer weights at each exchange, as neurogenesis slows with age.

Ref: Huang et al. 2023 (abstract; the formulas from memory, see the deviations); no public code.

Algorithm: start at a moderate sparsity. n times, in every layer, drop a share of the weights by magnitude and grow
fewer by gradient, so that the layer's sparsity follows

    theta_t = theta_f + (theta_i - theta_f) (1 - (t - t0) / (n dT))^3

while the share dropped falls from d_0 to d_min along a cosine over the same time.

Deviations: only the abstract could be read here ("drop-and-grow strategy with decreasing number of non-zero weights").
The two schedules, ERK densities at both ends, magnitude and gradient are from memory; the shares 0.5 and 0.05, and that
a weight that was just dropped may grow again with its value, are our choice. Where the share to drop is less than the
sparsity due asks for, more is dropped and nothing grown. After the n updates the masks are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

from snnbook.pruning.budgets import spread
from snnbook.pruning.fields import BudgetSetting, Count, Share, Span
from snnbook.pruning.parts.drop_and_grow import regrow, start_sparse, without_weakest
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import cosine, cubic, update_number

FRACTION_END = 0.05  # d_min


@method(
    "ndsnn", about="sparse training with ever fewer weights", paper="Huang et al. 2023", family="cut and regrow",
    reconstruction="from the abstract and memory",
    plan=ComparisonPlan(star({"span": 0.4, "fraction": 0.3}, {"fraction": 0.1}, {"fraction": 0.5}), from_scratch=True),
)  # fmt: skip
@dataclass
class NDSNN(Pruner):
    """sparsity: theta_f, share of all prunable weights that goes, in [0, 1). initial: theta_i, share that is dead from
    the start (at most `sparsity`). updates: n, the number of exchanges in the first `span` of the training, a share.
    fraction: d_0, share of a layer's weights. layers: the budget that spreads both densities over the layers.
    """

    sparsity: Share = 0.9
    initial: Share = 0.5
    updates: Count = 20
    span: Span = 0.75
    fraction: Share = 0.5
    layers: BudgetSetting = "erk"

    def start(self, c: Context) -> None:
        start_sparse(c, min(self.initial, self.sparsity), self.layers)

    def after_step(self, c: Context) -> None:
        number = update_number(c.step + 1, c.steps, self.updates, self.span)
        if not number:
            return
        done = number / self.updates
        first, last = (spread(self.layers, c.weights, 1 - s) for s in (min(self.initial, self.sparsity), self.sparsity))
        counts = {name: round(first[name] + (last[name] - first[name]) * cubic(done)) for name in c.weights}
        fraction = cosine(self.fraction, FRACTION_END, done) if c.step + 1 < c.steps else 0.0
        kept = {}
        for name, weight in c.weights.items():
            alive = int(c.masks[name].sum())
            kept[name] = without_weakest(weight, c.masks[name], max(int(fraction * alive), alive - counts[name]))
        regrow(c, kept, counts, "gradient")
