"""Synaptic operations: how often a spike crosses a live synapse. Ref: paper B Eq. 1-2.

    SOPs = sum over neurons i of  s_i x (live synapses from i into live neurons)

with s_i the spikes of neuron i over all steps. The sum of a convolution's output is the sum over its inputs
times their fan-out, so that one transposed convolution per layer replaces a second forward pass per batch.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.measure import passes
from snnbook.measure.liveness import Liveness, has_neuron_masks, liveness
from snnbook.measure.products import Product
from snnbook.measure.watching import Products
from snnbook.states import foreign
from snnbook.tracing import place_of, plain


@dataclass(frozen=True)
class SOPs:
    """Synaptic operations (SOPs) of a network, a mean over samples, by layer in order of execution.

    A layer is a convolution or linear layer by its path; a weight of another module by the name of its parameter, such
    as `attention.in_proj_weight`; and a module by its path for what it multiplies of two things that pass, such as
    queries and keys.
    per_layer: layer → SOPs per sample, without what the encoding layer makes of the input. A value that is no spike
    counts by its size.
    per_step: layer → SOPs per sample in every run of the layer, that is in every time step, float64 `[runs]`.
    encoding_layer: name of the first layer executed, which multiplies pixels or event counts by weights.
    encoding_macs: multiply-accumulates per sample of that layer: its live connections times its runs per sample (1 run
    where a static image is encoded once).
    encoding_sops: SOPs per sample of that layer: its input values times live synapses for events, and 0 for static
    images, which have no spikes.
    macs: layer → multiply-accumulates per sample of the dense network, the encoding layer included.
    accumulates: layer → operations per sample whose value is a spike, exactly 1, so that adding the weight suffices.
    multiplies: layer → operations per sample whose value is neither 0 nor 1: pixels, event counts, averages behind a
    pooling, sums of branches, currents. Both are numbers of operations and count the encoding layer, too.
    elementwise: module → products per sample of single values, both nonzero, that are not summed up: gates, and scales
    that are applied to spikes. Norms and neurons are left out. They are no SOPs.
    """

    per_layer: dict[str, float]
    per_step: dict[str, Tensor]
    encoding_layer: str
    encoding_macs: float
    encoding_sops: float
    macs: dict[str, float]
    accumulates: dict[str, float] = field(default_factory=dict)
    multiplies: dict[str, float] = field(default_factory=dict)
    elementwise: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """SOPs per sample of all layers but the encoding layer."""
        return sum(self.per_layer.values())


@dataclass
class _Synapses:
    """The synapses of a layer for inputs of one shape.

    post: which outputs have a live neuron behind them, bool of the output's shape; None = all of them. fan_out: live
    synapses of every input into those, float64 of the input's shape. live, dense: number of live and of all
    connections.
    """

    post: Tensor | None
    fan_out: Tensor
    live: float
    dense: float

    def fits(self, post: Tensor | None) -> bool:
        return post is self.post or (post is not None and self.post is not None and torch.equal(post, self.post))


@torch.no_grad()
def sops(
    model: nn.Module,
    x: Tensor,
    batch_size: int | None = 64,
    identity: tuple[type[nn.Module], ...] = (),
    layout: str | None = None,
) -> SOPs:
    """Synaptic operations on events `[T, N, *]` or static `[N, *]`.

    For everything that multiplies, see `measure.watching`: values entering it times nonzero weights into
    neurons that are not masked (`mask` of the neurons behind the layer), exact at borders, summed over
    steps, mean over samples. Values count as they are: what average pooling puts out counts by its
    fraction, a sum of two spikes counts as two (as in paper B's code), a negative value by its size; two
    values that pass, such as queries and keys, count as one if neither is zero. No operation is counted for a
    bias. A layer that runs twice counts twice.
    identity: further classes to take for neurons, see `connections`. layout: see `passes.sample_axis`.
    Raises UserError for an input of another form or without samples, if nothing is multiplied, and for
    multiplications that cannot be counted, with the path of their module.
    Ref: paper B Eq. 1-2.
    """
    model = plain(model)
    axis = passes.sample_axis(model, x, layout)
    counting = _Counting(model, identity)
    if axis == 1 and foreign(model):
        counting.samples_first = _samples_first(model, next(passes.batches(model, x, batch_size, axis)), identity)
    if has_neuron_masks(model):
        one = torch.ones_like(x.narrow(axis, 0, 1), device=place_of(model)[0])
        counting.take(liveness(model, one, identity))
    with counting.watching():
        for batch in passes.batches(model, x, batch_size, axis):
            counting.count(batch, axis)
    return counting.result(x.shape[axis], events=axis == 1)


def _samples_first(model: nn.Module, batch: Tensor, identity: tuple[type[nn.Module], ...]) -> bool:
    """Whether a network that folds time into the batch has the samples on the slow axis; ours have the steps there."""
    probe = torch.zeros_like(batch)
    probe[:, 0] = 1
    order = _Order(model, identity, *batch.shape[:2])
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices), suppress(_Seen), order.watching():
        order.run(probe)
    return order.samples_first


class _Seen(Exception):
    """The rest of a pass is not needed."""


class _Order(Products):
    """Looks at the first product that all samples, the first of ones and the others of zeros, go into in all steps."""

    def __init__(self, model: nn.Module, identity: tuple[type[nn.Module], ...], steps: int, samples: int):
        super().__init__(model, identity)
        self.steps, self.samples, self.samples_first = steps, samples, False

    def product(self, p: Product) -> None:
        if len(p.data) == self.samples * self.steps:
            rows = p.data.flatten(1).sum(1).view(self.samples, self.steps)
            alike = bool((rows == rows[:, :1]).all())
            self.samples_first = alike and min(self.samples, self.steps) > 1 and bool(rows[0, 0] != rows[1, 0])
            raise _Seen


class _Counting(Products):
    """Counts while a network runs, over all batches."""

    def __init__(self, model: nn.Module, identity: tuple[type[nn.Module], ...]):
        super().__init__(model, identity)
        self.posts: dict[tuple[str, int], Tensor] = {}
        self.synapses: dict[Any, _Synapses] = {}
        self.crossings: dict[str, list[Tensor]] = {}  # by layer and use: `[runs]`, summed over samples
        self.of_inputs: dict[str, list[bool]] = defaultdict(list)
        self.macs: dict[str, list[float]] = {}
        self.live_macs: dict[str, list[float]] = {}
        self.accumulates: dict[str, float] = defaultdict(float)
        self.multiplies: dict[str, float] = defaultdict(float)
        self.elementwise: dict[str, float] = defaultdict(float)
        self.used: Counter[str] = Counter()
        self.samples_first = False
        self.samples, self.steps = 1, 0  # no steps: how many the network makes of a static input is not known

    def take(self, live: Liveness) -> None:
        """Count what goes into live neurons only."""
        count: Counter[str] = Counter()
        for use in live.uses:
            self.posts[use.name, count[use.name]] = use.post
            count[use.name] += 1

    def count(self, batch: Tensor, axis: int) -> None:
        """Count one batch, `[T, N, *]` for axis 1 or `[N, *]` for axis 0."""
        self.samples, self.steps = batch.shape[axis], batch.shape[0] if axis else 0
        self.used.clear()
        self.run(batch)

    def product(self, p: Product) -> None:
        use = self.used[p.layer]
        self.used[p.layer] += 1
        crossing, live, dense = self._pairs(p) if p.joint else self._crossing(p, use)
        if use < len(self.crossings.setdefault(p.layer, [])):
            self.crossings[p.layer][use] += crossing
            return
        self.crossings[p.layer].append(crossing)
        self.of_inputs[p.layer].append(self.of_input)
        self.macs.setdefault(p.layer, []).append(dense / self.samples)
        self.live_macs.setdefault(p.layer, []).append(live / self.samples)

    def _crossing(self, p: Product, use: int) -> tuple[Tensor, float, float]:
        """What crosses the synapses of a layer in each of its runs, float64 `[runs]`; live and all connections used.

        All are sums over samples.
        """
        data = p.joined(p.data)
        n, rows = self.samples, len(data)
        if rows % n:
            raise UserError(f"layer {p.layer!r} runs on {rows} rows, not a multiple of {n} samples")
        s = self._synapses(p, use)
        positions = self._positions(p, rows, s.post)
        runs = rows // (n * positions)
        values = data.reshape(rows // positions, -1)
        folded = self.samples_first and runs > 1
        values = values.unflatten(0, (n, runs)).transpose(0, 1) if folded else values.unflatten(0, (runs, n))
        fan = s.fan_out.flatten()
        fan = fan.repeat(values.shape[2] // len(fan))
        low, high = values.aminmax()
        if low.isnan():
            raise UserError(f"NaN enters layer {p.layer!r}")
        summed = (values.abs() if low < 0 else values).sum(1, dtype=torch.float64)
        crossing = summed @ fan
        accumulates, multiplies = float(crossing.sum()), 0.0
        if low < 0 or high > 1 or torch.count_nonzero(values) != summed.sum():
            accumulates = float((values == 1).sum((0, 1), dtype=torch.float64) @ fan)
            multiplies = float((values != 0).sum((0, 1), dtype=torch.float64) @ fan) - accumulates
        self.accumulates[p.layer] += accumulates
        self.multiplies[p.layer] += multiplies
        return crossing.cpu(), s.live * len(p.data), s.dense * len(p.data)

    def _positions(self, p: Product, rows: int, post: Tensor | None) -> int:
        """How many positions, such as tokens, a sample has in a step; they lie behind the samples."""
        if post is not None and p.positional and post.dim() == 2:
            return len(post)
        known = p.positional and self.steps and rows % (self.samples * self.steps) == 0
        return rows // (self.samples * self.steps) if known else 1

    def _pairs(self, p: Product) -> tuple[Tensor, float, float]:
        """Number of products of two values, neither of which is zero: float64 `[1]`; number of all, twice."""
        pairs, graded = p.pairs()
        dense = p.dense() * len(p.data)
        self.accumulates[p.layer] += pairs - graded
        self.multiplies[p.layer] += graded
        return torch.tensor([pairs], dtype=torch.float64), dense, dense

    def _synapses(self, p: Product, use: int) -> _Synapses:
        key = (p.layer, p.size, p.part) if p.own else (p.layer, p.size, use)
        post, synapses = self.posts.get((p.layer, use)), self.synapses.get(key)
        if self.posts and post is None and not self.inside_neuron():
            raise self.refusal(
                f"runs {p.layer} more often on spikes than on a map of live neurons, and some are masked"
            )
        if synapses is None or not synapses.fits(post):
            # Numbers of synapses are exact in single precision, far below 2^24 for one input.
            fan = p.fan_out((p.factor.detach() != 0).float(), None if post is None else post.float()).double()
            synapses = self.synapses[key] = _Synapses(
                post, fan, float(fan.sum()) * p.size.numel() / fan.numel(), p.dense()
            )
        return synapses

    def other(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        if name in ("mul", "mul_", "addcmul", "addcmul_") and not self.inside_neuron():
            factors = args[-2:]
            if all(isinstance(t, Tensor) and t.numel() > 1 for t in factors) and not self.inside_scale():
                self.elementwise[self.path()] += float(torch.count_nonzero((factors[0] != 0) & (factors[1] != 0)))
        return out

    def result(self, samples: int, events: bool) -> SOPs:
        """All counts, a mean over the samples. events: whether the encoding layer gets events and not pixels."""
        if not self.crossings:
            raise UserError("no convolution or linear layer ran: there are no synapses to count")
        encoding = next(iter(self.crossings))
        # A layer that encodes the input may run again, on spikes.
        encodes = self.of_inputs[encoding] if self.of_inputs[encoding][0] else [True] * len(self.of_inputs[encoding])
        entered = sum(float(c.sum()) for c in compress(self.crossings[encoding], encodes)) / samples
        again = [c for c, first in zip(self.crossings[encoding], encodes, strict=True) if not first]
        crossings = {name: uses for name, uses in (self.crossings | {encoding: again}).items() if uses}
        by_run = {name: torch.cat(uses).cpu() for name, uses in crossings.items()}
        return SOPs(
            per_layer={name: float(runs.sum()) / samples for name, runs in by_run.items()},
            per_step={name: runs / samples for name, runs in by_run.items()},
            encoding_layer=encoding,
            encoding_macs=sum(compress(self.live_macs[encoding], encodes)),
            encoding_sops=entered if events else 0.0,
            macs={name: sum(m) for name, m in self.macs.items()},
            accumulates={name: value / samples for name, value in self.accumulates.items()},
            multiplies={name: value / samples for name, value in self.multiplies.items()},
            elementwise={name: value / samples for name, value in self.elementwise.items()},
        )
