"""How an input is read and cut to be measured: which axis holds the samples, on which device, in which batches."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from snnbook.errors import UserError, unknown
from snnbook.states import reset
from snnbook.tracing import layers, place_of

LAYOUTS = ("TN", "N")


def sample_axis(model: nn.Module, x: Tensor, layout: str | None = None) -> int:
    """The axis of samples of an input: 1 for events `[T, N, *]`, 0 for static input `[N, *]`.

    layout: "TN" for events and "N" for static input. Without it the network's first layer decides: a convolution by the
    number of its axes; a linear layer takes `[T, N, F]` or `[N, F]`, and whole samples of any shape if these have as
    many values as the layer has inputs.
    Raises UserError for an input that fits neither or both, for an unknown layout, for one without samples or steps,
    and for what is no tensor.
    """
    if not isinstance(x, Tensor):
        raise UserError(f"input must be one tensor, [T, N, *] or [N, *], got {type(x).__name__}")
    if layout is not None:
        if layout not in LAYOUTS:
            raise unknown("layout", layout, LAYOUTS)
        axis = len(layout) - 1
    else:
        axis = _axis(next(iter(layers(model).values()), None), tuple(x.shape))
    if x.dim() <= axis + 1:
        raise UserError(f"input must be [T, N, *] or [N, *], got {tuple(x.shape)}")
    if 0 in x.shape[: axis + 1]:
        raise UserError(f"input of shape {tuple(x.shape)} holds no {'sample' if x.shape[axis] == 0 else 'step'}")
    return axis


def _axis(first: nn.Module | None, shape: tuple[int, ...]) -> int:
    if first is not None and not isinstance(first, nn.Linear):
        axes = first.weight.dim() - 1  # type: ignore[operator]  # of one sample
        if len(shape) - axes in (1, 2):
            return len(shape) - axes - 1
        name, sample = type(first).__name__, {2: "C, L", 3: "C, H, W", 4: "C, D, H, W"}[axes]
        raise UserError(f"input must be [T, N, {sample}] or [N, {sample}] for a first layer {name}, got {tuple(shape)}")
    if len(shape) in (2, 3) and (first is None or first.in_features == shape[-1]):
        return len(shape) - 2
    if first is None:
        if len(shape) in (4, 5):
            return len(shape) - 4
    else:
        fits = [axis for axis in (0, 1) if torch.Size(shape[axis + 1 :]).numel() == first.in_features]
        if len(fits) == 1:
            return fits[0]
    raise UserError(
        f'cannot tell whether an input of shape {shape} is [T, N, *] or [N, *]: say layout="TN" or layout="N"'
    )


def batches(model: nn.Module, x: Tensor, batch_size: int | None, axis: int) -> Iterator[Tensor]:
    """Cut `x` along its axis of samples, on the network's device; neurons forget their state before each batch.

    Raises UserError for a batch of less than one sample.
    """
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise UserError(f"batch_size must be at least 1 sample, got {batch_size}")
    for part in x.split(batch_size or x.shape[axis], axis):
        reset(model)
        yield part.to(place_of(model)[0])
