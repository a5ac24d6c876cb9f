"""Network slimming: push the scales of batch norm to zero, then remove the channels with the smallest.

Ref: Liu et al. 2017; the base of paper C's structured method (Eq. 16), which compares with it in Table 4.

| step | the paper | here |
|---|---|---|
| 1 | train with + lambda sum |gamma| over all batch norms | `penalty`, for the first `span` of the training |
| 2 | one threshold on |gamma| for the whole network; remove the channels below it | `after_step`, once |
| 3 | fine-tune the narrow network without the penalty | dead channels are held at zero; `finish` cuts them out |

Deviations: one learning-rate schedule spans both halves (the public code restarts it for fine-tuning). gamma starts at
1, not at the public code's 0.5; `network_settings={"gain": 0.5}` does that. The public code takes the channel at the
threshold away too, one more than the share; here the count is exact. Residual streams stay whole by default; the public
code keeps them too but lets each block read a selection of them. Layers without batch norm keep their units.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from snnbook.errors import check_types
from snnbook.pruning.parts.channels import Channels, check_cut, find_channels, lowest, slimming, steps_before_cut
from snnbook.pruning.pruner import Context, Pruner


@dataclass
class NSlim(Pruner):
    """channels: share of the channels with batch norm that goes, in [0, 1). strength: lambda. span: share of the
    training before the cut. streams: remove channels of residual streams too, from all layers that meet there.
    """

    channels: float = 0.5
    strength: float = 1e-4
    span: float = 0.5
    streams: bool = False
    found: Channels = field(default=None, init=False, repr=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        check_types(self)
        check_cut(self.channels, self.strength, self.span)

    def start(self, c: Context) -> None:
        self.found = find_channels(c.model, c.samples(1)[0], self.streams)
        self.found.gammas(c.model)

    def penalty(self, c: Context) -> Tensor | float:
        return slimming(c, self.strength, self.span)

    def after_step(self, c: Context) -> None:
        if c.step + 1 == steps_before_cut(c, self.span):
            size, ranked = self.found.gammas(c.model)
            self.found.cut(c, lowest(size, ranked, round(self.channels * int(ranked.sum()))), size)
        self.found.hold(c.model)

    def finish(self, c: Context) -> None:
        self.found.finish(c)
