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

from snnbook.pruning.parts.drop_and_grow import LAYERS, check, regrow, start_sparse, without_weakest
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.schedules import cosine, cubic, due


@dataclass
class NDSNN(Pruner):
    """sparsity: theta_f, share of all prunable weights that goes, in [0, 1). initial: theta_i, of those that are dead
    from the start (at most `sparsity`). updates, span: n, evenly spaced over that share of the training. fraction,
    fraction_end: d_0 and d_min, of the weights of a layer. layers: how the densities are spread, "erk" or "uniform".
    """

    sparsity: float = 0.9
    initial: float = 0.5
    updates: int = 20
    span: float = 0.75
    fraction: float = 0.5
    fraction_end: float = 0.05
    layers: str = "erk"

    def __post_init__(self) -> None:
        check(self)

    def start(self, c: Context) -> None:
        start_sparse(c, min(self.initial, self.sparsity), self.layers)

    def after_step(self, c: Context) -> None:
        number = due(c.step + 1, c.steps, self.updates, self.span)
        if not number:
            return
        done = number / self.updates
        first, last = (LAYERS[self.layers](c.weights, 1 - s) for s in (min(self.initial, self.sparsity), self.sparsity))
        counts = {name: round(first[name] + (last[name] - first[name]) * cubic(done)) for name in c.weights}
        fraction = cosine(self.fraction, self.fraction_end, done) if c.step + 1 < c.steps else 0.0
        kept = {}
        for name, weight in c.weights.items():
            alive = int(c.masks[name].sum())
            kept[name] = without_weakest(weight, c.masks[name], max(int(fraction * alive), alive - counts[name]))
        regrow(c, kept, counts, "gradient")
