"""Masks that are trained with the network: soft, sigma(beta alpha), until they harden to alpha > 0.

Ref: paper B (Shi et al. 2024), Eq. 5, 7 and 11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class SoftMasks(Mapping[str, Tensor]):
    """Name of a weight or of neurons → its mask: sigma(beta alpha) in (0, 1), or bool once `beta` is 0.

    like: name → a tensor of the mask's shape. lr: first learning rate of the Adam that steps the alphas, which start at
    0. beta: slope of the masks at the start; whoever raises it, and sets it to 0 at last, writes to the attribute.
    """

    def __init__(self, like: Mapping[str, Tensor], lr: float, beta: float):
        self.alpha = {name: torch.zeros_like(v, requires_grad=True) for name, v in like.items()}
        self.adam = torch.optim.Adam(self.alpha.values(), lr=lr, eps=1e-8, fused=True)
        self.beta = beta

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
        return {"alpha": self.alpha, "adam": self.adam.state_dict(), "beta": self.beta}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for name, alpha in self.alpha.items():
            alpha.copy_(state["alpha"][name])
        self.adam.load_state_dict(state["adam"])
        self.beta = state["beta"]
