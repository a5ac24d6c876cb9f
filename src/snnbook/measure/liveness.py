"""Which synapses and neurons of a network are alive: a map of live neurons is sent through it instead of values."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.measure.products import Product, aten
from snnbook.measure.reach import straighten
from snnbook.measure.watching import Products
from snnbook.neurons import LIF
from snnbook.tracing import LAYERS, SCALES, Hook, hooked, mask_of, named, neurons

RECURRENT = (nn.RNNBase, nn.RNNCellBase)


def has_neuron_masks(model: nn.Module) -> bool:
    """Whether any of the network's neurons are masked."""
    return any(mask_of(m) is not None for m in model.modules())


@dataclass
class Use:
    """One product in a liveness pass.

    Tensors have the shape of one output, `[K, H, W]` or `[K]`, or `[L, K]` for L positions of a sample.
    name: of the layer. part: which part of the weight it uses. rows: whether there are rows of outputs, `[R, K]`, for
    all steps and positions, until `Liveness` keeps those of one step. degree: number of synapses from live neurons,
    float64. live: 1 where `degree` is positive, else 0. reaches, reaches_live: whether a neuron, or a neuron that is
    not masked, is behind the output.
    """

    name: str
    part: tuple[Any, ...]
    rows: bool
    degree: Tensor
    live: Tensor
    reaches: Tensor
    reaches_live: Tensor

    @property
    def post(self) -> Tensor:
        """False where all neurons behind an output are masked; True where there are none."""
        return ~self.reaches | self.reaches_live


@dataclass
class Liveness:
    """What a liveness pass saw.

    uses: the products with weights in their order. neurons: name of a `LIF` → (neurons that are not masked, neurons).
    """

    uses: list[Use] = field(default_factory=list)
    neurons: dict[str, tuple[int, int]] = field(default_factory=dict)


def liveness(model: nn.Module, x: Tensor, identity: tuple[type[nn.Module], ...] = (), dense: bool = False) -> Liveness:
    """Send a map of live neurons through the network instead of values.

    x: a batch of one sample, `[T, 1, *]` or `[1, *]`. A product with weights gives 1 where a live neuron still has a
    synapse into its output; normalisation, dropout, scales, biases and rectifiers pass the map on; neurons give 1 times
    their mask where the map is positive; poolings and additions are what they are. dense: take all weights and neurons
    for alive. Which neurons stand behind which layer is read off the autograd graph, so that shortcuts and poolings in
    between need no special case.
    Raises UserError for what cannot be followed: neurons that are written in the forward pass of a module with weights,
    and masked neurons behind weights that are in no layer of torch, behind several products in one layer, behind an
    order of values, or behind rows that are not in order of steps, samples and positions.
    """
    following = _Following(model, identity, dense, len(x))
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(following.masked))
        stack.enter_context(following.watching())
        stack.enter_context(hooked(following.hooks(identity)))
        following.run(x.clone())
    return following.result()


# What a rectifier, a gate or a softmax does to a map of live neurons: nothing, since zero stays dead.
_RECTIFIERS = {
    *("relu", "gelu", "silu", "mish", "elu", "celu", "selu", "leaky_relu", "softplus", "tanh", "sigmoid", "erf", "exp"),
    *("hardtanh", "hardsigmoid", "hardswish", "clamp", "clamp_min", "clamp_max", "pow", "square", "sqrt", "rsqrt"),
    *("_softmax", "_safe_softmax", "_log_softmax", "log_sigmoid_forward", "abs", "neg", "sin", "cos", "log1p", "log"),
    *("threshold", "hardshrink", "softshrink", "reciprocal"),
}
_COMPARISONS = {"lt", "le", "gt", "ge", "sign", "heaviside", "round", "floor", "ceil"}
_NORMALISATIONS = {
    "native_batch_norm",
    "native_layer_norm",
    "native_group_norm",
    "_native_batch_norm_legit_no_training",
}


class _Following(Products):
    """A liveness pass."""

    def __init__(self, model: nn.Module, identity: tuple[type[nn.Module], ...], dense: bool, given: int):
        super().__init__(model, identity)
        self.dense, self.masked = dense, has_neuron_masks(model) and not dense
        self.seen = Liveness()
        self.mapped = 0  # uses whose layers have run
        # Of time: as a `LIF` shows them, as the input has them, and as the first neurons of another kind show them.
        self.steps, self.given, self.foreign = 0, given if given > 1 else 0, 0

    def result(self) -> Liveness:
        """The uses, all of one time step."""
        runs = Counter((use.name, use.part) for use in self.seen.uses)
        for use in self.seen.uses:
            if use.rows:  # steps, and positions behind them
                rows = len(use.degree)
                looped = not self.steps and runs[use.name, use.part] >= self.given > 1
                steps = self.steps or (1 if looped else self.given) or self.foreign
                steps = steps if steps and rows % steps == 0 else 1
                kept = rows // steps
                for name in ("degree", "live", "reaches", "reaches_live"):
                    value = getattr(use, name)
                    if name.startswith("reaches") and not bool(
                        (value.unflatten(0, (steps, kept)) == value[:kept]).all()
                    ):
                        raise UserError(
                            f"cannot tell which positions {use.name!r} runs on: its rows are not in order of steps, "
                            "samples and positions"
                        )
                    value = value[:kept]
                    setattr(use, name, value[0] if kept == 1 else value)
        return self.seen

    def product(self, p: Product) -> Tensor | None:
        if self.inside_neuron() and not any(isinstance(m, LAYERS) for m in self.stack):
            return None
        if not p.weights:  # the product of two maps is a map, too
            return p.output((p.degree(p.data.detach(), p.factor.detach()) > 0).to(p.data.dtype))
        layer = next((m for m in reversed(self.stack) if isinstance(m, LAYERS)), None)
        if self.masked and layer is None:
            raise self.refusal(f"multiplies by {p.layer}, which is in no layer of torch, and neurons are masked")
        factor = torch.ones_like(p.factor) if self.dense else p.factor.detach() != 0
        data = p.data.detach().double()
        if any(isinstance(m, RECURRENT) for m in self.stack):
            data = data.clamp(max=1)  # a state that is the sum of what came before is one value
        if p.positional:
            degree = p.degree(data, factor.double())
            out = p.output((degree > 0).to(p.data.dtype))
            degree = p.joined(degree)
        else:
            degree = p.degree(data[:1], factor.double())[0]
            out = (degree > 0).to(p.data.dtype).expand(len(p.data), *degree.shape).clone()
        nowhere = torch.zeros_like(degree, dtype=torch.bool)
        live = (degree > 0).to(p.data.dtype)
        self.seen.uses.append(Use(p.layer, p.part, p.positional, degree, live, nowhere, nowhere.clone()))
        return out

    def other(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        kind = name.rstrip("_")
        if self.inside_neuron():
            return func(*args, **kwargs)
        if kind in _NORMALISATIONS:
            return args[0].clone(), *func(*args, **kwargs)[1:]
        if kind in _RECTIFIERS and args[0].is_floating_point():
            return self._map(name, args[0], args[0] > 0)
        if kind in _COMPARISONS and args[0].is_floating_point():
            raise self.refusal(
                f"has neurons in its forward pass ({func}) that cannot be followed: put them in a module of their own, "
                "without weights, or name its class in identity=(...)"
            )
        if kind == "glu":
            return self._map(name, args[0], args[0].chunk(2, *args[1:])[0] > 0)
        if kind in ("add", "sub", "rsub", "mul", "div") and isinstance(args[0], Tensor):
            return self._combined(name, func, args, kwargs)
        return func(*args, **kwargs)

    def _map(self, name: str, target: Tensor, alive: Tensor) -> Tensor:
        return target.copy_(alive) if name.endswith("_") else alive.to(target.dtype)

    def _combined(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Two maps added or multiplied; a map alone where it is scaled, or something is added that does not pass."""
        left, right = args[:2]
        passing = [isinstance(t, Tensor) and self.passes_through(t) for t in (left, right)]
        if not any(passing):
            return func(*args, **kwargs)
        if all(passing):
            added = {"sub": aten.add.Tensor, "sub_": aten.add_.Tensor, "rsub": aten.add.Tensor}.get(name)
            return added(left, right) if added else func(*args, **kwargs)
        shape = torch.broadcast_shapes(*(t.shape for t in (left, right) if isinstance(t, Tensor)))
        here, scale = (left, right) if passing[0] else (right, left)
        alive = here.expand(shape).clone()
        if name.startswith("mul") and not self.dense:
            alive = alive * (scale != 0)
        return left.copy_(alive) if name.endswith("_") else alive

    def hooks(self, identity: tuple[type[nn.Module], ...]) -> dict[nn.Module, Hook]:
        """What modules do to a map."""
        model = self.model
        hooks: dict[nn.Module, Hook] = {}
        if self.masked:
            hooks |= dict.fromkeys(named(model, LAYERS).values(), self._layer)
        hooks |= dict.fromkeys(named(model, SCALES).values(), self._scale)
        hooks |= dict.fromkeys(named(model, RECURRENT).values(), self._recurrent)
        hooks |= dict.fromkeys(neurons(model, identity), self._neuron)
        return hooks

    def _recurrent(self, m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        with self.pausing():
            if isinstance(output, Tensor):
                return (output > 0).to(output.dtype)
            return tuple(self._recurrent(m, args, value) for value in output)

    def _layer(self, m: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        """The map behind a layer, as a leaf of the graph from which neurons find their way back."""
        uses, self.mapped = self.seen.uses[self.mapped :], len(self.seen.uses)
        if not uses and not self.passes_through(output):
            return None  # made of parameters alone
        if len(uses) != 1:
            raise self.refusal(f"is the layer {self.name_of[m]} with {len(uses)} products, and neurons are masked")
        if not torch.is_grad_enabled():
            raise self.refusal(
                "runs without gradients, which show the way to neurons that are masked: leave out no_grad"
            )
        use = uses[0]
        with self.pausing():
            use.live = use.live.detach().requires_grad_()
            matrix = isinstance(m, nn.Linear)
            return (use.live.reshape(output.shape) if matrix else use.live.expand_as(output)).clone()

    def _scale(self, m: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        with self.pausing():
            return args[0].clone()

    def _neuron(self, m: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        spikes, x = output[0] if isinstance(output, tuple) else output, args[0]
        if not isinstance(spikes, Tensor) or spikes.shape != x.shape:
            return output
        with self.pausing():
            if m not in self.unread and not isinstance(m, self.silent):  # a rectifier of torch
                return (x.detach() > 0).to(x.dtype) + (x - x.detach())
            if isinstance(m, LIF):
                self.steps = self.steps or len(x)
            self.foreign = self.foreign or len(x)
            one = torch.ones((), dtype=torch.bool, device=x.device)
            mask = one if self.dense or (mine := mask_of(m)) is None else mine
            if self.masked and x.requires_grad:
                self._reach(x, mask)
            if isinstance(m, LIF):
                shape = x.shape[2:]
                self.seen.neurons[self.name_of[m]] = (int(mask.expand(shape).sum()), shape.numel())
            spikes = (x.detach() > 0) * mask.to(x.dtype)
        return (spikes, *output[1:]) if isinstance(output, tuple) else spikes

    def _reach(self, x: Tensor, mask: Tensor) -> None:
        straighten(x.grad_fn)
        leaves = [use.live for use in self.seen.uses]
        ways = torch.autograd.grad(x.sum(), leaves, allow_unused=True, retain_graph=True)
        live_ways = torch.autograd.grad((x * mask).sum(), leaves, allow_unused=True, retain_graph=True)
        for use, way, live_way in zip(self.seen.uses, ways, live_ways, strict=True):
            if way is not None and live_way is not None:
                use.reaches |= way != 0
                use.reaches_live |= live_way != 0
