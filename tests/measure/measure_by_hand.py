"""Small networks and slow, plain counts that the measurements are held against."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn


class Fold(nn.Sequential):
    """`[T, N, *]` → `[T, N, *]` through layers that know no time."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class PlainNeuron(nn.Module):
    """A reader's own neuron: one step a call, state in an attribute, the surrogate a module inside."""

    def __init__(self) -> None:
        super().__init__()
        self.surrogate_function = nn.Softsign()
        self.v: Any = 0.0

    def reset(self) -> None:
        self.v = 0.0

    def forward(self, x: Tensor) -> Tensor:
        h = self.v + (x - self.v) / 2
        spike = (self.surrogate_function(h - 1) >= 0).float()
        self.v = h * (1 - spike)
        return spike


def prune_(layer: nn.Module, share: float) -> nn.Module:
    """Zero a random share of a layer's weights and make sure that the others are not zero."""
    with torch.no_grad():
        w = layer.weight
        w.copy_(torch.where(w == 0, 0.1, w) * (torch.rand_like(w) >= share))
    return layer


def crossings(layer: nn.Module, x: Tensor, post: Tensor | None = None) -> float:
    """Inputs `[C, H, W]` or `[F]` times their nonzero weights into the outputs `post`, by loops."""
    alive, value = (layer.weight != 0).tolist(), x.tolist()
    keep = None if post is None else post.tolist()
    total = 0.0
    if isinstance(layer, nn.Linear):
        for o, i in itertools.product(range(layer.out_features), range(layer.in_features)):
            if alive[o][i] and (keep is None or keep[o]):
                total += value[i]
        return total
    out_h, out_w = layer(x[None]).shape[2:]
    (sh, sw), (ph, pw), (dh, dw), (kh, kw) = layer.stride, layer.padding, layer.dilation, layer.kernel_size
    per_group = layer.in_channels // layer.groups
    for o, p, q in itertools.product(range(layer.out_channels), range(out_h), range(out_w)):
        if keep is not None and not keep[o][p][q]:
            continue
        group = o // (layer.out_channels // layer.groups)
        for c, i, j in itertools.product(range(per_group), range(kh), range(kw)):
            y, z = p * sh + i * dh - ph, q * sw + j * dw - pw
            if alive[o][c][i][j] and 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                total += value[group * per_group + c][y][z]
    return total


def inputs_of(model: nn.Module, x: Tensor) -> dict[nn.Module, Tensor]:
    """What enters each layer in a plain forward pass, leading axes as one."""
    found: dict[nn.Module, Tensor] = {}
    handles = []
    for m in model.modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            size = m.weight.dim() - 1

            def hook(m: nn.Module, args: Any, size: int = size) -> None:
                found[m] = args[0].reshape(-1, *args[0].shape[-size:]).clone()

            handles.append(m.register_forward_pre_hook(hook))
    with torch.no_grad():
        model.eval()(x)
    for h in handles:
        h.remove()
    return found
