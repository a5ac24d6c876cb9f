"""A sparse network with every kind of layer, and events for it."""

from __future__ import annotations

import pytest
import torch
from measure_by_hand import Fold, prune_
from torch import Tensor, nn

from snnbook.neurons import LIF


@pytest.fixture
def network() -> nn.Sequential:
    """Stride, padding, dilation, groups, two kinds of pooling, linear layers; sparse, with masked neurons."""
    torch.manual_seed(0)
    net = nn.Sequential(
        Fold(prune_(nn.Conv2d(2, 4, 3, stride=2, padding=1), 0.3), nn.BatchNorm2d(4)),
        LIF(v_threshold=0.3),
        Fold(prune_(nn.Conv2d(4, 6, (3, 2), padding=(2, 1), dilation=(2, 1), groups=2, bias=False), 0.5)),
        LIF(v_threshold=0.05),
        Fold(nn.MaxPool2d(2)),
        Fold(prune_(nn.Conv2d(6, 6, 1), 0.4)),
        LIF(v_threshold=0.05),
        Fold(nn.AvgPool2d(2, 1)),
        nn.Flatten(2),
        Fold(prune_(nn.Linear(12, 10), 0.6)),
        LIF(v_threshold=0.05),
        Fold(prune_(nn.Linear(10, 3), 0.2)),
    )
    for i, shape in {1: (4, 4, 5), 3: (6, 4, 6), 6: (6, 2, 3), 10: (10,)}.items():
        net[i].mask = torch.rand(shape) >= 0.3
    return net


@pytest.fixture
def events() -> Tensor:
    """Event counts `[T, N, C, H, W]` for `network`."""
    return torch.poisson(torch.full((4, 3, 2, 8, 9), 0.8), generator=torch.Generator().manual_seed(1))
