"""Sparse inference against dense: one layer over sparsity and firing, and whole networks; `snnbook bench sparse`.

Weights are pruned at random, and each layer's scale is set so that its neurons fire at the rate asked for. Dense
variants have batch norm folded and the fused LIF of this package, so that only the sums differ.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import native, networks
from snnbook.bench import peers
from snnbook.bench.dense import BF16, FP32, INT8, LAST, Dense, inductor, layer_runs
from snnbook.bench.timing import Case, Result, interleaved, one_thread, surroundings, timed, timed_repeatedly
from snnbook.errors import UserError
from snnbook.networks.convnet import ConvNet
from snnbook.neurons import LIF, LIFParameters
from snnbook.report import benchmarks
from snnbook.sparse import Compiled, choice, graph, kernels, reference

NAME = "sparse"
SPARSITIES, RATES = (0.9, 0.95, 0.98, 0.99), (0.02, 0.05, 0.1, 0.15)
RATE = 0.1  # of the comparison with everything dense, and of the neurons of the networks
GRID = (*((sparsity, RATE) for sparsity in (0.5, 0.7)), *product(SPARSITIES, RATES))
CHANNELS, SIDE, STEPS = 256, 32, 8  # of the layer
OURS, AUTO, SMALL_INT = benchmarks.PATHS, benchmarks.AUTOMATIC, benchmarks.BYTES
FUSED, JELLY = benchmarks.COMPILED, benchmarks.JELLY
MAX_CURRENT_ERROR = 1e-6  # relative to the layer's largest current
MAX_SHARE_SPIKES = 1e-5  # of a layer that may differ, given equal inputs


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
    others = layer_runs(g, spikes)
    if rate != RATE:
        others = {LAST: others[LAST]}
    own = {path: (g, spikes, path) for path in ours}
    if rate == RATE and native.has_tables():
        own[SMALL_INT] = (*layer(sparsity, rate, 8), "table")
    for one, _, path in own.values():
        check_layers(one, {"input": "masked", "layer": path}, spikes, "one layer, all paths", result)
    variants = {name: _own(*args) for name, args in own.items()}
    pairs = [(peer, own) for peer in others for own in variants] + [("masked", path) for path in ours[1:]]
    sizes = {
        "sparsity": round(1000 * sparsity), "rate": round(1000 * rate),
        "chosen": OURS.index(chosen) if chosen in OURS else len(OURS),
        "channels": CHANNELS, "side": SIDE, "T": STEPS,
    }  # fmt: skip
    name = f"layer, {100 * sparsity:g} %, firing {100 * rate:g} %"
    return Case(name, sizes, 1e-3, others | variants, tuple(pairs), clock=timed_repeatedly)


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
    others = {FUSED: None if result.quick else inductor(g, x), JELLY: _spikingjelly(net)}
    variants |= {name: run for name, run in others.items() if run is not None}
    check_layers(g, compiled.paths, x, net.title, result)
    work = round(macs(g) / 1e6)
    pairs = tuple((peer, AUTO) for peer in variants if peer != AUTO)
    return Case(net.title, {"dense MMAC": work}, 1e-3, variants, pairs, clock=timed_repeatedly)


def check_layers(g: graph.Graph, paths: dict[str, str], x: Tensor, title: str, result: Result) -> None:
    """Every layer's currents and spikes against the reference, given the spikes that the kernels themselves made."""
    program = kernels.Program(g, paths, currents=True)
    program.run(x.select(0 if g.static else 1, 0).numpy())
    signals = [x.expand(g.T, *x.shape) if g.static else x]
    for i, node in enumerate(g.nodes):
        expected = reference.signal(node, signals)
        computed = program.signal(i + 1)[:, None]
        if isinstance(node, graph.Layer) and paths[node.name] != "dense":
            currents = reference.currents(node, signals)[:, 0]
            kept = torch.from_numpy(program.kept(node.name).copy())
            kept = kept[..., : currents[0, 0].numel()] if kept.dim() == 3 else kept
            scale = float(currents.abs().max()) or 1.0
            error = float((kept.reshape(currents.shape) - currents).abs().max()) / scale
            result.check(f"{title}: error of a current, relative to the layer's largest", MAX_CURRENT_ERROR, error)
        if isinstance(node, graph.Layer) and node.neurons is not None:
            share = float((computed != expected).float().mean())
            result.check(f"{title}: share of a layer's spikes that differ, given equal inputs", MAX_SHARE_SPIKES, share)
        signals.append(computed)


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
    cost = {}
    for channels, side, T in GROWTH[direction]:
        g, spikes = layer(1 - PER_NEURON / (9 * channels), RATE, channels=channels, side=side, T=T)
        run = _own(g, spikes, choice.choose(choice.observed(g, spikes))["layer"])
        seconds = median([timed_repeatedly(run, 0.05)[0] for _ in range(rounds + 1)][1:])
        live = int(g.nodes[1].synapses[0].weight.count_nonzero())  # type: ignore[union-attr]
        cost[9 * channels**2 * side**2 * T / 1e9] = 1e12 * seconds / (live * side**2 * T)
    return cost


def bench(rounds: int = 5, quick: bool = False) -> Result:
    """Time one layer and whole networks. Raises UserError without compiled kernels, WrongResult for wrong currents."""
    if not native.available():
        raise UserError(f"sparse inference needs the compiled kernels: {native.status}")
    result = Result(NAME, "ms", rounds, quick, environment=surroundings())
    with one_thread(), torch.no_grad():
        cases = [layer_case(*at, result) for at in (((0.98, RATE),) if quick else GRID)]
        result.cells, result.ratios = interleaved(cases, rounds)
        for net in NETS[5:6] if quick else NETS:  # one at a time: their weights are hundreds of MB
            cells, ratios = interleaved([network_case(net, result)], rounds)
            result.cells += cells
            result.ratios += ratios
            result.goal(f"{net.title}: dense over compiled", "at least", net.goal, _best(result, net.title, AUTO))
        if not quick:
            _judge_full_grid(result, rounds)
    if not quick:
        result.goal("two threads over one, 6Conv2FC, 98 %", "at least", 1.7, threads(NETS[2], rounds))
    return result


def _best(result: Result, case: str, ours: str) -> float | None:
    """Time of the faster dense layout in fp32 over that of ours; None where neither was timed."""
    ratios = [result.ratio(case, peer, ours) for peer in (FP32, LAST)]
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def _judge_full_grid(result: Result, rounds: int) -> None:
    """The goals of the layer over the whole grid, the speed of a copy, and the cost of work as a layer grows."""
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
        costs = growth(direction, rounds)
        for gmac, ps in costs.items():
            result.measure(benchmarks.WORK, ps, f"{gmac:.3g} GMAC", direction, "ps")
        spread = max(costs.values()) / min(costs.values())
        result.goal(f"cost of a unit of work as {direction} grow, largest over smallest", "at most", 1.2, spread)
