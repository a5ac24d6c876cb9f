"""Deep rewiring, Deep R: a fixed number of connections does a random walk through all there could be.

Ref: Bellec et al. 2018, algorithm 1; the authors' public code.

| algorithm 1, with w = s theta for the active connections, signs s fixed | here |
|---|---|
| theta <- theta - eta dE/dtheta | the optimiser |
| ... - eta alpha + sqrt(2 eta T) nu | `after_backward` |
| theta < 0: the connection is dormant | `after_step` |
| while fewer than K are active: activate a dormant one at random, with theta = 0 | `after_step` |

Signs are those of the weights at the start, of dead ones too. What just turned dormant may be drawn again.

Deviations: T is given as `noise`, T = eta noise^2 / 2: a step of noise is eta noise nu, as in the authors' code. They
step by the plain gradient (alpha = noise = 1e-5 there); here by the recipe's optimiser, whose mean starts anew with
a connection. Adam's steps are about eta long however small the gradient, so the defaults are larger: alpha = 1e-3
is that of the published spiking baseline. K is kept in every layer, as in the authors' first script; it is exact, where
their start draws some places twice and their rewiring adds the missing ones. That baseline (Chen et al. 2021) stores
which connections are active before it re-activates some, so that those die in the next step, and has no noise: it never
rewires. Bellec's rule is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from snnbook.pruning.fields import Amount, BudgetSetting, Share
from snnbook.pruning.parts.drop_and_grow import at_random, start_sparse
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, grid, method


@method(
    "deepr", about="deep rewiring: a random walk at a fixed number of weights", paper="Bellec et al. 2018",
    family="rewire by sign", printed=("Deep R",),
    plan=ComparisonPlan(
        grid("strength noise", (0.1, 0.01), (0.03, 0.01), (0.3, 0.01), (0.01, 0.01), (0.1, 3e-3), (0.1, 0.03),
             (0.03, 0.03), (0.01, 0.03), (0.01, 0.1)), from_scratch=True),
)  # fmt: skip
@dataclass
class DeepR(Pruner):
    """sparsity: share of all prunable weights that is dormant, in [0, 1), always. strength: alpha, the pull towards
    zero, and noise: standard deviation of the noise, both in units of the learning rate per step. layers: the budget
    that spreads the density over the layers.
    """

    sparsity: Share = 0.9
    strength: Amount = 1e-3
    noise: Amount = 1e-3
    layers: BudgetSetting = "erk"

    def start(self, c: Context) -> None:
        self.sign = {n: torch.where(w < 0, -1.0, 1.0).to(w.dtype) for n, w in c.weights.items()}
        start_sparse(c, self.sparsity, self.layers)
        self.drawn = 0  # connections that were activated so far

    def after_backward(self, c: Context) -> None:
        for name, w in c.weights.items():
            nu = torch.randn(w.shape, generator=c.generator).to(w)
            push = c.lr * (self.noise * nu - self.strength * self.sign[name])
            c.set_weights({name: torch.where(c.masks[name], w + push, w)})

    def after_step(self, c: Context) -> None:
        masks = {}
        for name, w in c.weights.items():
            kept = c.masks[name] & (w * self.sign[name] >= 0)
            missing = int(c.masks[name].sum()) - int(kept.sum())
            masks[name] = kept | at_random(c, missing, ~kept) if missing else kept
            c.set_weights({name: torch.where(kept, w, 0.0)})
            c.masks[name] = kept  # what is drawn from here on is new, whatever it was
            self.drawn += missing
        c.set_masks(masks)
        c.log["rewired"] = self.drawn
