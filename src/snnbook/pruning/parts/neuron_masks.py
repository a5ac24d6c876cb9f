"""Masks of neurons: soft while a method looks for them, hard from then on. Ref: Shi et al. 2024, Eq. 5 and 7.

A hard mask is `LIF.mask`, which every counter of `snnbook.measure` sees. Neurons of other libraries get a buffer and a
forward hook that stays; it survives copying, pickling and moving to a device.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.pruning.scores import Tensors
from snnbook.tracing import hooked, mask_of, spikes_of, spiking, trace_layers

SCOPES = ("paper", "released", "all")


def with_spikes(output: Any, s: Tensor) -> Any:
    """What neurons put out, with the spikes `s` in the place of its own."""
    return (s, *output[1:]) if isinstance(output, tuple) else s


def maskable(model: nn.Module, x: Tensor, scope: str) -> list[str]:
    """The names of the neurons that paper B masks, in order of execution; `x` is a batch as the network takes it.

    scope: "paper" takes all that come after a convolution, "released" leaves out those after the encoding layer, as the
    public code does, and "all" takes those after linear layers, too. Raises UserError if there is none.
    """
    known = spiking(model)
    names: list[str] = []
    for i, trace in enumerate(trace_layers(model, x).values()):
        linear, encoding = len(trace.leaving) == 1, i == 0
        if trace.neuron in known and (scope == "all" or not (linear or (encoding and scope == "released"))):
            names.append(trace.neuron)
    if not names:
        raise UserError("found no spiking neurons to mask; neurons=false masks weights only")
    return list(dict.fromkeys(names))


def attach(model: nn.Module, like: Tensors) -> None:
    """Give neurons a hard mask in which all are alive, unless they have one.

    like: name of the neurons → a tensor of their shape, `[C, H, W]` or `[F]`.
    """
    for name, values in like.items():
        m = model.get_submodule(name)
        if mask_of(m) is None:
            set_mask(m, torch.ones_like(values, dtype=torch.bool))


def set_mask(m: nn.Module, alive: Tensor) -> None:
    """Give neurons a hard mask, bool `[*]`, in the place of the one that they have, if any."""
    if isinstance(m, LIF):
        m.mask = alive
        return
    if mask_of(m) is None:
        m.register_forward_hook(_silence)
    m.register_buffer("neuron_mask", alive)


def hooks_of_others(model: nn.Module) -> dict[str, nn.Module]:
    """The modules, by name, with forward hooks that are not those of hard masks."""
    return {
        name: m
        for name, m in model.named_modules()
        if m._forward_pre_hooks or any(hook is not _silence for hook in m._forward_hooks.values())
    }


def soft(model: nn.Module, names: Iterable[str], masks: Tensors) -> AbstractContextManager[None]:
    """While this is open, the spikes of the neurons of these names are multiplied by their soft masks.

    masks: name of the neurons → their mask at each run, values in [0, 1], of the shape of the neurons.
    """

    def hook(name: str, m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        s = spikes_of(output)
        return with_spikes(output, s * masks[name].to(s.dtype))

    return hooked({model.get_submodule(name): partial(hook, name) for name in names})


def harden(model: nn.Module, masks: Tensors) -> None:
    """Silence neurons for good where their mask, bool of their shape, is False.

    They must have a hard mask: see `attach`.
    """
    for name, mask in masks.items():
        alive = mask_of(model.get_submodule(name))
        assert alive is not None
        alive &= mask


def _silence(m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    s = spikes_of(output)
    return with_spikes(output, s * m.get_buffer("neuron_mask").to(s))
