"""Where a forward pass multiplies: products are read off the operations of torch, and not off a list of modules.

A *product* is an operation that sums up what passes through a network times weights (the synapses of a layer), or times
something else that passes (queries times keys). A dispatch mode sees every operation below modules and functions: what
is written with `F.linear`, `einsum` or `@`, what attention and recurrent modules do inside, and weights that are
computed. It knows weights by the memory that they lie in and hands their names on to what is computed from them alone.
What it cannot read, it refuses by the path of the module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from snnbook.errors import UserError
from snnbook.measure.products import BilinearProduct, Convolution, ElementProduct, MatrixProduct, Product
from snnbook.neurons import LIF
from snnbook.tracing import LAYERS, SCALES, check_built, hooked, layer_of, measuring, neurons, running, span

# Operations that multiply matrices → the positions of the two factors among their arguments.
MATRIX_PRODUCTS = {
    "mm": (0, 1),
    "bmm": (0, 1),
    "mv": (0, 1),
    "dot": (0, 1),
    "vdot": (0, 1),
    "addmm": (1, 2),
    "addmv": (1, 2),
    "baddbmm": (1, 2),
}
# Operations that take an input and parameters of two or more axes and do not sum up products of them.
NO_PRODUCTS = {
    *("add", "sub", "rsub", "mul", "div", "pow", "where", "lerp", "addcmul", "addcdiv", "maximum", "minimum", "clamp"),
    *("eq", "ne", "lt", "le", "gt", "ge", "masked_fill", "_prelu_kernel", "copy", "cat", "stack", "expand_as"),
    *("embedding", "index", "index_select", "index_put", "gather", "scatter", "select_scatter", "slice_scatter"),
    *("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "native_layer_norm"),
    *("native_group_norm", "_fused_rms_norm", "atan2", "remainder", "fmod", "logical_and", "logical_or"),
}
# Products in a form that cannot be taken apart.
CLOSED = (
    *("addbmm", "linalg", "fft", "cdist", "euclidean", "embedding_bag"),
    *("mkldnn", "onednn", "fbgemm", "quantized", "int_mm", "scaled_mm", "packed", "_attention", "_rnn"),
)


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors among what an operation takes or puts out."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _key(t: Tensor) -> int:
    return t.untyped_storage()._cdata if t.layout == torch.strided else id(t)


class Products(TorchDispatchMode):
    """While a network runs under it, `product` is called for every product, before it is made.

    Subclasses say what is done with a product and may put other values in its place. identity: types of modules that
    are neurons, as in `tracing.neurons`; what these and `LIF` compute inside is no product.
    """

    def __init__(self, model: nn.Module, identity: tuple[type[nn.Module], ...] = ()):
        super().__init__()
        self.model = model
        self.name_of = {m: name for name, m in model.named_modules()}
        self.neurons = set(neurons(model, identity))
        self.unread = {m for m in self.neurons if not type(m).__module__.startswith("torch.")}
        self.silent: tuple[type[nn.Module], ...] = (LIF, *identity)
        self.stack: list[nn.Module] = []
        # Memory → the names of the parameters and buffers that it was computed from, none for constants. The memory
        # is kept, so that its address is not given to something else meanwhile. What is not listed passes.
        self.origin: dict[int, tuple[Any, frozenset[str]]] = {}
        self.parameters = dict(model.named_parameters())
        self.fixed: dict[str, Tensor] = self.parameters | dict(model.named_buffers())
        check_built(self.fixed, "measuring")
        self.own = {_key(p) for p in self.fixed.values()}
        # Parameters that lie in one piece of memory, as recurrent layers have them on a GPU, by where they lie in it.
        places: dict[int, dict[tuple[int, int], str]] = {}
        for name, p in self.fixed.items():
            if p.layout == torch.strided:
                places.setdefault(_key(p), {})[span(p)] = name
        self.places = {key: names for key, names in places.items() if len(names) > 1}
        # Memory that nothing in the pass has written: a second input, or a weight that is a plain tensor.
        self.made: set[int] = set()
        self.outer: dict[int, Tensor] = {}
        # Memory that holds the input itself, moved or scaled, but by no product and no neurons; and whether the product
        # that is shown now is one of it.
        self.raw: set[int] = set()
        self.of_input = False
        # Parameters of modules that say that they multiply: a product of single values with these is a synapse.
        declared = [(m, name) for m in self.name_of for name in getattr(m, "multiplies", None) or ()]
        self.declared = {_key(getattr(m, name)) for m, name in declared}
        self.paused = False

    def product(self, p: Product) -> Tensor | None:
        """What a product is replaced by; None = nothing."""
        raise NotImplementedError

    def other(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of an operation that is no product and takes what passes."""
        return func(*args, **kwargs)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The network can be run, and is measured as `tracing.measuring` says."""
        fast = torch.backends.mha.get_fastpath_enabled()
        with ExitStack() as stack:
            stack.enter_context(measuring(self.model))
            self.stack = stack.enter_context(running(self.model))
            stack.enter_context(hooked(dict.fromkeys(self.neurons, self._fired)))
            # Fused attention and recurrent layers would hide their products in one operation.
            torch.backends.mha.set_fastpath_enabled(False)
            stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            if any(isinstance(m, nn.RNNBase) for m in self.name_of):
                stack.callback(torch._C._set_mkldnn_enabled, torch._C._get_mkldnn_enabled())
                torch._C._set_mkldnn_enabled(False)
                stack.callback(torch._C._set_cudnn_enabled, torch._C._get_cudnn_enabled())
                torch._C._set_cudnn_enabled(False)
            yield

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Operations meanwhile are not the network's."""
        self.paused = True
        try:
            yield
        finally:
            self.paused = False

    def passes_through(self, t: Tensor) -> bool:
        """Whether a tensor depends on the network's input; parameters and constants do not."""
        return self._rank(t) == 2

    def run(self, x: Tensor) -> None:
        """One forward pass."""
        self.stack.clear()
        self.origin = {_key(p): (p, frozenset({name})) for name, p in self.fixed.items()}
        for key, places in self.places.items():
            self.origin[key] = self.origin[key][0], frozenset(places.values())
        self.made, self.raw = {_key(x)}, {_key(x)}
        try:
            with self:
                self.model(x)
        finally:
            self.origin.clear()
            self.outer.clear()

    def path(self) -> str:
        """The path of the module that is running."""
        return self.name_of.get(self.stack[-1], "") if self.stack else ""

    def _fired(self, m: nn.Module, args: Any, output: Any) -> None:
        """Note what neurons put out: compiled ones write into memory unseen."""
        for t in _tensors(output):
            self._pass(t)

    def _pass(self, t: Tensor) -> None:
        """Note that a tensor depends on the network's input."""
        self.origin.pop(_key(t), None)
        self.outer.pop(_key(t), None)
        self.made.add(_key(t))
        self.raw.discard(_key(t))

    def inside_neuron(self) -> bool:
        """Whether spiking neurons are running, whose dynamics are their own."""
        return any(m in self.unread for m in self.stack)

    def inside_silent(self) -> bool:
        """Whether neurons are running that are known to be some: `LIF` and those of a type in `identity`."""
        return any(isinstance(m, self.silent) for m in self.stack)

    def inside_scale(self) -> bool:
        """Whether a norm is running."""
        return any(isinstance(m, SCALES) for m in self.stack)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.paused:
            out = func(*args, **kwargs)
            self.made.update(map(_key, _tensors(out)))
            return out
        if torch.is_inference_mode_enabled():  # operations made of others arrive whole
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        name = func.overloadpacket.__name__  # of aten.add_.Tensor: add_
        given = [*_tensors((args, *kwargs.values()))]
        free = [t for t in given if _key(t) not in self.origin]
        if free and any(t.layout != torch.strided for t in given):
            self._refuse("computes with tensors that are not dense")
        multiplying = name in MATRIX_PRODUCTS or name in ("convolution", "_trilinear")
        if name == "mul" and len(given) == 2 and free:
            multiplying = any(_key(t) in self.declared for t in given)
        p = self._product(name, args) if multiplying else None
        if p is None and not free:
            return self._computed(name, func(*args, **kwargs), given)
        if p is not None:
            out = self._replaced(p, name, args, kwargs)
            out = func(*args, **kwargs) if out is None else out
        else:
            self._check(func, name, given)
            out = self.other(name, func, args, kwargs)
        if p is not None or any(_key(t) in self.made for t in free):
            raw = p is None and all(_key(t) in self.raw for t in free)
            for t in _tensors(out):
                self._pass(t)
                if raw:
                    self.raw.add(_key(t))
        else:
            self.outer |= {_key(t): t for t in (*_tensors(out), *given) if _key(t) not in self.origin}
        return out

    def _replaced(self, p: Product, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        """What a product is replaced by, with what the operation adds to it where that passes, too."""
        out = self.product(p)
        if out is None:
            return None
        if name in ("addmm", "addmv", "baddbmm") and self.passes_through(args[0]):
            out = out + args[0]
        return kwargs["out"].copy_(out) if "out" in kwargs else out

    def _names(self, t: Tensor) -> frozenset[str]:
        """The parameters and buffers that a tensor was computed from."""
        names = self.origin.get(_key(t), (None, frozenset[str]()))[1]
        if (places := self.places.get(_key(t))) is None:
            return names
        first, last = span(t)
        return frozenset(name for (a, b), name in places.items() if a < last and first < b and name in names)

    def _computed(self, name: str, out: Any, given: list[Tensor]) -> Any:
        """Note what was made of parameters and constants alone; memory for a state, empty or zero yet, is not."""
        names = frozenset[str]().union(*map(self._names, given))
        for t in _tensors(out):
            if name.removeprefix("new_").startswith(("empty", "zeros")):
                self._pass(t)
            elif _key(t) not in self.origin:
                self.origin[_key(t)] = t, names
            elif not names <= self.origin[_key(t)][1]:
                self.origin[_key(t)] = t, names | self.origin[_key(t)][1]
        return out

    def _rank(self, t: Tensor) -> int:
        """0 for parameters, constants and what is made of them, 2 for what passes, 1 for what neither is known of."""
        return 0 if _key(t) in self.origin else 2 if _key(t) in self.made else 1

    def _product(self, name: str, args: tuple[Any, ...]) -> Product | None:
        """The product that an operation makes; None if it makes a weight out of weights, or a neuron makes it."""
        layers = [m for m in self.stack if isinstance(m, LAYERS)]
        if not layers and self.inside_silent():
            return None
        at, by = MATRIX_PRODUCTS.get(name, (0, 1))
        data, factor = args[at], args[by]
        if turned := self._rank(data) < self._rank(factor):
            data, factor = factor, data
        if self._rank(data) == 0:
            return None  # a weight made of weights
        if turned and name in ("convolution", "_trilinear"):
            raise self.refusal("applies what passes through the network to a weight")
        self.of_input = _key(data) in self.raw
        plain = self._rank(data) > self._rank(factor) == 1  # a tensor that is no parameter
        weights = frozenset({self.path()}) if plain else self._names(factor)
        own = _key(factor) in self.own
        layer = self.name_of[layers[-1]] if layers else ""
        if not layers:
            listed = [w for w in weights if w in self.parameters] or list(weights)
            layer = layer_of(listed[0]) if len(listed) == 1 else self.path()
        if name == "mul":
            return ElementProduct(layer, weights, own, data, factor, torch.broadcast_shapes(data.shape, factor.shape))
        if name == "convolution":
            return Convolution(layer, weights, own, data, factor, tuple(args[3:]))
        if name == "_trilinear":
            return BilinearProduct(layer, weights, own, data, factor, args[2], tuple(args[3:]))
        left, right = (factor, data) if turned else (data, factor)
        form = left.shape[:-1] + right.shape[-1:] if right.dim() > 1 else left.shape[:-1]
        data, factor = (t if t.dim() > 1 else t[None] if t is left else t[:, None] for t in (data, factor))
        if turned:
            data, factor = data.mT, factor.mT
        if factor.dim() == 3 and (len(factor) == 1 or factor.stride(0) == 0):
            factor = factor[0]
        return MatrixProduct(layer, weights, own, data.reshape(-1, data.shape[-1]), factor, turned, form)

    def _check(self, func: Any, name: str, given: list[Tensor]) -> None:
        """Refuse what may be a product that is not known here."""
        if func.namespace not in ("aten", "prim", "prims") and not self.inside_neuron():
            self._refuse(f"runs {func}, which cannot be looked into")
        hidden = any(part in name for part in CLOSED) and name != "linalg_vector_norm" and not self.inside_silent()
        wide = any(_key(t) in self.origin and self.origin[_key(t)][1] and t.dim() > 1 for t in given)
        if hidden or (wide and name.rstrip("_") not in NO_PRODUCTS and not self.inside_neuron()):
            self._refuse(f"runs {func}, whose multiplications cannot be counted")

    def refusal(self, what: str) -> UserError:
        """The error for a module that does something that cannot be read."""
        m = self.stack[-1] if self.stack else self.model
        return UserError(f"cannot count the synapses of {self.path()!r} ({type(m).__name__}): it {what}")

    def _refuse(self, what: str) -> Any:
        raise self.refusal(what)
