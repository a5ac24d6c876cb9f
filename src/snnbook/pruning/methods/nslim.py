"""Network slimming: push the scales of batch norm to zero, then remove the channels with the smallest.

Ref: Liu et al. 2017; the base of paper C's structured method (Eq. 16), which compares with it in Table 4.

| step | the paper | here |
|---|---|---|
| 1 | train with + lambda sum |gamma| over all batch norms | `penalty`, for the first `span` of the training |
| 2 | one threshold on |gamma| for the whole network; remove the channels below it | `after_step`, once |
| 3 | fine-tune the narrow network without the penalty | dead channels are held at zero; `finish` cuts them out |

Deviations: the penalty is part of the loss, and the recipe's Adam divides it by the size of the gradients: a scale that
the loss does not need falls by about the learning rate in every step, whatever lambda, where the public code's SGD
takes lambda times the learning rate. One learning-rate schedule spans both halves (the public code restarts it for
fine-tuning). gamma starts at 1, not at the public code's 0.5; `network_settings={"gain": 0.5}` does that. The public
code takes the channel at the threshold away too, one more than the share; here the count is exact. Residual streams
stay whole; the public code keeps them too but lets each block read a selection of them. Layers without batch norm keep
their units.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from snnbook.pruning.fields import Amount, Share, Span, later
from snnbook.pruning.parts.channel_scores import slimming
from snnbook.pruning.parts.channels import Channels, lowest
from snnbook.pruning.parts.coupling import find_channels
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, levels, method, star


@method(
    "nslim", about="network slimming: channels by batch norm under L1", paper="Liu et al. 2017",
    family="structured", needs=("batch norm",),
    plan=ComparisonPlan(
        star({"span": 0.4, "strength": 1e-3}, {"strength": 3e-4}, {"strength": 3e-3}),
        levels("channels", 0.4, 0.55, 0.68, 0.78, 0.86), ("channels 0.4", "channels 0.55", "channels 0.78"),
        "connections", 10.0, True,
        network={"gain": 1.0},
    ),
)  # fmt: skip
@dataclass
class NSlim(Pruner):
    """channels: share of the channels with batch norm that goes, in [0, 1). strength: lambda. span: share of the
    training before the cut. throughout: the penalty goes on after the cut, on what is left.
    """

    channels: Share = 0.5
    strength: Amount = 1e-4
    span: Span = 0.5
    throughout: bool = later(False)
    removable: Channels = field(default=None, init=False, repr=False)  # type: ignore[assignment]

    def start(self, c: Context) -> None:
        self.removable = find_channels(c.model, c.samples(1)[0])
        self.removable.gammas(c.model)

    def penalty(self, c: Context) -> Tensor | float:
        return slimming(c, self.strength, 1.0 if self.throughout else self.span)

    def after_step(self, c: Context) -> None:
        if c.step + 1 == c.steps_in(self.span):
            size, ranked = self.removable.scales(c)
            self.removable.cut(c, lowest(size, ranked, round(self.channels * int(ranked.sum()))), size)
        self.removable.zero_dead(c.model)

    def finish(self, c: Context) -> None:
        self.removable.finish(c)
