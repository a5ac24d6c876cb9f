"""Criticality pruning (paper C): prune past the target, and the dead weights of the most critical neurons come back.

Ref: Chen et al., Algorithm 1, Eq. 11-15; the authors' code (weight_pruning of MmPple/pruning-criticality).

| line | Algorithm 1 | here |
|---|---|---|
| 4-6 | at the n-th update: the sparsity s_n of the schedule (Eq. 15) | `_done`, the schedule of `magnitude` |
| 7-8 | prune by magnitude to s_n + r (1 - s_n) (Eq. 11, 14) | `after_step`: to s_n, then a share r of what is left |
| 9 | criticality of the neurons in the last training step (Eq. 13) | `during_forward` |
| 10 | the dead with the highest scores come back: s_n is left (Eq. 12) | `after_step` |

Decided here, where the paper is silent: a weight has the score of the neuron that it leads to, g' is that of its own
surrogate, and the largest of a neuron's dead weights return first, by their size before the cut. As in the authors'
code all dead weights are candidates, what returns starts at zero and layers without neurons (the last) are cut to s_n.
Deviations: their code brings ties back together, whole channels, so that more than 1 - s_n is left. Its score is not
Eq. 13, which is commented out, but the value of tanh in place of its derivative: the higher the potential, the better
("released"). Controls: "inverted" brings back the least critical, "matched" as many in each layer, drawn at random.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Annotated, Any

from snnbook.errors import OneOf, UserError
from snnbook.pruning.fields import Count, Share, Span
from snnbook.pruning.parts.criticality_score import AGGREGATES, Criticality, Released, control, neurons_after
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.parts.drop_and_grow import growth_score
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, method, star
from snnbook.pruning.schedules import cosine, cubic, update_number

COLLECTED = {"criticality": None, "inverted": None, "matched": None, "released": Released()}  # None: Eq. 13
CRITERIA = (*COLLECTED, "gradient", "granet", "random")


@method(
    "criticality", about="magnitude pruning; weights of critical neurons return", paper="paper C",
    family="cut and regrow", needs=("potentials",), plan=ComparisonPlan(
        star({"span": 0.4, "regeneration": 0.05}, {"regeneration": 0.02}, {"regeneration": 0.1}), from_scratch=True,
    ),
)  # fmt: skip
@dataclass
class CriticalityPruning(Pruner):
    """sparsity: s_f, share of all prunable weights that goes, in [0, 1). regeneration: r, share of the survivors that
    is cut and regenerated at each of the `updates` in the first `span` of the training. criterion: of CRITERIA; with
    "granet" r falls along a cosine to 0 at the end of the training. aggregate: "max" or "mean" over a channel's map.
    keep: whether what is cut and returns at once keeps its value.
    """

    sparsity: Share = 0.9
    regeneration: Share = 0.2
    criterion: Annotated[str, OneOf("criterion", CRITERIA)] = "criticality"
    aggregate: Annotated[str, OneOf("aggregate", AGGREGATES)] = "max"
    updates: Count = 12
    span: Span = 0.6
    keep: bool = False
    neuron: dict[str, str] = field(default_factory=dict, init=False, repr=False)  # weight → neurons after its layer
    probe: Criticality | None = field(default=None, init=False, repr=False)

    def start(self, c: Context) -> None:
        x, _ = c.samples(1)
        self.neuron = neurons_after(c.model, x)
        if not self.neuron:
            raise UserError("no layer has neurons after it, so no weight can be regenerated")
        if self.criterion in COLLECTED:
            Criticality(c.model, self.aggregate).try_on(x, self.neuron)

    def during_forward(self, c: Context) -> AbstractContextManager[Any]:
        if self.criterion not in COLLECTED or not self._done(c):
            return nullcontext()
        self.probe = Criticality(c.model, self.aggregate, COLLECTED[self.criterion])
        return self.probe

    def after_step(self, c: Context) -> None:
        if not (done := self._done(c)):
            return
        c.masks.apply(c.weights)  # the optimiser has moved dead weights, which have no size
        gone = c.masks.fraction_to_prune(1 - self.sparsity * cubic(done))
        masks = cut("magnitude", c.weights, c.generator, gone, c.masks)
        weights, alive = ({name: tensors[name] for name in self.neuron} for tensors in (c.weights, masks))
        if self.probe:
            scores, self.probe = self.probe.of_weights(self.neuron, weights), None
        else:
            rule = "random" if self.criterion == "random" else "gradient"
            scores = {name: growth_score(c, w, rule) for name, w in weights.items()}
        r = cosine(self.regeneration, 0.0, (c.step + 1) / c.steps) if self.criterion == "granet" else self.regeneration
        living = sum(int(m.sum()) for m in alive.values())
        if (n := min(round(r * living), living - 1)) > 0:
            kept = cut("magnitude", weights, c.generator, n / living, alive)
            back = control(c, self.criterion, scores, weights, {name: ~m for name, m in kept.items()}, n)
            masks |= {name: kept[name] | back[name] for name in back}
            if not self.keep:
                c.set_weights({name: w.masked_fill(back[name], 0.0) for name, w in weights.items()})
        c.set_masks(masks)

    def _done(self, c: Context) -> float:
        return update_number(c.step + 1, c.steps, self.updates, self.span) / self.updates
