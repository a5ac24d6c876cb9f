"""What neurons of other libraries keep from one pass to the next, and how they forget it; `LIF` keeps nothing.

A state that nobody clears makes a count depend on what ran before. So a network whose state cannot be cleared is
refused by the name of the module that keeps it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError

# SpikingJelly, Rockpool, sinabs, snnTorch, BindsNET, BrainCog; the first that takes no argument is called.
RESETS = ("reset", "reset_state", "reset_states", "reset_mem", "reset_state_variables", "n_reset")

_INTERNAL = frozenset(vars(nn.Module())) | {"_compiled_call_impl"}
_PLAIN = (bool, int, float, complex, str, bytes)
_DEPTH = 4  # of containers and objects around a tensor that are looked into


def reset(model: nn.Module) -> None:
    """Have neurons that keep a state forget it: every module with one of `RESETS` that takes no argument.

    Raises UserError for a reset that changes weights, naming its module; the weights are then as they were.
    """
    for path, m in model.named_modules():
        if name := _reset_of(type(m)):  # type: ignore[arg-type]
            _forget(m, path, name)


@contextmanager
def forgetting(model: nn.Module) -> Iterator[None]:
    """Neurons forget their state on entering and on leaving.

    Raises UserError on leaving, if nothing else went wrong, for a module whose outputs depend on what ran before: some
    of what it holds has changed while this was open, is not cleared by `reset`, and changes its outputs for one input.
    """
    reset(model)
    if not (suspects := foreign(model)):
        yield
        return
    before = {path: _held(m) for path, m in suspects.items()}
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def keep(m: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not calls:
            calls.append((args, kwargs))

    handle = model.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
        reset(model)
    changed = {path: m for path, m in suspects.items() if not _same(before[path], _held(m))}
    if changed and calls and (path := _remembering(model, changed, *calls[0])) is not None:
        raise _unforgetting(path, changed[path])


def foreign(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that are neither of torch nor of this package, and may keep a state, by name."""
    return {path: m for path, m in model.named_modules() if _library(m) not in ("torch", "snnbook")}


@cache
def _reset_of(cls: Any) -> str | None:
    """The method of `RESETS` by which modules of a class forget their state."""
    return next((name for name in RESETS if (f := _method(cls, name)) and not _needed(f)), None)


def _method(cls: Any, name: str) -> Any:
    return f if inspect.isfunction(f := getattr(cls, name, None)) else None


def _needed(method: Any) -> list[str]:
    """The arguments that a method cannot be called without."""
    own = list(inspect.signature(method).parameters.values())[1:]
    return [p.name for p in own if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _forget(m: nn.Module, path: str, name: str) -> None:
    owned = [(owner, key, p) for _, owner in m.named_modules() for key, p in owner._parameters.items()]
    kept = [
        (owner, key, p, p._version, p.detach().clone())
        for owner, key, p in owned
        if p is not None and not nn.parameter.is_lazy(p)
    ]
    getattr(m, name)()
    drawn = [
        owner._parameters.get(key) is not p or (p._version != version and not torch.equal(p, value))
        for owner, key, p, version, value in kept
    ]
    if any(drawn):
        with torch.no_grad():
            for owner, key, p, _, value in kept:
                p.copy_(value)
                owner._parameters[key] = p
        raise UserError(
            f"{_named(path, m)} has a method {name}() that changes weights, so it is not called to make neurons forget "
            "their state: give it another name"
        )


def _library(m: nn.Module) -> str:
    return type(m).__module__.split(".")[0]


def _named(path: str, m: nn.Module) -> str:
    return f"{path or 'the network'} ({type(m).__name__} of {_library(m)})"


def _unforgetting(path: str, m: nn.Module) -> UserError:
    why = f"it has none of the methods {', '.join(RESETS)}; write one that takes no argument"
    if name := _reset_of(type(m)):  # type: ignore[arg-type]
        why = f"its {name}() leaves a part of it"
    elif name := next((name for name in RESETS if _method(type(m), name)), None):
        why = f"its {name}({', '.join(_needed(getattr(type(m), name)))}) takes arguments; give them default values"
    return UserError(f"{_named(path, m)} keeps a state from one pass to the next that snnbook cannot reset: {why}")


def _held(m: nn.Module) -> list[tuple[str, Any, int]]:
    """What a module holds beside its parameters and children: names and values, and the version of a tensor.

    Nothing, zero and a tensor of zeros are one value: a state that was cleared, and one that was never set.
    """
    values = {name: v for name, v in vars(m).items() if name not in _INTERNAL} | m._buffers
    return [(name, None if _nothing(v) else v, _version(v)) for name, v in _leaves(values)]


def _version(value: Any) -> int:
    """How often a tensor was written to; 0 where torch does not count that."""
    return value._version if isinstance(value, Tensor) and not value.is_inference() else 0


def _nothing(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.is_meta and not bool(value.any())
    return value is None or value == 0


def _same(before: list[tuple[str, Any, int]], after: list[tuple[str, Any, int]]) -> bool:
    """Whether a module holds the same tensors, not written to in between, and the same numbers and texts."""
    kept, now = ({name: (v, n) for name, v, n in held if v is not None} for held in (before, after))
    return kept.keys() == now.keys() and all(
        n == now[name][1] and (v is now[name][0] or (isinstance(v, _PLAIN) and v == now[name][0]))
        for name, (v, n) in kept.items()
    )


def _leaves(value: Any, name: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, Any]]:
    """The tensors, numbers and texts within containers and objects, with names."""
    if value is None or isinstance(value, (Tensor, *_PLAIN)):
        yield name, value
    elif depth and not callable(value):
        if isinstance(value, Mapping):
            inside = [(str(key), v) for key, v in value.items()]
        elif isinstance(value, list | tuple):
            inside = [(str(i), v) for i, v in enumerate(value)]
        else:
            inside = list(vars(value).items()) if hasattr(value, "__dict__") else []
        for key, v in inside:
            yield from _leaves(v, f"{name}.{key}", depth - 1)


def _remembering(model: nn.Module, suspects: Mapping[str, nn.Module], args: Any, kwargs: Any) -> str | None:
    """The first of some modules to put out other values for the same input after another one has passed."""
    seen: list[tuple[str, Any]] = []
    handles = [m.register_forward_hook(partial(_note, seen, path)) for path, m in suspects.items()]

    def run(*args: Any) -> list[tuple[str, Any]]:
        seen.clear()
        reset(model)
        torch.manual_seed(0)  # random encodings are no state
        out = model(*args, **kwargs)
        return [(path, v) for path, out in [*seen, (next(iter(suspects)), out)] for _, v in _leaves(out)]

    try:
        with torch.random.fork_rng(list(range(torch.cuda.device_count()))), torch.no_grad():
            first = run(*args)
            run(*(torch.rand_like(a) if isinstance(a, Tensor) and a.is_floating_point() else a for a in args))
            again = run(*args)
    finally:
        for handle in handles:
            handle.remove()
        reset(model)
    return next((path for (path, a), (_, b) in zip(first, again, strict=False) if not _alike(a, b)), None)


def _note(seen: list[tuple[str, Any]], path: str, m: nn.Module, args: Any, output: Any) -> None:
    seen.append((path, output))


def _alike(a: Any, b: Any) -> bool:
    """Whether two outputs are equal up to rounding, which may differ between two runs on a GPU."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=1e-3, atol=1e-6, equal_nan=True)
    return bool(a == b)
