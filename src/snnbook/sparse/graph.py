"""A trained network as what a compiled one is made of: sums over live weights, neurons, and pooling.

Norms are folded into the weights before them. An addition is no layer of its own: currents that are added become one
layer with several synapses, an identity among them where spikes are added to currents, and spikes that are added are
read one after the other by whatever comes next, since a sum of weights times spikes is linear in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnbook.errors import UserError
from snnbook.networks.base import Network, TimeDropout
from snnbook.networks.resnet import ResidualBlock
from snnbook.neurons import LIF, LIFParameters
from snnbook.tracing import plain

MOST_STEPS = 1 << 16  # that a file may ask for
Shape = tuple[int, ...]  # of a signal at one step: (C, H, W) or (F,)


@dataclass(frozen=True)
class Synapses:
    """Weights `[K, C, kh, kw]` of a convolution, or `[K, F]` of a linear layer, which read signal `source`."""

    source: int
    weight: Tensor
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True)
class Layer:
    """Neurons whose currents are a sum over synapses and a bias; without neurons, the currents are the output.

    bias: `[K]`. shape: `(K, H, W)` or `(K,)`, of the output. mask: bool of `shape`, True for neurons that are alive;
    None for all. scale: `[K]`, by which the sum over the synapses is multiplied; their weights are whole numbers then
    (`quantised`).
    """

    name: str
    synapses: tuple[Synapses, ...]
    bias: Tensor
    shape: Shape
    neurons: LIFParameters | None = None
    mask: Tensor | None = None
    scale: Tensor | None = None


@dataclass(frozen=True)
class Pool:
    """The largest value (kind "max") or the mean (kind "mean") of every window of a signal.

    Values beyond the edge of the map count as 0. shape: `(C, H, W)` of the output.
    """

    name: str
    source: int
    kind: str
    size: int
    stride: int
    padding: int
    shape: Shape


@dataclass
class Graph:
    """A network as nodes in the order in which they are computed. Signal 0 is the input, signal i the output of node
    i - 1.

    T: number of time steps. static: the input is one picture `[C, H, W]`, shown at all steps; else it has T frames.
    shapes: of all signals at one step. outputs: the signals that are added up and averaged over groups of neurons, one
    group a class, to give the logits. events: for every signal with a map, how many neurons of each channel fire within
    8 steps, summed over all such windows, the mean over the samples looked at, `[C]`; empty before `choice.observed`.
    """

    T: int
    static: bool
    num_classes: int
    shapes: list[Shape]
    nodes: list[Layer | Pool]
    outputs: tuple[int, ...] = ()
    events: tuple[Tensor, ...] = ()


@dataclass
class _Currents:
    """A sum for which no neurons have come up yet."""

    name: str
    synapses: list[Synapses]
    bias: Tensor
    shape: Shape


_Spikes = tuple[int, ...]  # signals that are added


def build(model: nn.Module, sample: Tensor) -> Graph:
    """The graph of a network of this package for inputs like `sample`, `[T, N, C, H, W]` or `[N, C, H, W]`.

    Raises UserError for another network, a sample of another shape, and, by its name, a layer that cannot be compiled.
    """
    model = plain(model)
    if not isinstance(model, Network):
        raise UserError(
            f"cannot compile a {type(model).__name__}: only networks of snnbook.networks; build yours from its layers"
        )
    if sample.dim() not in (4, 5) or not sample.is_floating_point() or not sample.numel():
        raise UserError(
            f"a sample must be float, [T, N, C, H, W] or [N, C, H, W], and not empty, got {sample.dtype} "
            f"{tuple(sample.shape)}"
        )
    static = sample.dim() == 4
    graph = Graph(model.T if static else len(sample), static, model.num_classes, [tuple(sample.shape[-3:])], [])
    last = _walk(graph, model.body, "body", _walk(graph, model.encoder, "encoder", (0,)))
    graph.outputs = (_add(graph, last),) if isinstance(last, _Currents) else last
    size = graph.shapes[graph.outputs[0]]
    if len(size) != 1 or size[0] % model.num_classes:
        raise UserError(f"the network puts out {size} values for {model.num_classes} classes")
    trim(graph)
    return graph


def check(graph: Graph) -> None:
    """Raise ValueError unless all sizes in a graph fit each other: kernels trust them."""

    def ensure(holds: bool, what: str) -> None:
        if not holds:
            raise ValueError(what)

    shapes = graph.shapes
    ensure(isinstance(graph.T, int) and 1 <= graph.T <= MOST_STEPS, "steps")
    ensure(graph.num_classes >= 1 and len(shapes[0]) == 3 and min(shapes[0]) >= 1, "input")
    for i, node in enumerate(graph.nodes):
        sources = [node.source] if isinstance(node, Pool) else [s.source for s in node.synapses]
        ensure(node.shape == shapes[i + 1] and min(node.shape) >= 1, f"shape of {node.name}")
        ensure(bool(sources) and all(isinstance(j, int) and 0 <= j <= i for j in sources), f"sources of {node.name}")
        if isinstance(node, Pool):
            source = shapes[node.source]
            ensure(node.source > 0 and len(source) == 3 and node.kind in ("max", "mean"), f"source of {node.name}")
            ensure(node.size >= 1 and node.stride >= 1 and 0 <= 2 * node.padding < max(node.size, 2), node.name)
            ensure(node.kind == "max" or node.padding == 0, f"padding of {node.name}")
            ensure(node.shape == (source[0], *_windows(node, (node.size, node.size), source)), f"shape of {node.name}")
            ensure(node.kind == "mean" or not _averaged(graph, node.source), f"source of {node.name}")
            continue
        for s in node.synapses:
            source, kernel = shapes[s.source], tuple(s.weight.shape)
            if len(node.shape) == 1:
                ensure(s.source > 0 and kernel == (node.shape[0], math.prod(source)), f"weights of {node.name}")
                continue
            ensure(len(node.shape) == len(source) == 3 and len(kernel) == 4, f"weights of {node.name}")
            ensure(kernel[:2] == (node.shape[0], source[0]) and s.stride >= 1 and s.padding >= 0, node.name)
            ensure(min(kernel) >= 1 and node.shape[1:] == _windows(s, kernel[2:], source), f"shape of {node.name}")
        per_output = (node.bias,) if node.scale is None else (node.bias, node.scale)
        ensure(all(values.shape == node.shape[:1] for values in per_output), f"bias of {node.name}")
        ensure(node.mask is None or node.mask.shape == node.shape, f"mask of {node.name}")
        ensure(node.neurons is not None or len(node.shape) == 1, f"neurons of {node.name}")
    sizes = {shapes[i] for i in graph.outputs if 0 < i < len(shapes)}
    ensure(len(sizes) == 1 and len(set(graph.outputs)) == len(graph.outputs), "outputs")
    ensure(all(0 < i < len(shapes) for i in graph.outputs), "outputs")
    (size,) = sizes
    ensure(len(size) == 1 and size[0] % graph.num_classes == 0, "outputs")
    maps = [(shape[0] if len(shape) == 3 else 0,) for shape in shapes]
    ensure(not graph.events or [tuple(e.shape) for e in graph.events] == maps, "events")


def _windows(at: Synapses | Pool, size: Shape, source: Shape) -> Shape:
    """Rows and columns of what windows of a size put out."""
    return tuple((n + 2 * at.padding - k) // at.stride + 1 for n, k in zip(source[1:], size, strict=True))


def trim(graph: Graph) -> None:
    """Take out weights that nothing comes through: of channels that are masked, and of channels that nobody reads.

    A channel that nobody reads is masked as a whole, so that its neurons need not be run.
    """
    alive: list[Tensor | None] = [None]  # of each signal, which of its neurons may fire
    for i, node in enumerate(graph.nodes):
        if isinstance(node, Pool):
            source = alive[node.source]
            alive.append(None if source is None else _any(node, source))
            continue
        synapses = tuple(_without(s, alive[s.source], node.mask) for s in node.synapses)
        graph.nodes[i] = replace(node, synapses=synapses)
        alive.append(node.mask)
    read = [torch.zeros(shape[0], dtype=torch.bool) for shape in graph.shapes]
    for i in graph.outputs:
        read[i][:] = True
    for i, node in reversed(list(enumerate(graph.nodes))):
        if isinstance(node, Pool):
            read[node.source] |= read[i + 1]
            continue
        if not read[i + 1].all():
            mask = torch.ones(node.shape, dtype=torch.bool) if node.mask is None else node.mask.clone()
            mask[~read[i + 1]] = False
            synapses = tuple(_without(s, None, mask) for s in node.synapses)
            graph.nodes[i] = node = replace(node, mask=mask, synapses=synapses)
        for s in node.synapses:
            shape = graph.shapes[s.source]
            used = (s.weight != 0).flatten(2).any(2).any(0) if s.weight.dim() == 4 else (s.weight != 0).any(0)
            read[s.source] |= used.view(shape[0], -1).any(1)


def _any(node: Pool, source: Tensor) -> Tensor:
    """Which windows have any neuron that may fire."""
    return F.max_pool2d(source[None].float(), node.size, node.stride, node.padding)[0] > 0


def _without(s: Synapses, source: Tensor | None, outputs: Tensor | None) -> Synapses:
    """Synapses without weights from neurons that are False in `source`, or to channels that are so in `outputs`."""
    weight = s.weight
    if source is not None:
        keep = source.flatten(1).any(1)[:, None, None] if weight.dim() == 4 else source.flatten()
        weight = weight * keep
    if outputs is not None:
        weight = (
            weight * outputs.flatten(1).any(1).view(-1, *[1] * (weight.dim() - 1))
            if outputs.dim() > 1
            else (weight * outputs[:, None])
        )
    return replace(s, weight=weight)


def _add(graph: Graph, currents: _Currents, neurons: LIF | None = None) -> int:
    """The currents as a layer, with neurons behind it; returns the number of its signal."""
    mask = None if neurons is None or neurons.mask is None else neurons.mask.expand(currents.shape).cpu().clone()
    p = None if neurons is None else neurons.constants
    layer = Layer(currents.name, tuple(currents.synapses), currents.bias, currents.shape, p, mask)
    return _append(graph, layer)


def _append(graph: Graph, node: Layer | Pool) -> int:
    graph.nodes.append(node)
    graph.shapes.append(node.shape)
    return len(graph.nodes)


def _refuse(name: str, m: nn.Module, why: str) -> UserError:
    return UserError(f"cannot compile {name} ({type(m).__name__}): {why}")


def _walk(graph: Graph, m: nn.Module, name: str, x: _Spikes | _Currents) -> _Spikes | _Currents:
    """What comes out of a module that `x` goes into."""
    m = plain(m)
    if m._forward_hooks or m._forward_pre_hooks:
        raise _refuse(name, m, "it has forward hooks, which would not run; take them off, or harden soft masks first")
    if isinstance(m, nn.Sequential):
        for child, module in m._modules.items():  # named_children leaves out a module that comes twice
            assert module is not None
            x = _walk(graph, module, f"{name}.{child}", x)
        return x
    if isinstance(m, ResidualBlock):
        return _walk(graph, m.neurons, f"{name}.neurons", _block(graph, m, name, x))
    if isinstance(m, nn.Identity | nn.Dropout | TimeDropout):
        return x
    if isinstance(m, nn.Conv2d | nn.Linear):
        if isinstance(x, _Currents):
            raise _refuse(name, m, f"it reads the currents of {x.name} directly; put neurons between them")
        return _synapses(graph, m, name, x)
    if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d):
        if not isinstance(x, _Currents):
            raise _refuse(name, m, "it normalises spikes; put it behind a convolution or linear layer")
        return _folded(m, name, x)
    if isinstance(m, LIF):
        return (_add(graph, x if isinstance(x, _Currents) else _identity(graph, name, x), m),)
    if isinstance(m, nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d):
        if isinstance(x, _Currents):
            raise _refuse(name, m, f"it pools the currents of {x.name}; put neurons between them")
        return _pooled(graph, m, name, x)
    if isinstance(m, nn.Flatten):
        return x
    raise _refuse(name, m, "no such layer; use convolutions, linear layers, batch norm, pooling, LIF and IF")


def _block(graph: Graph, m: ResidualBlock, name: str, x: _Spikes | _Currents) -> _Spikes | _Currents:
    """Both branches of a residual block, added."""
    if isinstance(x, _Currents):
        raise _refuse(name, m, f"it reads the currents of {x.name} directly; put neurons between them")
    main, other = _walk(graph, m.main, f"{name}.main", x), _walk(graph, m.shortcut, f"{name}.shortcut", x)
    if not isinstance(main, _Currents) and not isinstance(other, _Currents):
        return (*main, *other)
    main = main if isinstance(main, _Currents) else _identity(graph, name, main)
    other = other if isinstance(other, _Currents) else _identity(graph, name, other)
    return _Currents(main.name, main.synapses + other.synapses, main.bias + other.bias, main.shape)


def _identity(graph: Graph, name: str, x: _Spikes) -> _Currents:
    """Spikes as currents: synapses of weight 1 from every neuron to its like."""
    shape = graph.shapes[x[0]]
    eye = torch.eye(shape[0])
    eye = eye[:, :, None, None] if len(shape) == 3 else eye
    return _Currents(name, [Synapses(i, eye) for i in x], torch.zeros(shape[0]), shape)


def _single(name: str, m: nn.Module, what: str, value: int | tuple[int, ...] | str) -> int:
    """The one value of a setting that torch lets differ between axes."""
    if isinstance(value, int):
        return value
    if isinstance(value, str) or len(set(value)) != 1:
        raise _refuse(name, m, f"{what}={value!r}; it must be the same number for both axes")
    return value[0]


def _synapses(graph: Graph, m: nn.Conv2d | nn.Linear, name: str, x: _Spikes) -> _Currents:
    weight = m.weight.detach().float().cpu().clone()  # the network may be trained on
    bias = torch.zeros(len(weight)) if m.bias is None else m.bias.detach().float().cpu().clone()
    shape = graph.shapes[x[0]]
    if isinstance(m, nn.Linear):
        if x == (0,):
            raise _refuse(name, m, "it reads the input directly; begin with a convolution")
        if weight.shape[1] != torch.Size(shape).numel():
            raise _refuse(name, m, f"it takes {weight.shape[1]} values, and a sample like this brings it {shape}")
        return _Currents(name, [Synapses(i, weight) for i in x], bias, (len(weight),))
    if m.groups != 1 or _single(name, m, "dilation", m.dilation) != 1 or m.padding_mode != "zeros":
        raise _refuse(name, m, "only without groups, dilation and padding other than by zeros")
    if len(shape) != 3 or shape[0] != weight.shape[1]:
        raise _refuse(name, m, f"it takes {weight.shape[1]} channels, and a sample like this brings it {shape}")
    stride, padding = (_single(name, m, what, getattr(m, what)) for what in ("stride", "padding"))
    size = [(n + 2 * padding - k) // stride + 1 for n, k in zip(shape[1:], weight.shape[2:], strict=True)]
    if min(size) < 1:
        raise _refuse(name, m, f"a map of {shape[1:]} is too small for it")
    return _Currents(name, [Synapses(i, weight, stride, padding) for i in x], bias, (len(weight), *size))


def _folded(m: nn.BatchNorm1d | nn.BatchNorm2d, name: str, x: _Currents) -> _Currents:
    """The currents of layers whose weights do what the norm did, in evaluation mode."""
    if m.running_mean is None or m.running_var is None:
        raise _refuse(name, m, "it keeps no running statistics, so it mixes the samples of a batch")
    one = torch.ones_like(m.running_var)
    gamma, beta = (one if m.weight is None else m.weight, 0 * one if m.bias is None else m.bias)
    scale = (gamma.double() / (m.running_var.double() + m.eps).sqrt()).detach().cpu()
    shift = (beta.double() - m.running_mean.double() * scale.to(beta.device)).detach().cpu()
    synapses = [
        replace(s, weight=(s.weight.double() * scale.view(-1, *[1] * (s.weight.dim() - 1))).float()) for s in x.synapses
    ]
    return _Currents(x.name, synapses, (x.bias.double() * scale + shift).float(), x.shape)


def _pooled(graph: Graph, m: nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d, name: str, x: _Spikes) -> _Spikes:
    shape = graph.shapes[x[0]]
    if x == (0,):
        raise _refuse(name, m, "it pools the input itself; pool before the network, or begin with a convolution")
    if len(shape) != 3:
        raise _refuse(name, m, f"it pools {shape}, which is no map")
    kind = "max" if isinstance(m, nn.MaxPool2d) else "mean"
    if isinstance(m, nn.AdaptiveAvgPool2d):
        if m.output_size not in (1, (1, 1)) or shape[1] != shape[2]:
            raise _refuse(name, m, "only to a single value, of a square map")
        size, stride, padding = shape[1], shape[1], 0
    else:
        size, stride, padding = (_single(name, m, w, getattr(m, w)) for w in ("kernel_size", "stride", "padding"))
        if m.ceil_mode or (kind == "max" and m.dilation not in (1, (1, 1))):
            raise _refuse(name, m, "only without ceil_mode and dilation")
        if 2 * padding >= size > 1:
            raise _refuse(name, m, "only with less padding than half of its size")
        if kind == "mean" and (padding or m.divisor_override):
            raise _refuse(name, m, "only without padding and divisor_override")
    if kind == "max" and len(x) > 1:
        raise _refuse(name, m, "it takes the largest of a sum of spikes; put it before the addition")
    if kind == "max" and _averaged(graph, x[0]):
        raise _refuse(name, m, "it takes the largest of means; put it before the average pooling")
    out = (shape[0], *((n + 2 * padding - size) // stride + 1 for n in shape[1:]))
    return tuple(_append(graph, Pool(name, i, kind, size, stride, padding, out)) for i in x)


def _averaged(graph: Graph, signal: int) -> bool:
    node = graph.nodes[signal - 1]
    return isinstance(node, Pool) and (node.kind == "mean" or _averaged(graph, node.source))


def quantised(graph: Graph, bits: int = 8) -> Graph:
    """The graph with weights that are whole numbers of `bits` bits, times one number for each output of a layer.

    Layers that read the input itself keep their weights: it is no spikes. Raises UserError for fewer than 2 bits or
    more than 8.
    """
    if not 2 <= bits <= 8:
        raise UserError(f"weights have 2 to 8 bits, got {bits}")
    if any(isinstance(node, Layer) and node.scale is not None for node in graph.nodes):
        raise UserError("the weights are whole numbers already")
    nodes = [
        node if isinstance(node, Pool) or any(s.source == 0 for s in node.synapses) else _quantised(node, bits)
        for node in graph.nodes
    ]
    return replace(graph, nodes=nodes)


def _quantised(node: Layer, bits: int) -> Layer:
    most = 2 ** (bits - 1) - 1
    largest = torch.stack([s.weight.abs().flatten(1).amax(1) for s in node.synapses]).amax(0)
    scale = torch.where(largest > 0, largest / most, torch.ones_like(largest))
    synapses = tuple(
        replace(s, weight=(s.weight / scale.view(-1, *[1] * (s.weight.dim() - 1))).round()) for s in node.synapses
    )
    return replace(node, synapses=synapses, scale=scale)
