"""Gradual global pruning in one training: `random`, `magnitude`, `lamp`.

Ref: Zhu & Gupta 2017 (gradual pruning), Han et al. 2015 (magnitude), Lee et al. 2020 (LAMP); paper C Eq. 14-15.

Algorithm: at `updates` steps, evenly spaced over the first `span` of the training, rank the living weights of all
layers together and cut to the sparsity due; train on with the survivors; from the last cut on the masks are fixed.

Deviations: paper C's schedule stops one cut short of its target; here the last cut lands on it exactly. LAMP's paper
prunes in rounds of 20 % with the weights kept; in rounds it is `stp` here, gradually it is this.
"""

from __future__ import annotations

from dataclasses import dataclass

from snnbook.errors import unknown
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.parts.drop_and_grow import check
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.schedules import SCHEDULES, due


@dataclass
class Gradual(Pruner):
    """sparsity: share of all prunable weights that goes, in [0, 1). span: share of the training with cuts."""

    score: str = "lamp"
    sparsity: float = 0.98
    updates: int = 12
    span: float = 0.6
    schedule: str = "cubic"

    def __post_init__(self) -> None:
        check(self)
        if self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES)

    def after_step(self, c: Context) -> None:
        if number := due(c.step + 1, c.steps, self.updates, self.span):
            reached = self.sparsity * SCHEDULES[self.schedule](number / self.updates)
            c.set_masks(cut(self.score, c.weights, c.generator, c.masks.excess(1 - reached), c.masks))
