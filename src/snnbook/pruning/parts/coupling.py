"""Which channels of which layers belong together, by watching NaN.

A channel is a row of a layer's weight. With it go the entries of the norms and the columns of the layers that it
reaches, and where branches are added the channels of the other branches. Which ones is found by watching NaN: a row
of one layer is made NaN, the other layers put out what they did before, and whatever turns NaN depends on that row.
NaN passes through norms, pooling, reshapes, additions, products and loops over time alike; neurons, whose comparison
would stop it, pass their input on while this runs. Rows are coded in binary, so a layer with C rows takes
2 log2 C runs, in which no layer computes anything. Rows that mix on their way (group norm, attention), that reach
the network's output, or of which nothing is found, stay.

Torch-Pruning 1.6.1 was tried first, and does not fit. It takes axis 1 for the channels, and loses them where time is
folded into the batch: behind a flatten of `[T * N, C, H, W]` with 4 values a channel it named 1,024 columns of a linear
layer that has 48, of the step-by-step neurons it coupled unrelated channels ("maximum recursive depth"), of a static
input expanded over T it missed the layers that read it, in a residual network it divided by zero, and 6Conv2FC ran
out of memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.pruning.parts.channels import Channels, Ids
from snnbook.pruning.weights import prunable
from snnbook.tracing import (
    CONTAINERS,
    LAYERS,
    NORMS,
    TRANSPOSED,
    hooked,
    layers,
    measuring,
    named,
    neurons,
    reset,
    spikes_of,
    weight_of,
)


def find_channels(model: nn.Module, x: Tensor, streams: bool = False) -> Channels:
    """The removable channels of a network, all alive.

    x: a batch of one sample as the network takes it, `[T, 1, C, H, W]` or `[1, C, H, W]`. streams: whether a channel in
    which rows of several layers meet, as they do where branches are added, is removable, too; if not, only the channels
    inside of residual blocks are.
    Raises UserError if no channel is removable, and if a network with fewer channels fails or computes something else.
    Both are tried here, before the training, in double precision where the network knows it.
    """
    with torch.no_grad(), measuring(model):
        channels = _number(_Probe(model, x), streams)
    if not len(channels.alive):
        raise UserError("no channel can be removed: each reaches the output directly or is mixed with others")
    _try(model, x, channels)
    return channels


class _Probe:
    """Runs a network with NaN in chosen places, and says where it arrives. The layers put out what they once did."""

    def __init__(self, model: nn.Module, x: Tensor):
        self.model, self.x = model, x
        self.name_of = {m: name for name, m in model.named_modules()}
        places, trained = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False)), prunable(model)

        def narrowable(m: Any) -> bool:  # its parameters are used here alone, and are computed from no others
            return all(places[id(p)] == 1 for p in (m.weight, m.bias) if p is not None)

        known: dict[str, Any] = {n: m for n, m in layers(model).items() if _has_rows(m) and weight_of(n) in trained}
        self.layers = {name: m for name, m in known.items() if narrowable(m)}
        self.norms = {name: m for name, m in named(model, NORMS).items() if narrowable(m)}
        self.lifs = named(model, (LIF,))
        self.fixed = {name: m for name, m in model.named_modules() if self._is_fixed(m)}
        self.outputs: dict[str, list[Tensor]] = {}  # of the layers, call by call, in order of execution
        self.maps: dict[str, tuple[int, ...]] = {}
        self.silent: dict[nn.Module, int] = {}  # neurons, which stop NaN → how many tensors they return, 0 = no tuple
        with hooked(
            dict.fromkeys(self.layers.values(), self._remember) | dict.fromkeys(self.lifs.values(), self._size)
        ):
            reset(model)
            model(x)
        self.layers = {name: self.layers[name] for name in self.outputs}
        with hooked(dict.fromkeys(neurons(model), self._listen)):
            self.reached()

    def _is_fixed(self, m: nn.Module) -> bool:
        """Whether it has values for some channels that stay: grouped, frozen, shared layers, learnt time constants.

        A buffer of zeros is none: snnTorch's and sinabs' neurons keep their potentials so, once they have run.
        """
        own = [*m.parameters(recurse=False), *(b for b in m.buffers(recurse=False) if b.any())]
        inside = any(isinstance(child, (*LAYERS, *NORMS, LIF)) for child in m.modules() if child is not m)
        known = m in {*self.layers.values(), *self.norms.values(), *self.lifs.values()} or isinstance(m, CONTAINERS)
        return not known and not inside and any(t.numel() > 1 for t in own)

    def _remember(self, m: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        self.outputs.setdefault(self.name_of[m], []).append(output.clone())

    def _size(self, m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        shape = tuple(args[0].shape[2:])
        if self.maps.setdefault(self.name_of[m], shape) != shape or not shape:
            self.lifs.pop(self.name_of[m], None)  # one module at several places has no channels of its own

    def _listen(self, m: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if args[0].shape == spikes_of(output).shape:
            told = m.forward(torch.full_like(args[0], torch.nan), *args[1:])
            if not _nan(spikes_of(told)):
                self.silent[m] = len(output) if isinstance(output, tuple) else 0

    def reached(self, source: str | None = None, rows: Tensor | None = None, poison: bool = False) -> dict[str, Tensor]:
        """Module → which of its entries are NaN, with NaN in some rows of one layer, or in the network's input.

        Of layers it is the columns; "" stands for the output, and that and fixed modules have one entry.
        """
        hits: dict[str, Tensor] = {}
        calls = dict.fromkeys(self.layers, 0)

        def see(name: str, hit: Tensor) -> None:
            hits[name] = hits[name] | hit if name in hits else hit

        def layer(name: str, x: Tensor, *_: Any) -> Tensor:
            axis = 1 - self.layers[name].weight.dim()
            see("columns " + name, _entries(x, axis))
            output = self.outputs[name][calls[name]].clone()
            calls[name] += 1
            return output if name != source else output.index_fill_(axis, rows, torch.nan)  # type: ignore[arg-type]

        def norm(m: Any, args: tuple[Any, ...]) -> None:
            see("norms " + self.name_of[m], _entries(args[0], 1 if args[0].shape[1] == m.num_features else 2))

        def lif(m: nn.Module, args: tuple[Any, ...]) -> None:
            see("lifs " + self.name_of[m], _entries(args[0], 2))

        def fixed(m: nn.Module, args: tuple[Any, ...]) -> None:
            see("fixed " + self.name_of[m], torch.tensor([_nan(args)]))

        def silent(n: int, x: Tensor, *_: Any) -> Any:
            return (x,) * n if n else x

        with ExitStack() as stack:
            for name, m in self.layers.items():
                stack.enter_context(_forward(m, partial(layer, name)))
            for m, n in self.silent.items():
                stack.enter_context(_forward(m, partial(silent, n)))
            for group, hook in ((self.norms, norm), (self.lifs, lif), (self.fixed, fixed)):
                for m in group.values():
                    stack.callback(m.register_forward_pre_hook(hook).remove)
            reset(self.model)
            see("fixed", torch.tensor([_nan(self.model(torch.full_like(self.x, torch.nan) if poison else self.x))]))
        return {name: hit.cpu() for name, hit in hits.items()}


def _has_rows(m: Any) -> bool:
    """Whether the rows of a layer's weight are its outputs and the columns its inputs."""
    return not isinstance(m, TRANSPOSED) and getattr(m, "groups", 1) == 1


def _number(probe: _Probe, streams: bool) -> Channels:
    """Entries that depend on each other, by the probe, as numbered channels."""
    from scipy.sparse import coo_array  # takes 0.3 s to import
    from scipy.sparse.csgraph import connected_components

    start: dict[str, int] = {}
    direct = {name: hit.numpy() for name, hit in probe.reached(poison=True).items()}
    size = {f"rows {name}": m.weight.shape[0] for name, m in probe.layers.items()}
    total = 0
    for name, n in (size | {name: len(hit) for name, hit in direct.items()}).items():
        start[name], total = total, total + n
    stays = np.zeros(total, bool)  # what depends on the input itself, or on a mixture
    for name, hit in direct.items():
        stays[start[name] : start[name] + len(hit)] = hit
    edges: list[np.ndarray] = []
    for name, m in probe.layers.items():
        first, n = start[f"rows {name}"], len(m.weight)
        for entries, (row, clean) in _sources(probe, name, n).items():
            where = start[entries] + np.arange(len(row))
            edges.append(np.stack([first + row[clean], where[clean]]))
            mixed = (row >= 0) & (~clean | entries.startswith("fixed"))
            stays[where[mixed]] = True
            stays[first : first + n] |= bool(mixed.any())
    a, b = np.concatenate(edges, 1) if edges else np.empty((2, 0), int)
    _, label = connected_components(coo_array((np.ones(len(a), bool), (a, b)), shape=(total, total)), directed=False)
    groups = label.max() + 1
    among, read = np.zeros(groups, int), np.zeros(groups, bool)
    for name, first in start.items():
        n = size.get(name, len(direct.get(name, ())))
        if name.startswith("rows "):
            among[np.unique(label[first : first + n])] += 1
        elif name.startswith("columns "):
            read[label[first : first + n]] = True
    goes = read & ((among == 1) | (streams & (among > 1)))
    goes[label[stays]] = False
    order, number = np.full(groups, -1), 0
    for group in label[: sum(size.values())]:
        if goes[group] and order[group] < 0:
            order[group], number = number, number + 1
    device = probe.x.device

    def ids(kind: str) -> Ids:
        mine = {name: start[name] for name in start if name.startswith(kind)}
        ends = {name: first + size.get(name, len(direct.get(name, ()))) for name, first in mine.items()}
        return {
            name.removeprefix(kind): torch.from_numpy(order[label[first : ends[name]]]).to(device)
            for name, first in mine.items()
        }

    alive = torch.ones(number, dtype=torch.bool, device=device)
    return Channels(ids("rows "), ids("columns "), ids("norms "), ids("lifs "), probe.maps, alive)


def _sources(probe: _Probe, name: str, n: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Entries → the row of a layer that each depends on (-1 = none), and whether it is that row alone."""
    bits = range(max(1, (n - 1).bit_length()))
    rows = torch.arange(n, device=probe.x.device)
    runs = [[probe.reached(name, rows[rows >> bit & 1 == side]) for bit in bits] for side in (0, 1)]
    sources = {}
    for entries in runs[0][0]:
        zero, one = (np.stack([hits[entries].numpy() for hits in side]) for side in runs)
        row = (one << np.array(bits)[:, None]).sum(0)
        row[~(zero | one).any(0)] = -1
        sources[entries] = row, (zero ^ one).all(0) & (row >= 0)
    return sources


def _try(model: nn.Module, x: Tensor, channels: Channels) -> None:
    """Raise UserError unless the network without some of its channels computes what it does with them dead."""
    alive = channels.alive.clone()
    for name in channels.rows:
        alive[channels.within(name).nonzero()[:1]] = False
    for ids in channels.rows.values():
        if not ((ids < 0) | alive[ids]).any():
            alive[ids] = True
    trial = Channels(channels.rows, channels.columns, channels.norms, channels.lifs, channels.maps, alive)
    try:
        copy = deepcopy(model)
    except (RuntimeError, TypeError) as err:
        raise UserError(f"the network cannot be made narrower, for it cannot be copied: {err}") from err
    try:
        full, given = _dead(copy.double(), trial), x.double()
        expected = _outputs(full, given)
    except RuntimeError:  # some networks know one precision only
        full, given = _dead(deepcopy(model), trial), x
        expected = _outputs(full, given)
    try:
        got = _outputs(trial.without_dead_channels(full), given)
    except (RuntimeError, ValueError, IndexError) as err:
        raise UserError(f"the network cannot be made narrower: with fewer channels it fails with: {err}") from err
    if not all(torch.allclose(a, b, atol=1e-5) for a, b in zip(got, expected, strict=True)):
        raise UserError("the network cannot be made narrower: with fewer channels it puts out something else")


@torch.no_grad()
def _dead(model: nn.Module, channels: Channels) -> nn.Module:
    weights = {weight_of(name): model.get_submodule(name).weight for name in channels.rows}
    for name, mask in channels.masks(weights).items():  # type: ignore[arg-type]
        weights[name] *= mask  # type: ignore[operator]
    channels.zero_dead(model)
    return model


@torch.no_grad()
def _outputs(model: nn.Module, x: Tensor) -> list[Tensor]:
    with measuring(model):
        return list(_tensors(model(x)))


def _entries(x: Tensor, axis: int) -> Tensor:
    """Which entries of an axis hold any NaN."""
    return x.isnan().movedim(axis, 0).reshape(x.shape[axis], -1).any(1)


def _tensors(output: Any) -> Iterator[Tensor]:
    if torch.is_tensor(output):
        yield output
    elif isinstance(output, list | tuple | dict):
        for value in output.values() if isinstance(output, dict) else output:
            yield from _tensors(value)


def _nan(output: Any) -> bool:
    return any(bool(t.isnan().any()) for t in _tensors(output) if t.is_floating_point())


@contextmanager
def _forward(m: nn.Module, instead: Callable[..., Any]) -> Iterator[None]:
    """Have a module run something else."""
    before = m.__dict__.get("forward")
    m.forward = instead
    try:
        yield
    finally:
        del m.forward
        if before is not None:
            m.forward = before
