"""How much a network knows after each step: divergence from the labels, decision step, Fisher trace.

Ref: paper A Eq. 7-9 and 16. In all of them p(y | x_1:t) is the softmax of the mean output of steps 1 to t.
Eq. 7 as printed is infinite, since a one-hot label has zeros where the model has none; hence the variants
of `kl_curve`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnbook.errors import UserError, unknown
from snnbook.measure import passes
from snnbook.measure.accuracy import checked, running_mean
from snnbook.tracing import layers, measuring, plain

VARIANTS = ("smoothed", "released", "reverse")


def kl_curve(logits: Tensor, labels: Tensor, variant: str = "smoothed", eps: float = 1e-3) -> Tensor:
    """Divergence of outputs `[T, N, K]` up to each step from labels `[N]`, in nats, mean over samples: `[T]`.

    With p the model and y the one-hot label, "smoothed" is KL(p || q), q = (1 - eps) y + eps / K (paper A
    Eq. 7 made finite); "released" is KL(softmax(y) || p), as in the paper's public code but for its factor
    1e4; "reverse" is KL(y || p), the cross-entropy. Float64. Raises UserError for an unknown variant,
    shapes or labels that do not fit, and eps outside (0, 1].
    """
    if variant not in VARIANTS:
        raise unknown("variant", variant, VARIANTS)
    logits, labels = checked(logits, labels)
    log_p = F.log_softmax(running_mean(logits), -1)
    y = F.one_hot(labels, logits.shape[2]).double()
    if variant == "smoothed":
        if not 0 < eps <= 1:
            raise UserError(f"eps must be in (0, 1], got {eps}")
        log_q = ((1 - eps) * y + eps / y.shape[1]).log()
        kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    elif variant == "released":
        kl = (y.softmax(-1) * (y.log_softmax(-1) - log_p)).sum(-1)
    else:
        kl = -(y * log_p).sum(-1)
    return kl.mean(1)


def _curve(kl: Tensor | np.ndarray | Sequence[float]) -> Tensor:
    curve = torch.as_tensor(kl, dtype=torch.float64).detach()
    if curve.dim() != 1 or not len(curve):
        raise UserError(f"a curve must be [T] with T of at least 1, got {tuple(curve.shape)}")
    if not curve.isfinite().all():
        raise UserError("the curve holds values that are not finite")
    return curve


def normalise(kl: Tensor | np.ndarray | Sequence[float]) -> Tensor:
    """Min-max normalisation of a curve `[T]` to [0, 1]; a constant curve becomes zeros. Ref: paper A Eq. 8.

    Raises UserError for a curve that is not one axis of finite numbers.
    """
    curve = _curve(kl)
    span = curve.max() - curve.min()
    return (curve - curve.min()) / span if span > 0 else torch.zeros_like(curve)


def decision_timestep(kl: Tensor | np.ndarray | Sequence[float], lam: float) -> int:
    """First step, counted from 1, with a normalised divergence below `lam`; T if none. Ref: paper A Eq. 9.

    Takes the curve as `kl_curve` gives it. The minimum is 0 after normalisation, so T by default is reached
    only for lam = 0 and for a constant curve, in which no step is better than another and nothing may be
    cut off.
    Raises UserError for lam < 0 or NaN and as `normalise` does.
    """
    if not lam >= 0:
        raise UserError(f"lam must be 0 or more, got {lam}")
    curve = _curve(kl)
    below = (normalise(curve) < lam).nonzero()
    return int(below[0]) + 1 if len(below) and curve.max() > curve.min() else len(curve)


def fisher_trace(model: nn.Module, x: Tensor, y: Tensor, layout: str | None = None) -> Tensor:
    """Trace of the empirical Fisher information after each step: float64 `[T]`. Ref: paper A Eq. 16.

    The mean over samples of the squared norm of grad log p(y | x_1:t), over all trainable parameters, at
    the labels `[N]`, one sample at a time and in evaluation mode, so that normalisation mixes no samples.
    x: events `[T, N, *]` or static input `[N, *]`; layout says which, see `passes.sample_axis`. One forward and T
    backward passes a sample; gradients stored in the network stay as they are. Raises UserError for inputs and labels
    that do not fit and outputs other than `[T, N, K]`.
    """
    model = plain(model)
    axis = passes.sample_axis(model, x, layout)
    y = torch.as_tensor(y)
    if y.shape != (x.shape[axis],):
        raise UserError(f"labels must be [{x.shape[axis]}] for this input, got {tuple(y.shape)}")
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise UserError("the network has no trainable parameter")
    traces = []
    with measuring(model), torch.enable_grad():
        for sample, label in zip(passes.batches(model, x, 1, axis), y.tolist(), strict=True):
            logits = model(sample)
            checked(logits, torch.tensor([label]))
            log_p = F.log_softmax(running_mean(logits), -1)[:, 0, label]
            traces.append(torch.stack([_square_norm(lp, parameters) for lp in log_p]))
    return torch.stack(traces).mean(0).cpu()


TAYLOR = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)


@torch.no_grad()
def taylor(
    model: nn.Module, x: Tensor, generator: torch.Generator, sizes: Sequence[float] = TAYLOR
) -> tuple[Tensor, Tensor]:
    """KL[p(theta) || p(theta + d)] after each step, and half its quadratic form d' F d: two float64 `[sizes, T]`.

    d is one random direction in the weights of the last layer, each size as a share of their norm; F is the Fisher
    information of the model's own distribution, so that d' F d is the variance over classes of the outputs' change.
    Spikes are no smooth function of the weights before them, the currents of a last layer without neurons are linear in
    its own. x: `[T, N, *]` or `[N, *]`, taken in evaluation mode; mean over samples. Ref: paper A Eq. 15.
    Raises UserError where the outputs are not linear in these weights.
    """
    last = list(layers(model).values())[-1].weight
    assert isinstance(last, Tensor)
    with measuring(model):

        def logits() -> Tensor:
            return running_mean(model(x).double())

        kept, before = last.clone(), logits()
        d = torch.randn(last.shape, generator=generator, dtype=torch.float64)
        d = (d * kept.double().norm().cpu() / d.norm()).to(kept)
        try:
            last.copy_(kept + d)
            change = logits() - before
            last.copy_(kept - d)
            if not torch.allclose(before - logits(), change, atol=1e-3 * float(change.abs().max())):
                raise UserError("the outputs are not linear in the weights of the last layer: neurons are behind it")
        finally:
            last.copy_(kept)
    log_p = F.log_softmax(before, -1)
    p = log_p.exp()
    variance = (p * change.square()).sum(-1) - (p * change).sum(-1).square()
    kl = [(p * (log_p - F.log_softmax(before + size * change, -1))).sum(-1).mean(1) for size in sizes]
    return torch.stack(kl).cpu(), torch.stack([0.5 * size**2 * variance.mean(1) for size in sizes]).cpu()


def _square_norm(value: Tensor, parameters: list[nn.Parameter]) -> Tensor:
    grads = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    return torch.stack([g.double().square().sum() for g in grads if g is not None]).sum()
