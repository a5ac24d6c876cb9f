"""SLAMP (reconstruction): layer-adaptive magnitude pruning that knows what a layer's input adds up to over time.

Ref: paper D (Wang et al. 2026), of which only the abstract is public. No formula here is claimed to be theirs: they
meet each phrase of the abstract and reduce to LAMP (Lee et al. 2020) at one time step.

Algorithm: as in `gradual.py`, at `updates` steps over the first `span` of the training; each time, estimate how much
layers amplify over time on training samples, score the living weights by it, cut to the sparsity that the schedule
says; train on.

With leak a = 1 - 1/tau of the neurons behind a layer and input x_t at step t, a change dW moves the membrane by at most
|dW| |z_t|, z_t = a z_(t-1) + x_t. The amplification Gamma = sum_t E|z_t|^2 / sum_t E|x_t|^2 is that bound over the one
without memory (`parts/amplification.py`). Thresholding -Gamma log(1 - LAMP) minimises the sum over layers of
Gamma log(|W|^2 / |what is left of W|^2) exactly; `form="product"`, Gamma LAMP, is its first order. A layer without
neurons behind it has no memory, Gamma = 1. Where all Gamma are equal, as at T = 1, the masks are LAMP's. Steps can
weigh differently in both sums (`steps`): all alike, only those up to the decision step of paper A, or as the Fisher
information of the network's output at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from snnbook.errors import OneOf
from snnbook.pruning.budgets import global_masks
from snnbook.pruning.fields import Amount, Count, ScheduleSetting, Share, Span, later
from snnbook.pruning.parts.amplification import amplification
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import reached, update_number
from snnbook.pruning.scores import Tensors, lamp
from snnbook.pruning.weights import check_layers

FORMS = ("log", "product")
STEPS = ("uniform", "decision", "fisher")
N_SAMPLES_FISHER = 32


@method(
    "slamp", about="LAMP weighted by how input adds up over time", paper="paper D", family="cut",
    reconstruction="from the abstract",
    plan=ComparisonPlan(star({"span": 0.4, "updates": 12}, {"updates": 6}, {"updates": 24})),
)  # fmt: skip
@dataclass
class SLAMP(Pruner):
    """sparsity: share of all prunable weights that goes, in [0, 1). updates: number of cuts in the first `span` of the
    training, a share. schedule: how the sparsity rises from cut to cut. form: of the score, "log" or "product".
    samples: number of training samples on which the amplification is estimated. leak: whether neurons forget; without
    it a = 1. steps: what steps weigh, of STEPS; lam: the threshold of the decision step.
    """

    sparsity: Share = 0.98
    updates: Count = 12
    span: Span = 0.6
    schedule: ScheduleSetting = "cubic"
    form: Annotated[str, OneOf("form", FORMS)] = "log"
    samples: Count = 256
    leak: bool = later(True)
    steps: Annotated[str, OneOf("step weights", STEPS)] = later("uniform")
    lam: Amount = later(0.01)

    def start(self, c: Context) -> None:
        check_layers(c.model, "how a layer's input adds up")

    def after_step(self, c: Context) -> None:
        if number := update_number(c.step + 1, c.steps, self.updates, self.span):
            gone = c.masks.fraction_to_prune(1 - self.sparsity * reached(self.schedule, number / self.updates))
            x, y = c.samples(self.samples)
            weights = self._step_weights(c)
            gamma = c.log["amplification"] = amplification(c.model, x, len(y), c.T, weights, self.leak)
            if len(set(gamma.values())) == 1:
                c.set_masks(cut("lamp", c.weights, c.generator, gone, c.masks))
            else:
                c.set_masks(global_masks(scores(c.weights, gamma, self.form), gone, c.masks))

    def _step_weights(self, c: Context) -> list[float]:
        if self.steps == "fisher":
            return c.fisher(N_SAMPLES_FISHER).tolist()
        decided = c.decision_step(self.lam, "smoothed") if self.steps == "decision" else c.T
        return [float(t < decided) for t in range(c.T)]


def scores(weights: Tensors, gamma: dict[str, float], form: str = "log") -> dict[str, Tensor]:
    """-Gamma log(1 - LAMP) ("log") or Gamma LAMP ("product"): name → float64 scores of the weight's shape.

    `gamma` is the amplification of each weight's layer.
    """
    return {n: gamma[n] * (-torch.log1p(-s) if form == "log" else s) for n, s in lamp(weights).items()}
