"""What all networks have in common: a plan whose settings a caller may change, its neurons, and the forward pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from snnbook.errors import UserError, unknown
from snnbook.neurons import IF, LIF, LIFParameters
from snnbook.surrogates import SURROGATES

NEURONS: dict[str, type[LIF]] = {"LIF": LIF, "IF": IF}
CONSTANTS = ("tau", "v_threshold", "v_reset", "decay_input", "detach_reset", "surrogate")
OF_THE_LEAK = ("tau", "decay_input")
NO_SETTINGS = {"about", "constants", "variants", "large"}  # fields of a plan that a caller does not set
LARGE = 128  # px of the shorter side

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Plan(ABC):
    """What a network is made of, as far as all have it.

    about: one line for the list of networks. neuron: "LIF" or "IF". constants: those of the neurons that differ from
    LIF's defaults. gain: initial scale of all batch norms. init: how weights start, a key of INITS. variants: name →
    settings that differ, the default first. large: the variant that images of 128 px and more get by default.
    """

    about: str
    neuron: str = "LIF"
    constants: Mapping[str, Any] = field(default_factory=dict)
    gain: float = 1.0
    init: str = "default"
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    large: str = ""

    @abstractmethod
    def build(self, num_classes: int, in_channels: int, image_size: Size, width: float, T: int) -> Network:
        """The network; see `networks.build`."""

    def changed(self, image_size: Size, variant: str | None = None, **changes) -> Self:
        """This plan, of a variant, with settings and neuron constants replaced. Raises UserError for others."""
        known = {f.name for f in fields(self)} - NO_SETTINGS
        if variant is None:
            variant = self._variant_for(image_size)
        elif variant not in self.variants:
            if self.variants:
                raise unknown("variant", variant, self.variants)
            raise UserError(f"this network has no variants, got variant={variant!r}")
        for key in changes:
            if key not in known and key not in CONSTANTS:
                raise unknown("network setting", key, {*known, *CONSTANTS, *(["variant"] if self.variants else [])})
        both = {**self.variants.get(variant, {}), **changes}
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in both.items() if k in known}
        constants = {**self.constants, **{k: v for k, v in both.items() if k in CONSTANTS}}
        plan = replace(self, constants=constants, **settings)
        if isinstance(name := constants.get("surrogate"), str):
            one_of("surrogate", name, SURROGATES)
        plan.check()
        if plan.neuron == "IF" and (of_leak := [key for key in OF_THE_LEAK if key in changes]):
            raise UserError(f"{of_leak[0]} is a constant of the leak, which IF neurons lack; give neuron='LIF' as well")
        return plan

    def settings(self, image_size: Size, variant: str | None = None, **changes) -> dict[str, Any]:
        """What `changed` comes to, defaults and neuron constants included: further changes that make the same network.

        A surrogate with its default steepness goes by its name.
        """
        if variant is None and self.variants:
            variant = self._variant_for(image_size)
        plan = self.changed(image_size, variant, **changes)
        whole = {f.name: getattr(plan, f.name) for f in fields(plan) if f.name not in NO_SETTINGS}
        constants = {**LIFParameters()._asdict(), **plan.constants}
        constants["surrogate"] = next((n for n, s in SURROGATES.items() if constants["surrogate"] in (n, s())), "")
        if not constants["surrogate"]:
            raise UserError(f"a surrogate is set by its name: {', '.join(SURROGATES)}")
        if plan.neuron == "IF":
            constants = {name: value for name, value in constants.items() if name not in OF_THE_LEAK}
        return whole | constants | ({"variant": variant} if self.variants else {})

    def _variant_for(self, image_size: Size) -> str:
        return self.large if self.large and min(image_size) >= LARGE else next(iter(self.variants), "")

    def check(self) -> None:
        """Raise UserError for settings that do not make sense."""
        one_of("neuron", self.neuron, NEURONS)
        one_of("init", self.init, INITS)

    def neurons(self, kind: str = "") -> LIF:
        """New neurons with the plan's constants; `kind` instead of the plan's own."""
        kind = kind or self.neuron
        constants = {k: v for k, v in self.constants.items() if kind == "LIF" or k not in OF_THE_LEAK}
        return NEURONS[kind](**constants)

    def norm(self, channels: int, dimensions: int = 2) -> nn.Module:
        """A new batch norm."""
        norm = nn.BatchNorm2d(channels) if dimensions == 2 else nn.BatchNorm1d(channels)
        nn.init.constant_(norm.weight, self.gain)
        return norm


def one_of(kind: str, value: object, valid: Iterable[str]) -> None:
    """Raise UserError unless `value` is one of `valid`."""
    if value not in (names := list(valid)):
        raise unknown(kind, value, names)


def scaled(n: int, width: float) -> int:
    """The width of a hidden layer of `n` times a width factor, at least 1."""
    return max(1, round(n * width))


def _fan_out(m: nn.Module) -> None:
    if isinstance(m, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")


def _vgg(m: nn.Module) -> None:
    if isinstance(m, nn.Conv2d):
        _fan_out(m)
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, 0, 0.01)
    if isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None:
        nn.init.zeros_(m.bias)


# torch's own, paper B's code, and that of paper A's VGG16.
INITS: dict[str, Callable[[nn.Module], None]] = {"default": lambda m: None, "fan_out": _fan_out, "vgg": _vgg}


class Fold(nn.Sequential):
    """Layers without memory, run on all time steps at once: `[T, N, *]` → `[T, N, *]`.

    An input that is the same at every step (expanded from one) is not expanded here but by the caller, after this.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Input `[T, N, *]` → `[T, N, *]`; the layers see T N samples `[T N, *]`, those of a step one after the other.

        Batch norm therefore takes its statistics over samples and time steps.
        """
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class TimeDropout(nn.Dropout):
    """Dropout with one pattern for all time steps of a sample: `[T, N, *]` → `[T, N, *]`."""

    def forward(self, x: Tensor) -> Tensor:
        """`x [T, N, *]` in evaluation; in training a share p of the values `[N, *]` is 0 at all steps, the rest grows.

        The pattern is drawn from torch's global generator.
        """
        if not self.training or not self.p:
            return x
        keep = torch.empty_like(x[0]).bernoulli_(1 - self.p)
        return x * keep / (1 - self.p)


class Network(nn.Module):
    """A plan made into a network; `[T, N, C, H, W]` or `[N, C, H, W]` → logits `[T, N, K]`.

    layers: modules `[T, N, *]` → `[T, N, *]` in order. The first one, `encoder`, runs once for all steps of a static
    image; the last one gives a multiple of K values, of which those of a class are averaged. num_classes: K. T: number
    of time steps that a static image is shown for. arguments: what `networks.build` was called with to make it, from
    which `pruning.load` makes it anew; empty if it was made in another way.
    """

    def __init__(self, plan: Plan, layers: list[nn.Module], num_classes: int, T: int):
        super().__init__()
        self.T, self.num_classes = T, num_classes
        self.arguments: dict[str, Any] = {}
        self.encoder, self.body = layers[0], nn.Sequential(*layers[1:])
        self.apply(INITS[plan.init])

    def forward(self, x: Tensor) -> Tensor:
        """Events `[T, N, C, H, W]`, of any T, or static images `[N, C, H, W]` → logits `[T, N, K]` of all steps.

        Logits are not averaged over time: the class of a sample is that of the largest mean over the steps.
        Raises UserError for an input with another number of axes.
        """
        if x.dim() == 4:  # static: encode once, then the same current at every step
            y = self.encoder(x.unsqueeze(0)).expand(self.T, -1, -1, -1, -1)
        elif x.dim() == 5:
            y = self.encoder(x)
        else:
            raise UserError(f"input must be [T, N, C, H, W] or [N, C, H, W], got shape {tuple(x.shape)}")
        y = self.body(y)
        return y.unflatten(2, (self.num_classes, -1)).mean(3)
