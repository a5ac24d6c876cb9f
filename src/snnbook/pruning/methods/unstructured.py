"""Unstructured pruning of weights and neurons under a penalty on synaptic operations.

Ref: paper B (Shi et al. 2024), Algorithm 1, Eq. 5, 7, 9-11.
Algorithm: compute with sigma(beta alpha_w) w and sigma(beta alpha_n) times spikes. From alpha = 0 train w and alphas on
loss + lambda (sum of e_w sigma(beta alpha_w) + sum of e_n sigma(beta alpha_n)), while beta grows exponentially; then
masks are alpha > 0, and w is trained on. Adam (its eps of 1e-8 matters) steps the alphas.
Deviations: lambda, 5e-12 to 1e-10 for CifarNet, depends on a network's size; `strength` is lambda times the sum of e_w
over all weights, 0.0085 to 0.17 there. Eq. 9 counts spikes, the public code takes shapes: `cost`. The text masks the
neurons of the encoding layer, that code does not: `scope`. One learning-rate schedule runs to the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from snnbook.errors import UserError, check_types, unknown
from snnbook.pruning.parts import neuron_masks, sop_cost
from snnbook.pruning.pruner import Context, Pruner


@dataclass
class Unstructured(Pruner):
    """weights, neurons: what has masks. lr_mask: of the alphas, on the schedule of the weights'. tune: share of the
    training with hard masks. cost: as in `costs.py`. scope: as in `gates.scoped`. The sparsity is an outcome.
    """

    strength: float = 1.0
    weights: bool = True
    neurons: bool = True
    lr_mask: float = 5e-3
    beta: float = 5.0
    beta_end: float = 1000.0
    tune: float = 0.2
    cost: str = "geometry"
    scope: str = "paper"

    def __post_init__(self) -> None:
        check_types(self)
        for kind, name, known in (("cost", self.cost, sop_cost.COSTS), ("scope", self.scope, neuron_masks.SCOPES)):
            if name not in known:
                raise unknown(kind, name, known)
        right = self.strength >= 0 and self.lr_mask > 0 and 0 < self.beta <= self.beta_end and 0 <= self.tune < 1
        if not right or not (self.weights or self.neurons):
            raise UserError("need weights or neurons, strength >= 0, lr_mask > 0, 0 < beta <= beta_end, tune in [0, 1)")

    def start(self, c: Context) -> None:
        e_w, e_n = sop_cost.geometry(c.model, c.samples(1)[0])
        self.e, self.dense = e_w | e_n, sum(float(e) * c.weights[n].numel() for n, e in e_w.items())
        self.hidden = {n: c.weights[n].detach().clone() for n in e_w if self.weights}
        scoped = neuron_masks.scoped(c.model, c.samples(1)[0], self.scope) if self.neurons else []
        masked = self.hidden | {n: e_n[n] for n in scoped if n in e_n}  # not neurons that feed no layer
        self.alpha = {n: torch.zeros_like(v, requires_grad=True) for n, v in masked.items()}
        self.adam = torch.optim.Adam(self.alpha.values(), lr=self.lr_mask, eps=1e-8, fused=True)
        self.soft = self.beta  # beta while masks are soft, 0 from then on
        for n in masked.keys() - self.hidden.keys():
            neuron_masks.attach(c.model, n, e_n[n], self._mask)
        c.put({n: self._mask(n) * w for n, w in self.hidden.items()})

    def _mask(self, n: str) -> Tensor:
        return torch.sigmoid(self.soft * self.alpha[n]) if self.soft else self.alpha[n] > 0

    def before_step(self, c: Context) -> None:
        if self.cost == "spikes" and self.soft and c.step and c.step % c.steps_per_epoch == 0:
            x, y = c.samples(64)
            self.e, self.dense = sop_cost.spikes(
                c.model, x, len(y), {**c.masks, **{n: self._mask(n) for n in self.alpha}}
            )

    def penalty(self, c: Context) -> Tensor | float:
        return self.strength / self.dense * sum((self.e[n] * self._mask(n)).sum() for n in self.alpha if self.soft)

    def after_backward(self, c: Context) -> None:
        if not self.soft:
            return
        for n, w in self.hidden.items():
            mask, a, grad = self._mask(n).detach(), self.alpha[n], c.weights[n].grad
            a.grad += self.soft * mask * (1 - mask) * w * grad  # type: ignore[operator]
            grad *= mask  # type: ignore[operator]
        c.put(self.hidden)
        self.adam.param_groups[0]["lr"] = self.lr_mask * c.lr / c.optimizer.defaults["lr"]  # type: ignore[union-attr]
        self.adam.step()
        self.adam.zero_grad()

    def after_step(self, c: Context) -> None:
        if not self.soft:
            return
        self.hidden = {n: c.weights[n].detach().clone() for n in self.hidden}
        done = (c.step + 1) / max(1, round((1 - self.tune) * c.steps))
        self.soft = self.beta * (self.beta_end / self.beta) ** done
        if done < 1:
            return c.put({n: self._mask(n) * w for n, w in self.hidden.items()})
        c.log["undecided"] = {n: (-self.soft * a.abs()).sigmoid().mean().item() for n, a in self.alpha.items()}
        self.soft = 0.0
        c.set_masks({n: self._mask(n) for n in self.hidden}, fresh=False)
        self.finish(c)

    def finish(self, c: Context) -> None:
        for n in self.alpha.keys() - self.hidden.keys():
            neuron_masks.harden(c.model, n, self._mask(n))
