"""Synaptic operations: how often a spike crosses a live synapse. Ref: paper B Eq. 1-2.

    SOPs = sum over neurons i of  s_i x (live synapses from i into live neurons)

with s_i the spikes of neuron i over all steps. The sum of a convolution's output is the sum over its inputs
times their fan-out, so that one transposed convolution per layer replaces a second forward pass per batch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.measure import passes


@dataclass(frozen=True)
class SOPs:
    """Synaptic operations (SOPs) of a network, a mean over samples, by layer in order of execution.

    per_layer: layer → SOPs per sample, the encoding layer left out.
    per_step: layer → SOPs per sample in every run of the layer, that is in every time step, float64 `[runs]`.
    encoding_layer: name of the first layer executed, which multiplies pixels or event counts by weights.
    encoding_macs: multiply-accumulates per sample of that layer: its live connections times its runs per sample (1 run
    where a static image is encoded once).
    encoding_sops: SOPs per sample of that layer: its input values times live synapses for events, and 0 for static
    images, which have no spikes.
    macs: layer → multiply-accumulates per sample of the dense network, the encoding layer included.
    """

    per_layer: dict[str, float]
    per_step: dict[str, Tensor]
    encoding_layer: str
    encoding_macs: float
    encoding_sops: float
    macs: dict[str, float]

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
def sops(model: nn.Module, x: Tensor, batch_size: int | None = 64, identity: tuple[type[nn.Module], ...] = ()) -> SOPs:
    """Synaptic operations on events `[T, N, C, H, W]`, `[T, N, F]` or static `[N, C, H, W]`, `[N, F]`.

    For each convolution and linear layer: values entering it times synapses with a nonzero weight into
    neurons that are not masked (`mask` of the neurons behind the layer), exact at borders, summed over
    steps, mean over samples. Values count as they are: what average pooling puts out counts by its
    fraction, a sum of two spikes counts as two (as in paper B's code). A layer that runs twice counts
    twice. Time is the slowest axis where it is folded into the batch. identity: further classes to take for
    neurons, see `connections`.
    Raises UserError for an input of another form or without samples, or if no layer runs.
    Ref: paper B Eq. 1-2.
    """
    axis = passes.sample_axis(x)
    samples = x.shape[axis]
    posts: dict[tuple[str, int], Tensor] = {}
    if passes.has_neuron_masks(model):
        one = torch.ones_like(x.narrow(axis, 0, 1), device=passes.device_of(model))
        count: Counter[str] = Counter()
        for use in passes.liveness(model, one, identity).uses:
            posts[use.name, count[use.name]] = use.post
            count[use.name] += 1

    name_of = {m: name for name, m in passes.layers(model).items()}
    synapses: dict[tuple[str, torch.Size], _Synapses] = {}
    spikes: dict[str, list[Tensor]] = {}  # by layer and use: `[runs]`, summed over samples
    macs: dict[str, list[float]] = {}
    live_macs: dict[str, list[float]] = {}
    used: Counter[str] = Counter()
    n = 0

    def hook(layer: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        name, entering = name_of[layer], passes.rows(layer, args[0].detach())
        use = used[name]
        used[name] += 1
        if len(entering) % n:
            raise UserError(f"layer {name!r} runs on {len(entering)} rows, not a multiple of {n} samples")
        s = _synapses(layer, name, entering.shape[1:], posts.get((name, use)), synapses)
        runs = len(entering) // n
        summed = entering.unflatten(0, (runs, n)).sum(1, dtype=torch.float64)
        crossing = summed.flatten(1) @ s.fan_out.flatten()
        if use < len(spikes.setdefault(name, [])):
            spikes[name][use] += crossing
            return
        spikes[name].append(crossing)
        macs.setdefault(name, []).append(s.dense * runs)
        live_macs.setdefault(name, []).append(s.live * runs)

    with passes.measuring(model, dict.fromkeys(name_of, hook)):
        for batch in passes.batches(model, x, batch_size):
            n = batch.shape[axis]
            used.clear()
            model(batch)
    if not spikes:
        raise UserError("no convolution or linear layer ran: there are no synapses to count")

    by_run = {name: torch.cat(uses).cpu() for name, uses in spikes.items()}
    encoding = next(iter(by_run))
    entered = float(by_run.pop(encoding).sum()) / samples
    return SOPs(
        per_layer={name: float(runs.sum()) / samples for name, runs in by_run.items()},
        per_step={name: runs / samples for name, runs in by_run.items()},
        encoding_layer=encoding,
        encoding_macs=sum(live_macs[encoding]),
        encoding_sops=entered if axis == 1 else 0.0,
        macs={name: sum(m) for name, m in macs.items()},
    )


def _synapses(
    layer: nn.Module,
    name: str,
    shape: torch.Size,
    post: Tensor | None,
    cache: dict[tuple[str, torch.Size], _Synapses],
) -> _Synapses:
    synapses = cache.get((name, shape))
    if synapses is None or not synapses.fits(post):
        live = passes.live_synapses(layer)
        fan = passes.fan_out(layer, shape, live, post)
        dense = passes.in_degree(layer, torch.ones(shape, device=live.device), torch.ones_like(live))
        synapses = cache[name, shape] = _Synapses(post, fan, float(fan.sum()), float(dense.sum()))
    return synapses
