"""Plain convolutional spiking networks: convolutions and pooling, hidden linear layers, a read-out.

Ref: paper B Fig. 3 and its public code (cifarnet); paper A Table 1 and its public code (dvsgesture, cifar10dvs, vgg16);
vggsnn: Deng et al. 2022, as in the public codes of papers A and B.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from snnbook.errors import UserError
from snnbook.networks.base import Fold, Network, Plan, Size, TimeDropout, one_of, scaled

POOLINGS: dict[str, type[nn.MaxPool2d] | type[nn.AvgPool2d]] = {"M": nn.MaxPool2d, "A": nn.AvgPool2d}


@dataclass(frozen=True, kw_only=True)
class ConvPlan(Plan):
    """What a plain network is made of.

    convolutions: output channels of the 3x3 convolutions in order, "M" and "A" for 2x2 max and average pooling.
    hidden: widths of the hidden linear layers. vote: outputs per class, which are averaged; 0 reads the last layer's
    current instead. spiking_output: the voting outputs are neurons; False averages their currents. bias, conv_bias:
    whether linear layers and convolutions have biases. norm_hidden: whether a batch norm follows hidden linear layers.
    dropout: share of the inputs of all linear layers that is dropped in training.
    """

    convolutions: tuple[int | str, ...]
    hidden: tuple[int, ...] = ()
    vote: int = 10
    spiking_output: bool = True
    bias: bool = False
    conv_bias: bool = False
    norm_hidden: bool = False
    dropout: float = 0.0

    def check(self) -> None:
        """Raise UserError for a pooling of an unknown name, and unless a convolution comes first."""
        super().check()
        for entry in self.convolutions:
            if isinstance(entry, str):
                one_of("pooling", entry, POOLINGS)
        if not self.convolutions or isinstance(self.convolutions[0], str):
            raise UserError(f"convolutions must begin with the channels of one, got {self.convolutions}")

    def build(self, num_classes: int, in_channels: int, image_size: Size, width: float, T: int) -> Network:
        """The network; see `networks.build`. Raises UserError for an image too small for its poolings."""
        return ConvNet(self, num_classes, in_channels, image_size, width, T)


_VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")

PLANS = {
    "cifarnet": ConvPlan(
        about="6Conv2FC of papers A, B and C for CIFAR-10: 36,715,264 weights",
        convolutions=(256, 256, 256, "M", 256, 256, 256, "M"),
        hidden=(2048,),
    ),
    "vgg16": ConvPlan(
        about="VGG16 of paper A for CIFAR-10: 14,728,266 parameters, inputs of 32 px and more",
        convolutions=_VGG16,
        vote=0,
        bias=True,
        conv_bias=True,
        init="vgg",
        constants={"tau": 4 / 3},
    ),
    "dvsgesture": ConvPlan(
        about="5Conv2FC of paper A for DVS128 Gesture: 1,698,926 parameters at 128x128",
        convolutions=(128, "M") * 5,
        hidden=(512,),
        bias=True,
        dropout=0.5,
    ),
    "cifar10dvs": ConvPlan(
        about="4Conv2FC of paper A for CIFAR10-DVS: 4,691,812 parameters at 128x128",
        convolutions=(128, "M") * 4,
        hidden=(512,),
        bias=True,
        dropout=0.5,
    ),
    "vggsnn": ConvPlan(
        about="VGGSNN of papers A (variant a) and B (b) for CIFAR10-DVS: 9,683,456 parameters at 48x48",
        convolutions=(64, 128, "A", 256, 256, "A", 512, 512, "A", 512, 512, "A"),
        dropout=0.25,
        init="fan_out",
        variants={"a": {}, "b": {"dropout": 0.0, "spiking_output": False}},
    ),
}


class ConvNet(Network):
    """A `ConvPlan` made into a network. Raises UserError for an image too small for its poolings."""

    def __init__(self, plan: ConvPlan, num_classes: int, in_channels: int, image_size: Size, width: float, T: int):
        pools = sum(isinstance(entry, str) for entry in plan.convolutions)
        if min(image_size) < 2**pools:
            raise UserError(f"an image of {image_size} is too small for {pools} poolings; at least {2**pools} pixels")
        layers: list[nn.Module] = []
        c, (h, w) = in_channels, image_size
        for entry in plan.convolutions:
            if isinstance(entry, str):
                layers.append(Fold(POOLINGS[entry](2)))
                h, w = h // 2, w // 2
            else:
                out = scaled(entry, width)
                convolution = nn.Conv2d(c, out, 3, padding=1, bias=plan.conv_bias)
                layers += [Fold(convolution, plan.norm(out)), plan.neurons()]
                c = out
        layers.append(nn.Flatten(2))
        dropout = [TimeDropout(plan.dropout)] if plan.dropout else []
        features = c * h * w
        for entry in plan.hidden:
            out = scaled(entry, width)
            norms = [plan.norm(out, 1)] if plan.norm_hidden else []
            layers += [*dropout, Fold(nn.Linear(features, out, bias=plan.bias), *norms), plan.neurons()]
            features = out
        layers += [*dropout, Fold(nn.Linear(features, num_classes * max(plan.vote, 1), bias=plan.bias))]
        if plan.vote and plan.spiking_output:
            layers.append(plan.neurons())
        super().__init__(plan, layers, num_classes, T)
