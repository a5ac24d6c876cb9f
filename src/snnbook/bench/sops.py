"""What four libraries count as synaptic operations, on networks small enough for a loop. `snnbook bench sops`.

The networks are not trained. Their weights are whole multiples of a power of two, as are then all potentials and all
averages: no sum is rounded, and every machine and library has the same spikes, to the last one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import measure
from snnbook.bench.timing import Result, surroundings
from snnbook.errors import UserError
from snnbook.networks.base import Fold
from snnbook.neurons import LIF
from snnbook.pruning import global_masks, prunable, scores
from snnbook.report.benchmarks import ENTERING, MULTIPLIED, OPERATIONS, OTHER_COUNTERS

NAME = "sops"
PACKAGES = {name: name.lower() for name in OTHER_COUNTERS}
T, SAMPLES = 4, 2


@dataclass(frozen=True)
class Case:
    """A network to count, whose layers before the read-out have neurons behind them.

    x: events, 0 or 1, `[T, N, C, H, W]`. behind: layer by its path → path of the neurons that it drives; the read-out
    drives none.
    """

    model: nn.Module
    x: Tensor
    behind: dict[str, str]


class Residual(nn.Module):
    """Neurons whose spikes take two ways, straight on and through a convolution with neurons, that are summed."""

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self.first, self.start = _conv(2, 8, 3, 1, generator), LIF()
        self.second, self.branch = _conv(8, 8, 3, 1, generator), LIF()
        self.readout = Fold(nn.Flatten(), _drawn(nn.Linear(8 * 36, 10, bias=False), generator))

    def forward(self, x: Tensor) -> Tensor:
        """`[T, N, 2, 6, 6]` → `[T, N, 10]`."""
        straight = self.start(self.first(x))
        return self.readout(straight + self.branch(self.second(straight)))


def cases() -> dict[str, Case]:
    """Name → network and input: one network with fewer and fewer weights and neurons, then three special ones."""
    found = {
        "all weights": _pruned(),
        "10 % of the weights": _pruned(0.1),
        "2 % of the weights": _pruned(0.02),
        "2 % of every layer": _pruned(0.02, alike=True),
        "half of the neurons": _pruned(neurons=0.5),
        "10 % of the weights, half of the neurons": _pruned(0.1, neurons=0.5),
    }
    g = torch.Generator().manual_seed(1)
    x = _events(2, 6, g)
    layers = [_conv(2, 8, 1, 0, g), LIF(), _conv(8, 8, 3, 1, g)]
    found["border"] = Case(nn.Sequential(*layers), x, {"0.0": "1"})
    layers = [
        _conv(2, 8, 1, 0, g),
        LIF(),
        Fold(nn.AvgPool2d(2), nn.Flatten(), _drawn(nn.Linear(72, 10, bias=False), g)),
    ]
    found["average pooling"] = Case(nn.Sequential(*layers), x, {"0.0": "1"})
    found["residual sum"] = Case(Residual(g), x, {"first.0": "start", "second.0": "branch"})
    for case in found.values():
        case.model.eval().requires_grad_(False)
    return found


def _pruned(kept: float = 1.0, alike: bool = False, neurons: float = 1.0) -> Case:
    """Two convolutions and a read-out, with these shares of the weights and, at random, of the neurons.

    kept: by LAMP over the whole network, or where layers are to be alike in each of them.
    """
    g = torch.Generator().manual_seed(0)
    x = _events(2, 12, g)
    readout = Fold(nn.Flatten(), _drawn(nn.Linear(16 * 36, 10, bias=False), g))
    first, second = _conv(2, 8, 3, 1, g), _conv(8, 16, 3, 1, g)
    model = nn.Sequential(first, LIF(), Fold(nn.MaxPool2d(2)), second, LIF(), readout)
    weights = prunable(model)
    ranked = scores.lamp(weights)
    groups = [{name: score} for name, score in ranked.items()] if alike else [ranked]
    masks = {name: mask for group in groups for name, mask in global_masks(group, 1 - kept).items()}
    with torch.no_grad():
        for name, weight in weights.items():
            share = float(masks[name].double().mean())
            weight.mul_(masks[name]).mul_(_power(share**-0.5))  # so that the neurons behind it still fire
    if neurons < 1:
        for lif, shape in ((model[1], (8, 12, 12)), (model[4], (16, 6, 6))):
            n = math.prod(shape)
            lif.mask = (torch.randperm(n, generator=g) < neurons * n).view(shape)
    return Case(model, x, {"0.0": "1", "3.0": "4"})


def _events(channels: int, size: int, generator: torch.Generator) -> Tensor:
    return (torch.rand(T, SAMPLES, channels, size, size, generator=generator) < 0.2).float()


def _conv(inputs: int, outputs: int, kernel: int, padding: int, generator: torch.Generator) -> Fold:
    return Fold(_drawn(nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False), generator))


def _drawn(layer: Any, generator: torch.Generator) -> Any:
    """The layer with weights of either sign, none of them zero, in steps of a power of two."""
    shape, fan_in = layer.weight.shape, layer.weight[0].numel()
    sign = 2 * torch.randint(0, 2, shape, generator=generator) - 1
    step = _power(8 * fan_in**-0.5) / 64
    layer.weight.data = sign * torch.randint(1, 65, shape, generator=generator) * step
    return layer


def _power(value: float) -> float:
    return 2.0 ** round(math.log2(value))


def entering(case: Case) -> dict[str, Tensor]:
    """Layer by its path → what enters it, `[T, N, *]`, in a plain forward pass."""
    values: dict[str, Tensor] = {}
    handles = []
    for name, module in case.model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):

            def keep(_: nn.Module, args: tuple[Tensor], name: str = name) -> None:
                values[name] = args[0].unflatten(0, case.x.shape[:2])

            handles.append(module.register_forward_pre_hook(keep))
    with torch.no_grad():
        case.model(case.x)
    for handle in handles:
        handle.remove()
    return values


# Each counter as its library's documentation calls it: case → operations per sample, those that are multiplications.
Count = tuple[float, float]


def _spikingjelly(case: Case) -> Count:
    from spikingjelly.activation_based import op_counter

    counter = op_counter.SynOpCounter()
    with torch.no_grad(), op_counter.DispatchCounterMode([counter]):
        case.model(case.x)
    return counter.get_total() / SAMPLES, 0.0


def _sinabs(case: Case) -> Count:
    from sinabs import hooks

    if isinstance(case.model, nn.Sequential):
        layers = [layer for part in case.model for layer in (part if isinstance(part, Fold) else (_Unfolded(part),))]
        model: Any = nn.Sequential(*layers)
        hooks.register_synops_hooks(model)
        with torch.no_grad():
            model(case.x.flatten(0, 1))
        per_step = list(model.hook_data["synops_per_timestep"].values())
    else:  # its hook for a whole model takes a chain of layers; those for layers take any
        counted: list[Any] = [m for m in case.model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for layer in counted:
            convolution = isinstance(layer, nn.Conv2d)
            layer.register_forward_hook(hooks.conv_layer_synops_hook if convolution else hooks.linear_layer_synops_hook)
        with torch.no_grad():
            case.model(case.x)
        per_step = [layer.hook_data["layer_synops_per_timestep"] for layer in counted]
    return T * sum(float(v) for v in per_step), 0.0


class _Unfolded(nn.Module):
    """Neurons that take all steps of all samples as one axis, `[T * N, *]`."""

    def __init__(self, neurons: nn.Module):
        super().__init__()
        self.neurons = neurons

    def forward(self, x: Tensor) -> Tensor:
        return self.neurons(x.unflatten(0, (T, SAMPLES))).flatten(0, 1)


def _neurobench(case: Case) -> Count:
    from neurobench.metrics.workload import SynapticOperations
    from neurobench.models import TorchModel

    model, metric = TorchModel(case.model), SynapticOperations()
    model.register_hooks()
    with torch.no_grad():
        out = model(case.x)
    counts = metric(model, out, (case.x.transpose(0, 1), torch.zeros(SAMPLES)))
    model.cleanup_hooks()
    return counts["Effective_ACs"] + counts["Effective_MACs"], counts["Effective_MACs"]


def _syops(case: Case) -> Count:
    with _old_names():
        from syops import engine

        model = engine.add_syops_counting_methods(case.model)
        model.start_syops_count(ost=None, verbose=False, ignore_list=[])
        with torch.no_grad():
            model(case.x)
        layers: list[Any] = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        acs, macs = (sum(float(m.__syops__[i]) for m in layers) / SAMPLES for i in (1, 2))
        model.stop_syops_count()
    return acs + macs, macs


@contextmanager
def _old_names() -> Iterator[None]:
    """syops asks SpikingJelly for neurons that version 2.0 no longer has; they are none of ours."""
    from spikingjelly.activation_based import neuron

    gone = ("MultiStepIFNode", "MultiStepLIFNode", "MultiStepParametricLIFNode")
    added = [name for name in gone if not hasattr(neuron, name)]
    for name in added:
        setattr(neuron, name, type(name, (nn.Module,), {}))
    try:
        yield
    finally:
        for name in added:
            delattr(neuron, name)


COUNTERS: dict[str, Callable[[Case], Count]] = dict(
    zip(OTHER_COUNTERS, (_spikingjelly, _sinabs, _syops, _neurobench), strict=True)
)


def missing() -> list[str]:
    """The packages of other counters that cannot be imported."""
    return [package for package in PACKAGES.values() if find_spec(package) is None]


def bench(rounds: int = 1, quick: bool = False) -> Result:
    """Count all cases with all counters, and check that every pass sees the same spikes; `rounds` changes nothing.

    Raises UserError where a library is not installed.
    """
    if lacking := missing():
        raise UserError(f"not installed: {', '.join(lacking)}; `make bench` makes an environment with all counters")
    # torch tells every process that imports it without Triton; here there is no GPU in play.
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)
    result = Result(NAME, "operations", rounds, quick, environment=surroundings(PACKAGES.values()))
    for name, ours in cases().items():
        seen = entered(ours)
        result.measure(ENTERING, seen, name)
        result.measure(OPERATIONS, total(ours), name, "snnbook")
        for counter, count in COUNTERS.items():
            case = cases()[name]  # a counter may leave hooks behind
            operations, multiplied = count(case)
            result.measure(OPERATIONS, round(operations, 2), name, counter)  # a rate in single precision is not exact
            result.measure(MULTIPLIED, round(multiplied, 2), name, counter)
            result.check("values that enter the layers of a counted network, distance", 0.0, abs(entered(case) - seen))
    return result


def entered(case: Case) -> float:
    """The sum of all values that enter the layers of a case, which says whether two machines have the same spikes."""
    return sum(float(v.double().sum()) for v in entering(case).values())


def total(case: Case) -> float:
    """Our SOPs per sample, the first layer's among them: its input is spikes, and all other counters include it."""
    counted = measure.sops(case.model, case.x)
    return counted.total + counted.encoding_sops
