"""What a weight and a neuron cost in synaptic operations: the constants of paper B's penalty, for any network.

Ref: Shi et al. 2024, Eq. 9-10. With s the spikes of a neuron, its cost e_n is s times its synapses, and the cost e_w
of a weight is the sum of s over the synapses that use it. `geometry` takes s = 1, as the public code does; `spikes`
counts. `product` is Eq. 8 with s = 1: the masks of a synapse and of the neurons at both its ends multiplied.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.pruning.parts.neuron_masks import with_spikes
from snnbook.pruning.pruner import Context
from snnbook.pruning.scores import Tensors
from snnbook.pruning.weights import check_layers, multiply, prunable, weight_names
from snnbook.tracing import TRANSPOSED, Hook, LayerTrace, layers, measuring, spikes_of, spiking, trace_layers

COSTS = ("geometry", "spikes", "product")


def geometry(model: nn.Module, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What weights and neurons cost by their shapes alone: (weight name → e_w, neurons' name → e_n).

    x: a batch as the network takes it. e_w, a number, is the positions of a layer's input over its stride, and 1 for
    linear layers. e_n, one value for all neurons of a module and of their shape `[C, H, W]` or `[F]`, is the sum over
    the layers that they feed, straight or through poolings and additions, of the synapses of one input: C_out k^2 /
    (groups stride^2). In a transposed convolution each input meets the whole kernel, whatever the stride. Borders and
    poolings are ignored, as in paper B's code. A weight that several layers share costs their sum; weights that are
    frozen or do not run, and neurons that come after no layer or feed none, are left out.
    Raises UserError for prunable weights of modules that are no layers.
    """
    check_layers(model, "the cost in synaptic operations")
    named, names, plan, trained = layers(model), weight_names(model), trace_layers(model, x), prunable(model)
    e_w: dict[str, Tensor] = {}
    fan_out = {}
    for name, trace in plan.items():
        layer: Any = named[name]
        shape, transposed = layer.weight.shape, isinstance(layer, TRANSPOSED)
        stride = 1 if transposed else prod(getattr(layer, "stride", ()))
        if (weight := names[name]) in trained:
            e = torch.tensor(prod(trace.entering[1:]) / stride, device=x.device)
            e_w[weight] = e_w[weight] + e if weight in e_w else e
        outputs = shape[1] if transposed else shape[0] / getattr(layer, "groups", 1)
        fan_out[name] = outputs * prod(shape[2:]) / stride
    feeds, shapes = _feeds(model, x)
    e_n = {}
    for trace in plan.values():
        if feeds.get(trace.neuron):
            e = sum(fan_out[layer] for layer in feeds[trace.neuron])
            e_n[trace.neuron] = torch.full(shapes[trace.neuron][-len(trace.leaving) :], e, device=x.device)
    return e_w, e_n


def _feeds(model: nn.Module, x: Tensor) -> tuple[dict[str, set[str]], dict[str, torch.Size]]:
    """Neurons → the layers that their spikes reach without crossing others, off the autograd graph; their shapes."""
    feeds: dict[str, set[str]] = {}
    shapes: dict[str, torch.Size] = {}
    sent: list[tuple[str, Tensor]] = []
    name_of = {m: name for name, m in model.named_modules()}

    def neuron_hook(m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        s = torch.ones_like(spikes_of(output), requires_grad=True)
        sent.append((name_of[m], s))
        feeds.setdefault(name_of[m], set())
        shapes[name_of[m]] = s.shape
        return with_spikes(output, s * 1)

    def layer_hook(m: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        if sent and args[0].requires_grad:
            ways = torch.autograd.grad(args[0].sum(), [s for _, s in sent], allow_unused=True, retain_graph=True)
            for (name, _), way in zip(sent, ways, strict=True):
                if way is not None:
                    feeds[name].add(name_of[m])

    hooks: dict[nn.Module, Hook] = dict.fromkeys(layers(model).values(), layer_hook)
    with measuring(model, hooks | dict.fromkeys(spiking(model).values(), neuron_hook)), torch.enable_grad():
        model(x)
    return feeds, shapes


def spikes(model: nn.Module, x: Tensor, n: int, masks: Tensors) -> tuple[dict[str, Tensor], float]:
    """What weights and neurons cost in synaptic operations per sample, counted: Eq. 9 as printed, borders exact.

    x: a batch of `n` samples as the network takes it. masks: name → soft mask in [0, 1], of every weight, in its shape,
    and of the neurons that have one, `[C, H, W]` or `[F]`; no soft mask may be attached to the network meanwhile.
    Returns the costs e by the same names, in the same shapes, and the sum of e_w over all weights if nothing were
    masked. Each input of the encoding layer, which gets no spikes, counts as 1 when the layer runs. The sum of e_w
    times the weights' masks over the other layers is the sum of e_n times the neurons' masks, if all neurons have one.
    """
    e, whole = _recounted(model, x, masks)
    return {name: v / n for name, v in e.items()}, whole / n


def product(model: nn.Module, x: Tensor, masks: Tensors) -> tuple[dict[str, Tensor], float]:
    """The gradient of Eq. 8 with s = 1 by the masks, and the number of connections of the dense network.

    x: one sample as the network takes it. masks, names and shapes of the gradients: as for `spikes`. Times the masks of
    a kind, of weights or of one layer's neurons, they add up to the penalty of the layers that it is in, for this is
    linear in each mask; held constant they make a penalty linear in all masks that has the gradient of Eq. 8.
    """
    return _recounted(model, x, masks, every=True)


def due(cost: str, c: Context) -> Callable[[Tensors], tuple[dict[str, Tensor], float]] | None:
    """What counts the costs anew before this step, a function of the masks; None if they stay.

    `spikes` counts 64 samples at the start of each epoch but the first, `product` is taken at every step.
    """
    if cost == "product":
        return lambda masks: product(c.model, c.samples(1)[0], masks)
    if cost == "spikes" and c.step and c.step % c.steps_per_epoch == 0:
        x, y = c.samples(64)
        return lambda masks: spikes(c.model, x, len(y), masks)
    return None


@torch.no_grad()
def connections_left(model: nn.Module, x: Tensor, masks: Tensors) -> float:
    """Share of the connections that masks leave, in [0, 1]: live weights between inputs and neurons that no mask kills.

    x: one sample as the network takes it. masks: as for `spikes`, bool. A neuron that nothing reaches any more counts
    as alive.
    """
    plan = trace_layers(model, x)
    left, whole = (
        float(_synapses(model, x, plan, {k: m.float() for k, m in those.items()}, every=True))
        for those in (masks, {name: torch.ones_like(m) for name, m in masks.items()})
    )
    return left / whole


def _recounted(model: nn.Module, x: Tensor, masks: Tensors, every: bool = False) -> tuple[dict[str, Tensor], float]:
    plan = trace_layers(model, x)
    free = {name: torch.ones_like(m, dtype=torch.float32) for name, m in masks.items()}
    e, e_free = (_counted(model, x, plan, those, every) for those in (masks, free))
    kept = weight_names(model).values()
    return e, sum(float(v.sum()) for name, v in e_free.items() if name in kept)


def _counted(
    model: nn.Module, x: Tensor, plan: dict[str, LayerTrace], masks: Tensors, every: bool
) -> dict[str, Tensor]:
    leaves = {k: v.detach().float().requires_grad_() for k, v in masks.items()}
    with torch.enable_grad():
        total = _synapses(model, x, plan, leaves, every)
    grads = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    return {k: torch.zeros_like(v) if g is None else g for (k, v), g in zip(leaves.items(), grads, strict=True)}


def _synapses(model: nn.Module, x: Tensor, plan: dict[str, LayerTrace], masks: Tensors, every: bool = False) -> Tensor:
    """The sum of masks over all synapses that spikes cross; over all that there are if `every` neuron spikes."""
    encoder = next(iter(plan))
    name_of, names = {m: name for name, m in model.named_modules()}, weight_names(model)
    total: list[Tensor] = []
    seen: set[str] = set()

    def neuron_hook(m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        s = spikes_of(output).detach()
        return with_spikes(output, (torch.ones_like(s) if every else s) * masks.get(name_of[m], 1))

    def layer_hook(m: Any, args: tuple[Any, ...], output: Tensor) -> None:
        trace, synapses = plan[name_of[m]], masks.get(names[name_of[m]])
        if synapses is None:  # of a frozen layer
            synapses = (m.weight != 0).float()
        entering = torch.ones_like(args[0]) if trace.layer == encoder else args[0].abs()
        degree = multiply(m, entering.float(), synapses)
        after = masks.get(trace.neuron)
        if after is not None and after.shape == trace.leaving:
            degree = degree * (after if every else after.detach())
        if not every:
            total.append(degree.sum())
        elif trace.layer not in seen:  # steps and samples are alike
            total.append(degree[0].sum())
        seen.add(trace.layer)

    hooks: dict[nn.Module, Hook] = dict.fromkeys(layers(model).values(), layer_hook)
    hooks |= dict.fromkeys(spiking(model).values(), neuron_hook)
    with measuring(model, hooks):
        model(x)
    return torch.stack(total).sum()
