"""Masks of neurons: soft while a method looks for them, hard from then on. Ref: Shi et al. 2024, Eq. 5 and 7.

A hard mask is `LIF.mask`, which every counter of `snnbook.measure` sees. Neurons of other libraries get a buffer and a
forward hook that stays; it survives copying, pickling and moving to a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.tracing import blocks, mask_of, neurons, spikes_of

SCOPES = ("paper", "released", "all")
_soft: WeakKeyDictionary[nn.Module, tuple[_Gate, RemovableHandle]] = WeakKeyDictionary()  # what is in place


def spiking(model: nn.Module) -> dict[str, nn.Module]:
    """Neurons by name; rectifiers and other modules of torch itself are none."""
    name_of = {m: name for name, m in model.named_modules()}
    return {name_of[m]: m for m in neurons(model) if not type(m).__module__.startswith("torch.")}


def with_spikes(output: Any, s: Tensor) -> Any:
    """What neurons put out, with `s` in the place of its spikes."""
    return (s, *output[1:]) if isinstance(output, tuple) else s


def scoped(model: nn.Module, x: Tensor, scope: str) -> list[str]:
    """The neurons behind a layer that paper B masks: all but those behind linear layers ("paper"), also without those
    behind the encoding layer ("released", as in the public code), or "all". Raises UserError if there is none.
    """
    known = spiking(model)
    found: list[str] = []
    for i, block in enumerate(blocks(model, x).values()):
        linear, encoding = len(block.leaving) == 1, i == 0
        if block.neuron in known and (scope == "all" or not (linear or (encoding and scope == "released"))):
            found.append(block.neuron)
    if not found:
        raise UserError("found no spiking neurons to mask; neurons=false masks weights only")
    return list(dict.fromkeys(found))


class _Gate:
    """A hook that multiplies spikes by what `soft` says."""

    def __init__(self, name: str, soft: Callable[[str], Tensor]):
        self.name, self.soft, self.on = name, soft, True

    def __call__(self, m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        s = spikes_of(output)
        return with_spikes(output, s * self.soft(self.name).to(s.dtype)) if self.on else output


def attach(model: nn.Module, name: str, like: Tensor, soft: Callable[[str], Tensor]) -> None:
    """Multiply the spikes of the neurons of that name by what `soft` says of it at each call, until `harden`.

    They also get a hard mask of the shape of `like`, all alive, unless they have one.
    """
    m = model.get_submodule(name)
    if mask_of(m) is None:
        alive = torch.ones_like(like, dtype=torch.bool)
        if isinstance(m, LIF):
            m.mask = alive
        else:
            m.register_buffer("neuron_mask", alive)
            m.register_forward_hook(_silence)
    gate = _Gate(name, soft)
    _soft[m] = gate, m.register_forward_hook(gate)


def harden(model: nn.Module, name: str, mask: Tensor) -> None:
    """Silence the neurons of that name where `mask` is False for good, and take the soft mask off."""
    m = model.get_submodule(name)
    if m in _soft:
        _soft.pop(m)[1].remove()
    alive = mask_of(m)
    assert alive is not None
    alive &= mask


@contextmanager
def lifted(model: nn.Module) -> Iterator[None]:
    """Without soft masks for a while."""
    here = [_soft[m][0] for m in model.modules() if m in _soft]
    try:
        for gate in here:
            gate.on = False
        yield
    finally:
        for gate in here:
            gate.on = True


def _silence(m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    s = spikes_of(output)
    return with_spikes(output, s * m.get_buffer("neuron_mask").to(s.dtype))
