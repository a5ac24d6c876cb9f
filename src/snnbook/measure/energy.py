"""Joules of a network under published models: what they need besides synaptic operations is counted here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import joules
from snnbook.errors import UserError
from snnbook.joules import ELEMENTWISE, OTHER, Energy, LayerCounts, Shape
from snnbook.measure import passes
from snnbook.measure.operations import SOPs, sops
from snnbook.tracing import Hook, layers, mask_of, measuring, neurons, plain, spikes_of, trace_layers


def energy(counted: SOPs | Iterable[LayerCounts], model: str = "horowitz", known_only: bool = False) -> Energy:
    """Joules per sample of a network under a model of `snnbook.joules.MODELS`, by layer and part.

    counted: what `counts` gives; for a model that needs operations alone, such as "horowitz", what `sops` gives.
    known_only: leave out the layers that the model does not know, and name them in the result.
    Raises UserError for an unknown model, for a layer that it does not know, and for SOPs where it needs more.
    """
    if isinstance(counted, SOPs):
        if not joules.model_of(model).operations:
            raise UserError(f"the energy model {model!r} needs more than SOPs: hand in measure.counts(network, x)")
        counted = [_counted(name, OTHER, counted) for name in counted.accumulates] + _elementwise(counted)
    return joules.charged(counted, model, known_only)


@torch.no_grad()
def counts(
    model: nn.Module,
    x: Tensor,
    operations: SOPs | None = None,
    batch_size: int | None = 64,
    identity: tuple[type[nn.Module], ...] = (),
    layout: str | None = None,
) -> list[LayerCounts]:
    """What each layer does for one sample, a mean over `x`, in order of execution.

    x: events `[T, N, *]` or static `[N, *]`. operations: `sops` of the same network and input, where they are known
    already. identity, layout: as in `sops`. Neurons that several layers add to are charged to the first of them.
    Raises UserError as `sops` does.
    """
    model = plain(model)
    axis = passes.sample_axis(model, x, layout)
    samples = x.shape[axis]
    operations = operations or sops(model, x, batch_size, identity, layout)
    names = {m: name for name, m in model.named_modules()}
    seen: dict[str, float] = defaultdict(float)  # by module: inputs that are not zero, or spikes

    def entering(m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        seen[names[m]] += float(torch.count_nonzero(args[0])) / samples

    def leaving(m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        seen[names[m]] += float(torch.count_nonzero(spikes_of(output))) / samples

    hooks: dict[nn.Module, Hook] = dict.fromkeys(layers(model).values(), entering)
    hooks |= dict.fromkeys(neurons(model, identity), leaving)
    with measuring(model, hooks):
        for batch in passes.batches(model, x, batch_size, axis):
            model(batch)
    built, steps = _shapes(model, x.narrow(axis, 0, 1), identity, axis)
    modules = dict(model.named_modules())
    counted = []
    for name in operations.accumulates:
        if name not in built:
            counted.append(_counted(name, OTHER, operations))
            continue
        shape, weight = built[name], modules[name].weight.detach() != 0
        alive = shape.outputs
        if shape.neuron and (mask := mask_of(modules[shape.neuron])) is not None:
            alive = alive * int(mask.sum()) // mask.numel()
        rows, columns = weight.flatten(1).any(1), weight.transpose(0, 1).flatten(1).any(1)
        own = shape.neuron and not shape.shared
        counted.append(
            _counted(
                name,
                shape.kind,
                operations,
                spikes_in=seen[name],
                spikes_out=seen[shape.neuron] if own else 0.0,
                potentials=alive,
                updates=0 if shape.shared else alive * steps,
                leak=bool(shape.neuron),
                steps=steps,
                weights=int(weight.sum()),
                biases=shape.biases,
                channels=(int(columns.sum()), int(rows.sum())),
                kernel=shape.kernel,
                positions=shape.positions,
            )
        )
    return counted + _elementwise(operations)


def _counted(name: str, kind: str, operations: SOPs, **more: Any) -> LayerCounts:
    return LayerCounts(name, kind, operations.accumulates[name], operations.multiplies[name], **more)


def _elementwise(operations: SOPs) -> list[LayerCounts]:
    return [LayerCounts(name, ELEMENTWISE, 0.0, n) for name, n in operations.elementwise.items() if n]


def shapes(
    model: nn.Module, x: Tensor, identity: tuple[type[nn.Module], ...] = (), layout: str | None = None
) -> dict[str, Shape]:
    """Layer → its shape, in order of execution, whatever its masks.

    x: an input of one sample, events `[T, 1, *]` or static `[1, *]`; its values do not matter. Raises UserError as
    `sops` does.
    """
    model = plain(model)
    return _shapes(model, x, identity, passes.sample_axis(model, x, layout))[0]


def _shapes(
    model: nn.Module, x: Tensor, identity: tuple[type[nn.Module], ...], axis: int
) -> tuple[dict[str, Shape], int]:
    """The shapes, and the number of time steps: those of events, or the most runs of a layer on a static input."""
    modules = dict(model.named_modules())
    names = {m: name for name, m in modules.items()}
    traces = trace_layers(model, x, identity)
    outputs: dict[str, int] = defaultdict(int)  # of neurons, over all steps

    def hook(m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        outputs[names[m]] += spikes_of(output).numel()

    with measuring(model, dict.fromkeys(neurons(model, identity), hook)), torch.no_grad():
        model(x)
    steps = x.shape[0] if axis else max((t.rows for t in traces.values()), default=1)
    built: dict[str, Shape] = {}
    taken: set[str] = set()
    for name, trace in traces.items():
        m = modules[name]
        weight = m.weight
        turned = type(m).__name__.startswith("ConvTranspose")
        into, out = (0, 1) if turned else (1, 0)
        biased = getattr(m, "bias", None) is not None or bool(trace.norm)
        built[name] = Shape(
            kind=_kind(m),
            inputs=torch.Size(trace.entering).numel(),
            outputs=outputs[trace.neuron] // steps if trace.neuron else torch.Size(trace.leaving).numel(),
            channels=(weight.shape[into], weight.shape[out]),
            kernel=weight.shape[2:].numel(),
            positions=torch.Size(trace.leaving[1:]).numel(),
            biases=trace.leaving[0] if biased else 0,
            neuron=trace.neuron,
            shared=trace.neuron in taken,
        )
        taken |= {trace.neuron} - {""}
    return built, steps


def _kind(m: nn.Module) -> str:
    """`joules.CONVOLUTION` or `LINEAR`, or else the name of the class; of a grouped convolution, that it is one."""
    if getattr(m, "groups", 1) > 1:
        return f"grouped {type(m).__name__}"
    return {nn.Conv2d: joules.CONVOLUTION, nn.Linear: joules.LINEAR}.get(type(m), type(m).__name__)
