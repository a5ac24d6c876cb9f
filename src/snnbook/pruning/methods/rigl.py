"""RigL, the rigged lottery: sparse from the start, and the weakest give way to those with the largest gradient.

Ref: Evci et al. 2020, algorithm 1; the authors' public code.

| algorithm 1 | here |
|---|---|
| sparse network of given densities (uniform, ER, ERK) | `start` |
| every dT steps up to T_end: f = alpha / 2 (1 + cos(pi t / T_end)), k = f of a layer's weights | `after_backward` |
| drop the k smallest by magnitude | `without_weakest` |
| grow the k largest by gradient among all that are not kept | `regrow` |
| otherwise: a step of the optimiser | no step is taken where the masks change: the gradients are dropped |

A weight that was just dropped is among those that are not kept, and may grow again at once. The public code then leaves
its value and momentum as they are, and starts only weights that were dead at zero: so it is here. With `again=False`
only weights that were dead may grow, so that what is dropped is gone.

Deviations: k is rounded down, as in the public code, whose noise of 1e-5 that settles ties is left out: the first in
order of position stay. Uniform densities leave no layer dense. Schedules count from the first step on.
"""

from __future__ import annotations

from dataclasses import dataclass

from snnbook.pruning.fields import BudgetSetting, Count, Share, Span
from snnbook.pruning.parts.drop_and_grow import regrow, start_sparse, without_weakest
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import cosine, update_number_before_end


@method(
    "rigl", about="sparse training that grows by gradient", paper="Evci et al. 2020", family="cut and regrow",
    plan=ComparisonPlan(star({"span": 0.4, "fraction": 0.3}, {"fraction": 0.1}, {"fraction": 0.5}), from_scratch=True),
)  # fmt: skip
@dataclass
class RigL(Pruner):
    """sparsity: share of all prunable weights that is dead, in [0, 1), from the start. fraction: alpha, of the weights
    of a layer, dropped at first; it falls along a cosine to zero at T_end, the end of the first `span` of the training.
    updates: number of mask updates before T_end. layers: the budget that spreads the density over the layers. again:
    whether a weight that was just dropped may grow again.
    """

    sparsity: Share = 0.9
    updates: Count = 20
    span: Span = 0.75
    fraction: Share = 0.3
    layers: BudgetSetting = "erk"
    again: bool = True

    def start(self, c: Context) -> None:
        start_sparse(c, self.sparsity, self.layers)

    def after_backward(self, c: Context) -> None:
        number = update_number_before_end(c.step + 1, c.steps, self.updates, self.span)
        if not number:
            return
        fraction = cosine(self.fraction, 0.0, number / (self.updates + 1))
        counts = c.masks.counts
        kept = {}
        for name, weight in c.weights.items():
            room = weight.numel() if self.again else weight.numel() - counts[name]
            kept[name] = without_weakest(weight, c.masks[name], min(int(fraction * counts[name]), room))
        regrow(c, kept, counts, "gradient", self.again)
        for p in c.model.parameters():
            p.grad = None
