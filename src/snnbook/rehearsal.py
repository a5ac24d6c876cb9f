"""Before a training, one sample passes through the network: what cannot work is refused while nothing has changed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from snnbook.datasets import FrameSet
from snnbook.errors import UserError, first_line
from snnbook.feeding import check_steps_shown, checked_labels, first_samples, in_precision, logits_of
from snnbook.pruning import frozen, prunable
from snnbook.states import reset
from snnbook.tracing import measuring, place_of, running, uncompiled


def rehearsed(model: nn.Module, data: FrameSet, precision: str, T: int) -> int:
    """Try what a training needs, and change nothing; returns the number of classes.

    precision: of the forward pass, as in `Recipe`. T: number of time steps. Raises UserError for a network that cannot
    be pruned, whose numbers are not float32 or not on one device, which has weights that a forward pass does not use,
    or which does not take the samples; and for labels that are none of its classes.
    """
    weights = prunable(model)
    check_steps_shown(data, T)
    for name, p in model.named_parameters():
        if p.dtype != torch.float32:
            raise UserError(
                f"{name} is {str(p.dtype).removeprefix('torch.')}: training keeps weights in float32 (call "
                'model.float()); precision="bfloat16" computes layers in half the bits'
            )
    places = {p.device: name for name, p in model.named_parameters()}
    if len(places) > 1 or "meta" in {device.type for device in places}:
        where = ", ".join(f"{name} on {device}" for device, name in places.items())
        raise UserError(f"a network must be on one device, and have values: {where}")
    if left := frozen(model):
        warnings.warn(f"frozen weights are left alone (requires_grad=False): {', '.join(left)}", stacklevel=3)
    n = 2 if T == 1 else 1  # as many samples as there are steps would hide a wrong axis
    x, y = first_samples(data, n, T, place_of(model))
    with _own_noise(x), measuring(model), torch.enable_grad(), _Used(weights) as used:
        logits = logits_of(_run(model, x, precision), len(y))
    if unused := [name for name in weights if name not in used.names]:
        raise UserError(
            f"a forward pass does not use {', '.join(unused)}, and weights that compute nothing would count as pruned: "
            "remove these layers or freeze them with requires_grad_(False)"
        )
    checked_labels(data.y if isinstance(data, FrameSet) else y, logits.shape[2])
    return logits.shape[2]


def least_batch(model: nn.Module, data: FrameSet, size: int, T: int) -> int:
    """The least number of samples of a batch: 2, with a warning, if the last one has 1 and the network refuses it.

    Raises UserError if all batches have one.
    """
    if len(data) % size != 1 and size != 1:
        return 1
    if (failure := _alone(model, first_samples(data, 1, T, place_of(model))[0])) is None:
        return 1
    if len(data) == 1 or size == 1:
        raise UserError(f"a batch of one sample is too small for this network, use a larger batch_size: {failure}")
    warnings.warn("the last sample joins the batch before it: a batch norm cannot take it alone", stacklevel=3)
    return 2


def _own_noise(x: Tensor) -> AbstractContextManager[None]:
    """While this is open, what a network draws leaves torch's generators as they were."""
    return torch.random.fork_rng([x.device] if x.is_cuda else [])


class _Used(TorchFunctionMode):
    """While this is open, `names` collects which of some weights are given to any function of torch."""

    def __init__(self, weights: Mapping[str, Tensor]):
        super().__init__()
        self._name_of = {id(w): name for name, w in weights.items()}
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") != "__get__" or torch.is_tensor(result):  # a look at the shape is no use
            self._see((args, *(kwargs or {}).values()))
        return result

    def _see(self, values: Iterable[Any]) -> None:
        for value in values:
            if isinstance(value, list | tuple):
                self._see(value)
            elif id(value) in self._name_of:
                self.names.add(self._name_of[id(value)])


def _run(model: nn.Module, x: Tensor, precision: str) -> Any:
    """What a network puts out. Raises UserError with the path of the module that does not take what it is given."""
    name_of = {m: name for name, m in model.named_modules()}
    with running(model) as entered:
        try:
            with in_precision(x, precision):
                return model(x)
        except UserError:
            raise
        except (RuntimeError, ValueError, IndexError, TypeError, AttributeError, AssertionError) as err:
            at = f"{name_of[entered[-1]] or 'its root'} ({type(entered[-1]).__name__})" if entered else "its root"
            raise UserError(
                f"the network fails on a batch of shape {tuple(x.shape)} in {precision}, in {at}: {first_line(err)}"
            ) from err


def _alone(model: nn.Module, x: Tensor) -> str | None:
    """Why a norm does not take a batch of one sample in training, None if it does; the network stays as it was."""
    modes, buffers = [(m, m.training) for m in model.modules()], [(b, b.clone()) for b in model.buffers()]
    try:
        with _own_noise(x), torch.no_grad(), uncompiled(model):
            reset(model)
            model.train()(x)
    except ValueError as err:
        if "more than 1" not in str(err):
            raise
        return str(err)
    finally:
        reset(model)
        for m, training in modes:
            m.training = training
        for buffer, value in buffers:
            buffer.copy_(value)
    return None
