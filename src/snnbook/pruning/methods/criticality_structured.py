"""Structured criticality pruning (paper C): network slimming, and the most critical of the cut channels come back.

Ref: Chen et al., Algorithm 2, Eq. 11-13 and 16; the authors' code (channel_pruning of MmPple/pruning-criticality).

| line | Algorithm 2 | here |
|---|---|---|
| 1 | train with L1 on all gammas (Eq. 16) | `penalty`, for the first `span` of the training |
| 2 | s' = s + r (1 - s) (Eq. 11) | `after_step`, once |
| 3 | remove the share s' of all channels with the smallest gamma | `after_step` |
| 4 | criticality of each channel over the training set (Eq. 13) | `_scores` |
| 5 | the (s' - s) N removed channels with the highest come back (Eq. 12) | `after_step` |
| 6 | fine-tune without L1 | dead channels are held at zero (with L1: `throughout`); `finish` cuts them out |

Deviations: the counts are exact; the authors' code removes one channel more. As there, the scores are taken in
evaluation mode before anything is removed, since a removed channel has no potential that could tell. Layers that meet
in a residual stream have their channels in common, which stay by default (`streams`); the authors' ResNet19 lets each
block read a selection of its stream. One learning-rate schedule spans both halves. Layers without batch norm keep their
units. The penalty passes through Adam, see `nslim`. Line 359 of the paper speaks of L1 while fine-tuning; Algorithm 2
and the authors' commands do not. These take 160 epochs before the cut and 160 after it, no weight decay, 0.6764 of the
channels and r = 0.05, and cut the checkpoint that did best on the test set; their main file does not parse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from torch import Tensor

from snnbook.errors import OneOf
from snnbook.potentials import check_potentials
from snnbook.pruning.fields import Amount, Natural, Share, Span, later
from snnbook.pruning.parts.channel_scores import of_neurons_after, run_samples, slimming
from snnbook.pruning.parts.channels import Channels, lowest
from snnbook.pruning.parts.coupling import find_channels
from snnbook.pruning.parts.criticality_score import AGGREGATES, Criticality
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, levels, method, star


@method(
    "criticality_structured", about="channels by batch norm, the most critical regenerated",
    paper="paper C Algorithm 2", family="structured", needs=("batch norm", "potentials"),
    plan=ComparisonPlan(
        star({"span": 0.4, "strength": 1e-3}, {"strength": 3e-4}, {"strength": 3e-3}),
        levels("channels", 0.4, 0.55, 0.68, 0.78, 0.86), ("channels 0.55", "channels 0.78", "channels 0.86"),
        "connections", 10.0, True,
        shared={"regeneration": 0.1}, network={"gain": 1.0},
    ),
)  # fmt: skip
@dataclass
class CriticalityStructured(Pruner):
    """channels: s, share of the channels with batch norm that goes, in [0, 1). regeneration: r, in [0, 1).
    aggregate: "max" or "mean" over a channel's map. strength: lambda. span: share of the training before the cut.
    throughout: the penalty goes on after it. samples: number of training samples that are scored; 0 scores all.
    streams: channels of residual streams go, too.
    """

    channels: Share = 0.5
    regeneration: Share = 0.3
    aggregate: Annotated[str, OneOf("aggregate", AGGREGATES)] = "max"
    strength: Amount = 1e-4
    span: Span = 0.5
    throughout: bool = later(False)
    samples: Natural = 0
    streams: bool = False
    removable: Channels = field(default=None, init=False, repr=False)  # type: ignore[assignment]

    def start(self, c: Context) -> None:
        self.removable = find_channels(c.model, c.samples(1)[0], self.streams)
        self.removable.gammas(c.model)
        check_potentials(c.model)

    def penalty(self, c: Context) -> Tensor | float:
        return slimming(c, self.strength, 1.0 if self.throughout else self.span)

    def after_step(self, c: Context) -> None:
        if c.step + 1 == c.steps_in(self.span):
            size, ranked = self.removable.scales(c)
            n = int(ranked.sum())
            go = round(self.channels * n)
            more = round((self.channels + self.regeneration * (1 - self.channels)) * n)
            cut = lowest(size, ranked, more)
            self.removable.cut(c, lowest(self._scores(c), cut, go), size)
        self.removable.zero_dead(c.model)

    def finish(self, c: Context) -> None:
        self.removable.finish(c)

    def _scores(self, c: Context) -> Tensor:
        """Criticality of each channel `[n]`: that of the neurons after its layer; 0 where there are none."""
        seen = Criticality(c.model, self.aggregate)
        run_samples(c, self.samples, seen, seen.begin)
        return self.removable.mean(self.removable.rows, of_neurons_after(c, seen.scores()))[0]
