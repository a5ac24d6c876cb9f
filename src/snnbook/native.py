"""The door to the compiled kernels, and what happens without them.

The kernels are plain C++ behind ctypes, built by `pip install` where there is a compiler, for several instruction sets
(`LEVELS`). Without them, and for what they do not cover, everything runs on the torch reference: the same results,
slower. `SNNBOOK_NATIVE=0` closes the door, `SNNBOOK_NATIVE=avx2` asks for a level, and `using` chooses one for a block
of code. A level that this processor does not run is refused here, before any of its instructions is reached.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from snnbook.errors import UserError

if TYPE_CHECKING:
    from snnbook.neurons import LIFParameters

LEVELS = ("avx512", "avx2", "portable")  # instruction sets that the kernels are built for, best first
_ABI = 4
_GRAIN = 1024  # neurons of a LIF kernel's block; threads share out whole blocks
_PAGE, _HUGE, _MADV_HUGEPAGE = 4096, 4 << 20, 14
_madvise = getattr(ctypes.CDLL(None), "madvise", None) if sys.platform == "linux" else None
_WORTH_A_THREAD = 1 << 15  # items below which waking a thread costs more than it saves

# --- the arguments of the kernels, field by field as in src/native, which explains them ------------------------------


def _struct(name: str, *fields: tuple[Any, str]) -> type[ctypes.Structure]:
    """A structure with fields of that name: pairs of a type and the names of the fields that have it."""
    return type(name, (ctypes.Structure,), {"_fields_": [(f, kind) for kind, names in fields for f in names.split()]})


_pointer, _i64, _i32, _u32, _f32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_uint32, ctypes.c_float

# run.cpp: a kernel of a sequence
_Item = _struct("Item", (_pointer, "kernel args"), (_i64, "n grain"))

# lif.cpp
Lif = _struct(
    "Lif",
    (_pointer, "x grad_s grad_h mask s h grad_x"),
    (_i64, "T m stride"),
    (_f32, "leak v_threshold v_reset scale steepness"),
    (_i32, "soft decay_input detach_reset logistic bf16"),
)

# select.cpp
Select = _struct("Select", (_pointer, "weights alive out"), (_i64, "count"), (_u32, "low high"))

# sparse.cpp
Neurons = _struct("Neurons", (_f32, "leak v_threshold v_reset"), (_i32, "soft decay_input"))
Expand = _struct("Expand", (_pointer, "source to valid shift channels"), (_i64, "copies copy channel B T blocks"))
Gather = _struct(
    "Gather",
    (_pointer, "source to valid chosen moves place shift channels"),
    (_i64, "taps copy channel B T size planes"),
    (_i32, "what"),
)
Planes = _struct("Planes", (_pointer, "source to place"), (_i64, "places C H W Ho Wo B stride padding"))
Sum = _struct(
    "Sum",
    (_pointer, "strings planes start place weight bytes scale bias valid alive to currents"),
    (Neurons, "neurons"),
    (_i64, "B T first blocks still places most"),
)
Listed = _struct("Listed", (_pointer, "source events count at channels"), (_i64, "capacity B T spare"))
Scatter = _struct("Scatter", (Sum, "sum"), (_pointer, "events count offset at"), (_i64, "capacity room"))
Trains = _struct("Trains", (_pointer, "source to"), (_i64, "B T size features"))
Linear = _struct(
    "Linear",
    (_pointer, "trains values start place weight scale bias alive to currents"),
    (Neurons, "neurons"),
    (_i64, "T features K"),
)
Mean = _struct("Mean", (_pointer, "source to"), (_i64, "B T"), (_f32, "scale"))

KERNELS = {  # every kernel and its arguments
    "lif_forward": Lif,
    "lif_backward": Lif,
    "select_histogram": Select,
    "select_collect": Select,
    "select_mask": Select,
    "sparse_expand": Expand,
    "sparse_gather": Gather,
    "sparse_planes": Planes,
    "sparse_trains": Trains,
    "sparse_mean": Mean,
    "sparse_sum": Sum,
    "sparse_tables": Sum,
    "sparse_listed": Listed,
    "sparse_scatter": Scatter,
    "sparse_linear": Linear,
}
STRUCTS = (_Item, Neurons, *dict.fromkeys(KERNELS.values()))

# --- loading ----------------------------------------------------------------------------------------------------------


class _Library(NamedTuple):
    """The library, or None; the levels that this processor runs; the one to use; what `doctor` says about it."""

    lib: ctypes.CDLL | None
    levels: tuple[str, ...]
    level: str | None
    status: str


def _load() -> _Library:
    """The library beside this file, if it is there, fits this code and is wanted."""
    wish = os.environ.get("SNNBOOK_NATIVE", "1")
    if wish == "0":
        return _Library(None, (), None, "switched off by SNNBOOK_NATIVE=0")
    here = Path(__file__).parent
    for path in (here / f"_native{suffix}" for suffix in EXTENSION_SUFFIXES):
        if not path.exists():
            continue
        try:
            lib = ctypes.CDLL(str(path))
            if misfit := _misfit(lib):
                return _Library(None, (), None, f"{path.name} {misfit}: reinstall snnbook")
            lib.snnbook_level.restype = ctypes.c_char_p
            levels = LEVELS[LEVELS.index(lib.snnbook_level().decode()) :]
        except (OSError, AttributeError) as err:
            return _Library(None, (), None, f"{path.name} does not load: {err}")
        if wish not in ("1", *levels):
            return _Library(None, (), None, f"SNNBOOK_NATIVE={wish} is not one of 0, 1, {', '.join(levels)}")
        level, why = (levels[0], "the best that this processor runs") if wish == "1" else (wish, "asked for")
        return _Library(lib, levels, level, f"{level} ({why}), {_threads(lib)}")
    return _Library(None, (), None, "not built: pip found no C++ compiler when snnbook was installed")


def _misfit(lib: ctypes.CDLL) -> str:
    """Why a library must not be called from here; "" where it may."""
    if lib.snnbook_abi() != _ABI:
        return "belongs to another version"
    for struct in STRUCTS:
        there, here = getattr(lib, f"snnbook_sizeof_{struct.__name__}")(), ctypes.sizeof(struct)
        if there != here:
            return f"takes {struct.__name__} of {there} bytes and this code hands over {here}"
    return ""


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


_lib, levels, _default, status = _load()
_level: ContextVar[str | None] = ContextVar("level", default=_default)

# --- choosing a level -------------------------------------------------------------------------------------------------


def level() -> str | None:
    """The instruction set, one of `levels`, that kernels run in here and now; None where everything runs on torch."""
    return _level.get()


def available() -> bool:
    """Whether the compiled kernels are in use; `status` says why or why not."""
    return level() is not None


@contextmanager
def using(level: str | None) -> Iterator[None]:
    """A block of code, in this thread, whose kernels run in the instruction set `level`; with None, all on torch.

    Raises UserError for a level that this processor does not run.
    """
    if level is not None:
        _check(level)
    before = _level.set(level)
    try:
        yield
    finally:
        _level.reset(before)


def _check(level: str) -> None:
    if level not in levels:
        known = f"it runs {', '.join(levels)}" if levels else f"compiled kernels: {status}"
        raise UserError(f"this processor does not run kernels of level {level!r}; {known}")


def has_tables() -> bool:
    """Whether the sums by table of sparse inference can run here: they need AVX-512 with VBMI, and GFNI."""
    return _lib is not None and level() == "avx512" and bool(_lib.snnbook_sparse_has_tables())


# --- running ----------------------------------------------------------------------------------------------------------


def _function(kernel: str, args: ctypes.Structure) -> Any:
    """The compiled kernel for the level in use.

    Raises UserError where this processor does not run it, and TypeError for the arguments of another kernel.
    """
    if not isinstance(args, KERNELS[kernel]):
        raise TypeError(f"{kernel} takes {KERNELS[kernel].__name__}, got {type(args).__name__}")
    at = level()
    if at is None:
        raise UserError(f"compiled kernels: {status}" if _lib is None else "compiled kernels are switched off here")
    _check(at)
    if kernel == "sparse_tables" and not has_tables():
        raise UserError(f"kernels of level {at} have no sums by table here: they need AVX-512 with VBMI, and GFNI")
    return getattr(_lib, f"snnbook_{kernel}_{at}")


def run(kernel: str, args: ctypes.Structure, n: int, grain: int) -> None:
    """Run a kernel on `n` items in parts that are multiples of `grain`, on as many threads as torch uses.

    args: the structure of that kernel, see `KERNELS`. Nothing in it is checked: a pointer is the address of the first
    value (`data_ptr()`) of a contiguous array, of the type and size that src/native gives for it, which outlives the
    call; None is null.
    Raises UserError where this processor does not run the kernel at the level in use.
    """
    function, threads = _function(kernel, args), min(torch.get_num_threads(), 1 + n // _WORTH_A_THREAD)
    sizes = ctypes.c_int64(n), ctypes.c_int64(grain), ctypes.c_int32(threads)
    _lib.snnbook_run(function, ctypes.byref(args), *sizes)  # type: ignore[union-attr]


class KernelSequence:
    """Kernels that run one after the other in a single call, at the level in use when it was made.

    steps: for each kernel its name, its structure, the items and their grain, as `run` takes them. The structures are
    kept alive here; the arrays that they point to must be by whoever made them, as long as the sequence is run.
    Raises UserError where this processor does not run a kernel at the level in use.
    """

    def __init__(self, steps: list[tuple[str, ctypes.Structure, int, int]]):
        self._args = [args for _, args, _, _ in steps]
        self._items = (_Item * len(steps))()
        for item, (kernel, args, n, grain) in zip(self._items, steps, strict=True):
            item.kernel, item.args = ctypes.cast(_function(kernel, args), ctypes.c_void_p), ctypes.addressof(args)
            item.n, item.grain = n, grain

    def run(self) -> None:
        """Run all kernels, each on as many threads as torch uses."""
        sizes = ctypes.c_int64(len(self._items)), ctypes.c_int32(torch.get_num_threads())
        _lib.snnbook_sequence(self._items, *sizes)  # type: ignore[union-attr]


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


# --- the LIF neuron ---------------------------------------------------------------------------------------------------


def supports_lif(x: Tensor, p: LIFParameters) -> bool:
    """Whether the fused LIF covers this input: float32 or bfloat16 on the CPU, and a surrogate of a known shape.

    It covers none whose values a kernel could not read: a tensor without memory (a fake one, or one of a subclass), and
    any while its operations are recorded, as `torch.export`, `torch.compile` and `make_fx` do.
    """
    if torch.compiler.is_compiling() or type(x) not in (Tensor, torch.nn.Parameter) or _recorded():
        return False
    dtypes = (torch.float32, torch.bfloat16)
    return available() and x.dtype in dtypes and x.device.type == "cpu" and p.surrogate.curve is not None


def _recorded() -> bool:
    """Whether a dispatch mode records operations, or computes shapes alone; one that only watches does neither."""
    if not torch._C._len_torch_dispatch_stack():
        return False
    modes = torch._C._TorchDispatchModeKey
    return any(torch._C._get_dispatch_mode(key) is not None for key in (modes.PROXY, modes.FAKE))


def _dense_rows(x: Tensor) -> Tensor:
    """`x [T, *]` with dense rows, at a distance of a whole row or of 0 (one row repeated by `expand`).

    A row is dense if it is contiguous or channels-last; the recursion is elementwise, so the order within does not
    matter.
    """
    row = x[0]
    dense = row.is_contiguous() or (row.dim() == 4 and row.is_contiguous(memory_format=torch.channels_last))
    return x if dense and (x.shape[0] == 1 or x.stride(0) in (0, row.numel())) else x.contiguous()


def _empty_like(rows: Tensor) -> Tensor:
    """An empty `[T, *]` tensor, all rows apart, each laid out in memory as the rows given.

    Linux is asked to back a large one with huge pages: it is written at T places at once, each a small page of its own.
    """
    empty = torch.empty_strided(rows.shape, (rows[0].numel(), *rows.stride()[1:]), dtype=rows.dtype)
    if _madvise is not None and empty.nbytes >= _HUGE:
        start = -(-empty.data_ptr() // _PAGE) * _PAGE
        _madvise(ctypes.c_void_p(start), ctypes.c_size_t(empty.data_ptr() + empty.nbytes - start), _MADV_HUGEPAGE)
    return empty


def _laid_out_as(like: Tensor, x: Tensor) -> Tensor:
    """`x` with its values in memory in the order of `like`, copied only if it has to be."""
    if x.stride() == like.stride() and x.dtype == like.dtype:
        return x
    return torch.empty_strided(like.shape, like.stride(), dtype=like.dtype).copy_(x)


def _run_lif(kernel: str, p: LIFParameters, rows: Tensor, mask: Tensor | None, **tensors: Tensor | None) -> None:
    """Run a LIF kernel. mask: bool, broadcasts to a row. tensors: `[T, *]`, laid out as by `_empty_like(rows)`."""
    assert p.surrogate.curve is not None
    row = rows[0]
    if mask is not None:
        mask = torch.empty_like(row, dtype=torch.bool).copy_(mask)
    kind, scale, steepness = p.surrogate.curve
    args = Lif(
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
    """Input `[T, N, *]` → spikes and, if asked for, potentials before reset; both of its type and layout in memory.

    x: as `supports_lif` allows, in any layout; one that has gaps within a step is copied. mask: bool, broadcasts to
    `[N, *]`; the spikes of neurons that are False are not sent on.
    Raises UserError without compiled kernels.
    """
    if not x.numel():
        return torch.empty_like(x), torch.empty_like(x) if potential else None
    rows = _dense_rows(x)
    s, h = _empty_like(rows), _empty_like(rows) if potential else None
    _run_lif("lif_forward", p, rows, mask, s=s, h=h)
    return s, h


def lif_backward(
    grad_s: Tensor | None, grad_h: Tensor | None, x: Tensor, p: LIFParameters, mask: Tensor | None = None
) -> Tensor:
    """Gradients of the spikes and of the potentials, and the input, all `[T, N, *]` → gradient of the input.

    x, mask: those given to `lif_forward`. grad_s, grad_h: None for zero; of another type or layout than the input they
    are copied.
    Raises UserError without compiled kernels.
    """
    if not x.numel():
        return torch.empty_like(x)
    rows = _dense_rows(x)
    grad_x = _empty_like(rows)
    grad_s = _laid_out_as(grad_x, x.new_zeros(()).expand_as(x) if grad_s is None else grad_s)
    grad_h = None if grad_h is None else _laid_out_as(grad_x, grad_h)
    _run_lif("lif_backward", p, rows, mask, grad_s=grad_s, grad_h=grad_h, grad_x=grad_x)
    return grad_x
