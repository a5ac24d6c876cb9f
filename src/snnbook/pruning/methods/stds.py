"""State transition of dendritic spines, STDS: a soft threshold that rises and is invisible to the gradient.

Ref: Chen et al. 2022; the authors' public code.

| line | here |
|---|---|
| w = sign(theta) max(abs(theta) - d, 0) | `after_step`; theta is in `hidden` |
| gradient of theta := dL/dw, inside the threshold too | `after_backward` |
| d = D (1 + sin(pi (n / N - 1/2))) / 2 after step n of N, or D n / N | `after_step` |

Theta starts as the initial weights and d at 0. Where theta is exactly 0 its gradient is dropped, as in the public code,
for it has no sign. The sparsity is an outcome of D.

Deviations: the authors let d rise to the last step, at a constant learning rate. With one that falls to zero, weights
could not follow it there (in the last fifth d rises by 0.095 D, further than Adam's steps add up to): d reaches D at
the end of the first `span` of the training and stays; 1 is as the authors do it. What D does depends on how far the
weights travel, which batch norm leaves free. `strength` is D / (eta sqrt(N)) with the first learning rate and the
number N of steps of the whole training, whatever the span, for N steps of Adam, about eta long each, take a weight
about that far by chance. The authors' D from 1 to 5 in 2048 epochs of 3125 steps at 1e-4 are 4 to 20. For SGD, whose
steps have no such length, it is only a unit. Their code for ImageNet leaves the last layer dense; here none is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch

from snnbook.errors import OneOf
from snnbook.pruning.fields import Amount, Span
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, levels, method, star

RISES = {"sine": lambda done: (1 + math.sin(math.pi * (done - 0.5))) / 2, "linear": lambda done: done}


@method(
    "stds", about="state transition of dendritic spines: a rising soft threshold", paper="Chen et al. 2022",
    family="penalty or soft mask", printed=("STDS",),
    plan=ComparisonPlan(
        star({"span": 0.4, "rise": "sine"}, {"rise": "linear"}, {"span": 0.6, "rise": "linear"}),
        levels("strength", 0.7, 1.0, 1.4, 1.8, 2.2), ("strength 1.4", "strength 2.2"), from_scratch=True,
    ),
)  # fmt: skip
@dataclass
class STDS(Pruner):
    """strength: the final threshold D over eta sqrt(N). rise: how the threshold rises, "sine" or "linear", in the first
    `span` of the training, a share. The sparsity is an outcome.
    """

    strength: Amount = 4.0
    rise: Annotated[str, OneOf("rise", RISES)] = "sine"
    span: Span = 1.0

    def start(self, c: Context) -> None:
        self.hidden = {n: w.detach().clone() for n, w in c.weights.items()}
        self.last = 0.0  # D

    def after_backward(self, c: Context) -> None:
        self.last = self.last or self.strength * c.lr * math.sqrt(c.steps)
        c.set_weights(self.hidden)
        for name, w in c.weights.items():
            if w.grad is not None:
                w.grad.masked_fill_(self.hidden[name] == 0, 0.0)

    def after_step(self, c: Context) -> None:
        d = self.last * RISES[self.rise](min(1.0, (c.step + 1) / (self.span * c.steps)))
        self.hidden = {n: w.detach().clone() for n, w in c.weights.items()}
        c.set_masks({n: v.abs() > d for n, v in self.hidden.items()}, fresh=False)
        c.set_weights({n: torch.where(w.abs() > d, w - d * w.sign(), w) for n, w in c.weights.items()})
