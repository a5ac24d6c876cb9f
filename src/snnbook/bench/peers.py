"""The peers, made to do what ours does: tau = 2, threshold 1, hard reset to 0.

Each adapter sets the constants with which the peer's dynamics are ours, or nearest to them, and runs it as its users
do: all time steps, states cleared between batches. A peer that takes only one step at a time gets the loop that its
documentation shows.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.networks.convnet import ConvNet, Fold, TimeDropout
from snnbook.neurons import LIF, LIFParameters

PACKAGES = ("spikingjelly", "snntorch", "norse", "sinabs")
HOW = "none of the peers is installed: `make bench` makes an environment with them"

Neurons = Callable[[Tensor], Tensor]


def installed() -> list[str]:
    """The peers that can be imported."""
    return [name for name in PACKAGES if find_spec(name) is not None]


@dataclass(frozen=True)
class Peer:
    """One way to run a peer's neuron.

    make: the neuron as a function of the input `[T, 1, n]`, made with the peer imported. constants: those with which
    our neurons have the same dynamics. gradients: whether its surrogate is ours, so that gradients have to agree and
    not only spikes.
    """

    name: str
    package: str
    make: Callable[[], Neurons]
    constants: LIFParameters
    gradients: bool


def _spikingjelly(detach_reset: bool) -> Neurons:
    layer = _spikingjelly_node(LIFParameters(detach_reset=detach_reset))

    def run(x: Tensor) -> Tensor:
        s = layer(x)
        reset(layer)
        return s

    return run


def _spikingjelly_node(p: LIFParameters) -> nn.Module:
    # torch tells every process that imports it without Triton; here there is no GPU in play.
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)
    from spikingjelly.activation_based import neuron, surrogate

    return neuron.LIFNode(
        tau=p.tau,
        decay_input=p.decay_input,
        v_threshold=p.v_threshold,
        v_reset=p.v_reset,
        surrogate_function=surrogate.ATan(alpha=2.0),
        detach_reset=p.detach_reset,
        step_mode="m",
    )


def _snntorch() -> Neurons:
    """The reset comes at the next step and is always detached: the same spikes and gradients."""
    import snntorch

    layer = snntorch.Leaky(beta=0.5, reset_mechanism="zero", spike_grad=snntorch.surrogate.atan(alpha=2.0))
    return _step_by_step(layer, layer.reset_mem)


def _norse() -> Neurons:
    from norse.torch import LIFBoxCell, LIFBoxParameters

    return _step_by_step(LIFBoxCell(p=LIFBoxParameters(tau_mem_inv=torch.tensor(0.5)), dt=1.0), lambda: None)


def _step_by_step(layer: Callable[..., Any], start: Callable[[], Any]) -> Neurons:
    """The loop over steps of a layer that takes an input and a state, and gives spikes and the next state."""

    def run(x: Tensor) -> Tensor:
        state, spikes = start(), []
        for x_t in x:
            s, state = layer(x_t, state)
            spikes.append(s)
        return torch.stack(spikes)

    return run


def _sinabs() -> Neurons:
    """Its time constant is trainable by default; here it is not, as in ours, which spares it work."""
    from sinabs.activation import MembraneReset, SingleSpike
    from sinabs.layers import LIF as SinabsLIF

    layer = SinabsLIF(tau_mem=1 / math.log(2), spike_fn=SingleSpike, reset_fn=MembraneReset()).requires_grad_(False)

    def run(x: Tensor) -> Tensor:
        layer.reset_states()
        return layer(x.transpose(0, 1)).transpose(0, 1)  # its first axis is the batch

    return run


PEERS = (
    Peer("SpikingJelly", "spikingjelly", lambda: _spikingjelly(True), LIFParameters(), True),
    Peer(
        "SpikingJelly, reset not detached",
        "spikingjelly",
        lambda: _spikingjelly(False),
        LIFParameters(detach_reset=False),
        True,
    ),
    Peer("snnTorch", "snntorch", _snntorch, LIFParameters(decay_input=False), True),
    Peer("Norse", "norse", _norse, LIFParameters(detach_reset=False), False),
    Peer("sinabs", "sinabs", _sinabs, LIFParameters(), False),
)


def spikingjelly_network(model: ConvNet) -> nn.Module:
    """SpikingJelly's copy of one of our networks, layer by layer and with the same weights: `[T, N, *]` → `[T, N, K]`.

    Raises UserError for a layer that it has no counterpart for.
    """
    layers: list[nn.Module] = []
    for ours in (model.encoder, *model.body):
        layers += [_counterpart(part) for part in (ours if isinstance(ours, Fold) else (ours,))]
    return nn.Sequential(*layers).train(model.training)


def _counterpart(ours: nn.Module) -> nn.Module:
    from spikingjelly.activation_based import layer

    theirs: Any
    match ours:
        case LIF():
            return _spikingjelly_node(ours.constants)
        case nn.Flatten():
            return layer.Flatten(step_mode="m")
        case nn.MaxPool2d():
            return layer.MaxPool2d(ours.kernel_size, step_mode="m")
        case nn.AvgPool2d():
            return layer.AvgPool2d(ours.kernel_size, step_mode="m")
        case TimeDropout():
            return layer.Dropout(ours.p, step_mode="m")
        case nn.Conv2d():
            theirs = layer.Conv2d(
                ours.in_channels, ours.out_channels, ours.kernel_size, padding=ours.padding,
                bias=ours.bias is not None, step_mode="m",
            )  # fmt: skip
        case nn.Linear():
            theirs = layer.Linear(ours.in_features, ours.out_features, bias=ours.bias is not None, step_mode="m")
        case nn.BatchNorm2d():
            theirs = layer.BatchNorm2d(ours.num_features, step_mode="m")
        case nn.BatchNorm1d():
            theirs = layer.BatchNorm1d(ours.num_features, step_mode="m")
        case _:
            raise UserError(f"SpikingJelly's copy has no layer for {type(ours).__name__}")
    theirs.load_state_dict(ours.state_dict())
    return theirs


def reset(network: nn.Module) -> None:
    """Clear the states of SpikingJelly's neurons, as its users do after each batch."""
    from spikingjelly.activation_based import functional

    functional.reset_net(network)
