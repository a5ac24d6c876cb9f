"""Scores: how much each weight matters; the weights with the largest scores stay.

A score is a function of the weights by name, floating-point tensors of any shapes, that returns a tensor of the same
shape for each. Scores of different layers are compared with each other, so a score carries the whole policy of a global
method. A method takes the name of one of these scores, or a function of a reader's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from snnbook.errors import UserError, unknown

Tensors = Mapping[str, Tensor]
Score = Callable[[Tensors], Tensors]


def magnitude(weights: Tensors) -> dict[str, Tensor]:
    """|w|: weight name → scores of the weight's shape and type.

    Ref: Han et al. 2015; the criterion of IMP and of paper C Eq. 14.
    """
    return {name: w.detach().abs() for name, w in weights.items()}


def random(weights: Tensors, generator: torch.Generator | None = None) -> dict[str, Tensor]:
    """Uniform noise in [0, 1): weight name → float32 scores of the weight's shape. The baseline of all scores.

    It is drawn on the CPU, from torch's own generator if none is given, so that every device gets the same.
    """
    return {name: torch.rand(w.shape, generator=generator).to(w.device) for name, w in weights.items()}


def lamp(weights: Tensors) -> dict[str, Tensor]:
    """w[u]^2 / sum of w[v]^2 over all v of the same layer with |w[v]| >= |w[u]|: name → float64 scores in [0, 1].

    Equal weights are ranked in order of position. The largest weight of every layer scores 1, so no layer is ever
    emptied; zeros score 0. The sums are taken in float64: in float32 they lose the top scores of layers beyond a few
    million weights.
    Ref: Lee et al. 2020; paper A Eq. 1, whose Algorithm 1 divides by the wrong tail.
    """
    return {name: _lamp(w.detach()) for name, w in weights.items()}


def lamp_printed(weights: Tensors) -> dict[str, Tensor]:
    """w[u]^2 / sum of w[v]^2 over all v of the same layer with |w[v]| <= |w[u]|: name → float64 scores in [0, 1].

    The smallest nonzero weight of every layer scores 1, and a weight that is large among its like scores little, so
    that pruning the lowest scores removes large weights. Zeros score 0.
    Ref: paper A Algorithm 1, lines 21 to 23, to the letter: a control.
    """
    return {name: _lamp(w.detach(), descending=False) for name, w in weights.items()}


def _lamp(w: Tensor, descending: bool = True) -> Tensor:
    squares = w.flatten().double().square()
    ordered, order = squares.sort(descending=descending, stable=True)
    # Ranked from the largest, the sum over all weights at least as large is a running sum.
    scores = torch.empty_like(squares)
    scores[order] = ordered / ordered.cumsum(0).clamp_min(torch.finfo(torch.float64).tiny)
    return scores.view(w.shape)


SCORES: dict[str, Callable[[Tensors, torch.Generator], dict[str, Tensor]]] = {
    "magnitude": lambda weights, _: magnitude(weights),
    "lamp": lambda weights, _: lamp(weights),
    "lamp_printed": lambda weights, _: lamp_printed(weights),
    "random": random,
}


def scored(score: str | Score, weights: Tensors, generator: torch.Generator) -> Tensors:
    """The scores of `weights` (name → tensor) by a name of SCORES, which may draw from `generator`, or by a function.

    Raises UserError for an unknown name, and for a function that returns no tensor of a weight's shape.
    """
    if isinstance(score, str):
        if score not in SCORES:
            raise unknown("score", score, SCORES)
        return SCORES[score](weights, generator)
    scores = score(weights)
    for name, w in weights.items():
        shape = getattr(scores.get(name), "shape", None)
        if shape != w.shape:
            raise UserError(f"a score of {name} must have its shape {tuple(w.shape)}, got {shape and tuple(shape)}")
    return {name: scores[name] for name in weights}
