"""SLAMP (reconstruction): layer-adaptive magnitude pruning that knows what a layer's input adds up to over time.

Ref: paper D (Wang et al. 2026), of which only the abstract is public. No formula here is claimed to be theirs: they
meet each phrase of the abstract and reduce to LAMP (Lee et al. 2020) at one time step.

Algorithm: as in `gradual.py`, at `updates` steps over the first `span` of the training; each time, estimate how much
layers amplify over time on training samples, score the living weights by it, cut to the sparsity due; train on.

With leak a = 1 - 1/tau of the neurons behind a layer and input x_t at step t, a change dW moves the membrane by at most
|dW| |z_t|, z_t = a z_(t-1) + x_t. The amplification Gamma = sum_t E|z_t|^2 / sum_t E|x_t|^2 is that bound over the one
without memory (`traces.py`). Thresholding -Gamma log(1 - LAMP) minimises the sum over layers of
Gamma log(|W|^2 / |what is left of W|^2) exactly; `form="product"`, Gamma LAMP, is its first order. A layer without
neurons behind it has no memory, Gamma = 1. Where all Gamma are equal, as at T = 1, the masks are LAMP's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from snnbook.errors import UserError, unknown
from snnbook.pruning.budgets import global_masks
from snnbook.pruning.parts.amplification import amplification
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.parts.drop_and_grow import check
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.schedules import SCHEDULES, due
from snnbook.pruning.scores import Tensors, lamp

FORMS = ("log", "product")


@dataclass
class SLAMP(Pruner):
    """sparsity: share of all prunable weights that goes, in [0, 1). span: share of the training with cuts. samples: of
    the training set, that the amplification is estimated on.
    """

    sparsity: float = 0.98
    updates: int = 12
    span: float = 0.6
    schedule: str = "cubic"
    form: str = "log"
    samples: int = 256

    def __post_init__(self) -> None:
        check(self)
        for kind, name, known in (("schedule", self.schedule, tuple(SCHEDULES)), ("form", self.form, FORMS)):
            if name not in known:
                raise unknown(kind, name, known)
        if self.samples < 1:
            raise UserError(f"need samples >= 1, got {self.samples}")

    def after_step(self, c: Context) -> None:
        if number := due(c.step + 1, c.steps, self.updates, self.span):
            reached = self.sparsity * SCHEDULES[self.schedule](number / self.updates)
            gone = c.masks.excess(1 - reached)
            x, y = c.samples(self.samples)
            gamma = c.log["amplification"] = amplification(c.model, x, len(y), c.T)
            if len(set(gamma.values())) == 1:
                c.set_masks(cut("lamp", c.weights, c.generator, gone, c.masks))
            else:
                c.set_masks(global_masks(scores(c.weights, gamma, self.form), gone, c.masks))


def scores(weights: Tensors, gamma: dict[str, float], form: str = "log") -> dict[str, Tensor]:
    """-Gamma log(1 - LAMP), or Gamma LAMP: weights by name and their layers' amplification → scores, float64."""
    return {n: gamma[n] * (-torch.log1p(-s) if form == "log" else s) for n, s in lamp(weights).items()}
