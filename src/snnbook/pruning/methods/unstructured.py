"""Unstructured pruning of weights and neurons under a penalty on synaptic operations.

Ref: paper B (Shi et al. 2024), Algorithm 1, Eq. 5, 7, 9-11: w is trained times sigma(beta alpha_w), spikes times
sigma(beta alpha_n), on the loss + lambda (sum of e_w sigma(beta alpha_w) + sum of e_n sigma(beta alpha_n)), while beta
grows; then masks are alpha > 0. Adam steps the alphas. `cost="product"` is Eq. 8. Deviations: lambda fits one network;
`strength` is lambda times the sum of e_w, 0.0085 to 0.17 for CifarNet with the squared error; a `target` steers it. Eq.
9 counts spikes, the public code shapes: `cost`. The text masks neurons of the encoding layer, the code not: `scope`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from snnbook.errors import OneOf, UserError, Within
from snnbook.pruning.fields import Amount, Positive, Span, later
from snnbook.pruning.parts import neuron_masks, sop_cost
from snnbook.pruning.parts.soft_masks import SoftMasks, steer
from snnbook.pruning.pruner import Context, Pruner
from snnbook.pruning.registry import ComparisonPlan, levels, method, star


@method(
    "unstructured", about="weight and neuron masks under a penalty on synaptic operations", paper="paper B",
    family="penalty or soft mask", needs=("neurons",), printed=("TEE-SNN",), plan=ComparisonPlan(
        star({"span": 1.0, "lr_mask": 1e-2}, {"lr_mask": 3e-3}, {"lr_mask": 3e-2}), axis="connections", budget=1.5,
        levels=levels("target", 0.1, 0.05, 0.02, 0.01, 5e-3), tuned_at=("target 0.02", "target 0.01"),
        shared={"strength": 0.1}, from_scratch=True),
)  # fmt: skip
@dataclass
class Unstructured(Pruner):
    """strength: of the penalty. target: share of the connections that it is steered to; None steers nothing. weights,
    neurons: which have masks. lr_mask: first learning rate of the alphas, on the schedule of the weights'. alpha: what
    they start at. beta, beta_end: slope of the masks, first and last. span: share of the training with soft masks.
    cost, scope: see `parts/sop_cost.py`, `neuron_masks.maskable`. UserError without masks and for beta > beta_end.
    """

    strength: Amount = 1.0
    target: Annotated[float, Within(0, 1, "()")] | None = None
    weights: bool = True
    neurons: bool = True
    lr_mask: Positive = 5e-3
    alpha: float = later(0.0)
    beta: Positive = 5.0
    beta_end: float = 1000.0
    span: Span = 0.8
    cost: Annotated[str, OneOf("cost", sop_cost.COSTS)] = "geometry"
    scope: Annotated[str, OneOf("scope", neuron_masks.SCOPES)] = "paper"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beta > self.beta_end or not (self.weights or self.neurons):
            raise UserError("need beta <= beta_end, and masks of weights, of neurons or of both")

    def start(self, c: Context) -> None:
        self.lam, (e_w, e_n) = self.strength, sop_cost.geometry(c.model, c.samples(1)[0])
        self.e, self.dense = e_w | e_n, sum(float(e) * c.weights[n].numel() for n, e in e_w.items())
        self.hidden = {n: c.weights[n].detach().clone() for n in e_w if self.weights}
        maskable = neuron_masks.maskable(c.model, c.samples(1)[0], self.scope) if self.neurons else []
        self.firing = [n for n in maskable if n in e_n]  # not neurons that feed no layer
        neuron_masks.attach(c.model, {n: e_n[n] for n in self.firing})
        self.masks = SoftMasks(self.hidden | {n: e_n[n] for n in self.firing}, self.lr_mask, self.beta, self.alpha)
        c.set_weights({n: self.masks[n] * w for n, w in self.hidden.items()})

    def before_step(self, c: Context) -> None:
        if self.masks.beta and (count := sop_cost.due(self.cost, c)):
            self.e, self.dense = count({**c.masks, **self.masks})

    def during_forward(self, c: Context) -> AbstractContextManager[None]:
        return neuron_masks.soft(c.model, self.firing if self.masks.beta else (), self.masks)

    def penalty(self, c: Context) -> Tensor | float:
        soft = self.masks.items() if self.masks.beta else ()
        return self.lam / self.dense * sum((self.e[n] * mask).sum() for n, mask in soft)

    def after_backward(self, c: Context) -> None:
        if self.masks.beta:
            for n, w in self.hidden.items():
                self.masks.split_gradient(n, w, c.weights[n].grad)
            c.set_weights(self.hidden)
            self.masks.step(c.lr / c.optimizer.defaults["lr"])  # type: ignore[union-attr]

    def after_step(self, c: Context) -> None:
        if not self.masks.beta:
            return
        self.hidden = {n: c.weights[n].detach().clone() for n in self.hidden}
        self.lam = steer(c, self.masks, self.lam, self.target, self.span)
        done = (c.step + 1) / c.steps_in(self.span)
        self.masks.beta = self.beta * (self.beta_end / self.beta) ** done
        if done < 1:
            return c.set_weights({n: self.masks[n] * w for n, w in self.hidden.items()})
        c.log["undecided"], self.masks.beta = self.masks.undecided(), 0.0
        c.set_masks({n: self.masks[n] for n in self.hidden}, fresh=False)
        self.finish(c)

    def finish(self, c: Context) -> None:
        neuron_masks.harden(c.model, {n: self.masks[n] for n in self.firing})
