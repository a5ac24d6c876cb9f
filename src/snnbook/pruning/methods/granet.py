"""GraNet: gradual magnitude pruning, and after each cut a share of every layer is exchanged for better weights.

Ref: Liu et al. 2021, "neuroregeneration"; the authors' public code.

Algorithm: start dense or, sparse to sparse, at half the weights. K times: cut the smallest weights of all layers
together down to the sparsity s_i + (s_f - s_i)(1 - (1 - k/K)^3); then drop a share of each layer by magnitude and grow
as many by gradient. After the last cut the exchange goes on to the end, ever less.

Deviations: the public code stops at k = K - 1, short of its target by (1/K)^3 of the range; here cut K lands on it
exactly. Its threshold also drops ties with the last weight that should stay, and counts them out. After the last step
of the training nothing is exchanged. As there: the share dropped is rounded up, and a weight that was dropped for the
exchange may grow again with its value, while one that was cut starts at zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from snnbook.pruning.fields import BudgetSetting, Count, Share, Span
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.parts.drop_and_grow import regrow, start_sparse, without_weakest
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import cosine, cubic, update_number

FRACTION_END = 0.005  # share of a layer's weights that is exchanged at the end of the training, as in the public code


@method(
    "granet", about="gradual magnitude pruning with neuroregeneration", paper="Liu et al. 2021",
    family="cut and regrow",
    plan=ComparisonPlan(
        star({"span": 0.4, "fraction": 0.05}, {"fraction": 0.02}, {"fraction": 0.1}), from_scratch=True,
        shared={"initial": 0.0}),
)  # fmt: skip
@dataclass
class GraNet(Pruner):
    """sparsity: share of all prunable weights that goes, in [0, 1). initial: share that is dead from the start (at most
    `sparsity`); 0 starts dense. updates: K, the number of cuts in the first `span` of the training, a share. fraction:
    share of a layer's weights that is exchanged at the start. layers: the budget that spreads `initial` over the
    layers.
    """

    sparsity: Share = 0.9
    initial: Share = 0.5
    updates: Count = 20
    span: Span = 0.7
    fraction: Share = 0.5
    layers: BudgetSetting = "erk"

    def start(self, c: Context) -> None:
        if self.initial:
            start_sparse(c, min(self.initial, self.sparsity), self.layers)

    def after_step(self, c: Context) -> None:
        exchanges = int(self.updates / self.span + 1e-9)  # at the pace of the cuts, to the end of the training
        number = update_number(c.step + 1, c.steps, exchanges, exchanges * self.span / self.updates)
        if not number:
            return
        initial, done = min(self.initial, self.sparsity), min(1.0, number / self.updates)
        if gone := c.masks.fraction_to_prune(1 - initial - (self.sparsity - initial) * cubic(done)):
            c.set_masks(cut("magnitude", c.weights, c.generator, gone, c.masks))
        if c.step + 1 < c.steps:
            fraction = cosine(self.fraction, FRACTION_END, (c.step + 1) / c.steps)
            counts = c.masks.counts
            kept = {
                name: without_weakest(w, c.masks[name], min(counts[name] - 1, math.ceil(fraction * counts[name])))
                for name, w in c.weights.items()
            }
            regrow(c, kept, counts, "gradient")
