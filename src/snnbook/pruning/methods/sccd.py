"""SCCD, a reconstruction from its abstract: channels ranked by batch norm and firing rate, then fewer spikes.

Ref: Meng et al. 2023, abstract only; its formulas are not public and no code was found. What the abstract says: channel
balance factors, which consider the scales of batch norm and the firing rates of the neurons, decide which channels go;
a sparsity factor in fine-tuning prevents overfitting and reduces spikes.

| the abstract | here |
|---|---|
| training | as usual, for the first `span` of the training |
| channel balance factor | |gamma|^(1 - b) rate^b over its mean in the layer, b = `balance` |
| prune channels | `after_step`, once: the least important of the whole network go |
| fine-tune with a sparsity factor | `penalty`: + lambda (mean spikes of a neuron in a step) |

Deviations: all of it is our choice, above all the product (a sum would depend on the units of gamma), the division
(layers fire at very different rates, and a ranking across them as they are takes whole layers), where the rates come
from (training samples in evaluation mode) and that residual streams stay whole. b = 0 is network slimming
within layers, without its penalty; b = 1 goes by firing rates alone.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
from torch import Tensor

from snnbook.errors import Within
from snnbook.potentials import check_potentials
from snnbook.pruning.fields import Amount, Natural, Share, Span
from snnbook.pruning.parts.channel_scores import firing_rates
from snnbook.pruning.parts.channels import Channels, lowest
from snnbook.pruning.parts.coupling import find_channels
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, levels, method, star
from snnbook.tracing import hooked, neurons, spikes_of


@method(
    "sccd", about="channels by batch norm and firing rate", paper="Meng et al. 2023", family="structured",
    reconstruction="from the abstract", needs=("batch norm", "potentials"), printed=("SCCD-SNN",),
    plan=ComparisonPlan(
        star({"span": 0.4, "balance": 0.1}, {"balance": 0.0}, {"balance": 0.25}),
        levels("channels", 0.5, 0.6, 0.69, 0.78, 0.86), ("channels 0.6", "channels 0.78"), "connections", 10.0,
    ),
)  # fmt: skip
@dataclass
class SCCD(Pruner):
    """channels: share of the channels with batch norm that goes, in [0, 1). balance: b, in [0, 1]. strength: lambda.
    span: share of the training before the cut. samples: number of training samples that the rates are taken
    from; 0 takes all.
    """

    channels: Share = 0.5
    balance: Annotated[float, Within(0, 1, "[]")] = 0.5
    strength: Amount = 0.1
    span: Span = 0.5
    samples: Natural = 0
    removable: Channels = field(default=None, init=False, repr=False)  # type: ignore[assignment]
    spikes: list[Tensor] = field(default_factory=list, init=False, repr=False)  # of the last forward pass

    def start(self, c: Context) -> None:
        check_potentials(c.model)  # what has none does not fire
        self.removable = find_channels(c.model, c.samples(1)[0])
        self.removable.gammas(c.model)

    def during_forward(self, c: Context) -> AbstractContextManager[Any]:
        if c.step < c.steps_in(self.span):
            return nullcontext()
        self.spikes = []
        return hooked(dict.fromkeys(neurons(c.model), lambda m, x, out: self.spikes.append(spikes_of(out))))

    def penalty(self, c: Context) -> Tensor | float:
        fired, number = sum(s.sum() for s in self.spikes), sum(s.numel() for s in self.spikes)
        self.spikes = []
        return self.strength * fired / number if number else 0.0

    def after_step(self, c: Context) -> None:
        if c.step + 1 == c.steps_in(self.span):
            size, ranked = self.removable.gammas(c.model)
            rate, known = self.removable.mean(self.removable.rows, firing_rates(c, self.samples))
            rate = torch.where(known, rate, rate[known].mean())  # layers without neurons: the mean of the others
            importance = self._balanced(size ** (1 - self.balance) * rate**self.balance)
            self.removable.cut(c, lowest(importance, ranked, round(self.channels * int(ranked.sum()))), importance)
        self.removable.zero_dead(c.model)

    def _balanced(self, importance: Tensor) -> Tensor:
        rows = {name: importance[ids.clamp_min(0)] for name, ids in self.removable.rows.items() if (ids >= 0).any()}
        means = {name: values[self.removable.rows[name] >= 0].mean() for name, values in rows.items()}
        tiny = torch.finfo(importance.dtype).tiny  # a layer that never fires has nothing to rank
        return self.removable.mean(self.removable.rows, {n: v / means[n].clamp_min(tiny) for n, v in rows.items()})[0]

    def finish(self, c: Context) -> None:
        self.removable.finish(c)
