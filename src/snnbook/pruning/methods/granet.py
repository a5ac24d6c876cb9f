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

from snnbook.pruning.parts.cut import cut
from snnbook.pruning.parts.drop_and_grow import check, regrow, start_sparse, without_weakest
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.schedules import cosine, cubic, due


@dataclass
class GraNet(Pruner):
    """sparsity: share of all prunable weights that goes, in [0, 1). initial: of those that are dead from the start (at
    most `sparsity`), spread over the layers as `layers` says, "erk" or "uniform"; 0 = dense. updates: K, the cuts over
    the first `span` of the training. fraction, fraction_end: of a layer, exchanged at the start and at the end.
    """

    sparsity: float = 0.9
    initial: float = 0.5
    updates: int = 20
    span: float = 0.7
    fraction: float = 0.5
    fraction_end: float = 0.005
    layers: str = "erk"

    def __post_init__(self) -> None:
        check(self)

    def start(self, c: Context) -> None:
        if self.initial:
            start_sparse(c, min(self.initial, self.sparsity), self.layers)

    def after_step(self, c: Context) -> None:
        exchanges = int(self.updates / self.span + 1e-9)  # at the pace of the cuts, to the end of the training
        number = due(c.step + 1, c.steps, exchanges, exchanges * self.span / self.updates)
        if not number:
            return
        initial, done = min(self.initial, self.sparsity), min(1.0, number / self.updates)
        if gone := c.masks.excess(1 - initial - (self.sparsity - initial) * cubic(done)):
            c.set_masks(cut("magnitude", c.weights, c.generator, gone, c.masks))
        if c.step + 1 < c.steps:
            fraction = cosine(self.fraction, self.fraction_end, (c.step + 1) / c.steps)
            counts = c.masks.counts
            kept = {
                name: without_weakest(w, c.masks[name], min(counts[name] - 1, math.ceil(fraction * counts[name])))
                for name, w in c.weights.items()
            }
            regrow(c, kept, counts, "gradient")
