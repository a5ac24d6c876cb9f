"""Minimax pruning under a resource constraint, RCMO: the number of weights to remove is learnt with two multipliers.

Ref: Chen et al. 2023 (Jue Chen, Huan Yuan, Jianchao Tan, Bin Chen, Chengru Song, Di Zhang); the authors' public code.

With e(s) the energy (sum of squares) of the s smallest weights of all layers together, R(s) the share that is left:
min over w, s of max over y, z >= 0 of L(w) + y e(s) + z (R(s) - budget). In every step, after the optimiser's:

| line | here, in `after_step` |
|---|---|
| prox: the s smallest are divided by 1 + 2 eta y | `set_weights` |
| s falls by y times the square of the weight that would go next, and rises by z / N | `self.s` |
| y rises by the energy of the s smallest, z by R(s) - budget | `self.y`, `self.z` |
| masks: all but the s smallest; dead ones moved with the others, and are ranked with them | `_kept` |
| once the budget is met: masks are fixed, fine-tuning | `self.met` |

Deviations: the code's step sizes (0.5 for s, 1e10 for z, 1e3 for y) fit a network of 36 million weights. In shares, s
and z go along a wave that alone meets the budget after pi / 2 sqrt(N^2 / (0.5 1e10)) = 800 steps there; here after
`span` of the training, when what is missing is cut. At the end of such a wave s is fastest, in their code too: the last
hundredth of the span takes 1.6 % of all weights, almost half of those that live when 2 % are to stay. y is 2 eta y at
first, its steps are `strength` times the share of the energy, and it weighs `pull` against z: both defaults follow from
the step sizes there. The code stops at several budgets to fine-tune for 300 epochs each, at a learning rate ten times
higher, and goes on from the best on the test set; here there is one budget and one schedule. It leaves the first layer
dense: `first=False`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from snnbook.errors import UserError
from snnbook.pruning.fields import Amount, Share, Span
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import update_number


@method(
    "rcmo", about="minimax pruning under a resource constraint", paper="Chen et al. 2023",
    family="penalty or soft mask",
    plan=ComparisonPlan(star({"span": 0.4, "strength": 1e3}, {"strength": 1e2}, {"strength": 1e4})),
)  # fmt: skip
@dataclass
class RCMO(Pruner):
    """sparsity: 1 - budget, the share of all prunable weights that goes, in [0, 1). span: share of the training within
    which the budget is met. strength: step size of y. pull: weight of y against z. first: whether the first layer is
    pruned too.
    """

    sparsity: Share = 0.9
    span: Span = 0.5
    strength: Amount = 1e3
    pull: Amount = 4e-6
    first: bool = True

    def start(self, c: Context) -> None:
        self.names = list(c.weights)[0 if self.first else 1 :]
        self.total = sum(c.weights[n].numel() for n in self.names)
        self.target = c.masks.total - round((1 - self.sparsity) * c.masks.total)
        if self.target >= self.total:
            raise UserError(f"a sparsity of {self.sparsity} leaves no weight behind the first layer")
        self.mean = sum(float(c.weights[n].detach().square().sum()) for n in self.names) / self.total
        self.s, self.y, self.z, self.met, self.lr, self.lr0 = 0.0, 2e-3, 0.0, False, 0.0, 0.0
        c.log["removed"] = []

    def after_backward(self, c: Context) -> None:
        self.lr = c.lr
        self.lr0 = self.lr0 or c.lr

    def after_step(self, c: Context) -> None:
        if self.met:
            return
        last = c.steps_in(self.span)
        rate = math.pi / 2 / last
        kept = self._kept(c)
        edge = min(float(c.weights[n].detach()[mask].square().min()) for n, mask in kept.items() if mask.any())
        shrunk = 1 / (1 + self.y * self.lr / self.lr0)
        c.set_weights({n: torch.where(mask, c.weights[n], shrunk * c.weights[n]) for n, mask in kept.items()})
        self.s += rate * self.total * (self.z - self.pull * self.y * edge / self.mean)
        self.met = self.s >= self.target or c.step + 1 >= last
        self.s = float(self.target) if self.met else max(0.0, self.s)
        kept = self._kept(c)
        energy = sum(float(c.weights[n].detach()[~mask].square().sum()) for n, mask in kept.items())
        self.y += self.strength * energy / (self.mean * self.total)
        self.z += rate * (self.target - math.ceil(self.s)) / self.total
        if update_number(c.step + 1, last, 100):
            c.log["removed"].append(math.ceil(self.s))
        c.set_masks(dict(c.masks) | kept, fresh=False)

    def _kept(self, c: Context) -> dict[str, Tensor]:
        weights = {n: c.weights[n].detach() for n in self.names}
        return cut("magnitude", weights, c.generator, math.ceil(self.s) / self.total)
