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
from (training samples in evaluation mode) and that residual streams stay whole by default. b = 0 is network slimming
within layers, without its penalty; b = 1 goes by firing rates alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from snnbook.errors import UserError, check_types
from snnbook.pruning.parts.channels import Channels, check_cut, find_channels, firing_rates, lowest, steps_before_cut
from snnbook.pruning.pruner import Context, Pruner
from snnbook.tracing import neurons, potentials, spikes_of


@dataclass
class SCCD(Pruner):
    """channels: share of the channels with batch norm that goes, in [0, 1). balance: b, in [0, 1]. strength: lambda.
    span: share of the training before the cut. samples: how many training samples the rates are taken from, 0 = all.
    streams: remove channels of residual streams too.
    """

    channels: float = 0.5
    balance: float = 0.5
    strength: float = 0.1
    span: float = 0.5
    samples: int = 0
    streams: bool = False
    found: Channels = field(default=None, init=False, repr=False)  # type: ignore[assignment]
    handles: list[Any] = field(default_factory=list, init=False, repr=False)  # empty between steps, like `spikes`
    spikes: list[Tensor] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        check_types(self)
        check_cut(self.channels, self.strength, self.span)
        if not 0 <= self.balance <= 1 or self.samples < 0:
            raise UserError(f"need balance in [0, 1] and samples >= 0, got {self.balance} and {self.samples}")

    def start(self, c: Context) -> None:
        with potentials(c.model, lambda name, u: None):  # raises where there are none that fire
            pass
        self.found = find_channels(c.model, c.samples(1)[0], self.streams)
        self.found.gammas(c.model)

    def before_step(self, c: Context) -> None:
        if c.step >= steps_before_cut(c, self.span):
            for m in neurons(c.model):
                self.handles.append(m.register_forward_hook(lambda m, x, out: self.spikes.append(spikes_of(out))))

    def penalty(self, c: Context) -> Tensor | float:
        fired, number = sum(s.sum() for s in self.spikes), sum(s.numel() for s in self.spikes)
        for handle in self.handles:
            handle.remove()
        self.spikes, self.handles = [], []
        return self.strength * fired / number if number else 0.0

    def after_step(self, c: Context) -> None:
        if c.step + 1 == steps_before_cut(c, self.span):
            size, ranked = self.found.gammas(c.model)
            rate, known = self.found.mean(self.found.rows, firing_rates(c, self.samples))
            rate = torch.where(known, rate, rate[known].mean())  # layers without neurons: the mean of the others
            importance = self._balanced(size ** (1 - self.balance) * rate**self.balance)
            self.found.cut(c, lowest(importance, ranked, round(self.channels * int(ranked.sum()))), importance)
        self.found.hold(c.model)

    def _balanced(self, importance: Tensor) -> Tensor:
        rows = {name: importance[ids.clamp_min(0)] for name, ids in self.found.rows.items() if (ids >= 0).any()}
        means = {name: values[self.found.rows[name] >= 0].mean() for name, values in rows.items()}
        tiny = torch.finfo(importance.dtype).tiny  # a layer that never fires has nothing to rank
        return self.found.mean(self.found.rows, {n: v / means[n].clamp_min(tiny) for n, v in rows.items()})[0]

    def finish(self, c: Context) -> None:
        self.found.finish(c)
