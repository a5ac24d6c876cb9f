"""Gradient rewiring, Grad R: hidden values learn on below zero, where their weights are off.

Ref: Chen et al. 2021 (Yanqi Chen, Zhaofei Yu, Wei Fang, Tiejun Huang, Yonghong Tian); the authors' public code.

| algorithm: w = s max(theta, 0), signs s fixed | here |
|---|---|
| theta = abs(w), s = sign(w) of the initial weights | `start`, as the signed value s theta in `hidden` |
| gradient of theta := s dL/dw, of dormant ones too | `p.grad` as it is: the optimiser steps s theta |
| prior: theta <- theta - eta alpha sign(theta - mu) | `after_backward` |
| w = s max(theta, 0) | `after_step` |

mu = ln(2 (1 - p)) / alpha is the centre of a Laplace distribution of theta of which the share p lies below zero. The
sparsity of the network is an outcome of alpha and of the length of training, not p: mu is so far below zero that no
theta comes near it, and every p from 0.6 on trains the same network, bit for bit.

Deviations: `strength` is alpha times the square root of the number N of steps. Adam's steps are about eta long: in N of
them the prior moves theta by alpha eta N, and chance by eta sqrt(N), so that the ratio decides and a strength means the
same in a training of another length. The authors' alpha = 1e-3, 2048 epochs of 3125 steps, is 2.5. Their step is
Adam's; here the recipe's optimiser steps s theta, whichever it is, and the prior is ours. Theirs has Adam's correction
eta / (1 - beta1^t), ten times stronger in the first step and the same after some fifty; here it is eta. Their
rate is constant and their loss the squared error; ours are the recipe's. A weight that starts at exactly zero has no
sign and stays zero, in their code too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from snnbook.errors import Within
from snnbook.pruning.fields import Amount
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, levels, method


@method(
    "gradr", about="gradient rewiring: hidden values learn on below zero", paper="Chen et al. 2021",
    family="rewire by sign", printed=("Grad R",),
    plan=ComparisonPlan(
        levels=levels("strength", 1.5, 2.3, 3.5, 5.5, 7.5), from_scratch=True,
    ),
)  # fmt: skip
@dataclass
class GradR(Pruner):
    """strength: alpha times the root of the number of steps. prior: p, the share of the prior below zero, in [0.5, 1).
    The sparsity is an outcome.
    """

    strength: Amount = 2.5
    prior: Annotated[float, Within(0.5, 1, "[)")] = 0.95

    def start(self, c: Context) -> None:
        self.sign = {n: w.detach().sign() for n, w in c.weights.items()}
        self.hidden = {n: w.detach().clone() for n, w in c.weights.items()}

    def after_backward(self, c: Context) -> None:
        alpha = self.strength / math.sqrt(c.steps)
        mu = math.log(2 * (1 - self.prior)) / alpha if alpha else 0.0
        for name, q in self.hidden.items():
            s = self.sign[name]
            c.set_weights({name: q - c.lr * alpha * (q * s - mu).sign() * s})

    def after_step(self, c: Context) -> None:
        self.hidden = {n: w.detach().clone() for n, w in c.weights.items()}
        c.set_masks({n: q * self.sign[n] > 0 for n, q in self.hidden.items()}, fresh=False)
