"""State transition of dendritic spines, STDS: a soft threshold that rises and is invisible to the gradient.

Ref: Chen et al. 2022; the authors' public code.

| line | here |
|---|---|
| w = sign(theta) max(abs(theta) - d, 0) | `after_step`; theta is in `hidden` |
| gradient of theta := dL/dw, inside the threshold too | `after_backward` |
| d = D (1 + sin(pi (n / N - 1/2))) / 2 after step n of N, or D n / N | `after_step` |

Theta starts as the initial weights and d at 0, reaching D after the last step: nothing is trained after that. Where
theta is exactly 0 its gradient is dropped, as in the public code, for it has no sign. The sparsity is an outcome of D.

Deviations: what D does depends on how far the weights travel, which batch norm leaves free. `strength` is D / (eta
sqrt(N)) with the first learning rate and the number N of steps, for N steps of Adam, about eta long each, take a weight
about that far by chance. The authors' D from 1 to 5 in 2048 epochs of 3125 steps at 1e-4 are 4 to 20. For SGD, whose
steps have no such length, it is only a unit. Their code for ImageNet leaves the last layer dense; here none is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from snnbook.errors import UserError, check_types, unknown
from snnbook.pruning.pruner import Context, Pruner

RISES = {"sine": lambda done: (1 + math.sin(math.pi * (done - 0.5))) / 2, "linear": lambda done: done}


@dataclass
class STDS(Pruner):
    """strength: the final threshold D over eta sqrt(N). rise: of the threshold, "sine" or "linear". The
    sparsity is an outcome.
    """

    strength: float = 4.0
    rise: str = "sine"

    def __post_init__(self) -> None:
        check_types(self)
        if self.strength < 0:
            raise UserError(f"strength must not be negative, got {self.strength}")
        if self.rise not in RISES:
            raise unknown("rise", self.rise, RISES)

    def start(self, c: Context) -> None:
        self.hidden = {n: w.detach().clone() for n, w in c.weights.items()}
        self.last = 0.0  # D

    def after_backward(self, c: Context) -> None:
        self.last = self.last or self.strength * c.lr * math.sqrt(c.steps)
        c.put(self.hidden)
        for name, w in c.weights.items():
            if w.grad is not None:
                w.grad.masked_fill_(self.hidden[name] == 0, 0.0)

    def after_step(self, c: Context) -> None:
        d = self.last * RISES[self.rise]((c.step + 1) / c.steps)
        self.hidden = {n: w.detach().clone() for n, w in c.weights.items()}
        c.set_masks({n: v.abs() > d for n, v in self.hidden.items()}, fresh=False)
        c.put({n: torch.where(w.abs() > d, w - d * w.sign(), w) for n, w in c.weights.items()})
