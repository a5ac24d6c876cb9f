"""Gradual global pruning in one training: `random`, `magnitude`, `lamp`.

Ref: Zhu & Gupta 2017 (gradual pruning), Han et al. 2015 (magnitude), Lee et al. 2020 (LAMP); paper C Eq. 14-15.

Algorithm: at `updates` steps, evenly spaced over the first `span` of the training, rank the living weights of all
layers together and cut to the sparsity that the schedule says; train on with the survivors; from the last cut on the
masks are fixed.

Deviations: paper C's schedule stops one cut short of its target; here the last cut lands on it exactly. LAMP's paper
prunes in rounds of 20 % with the weights kept; in rounds it is `stp` here, gradually it is this.
"""

from __future__ import annotations

from dataclasses import dataclass

from snnbook.pruning.fields import Count, ScheduleSetting, ScoreSetting, Share, Span
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, grid, method
from snnbook.pruning.schedules import reached, update_number

PLAN = ComparisonPlan(grid("span updates", (0.4, 12), (0.6, 12), (0.8, 12), (0.6, 24)))


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
    of cuts in the first `span` of the training, a share. schedule: how the sparsity rises from cut to cut.
    """

    score: ScoreSetting = "lamp"
    sparsity: Share = 0.98
    updates: Count = 12
    span: Span = 0.6
    schedule: ScheduleSetting = "cubic"

    def after_step(self, c: Context) -> None:
        if number := update_number(c.step + 1, c.steps, self.updates, self.span):
            sparsity = self.sparsity * reached(self.schedule, number / self.updates)
            c.set_masks(cut(self.score, c.weights, c.generator, c.masks.fraction_to_prune(1 - sparsity), c.masks))
