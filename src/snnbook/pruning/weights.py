"""Which weights of a network methods prune, and which networks they refuse before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnbook.errors import UserError
from snnbook.tracing import TRANSPOSED, layers, plain, span, weight_of, weights

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def prunable(model: nn.Module) -> dict[str, Tensor]:
    """The weights that methods prune, by name: all that `tracing.weights` lists but the frozen, a shared one once.

    Biases and batch norm are never pruned (papers A, B and C). Weights that are frozen (`requires_grad=False`) are left
    alone: see `frozen`. Raises UserError if there is none, and for one that is lazy and not yet built, computed from
    others, of a type or layout in memory that cannot hold a mask, in the memory of another parameter, or holds NaN.
    """
    model = plain(model)
    listed, parameters = weights(model), dict(model.named_parameters(remove_duplicate=False))
    if not listed:
        raise UserError("nothing to prune: the network has no convolution, no linear layer and no other weights")
    kept = {}
    for name, w in listed.items():
        if nn.parameter.is_lazy(w):
            raise UserError(f"{name} is lazy and has no values yet: run the network once before pruning it")
        if parameters.get(name) is w:
            trained = w.requires_grad
        elif trained := any(p.requires_grad for p in _sources(model, name)):
            by, undo = computed_by(model, name)
            raise UserError(
                f"{name} is computed from other parameters by {by}, so zeros in it would not last: first {undo}"
            )
        if trained:
            _check(name, w)
            kept[name] = w
    if not kept:
        raise UserError(f"nothing to prune: all weights are frozen (requires_grad=False): {', '.join(listed)}")
    _check_memory(kept, dict(model.named_parameters()))
    return kept


def frozen(model: nn.Module) -> list[str]:
    """The names of the weights that methods leave alone because they are not trained (`requires_grad=False`)."""
    trained = prunable(model)
    return [name for name in weights(plain(model)) if name not in trained]


def weight_names(model: nn.Module) -> dict[str, str]:
    """Layer → the name under which its weight is listed: its own, or that of the first place that shares it."""
    first = {w: name for name, w in weights(model).items()}
    return {name: first.get(m.weight, weight_of(name)) for name, m in layers(model).items()}  # type: ignore[arg-type]


def check_layers(model: nn.Module, what: str) -> None:
    """Raise UserError for a prunable weight that is of no convolution and of no linear layer.

    what: the thing that a method knows of layers only, the beginning of the message.
    """
    known = set(weight_names(model).values())
    for name in prunable(model):
        if name not in known:
            kind = type(model.get_submodule(name.rpartition(".")[0])).__name__
            raise UserError(
                f"{what} is known of convolutions and linear layers, and {name} is of neither ({kind}): "
                "choose a method that needs no layers, such as lamp, or freeze it with requires_grad_(False)"
            )


def multiply(layer: Any, x: Tensor, weight: Tensor) -> Tensor:
    """What a layer makes of an input without its bias and with another weight, of the same axes and groups."""
    if isinstance(layer, nn.Linear):
        return F.linear(x, weight)
    x = x.reshape(-1, *x.shape[1 - weight.dim() :])
    if not isinstance(layer, TRANSPOSED):
        return layer._conv_forward(x, weight, None)
    convolve: Any = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[weight.dim() - 3]
    return convolve(x, weight, None, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)


def _sources(model: nn.Module, name: str) -> list[nn.Parameter]:
    """The parameters that a weight is computed from."""
    path, _, leaf = name.rpartition(".")
    own = model.get_submodule(path).named_parameters()
    return [p for source, p in own if source.startswith((f"parametrizations.{leaf}.", f"{leaf}_"))]


def computed_by(model: nn.Module, name: str) -> tuple[str, str]:
    """What computes a weight that is no parameter, and the code that makes it one again in a network `model`."""
    path, _, leaf = name.rpartition(".")
    m = model.get_submodule(path)
    utils, layer = "torch.nn.utils", f'model.get_submodule("{path}")'
    if nn.utils.parametrize.is_parametrized(m, leaf):
        by = type(m.parametrizations[leaf][0]).__name__.lstrip("_")  # type: ignore[index]
        undo = f'{utils}.parametrize.remove_parametrizations({layer}, "{leaf}")'
    elif hasattr(m, f"{leaf}_mask"):
        by, undo = f"{utils}.prune", f'{utils}.prune.remove({layer}, "{leaf}")'
    elif hasattr(m, f"{leaf}_g"):
        by, undo = f"{utils}.weight_norm", f'{utils}.remove_weight_norm({layer}, "{leaf}")'
    elif hasattr(m, f"{leaf}_u"):
        by, undo = f"{utils}.spectral_norm", f'{utils}.remove_spectral_norm({layer}, "{leaf}")'
    else:
        by, undo = "its module", "make it a torch.nn.Parameter"
    return by, undo


def _check(name: str, w: Tensor) -> None:
    """Raise UserError for a weight that cannot hold a mask, and for one with NaN."""
    if w.dtype not in DTYPES:
        raise UserError(f"{name} is of type {w.dtype}; methods prune {', '.join(map(str, DTYPES))}")
    if w.layout != torch.strided or w.numel() > span(w)[1] - span(w)[0]:
        raise UserError(
            f"several entries of {name} are one number in memory: make it a parameter of its own by .clone()"
        )
    if not w.is_meta and torch.isnan(w).any():
        raise UserError(f"{name} holds NaN, so nothing can be ranked")


def _check_memory(kept: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> None:
    """Raise UserError for a weight that lies in the memory of another parameter, in part or whole."""
    homes: dict[int, list[str]] = {}
    for name, p in parameters.items():
        if not (nn.parameter.is_lazy(p) or p.is_meta or p.layout != torch.strided or not p.numel()):
            homes.setdefault(p.untyped_storage().data_ptr(), []).append(name)
    ids = {id(w) for w in kept.values()}
    for names in homes.values():
        for a, b in combinations(names, 2):
            p, q = parameters[a], parameters[b]
            if {id(p), id(q)} & ids and _overlap(p, q):
                raise UserError(
                    f"{a} and {b} are two parameters in one piece of memory, so a mask of one would cut the other: "
                    "share the parameter itself, or give each its own by .clone()"
                )


def _overlap(p: Tensor, q: Tensor) -> bool:
    """Whether two tensors of one storage have a place in common."""
    (a, b), (c, d) = span(p), span(q)
    if p.dtype != q.dtype:
        return True
    if b <= c or d <= a:
        return False
    places = torch.arange(max(b, d))
    one, other = (places.as_strided(t.shape, t.stride(), t.storage_offset()).flatten() for t in (p, q))
    return bool(torch.isin(one, other).any())
