"""Gradual global pruning in one training: `random`, `magnitude`, `lamp`.

Ref: Zhu & Gupta 2017 (gradual pruning), Han et al. 2015 (magnitude), Lee et al. 2020 (LAMP); paper C Eq. 14-15.

Algorithm: at `updates` steps, evenly spaced over the first `span` of the training, rank the living weights of all
layers together and cut to the sparsity that the schedule says; train on with the survivors; from the last cut on the
masks are fixed.

With `layers` they are not ranked together: each comes down to its own share of weights at the same pace. `random` with
the shares that another method left is that method's control: the same allocation, and no choice of weights.

Deviations: paper C's Algorithm 1 stops one cut short of its target; its code and this land on it exactly. LAMP's paper
prunes in rounds of 20 % with the weights kept; in rounds it is `stp` here, gradually it is this.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from snnbook.errors import UserError
from snnbook.pruning.budgets import keep_top
from snnbook.pruning.fields import Count, ScheduleSetting, ScoreSetting, Share, Span
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import reached, update_number
from snnbook.pruning.scores import scored

PLAN = ComparisonPlan(star({"span": 0.4, "updates": 12}, {"updates": 6}, {"updates": 24}))


@method(
    "lamp",
    about="gradual layer-adaptive magnitude pruning",
    paper="Lee et al. 2020; paper A Eq. 1",
    family="cut",
    fixed={"score": "lamp"},
    plan=PLAN,
)
@method(
    "magnitude",
    about="gradual global magnitude pruning",
    paper="Zhu & Gupta 2017",
    family="cut",
    fixed={"score": "magnitude"},
    plan=PLAN,
)
@method("random", about="gradual pruning by noise, the baseline", family="cut", fixed={"score": "random"}, plan=PLAN)
@dataclass
class Gradual(Pruner):
    """score: decides which weights stay. sparsity: share of all prunable weights that goes, in [0, 1). updates: number
    of cuts in the first `span` of the training, a share. schedule: how the sparsity rises from cut to cut. layers:
    share of the weights that stays in each layer, in order of the layers, in place of `sparsity`; empty for none.
    """

    score: ScoreSetting = "lamp"
    sparsity: Share = 0.98
    updates: Count = 12
    span: Span = 0.6
    schedule: ScheduleSetting = "cubic"
    layers: tuple[float, ...] = ()

    def start(self, c: Context) -> None:
        if self.layers and (len(self.layers) != len(c.weights) or not all(0 < share <= 1 for share in self.layers)):
            raise UserError(f"layers needs a share in (0, 1] for each of {', '.join(c.weights)}; got {self.layers}")

    def after_step(self, c: Context) -> None:
        if number := update_number(c.step + 1, c.steps, self.updates, self.span):
            done = reached(self.schedule, number / self.updates)
            if not self.layers:
                gone = c.masks.fraction_to_prune(1 - self.sparsity * done)
                c.set_masks(cut(self.score, c.weights, c.generator, gone, c.masks))
                return
            scores = scored(self.score, c.weights, c.generator)
            left = dict(zip(c.weights, self.layers, strict=True))
            c.set_masks({n: keep_top(s, _count(s, 1 - (1 - left[n]) * done), c.masks[n]) for n, s in scores.items()})


def _count(score: Tensor, share: float) -> int:
    return max(1, round(share * score.numel()))
