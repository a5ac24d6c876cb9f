"""What tells channels apart: a penalty on their scales, and what their neurons do on training samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.pruning.parts.channels import gammas
from snnbook.pruning.pruner import Context
from snnbook.tracing import (
    hooked,
    measuring,
    reset,
    spikes_of,
    trace_layers,
)


def slimming(c: Context, strength: float, span: float) -> Tensor | float:
    """The L1 penalty: `strength` times the sum of |gamma| over all batch norms before the cut, 0 after it.

    span: share of the training before the cut. Ref: Liu et al. 2017.
    """
    if c.step >= c.steps_in(span):
        return 0.0
    return strength * sum(gamma.abs().sum() for gamma in gammas(c.model).values())


def run_samples(
    c: Context, n: int, watch: AbstractContextManager[Any], begin: Callable[[], None] = lambda: None
) -> None:
    """Run the first `n` training samples (0 = all) through the network inside `watch`; `begin` before each batch.

    They run 100 at a time in evaluation mode, and neurons forget their state before each batch.
    """
    x, _ = c.samples(n or 1 << 40)
    with torch.no_grad(), measuring(c.model), watch:
        for batch in x.split(100, 0 if x.dim() == 4 else 1):
            reset(c.model)
            begin()
            c.model(batch)


def of_neurons_after(c: Context, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Layer name → the value of the neurons after each of its rows, `[rows]`; layers without neurons are left out.

    values: name of the neurons → one value for each of their channels, `[C]`.
    """
    traces = trace_layers(c.model, c.samples(1)[0])
    return {name: values[trace.neuron] for name, trace in traces.items() if trace.neuron in values}


def firing_rates(c: Context, n: int) -> dict[str, Tensor]:
    """Layer name → mean number of spikes per step of a neuron after each of its rows, `[rows]`, in [0, 1].

    The mean is over the first `n` training samples (0 = all), the steps and the map.
    """
    axis = {t.neuron: -len(t.leaving) for t in trace_layers(c.model, c.samples(1)[0]).values() if t.neuron}
    fired: dict[str, Tensor] = {}
    seen = dict.fromkeys(axis, 0)

    def see(name: str, m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        spikes = spikes_of(output).detach().movedim(axis[name], 0).flatten(1)
        fired[name] = fired.get(name, 0) + spikes.sum(1, dtype=torch.float64)
        seen[name] += spikes.shape[1]

    run_samples(c, n, hooked({c.model.get_submodule(name): partial(see, name) for name in axis}))
    return of_neurons_after(c, {name: total / seen[name] for name, total in fired.items()})
