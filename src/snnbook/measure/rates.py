"""Firing rates: how often the neurons of each layer spike."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.measure import passes
from snnbook.tracing import measuring, named, plain, spiking


@torch.no_grad()
def firing_rates(
    model: nn.Module,
    x: Tensor,
    batch_size: int | None = 64,
    neurons: tuple[type[nn.Module], ...] = (),
    layout: str | None = None,
) -> dict[str, float]:
    """Firing rates by module, in spikes per neuron and time step, for events `[T, N, *]` or static input `[N, *]`.

    Spikes are counted behind the mask and over all neurons of the module, masked ones included, so that a rate times
    the numbers of neurons, of steps and of synapses per neuron gives SOPs. neurons: the classes of modules to measure;
    without them all that `tracing.spiking` lists. layout: see `passes.sample_axis`.
    Raises UserError for an input of another form or without samples.
    """
    model = plain(model)
    axis = passes.sample_axis(model, x, layout)
    modules = named(model, neurons) if neurons else spiking(model)
    name_of = {m: name for name, m in modules.items()}
    spikes: dict[str, float] = defaultdict(float)
    chances: dict[str, int] = defaultdict(int)

    def hook(m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        s = output[0] if isinstance(output, tuple) else output
        spikes[name_of[m]] += float(s.sum(dtype=torch.float64))
        chances[name_of[m]] += s.numel()

    with measuring(model, dict.fromkeys(name_of, hook)):
        for batch in passes.batches(model, x, batch_size, axis):
            model(batch)
    return {name: spikes[name] / chances[name] for name in chances}
