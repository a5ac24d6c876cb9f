"""The papers' networks by name, each with a width factor: `build("cifarnet", width=0.125)`."""

from __future__ import annotations

from typing import Any

from torch import nn

from snnbook.errors import UserError, unknown
from snnbook.networks import convnet, resnet
from snnbook.networks.base import Network, Plan
from snnbook.networks.convnet import ConvNet
from snnbook.networks.resnet import ResNet

__all__ = ["ConvNet", "Network", "ResNet", "available", "build", "settings"]

_PLANS: dict[str, Plan] = {**convnet.PLANS, **resnet.PLANS}


def available() -> dict[str, str]:
    """Network name → one-line description."""
    return {name: plan.about for name, plan in _PLANS.items()}


def build(
    name: str,
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int | tuple[int, int] = 32,
    width: float = 1.0,
    T: int = 4,
    **changes,
) -> nn.Module:
    """Build a network by name; `width=1.0` is the paper's, other widths scale every hidden layer.

    Events go in as `[T, N, C, H, W]`. Static images go in as `[N, C, H, W]`: the first layer runs once and its output
    drives all `T` steps. Out come logits `[T, N, K]`. `changes` replaces entries of the network's plan (`ConvPlan`,
    `ResPlan`), such as `neuron="IF"`, or constants of its neurons (`tau`, `v_threshold`, `v_reset`, `decay_input`,
    `detach_reset`, `surrogate`, by name or as an object); `variant` chooses among networks that share a name: resnet19
    and vggsnn of paper "a" or "b", sew_resnet18 for "cifar" or, by default from 128 px on, for "imagenet".
    Raises UserError for an unknown name or change, a width that is not positive, T < 1 and an image too small for the
    network's pooling.
    """
    if name not in _PLANS:
        raise unknown("network", name, _PLANS)
    if not width > 0:
        raise UserError(f"width must be positive, got {width}")
    if T < 1:
        raise UserError(f"T must be at least 1 step, got {T}")
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    network = _PLANS[name].changed(size, **changes).build(num_classes, in_channels, size, width, T)
    sizes = {"num_classes": num_classes, "in_channels": in_channels, "image_size": size, "width": width, "T": T}
    network.arguments = {"name": name, **sizes, **changes}
    return network


def settings(name: str, image_size: int | tuple[int, int] = 32, **changes) -> dict[str, Any]:
    """Everything that `changes` come to in `build`, defaults included; as changes, they make the same network.

    Raises UserError as `build` does, and for a surrogate that is not a name's.
    """
    if name not in _PLANS:
        raise unknown("network", name, _PLANS)
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    return _PLANS[name].settings(size, **changes)
