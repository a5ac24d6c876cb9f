"""Iterative magnitude pruning with late rewinding: lottery tickets in rounds.

Ref: Kim et al. 2022 (spiking networks), after Frankle & Carbin 2019 and Frankle et al. 2020; a baseline of papers A, C.

Algorithm: train the dense network and copy it after `rewind` epochs. Then, `cuts` times: remove the share `share` of
the surviving weights that is smallest in magnitude, of all layers together, put all others back to the copy, and train
for the epochs that are left, with a new optimiser and the learning rate from its start.

Deviations: the public code copies after 21 epochs where 20 are meant. Its rewinding makes the stored biases (those of
batch norm, too) the network's own, training overwrites them, and from the second rewinding on they stay as trained;
here they go back each time. It leaves the running statistics of batch norm as trained; here they go back as well, which
training never sees and evaluation forgets within some tens of steps. rewind=0 goes back to the initial weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from snnbook.errors import UserError
from snnbook.pruning.fields import Count, Natural, Share
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, grid, method
from snnbook.pruning.schedules import SHARE_OF_ROUND, share_of_round


@method(
    "imp", about="iterative magnitude pruning with late rewinding: lottery tickets", paper="Kim et al. 2022",
    family="cut", printed=("IMP",),
    plan=ComparisonPlan(
        grid("cuts rewind", (2, 0), (2, 1), (2, 2), (2, 3), (1, 2), (3, 2), (3, 1), (1, 0), (3, 0)), from_scratch=True,
    ),
)  # fmt: skip
@dataclass
class IMP(Pruner):
    """cuts: number of rounds after the dense one. share: of the surviving weights, that each cut takes, in [0, 1).
    sparsity: what all cuts together reach, in [0, 1); chosen in place of `share`. rewind: the epoch of round 0 after
    which the weights are copied. `epochs` of a trial are those of round 0; all rounds take `epochs + cuts (epochs -
    rewind)`.
    """

    cuts: Count = 14
    share: Share = SHARE_OF_ROUND
    rewind: Natural = 1
    sparsity: Share | None = None
    snapshot: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)
    restarts = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.removed = share_of_round(self.cuts, self.share, self.sparsity)

    def rounds(self, epochs: int) -> list[int]:
        if self.rewind >= epochs:
            raise UserError(f"cannot rewind to epoch {self.rewind} of a training of {epochs}")
        return [epochs] + [epochs - self.rewind] * self.cuts

    def start(self, c: Context) -> None:
        if self.rewind == 0:
            self.snapshot = c.snapshot()

    def after_step(self, c: Context) -> None:
        if c.round == 0 and c.step + 1 == self.rewind * c.steps_per_epoch:
            self.snapshot = c.snapshot()

    def between_rounds(self, c: Context) -> None:
        c.set_masks(cut("magnitude", c.weights, c.generator, self.removed, c.masks))
        c.rewind(self.snapshot)
