"""What is left of a network: live connections (synapses), live weights, and how large these are.

Two quantities go by the name of connectivity and differ by the size of the feature map: a *weight* is a
number in a tensor, a *connection* is one use of it between two neurons. Ref: paper B Sec. 4 for
connections, whose code also drops neurons that nothing reaches any more; paper A for the sparsity over all
parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from snnbook import tracing
from snnbook.errors import UserError, first_line
from snnbook.measure import passes
from snnbook.measure.liveness import Liveness, liveness
from snnbook.tracing import layers, place_of, plain


@dataclass(frozen=True)
class Connections:
    """Numbers of connections and of neurons, for one sample and one time step.

    per_layer: layer → (live connections, connections of the dense network), in order of execution, the encoding layer
    included; behind an average pooling they are no whole numbers. neurons: name of a `LIF` → (neurons that are not
    masked, neurons).
    """

    per_layer: dict[str, tuple[float, float]]
    neurons: dict[str, tuple[int, int]]

    @property
    def alive(self) -> float:
        """Number of live connections."""
        return sum(alive for alive, _ in self.per_layer.values())

    @property
    def total(self) -> float:
        """Number of connections of the dense network."""
        return sum(total for _, total in self.per_layer.values())

    @property
    def neurons_alive(self) -> int:
        """Number of `LIF` neurons that are not masked."""
        return sum(alive for alive, _ in self.neurons.values())

    @property
    def neurons_total(self) -> int:
        """Number of `LIF` neurons."""
        return sum(total for _, total in self.neurons.values())


def connections(
    model: nn.Module,
    sample_shape: Sequence[int],
    identity: tuple[type[nn.Module], ...] = (),
    layout: str | None = None,
) -> Connections:
    """Connections of a network for a sample `[C, H, W]` or `[F]`, or an input `[T, N, *]` or `[N, *]`.

    A connection is alive if its weight is not zero, the neuron before it is alive and the neuron behind it
    is not masked. A neuron is alive if it is not masked and at least one live connection enters it (its
    bias alone does not count); inputs are alive. An average pooling passes on fractions, an addition of two
    branches counts both, as in paper B's code. A layer that runs several times, in a loop over time, counts
    once. Products of two things that pass, such as queries and keys, have no weights and no connections.

    identity: classes to take for neurons. Without it these are `LIF` and every module of unknown type that
    returns its input's shape and has no weights of two or more axes. layout: see `passes.sample_axis`; without it
    a shape is tried as a sample and as an input.
    Raises UserError if the network does not take such a sample or multiplies in a way that cannot be followed.
    """
    model = plain(model)
    shape, seen = _fitting_pass(model, tuple(sample_shape), identity, layout)
    dense = liveness(model, _ones(model, shape), identity, dense=True)
    alive, total = _per_layer(seen, live=True), _per_layer(dense, live=False)
    if not total:
        raise UserError("nothing is multiplied by a weight: there are no connections")
    return Connections({name: (alive[name], total[name]) for name in total}, seen.neurons)


def _per_layer(seen: Liveness, live: bool) -> dict[str, float]:
    """Layer → its connections: the most that a part of its weights has in one run, summed over the parts."""
    parts: dict[tuple[str, Any], float] = {}
    for use in seen.uses:
        counted = float((use.degree * use.post if live else use.degree).sum())
        parts[use.name, use.part] = max(parts.get((use.name, use.part), 0.0), counted)
    per_layer: dict[str, float] = {}
    for (name, _), counted in parts.items():
        per_layer[name] = per_layer.get(name, 0.0) + counted
    return per_layer


def _ones(model: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    device, dtype = place_of(model)
    return torch.ones(shape, dtype=dtype, device=device)


def _fitting_pass(
    model: nn.Module, s: tuple[int, ...], identity: tuple[type[nn.Module], ...], layout: str | None
) -> tuple[tuple[int, ...], Liveness]:
    """The liveness pass for the first of the possible readings of `s` that the network takes."""
    errors = []
    for shape in _readings(model, s, layout):
        try:
            return shape, liveness(model, _ones(model, shape), identity)
        except UserError:
            raise
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as e:
            errors.append(f"{list(shape)}: {first_line(e)}")
    raise UserError(f"the network does not take a sample of shape {s}; tried " + "; ".join(errors))


def _readings(model: nn.Module, s: tuple[int, ...], layout: str | None) -> list[tuple[int, ...]]:
    """Inputs of one sample that a shape may stand for: itself, an input `[T, N, *]`, an input `[N, *]`."""
    if not 1 <= len(s) <= 6:
        raise UserError(f"sample_shape must have 1 to 6 axes, got {s}")
    if layout is not None:
        axis = passes.sample_axis(model, torch.empty(s, device="meta"), layout)
        return [(*s[:axis], 1, *s[axis + 1 :])]
    first = next(iter(layers(model).values()), None)
    sample = [(1, 1, *s), (1, *s)]
    if isinstance(first, nn.Linear) or first is None:
        whole = len(s) == 1 or (len(s) == 3 and not (first is not None and first.in_features == s[-1]))
        return sample if whole else [(s[0], 1, *s[2:]) if len(s) % 2 else (1, *s[1:])]
    axes = first.weight.dim() - 1  # type: ignore[operator]  # of one sample
    return {0: sample, 1: [(1, *s[1:])], 2: [(s[0], 1, *s[2:])]}.get(len(s) - axes, sample)


@dataclass(frozen=True)
class Weights:
    """Live (nonzero) weights, as `tracing.weights` lists them: how many there are and how large.

    per_layer: layer, or name of a weight that is in none → (live weights, weights); a shared weight counts once.
    parameters_total: number of all parameters, biases and normalisation included. mean_abs, median_abs: mean and median
    magnitude of the live weights. top_abs_mean: mean magnitude of the k largest weights, None without k. All three are
    NaN if no weight is alive.
    """

    per_layer: dict[str, tuple[int, int]]
    parameters_total: int
    mean_abs: float
    median_abs: float
    top_abs_mean: float | None

    @property
    def alive(self) -> int:
        """Number of live weights."""
        return sum(alive for alive, _ in self.per_layer.values())

    @property
    def total(self) -> int:
        """Number of weights."""
        return sum(total for _, total in self.per_layer.values())

    @property
    def parameters_alive(self) -> int:
        """Number of live weights and of all other parameters, which are never pruned (paper A's column Param)."""
        return self.parameters_total - self.total + self.alive

    @property
    def sparsity(self) -> float:
        """Share of the weights that are zero, in percent."""
        return 100 * (1 - self.alive / self.total)

    @property
    def sparsity_parameters(self) -> float:
        """Share of all parameters that are zeroed weights, in percent (paper A's column sparsity)."""
        return 100 * (1 - self.parameters_alive / self.parameters_total)


MAGNITUDES = np.array([0.0, *(10 ** (i / 20 - 6) for i in range(141)), np.inf])  # NumPy's powers follow the processor


def magnitudes(model: nn.Module) -> np.ndarray:
    """How many live weights lie between one of `MAGNITUDES` and the next, in absolute value: int64 `[142]`.

    20 steps a decade from 1e-6 to 10; the first and the last take what lies beyond. Ref: paper A Fig. 7-8.
    Raises UserError as `weights` does.
    """
    return np.histogram(_alive(_listed(model)), MAGNITUDES)[0]


def _listed(model: nn.Module) -> dict[str, torch.Tensor]:
    """What `tracing.weights` lists, without gradient. Raises UserError for a network without weights or values."""
    listed = tracing.weights(model)
    tracing.check_built(listed, "measuring")
    if not listed:
        raise UserError("the network has no weights: no convolution, no linear layer and nothing else that multiplies")
    return {name: w.detach() for name, w in listed.items()}


def _alive(listed: dict[str, torch.Tensor]) -> np.ndarray:
    """The magnitudes of all live weights, float64."""
    return torch.cat([w[w != 0].abs().flatten().double().cpu() for w in listed.values()]).numpy()


def weights(model: nn.Module, k: int | None = None) -> Weights:
    """Count live (nonzero) weights and parameters, and measure the live weights, the `k` largest apart.

    The mean over as many weights as another network has left tells a pruned network's larger weights from a
    mere selection of the large ones (paper A Fig. 7-8). With fewer than k alive, the mean is over those.
    Raises UserError for k < 1, a network without weights, and as `tracing.weights` does.
    """
    if k is not None and k < 1:
        raise UserError(f"k must be at least 1 weight, got {k}")
    listed = _listed(model)
    alive = _alive(listed)
    largest = alive if k is None or k >= alive.size else np.sort(alive)[-k:]
    return Weights(
        per_layer={tracing.layer_of(name): (int((w != 0).sum()), w.numel()) for name, w in listed.items()},
        parameters_total=sum(p.numel() for p in model.parameters()),
        mean_abs=float(alive.mean()) if alive.size else float("nan"),
        median_abs=float(np.median(alive)) if alive.size else float("nan"),
        top_abs_mean=None if k is None else float(largest.mean()) if alive.size else float("nan"),
    )
