"""ADMM pruning: the weights are drawn towards their own sparse projection, then cut, then trained on.

Ref: Deng et al. 2021 (spiking networks); Zhang et al. 2018 (the scheme). No code of the former is public.

| step: minimise L(W) subject to W = Z, where Z has few weights | here |
|---|---|
| Z = projection of W, U = 0 | `start` |
| W by the optimiser on L + rho / 2 (W - Z + U)^2 | `penalty` |
| from time to time: Z = projection of W + U, then U = U + W - Z | `after_step` |
| hard pruning: W = projection of W, retraining under that mask | `after_step`, after the last of these |

The projection keeps the largest of each layer by magnitude, and sets the rest to zero.

Deviations: `layers="global"` ranks all layers together instead; `ends=False` leaves the first and the last layer dense,
as Deng et al. do (so far as we remember) and as paper B does with the first: the others then give more, for the total
is what `sparsity` says. 20 epochs of ADMM and 15 after the cut (paper B) are `span`; one update per epoch, as in public
code of the scheme, is `updates`; rho = 5e-4 (paper B). Their activity regularisation and quantisation are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from snnbook.errors import UserError, check_types, unknown
from snnbook.pruning.budgets import check_sparsity, global_masks, keep_top
from snnbook.pruning.parts.drop_and_grow import LAYERS
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.schedules import due
from snnbook.pruning.scores import magnitude


@dataclass
class ADMM(Pruner):
    """sparsity: share of all prunable weights that goes, in [0, 1). strength: rho. updates: of Z and U in the first
    `span` of the training, the cut with the last. layers: how the weights left are spread over the layers, "uniform",
    "erk" or "global", by rank. ends: whether the first and the last layer are pruned too.
    """

    sparsity: float = 0.9
    strength: float = 5e-4
    updates: int = 20
    span: float = 0.57
    layers: str = "uniform"
    ends: bool = True

    def __post_init__(self) -> None:
        check_types(self)
        check_sparsity(self.sparsity)
        if self.layers not in ("global", *LAYERS):
            raise unknown("spread over layers", self.layers, ("global", *LAYERS))
        if self.strength < 0 or self.updates < 1 or not 0 < self.span <= 1:
            got = f"{self.strength}, {self.updates}, {self.span}"
            raise UserError(f"need strength >= 0, updates >= 1 and span in (0, 1], got {got}")

    def start(self, c: Context) -> None:
        names = list(c.weights)
        rest = names if self.ends else names[1:-1]
        dense = c.masks.total - sum(c.weights[n].numel() for n in rest)
        keep = round((1 - self.sparsity) * c.masks.total) - dense
        if keep < max(1, len(rest)):
            raise UserError(f"a sparsity of {self.sparsity} leaves {keep} weights for {len(rest)} layers to be pruned")
        self.density = keep / (c.masks.total - dense)
        self.z = self._projection({n: c.weights[n].detach() for n in rest})
        self.u = {n: torch.zeros_like(z) for n, z in self.z.items()}
        self.cut = False
        c.log["outside"] = []  # share of the energy of W that a cut would take, at each update

    def penalty(self, c: Context) -> Tensor | float:
        if self.cut:
            return 0.0
        return self.strength / 2 * sum((c.weights[n] - z + self.u[n]).square().sum() for n, z in self.z.items())

    def after_step(self, c: Context) -> None:
        number = 0 if self.cut else due(c.step + 1, c.steps, self.updates, self.span)
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
        counts = LAYERS[self.layers](values, self.density)
        return {n: keep_top(score, counts[n]) for n, score in scores.items()}

    def _projection(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        return {n: torch.where(mask, values[n], 0.0) for n, mask in self._kept(values).items()}
