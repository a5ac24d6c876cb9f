"""Spatio-temporal pruning (paper A): rounds of LAMP on a sequence cut at the KL decision time step.

Ref: Gou et al. 2025, Algorithm 1, Eq. 1 (LAMPS), Eq. 7-9 (decision step).

| line | Algorithm 1 | here |
|---|---|---|
| 1 | train densely | round 0 if `rewind`, else the trial that this one starts from |
| 2-8 | KL of the accumulated output at every step, normalised; first step below lambda | `_shorten` |
| 10-14 | train on the first t' frames | `c.T` |
| 15-25 | score, prune p % of the survivors, R times | `_cut` |

Deviations: the printed score divides by the wrong running sum (it would cut the largest weights); Eq. 1 is used. The
listing ends with a cut; here training follows the last one. p = 25 % is not printed but follows from the paper's
sparsities. E_rewind is printed without a line that uses it: here rewinding restores the network as it was after that
many dense epochs, as in `imp` (the public code fails to restore biases after the first round), and every round restarts
the learning rate. With `rewind=0` one learning-rate schedule goes on from a dense checkpoint: `lamp`, but for the cuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated

from torch import Tensor

from snnbook.errors import OneOf, UserError
from snnbook.pruning.fields import Amount, Count, Natural, ScoreSetting, Share, Span
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, grid, method
from snnbook.pruning.schedules import SHARE_OF_ROUND, share_of_round

KL_VARIANTS = ("smoothed", "released", "reverse")


@method(
    "stp", about="spatio-temporal pruning: LAMP rounds and the KL decision step", paper="paper A", family="cut",
    plan=ComparisonPlan(grid(
        "cuts tail", (2, 0.85), (3, 0.75), (4, 0.6), (6, 0.4), (7, 0.2), (3, 0.6), (2, 0.6), (4, 0.5), (2, 0.75)),
        shared={"lam": 0.05}, by_role={"CIFAR10": {"temporal": False}, "CIFAR10-DVS": {"lam": 0.02}}),
)  # fmt: skip
@dataclass
class STP(Pruner):
    """cuts: R, the number of rounds. share: p, of the surviving weights, that each cut takes, in [0, 1); 0 prunes none.
    sparsity: what all cuts together reach, in [0, 1); chosen in place of `share`. temporal: cut the sequence at the
    decision step, with the threshold `lam` and the KL variant `kl`. score: decides which weights stay. rewind: E_rewind
    in epochs; 0 rewinds nothing. tail: share of the epochs that follow the last cut, without rewinding.
    """

    cuts: Count = 14
    share: Share = SHARE_OF_ROUND
    temporal: bool = True
    lam: Amount = 0.01
    kl: Annotated[str, OneOf("KL variant", KL_VARIANTS)] = "smoothed"
    score: ScoreSetting = "lamp"
    rewind: Natural = 0
    tail: Span = 0.25
    sparsity: Share | None = None
    snapshot: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.removed = share_of_round(self.cuts, self.share, self.sparsity)
        self.restarts = self.rewind > 0

    def rounds(self, epochs: int) -> list[int]:
        if self.rewind:
            if self.rewind >= epochs:
                raise UserError(f"cannot rewind to epoch {self.rewind} of a training of {epochs}")
            return [epochs] + [epochs - self.rewind] * self.cuts
        last = max(1, round(self.tail * epochs))
        before = epochs - last
        if before < self.cuts - 1:
            raise UserError(f"{self.cuts} cuts need at least {self.cuts - 1 + last} epochs, got {epochs}")
        edges = [round(i * before / (self.cuts - 1)) for i in range(self.cuts)] if self.cuts > 1 else [0]
        return [b - a for a, b in pairwise(edges)] + [epochs - edges[-1]]

    def start(self, c: Context) -> None:
        if not self.rewind:
            self._shorten(c)
            self._cut(c)

    def after_step(self, c: Context) -> None:
        if self.rewind and c.round == 0 and c.step + 1 == self.rewind * c.steps_per_epoch:
            self.snapshot = c.snapshot()

    def between_rounds(self, c: Context) -> None:
        if self.rewind and c.round == 1:
            self._shorten(c)
        self._cut(c)
        if self.rewind:
            c.rewind(self.snapshot)

    def _shorten(self, c: Context) -> None:
        if self.temporal:
            c.T = c.log["decision_step"] = c.decision_step(self.lam, self.kl)

    def _cut(self, c: Context) -> None:
        c.set_masks(cut(self.score, c.weights, c.generator, self.removed, c.masks))
