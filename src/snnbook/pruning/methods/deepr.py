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
step by the plain gradient (alpha = noise = 1e-5 there); here by the recipe's optimiser, whose moments start anew
with a connection. Adam's steps are about eta long however small the gradient, so the defaults are larger: alpha = 1e-3
is that of the published spiking baseline. K is kept in every layer, as in the authors' first script; it is exact, where
their start draws some places twice and their rewiring adds the missing ones. That baseline (Chen et al. 2021) stores
which connections are active before it re-activates some, so that those die in the next step, and has no noise: it never
rewires. Bellec's rule is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from snnbook.errors import UserError, check_types, unknown
from snnbook.pruning.budgets import check_sparsity, keep_top
from snnbook.pruning.parts.drop_and_grow import LAYERS, promise, start_sparse
from snnbook.pruning.pruner import Context, Pruner


@dataclass
class DeepR(Pruner):
    """sparsity: share of all prunable weights that is dormant, in [0, 1), always. strength: alpha, the pull towards
    zero, and noise: standard deviation of the noise, both in units of the learning rate per step. layers: how the
    density is spread, "erk" or "uniform".
    """

    sparsity: float = 0.9
    strength: float = 1e-3
    noise: float = 1e-3
    layers: str = "erk"

    def __post_init__(self) -> None:
        check_types(self)
        check_sparsity(self.sparsity)
        if self.strength < 0 or self.noise < 0:
            raise UserError(f"strength and noise must not be negative, got {self.strength} and {self.noise}")
        if self.layers not in LAYERS:
            raise unknown("spread over layers", self.layers, LAYERS)

    def start(self, c: Context) -> None:
        self.sign = {n: torch.where(w < 0, -1.0, 1.0).to(w.dtype) for n, w in c.weights.items()}
        start_sparse(c, self.sparsity, self.layers)
        self.drawn = 0  # connections that were activated so far

    def after_backward(self, c: Context) -> None:
        for name, w in c.weights.items():
            nu = torch.randn(w.shape, generator=c.generator).to(w)
            push = c.lr * (self.noise * nu - self.strength * self.sign[name])
            c.put({name: torch.where(c.masks[name], w + push, w)})

    def after_step(self, c: Context) -> None:
        masks = {}
        for name, w in c.weights.items():
            kept = c.masks[name] & (w * self.sign[name] >= 0)
            missing = int(c.masks[name].sum()) - int(kept.sum())
            masks[name] = kept | keep_top(promise(c, w, "random"), missing, ~kept) if missing else kept
            c.put({name: torch.where(kept, w, 0.0)})
            c.masks[name] = kept  # what is drawn from here on is new, whatever it was
            self.drawn += missing
        c.set_masks(masks)
        c.log["rewired"] = self.drawn
