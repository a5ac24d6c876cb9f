"""Which modules of a network do what, found by running it once: layers, the norms and the neurons after them.

A network is any `torch.nn.Module`. Convolutions, transposed ones too, and linear layers are its *layers*. Its *weights*
are the parameters that multiply what passes through: those of layers, of attention, of recurrent and bilinear modules
of torch, and those that a module of another type names in an attribute `multiplies`. Neurons are `LIF`, or modules of a
type that is not known here and has no weights, such as those of SpikingJelly, snnTorch and sinabs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.states import foreign, forgetting
from snnbook.states import reset as reset

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED, nn.Linear)
# Modules of torch that are no layers and multiply what passes by their parameters of two or more axes.
MULTIPLIERS = (nn.Bilinear, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
# Modules that move values about: they run as they are on a map of live neurons.
MOVES = (
    *MAX_POOLS,
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.Flatten, nn.Unflatten, nn.Identity, nn.Upsample, nn.ZeroPad2d, nn.ConstantPad2d),
)
# Modules that change values but neither make nor stop a spike.
SCALES = (
    *NORMS,
    *(nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
)
TABLES = (nn.Embedding, nn.EmbeddingBag)  # their parameters are looked up
PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

Place = tuple[torch.device, torch.dtype]
Hook = Callable[[nn.Module, tuple[Any, ...], Any], Any]


def named(model: nn.Module, types: tuple[type[nn.Module], ...]) -> dict[str, nn.Module]:
    """The modules of the given types by name, in order of registration."""
    return {name: m for name, m in plain(model).named_modules() if isinstance(m, types)}


def layers(model: nn.Module) -> dict[str, nn.Module]:
    """The convolutions and linear layers of a network by name, in order of registration."""
    return named(model, LAYERS)


def weight_of(layer: str) -> str:
    """The name of a layer's weight."""
    return f"{layer}.weight" if layer else "weight"


def check_built(tensors: Mapping[str, Tensor], purpose: str) -> None:
    """Raise UserError for the first of some parameters, by name, that is lazy and has no values yet.

    purpose: what they are wanted for, such as "measuring".
    """
    for name, t in tensors.items():
        if nn.parameter.is_lazy(t):
            raise UserError(f"{name} is lazy and has no values yet: run the network once before {purpose} it")


def span(w: Tensor) -> tuple[int, int]:
    """The first place of a tensor in its storage and the place behind its last, counted in entries."""
    start = int(w.storage_offset())
    return start, start + sum((n - 1) * stride for n, stride in zip(w.shape, w.stride(), strict=True)) + 1


def layer_of(weight: str) -> str:
    """What a weight is listed under: the layer whose `weight` it is, or else its own name."""
    return "" if weight == "weight" else weight.removesuffix(".weight")


def weights(model: nn.Module) -> dict[str, Tensor]:
    """All weights of a network by the name of their parameter, in order of registration; a shared one once.

    A weight that is computed from others, as `torch.nn.utils.parametrizations` has it, is listed as it is now.
    Raises UserError for a parameter of two or more axes of which it is not known whether it multiplies or is added: a
    module that is no layer of torch says it in an attribute `multiplies`, the names of its weights, () for none.
    """
    listed: dict[str, Tensor] = {}
    for path, m in plain(model).named_modules():
        if ".parametrizations." in f".{path}.":
            continue  # what a weight is computed from
        for name in _multiplying(m, path):
            weight = getattr(m, name)
            if not any(weight is other for other in listed.values()):
                listed[f"{path}.{name}".lstrip(".")] = weight
    return listed


def _multiplying(m: nn.Module, path: str) -> list[str]:
    """The names of a module's own weights."""
    if isinstance(m, (*LAYERS, nn.Bilinear)):
        further = [
            name
            for name, p in m.named_parameters(recurse=False)
            if not (nn.parameter.is_lazy(p) or name in ("weight", "weight_orig", "weight_g", "weight_v"))
            and sum(n > 1 for n in p.shape) > 1
        ]
        return ["weight", *_declared(m, path, further)]
    if isinstance(m, nn.RNNBase):
        return [name for name in m._flat_weights_names if name.startswith("weight")]
    if isinstance(m, nn.RNNCellBase):
        return ["weight_ih", "weight_hh"]
    if isinstance(m, nn.MultiheadAttention):
        names = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        return [name for name in names if getattr(m, name) is not None]
    wide = [name for name, p in m.named_parameters(recurse=False) if nn.parameter.is_lazy(p) or p.dim() > 1]
    return _declared(m, path, [] if isinstance(m, (LIF, *SCALES, *TABLES)) else wide)


def _declared(m: nn.Module, path: str, wide: list[str]) -> list[str]:
    """What a module says that it multiplies by; it must say so of parameters of two or more axes."""
    declared = getattr(m, "multiplies", None)
    if wide and declared is None:
        raise UserError(
            f"cannot tell whether {f'{path}.{wide[0]}'.lstrip('.')} ({type(m).__name__}) multiplies what passes or is "
            f'added to it: give the class an attribute multiplies = ("{wide[0]}",), or () if it is no weight'
        )
    return list(declared or ())


def neurons(model: nn.Module, identity: tuple[type[nn.Module], ...] = ()) -> list[nn.Module]:
    """The modules taken for neurons: `LIF`, types in `identity`, and unknown ones without known modules and weights."""
    model = plain(model)
    types: tuple[type[nn.Module], ...] = (LIF, *identity)
    others = (*LAYERS, *MULTIPLIERS, *MOVES, *SCALES, *TABLES)
    known: tuple[type[nn.Module], ...] = (*others, *CONTAINERS, *types)
    modules: list[nn.Module] = []

    def visit(m: nn.Module) -> None:
        if isinstance(m, types):
            modules.append(m)
        elif isinstance(m, others):
            return
        elif m is model or any(isinstance(d, known) for d in m.modules()):
            for c in m.children():
                visit(c)
        elif getattr(m, "multiplies", None) == () or not any(p.dim() > 1 for p in m.parameters()):
            modules.append(m)

    visit(model)
    return modules


def spiking(model: nn.Module) -> dict[str, nn.Module]:
    """The modules of spiking neurons by name; rectifiers and other modules of torch itself are none."""
    model = plain(model)
    name_of = {m: name for name, m in model.named_modules()}
    return {name_of[m]: m for m in neurons(model) if not type(m).__module__.startswith("torch.")}


def mask_of(m: nn.Module) -> Tensor | None:
    """Which neurons of a module are alive, bool `[*]`: `LIF.mask`, or the buffer `neuron_mask` of other libraries'."""
    return getattr(m, "mask" if isinstance(m, LIF) else "neuron_mask", None)


def plain(model: nn.Module) -> nn.Module:
    """The network within the wrappers of `torch.compile`, DataParallel and DistributedDataParallel, if it is in any.

    Raises UserError for a part that runs in copies on several devices, and for a network of Rockpool that answers
    `parameters()` in Rockpool's own form.
    """
    while True:
        if isinstance(inner := dict(model.named_children()).get("_orig_mod"), nn.Module):
            model = inner
        elif isinstance(model, PARALLEL):
            model = model.module
        else:
            break
    if isinstance(model, torch.jit.ScriptModule):
        raise UserError(
            f"{model.original_name} is scripted, which hides its modules: take the network before torch.jit"
        )
    for path, m in model.named_modules():
        if isinstance(m, PARALLEL) and len(m.device_ids or ()) > 1:
            raise UserError(f"{path} ({type(m).__name__}) runs in copies on several devices: put its .module there")
    if isinstance(model.parameters(), Mapping):
        raise UserError(f"{type(model).__name__} answers as Rockpool's modules do: call its to_torch() first")
    return model


def place_of(model: nn.Module) -> Place:
    """The device and the type of a network's numbers: those of its first parameter of a floating type.

    They are the CPU and float32 for a network without one.
    """
    floating = (p for p in model.parameters() if p.is_floating_point())
    return next(((p.device, p.dtype) for p in floating), (torch.device("cpu"), torch.float32))


def uncompiled(model: nn.Module) -> AbstractContextManager[None]:
    """While this is open, modules that `torch.compile` has compiled run as they are, so that hooks and modes count."""
    if any("_orig_mod" in m._modules or m._compiled_call_impl is not None for _, m in model.named_modules()):
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


@contextmanager
def running(model: nn.Module) -> Iterator[list[nn.Module]]:
    """While this is open, the list holds the modules of a network that are running, the innermost last.

    After an error the last is the one in which it arose.
    """
    entered: list[nn.Module] = []

    def enter(m: nn.Module, args: Any) -> None:
        entered.append(m)

    def leave(m: nn.Module, args: Any, output: Any) -> None:
        while entered and entered.pop() is not m:
            pass

    with ExitStack() as stack:
        for m in model.modules():
            stack.callback(m.register_forward_pre_hook(enter, prepend=True).remove)
            stack.callback(m.register_forward_hook(leave).remove)
        yield entered


@contextmanager
def hooked(hooks: Mapping[nn.Module, Hook]) -> Iterator[None]:
    """While this is open, each module has its forward hook."""
    handles = [m.register_forward_hook(hook) for m, hook in hooks.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def measuring(model: nn.Module, hooks: dict[nn.Module, Hook] | None = None) -> Iterator[None]:
    """Evaluation mode with forward hooks; on leaving, hooks, modes and stored potentials are as they were before.

    Neurons forget their state on entering and on leaving; what `torch.compile` compiled runs as it is. Raises UserError
    for a state that cannot be reset (`states.forgetting`).
    """
    modes = [(m, m.training) for m in model.modules()]
    kept = [(m, m.keep_potential, m.potential) for m in model.modules() if isinstance(m, LIF)]
    try:
        model.eval()
        for lif, _, _ in kept:
            lif.keep_potential = False
        with uncompiled(model), forgetting(model), hooked(hooks or {}):
            yield
    finally:
        for m, training in modes:
            m.training = training
        for lif, keep, potential in kept:
            lif.keep_potential, lif.potential = keep, potential


def check_states(model: nn.Module, batch: Callable[[], Tensor]) -> None:
    """Raise UserError if neurons keep a state that cannot be reset; `batch` makes an input, if the network must run."""
    if foreign(model):
        with measuring(model), torch.no_grad():
            model(batch())


@dataclass
class LayerTrace:
    """A layer as it ran in a traced pass, with what its output meets first.

    layer: the layer's name. entering, leaving: shapes `[C, H, W]` or `[F]` of its input and its output for one sample
    and step. rows: number of samples times steps that it saw in its first run. norm, neuron: names of the batch norm
    and of the neurons after it; empty where there are none.
    """

    layer: str
    entering: tuple[int, ...]
    leaving: tuple[int, ...]
    rows: int
    norm: str = ""
    neuron: str = ""


def trace_layers(model: nn.Module, x: Tensor, identity: tuple[type[nn.Module], ...] = ()) -> dict[str, LayerTrace]:
    """Layer name → its `LayerTrace`, in order of execution, from one run in evaluation mode.

    x: a batch as the network takes it, `[T, N, C, H, W]` or `[N, C, H, W]`. identity: types of modules that are
    neurons, as in `neurons`. The norm and the neurons after a layer are the first that its output reaches without
    passing another layer, with as many channels: where the outputs of several layers are added, as in a residual block,
    the same neurons come after all of them. A layer that runs several times is listed by its first run.
    """
    model = plain(model)
    name_of = {m: name for name, m in model.named_modules()}
    traces: dict[str, LayerTrace] = {}
    made_by: dict[Any, str] = {}  # node of the graph that autograd keeps → the layer whose output it is

    def layer_hook(m: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        axes = m.weight.dim() - 1  # type: ignore[operator]
        shapes = tuple(args[0].shape[-axes:]), tuple(output.shape[-axes:])
        traces.setdefault(name_of[m], LayerTrace(name_of[m], *shapes, output.shape[:-axes].numel()))
        made_by[output.grad_fn] = name_of[m]

    def before(x: Tensor) -> Iterator[LayerTrace]:
        for trace in map(traces.__getitem__, _reached(x.grad_fn, made_by)):
            axis = -len(trace.leaving)
            if x.dim() > -axis and x.shape[axis] == trace.leaving[0]:
                yield trace

    def norm_hook(m: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        for trace in before(args[0]):
            trace.norm = trace.norm or name_of[m]

    def neuron_hook(m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        for trace in before(args[0]):
            trace.neuron = trace.neuron or name_of[m]
        made_by[spikes_of(output).grad_fn] = ""  # nothing beyond these neurons comes after the layers before them

    hooks: dict[nn.Module, Hook] = dict.fromkeys(layers(model).values(), layer_hook)
    hooks |= dict.fromkeys(named(model, NORMS).values(), norm_hook)
    hooks |= dict.fromkeys(neurons(model, identity), neuron_hook)
    # The graph is all that is wanted of autograd: what a backward pass would need is not kept.
    graph = torch.autograd.graph.saved_tensors_hooks(lambda saved: None, lambda nothing: nothing)
    with measuring(model, hooks), torch.enable_grad(), graph:
        model(x.detach().clone().requires_grad_() if x.is_floating_point() else x)
    return traces


def _reached(node: Any, made_by: dict[Any, str]) -> set[str]:
    """The layers whose outputs a node of autograd's graph was made of, up to the nearest in each direction."""
    nearest, seen, todo = set(), {None}, [node]
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in made_by:
            nearest.add(made_by[node])
        else:
            todo.extend(before for before, _ in node.next_functions)
    return nearest - {""}


def spikes_of(output: Any) -> Tensor:
    """The spikes among what neurons put out: snnTorch returns them with the potential."""
    return output[0] if isinstance(output, tuple) else output
