"""ADMM pruning: the weights are drawn towards their own sparse projection, then cut, then trained on.

Ref: Deng et al. 2021 (spiking networks); Zhang et al. 2018 (the scheme). No code of the former is public.

| step: minimise L(W) subject to W = Z, where Z has few weights | here |
|---|---|
| Z = projection of W, U = 0 | `start` |
| W by the optimiser on L + rho / 2 (W - Z + U)^2 | `penalty` |
| from time to time: Z = projection of W + U, then U = U + W - Z | `after_step` |
| hard pruning: W = projection of W, retraining under that mask | `after_step`, after the last of these |

The projection keeps the largest of each layer by magnitude, and sets the rest to zero.

Deviations: `layers="global"` ranks all layers together instead. Deng et al. (so far as we remember) leave the first and
the last layer dense, and paper B the first; here all are pruned. 20 epochs of ADMM and 15 after the cut (paper B) are
`span`; one update per epoch, as in public code of the scheme, is `updates`; rho = 5e-4 (paper B). The penalty is part
of the loss, as in that code, so Adam divides it by the size of the gradients, and rho has no unit that carries over.
Their activity regularisation and quantisation are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from snnbook.errors import OneOf, UserError
from snnbook.pruning.budgets import BUDGETS, Budget, global_masks, keep_top, spread
from snnbook.pruning.fields import Amount, Count, Share, Span
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import update_number
from snnbook.pruning.scores import magnitude


@method(
    "admm", about="alternating directions towards a sparse projection, then a hard cut", paper="Deng et al. 2021",
    family="penalty or soft mask",
    plan=ComparisonPlan(
        star({"span": 0.4, "strength": 5e-3}, {"strength": 5e-4}, {"strength": 5e-2}),
        shared={"updates": 5, "layers": "global"},
    ),
)  # fmt: skip
@dataclass
class ADMM(Pruner):
    """sparsity: share of all prunable weights that goes, in [0, 1). strength: rho. updates: number of updates of Z and
    U in the first `span` of the training, a share; the cut comes with the last. layers: the budget that spreads the
    weights left over the layers, or "global", which ranks all layers together.
    """

    sparsity: Share = 0.9
    strength: Amount = 5e-4
    updates: Count = 20
    span: Span = 0.57
    layers: Annotated[str | Budget, OneOf("spread over layers", ("global", *BUDGETS))] = "uniform"

    def start(self, c: Context) -> None:
        keep = round((1 - self.sparsity) * c.masks.total)
        if keep < len(c.weights):
            raise UserError(f"a sparsity of {self.sparsity} leaves {keep} weights for {len(c.weights)} layers")
        self.density = keep / c.masks.total
        self.z = self._projection({n: w.detach() for n, w in c.weights.items()})
        self.u = {n: torch.zeros_like(z) for n, z in self.z.items()}
        self.cut = False
        c.log["outside"] = []  # share of the energy of W that a cut would take, at each update

    def penalty(self, c: Context) -> Tensor | float:
        if self.cut:
            return 0.0
        return self.strength / 2 * sum((c.weights[n] - z + self.u[n]).square().sum() for n, z in self.z.items())

    def after_step(self, c: Context) -> None:
        number = 0 if self.cut else update_number(c.step + 1, c.steps, self.updates, self.span)
        if number:
            w = {n: c.weights[n].detach() for n in self.z}
            self.z = self._projection({n: w[n] + u for n, u in self.u.items()})
            self.u = {n: u + w[n] - self.z[n] for n, u in self.u.items()}
            kept = self._kept(w)
            gone = sum(float(w[n][~mask].square().sum()) for n, mask in kept.items())
            c.log["outside"].append(gone / sum(float(v.square().sum()) for v in w.values()))
        if number == self.updates:
            self.cut = True
            c.set_masks(dict(c.masks) | kept)

    def _kept(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        scores = magnitude(values)
        if self.layers == "global":
            return global_masks(scores, 1 - self.density)
        counts = spread(self.layers, values, self.density)
        return {n: keep_top(score, counts[n]) for n, score in scores.items()}

    def _projection(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        return {n: torch.where(mask, values[n], 0.0) for n, mask in self._kept(values).items()}
