"""From a data set to the batches that a network takes, and what a network puts out for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from numbers import Integral
from typing import Any, TypeVar

import torch
from torch import Tensor

from snnbook.datasets import FrameSet
from snnbook.errors import UserError
from snnbook.tracing import Place

Item = TypeVar("Item")


def first_samples(data: FrameSet, n: int, T: int, place: Place) -> tuple[Tensor, Tensor]:
    """The first n samples and their labels as a network at `place` takes them, see `first` and `to_network`."""
    x, y = first(data, n)
    return to_network(x, T, *place), y.to(place[0])


def to_network(x: Tensor, T: int, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> Tensor:
    """A batch of a data set in the form that networks take: static `[N, C, H, W]`, events `[T, N, C, H, W]`.

    x: `[N, C, H, W]`, or events `[N, T', C, H, W]`, of which the first `T` steps are taken. dtype: the type of number
    that the network takes; None leaves it. The layout in memory is channels-last, which the convolutions of a CPU
    prefer. Raises UserError for a batch with other axes.
    """
    if x.dim() not in (4, 5):
        raise UserError(f"a sample is [C, H, W] or [T, C, H, W], and these have the shape {tuple(x.shape[1:])}")
    if x.dim() == 4:
        return x.to(device, dtype).contiguous(memory_format=torch.channels_last)
    x = x[:, :T].to(device, dtype).transpose(0, 1)
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2])


def batches(n: int, size: int, generator: torch.Generator | None = None, least: int = 1) -> Iterator[Tensor]:
    """The indices of batches of `size` samples that cover `range(n)` once: int64 `[size]`, the last may be shorter.

    They are shuffled if a generator is given. least: a last batch of fewer samples joins the one before it.
    """
    order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
    *whole, last = order.split(size)
    if whole and len(last) < least:
        last = torch.cat([whole.pop(), last])
    yield from (*whole, last)


def fetch(data: FrameSet, index: Tensor) -> tuple[Tensor, Tensor]:
    """The samples of a batch, float32 `[N, C, H, W]` or `[N, T, 2, H, W]`, and their labels, int64 `[N]`.

    index: which samples, int64 `[N]`.
    """
    return next(read(data, [index]))


def read(data: FrameSet, indices: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches that `indices` name, as `FrameSet.read` gives them; any map-style data set of torch will do."""
    if isinstance(data, FrameSet):
        return data.read(indices)
    return (_stacked(data, index.tolist()) for index in indices)


def _stacked(data: Any, index: list[int]) -> tuple[Tensor, Tensor]:
    samples, labels = zip(*(data[i] for i in index), strict=True)
    samples = tuple(torch.as_tensor(x) for x in samples)
    for i, x, y in zip(index, samples, labels, strict=True):
        if x.shape != samples[0].shape:
            raise UserError(
                f"sample {i} has the shape {tuple(x.shape)}, and sample {index[0]} {tuple(samples[0].shape)}"
            )
        if torch.as_tensor(y).numel() != 1 or int(y) != y:
            raise UserError(f"the label of sample {i} must be a whole number, the number of its class, got {y!r}")
    return torch.stack(samples), torch.tensor([int(y) for y in labels])


def first(data: FrameSet, n: int) -> tuple[Tensor, Tensor]:
    """The samples and labels of `data.head(n)`, as `fetch` gives them: all if there are fewer than n.

    Raises UserError for n < 1.
    """
    return fetch(data, data.head_indices(n) if isinstance(data, FrameSet) else torch.arange(min(n, len(data))))


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items of an iterator in order; a thread of its own makes the next one while one is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def check_steps_shown(data: FrameSet, T: int) -> None:
    """Raise UserError for a data set without samples, and for a T that is no number of steps or more than they have."""
    if not isinstance(T, Integral) or T < 1:
        raise UserError(f"T must be a whole number of time steps, at least 1, got {T!r}")
    if not len(data):
        raise UserError("the data set is empty")
    shape = tuple(first(data, 1)[0].shape[1:])
    if len(shape) == 4 and shape[0] < T:
        raise UserError(f"T is {T} time steps, and samples of the shape {shape} have {shape[0]}")


def checked_labels(y: Tensor, classes: int) -> Tensor:
    """The labels, int64 `[N]`, if all are classes. Raises UserError with the first that is none."""
    if (bad := ((y < 0) | (y >= classes)).nonzero()).numel():
        raise UserError(f"label {int(y[bad[0]])} is none of the network's {classes} classes, 0 to {classes - 1}")
    return y


def in_precision(x: Tensor, precision: str) -> AbstractContextManager[Any]:
    """While this is open, layers compute in a precision of `training.PRECISIONS`; x: where the network's input lies."""
    return torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16")


def logits_of(output: Any, n: int) -> Tensor:
    """What a network puts out for `n` samples, if it is logits `[T, N, K]`. Raises UserError otherwise."""
    if torch.is_tensor(output) and output.is_floating_point() and output.dim() == 3 and output.shape[1] == n:
        return output
    got = f"a {type(output).__name__}"
    if torch.is_tensor(output):
        got = f"a tensor {tuple(output.shape)} of type {output.dtype}"
    elif isinstance(output, tuple):
        got = f"a tuple of {len(output)} (choose one of them, stacked over the steps)"
    raise UserError(
        f"a network must put out logits [T, N, K], one row of K classes for each step and sample, and for "
        f"{n} samples this one puts out {got}"
    )
