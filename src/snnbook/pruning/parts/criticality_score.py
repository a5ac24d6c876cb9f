"""How close a channel's neurons come to their threshold: the score of both methods of paper C.

Ref: paper C Eq. 13. With u[t] the potential before reset minus the threshold and g' the surrogate's derivative,

    s(e) = aggregate over the map of e of  1/T sum over t of g'(u[t])        C(e) = mean over samples of s(e)

g' is largest at the threshold. Eq. 13a prints the sum from 0 to T, which would be T + 1 steps; here it has T.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from snnbook.errors import UserError, unknown
from snnbook.neurons import LIF
from snnbook.potentials import potentials
from snnbook.pruning.parts.drop_and_grow import at_random
from snnbook.pruning.pruner import Context
from snnbook.pruning.scores import Tensors
from snnbook.pruning.weights import prunable
from snnbook.surrogates import ATan, Surrogate, Tanh
from snnbook.tracing import TRANSPOSED, measuring, named, trace_layers, weight_of

AGGREGATES = ("max", "mean")


class Released(Surrogate):
    """The surrogate where its derivative should be, as in the authors' code for weights."""

    derivative = Tanh.value


class Criticality:
    """Collects scores while forward passes run inside its `with` block.

        with Criticality(model) as probe:
            for x in batches:
                probe.begin()
                model(x)
        probe.scores()  # neuron name → [C], values in (0, 1]

    aggregate: "max" (the paper's choice) or "mean" over a channel's map; linear layers have none. surrogate: whose
    derivative is g'; None takes that of each layer's own neurons, and for neurons of other libraries the paper's,
    1 / (1 + (pi u)^2). `begin` starts a forward pass: neurons that are called step by step, `[N, *]` at a time, are
    averaged over the steps since then; `LIF` is told all steps at once and needs no `begin`. Several `with` blocks add
    up. Where `tracing.measuring` is used too, it comes outside.
    Raises UserError for an unknown aggregate, neurons whose potential cannot be read (`potentials.potentials`), and
    neurons that are used at places with different numbers of channels.
    """

    def __init__(self, model: nn.Module, aggregate: str = "max", surrogate: Surrogate | None = None):
        if aggregate not in AGGREGATES:
            raise unknown("aggregate", aggregate, AGGREGATES)
        self.model, self.aggregate, self.surrogate = model, aggregate, surrogate
        self._own = {name: m.constants.surrogate for name, m in model.named_modules() if isinstance(m, LIF)}
        self._running: dict[str, tuple[Tensor, int]] = {}  # sum of g' over the steps so far [N, *], and their number
        self._sums: dict[str, Tensor] = {}  # over samples, [C]
        self._samples: dict[str, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Criticality:
        self.begin()
        self._stack.enter_context(potentials(self.model, self._see))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def begin(self) -> None:
        """A new forward pass: what was seen since the last one is complete."""
        for name, (total, steps) in self._running.items():
            self._add(name, total / steps)
        self._running.clear()

    def scores(self) -> dict[str, Tensor]:
        """Neuron name → score of each channel `[C]` (each unit of a linear layer), over all samples seen."""
        self.begin()
        return {name: (total / self._samples[name]).float() for name, total in self._sums.items()}

    def of_weights(self, neurons: Mapping[str, str], weights: Tensors) -> dict[str, Tensor]:
        """`of_weights` of the scores of all samples seen."""
        groups = {weight_of(name): m.groups for name, m in named(self.model, TRANSPOSED).items()}
        return of_weights(self.scores(), neurons, weights, groups)  # type: ignore[arg-type]

    def try_on(self, x: Tensor, neurons: Mapping[str, str]) -> None:
        """Raise UserError if weights with these neurons after them cannot be scored; `x` is a batch to try it on."""
        with torch.no_grad(), measuring(self.model), self:
            self.model(x)
        self.of_weights(neurons, prunable(self.model))

    @torch.no_grad()
    def _see(self, name: str, u: Tensor) -> None:
        near = (self.surrogate or self._own.get(name, ATan())).derivative(u)
        if name in self._own:
            self._add(name, near.mean(0))
            return
        total, steps = self._running.get(name, (torch.zeros_like(near), 0))
        if total.shape != near.shape:
            raise UserError(f"{name} was given {tuple(near.shape)} after {tuple(total.shape)}: call begin() in between")
        self._running[name] = total + near, steps + 1

    def _add(self, name: str, mean: Tensor) -> None:
        if mean.dim() > 2:
            mean = mean.flatten(2).amax(2) if self.aggregate == "max" else mean.flatten(2).mean(2)
        sums = mean.double().sum(0)
        if name in self._sums and self._sums[name].shape != sums.shape:
            raise UserError(f"{name} is used at places with different numbers of channels, which one score cannot tell")
        self._sums[name] = self._sums.get(name, 0) + sums
        self._samples[name] = self._samples.get(name, 0) + len(mean)


def neurons_after(model: nn.Module, x: Tensor) -> dict[str, str]:
    """Weight name → the neurons after its layer, where there are any; of a shared weight, those after the first layer.

    x: a batch as the network takes it. Frozen weights are left out.
    """
    after, weights = {weight_of(t.layer): t.neuron for t in trace_layers(model, x).values()}, prunable(model)
    return {name: neuron for name, neuron in after.items() if neuron and name in weights}


def of_weights(
    scores: Tensors, neurons: Mapping[str, str], weights: Tensors, transposed: Mapping[str, int] | None = None
) -> dict[str, Tensor]:
    """Weight name → the score of the neuron that each weight leads to, of the weight's shape.

    scores: name of the neurons → a number for each of their channels, `[C]`. neurons: weight name → name of the neurons
    after its layer. transposed: weight name → number of groups of a transposed convolution, which has its outputs along
    axis 1 of the weight. Raises UserError where there are not as many neurons as the layer has outputs.
    """
    of_weight = {}
    for name, neuron in neurons.items():
        weight, groups = weights[name], (transposed or {}).get(name)
        outputs = len(weight) if groups is None else groups * weight.shape[1]
        score = scores[neuron].to(weight.device)
        if len(score) != outputs:
            raise UserError(f"{neuron} shows {len(score)} channels, and the layer of {name} has {outputs}")
        if groups is not None:
            score = score.view(groups, -1).repeat_interleave(len(weight) // groups, 0)
        of_weight[name] = score.view(*score.shape, *[1] * (weight.dim() - score.dim())).expand_as(weight)
    return of_weight


def best(scores: Tensors, weights: Tensors, among: Tensors, n: int) -> dict[str, Tensor]:
    """Weight name → bool mask of the `n` weights with the highest scores, of those `among` (bool) in all layers.

    All tensors of one name have one shape. Of equal scores the largest weights come first, then the first in order
    of layer and position.
    """
    score, size = (torch.cat([x[name][m] for name, m in among.items()]) for x in (scores, weights))
    order = size.abs().argsort(descending=True, stable=True)
    order = order[score[order].argsort(descending=True, stable=True)]
    chosen = torch.zeros_like(score, dtype=torch.bool).index_fill_(0, order[:n], True)
    parts = chosen.split([int(m.sum()) for m in among.values()])
    return {name: m.masked_scatter(m, part) for (name, m), part in zip(among.items(), parts, strict=True)}


def control(c: Context, criterion: str, scores: Tensors, weights: Tensors, among: Tensors, n: int) -> dict[str, Tensor]:
    """`best`, or what a control of it chooses: weight name → bool mask of `n` weights of those `among` in all layers.

    criterion: "inverted" chooses those with the lowest scores; "matched" draws as many in each layer as `best` chooses
    there, from the context's generator; any other is `best` itself.
    """
    if criterion == "inverted":
        scores = {name: -score for name, score in scores.items()}
    chosen = best(scores, weights, among, n)
    if criterion == "matched":
        return {name: at_random(c, int(mask.sum()), among[name]) for name, mask in chosen.items()}
    return chosen
