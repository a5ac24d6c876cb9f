"""The door to the compiled kernels, and what happens without them.

The kernels are plain C++ behind ctypes, built by `pip install` where there is a compiler. Without them, and for what
they do not cover, everything runs on the torch reference: the same results, slower. `SNNBOOK_NATIVE=0` closes the door.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from snnbook.surrogates import ATan

if TYPE_CHECKING:
    from snnbook.neurons import LIFParameters

_ABI = 1
_BLOCK = 64


class _Lif(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_float) for name in ("leak", "v_threshold", "v_reset", "alpha")),
        *((name, ctypes.c_int32) for name in ("soft", "decay_input", "detach_reset")),
    )


def _load() -> tuple[ctypes.CDLL | None, str]:
    if os.environ.get("SNNBOOK_NATIVE", "1") == "0":
        return None, "switched off by SNNBOOK_NATIVE=0"
    here = Path(__file__).parent
    for path in (here / f"_native{suffix}" for suffix in EXTENSION_SUFFIXES):
        if path.exists():
            try:
                lib = ctypes.CDLL(str(path))
                if lib.snnbook_abi() != _ABI:
                    return None, f"{path.name} belongs to another version: reinstall snnbook"
                return lib, f"compiled ({path.name})"
            except (OSError, AttributeError) as err:
                return None, f"{path.name} does not load: {err}"
    return None, "not built: pip found no C++ compiler when snnbook was installed"


_lib, status = _load()


def keep_memory() -> None:
    """Let the C library keep freed memory instead of handing it back and fetching it anew at every layer.

    Activations are a few MB each, just above where glibc turns to the kernel; Dask's workers lower that further. The
    page faults would cost up to half of a training step. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mmap_threshold, trim_threshold = -3, -1
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, 1 << 30)


def available() -> bool:
    """Whether the compiled kernels are in use; `status` says why or why not."""
    return _lib is not None


def supports_lif(x: Tensor, p: LIFParameters) -> bool:
    """Whether the fused LIF covers this input: float32 on the CPU with the arctangent surrogate."""
    return _lib is not None and x.dtype == torch.float32 and x.device.type == "cpu" and type(p.surrogate) is ATan


def _rows(x: Tensor) -> tuple[Tensor, int]:
    """`x [T, *]` with dense rows, and the distance between rows in memory.

    A row is dense if it is contiguous or channels-last; the recursion is elementwise, so the order within does not
    matter. A row repeated by `expand` stays one row at distance 0.
    """
    row = x[0]
    dense = row.is_contiguous() or (row.dim() == 4 and row.is_contiguous(memory_format=torch.channels_last))
    if dense and (x.shape[0] == 1 or x.stride(0) in (0, row.numel())):
        return x, x.stride(0)
    x = x.contiguous()
    return x, row.numel()


def _like(rows: Tensor) -> Tensor:
    """An empty `[T, *]` tensor, all rows apart, each laid out in memory as the rows given."""
    return torch.empty_strided(rows.shape, (rows[0].numel(), *rows.stride()[1:]), dtype=rows.dtype)


def _constants(p: LIFParameters) -> _Lif:
    soft = p.v_reset is None
    alpha = p.surrogate.alpha  # type: ignore[attr-defined]
    return _Lif(1 / p.tau, p.v_threshold, p.v_rest, alpha, soft, p.decay_input, p.detach_reset)


def _ptr(x: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(x.data_ptr())


def lif_forward(x: Tensor, p: LIFParameters) -> Tensor:
    """Input `[T, N, *]` → spikes `[T, N, *]`, laid out in memory as the input."""
    assert _lib is not None
    if not x.numel():
        return torch.empty_like(x)
    rows, stride = _rows(x)
    s = _like(rows)
    sizes = (ctypes.c_int64(n) for n in (x.shape[0], rows[0].numel(), stride))
    _lib.snnbook_lif_forward(_ptr(rows), _ptr(s), *sizes, ctypes.byref(_constants(p)))
    return s


def lif_backward(grad: Tensor, x: Tensor, p: LIFParameters) -> Tensor:
    """Gradient of the spikes and the input, both `[T, N, *]` → gradient of the input."""
    assert _lib is not None
    if not x.numel():
        return torch.empty_like(x)
    rows, stride = _rows(x)
    gx = _like(rows)
    if grad.stride() != gx.stride():
        grad = torch.empty_strided(gx.shape, gx.stride(), dtype=gx.dtype).copy_(grad)
    work = torch.empty(x.shape[0] * _BLOCK, dtype=x.dtype)
    sizes = (ctypes.c_int64(n) for n in (x.shape[0], rows[0].numel(), stride))
    _lib.snnbook_lif_backward(_ptr(grad), _ptr(rows), _ptr(gx), *sizes, ctypes.byref(_constants(p)), _ptr(work))
    return gx
