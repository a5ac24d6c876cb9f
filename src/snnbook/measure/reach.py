"""Which values a gradient must name to say what reaches a neuron: all of a window, whatever slope a map has there."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from snnbook.errors import UserError

# What autograd notes for operations that pass a map on as it is.
_STRAIGHT = {
    *("Relu", "Gelu", "Silu", "Mish", "Elu", "Celu", "LeakyRelu", "PreluKernel", "Softplus", "Tanh", "Sigmoid", "Erf"),
    *("Hardtanh", "Hardsigmoid", "Hardswish", "Clamp", "ClampMin", "ClampMax", "Pow", "Sqrt", "Exp", "Abs"),
    *("Neg", "Sin", "Cos", "Log1P", "LogSigmoid", "NativeBatchNorm", "NativeLayerNorm", "NativeGroupNorm"),
    *("Softmax", "LogSoftmax", "Log", "Threshold", "Hardshrink", "Softshrink"),
}
_ORDERINGS = {"Sort", "Topk", "Median", "Nanmedian", "Kthvalue", "Mode", "MaxUnpool2D", "MaxUnpool3D"}
_STATISTICS = {"Rsqrt", "Reciprocal", "Std", "Var", "StdMean", "VarMean", "LinalgVectorNorm"}  # which only scale
_MAX_POOLS: dict[str, Any] = {"MaxPool2DWithIndices": F.avg_pool2d, "MaxPool3DWithIndices": F.avg_pool3d}
_ADAPTIVE: dict[str, Any] = {"AdaptiveMaxPool2D": F.adaptive_avg_pool2d, "AdaptiveMaxPool3D": F.adaptive_avg_pool3d}
_MAXIMA = {"Max", "Min", "Amax", "Amin"}


def straighten(node: Any) -> None:
    """Have the gradients of a graph name all that reaches a value.

    The gradient of a sigmoid is zero where it is one, and that of a maximum names one input of the window.
    """
    seen, todo = {None}, [node]
    while todo:
        if (node := todo.pop()) in seen:
            continue
        seen.add(node)
        todo.extend(before for before, _ in node.next_functions)
        kind = node.name().partition("Backward")[0]
        if kind in _STRAIGHT:
            node.register_hook(lambda into, out: (out[0], *into[1:]))
        elif kind in ("Maximum", "Minimum", "Sub", "Rsub"):
            node.register_hook(
                lambda into, out: tuple(None if g is None else out[0].sum_to_size(g.shape) for g in into)
            )
        elif kind in _ORDERINGS:
            raise UserError(f"cannot tell which neurons are behind {kind.lower()}, and some are masked")
        elif kind in _STATISTICS:
            node.register_hook(lambda into, out: tuple(None if g is None else torch.zeros_like(g) for g in into))
        elif kind == "Div" and len(node.next_functions) == 2:
            node.register_hook(lambda into, out: (into[0], None if into[1] is None else torch.zeros_like(into[1])))
        elif kind in _MAX_POOLS or kind in _ADAPTIVE or kind in _MAXIMA:
            node.register_hook(partial(_shared_out, kind, node))


def _shared_out(kind: str, node: Any, into: tuple[Any, ...], out: tuple[Any, ...]) -> tuple[Any, ...]:
    """What an average would send back in the place of a maximum."""
    if kind in _MAXIMA:
        grad, axes = out[0], getattr(node, "_saved_dim", ())
        axes = [(d + 2**63) % 2**64 - 2**63 for d in ((axes,) if isinstance(axes, int) else axes)]  # unsigned
        if not getattr(node, "_saved_keepdim", True):
            for d in sorted(d % into[0].dim() for d in axes):
                grad = grad.unsqueeze(d)
        return grad.expand_as(into[0]), *into[1:]
    with torch.enable_grad():
        x = torch.zeros_like(into[0]).requires_grad_()
        if kind in _ADAPTIVE:
            mean = _ADAPTIVE[kind](x, out[0].shape[-2 if "2D" in kind else -3 :])
        else:
            if any(d != 1 for d in node._saved_dilation):
                raise UserError("cannot tell which neurons are behind a dilated max pooling, and some are masked")
            window = node._saved_kernel_size, node._saved_stride or None, node._saved_padding, node._saved_ceil_mode
            mean = _MAX_POOLS[kind](x, *window)
    return torch.autograd.grad(mean, x, out[0])
