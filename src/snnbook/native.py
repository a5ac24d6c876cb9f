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

if TYPE_CHECKING:
    from snnbook.neurons import LIFParameters

_ABI = 3
_GRAIN = 1024  # neurons of a LIF kernel's block; threads share out whole blocks
_PAGE, _HUGE, _MADV_HUGEPAGE = 4096, 4 << 20, 14
_madvise = getattr(ctypes.CDLL(None), "madvise", None) if sys.platform == "linux" else None
_WORTH_A_THREAD = 1 << 15  # items below which waking a thread costs more than it saves
LEVELS = ("avx512", "avx2", "portable")  # instruction sets the kernels are built for, best first


def _load() -> tuple[ctypes.CDLL | None, str, str]:
    """The library, the instruction set to use and what `doctor` says about it."""
    wish = os.environ.get("SNNBOOK_NATIVE", "1")
    if wish == "0":
        return None, "", "switched off by SNNBOOK_NATIVE=0"
    here = Path(__file__).parent
    for path in (here / f"_native{suffix}" for suffix in EXTENSION_SUFFIXES):
        if path.exists():
            try:
                lib = ctypes.CDLL(str(path))
                if lib.snnbook_abi() != _ABI:
                    return None, "", f"{path.name} belongs to another version: reinstall snnbook"
                able = levels(lib)
            except (OSError, AttributeError) as err:
                return None, "", f"{path.name} does not load: {err}"
            if wish not in ("1", *able):
                return None, "", f"SNNBOOK_NATIVE={wish} is not one of 0, 1, {', '.join(able)}"
            level, why = (able[0], "the best that this processor runs") if wish == "1" else (wish, "asked for")
            return lib, level, f"{level} ({why}), {_threads(lib)}"
    return None, "", "not built: pip found no C++ compiler when snnbook was installed"


def levels(lib: ctypes.CDLL) -> tuple[str, ...]:
    """The instruction sets that this processor runs, best first."""
    lib.snnbook_level.restype = ctypes.c_char_p
    return LEVELS[LEVELS.index(lib.snnbook_level().decode()) :]


def _threads(lib: ctypes.CDLL) -> str:
    """Hand the kernels the OpenMP library that torch has loaded, so that both work with the same threads."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("lib*omp*")):
        try:
            openmp = ctypes.CDLL(str(path))
            lib.snnbook_use_openmp(openmp.GOMP_parallel, openmp.omp_get_thread_num, openmp.omp_get_num_threads)
            return "on the threads of torch"
        except (OSError, AttributeError):
            continue
    return "on one thread: torch has no OpenMP library beside it"


_lib, level, status = _load()


def run(kernel: str, args: ctypes.Structure, n: int, grain: int) -> None:
    """Run a kernel on `n` items in parts that are multiples of `grain`, on as many threads as torch uses."""
    assert _lib is not None
    function = getattr(_lib, f"snnbook_{kernel}_{level}")
    threads = min(torch.get_num_threads(), 1 + n // _WORTH_A_THREAD)
    sizes = ctypes.c_int64(n), ctypes.c_int64(grain), ctypes.c_int32(threads)
    _lib.snnbook_run(function, ctypes.byref(args), *sizes)


def has_tables() -> bool:
    """Whether the processor can run the sums by table of sparse inference, and may."""
    return _lib is not None and level == "avx512" and bool(_lib.snnbook_sparse_has_tables())


class _Item(ctypes.Structure):
    """A step of a program, field by field as in run.cpp."""

    _fields_ = (
        ("kernel", ctypes.c_void_p),
        ("args", ctypes.c_void_p),
        ("n", ctypes.c_int64),
        ("grain", ctypes.c_int64),
    )


class Program:
    """Kernels that run one after the other in a single call: each a name, its arguments, the items and their grain."""

    def __init__(self, steps: list[tuple[str, ctypes.Structure, int, int]]):
        assert _lib is not None
        self._args = [args for _, args, _, _ in steps]
        self._items = (_Item * len(steps))()
        for item, (kernel, args, n, grain) in zip(self._items, steps, strict=True):
            function = getattr(_lib, f"snnbook_{kernel}_{level}")
            item.kernel, item.args = ctypes.cast(function, ctypes.c_void_p), ctypes.addressof(args)
            item.n, item.grain = n, grain
        self._run = _lib.snnbook_program

    def run(self) -> None:
        """Run all steps, each on as many threads as torch uses."""
        self._run(self._items, ctypes.c_int64(len(self._items)), ctypes.c_int32(torch.get_num_threads()))


def keep_memory() -> None:
    """Let the C library keep freed memory instead of handing it back and fetching it anew at every layer.

    Activations are a few MB each, just above where glibc turns to the kernel; Dask's workers lower that further. The
    page faults would cost up to half of a training step. Large tensors are backed by huge pages, if torch has made none
    yet. Other systems are left as they are.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch looks at its first allocation
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mmap_threshold, trim_threshold = -3, -1
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, 1 << 30)


def available() -> bool:
    """Whether the compiled kernels are in use; `status` says why or why not."""
    return _lib is not None


class _Lif(ctypes.Structure):
    """The arguments of the LIF kernels, field by field as in lif.cpp."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("x", "grad_s", "grad_h", "mask", "s", "h", "grad_x")),
        *((name, ctypes.c_int64) for name in ("T", "m", "stride")),
        *((name, ctypes.c_float) for name in ("leak", "v_threshold", "v_reset", "scale", "steepness")),
        *((name, ctypes.c_int32) for name in ("soft", "decay_input", "detach_reset", "logistic", "bf16")),
    )


def supports_lif(x: Tensor, p: LIFParameters) -> bool:
    """Whether the fused LIF covers this input: float32 or bfloat16 on the CPU, and a surrogate of a known shape."""
    dtypes = (torch.float32, torch.bfloat16)
    return _lib is not None and x.dtype in dtypes and x.device.type == "cpu" and p.surrogate.curve is not None


def _rows(x: Tensor) -> Tensor:
    """`x [T, *]` with dense rows, at a distance of a whole row or of 0 (one row repeated by `expand`).

    A row is dense if it is contiguous or channels-last; the recursion is elementwise, so the order within does not
    matter.
    """
    row = x[0]
    dense = row.is_contiguous() or (row.dim() == 4 and row.is_contiguous(memory_format=torch.channels_last))
    return x if dense and (x.shape[0] == 1 or x.stride(0) in (0, row.numel())) else x.contiguous()


def _like(rows: Tensor) -> Tensor:
    """An empty `[T, *]` tensor, all rows apart, each laid out in memory as the rows given.

    Linux is asked to back a large one with huge pages: it is written at T places at once, each a small page of its own.
    """
    made = torch.empty_strided(rows.shape, (rows[0].numel(), *rows.stride()[1:]), dtype=rows.dtype)
    if _madvise is not None and made.nbytes >= _HUGE:
        start = -(-made.data_ptr() // _PAGE) * _PAGE
        _madvise(ctypes.c_void_p(start), ctypes.c_size_t(made.data_ptr() + made.nbytes - start), _MADV_HUGEPAGE)
    return made


def _laid_out_as(like: Tensor, x: Tensor) -> Tensor:
    """`x` with its values in memory in the order of `like`, copied only if it has to be."""
    if x.stride() == like.stride() and x.dtype == like.dtype:
        return x
    return torch.empty_strided(like.shape, like.stride(), dtype=like.dtype).copy_(x)


def _lif(kernel: str, p: LIFParameters, rows: Tensor, mask: Tensor | None, **tensors: Tensor | None) -> None:
    """Run a LIF kernel; `mask` broadcasts to a row, `tensors` are `[T, *]` as made by `_like(rows)`."""
    assert p.surrogate.curve is not None
    row = rows[0]
    if mask is not None:
        mask = torch.empty_like(row, dtype=torch.bool).copy_(mask)
    kind, scale, steepness = p.surrogate.curve
    args = _Lif(
        T=rows.shape[0],
        m=row.numel(),
        stride=rows.stride(0),
        leak=1 / p.tau,
        v_threshold=p.v_threshold,
        v_reset=p.v_rest,
        scale=scale,
        steepness=steepness,
        soft=p.v_reset is None,
        decay_input=p.decay_input,
        detach_reset=p.detach_reset,
        logistic=kind == "logistic",
        bf16=rows.dtype == torch.bfloat16,
    )
    for name, tensor in {"x": rows, "mask": mask, **tensors}.items():
        setattr(args, name, None if tensor is None else tensor.data_ptr())
    run(kernel, args, row.numel(), _GRAIN)


def lif_forward(
    x: Tensor, p: LIFParameters, mask: Tensor | None = None, potential: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Input `[T, N, *]` → spikes and, if asked for, potentials before reset, both laid out in memory as the input.

    The spikes of neurons that are False in `mask` (broadcast to `[N, *]`) are not sent on.
    """
    if not x.numel():
        return torch.empty_like(x), torch.empty_like(x) if potential else None
    rows = _rows(x)
    s, h = _like(rows), _like(rows) if potential else None
    _lif("lif_forward", p, rows, mask, s=s, h=h)
    return s, h


def lif_backward(
    grad_s: Tensor | None, grad_h: Tensor | None, x: Tensor, p: LIFParameters, mask: Tensor | None = None
) -> Tensor:
    """Gradients of the spikes and of the potentials (None: zero), and the input → gradient of the input."""
    if not x.numel():
        return torch.empty_like(x)
    rows = _rows(x)
    grad_x = _like(rows)
    grad_s = _laid_out_as(grad_x, x.new_zeros(()).expand_as(x) if grad_s is None else grad_s)
    grad_h = None if grad_h is None else _laid_out_as(grad_x, grad_h)
    _lif("lif_backward", p, rows, mask, grad_s=grad_s, grad_h=grad_h, grad_x=grad_x)
    return grad_x
