"""Residual spiking networks: a stem, stages of blocks of two convolutions, global average pooling, linear layers.

Ref: paper A's public code (resnet19, variant a, which is that of Kim et al. 2022); paper B's public code (resnet19,
variant b, and sew_resnet18, after Fang et al. 2021); SCCD (Meng et al. 2023) for resnet20, whose widths are inferred
from the parameters that it prints.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.networks.base import NEURONS, Fold, Network, Plan, Size, one_of, scaled

STEMS = ("cifar", "imagenet")
BLOCKS = ("add", "sew")


@dataclass(frozen=True, kw_only=True)
class ResPlan(Plan):
    """What a residual network is made of.

    stages: (output channels, blocks, stride of the first block) of all stages in order. block: "add" adds the currents
    of both branches in front of the neurons; "sew" adds their spikes behind them (Fang et al. 2021, ADD), so that what
    leaves is a count. stem: "cifar" is a 3x3 convolution, "imagenet" a 7x7 one of stride 2 with max pooling behind its
    neurons; stem_width: its channels; stem_neuron: its neurons, "" for the others' kind. hidden: widths of the hidden
    linear layers. vote: outputs per class, whose currents are averaged; 0 for 10 where ten times the classes are fewer
    than the inputs of the last layer, else 1. All linear layers have biases, convolutions have none.
    """

    stages: tuple[tuple[int, int, int], ...]
    block: str = "add"
    stem: str = "cifar"
    stem_width: int = 64
    stem_neuron: str = ""
    hidden: tuple[int, ...] = ()
    vote: int = 1

    def check(self) -> None:
        """Raise UserError for a block, stem or neuron of an unknown name, and for a stage with a number below 1."""
        super().check()
        one_of("block", self.block, BLOCKS)
        one_of("stem", self.stem, STEMS)
        one_of("neuron of the stem", self.stem_neuron or self.neuron, NEURONS)
        if not self.stages or not all(len(stage) == 3 and min(stage) >= 1 for stage in self.stages):
            raise UserError(f"each stage is (channels, blocks, stride), all at least 1; got {self.stages}")

    def build(self, num_classes: int, in_channels: int, image_size: Size, width: float, T: int) -> Network:
        """The network; see `networks.build`."""
        return ResNet(self, num_classes, in_channels, width, T)


PLANS = {
    "resnet19": ResPlan(
        about="ResNet19 of papers A and C (variant a) and B (b): 12,630,858 parameters for 10 classes",
        stages=((128, 3, 2), (256, 3, 2), (512, 2, 2)),
        hidden=(256,),
        constants={"tau": 4 / 3},
        variants={
            "a": {},
            "b": {
                "stages": ((128, 3, 1), (256, 3, 2), (512, 2, 2)),
                "block": "sew",
                "vote": 0,
                "tau": 2.0,
                "init": "fan_out",
            },
        },
    ),
    "resnet20": ResPlan(
        about="ResNet20 of SCCD in paper A's Table 2, widths inferred: 4,327,754 parameters for 10 classes",
        stages=((64, 3, 1), (128, 3, 2), (256, 3, 2)),
    ),
    "sew_resnet18": ResPlan(
        about="SEW-ResNet18 of paper B for ImageNet (11,689,512 parameters) and CIFAR (11,220,132)",
        stages=((64, 2, 1), (128, 2, 2), (256, 2, 2), (512, 2, 2)),
        block="sew",
        neuron="IF",
        vote=0,
        init="fan_out",
        variants={"cifar": {"stem_neuron": "LIF"}, "imagenet": {"stem": "imagenet"}},
        large="imagenet",
    ),
}


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut: spikes `[T, N, C, H, W]` → spikes, or for "sew" counts of spikes.

    c, out: channels of the input and of the output. stride: of the first convolution and of the shortcut, in px.
    """

    def __init__(self, plan: ResPlan, c: int, out: int, stride: int):
        super().__init__()
        sew = plan.block == "sew"
        self.main = nn.Sequential(_convolution(plan, c, out, 3, stride), plan.neurons(), _convolution(plan, out, out))
        self.shortcut = nn.Sequential()
        if stride != 1 or c != out:
            self.shortcut.append(_convolution(plan, c, out, 1, stride))
        if sew:
            for branch in (self.main, self.shortcut):
                if len(branch):
                    branch.append(plan.neurons())
        self.neurons = nn.Identity() if sew else plan.neurons()

    def forward(self, x: Tensor) -> Tensor:
        """Spikes `[T, N, C, H, W]` → spikes `[T, N, C', H / stride, W / stride]`, rounded up; for "sew" 0, 1, 2, ..."""
        y = self.main(x)  # before the shortcut: the neurons behind a layer are the next of its width to run
        return self.neurons(y + self.shortcut(x))


def _convolution(plan: ResPlan, c: int, out: int, size: int = 3, stride: int = 1) -> Fold:
    return Fold(nn.Conv2d(c, out, size, stride, size // 2, bias=False), plan.norm(out))


class ResNet(Network):
    """A `ResPlan` made into a network, for images of any size."""

    def __init__(self, plan: ResPlan, num_classes: int, in_channels: int, width: float, T: int):
        c = scaled(plan.stem_width, width)
        size, stride = (7, 2) if plan.stem == "imagenet" else (3, 1)
        layers: list[nn.Module] = [_convolution(plan, in_channels, c, size, stride), plan.neurons(plan.stem_neuron)]
        if plan.stem == "imagenet":
            layers.append(Fold(nn.MaxPool2d(3, 2, 1)))
        for channels, blocks, stride in plan.stages:
            out = scaled(channels, width)
            for number in range(blocks):
                layers.append(ResidualBlock(plan, c, out, 1 if number else stride))
                c = out
        layers += [Fold(nn.AdaptiveAvgPool2d(1)), nn.Flatten(2)]
        for entry in plan.hidden:
            out = scaled(entry, width)
            layers += [Fold(nn.Linear(c, out)), plan.neurons()]
            c = out
        vote = plan.vote or (10 if 10 * num_classes < c else 1)
        layers.append(Fold(nn.Linear(c, num_classes * vote)))
        super().__init__(plan, layers, num_classes, T)
