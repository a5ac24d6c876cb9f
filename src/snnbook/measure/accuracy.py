"""Accuracy in percent, over all steps and after each; the output of a network is its mean over steps."""

from __future__ import annotations

import torch
from torch import Tensor

from snnbook.errors import UserError


def checked(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits `[T, N, K]` in float64 and labels `[N]` on one device; UserError if they do not fit."""
    labels = torch.as_tensor(labels, device=logits.device)
    if logits.dim() != 3 or 0 in logits.shape:
        raise UserError(f"logits must be [T, N, K] and not empty, got {tuple(logits.shape)}")
    if labels.shape != logits.shape[1:2]:
        raise UserError(f"labels must be [{logits.shape[1]}] for these logits, got {tuple(labels.shape)}")
    if labels.is_floating_point() or labels.min() < 0 or labels.max() >= logits.shape[2]:
        raise UserError(f"labels must be whole numbers from 0 to {logits.shape[2] - 1}")
    return logits.detach().double(), labels.long()


def running_mean(logits: Tensor) -> Tensor:
    """Mean of the outputs of steps 1 to t, for each t: `[T, N, K]` → `[T, N, K]`."""
    steps = torch.arange(1, len(logits) + 1, dtype=logits.dtype, device=logits.device)
    return logits.cumsum(0) / steps[:, None, None]


def _hits(outputs: Tensor, labels: Tensor, k: int) -> Tensor:
    """Whether the label is among the k largest outputs `[..., N, K]`.

    Spike counts often tie; of equal outputs the lower class comes first. An output with NaN is never a hit.
    """
    classes = torch.arange(outputs.shape[-1], device=outputs.device)
    own = outputs.gather(-1, labels.expand(outputs.shape[:-1]).unsqueeze(-1))
    ahead = (outputs > own) | ((outputs == own) & (classes < labels[:, None]))
    return (ahead.sum(-1) < k) & ~outputs.isnan().any(-1)


def accuracy(logits: Tensor, labels: Tensor, k: int = 1) -> float:
    """Top-k accuracy in percent of outputs `[T, N, K]` averaged over steps, labels `[N]`.

    Raises UserError for shapes or labels that do not fit and for k outside 1 to K.
    """
    logits, labels = checked(logits, labels)
    if not 1 <= k <= logits.shape[2]:
        raise UserError(f"k must be from 1 to {logits.shape[2]} classes, got {k}")
    return 100 * _hits(logits.mean(0), labels, k).double().mean().item()


def accuracy_per_step(logits: Tensor, labels: Tensor) -> Tensor:
    """Top-1 accuracy in percent after each step, of the running mean of `[T, N, K]`: float64 `[T]`.

    Raises UserError as `accuracy` does.
    """
    logits, labels = checked(logits, labels)
    return 100 * _hits(running_mean(logits), labels, 1).double().mean(1)
