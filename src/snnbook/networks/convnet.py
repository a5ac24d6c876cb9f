"""Plain convolutional spiking networks: convolutions and pooling, hidden linear layers, a read-out.

Ref: paper B Fig. 3 and its public code (cifarnet); paper A Table 1 and its public code (dvsgesture, cifar10dvs).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError, unknown
from snnbook.neurons import LIF

NEURON = ("tau", "v_threshold", "v_reset", "decay_input", "detach_reset", "surrogate")


@dataclass(frozen=True)
class Plan:
    """What a network is made of.

    convolutions: output channels of each 3x3 convolution, "M" for 2x2 max pooling. hidden: widths of the hidden linear
    layers. vote: output neurons per class, whose spikes are averaged; 0 reads the last layer's current instead and has
    no output neurons. bias: biases in the linear layers. norm_hidden: batch norm behind hidden linear layers.
    gain: initial scale of every batch norm. dropout: before every linear layer.
    """

    about: str
    convolutions: tuple[int | str, ...]
    hidden: tuple[int, ...]
    vote: int = 10
    bias: bool = False
    norm_hidden: bool = False
    gain: float = 1.0
    dropout: float = 0.0
    neuron: tuple[tuple[str, Any], ...] = ()

    def changed(self, **changes) -> Plan:
        """This plan with entries replaced; neuron constants are collected in `neuron`. Raises UserError on others."""
        mine = {f.name for f in fields(self)} - {"about", "neuron"}
        for key in changes:
            if key not in mine and key not in NEURON:
                raise unknown("network setting", key, {*mine, *NEURON})
        neuron = dict(self.neuron) | {k: v for k, v in changes.items() if k in NEURON}
        plan: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in changes.items() if k in mine}
        return replace(self, neuron=tuple(sorted(neuron.items(), key=lambda kv: kv[0])), **plan)


PLANS = {
    "cifarnet": Plan(
        "6Conv2FC of papers A, B and C for CIFAR-10: 36,715,264 weights",
        (256, 256, 256, "M", 256, 256, 256, "M"),
        (2048,),
    ),
    "dvsgesture": Plan(
        "5Conv2FC of paper A for DVS128 Gesture: 1,698,926 parameters at 128x128",
        (128, "M") * 5,
        (512,),
        bias=True,
        dropout=0.5,
    ),
    "cifar10dvs": Plan(
        "4Conv2FC of paper A for CIFAR10-DVS: 4,691,812 parameters at 128x128",
        (128, "M") * 4,
        (512,),
        bias=True,
        dropout=0.5,
    ),
}


class Fold(nn.Sequential):
    """Layers without memory, run on all time steps at once: `[T, N, *]` → `[T, N, *]`.

    An input that is the same at every step (expanded from one) is not expanded here but by the caller, after this.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class ConvNet(nn.Module):
    """A `Plan` made into a network; `[T, N, C, H, W]` or `[N, C, H, W]` → logits `[T, N, K]`."""

    def __init__(
        self,
        plan: Plan,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        width: float,
        T: int,
    ):
        super().__init__()
        pools = plan.convolutions.count("M")
        if min(image_size) < 2**pools:
            raise UserError(f"an image of {image_size} is too small for {pools} poolings; at least {2**pools} pixels")
        self.T, self.num_classes = T, num_classes
        neuron = dict(plan.neuron)

        def scaled(n: int) -> int:
            return max(1, round(n * width))

        def norm(layer: nn.Module) -> nn.Module:
            nn.init.constant_(layer.weight, plan.gain)  # type: ignore[arg-type]
            return layer

        layers: list[nn.Module] = []
        c, (h, w) = in_channels, image_size
        for entry in plan.convolutions:
            if isinstance(entry, str):
                layers.append(Fold(nn.MaxPool2d(2)))
                h, w = h // 2, w // 2
            else:
                out = scaled(entry)
                layers += [
                    Fold(nn.Conv2d(c, out, 3, padding=1, bias=False), norm(nn.BatchNorm2d(out))),
                    LIF(**neuron),
                ]
                c = out
        layers.append(nn.Flatten(2))
        features = c * h * w
        for entry in plan.hidden:
            out = scaled(entry)
            norms = [norm(nn.BatchNorm1d(out))] if plan.norm_hidden else []
            layers += self._dropout(plan)
            layers += [Fold(nn.Linear(features, out, bias=plan.bias), *norms), LIF(**neuron)]
            features = out
        layers += self._dropout(plan)
        layers.append(Fold(nn.Linear(features, num_classes * max(plan.vote, 1), bias=plan.bias)))
        if plan.vote:
            layers.append(LIF(**neuron))
        self.encoder, self.body = layers[0], nn.Sequential(*layers[1:])

    @staticmethod
    def _dropout(plan: Plan) -> list[nn.Module]:
        return [TimeDropout(plan.dropout)] if plan.dropout else []

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:  # static: encode once, then the same current at every step
            y = self.encoder(x.unsqueeze(0)).expand(self.T, -1, -1, -1, -1)
        elif x.dim() == 5:
            y = self.encoder(x)
        else:
            raise UserError(f"input must be [T, N, C, H, W] or [N, C, H, W], got shape {tuple(x.shape)}")
        y = self.body(y)
        return y.unflatten(2, (self.num_classes, -1)).mean(3)


class TimeDropout(nn.Dropout):
    """Dropout with one pattern for all time steps of a sample: `[T, N, *]` → `[T, N, *]`."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        keep = torch.empty_like(x[0]).bernoulli_(1 - self.p)
        return x * keep / (1 - self.p)
