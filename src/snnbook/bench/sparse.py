"""Sparse inference against dense: one layer over sparsity and firing, and whole networks; `snnbook bench sparse`.

Weights are pruned at random, and each layer's scale is set so that its neurons fire at the rate asked for. Dense
variants have batch norm folded and the fused LIF of this package, so that only the sums differ.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnbook import native, networks
from snnbook.bench import peers
from snnbook.bench.timing import Case, Result, interleaved, one_thread, repeated, surroundings, timed
from snnbook.errors import UserError
from snnbook.networks.convnet import ConvNet
from snnbook.neurons import LIF, LIFParameters, lif_reference
from snnbook.report import benchmarks
from snnbook.sparse import Compiled, choice, graph, kernels, reference

SPARSITIES, RATES = (0.9, 0.95, 0.98, 0.99), (0.02, 0.05, 0.1, 0.15)
RATE = 0.1  # of the comparison with everything dense, and of the neurons of the networks
GRID = (*((sparsity, RATE) for sparsity in (0.5, 0.7)), *product(SPARSITIES, RATES))
CHANNELS, SIDE, STEPS = 256, 32, 8  # of the layer
OURS, AUTO = benchmarks.PATHS, benchmarks.AUTOMATIC
FP32, LAST, BF16 = benchmarks.DENSE, benchmarks.DENSE_LAST, benchmarks.DENSE_BF16
INT8, CSR, SMALL_INT = benchmarks.DENSE_INT8, benchmarks.CSR, benchmarks.BYTES
FUSED, JELLY = benchmarks.COMPILED, benchmarks.JELLY
CURRENTS, MISMATCH = 1e-6, 1e-5


@dataclass(frozen=True)
class Net:
    """A network of the benchmark. channels, neurons: share of whole channels or of single neurons that are masked."""

    title: str
    network: str
    shape: tuple[int, int]  # channels and side of the input
    T: int
    sparsity: float
    goal: float
    width: float = 1.0
    channels: float = 0.0
    neurons: float = 0.0
    events: bool = False


NETS = (
    Net("6Conv2FC, 90 %", "cifarnet", (3, 32), 8, 0.9, 6.5),
    Net("6Conv2FC, 95 %", "cifarnet", (3, 32), 8, 0.95, 12),
    Net("6Conv2FC, 98 %", "cifarnet", (3, 32), 8, 0.98, 25),
    Net("6Conv2FC, 98 %, 80 % of the channels", "cifarnet", (3, 32), 8, 0.98, 45, channels=0.8),
    Net("6Conv2FC, 98 %, 80 % of the neurons", "cifarnet", (3, 32), 8, 0.98, 45, neurons=0.8),
    Net("6Conv2FC, 64 channels, 98 %", "cifarnet", (3, 32), 8, 0.98, 14, width=0.25),
    Net("VGGSNN, 98 %", "vggsnn", (2, 48), 10, 0.98, 10, events=True),
)


def layer(
    sparsity: float, rate: float, bits: int = 0, channels: int = CHANNELS, side: int = SIDE, T: int = STEPS
) -> tuple[graph.Graph, Tensor]:
    """A 3x3 convolution behind neurons that copy the input, as a graph, and an input of spikes `[T, 1, C, H, W]`."""
    generator = torch.Generator().manual_seed(0)
    shape = (channels, side, side)
    weight = torch.randn(channels, channels, 3, 3, generator=generator)
    weight *= torch.rand(weight.shape, generator=generator) >= sparsity
    pulse = LIFParameters(tau=1.0, v_threshold=0.5)
    g = graph.Graph(T, False, 1, [shape], [])
    eye = graph.Synapses(0, torch.eye(channels)[:, :, None, None])
    copy = graph.Layer("input", (eye,), torch.zeros(channels), shape, pulse)
    weight /= math.sqrt(weight.count_nonzero() / channels * rate + 1e-9)
    conv = graph.Layer("layer", (graph.Synapses(1, weight, 1, 1),), torch.zeros(channels), shape, LIFParameters())
    for node in (copy, conv):
        g.nodes.append(node)
        g.shapes.append(shape)
    g.outputs = (2,)
    spikes = (torch.rand(T, 1, *shape, generator=generator) < rate).float()
    return (graph.quantised(g, bits) if bits else g), spikes


@torch.no_grad()
def pruned(net: Net) -> tuple[nn.Module, Tensor]:
    """A network whose weights are pruned at random, and an input."""
    torch.manual_seed(0)
    channels, side = net.shape
    model = networks.build(net.network, 10, channels, side, T=net.T, width=net.width).eval()
    for p in model.parameters():
        if p.dim() > 1:
            p.mul_(torch.rand_like(p) >= net.sparsity)
    x = torch.rand(1, channels, side, side)
    if net.events:
        x = torch.poisson(0.3 * torch.ones(net.T, *x.shape))
    return model, x


@torch.no_grad()
def prepared(net: Net, rate: float = RATE) -> tuple[graph.Graph, Tensor]:
    """A pruned network as a graph whose layers fire at the rate, and an input."""
    model, x = pruned(net)
    g = graph.build(model, x)
    for i, node in enumerate(g.nodes):
        if isinstance(node, graph.Layer) and len(node.shape) == 3 and (net.channels or net.neurons):
            channels = (torch.rand(node.shape[0]) >= net.channels)[:, None, None]
            g.nodes[i] = replace(node, mask=channels & (torch.rand(node.shape) >= net.neurons))
    graph.trim(g)
    signals = [x.expand(g.T, *x.shape) if g.static else x]
    for i, node in enumerate(g.nodes):
        if isinstance(node, graph.Layer):
            g.nodes[i] = node = _firing(node, reference.currents(node, signals), rate)
        signals.append(reference.signal(node, signals))
    return choice.observed(g, x), x


def _firing(node: graph.Layer, currents: Tensor, rate: float) -> graph.Layer:
    """The layer with its weights scaled so that its living neurons fire at a rate."""
    if node.neurons is None:
        return node
    alive = torch.ones(node.shape, dtype=torch.bool) if node.mask is None else node.mask
    living, low, high = currents[:, :, alive], 1e-4, 1e4
    living = living / (living.std() + 1e-9)
    for _ in range(20):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if LIF(*node.neurons)(living * middle).mean() > rate else (middle, high)
    factor = middle / float(currents[:, :, alive].std() + 1e-9)
    synapses = tuple(replace(s, weight=s.weight * factor) for s in node.synapses)
    return replace(node, synapses=synapses, bias=node.bias * factor)


class Dense:
    """A graph run densely by torch: all weights, one layout of memory, one type; the LIF of this package.

    plain: neurons as steps of torch instead, which `torch.compile` sees through.
    """

    def __init__(self, g: graph.Graph, last: bool = False, kind: torch.dtype = torch.float32, plain: bool = False):
        self.g, self.kind = g, kind
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.weights = {
            (i, j): s.weight.to(kind).contiguous(
                memory_format=self.layout if s.weight.dim() == 4 else torch.contiguous_format
            )
            for i, node in enumerate(g.nodes)
            if isinstance(node, graph.Layer)
            for j, s in enumerate(node.synapses)
        }
        made = _plain if plain else _fused
        self.neurons = [made(n) if isinstance(n, graph.Layer) and n.neurons else None for n in g.nodes]

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        g, signals = self.g, [x.to(self.kind)]
        for i, node in enumerate(g.nodes):
            if isinstance(node, graph.Pool):
                signals.append(reference.signal(node, signals))
                continue
            total = sum(self._currents(i, j, s, signals) for j, s in enumerate(node.synapses))
            total = total + node.bias.to(self.kind).view(-1, *[1] * (len(node.shape) - 1))
            if total.dim() == len(node.shape) + 1:  # a picture, the same at every step
                total = total.expand(g.T, *total.shape)
            neurons = self.neurons[i]
            signals.append(total if neurons is None else neurons(total))
        out = torch.stack([signals[i] for i in g.outputs]).sum(0)
        return out.float().unflatten(2, (g.num_classes, -1)).mean(3)

    def _currents(self, i: int, j: int, s: graph.Synapses, signals: list[Tensor]) -> Tensor:
        x, w = signals[s.source], self.weights[i, j]
        if w.dim() == 2:
            return F.linear(x.flatten(2), w)
        if x.dim() == 4:
            return F.conv2d(x.contiguous(memory_format=self.layout), w, stride=s.stride, padding=s.padding)
        flat = x.flatten(0, 1).contiguous(memory_format=self.layout)
        return F.conv2d(flat, w, stride=s.stride, padding=s.padding).unflatten(0, x.shape[:2])


def _fused(node: graph.Layer) -> Callable[[Tensor], Tensor]:
    neurons = LIF(*node.neurons)  # type: ignore[misc]
    neurons.mask = node.mask
    return neurons


def _plain(node: graph.Layer) -> Callable[[Tensor], Tensor]:
    p = node.neurons
    assert p is not None

    def neurons(x: Tensor) -> Tensor:
        s, _ = lif_reference(x, p)
        return s if node.mask is None else s * node.mask

    return neurons


def _inductor(g: graph.Graph, x: Tensor) -> Callable[[], Any] | None:
    """The dense network as one program of torch.compile with constant weights; None where that finds no compiler."""
    run = torch.compile(Dense(g, True, plain=True).__call__, options={"freezing": True})
    try:
        run(x)
    except torch._dynamo.exc.BackendCompilerFailed:
        return None
    return partial(run, x)


def _spikingjelly(net: Net) -> Callable[[], Any] | None:
    """SpikingJelly's copy of the network in evaluation mode, as its users run it; None where it is not installed."""
    if "spikingjelly" not in peers.installed():
        return None
    model, x = pruned(net)
    assert isinstance(model, ConvNet)
    theirs = peers.spikingjelly_network(model)
    sequence = x if net.events else x.unsqueeze(0).repeat(net.T, 1, 1, 1, 1)

    def run() -> None:
        theirs(sequence)
        peers.reset(theirs)

    return run


def _dense_layer(g: graph.Graph, spikes: Tensor) -> dict[str, Callable[[], Any]]:
    """The layer's convolution alone, densely, in every way that torch has; without neurons, which is in its favour."""
    w = g.nodes[1].synapses[0].weight  # type: ignore[union-attr]
    x = spikes.flatten(0, 1)
    last = {"memory_format": torch.channels_last}
    xl, wl = x.contiguous(**last), w.contiguous(**last)
    xb, wb = xl.bfloat16(), wl.bfloat16()
    found: dict[str, Callable[[], Any]] = {
        FP32: lambda: F.conv2d(x, w, padding=1),
        LAST: lambda: F.conv2d(xl, wl, padding=1),
        BF16: lambda: F.conv2d(xb, wb, padding=1),
    }
    if "x86" in torch.backends.quantized.supported_engines:
        found[INT8] = _int8(xl, wl)
    return found


def _int8(x: Tensor, w: Tensor) -> Callable[[], Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.quantized.engine = "x86"
        scale = w.abs().amax((1, 2, 3)) / 127
        zeros = torch.zeros(len(w), dtype=torch.long)
        whole = torch.quantize_per_channel(w, scale, zeros, 0, torch.qint8).contiguous(
            memory_format=torch.channels_last
        )
        spikes = torch.quantize_per_tensor(x, 1.0, 0, torch.quint8)
    packed = torch.ops.quantized.conv2d_prepack(whole, None, [1, 1], [1, 1], [1, 1], 1)
    return lambda: torch.ops.quantized.conv2d(spikes, packed, 0.1, 0)


def _csr(g: graph.Graph, spikes: Tensor) -> Callable[[], Any]:
    """Compressed sparse rows times the unfolded input; unfolding is part of it."""
    w = g.nodes[1].synapses[0].weight  # type: ignore[union-attr]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = w.flatten(1).to_sparse_csr()
    x = spikes.flatten(0, 1)
    return lambda: rows @ F.unfold(x, 3, padding=1).transpose(0, 1).flatten(1)


def _own(g: graph.Graph, spikes: Tensor, path: str) -> Callable[[], Any]:
    """The layer on a path, neurons and packing included."""
    program = kernels.Program(g, {"input": "masked", "layer": path})
    program.run(spikes[:, 0].numpy())
    return program.part("layer")


def layer_case(sparsity: float, rate: float, result: Result) -> Case:
    """One layer on every path; where inputs fire at RATE, beside every dense variant, CSR and whole weights."""
    ours = [path for path in OURS if path != "table" or native.has_tables()]
    g, spikes = layer(sparsity, rate)
    chosen = choice.choose(choice.observed(g, spikes))["layer"]
    peers_ = _dense_layer(g, spikes) | {CSR: _csr(g, spikes)}
    if rate != RATE:
        peers_ = {LAST: peers_[LAST]}
    own = {path: (g, spikes, path) for path in ours}
    if rate == RATE and native.has_tables():
        own[SMALL_INT] = (*layer(sparsity, rate, 8), "table")
    for each, _, path in own.values():
        check_layers(each, {"input": "masked", "layer": path}, spikes, "one layer, all paths", result)
    variants = {name: _own(*each) for name, each in own.items()}
    pairs = [(peer, own) for peer in peers_ for own in variants] + [("masked", path) for path in ours[1:]]
    sizes = {
        "sparsity": round(1000 * sparsity), "rate": round(1000 * rate),
        "chosen": OURS.index(chosen) if chosen in OURS else len(OURS),
        "channels": CHANNELS, "side": SIDE, "T": STEPS,
    }  # fmt: skip
    name = f"layer, {100 * sparsity:g} %, firing {100 * rate:g} %"
    return Case(name, sizes, 1e-3, peers_ | variants, tuple(pairs), clock=repeated)


def network_case(net: Net, result: Result) -> Case:
    """A whole network, one sample: densely in every layout and type, by others, and compiled."""
    g, x = prepared(net)
    compiled = Compiled(g, choice.choose(g))
    runs: dict[str, Callable[[Tensor], Tensor]] = {
        FP32: Dense(g),
        LAST: Dense(g, True),
        BF16: Dense(g, True, torch.bfloat16),
        AUTO: compiled,
    }
    variants: dict[str, Callable[[], Any]] = {name: partial(run, x) for name, run in runs.items()}
    others = {FUSED: None if result.quick else _inductor(g, x), JELLY: _spikingjelly(net)}
    variants |= {name: run for name, run in others.items() if run is not None}
    check_layers(g, compiled.paths, x, net.title, result)
    work = round(macs(g) / 1e6)
    pairs = tuple((peer, AUTO) for peer in variants if peer != AUTO)
    return Case(net.title, {"dense MMAC": work}, 1e-3, variants, pairs, clock=repeated)


def check_layers(g: graph.Graph, paths: dict[str, str], x: Tensor, title: str, result: Result) -> None:
    """Every layer's currents and spikes against the reference, given the spikes that the kernels themselves made."""
    program = kernels.Program(g, paths, currents=True)
    program.run(x.select(0 if g.static else 1, 0).numpy())
    signals = [x.expand(g.T, *x.shape) if g.static else x]
    for i, node in enumerate(g.nodes):
        wanted = reference.signal(node, signals)
        found = program.signal(i + 1)[:, None]
        if isinstance(node, graph.Layer) and paths[node.name] != "dense":
            currents = reference.currents(node, signals)[:, 0]
            mine = torch.from_numpy(program.kept(node.name).copy())
            mine = mine[..., : currents[0, 0].numel()] if mine.dim() == 3 else mine
            scale = float(currents.abs().max()) or 1.0
            error = float((mine.reshape(currents.shape) - currents).abs().max()) / scale
            result.check(f"{title}: error of a current, relative to the layer's largest", CURRENTS, error)
        if isinstance(node, graph.Layer) and node.neurons is not None:
            differ = float((found != wanted).float().mean())
            result.check(f"{title}: share of a layer's spikes that differ, given equal inputs", MISMATCH, differ)
        signals.append(found)


def macs(g: graph.Graph) -> float:
    """Multiplications of the dense network for one sample, all steps."""
    return sum(
        s.weight.numel() * math.prod(node.shape[1:]) * (1 if g.static and s.source == 0 else g.T)
        for node in g.nodes
        if isinstance(node, graph.Layer)
        for s in node.synapses
    )


def threads(net: Net, rounds: int) -> float:
    """Time on one thread over time on two, by the clock: the shortest of many runs, which other work disturbs least."""
    g, x = prepared(net)
    compiled = Compiled(g, choice.choose(g))
    before, best = torch.get_num_threads(), {1: math.inf, 2: math.inf}
    try:
        for _ in range(10 * rounds):
            for n in best:
                torch.set_num_threads(n)
                start = time.perf_counter()
                compiled(x)
                best[n] = min(best[n], time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return best[1] / best[2]


def bandwidth(rounds: int) -> float:
    """Bytes a second that one core reads and writes: a copy of what no cache holds."""
    source, to = torch.ones(2, 64 << 20)
    return 8 * len(to) / median(timed(lambda: to.copy_(source))[0] for _ in range(rounds + 1))


PER_NEURON = 46  # live weights of a layer that grows
GROWTH = {  # channels, side and steps
    "channels": [(channels, 32, 8) for channels in (80, 160, 256, 512, 832)],
    "neurons of a channel": [(256, side, 8) for side in (16, 32, 64, 104)],
    "steps": [(256, 32, T) for T in (2, 8, 32, 80)],
}


def growth(direction: str, rounds: int) -> dict[float, float]:
    """GMAC of dense work → picoseconds for each live weight x neuron x step, of a layer on its best path."""
    found = {}
    for channels, side, T in GROWTH[direction]:
        g, spikes = layer(1 - PER_NEURON / (9 * channels), RATE, channels=channels, side=side, T=T)
        run = _own(g, spikes, choice.choose(choice.observed(g, spikes))["layer"])
        seconds = median([repeated(run, 0.05)[0] for _ in range(rounds + 1)][1:])
        live = int(g.nodes[1].synapses[0].weight.count_nonzero())  # type: ignore[union-attr]
        found[9 * channels**2 * side**2 * T / 1e9] = 1e12 * seconds / (live * side**2 * T)
    return found


def bench(rounds: int = 5, quick: bool = False) -> Result:
    """Time one layer and whole networks. Raises UserError without compiled kernels, WrongResult for wrong currents."""
    if not native.available():
        raise UserError(f"sparse inference needs the compiled kernels: {native.status}")
    result = Result("sparse", "ms", rounds, quick, environment=surroundings())
    with one_thread(), torch.no_grad():
        cases = [layer_case(*at, result) for at in (((0.98, RATE),) if quick else GRID)]
        result.cells, result.ratios = interleaved(cases, rounds)
        for net in NETS[5:6] if quick else NETS:  # one at a time: their weights are hundreds of MB
            cells, ratios = interleaved([network_case(net, result)], rounds)
            result.cells += cells
            result.ratios += ratios
            result.goal(f"{net.title}: dense over compiled", "at least", net.goal, _best(result, net.title, AUTO))
        if not quick:
            _more(result, rounds)
    if not quick:
        result.goal("two threads over one, 6Conv2FC, 98 %", "at least", 1.7, threads(NETS[2], rounds))
    return result


def _best(result: Result, case: str, ours: str) -> float | None:
    """The better of the dense layouts in fp32 over ours."""
    found = [result.ratio(case, peer, ours) for peer in (FP32, LAST)]
    return min((f for f in found if f is not None), default=None)


def _more(result: Result, rounds: int) -> None:
    table = {(c.case, c.variant): c.time for c in result.cells}
    worst, slower = 1.0, math.inf
    for case in dict.fromkeys(c.case for c in result.cells if c.case.startswith("layer")):
        own = {path: table[case, path] for path in OURS if (case, path) in table}
        sizes = next(c.sizes for c in result.cells if c.case == case)
        if sizes["sparsity"] >= 900 and sizes["chosen"] < len(OURS):
            worst = max(worst, own[OURS[sizes["chosen"]]] / min(own.values()))
        if (case, FP32) in table:
            slower = min(slower, min(table[case, FP32], table[case, LAST]) / min(own.values()))
    result.goal("automatic choice over the best path, worst of the grid", "at most", 1.1, worst)
    result.goal("dense over the best path, worst from 50 % on", "at least", 1.0, slower)
    rare = f"layer, 98 %, firing {100 * RATES[0]:g} %"
    result.goal("masked over event path, 98 %, firing 2 %", "at least", 1.4, result.ratio(rare, "masked", "event"))
    small = "layer, 95 %, firing 10 %"
    result.goal("8 bits, layer at 95 %: int8 dense over ours", "at least", 6.0, result.ratio(small, INT8, SMALL_INT))
    result.goal("8 bits, layer at 95 %: dense over ours", "at least", 25.0, _best(result, small, SMALL_INT))
    result.measure(benchmarks.COPY, bandwidth(rounds) / 1e9, unit="GB/s")
    for direction in GROWTH:
        each = growth(direction, rounds)
        for gmac, ps in each.items():
            result.measure(benchmarks.WORK, ps, f"{gmac:.3g} GMAC", direction, "ps")
        found = max(each.values()) / min(each.values())
        result.goal(f"cost of a unit of work as {direction} grow, largest over smallest", "at most", 1.2, found)
