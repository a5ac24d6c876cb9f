"""How a network is run to be measured: in evaluation mode, layer by layer, and left exactly as it was before.

Everything here needs only the modules that do the work: convolutions and linear layers, named *layers*, and
the neurons behind them. The number of synapses of a layer follows from the layer itself, run on a map of
ones with the indicator of its nonzero weights: borders, stride, padding, dilation and groups are then right
by construction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.tracing import MAX_POOLS, SCALES, Hook, layers, mask_of, measuring, named, neurons, reset

__all__ = ["layers", "measuring", "named", "neurons", "reset"]  # for the other modules of `measure`


def sample_axis(x: Tensor) -> int:
    """The axis of samples: 1 for events `[T, N, *]` (3 or 5 axes), 0 for static input `[N, *]` (2 or 4)."""
    if x.dim() not in (2, 3, 4, 5):
        raise UserError(f"input must be [T, N, C, H, W], [T, N, F], [N, C, H, W] or [N, F], got {tuple(x.shape)}")
    axis = 1 if x.dim() in (3, 5) else 0
    if x.shape[axis] == 0:
        raise UserError(f"input of shape {tuple(x.shape)} holds no sample")
    return axis


def device_of(model: nn.Module) -> torch.device:
    """Where the parameters of a network are; the CPU for one without any."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def batches(model: nn.Module, x: Tensor, batch_size: int | None) -> Iterator[Tensor]:
    """Cut `x` along its samples, on the network's device; neurons forget their state before each batch."""
    axis = sample_axis(x)
    for part in x.split(batch_size or x.shape[axis], axis):
        reset(model)
        yield part.to(device_of(model))


def rows(layer: nn.Module, value: Tensor) -> Tensor:
    """An input or output of a layer with all leading axes as one: `[R, C, H, W]` or `[R, F]`."""
    size = layer.weight.dim() - 1  # type: ignore[operator]
    return value.reshape(-1, *value.shape[-size:])


def live_synapses(layer: nn.Module) -> Tensor:
    """1 for every nonzero weight of a layer and 0 for the others, float64 of the weight's shape.

    Weights are taken as the layer sees them now, parametrised ones included.
    """
    return (layer.weight.detach() != 0).double()  # type: ignore[operator]


def in_degree(layer: nn.Module, live: Tensor, synapses: Tensor) -> Tensor:
    """Number of synapses into every output of a layer from live neurons, float64 `[K, H', W']` or `[F']`.

    live: 1 for every live input of the layer and 0 for the others, `[C, H, W]` or `[F]`. synapses: the same for the
    layer's weights, of the weight's shape.
    """
    batch = live.double()[None]
    if isinstance(layer, nn.Linear):
        return F.linear(batch, synapses)[0]
    return layer._conv_forward(batch, synapses, None)[0]  # type: ignore[operator]


def fan_out(layer: nn.Module, shape: torch.Size, synapses: Tensor, post: Tensor | None) -> Tensor:
    """Number of synapses from every input of a layer into live neurons, float64 of the shape `shape`.

    shape: of one input, `[C, H, W]` or `[F]`. synapses: 1 for every live weight and 0 for the others, of the weight's
    shape. post: which outputs of the layer have a live neuron behind them, bool of the output's shape; None = all.
    This is the derivative of the summed in-degree by the input: the layer transposed, whatever its geometry.
    """
    with torch.enable_grad():
        ones = torch.ones(shape, dtype=torch.float64, device=synapses.device, requires_grad=True)
        degree = in_degree(layer, ones, synapses)
        seed = torch.ones_like(degree) if post is None else post.double()
        return torch.autograd.grad(degree, ones, seed)[0]


def has_neuron_masks(model: nn.Module) -> bool:
    """Whether any of the network's neurons are masked."""
    return any(mask_of(m) is not None for m in model.modules())


@dataclass
class Use:
    """One run of a layer in a liveness pass; every tensor has the shape of one output, `[C, H, W]` or `[F]`.

    name: of the layer. degree: number of synapses from live neurons, float64. live: 1 where `degree` is positive, else
    0. reaches, reaches_live: whether a neuron, or a neuron that is not masked, is behind the output.
    """

    name: str
    degree: Tensor
    live: Tensor
    reaches: Tensor
    reaches_live: Tensor

    @property
    def post(self) -> Tensor:
        """False where all neurons behind an output are masked; True where there are none."""
        return ~self.reaches | self.reaches_live


@dataclass
class Liveness:
    """What a liveness pass saw.

    uses: the runs of layers in their order. neurons: name of a `LIF` → (neurons that are not masked, neurons).
    """

    uses: list[Use]
    neurons: dict[str, tuple[int, int]]


def liveness(model: nn.Module, x: Tensor, identity: tuple[type[nn.Module], ...] = (), dense: bool = False) -> Liveness:
    """Send a map of live neurons through the network instead of values.

    x: a batch of one sample, `[T, 1, *]` or `[1, *]`. A layer gives 1 where a live neuron still has a synapse into its
    output; normalisation and dropout pass the map on; neurons give 1 times their mask where the map is positive;
    poolings and additions are what they are. dense: take all weights and neurons for alive. Which neurons stand behind
    which layer is read off the autograd graph, so that shortcuts and poolings in between need no special case.
    """
    name_of = {m: name for name, m in model.named_modules()}
    masked = has_neuron_masks(model) and not dense
    one = torch.ones((), dtype=torch.bool, device=x.device)
    seen = Liveness([], {})

    def layer_hook(layer: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        synapses = torch.ones_like(live_synapses(layer)) if dense else live_synapses(layer)
        degree = in_degree(layer, rows(layer, args[0].detach())[0], synapses)
        live = (degree > 0).to(output.dtype).requires_grad_()
        nowhere = torch.zeros_like(degree, dtype=torch.bool)
        seen.uses.append(Use(name_of[layer], degree, live, nowhere, nowhere.clone()))
        return live.expand_as(output).clone()

    def neuron_hook(m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        spikes = output[0] if isinstance(output, tuple) else output
        x = args[0]
        if not isinstance(spikes, Tensor) or spikes.shape != x.shape:
            return output
        mask = one if dense or (mine := mask_of(m)) is None else mine
        if masked and x.requires_grad:
            leaves = [use.live for use in seen.uses]
            ways = torch.autograd.grad(x.sum(), leaves, allow_unused=True, retain_graph=True)
            live_ways = torch.autograd.grad((x * mask).sum(), leaves, allow_unused=True, retain_graph=True)
            for use, way, live_way in zip(seen.uses, ways, live_ways, strict=True):
                if way is not None and live_way is not None:
                    use.reaches |= way > 0
                    use.reaches_live |= live_way > 0
        if isinstance(m, LIF):
            shape = x.shape[2:]
            seen.neurons[name_of[m]] = (int(mask.expand(shape).sum()), shape.numel())
        spikes = (x.detach() > 0) * mask.to(x.dtype)
        return (spikes, *output[1:]) if isinstance(output, tuple) else spikes

    def scale_hook(m: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        return args[0].clone()

    def max_pool_hook(m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        # The gradient of a maximum names one input of the window; all of them reach the neuron behind it.
        d = next(d for d, kind in enumerate(MAX_POOLS, 1) if isinstance(m, kind))
        if not isinstance(output, Tensor) or m.dilation not in (1, (1,) * d):
            return output
        average: Any = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[d - 1]
        x = args[0].reshape(-1, *args[0].shape[-d - 1 :])
        mean = average(x, m.kernel_size, m.stride, m.padding, m.ceil_mode).reshape(output.shape)
        return output.detach() + mean - mean.detach()

    hooks: dict[nn.Module, Hook] = {m: layer_hook for m in layers(model).values()}
    hooks |= {m: scale_hook for m in model.modules() if isinstance(m, SCALES)}
    hooks |= {m: max_pool_hook for m in model.modules() if isinstance(m, MAX_POOLS) and masked}
    hooks |= {m: neuron_hook for m in neurons(model, identity)}
    with measuring(model, hooks), torch.enable_grad():
        model(x)
    return seen
