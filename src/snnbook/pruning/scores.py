"""Scores: how much each weight matters, larger = keep. Dict of tensors in, dict of tensors of the same shapes out.

Scores of different layers are compared with each other, so a score carries the whole policy of a global method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]
Score = Callable[[Tensors, torch.Generator], dict[str, Tensor]]


def magnitude(weights: Tensors) -> dict[str, Tensor]:
    """|w|, compared over all layers. Ref: Han et al. 2015; the criterion of IMP and of paper C Eq. 14."""
    return {name: w.detach().abs() for name, w in weights.items()}


def random(weights: Tensors, generator: torch.Generator | None = None) -> dict[str, Tensor]:
    """Uniform noise: the baseline that any score has to beat."""
    return {name: torch.rand(w.shape, generator=generator).to(w.device) for name, w in weights.items()}


def lamp(weights: Tensors) -> dict[str, Tensor]:
    """w[u]^2 / sum of w[v]^2 over all v of the same layer with |w[v]| >= |w[u]| (ranks, ties in order of position).

    The largest weight of every layer scores 1, so no layer is ever emptied. Zeros score 0. The suffix sums are taken
    in float64: in float32 they lose the top scores of layers beyond a few million weights.
    Ref: Lee et al. 2020; paper A Eq. 1, whose Algorithm 1 divides by the wrong tail.
    """
    return {name: _lamp(w.detach()) for name, w in weights.items()}


def lamp_printed(weights: Tensors) -> dict[str, Tensor]:
    """w[u]^2 / sum of w[v]^2 over all v of the same layer with |w[v]| <= |w[u]|; zeros score 0.

    The smallest weight of every layer scores 1 and the others the less the larger they are among their like, so that
    pruning the lowest scores removes large weights. Ref: paper A Algorithm 1, lines 21 to 23, to the letter: a control.
    """
    return {name: _lamp(w.detach(), descending=False) for name, w in weights.items()}


def _lamp(w: Tensor, descending: bool = True) -> Tensor:
    squares = w.flatten().double().square()
    ordered, order = squares.sort(descending=descending, stable=True)
    # Ranked from the largest, the sum over all weights at least as large is a running sum.
    scores = torch.empty_like(squares)
    scores[order] = ordered / ordered.cumsum(0).clamp_min(torch.finfo(torch.float64).tiny)
    return scores.view(w.shape)


SCORES: dict[str, Score] = {
    "magnitude": lambda weights, _: magnitude(weights),
    "lamp": lambda weights, _: lamp(weights),
    "lamp_printed": lambda weights, _: lamp_printed(weights),
    "random": random,
}
