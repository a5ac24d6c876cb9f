"""Masks that are trained with the network: soft, sigma(beta alpha), until they harden to alpha > 0.

Ref: paper B (Shi et al. 2024), Eq. 5, 7 and 11.

The strength of the penalty on them can be steered to a share of the connections: it is raised while too much is left,
and lowered while too little is. As masks start undecided at alpha = 0, half of them fall on either side within the
first steps, whatever the penalty: where weights and both their neurons have one an eighth of the connections is left,
and a target can only lie below that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from snnbook.pruning.parts.sop_cost import connections_left
from snnbook.pruning.pruner import Context
from snnbook.pruning.schedules import update_number

STEERED = 64  # how often, while masks are soft, but not more often than in every tenth step: masks take time to turn
DAMPING = 2  # power of what is left over what was left last: masks that close already need no push
MOST = 8.0  # of what is left over what should be, either way: how wrong it is says little about how much to turn


class SoftMasks(Mapping[str, Tensor]):
    """Name of a weight or of neurons → its mask: sigma(beta alpha) in (0, 1), or bool once `beta` is 0.

    like: name → a tensor of the mask's shape. lr: first learning rate of the Adam that steps the alphas. beta: slope of
    the masks at the start; whoever raises it, and sets it to 0 at last, writes to the attribute. alpha: first value of
    the alphas.
    """

    def __init__(self, like: Mapping[str, Tensor], lr: float, beta: float, alpha: float = 0.0):
        self.alpha = {name: torch.full_like(v, alpha, requires_grad=True) for name, v in like.items()}
        self.adam = torch.optim.Adam(self.alpha.values(), lr=lr, eps=1e-8, fused=True)
        self.beta = beta
        self.left = 0.0  # share of the connections when `steer` looked last

    def __getitem__(self, name: str) -> Tensor:
        return torch.sigmoid(self.beta * self.alpha[name]) if self.beta else self.alpha[name] > 0

    def __iter__(self):
        return iter(self.alpha)

    def __len__(self) -> int:
        return len(self.alpha)

    def split_gradient(self, name: str, weight: Tensor, grad: Tensor | None) -> None:
        """The chain rule of sigma(beta alpha) w: from `grad`, that of the product, to the gradients of w and alpha.

        weight: w. All tensors have the shape of the mask. `grad` is changed in place, and alpha must have a gradient
        already, as from a penalty, to which its own is added. None is no gradient: the loss does not depend on w.
        """
        if grad is None:
            return
        mask, alpha = self[name].detach(), self.alpha[name]
        alpha.grad += self.beta * mask * (1 - mask) * weight * grad  # type: ignore[operator]
        grad *= mask

    def step(self, rate: float) -> None:
        """A step of Adam with a share `rate` of the first learning rate; gradients are zero after it."""
        for group in self.adam.param_groups:
            group["lr"] = rate * self.adam.defaults["lr"]
        self.adam.step()
        self.adam.zero_grad()

    def undecided(self) -> dict[str, float]:
        """Name → mean distance of the soft masks from the hard ones, sigma(-beta |alpha|), in [0, 0.5]."""
        return {name: (-self.beta * alpha.abs()).sigmoid().mean().item() for name, alpha in self.alpha.items()}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"alpha": self.alpha, "adam": self.adam.state_dict(), "beta": self.beta, "left": self.left}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for name, alpha in self.alpha.items():
            alpha.copy_(state["alpha"][name])
        self.adam.load_state_dict(state["adam"])
        self.beta, self.left = state["beta"], state["left"]


def steer(c: Context, masks: SoftMasks, strength: float, target: float | None, span: float) -> float:
    """The strength of the penalty from the next step on, steered to a share `target` of the connections, or unchanged.

    span: share of the training with soft masks. What is left is the share of the connections with alpha > 0.
    """
    steps = c.steps_in(span)
    if target is None or not update_number(c.step + 1, steps, min(STEERED, math.ceil(steps / 10))):
        return strength
    hard = {name: alpha > 0 for name, alpha in masks.alpha.items()}
    left = connections_left(c.model, c.samples(1)[0], hard)
    last, masks.left = masks.left, left
    return steered(strength, left, last, target)


def steered(strength: float, left: float, last: float, target: float) -> float:
    """The strength times left / target, which is held to between 1 / MOST and MOST, and times (left / last)^DAMPING.

    left, last: what is left now and what was when this was asked for last, shares in [0, 1]; the second factor damps
    the first, which alone would overshoot: masks that a large penalty has closed do not open again. target: a share in
    (0, 1). A strength of 0 stays 0.
    """
    damping = (left / last) ** DAMPING if left and last else 1.0
    return strength * min(max(left / target, 1 / MOST), MOST) * damping
