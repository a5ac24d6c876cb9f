"""Honest timings: one thread, thread CPU time, interleaved variants, medians of ratios, results checked as well."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from snnbook import native
from snnbook.errors import UserError
from snnbook.neurons import LIF, LIFParameters, lif_reference


@dataclass(frozen=True)
class Timing:
    """One size: seconds of each variant over the rounds, and whether the variants agreed."""

    T: int
    neurons: int
    seconds: dict[str, list[float]]
    equal: bool

    def nanoseconds(self, variant: str) -> float:
        """Median time per neuron and step, forwards and backwards."""
        return median(self.seconds[variant]) / (self.T * self.neurons) * 1e9

    @property
    def ratio(self) -> float:
        """Median over rounds of reference time over the module's time."""
        return median(a / b for a, b in zip(self.seconds["reference"], self.seconds["module"], strict=True))


def lif(T: int, neurons: int, rounds: int = 5) -> Timing:
    """The LIF layer forwards and backwards: the module as used in training against the step-by-step reference."""
    if T < 1 or neurons < 1 or rounds < 1:
        raise UserError("T, neurons and rounds must be at least 1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        x = torch.randn(T, 1, neurons, generator=torch.Generator().manual_seed(0)) * 2
        layer, p = LIF(), LIFParameters()
        variants: dict[str, Callable[[Tensor], Tensor]] = {
            "module": layer,
            "reference": lambda x: lif_reference(x, p)[0],
        }
        seconds: dict[str, list[float]] = {name: [] for name in variants}
        found: dict[str, tuple[Tensor, Tensor]] = {}
        for i in range(rounds + 1):
            for name, variant in variants.items():
                leaf = x.clone().requires_grad_()
                start = time.thread_time()
                s = variant(leaf)
                s.backward(x)
                if i:  # the first round warms up
                    seconds[name].append(time.thread_time() - start)
                found[name] = s.detach(), leaf.grad  # type: ignore[assignment]
        (s, g), (s0, g0) = found["module"], found["reference"]
        equal = torch.equal(s, s0) and torch.allclose(g, g0, rtol=1e-5, atol=1e-7)
        return Timing(T, neurons, seconds, equal)
    finally:
        torch.set_num_threads(threads)


def machine() -> str:
    """One line on what the timings were made with."""
    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, kernels {native.status}, 1 thread"
