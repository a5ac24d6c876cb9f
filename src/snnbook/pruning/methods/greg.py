"""GReg: an L2 penalty on the filters that are to go grows until they are gone of themselves.

Ref: Wang et al. 2021, GReg-1 and GReg-2, and their code (MingSun-Tse/Regularization-Pruning); paper C, Table 4.

| step | the paper | here |
|---|---|---|
| 1 | GReg-1: choose in each layer the share of filters with the smallest L1 norm, of a trained network | `start` |
| 1' | GReg-2: first grow a penalty on all filters up to `pick`, and choose then | `before_step` |
| 2 | add level * w to the gradient of their weights; raise the level step by step to its ceiling | `after_backward` |
| 3 | hold it until the weights have settled, then remove the filters | `after_step`, once |
| 4 | fine-tune | dead channels are held at zero; `finish` cuts them out |

Deviations: 10,000 raises by 1e-4, one in 5 or 10 iterations, are `updates` raises over four fifths of `span`; the hold
takes the rest. Left out: the early end of the growth (kept weights 1,000 times the others in all layers) and GReg-2's
small negative penalty on the kept. One learning-rate schedule spans everything. The first convolution stays, as in the
public example, and so do residual streams, by its rule. The network should be trained already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from snnbook.errors import UserError, check_types
from snnbook.pruning.parts.channels import Channels, check_cut, find_channels, lowest, steps_before_cut
from snnbook.pruning.pruner import Context, Pruner

HOLD = 0.2  # share of the span with the level at its ceiling


@dataclass
class GReg(Pruner):
    """channels: share of each layer's channels that goes, in [0, 1). variant: 1 or 2. strength: ceiling of the level.
    updates: number of raises. span: share of the training before the cut. pick: ceiling of the penalty on all filters,
    over a quarter of the span (variant 2). encoder, streams: the first layer and residual streams lose channels too.
    """

    channels: float = 0.5
    variant: int = 1
    strength: float = 1.0
    updates: int = 100
    span: float = 0.5
    pick: float = 0.01
    encoder: bool = False
    streams: bool = False
    found: Channels = field(default=None, init=False, repr=False)  # type: ignore[assignment]
    chosen: Tensor = field(default_factory=Tensor, init=False, repr=False)
    score: Tensor = field(default_factory=Tensor, init=False, repr=False)

    def __post_init__(self) -> None:
        check_types(self)
        check_cut(self.channels, self.strength, self.span)
        if self.variant not in (1, 2) or self.updates < 1 or self.pick < 0:
            raise UserError(f"need variant 1 or 2, updates >= 1 and pick >= 0, got {self}")

    def start(self, c: Context) -> None:
        self.found = find_channels(c.model, c.samples(1)[0], self.streams)
        self._choose(c)

    def before_step(self, c: Context) -> None:
        if self.variant == 2 and c.step == steps_before_cut(c, self.span) // 4:
            self._choose(c)

    def after_backward(self, c: Context) -> None:
        if (step := c.step + 1) > (last := steps_before_cut(c, self.span)):
            return
        first = last // 4 if self.variant == 2 else 0
        done = min(1.0, (step - first) / max(1.0, (1 - HOLD) * last - first))
        level = self.strength * math.ceil(done * self.updates) / self.updates * self.chosen
        if step <= first:
            level = torch.full_like(self.score, self.pick * step / first)
        for name, ids in self.found.rows.items():
            w = c.weights[f"{name}.weight"]
            of_row = torch.where(ids >= 0, level[ids], 0.0).to(w.dtype).view(-1, *[1] * (w.dim() - 1))
            w.grad.add_(of_row * w.detach())  # type: ignore[union-attr]

    def after_step(self, c: Context) -> None:
        if c.step + 1 == steps_before_cut(c, self.span):
            self.found.cut(c, self.chosen, self.score)
        self.found.hold(c.model)

    def finish(self, c: Context) -> None:
        self.found.finish(c)

    def _choose(self, c: Context) -> None:
        """The filters of each layer with the smallest mean |w|; where layers are coupled, the first decides for all."""
        sizes = {n: c.weights[f"{n}.weight"].detach().abs().flatten(1).mean(1) for n in self.found.rows}
        self.score, _ = self.found.mean(self.found.rows, sizes)
        self.chosen = torch.zeros_like(self.found.alive)
        left = torch.ones_like(self.chosen)
        first = "" if self.encoder or len(sizes) < 3 else next(iter(sizes))  # of one hidden layer it is all there is
        for name in sizes:
            mine = self.found.within(name) & left
            left &= ~mine
            if name != first and mine.any():
                n = min(math.ceil(self.channels * int(mine.sum()) - 1e-9), int(mine.sum()) - 1)
                self.chosen |= lowest(self.score, mine, n)
