"""ESL-SNN: evolutionary structure learning, spiking networks that are sparse from the start and rewired as they learn.

Ref: Shen et al. 2023 (abstract and figure 1); paper B tables A3 and A4 (the rules it was run with); no public code.

Algorithm: start from an Erdős-Rényi graph. Every T_iter steps prune a fraction of each layer by the pruning rule and
grow as many by the growth rule; in between learn as always. The density stays the same.

Deviations: what the paper says of its rules beyond their names could not be read here. They are those of the sparse
training code that the names come from (`magnitude`, `set`; `random`, `momentum`, `gradient`); a weight pruned just now
may grow again and then keeps its value; the fraction falls along a cosine to zero. The density of the graph is exact
instead of a probability. Pruning by threshold is left out: it does not say how much goes. In that code the momentum of
dead weights is zeroed at every step under SGD, so that growth by momentum has nothing to go by; here the moments of
dead weights run on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from snnbook.errors import OneOf
from snnbook.pruning.fields import BudgetSetting, Count, Share, Span
from snnbook.pruning.parts.drop_and_grow import (
    GROWTH_RULES,
    regrow,
    start_sparse,
    without_nearest_to_zero,
    without_weakest,
)
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import cosine, update_number_before_end

RULES = ("magnitude", "set")


@method(
    "esl_snn", about="evolutionary structure learning for spiking networks", paper="Shen et al. 2023",
    family="cut and regrow",
    plan=ComparisonPlan(star({"span": 0.4, "fraction": 0.3}, {"fraction": 0.1}, {"fraction": 0.5}), from_scratch=True),
)  # fmt: skip
@dataclass
class ESLSNN(Pruner):
    """sparsity: share of all prunable weights that is dead, in [0, 1), from the start. fraction: of the weights of a
    layer, exchanged at the first of the `updates` in the first `span` of the training; it falls to zero. layers: the
    budget that spreads the density over the layers. prune: "magnitude" (the smallest) or "set" (next to zero, by sign).
    growth: "momentum", "gradient" or "random".
    """

    sparsity: Share = 0.9
    updates: Count = 20
    span: Span = 0.75
    fraction: Share = 0.3
    layers: BudgetSetting = "erk"
    prune: Annotated[str, OneOf("pruning rule", RULES)] = "magnitude"
    growth: Annotated[str, OneOf("growth rule", GROWTH_RULES)] = "momentum"

    def start(self, c: Context) -> None:
        start_sparse(c, self.sparsity, self.layers)

    def after_step(self, c: Context) -> None:
        number = update_number_before_end(c.step + 1, c.steps, self.updates, self.span)
        if not number:
            return
        fraction = cosine(self.fraction, 0.0, number / (self.updates + 1))
        counts = c.masks.counts
        kept = {
            name: without_weakest(w, c.masks[name], int(fraction * counts[name]))
            if self.prune == "magnitude"
            else without_nearest_to_zero(w, c.masks[name], fraction)
            for name, w in c.weights.items()
        }
        regrow(c, kept, counts, self.growth)
