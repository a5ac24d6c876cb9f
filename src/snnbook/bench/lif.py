"""The LIF neurons forwards and backwards, against the peers: time over T and size, and peak memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from snnbook import native
from snnbook.bench.peers import PACKAGES, PEERS, Neurons, installed
from snnbook.bench.timing import (
    Case,
    Process,
    Result,
    interleaved,
    measure_peak_memory,
    one_thread,
    surroundings,
    timed_in_process,
)
from snnbook.neurons import LIF, LIFParameters, lif_reference
from snnbook.report import benchmarks

NAME = "lif"
M = 1 << 20
STEPS, SIZES = (1, 4, 8, 16, 32), (1 * M, 8 * M, 30 * M)
QUICK_STEPS, QUICK_SIZES = (4, 8), (1 * M,)
GOAL_SIZE = 8 * M
ELEMENTS_TIMED = 8 * M  # at least, in a run: smaller inputs are passed through several times
GOALS = {
    "SpikingJelly": 12.0,
    "SpikingJelly, reset not detached": 12.0,
    "snnTorch": 14.0,
    "Norse": 15.0,
    "sinabs": 15.0,
}
GOAL_LONG = 9.0  # for T = 16 and 32, the same for every peer
SPREAD_GOAL = 1.3  # time per element, largest over smallest of all sizes
MEMORY_GOAL = 3.2  # extra peak memory over the size of the input
MAX_SHARE_OURS, MAX_SHARE_PEER = 1e-7, 1e-5  # of spikes that may differ from the float32 reference
MAX_GRADIENT_ERROR = {torch.float32: 1e-6, torch.bfloat16: 0.004}  # largest difference over the largest gradient
ELEMENTS_CHECKED = 1 * M  # elements whose gradient is computed in double precision as well
OURS, REFERENCE = benchmarks.SNNBOOK, benchmarks.STEP_BY_STEP


@dataclass(frozen=True)
class Variant:
    """One way to compute the neurons: `make()` gives them for an input `[T, 1, n]` of type `dtype`.

    constants: those of the dynamics. against: the variant of ours to compare with. gradients: whether they are
    checked.
    """

    name: str
    make: Callable[[], Neurons]
    constants: LIFParameters
    dtype: torch.dtype = torch.float32
    against: str = ""
    gradients: bool = True


def _own(p: LIFParameters) -> str:
    changed = {"detach_reset": ", reset not detached", "decay_input": ", input not divided by tau"}
    return OURS + "".join(text for field, text in changed.items() if not getattr(p, field))


def variants() -> dict[str, Variant]:
    """Ours with each setting that a peer has, the step-by-step reference, and the peers that are installed."""
    peers = [peer for peer in PEERS if peer.package in installed()]
    entries = [
        Variant(_own(p), lambda p=p: LIF(**p._asdict()), p)  # type: ignore[misc]
        for p in dict.fromkeys([LIFParameters(), *(peer.constants for peer in peers)])
    ]
    plain = LIFParameters()
    if native.supports_lif(torch.empty(1, 1, dtype=torch.bfloat16), plain):
        entries.append(Variant(benchmarks.NARROW, LIF, plain, torch.bfloat16))
    entries.append(Variant(REFERENCE, lambda: lambda x: lif_reference(x, plain)[0], plain, against=OURS))
    entries += [
        Variant(peer.name, peer.make, peer.constants, against=_own(peer.constants), gradients=peer.gradients)
        for peer in peers
    ]
    return {variant.name: variant for variant in entries}


def both_ways(neurons: Neurons, x: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and gradient of the input, for an incoming gradient."""
    leaf = x.detach().requires_grad_()
    s = neurons(leaf)
    s.backward(grad)
    assert leaf.grad is not None
    return s.detach(), leaf.grad


class _Inputs:
    """One normal input and gradient for all cases, and what has to come out of them."""

    def __init__(self, elements: int):
        generator = torch.Generator().manual_seed(0)
        self.x, self.grad = (2 * torch.randn(elements, generator=generator) for _ in range(2))
        self._at: tuple[int, int] = (0, 0)
        self._expected: dict[tuple[LIFParameters, torch.dtype], tuple[Tensor, Tensor, Tensor]] = {}

    def pair(self, T: int, elements: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Input and incoming gradient `[T, 1, n]`; views, so that every case shares the memory."""
        both = (self.x, self.grad) if dtype == torch.float32 else self._narrow
        x, grad = (t[:elements].view(T, 1, -1) for t in both)
        return x, grad

    @cached_property
    def _narrow(self) -> tuple[Tensor, Tensor]:
        return self.x.bfloat16(), self.grad.bfloat16()

    def expected(self, T: int, elements: int, variant: Variant) -> tuple[Tensor, Tensor, Tensor]:
        """Spikes of the float32 reference (bool), and spikes and gradients `[T, 1, :k]` in double precision."""
        if self._at != (T, elements):
            self._at = T, elements
            self._expected.clear()
        key = variant.constants, variant.dtype
        if key not in self._expected:
            x, grad = self.pair(T, elements, variant.dtype)
            with torch.no_grad():
                spikes = lif_reference(x.float(), variant.constants)[0].bool()
            x, grad = (t[..., : ELEMENTS_CHECKED // T].double() for t in (x, grad))
            in_double = both_ways(lambda x: lif_reference(x, variant.constants)[0], x, grad)
            self._expected[key] = spikes, *in_double
        return self._expected[key]


def _title(T: int, elements: int) -> str:
    return f"T={T}, {elements / M:g}M elements"


def _passes(variant: Variant, inputs: _Inputs, T: int, elements: int) -> Callable[[], tuple[Tensor, Tensor]]:
    """A timed run: as many passes as make `ELEMENTS_TIMED` elements, with the result of the last."""
    neurons, (x, grad) = variant.make(), inputs.pair(T, elements, variant.dtype)

    def run() -> tuple[Tensor, Tensor]:
        for _ in range(ELEMENTS_TIMED // elements - 1):
            both_ways(neurons, x, grad)
        return both_ways(neurons, x, grad)

    return run


def only_variant(name: str, elements: int) -> Callable[[int, int], Callable[[], tuple[Tensor, Tensor]]]:
    """The one variant of a `Process`. Ours keeps freed memory there, as when it trains; no peer has such a setting."""
    if name.startswith(OURS):
        native.keep_memory()
    variant, inputs = variants()[name], _Inputs(elements)
    return lambda T, elements: _passes(variant, inputs, T, elements)


def _case(T: int, elements: int, runs: dict[str, Callable[[], Any]], chosen: dict[str, Variant], **settings) -> Case:
    passes = max(1, ELEMENTS_TIMED // elements)
    sizes = {"T": T, "elements": elements, "passes": passes}
    pairs = tuple((name, chosen[name].against) for name in runs if chosen[name].against)
    return Case(_title(T, elements), sizes, 1e-9 * elements * passes, runs, pairs, **settings)


def _checked(T: int, elements: int, inputs: _Inputs, chosen: dict[str, Variant], result: Result) -> Case:
    """All of `chosen` in this process, with their spikes and gradients compared."""

    def check(name: str, output: tuple[Tensor, Tensor]) -> None:
        variant, (spikes, gradient) = chosen[name], output
        expected, spikes64, gradient64 = inputs.expected(T, elements, variant)
        wrong = spikes.bool() != expected
        limit = MAX_SHARE_PEER if variant.against else MAX_SHARE_OURS
        result.check(f"{name}: share of spikes that differ from the reference", limit, wrong.float().mean().item())
        if variant.gradients:
            k = gradient64.shape[-1]
            same = (spikes[..., :k] == spikes64).all(0)  # a spike more or less changes all gradients of its neuron
            error = (gradient[..., :k] - gradient64).abs() * same
            worst = (error.max() / gradient64.abs().max()).item()
            what = f"{name}: error of the gradient against double precision, relative to the largest"
            result.check(what, MAX_GRADIENT_ERROR[variant.dtype], worst)

    return _case(T, elements, {v.name: _passes(v, inputs, T, elements) for v in chosen.values()}, chosen, check=check)


def memory_run(name: str, T: int, elements: int) -> Callable[[], tuple[Tensor, ...]]:
    """One run of a variant for `peak_memory`: output, incoming gradient and gradient of the input are made in it."""
    variant = variants()[name]
    neurons = variant.make()

    def run(x: Tensor) -> tuple[Tensor, ...]:
        grad = torch.ones_like(x)
        return *both_ways(neurons, x, grad), grad

    run(torch.randn(T, 1, 64).to(variant.dtype))  # loads what is loaded at the first call
    x = torch.randn(T, 1, elements // T).to(variant.dtype)
    return lambda: run(x)


def bench(rounds: int = 5, quick: bool = False, steps: tuple[int, ...] = (), sizes: tuple[int, ...] = ()) -> Result:
    """Time all variants over T (`steps`) and size (`sizes`, in elements = T times neurons), and their peak memory.

    The times are those of processes that have one library and one size each. Besides, all share one process whose
    allocator keeps freed memory; there everything is checked, and the growth of our time with size is measured.
    Raises WrongResult if spikes or gradients of a variant are not what they should be.
    """
    steps = steps or (QUICK_STEPS if quick else STEPS)
    sizes = sizes or (QUICK_SIZES if quick else SIZES)
    result = Result(NAME, "ns per element", rounds, quick, environment=surroundings(PACKAGES))
    chosen = variants()
    main = GOAL_SIZE if GOAL_SIZE in sizes else max(sizes)  # all variants at every T; at other sizes only at T = 4
    own = {name: v for name, v in chosen.items() if name == OURS or v.dtype == torch.bfloat16}
    with one_thread():
        inputs = _Inputs(max(sizes))
        shared = [_checked(T, n, inputs, chosen if n == main else own, result) for n in sizes for T in steps]
        cells, ratios = interleaved(shared, rounds)
        for r in ratios:
            result.measure(benchmarks.IN_ONE_PROCESS, r.ratio, r.case, r.peer)
        for T in steps:
            spent = [cell.time for cell in cells if cell.variant == OURS and cell.sizes["T"] == T]
            result.measure(benchmarks.SPREAD, round(max(spent) / min(spent), 3), f"T={T}")
        del inputs
    for size in sizes:  # each in new processes: what an allocator does depends on the sizes that it has seen
        with ExitStack() as stack:
            processes = {name: stack.enter_context(Process(only_variant, name, size)) for name in chosen}
            cases = [
                _case(
                    T, size, {name: partial(processes[name], T, size) for name in names}, chosen, clock=timed_in_process
                )
                for T in steps
                for names in [chosen if T == 4 or size == main else own]
            ]
            cells, ratios = interleaved(cases, rounds)
        result.cells += cells
        result.ratios += ratios
    T = 4 if 4 in steps else steps[0]
    runs = {v.name: (main * v.dtype.itemsize, memory_run, v.name, T, main) for v in chosen.values()}
    measure_peak_memory(result, _title(T, main), runs)
    _goals(result, steps, sizes)
    return result


def _goals(result: Result, steps: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    for peer, goal in GOALS.items():
        for T in (4, 8, 16, 32):
            limit, ratio = goal if T <= 8 else GOAL_LONG, result.ratio(_title(T, GOAL_SIZE), peer)
            result.goal(f"LIF against {peer}, {_title(T, GOAL_SIZE)}, times", "at least", limit, ratio)
    if set(SIZES) <= set(sizes):
        for T in steps:
            spread = result.measured(benchmarks.SPREAD, f"T={T}")
            result.goal(f"LIF, T={T}: {benchmarks.SPREAD}", "at most", SPREAD_GOAL, spread)
    if GOAL_SIZE in sizes:
        own = next((m for m in result.memory if m.variant == OURS), None)
        what = "LIF: extra peak memory, in tensors of the size of the input"
        result.goal(what, "at most", MEMORY_GOAL, own.times if own else None)
