"""GReg: an L2 penalty on the filters that are to go grows until they are gone of themselves.

Ref: Wang et al. 2021, GReg-1 and GReg-2, and their code (MingSun-Tse/Regularization-Pruning); paper C, Table 4.

| step | the paper | here |
|---|---|---|
| 1 | GReg-1: choose in each layer the share of filters with the smallest L1 norm, of a trained network | `start` |
| 1' | GReg-2: first grow a penalty on all filters up to PICK, and choose then | `before_step` |
| 2 | add level * w to the gradient of their weights; raise the level step by step to its ceiling | `after_backward` |
| 3 | hold it until the weights have settled, then remove the filters | `after_step`, once |
| 4 | fine-tune | dead channels are held at zero; `finish` cuts them out |

Deviations: 10,000 raises by 1e-4 are `updates` raises over four fifths of `span`, then comes the hold. Left out: the
early end of the growth, and GReg-2's negative penalty on the kept. One learning-rate schedule spans all. The first
convolution and residual streams stay, as in the public code. The network should be trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor

from snnbook.errors import Within
from snnbook.pruning.fields import Amount, Count, Share, Span
from snnbook.pruning.parts.channels import Channels, lowest
from snnbook.pruning.parts.coupling import find_channels
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, levels, method, star

HOLD, PICK = 0.2, 0.01  # share of the span with the level at its ceiling; ceiling of the penalty on all filters


@method(
    "greg", about="channels under a growing L2 penalty", paper="Wang et al. 2021", family="structured",
    plan=ComparisonPlan(
        star({"span": 0.4, "strength": 1.0}, {"strength": 0.3}, {"strength": 3.0}),
        levels("channels", 0.5, 0.6, 0.69, 0.78, 0.86), ("channels 0.69", "channels 0.78"), "connections", 10.0,
        shared={"variant": 2}),
)  # fmt: skip
@dataclass
class GReg(Pruner):
    """channels: share of each layer's channels that goes, in [0, 1). variant: 1 or 2. strength: ceiling of the level.
    updates: number of raises. span: share of the training before the cut; variant 2 takes a quarter of it to choose.
    """

    channels: Share = 0.5
    variant: Annotated[int, Within(1, 2, "[]")] = 1
    strength: Amount = 1.0
    updates: Count = 100
    span: Span = 0.5
    removable: Channels = field(default=None, init=False, repr=False)  # type: ignore[assignment]
    chosen: Tensor = field(default_factory=Tensor, init=False, repr=False)
    score: Tensor = field(default_factory=Tensor, init=False, repr=False)

    def start(self, c: Context) -> None:
        self.removable = find_channels(c.model, c.samples(1)[0])
        self._choose(c)

    def before_step(self, c: Context) -> None:
        if self.variant == 2 and c.step == c.steps_in(self.span) // 4:
            self._choose(c)

    def after_backward(self, c: Context) -> None:
        if (step := c.step + 1) > (last := c.steps_in(self.span)):
            return
        first = last // 4 if self.variant == 2 else 0
        done = min(1.0, (step - first) / max(1.0, (1 - HOLD) * last - first))
        level = self.strength * math.ceil(done * self.updates) / self.updates * self.chosen
        if step <= first:
            level = torch.full_like(self.score, PICK * step / first)
        for name, ids in self.removable.rows.items():
            w = c.weights[f"{name}.weight"]
            of_row = torch.where(ids >= 0, level[ids], 0.0).to(w.dtype).view(-1, *[1] * (w.dim() - 1))
            w.grad.add_(of_row * w.detach())  # type: ignore[union-attr]

    def after_step(self, c: Context) -> None:
        if c.step + 1 == c.steps_in(self.span):
            self.removable.cut(c, self.chosen, self.score)
        self.removable.zero_dead(c.model)

    def finish(self, c: Context) -> None:
        self.removable.finish(c)

    def _choose(self, c: Context) -> None:
        """The filters of each layer with the smallest mean |w|; where layers are coupled, the first decides for all."""
        sizes = {n: c.weights[f"{n}.weight"].detach().abs().flatten(1).mean(1) for n in self.removable.rows}
        self.score, _ = self.removable.mean(self.removable.rows, sizes)
        self.chosen = torch.zeros_like(self.removable.alive)
        left = torch.ones_like(self.chosen)
        first = "" if self.removable.within(next(iter(sizes))).all() else next(iter(sizes))  # unless it is all there is
        for name in sizes:
            mine = self.removable.within(name) & left
            left &= ~mine
            if name != first and mine.any():
                n = min(math.ceil(self.channels * int(mine.sum()) - 1e-9), int(mine.sum()) - 1)
                self.chosen |= lowest(self.score, mine, n)
