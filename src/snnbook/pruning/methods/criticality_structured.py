"""Structured criticality pruning (paper C): network slimming, and the most critical of the cut channels come back.

Ref: Chen et al., Algorithm 2, Eq. 11-13 and 16; the authors' code (channel_pruning of MmPple/pruning-criticality).

| line | Algorithm 2 | here |
|---|---|---|
| 1 | train with L1 on all gammas (Eq. 16) | `penalty`, for the first `span` of the training |
| 2 | s' = s + r (1 - s) (Eq. 11) | `after_step`, once |
| 3 | remove the share s' of all channels with the smallest gamma | `after_step` |
| 4 | criticality of each channel over the training set (Eq. 13) | `_scores` |
| 5 | the (s' - s) N removed channels with the highest come back (Eq. 12) | `after_step` |
| 6 | fine-tune without L1 | dead channels are held at zero; `finish` cuts them out |

Deviations: the counts are exact; the authors' code removes one channel more. As there, the scores are taken in
evaluation mode before anything is removed, since a removed channel has no potential that could tell. Layers that meet
in a residual stream have their channels in common, which stay by default (`streams`); the authors' ResNet19 lets each
block read a selection of its stream. One learning-rate schedule spans both halves. Layers without batch norm keep their
units. Line 359 of the paper speaks of L1 while fine-tuning; Algorithm 2 and the authors' commands do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from snnbook.errors import UserError, check_types
from snnbook.pruning.parts.channels import (
    Channels,
    behind,
    check_cut,
    find_channels,
    lowest,
    run_samples,
    slimming,
    steps_before_cut,
)
from snnbook.pruning.parts.criticality_score import Criticality
from snnbook.pruning.pruner import Context, Pruner


@dataclass
class CriticalityStructured(Pruner):
    """channels: s, share of the channels with batch norm that goes, in [0, 1). regeneration: r, in [0, 1).
    aggregate: "max" or "mean" over a channel's map. strength: lambda. span: share of the training before the cut.
    samples: how many training samples are scored, 0 = all. streams: remove channels of residual streams too.
    """

    channels: float = 0.5
    regeneration: float = 0.3
    aggregate: str = "max"
    strength: float = 1e-4
    span: float = 0.5
    samples: int = 0
    streams: bool = False
    found: Channels = field(default=None, init=False, repr=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        check_types(self)
        check_cut(self.channels, self.strength, self.span)
        if not 0 <= self.regeneration < 1 or self.samples < 0:
            raise UserError(f"need regeneration in [0, 1), samples >= 0; got {self.regeneration}, {self.samples}")

    def start(self, c: Context) -> None:
        self.found = find_channels(c.model, c.samples(1)[0], self.streams)
        self.found.gammas(c.model)
        with Criticality(c.model, self.aggregate):  # raises where potentials cannot be read
            pass

    def penalty(self, c: Context) -> Tensor | float:
        return slimming(c, self.strength, self.span)

    def after_step(self, c: Context) -> None:
        if c.step + 1 == steps_before_cut(c, self.span):
            size, ranked = self.found.gammas(c.model)
            n = int(ranked.sum())
            go = round(self.channels * n)
            more = round((self.channels + self.regeneration * (1 - self.channels)) * n)
            cut = lowest(size, ranked, more)
            self.found.cut(c, lowest(self._scores(c), cut, go), size)
        self.found.hold(c.model)

    def finish(self, c: Context) -> None:
        self.found.finish(c)

    def _scores(self, c: Context) -> Tensor:
        """Criticality of each channel `[n]`: that of the neurons behind its layer; 0 where there are none."""
        seen = Criticality(c.model, self.aggregate)
        run_samples(c, self.samples, seen, seen.begin)
        return self.found.mean(self.found.rows, behind(c, seen.scores()))[0]
