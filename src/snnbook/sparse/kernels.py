"""A graph as a program for the compiled kernels: where everything lies in memory, and what runs on it in which order.

Spikes are packed into words of 64 neurons, `[C][B][T]` (a *string*, see sparse.cpp), or, of layers without a map, into
words of 16 steps, `[T / 16][F]` (*trains*). Neuron (y, x) of a map W wide is neuron y W + x of its channel.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnbook import native
from snnbook.errors import UserError
from snnbook.neurons import LIFParameters
from snnbook.sparse import reference
from snnbook.sparse.graph import Graph, Layer, Pool, Synapses

LANES, BITS, STEPS, EIGHT, SEVEN = 16, 64, 8, 8, 7  # steps of an event; weights that are looked up together
LINE = 64  # bytes of a cache line
CACHE = 1 << 22  # bytes of copied strings that a layer works on at a time; each time it reads its weights anew
SLACK = 64  # words at least that may be read around the strings: 8 are by table, 5 under masks, a line is fetched ahead
MOST_PLACES, MOST = 1 << 24, 1 << 31  # what an event, and what a place in an arena, has bits for
COPIES, LARGEST, NUMBER = range(3)

Words = NDArray[np.uint64]


def _neurons(p: LIFParameters | None) -> ctypes.Structure:
    p = p or LIFParameters()
    return native.Neurons(1 / p.tau, p.v_threshold, p.v_rest, p.v_reset is None, p.decay_input)


_ARENAS: dict[str, type[np.generic]] = {
    "words": np.uint64,
    "trains": np.uint16,
    "floats": np.float32,
    "counts": np.int32,
}
PATHS = ("masked", "table", "event", "dense")  # how a layer's sums are made; see `choose`


@dataclass(frozen=True)
class _At:
    """A place in one of the arenas."""

    arena: str
    offset: int

    def __add__(self, words: int) -> _At:
        return _At(self.arena, self.offset + words)


@dataclass(frozen=True)
class _String:
    """Spikes of a map; they count `scale` each."""

    at: _At
    shape: tuple[int, ...]
    scale: float = 1.0


@dataclass(frozen=True)
class _Trains:
    """Spikes of neurons without a map."""

    at: _At
    features: int


@dataclass(frozen=True)
class _Values:
    """Numbers that are no spikes: `[features][lanes]`."""

    at: _At
    features: int


_Part = _String | _Trains | _Values  # of a signal, which is a sum of them


_Step = tuple[str, ctypes.Structure, int, int] | Callable[[], None]


class Program:
    """A graph, laid out in memory, which runs one sample at a time at the level of kernels in use when it is made.

    paths: for each layer, by name, how its sums are made, one of PATHS; the one that it takes is in `self.paths`, see
    `path_here`. currents: keep the currents of every layer that is not dense, for tests; see `kept`.
    Raises UserError for a network whose spikes take more than 2^31 words, and without compiled kernels.
    """

    def __init__(self, graph: Graph, paths: Mapping[str, str], currents: bool = False):
        self.graph, self.keep = graph, currents
        layers = [node for node in graph.nodes if isinstance(node, Layer)]
        self.paths = {node.name: path_here(graph, node, paths[node.name]) for node in layers}
        self.T, self.chunks = graph.T, math.ceil(graph.T / LANES)
        self._beyond = SLACK  # words that may be read before the first string and behind the last
        self._sizes, self._most = dict.fromkeys(_ARENAS, 0), dict.fromkeys(_ARENAS, 0)
        self._later: list[tuple[str, Callable[[], _Step]]] = []
        self._alive: list[Any] = []  # arrays that the structures point to
        self._kept: dict[str, tuple[_At, tuple[int, ...]]] = {}
        steps = 1 if graph.static else self.T
        self.input = self._place("floats", steps * math.prod(graph.shapes[0]))
        signals: list[list[_Part]] = [[]]
        for node in graph.nodes:
            self._name = node.name
            if isinstance(node, Pool):
                signals.append(self._pool(node, signals[node.source]))
            else:
                signals.append(self._layer(node, signals))
        self.signals, self.outputs = signals, [signals[i] for i in graph.outputs]
        self._finish()

    # --- memory ---------------------------------------------------------------------------------------------------

    def _place(self, arena: str, size: int) -> _At:
        at = _At(arena, self._sizes[arena])
        self._sizes[arena] += -(-size // 32) * 32
        self._most[arena] = max(self._most[arena], self._sizes[arena])
        return at

    def _pointer(self, value: Any) -> Any:
        if isinstance(value, _At):
            array = self.arenas[value.arena]
            return array.ctypes.data + value.offset * array.itemsize
        if isinstance(value, np.ndarray):
            self._alive.append(value)
            return value.ctypes.data
        if isinstance(value, dict):
            return native.Sum(**{name: self._pointer(field) for name, field in value.items()})
        return value

    def _op(self, kernel: str, n: int, grain: int = 1, **fields: Any) -> None:
        """Have a kernel run on `n` items. fields: those of its structure in sparse.cpp; pointers are given as places in
        an arena, or as contiguous arrays, which this program keeps alive.
        """

        def step() -> _Step:
            struct = native.KERNELS[kernel]
            return kernel, struct(**{name: self._pointer(value) for name, value in fields.items()}), n, grain

        self._later.append((self._name, step))

    def _finish(self) -> None:
        if max(self._most.values()) >= MOST:
            raise UserError("cannot compile this network: its spikes take more than 2^31 words; use smaller inputs")
        self.arenas = {name: _zeros(self._most[name], kind, self._beyond) for name, kind in _ARENAS.items()}
        self._steps = [(name, made()) for name, made in self._later]
        self._parts = _parts([step for _, step in self._steps])
        size = (1 if self.graph.static else self.T) * math.prod(self.graph.shapes[0])
        self._x = self.arenas["floats"][self.input.offset : self.input.offset + size]

    # --- layers ---------------------------------------------------------------------------------------------------

    def _layer(self, node: Layer, signals: list[list[_Part]]) -> list[_Part]:
        path = self.paths[node.name]
        if path == "dense":
            return self._dense(node, signals)
        if len(node.shape) == 1:
            return self._linear(node, signals)
        K, H, W = node.shape
        to = self._place("words", K * _blocks(H * W) * self.T) if node.neurons is not None else None
        taken = dict(self._sizes)
        if any(s.source == 0 for s in node.synapses):
            self._analog(node, to)
        elif path == "event":
            self._events(node, signals, to)
        else:
            self._sums(node, signals, path, to)
        for arena in ("words", "counts"):  # what this layer alone reads, the next may write over
            self._sizes[arena] = taken[arena]
        return [_String(to, (K, H, W))] if to is not None else []

    def _sums(self, node: Layer, signals: list[list[_Part]], path: str, to: _At | None) -> None:
        """Sums over words, under masks or by table; of a large map some blocks at a time."""
        parts = [(s, part) for s in node.synapses for part in signals[s.source]]
        tile, B = self._tile(node), _blocks(math.prod(node.shape[1:]))
        *taps, expand = zip(*(self._taps(node, s, part, tile) for s, part in parts), strict=True)
        k, rank, place, weight = map(np.concatenate, taps)
        (_, place, weight), start = _by_output(node, k, rank, place, weight)
        unit = min((abs(part.scale) for _, part in parts if isinstance(part, _String)), default=1.0)
        by_path: dict[str, Any] = {"strings": _At("words", 0)}
        if path == "table" and node.scale is not None and _whole(weight / unit):
            start, place, by_path["bytes"], by_path["most"] = _in_sevens(start, place, weight / unit)
            by_path["scale"] = (node.scale.numpy() * unit).astype(np.float32)
            weight = np.zeros(0)
        elif path == "table":
            start, place, weight = _grouped(start, place, weight, EIGHT)
        fields = self._outputs(node, to, start, place, weight) | by_path
        for first in range(0, B, tile):
            for copy in expand:
                copy(first)
            fields |= {"first": first, "blocks": min(tile, B - first)}
            self._op("sparse_tables" if path == "table" else "sparse_sum", node.shape[0], **fields)

    def _tile(self, node: Layer) -> int:
        """Blocks that are done at a time; all where not every input is copied for every place of the kernel."""
        _, H, W = node.shape
        shapes = [self.graph.shapes[s.source] for s in node.synapses]
        if any(
            s.stride != 1 or of[1:] != (H, W) or s.weight[0, 0].numel() == 1
            for s, of in zip(node.synapses, shapes, strict=True)
        ):
            return _blocks(H * W)
        copies = sum(s.weight[0].numel() // (s.weight.shape[2] if _aligned(W) else 1) for s in node.synapses)
        even = EIGHT // math.gcd(self.T, EIGHT)  # so that words come in eights
        return min(_blocks(H * W), max(1, CACHE // (8 * self.T * copies * even)) * even)

    def _outputs(self, node: Layer, to: _At | None, start: NDArray, place: NDArray, weight: NDArray) -> dict[str, Any]:
        """The fields of `Sum` that do not depend on the path of a layer; those that do are null or 0.

        start: for each output, which of the weights are its own, `[K + 1]`. place: for each weight, where its input is
        read, `[n]`. weight: its value, `[n]`.
        """
        K, H, W = node.shape
        B, T = _blocks(H * W), self.T
        currents = None
        if self.keep or node.neurons is None:
            currents = self._place("floats", K * T * B * BITS)
            self._kept[node.name] = (currents, (K, T, B * BITS))
        return {
            "start": start.astype(np.int32), "place": place.astype(np.int32), "weight": weight.astype(np.float32),
            "bias": node.bias.numpy().astype(np.float32), "valid": _packed(np.ones((1, H * W), bool)),
            "alive": None if node.mask is None else _packed(node.mask.numpy().reshape(K, H * W)),
            "to": to, "currents": currents, "neurons": _neurons(node.neurons), "B": B, "T": T,
            "scale": _scale(node), "strings": None, "planes": None, "bytes": None, "first": 0, "blocks": B, "still": 0,
            "places": 0, "most": 0,
        }  # fmt: skip

    def _events(self, node: Layer, signals: list[list[_Part]], to: _At | None) -> None:
        """Sums over the neurons that fire. Around the sums of a map there is room for what lies beyond its edge, and
        before them a place that no neuron has.
        """
        K, Ho, Wo = node.shape
        windows, around, q = _windows(self.T), _around(node), np.arange(_blocks(Ho * Wo) * BITS)
        at = np.where(q < Ho * Wo, (around.corner + q // Wo * around.pitch + q % Wo) * windows, 0).astype(np.int32)
        capacity = _blocks(Ho * Wo) * BITS * windows + LANES  # whole vectors are written
        parts = [(s, part) for s in node.synapses for part in signals[s.source]]
        lists = 0
        k: list[NDArray] = []
        place: list[NDArray] = []
        offset: list[NDArray] = []
        weight: list[NDArray] = []
        waiting: list[tuple[_At, int, NDArray]] = []
        for s, part in parts:
            assert isinstance(part, _String)
            C, H, W = part.shape
            w = s.weight.numpy()
            rows, c, dy, dx = np.nonzero(w)
            used = np.unique(c).astype(np.int32)
            if s.stride != 1 or (Ho, Wo) != (H, W):
                taps, tap = np.unique(np.stack([dy, dx], 1), axis=0, return_inverse=True)
                channel = _blocks(Ho * Wo) * self.T
                copy = C * channel
                copies = self._place("words", len(taps) * copy)
                self._gather(part, copies, taps, used, copy, channel, (Ho, Wo), s.stride, s.padding, COPIES)
                waiting += [(copies + i * copy, lists + i * C, used) for i in range(len(taps))]
                place.append(lists + tap.reshape(-1) * C + c)
                offset.append(0 * c)
                lists += len(taps) * C
            else:
                waiting.append((part.at, lists, used))
                place.append(lists + c)
                offset.append(((s.padding - dy) * around.pitch + s.padding - dx) * windows)
                lists += C
            k.append(rows)
            weight.append(w[rows, c, dy, dx] * part.scale)
        events, count = self._place("counts", lists * capacity), self._place("counts", lists)
        for source, first, used in waiting:
            self._op(
                "sparse_listed", len(used), source=source, events=events + first * capacity,
                count=count + first, at=at, channels=used, capacity=capacity, B=_blocks(Ho * Wo), T=self.T,
                spare=(around.corner - 1) * windows,
            )  # fmt: skip
        (places, offsets, weights), start = _by_output(node, *map(np.concatenate, (k, place, offset, weight)))
        fields = self._outputs(node, to, start, places, weights)
        self._op(
            "sparse_scatter", K, sum=fields, events=events, count=count, offset=offsets.astype(np.int32),
            at=at, capacity=capacity, room=around.room * windows,
        )  # fmt: skip

    def _dense(self, node: Layer, signals: list[list[_Part]]) -> list[_Part]:
        """All weights, by torch, between unpacking and packing."""
        K, map_, T = node.shape[0], node.shape[1:], self.T
        B = _blocks(math.prod(map_))
        to = self._place("words", K * B * T) if map_ else self._place("trains", self.chunks * K)
        values = None if node.neurons is not None else self._place("floats", K * self.chunks * LANES)
        sources = {s.source: signals[s.source] for s in node.synapses}

        def step() -> None:
            x = {i: torch.from_numpy(self._unpacked(i, parts))[:, None] for i, parts in sources.items()}
            out = reference.layer(node, x)[:, 0].flatten(2 if map_ else 1).numpy()
            if values is not None:
                self._view(values, K, self.chunks * LANES)[:, :T] = out.T
            elif map_:
                bits = np.zeros((T, K, B * BITS), bool)
                bits[..., : out.shape[2]] = out
                words = np.packbits(bits, axis=2, bitorder="little").view("<u8")
                self._view(to, K, B, T)[:] = words.transpose(1, 2, 0)
            else:
                trains = np.zeros((self.chunks * LANES, K), bool)
                trains[:T] = out
                bytes_ = np.packbits(trains.reshape(self.chunks, LANES, K), axis=1, bitorder="little")
                self._view(to, self.chunks, K)[:] = np.ascontiguousarray(bytes_.swapaxes(1, 2)).view("<u2")[..., 0]

        self._later.append((self._name, lambda: step))
        if values is not None:
            return [_Values(values, K)]
        return [_String(to, (K, *map_))] if map_ else [_Trains(to, K)]

    def _unpacked(self, signal: int, parts: list[_Part]) -> NDArray[np.float32]:
        """A signal as numbers, `[T, *shape]`."""
        shape = self.graph.shapes[signal]
        if signal == 0:
            return np.broadcast_to(self._x.reshape(-1, *shape), (self.T, *shape)).copy()
        return reduce(np.add, map(self._read, parts)).reshape(self.T, *shape)

    def _analog(self, node: Layer, to: _At | None) -> None:
        """Sums over an input of numbers."""
        if len(node.synapses) > 1:
            raise UserError(
                f"cannot compile {node.name}: it adds the input to something else; put neurons behind it first"
            )
        (s,) = node.synapses
        C, H, W = self.graph.shapes[0]
        K, Ho, Wo = node.shape
        weight = s.weight.numpy()
        k, c, dy, dx = np.nonzero(weight)
        used, place = np.unique(np.stack([c, dy, dx], 1), axis=0, return_inverse=True)
        B, steps = _blocks(Ho * Wo), 1 if self.graph.static else self.T
        planes = self._place("floats", steps * len(used) * B * BITS)
        self._op(
            "sparse_planes", steps * len(used), source=self.input, to=planes, place=used.astype(np.int32),
            places=len(used), C=C, H=H, W=W, Ho=Ho, Wo=Wo, B=B, stride=s.stride, padding=s.padding,
        )  # fmt: skip
        (places, weights), start = _by_output(node, k, place.reshape(-1), weight[k, c, dy, dx])
        fields = self._outputs(node, to, start, places, weights)
        fields |= {"planes": planes, "still": int(self.graph.static), "places": len(used)}
        self._op("sparse_sum", K, **fields)

    def _taps(self, node: Layer, s: Synapses, part: _Part, tile: int) -> tuple[Any, ...]:
        """Output, rank, place in the arena and value of every live weight, and what copies the strings for a tile of
        blocks, from its first on.

        The rank is how often inputs fire: weights that follow each other are looked up together, and skipped together
        where none does.
        """
        assert isinstance(part, _String)
        _, H, W = part.shape
        Ho, Wo = node.shape[1:]
        weight, T = s.weight.numpy(), self.T
        k, c, dy, dx = np.nonzero(weight)
        value = weight[k, c, dy, dx] * part.scale
        rank = self.graph.events[s.source].numpy()[c] / part.scale if self.graph.events else 0 * value
        if not len(k):
            return k, rank, k, value, _nothing
        used = np.unique(c).astype(np.int32)
        if s.stride != 1 or (Ho, Wo) != (H, W):
            taps, tap = np.unique(np.stack([dy, dx], 1), axis=0, return_inverse=True)
            channel = _blocks(Ho * Wo) * T
            copy = weight.shape[1] * channel
            to = self._place("words", len(taps) * copy)
            self._gather(part, to, taps, used, copy, channel, (Ho, Wo), s.stride, s.padding, COPIES)
            return k, rank, to.offset + tap.reshape(-1) * copy + c * channel, value, _nothing
        if weight.shape[2:] == (1, 1):
            return k, rank, part.at.offset + c * _blocks(H * W) * T, value, _nothing
        # A row further down is W bits further on. Where blocks and rows begin together, what of it are whole blocks is
        # a matter of place, so that one copy serves several rows; blocks before and behind the map are zeros.
        down = (dy - s.padding) * W
        far, bits = np.divmod(down, BITS) if _aligned(W) else (0 * down, down)
        kinds, kind = np.unique(np.stack([bits, dx], 1), axis=0, return_inverse=True)
        above, below = max(0, -far.min(initial=0)), max(0, far.max(initial=0))
        blocks = int(above + tile + below)
        copy = weight.shape[1] * blocks * T
        to = self._place("words", len(kinds) * copy)

        def expand(first: int) -> None:
            start = (first - int(above)) * BITS
            position = start + np.arange(blocks * BITS)  # of an output neuron, for far = 0
            on = [_within(position + b, H * W) & _within(position % W + x, W) for b, x in kinds - [0, s.padding]]
            self._op(
                "sparse_expand", len(used), source=part.at, to=to, channels=used, copies=len(kinds), copy=copy,
                valid=np.repeat(_packed(np.stack(on)), T, 1),
                shift=self._reach(kinds.sum(1) - s.padding + start, blocks),
                channel=blocks * T, B=_blocks(H * W), T=T, blocks=blocks,
            )  # fmt: skip

        return k, rank, to.offset + kind.reshape(-1) * copy + c * blocks * T + (far + above) * T, value, expand

    def _reach(self, shift: NDArray, blocks: int) -> NDArray:
        """Distances of what is read, in bits, having made room for them around the strings."""
        self._beyond = max(self._beyond, (int(np.abs(shift).max()) // BITS + 2 + blocks) * self.T)
        return shift.astype(np.int32)

    def _gather(
        self, part: _String, to: _At, taps: NDArray, used: NDArray, copy: int, channel: int, size: tuple[int, ...],
        stride: int, padding: int, what: int, planes: int = 0,
    ) -> None:  # fmt: skip
        """Of windows at a stride each neuron, the largest, or their number: first for all places, then compressed."""
        if not len(taps):
            return
        _, H, W = part.shape
        B, (y, x) = _blocks(H * W), divmod(np.arange(_blocks(H * W) * BITS), W)
        on = [_within(y + dy, H) & _within(x + dx, W) for dy, dx in (taps - padding).tolist()]
        here = (y % stride == 0) & (y // stride < size[0]) & (x % stride == 0) & (x // stride < size[1]) & (y < H)
        chosen = _packed(here[None])[0].repeat(self.T)
        self._op(
            "sparse_gather", len(used), source=part.at, to=to, channels=used, chosen=chosen,
            valid=np.repeat(_packed(np.stack(on)), self.T, 1), moves=_moves(chosen), taps=len(taps), copy=copy,
            place=np.concatenate([[0], np.cumsum(here.reshape(B, BITS).sum(1))]).astype(np.int32),
            shift=self._reach((taps - padding) @ [W, 1], B), channel=channel, B=B, T=self.T, size=math.prod(size),
            planes=planes, what=what,
        )  # fmt: skip

    def _pool(self, node: Pool, source: list[_Part]) -> list[_Part]:
        K, Ho, Wo = node.shape
        pooled: list[_Part] = []
        for part in source:
            assert isinstance(part, _String)
            C, H, W = part.shape
            if node.kind == "mean" and Ho == Wo == 1 and node.size == H == W and self._numbers_do(node):
                to = self._place("floats", C * self.chunks * LANES)
                scale = part.scale / (H * W)
                self._op("sparse_mean", C, source=part.at, to=to, B=_blocks(H * W), T=self.T, scale=scale)
                pooled.append(_Values(to, C))
                continue
            largest = node.kind == "max"
            planes = 1 if largest else math.ceil(math.log2(node.size**2 + 1))
            copy = K * _blocks(Ho * Wo) * self.T
            to = self._place("words", planes * copy)
            taps = np.argwhere(np.ones((node.size, node.size)))
            self._gather(
                part, to, taps, np.arange(K, dtype=np.int32), copy, copy // K, (Ho, Wo), node.stride, node.padding,
                LARGEST if largest else NUMBER, planes,
            )  # fmt: skip
            share = 1.0 if largest else 1 / node.size**2
            pooled += [_String(to + p * copy, node.shape, part.scale * share * 2**p) for p in range(planes)]
        return pooled

    def _numbers_do(self, node: Pool) -> bool:
        """Whether all that read a pool can read numbers: linear layers do."""
        number = 1 + self.graph.nodes.index(node)
        return not any(
            reader.source == number
            if isinstance(reader, Pool)
            else any(s.source == number and s.weight.dim() == 4 for s in reader.synapses)
            for reader in self.graph.nodes
        )

    def _linear(self, node: Layer, signals: list[list[_Part]]) -> list[_Part]:
        K, T = node.shape[0], self.T
        parts = [(s, part) for s in node.synapses for part in signals[s.source]]
        source, firsts = self._features([part for _, part in parts])
        k: list[NDArray] = []
        place: list[NDArray] = []
        weight: list[NDArray] = []
        for (s, part), first in zip(parts, firsts, strict=True):
            w = s.weight.numpy()
            rows, columns = np.nonzero(w)
            k.append(rows)
            place.append(first + columns * (self.chunks if isinstance(part, _Values) else 1))
            weight.append(w[rows, columns] * (part.scale if isinstance(part, _String) else 1.0))
        (places, weights), start = _by_output(node, *map(np.concatenate, (k, place, weight)))
        to = self._place("trains", self.chunks * K) if node.neurons is not None else None
        currents = None
        if self.keep or node.neurons is None:
            currents = self._place("floats", K * self.chunks * LANES)
            self._kept[node.name] = (currents, (K, self.chunks * LANES))
        self._op(
            "sparse_linear", K, 16, **source, start=start.astype(np.int32), place=places.astype(np.int32),
            weight=weights.astype(np.float32), scale=_scale(node), bias=node.bias.numpy().astype(np.float32),
            alive=None if node.mask is None else node.mask.numpy().astype(np.uint8),
            to=to, currents=currents, neurons=_neurons(node.neurons), T=T, K=K,
        )  # fmt: skip
        if to is not None:
            return [_Trains(to, K)]
        assert currents is not None
        return [_Values(currents, K)]

    def _features(self, parts: list[_Part]) -> tuple[dict[str, Any], list[int]]:
        """All parts as one array of trains or of values, and where each begins in it."""
        if len(parts) == 1 and isinstance(parts[0], _Trains):
            return {"trains": parts[0].at, "values": None, "features": parts[0].features}, [0]
        sizes = [math.prod(p.shape) if isinstance(p, _String) else p.features for p in parts]
        firsts = [sum(sizes[:i]) for i in range(len(sizes))]
        at = parts[0].at
        if all(isinstance(p, _Values) for p in parts):  # behind the first one: places are multiples of 32 floats
            firsts = [(p.at.offset - at.offset) // LANES for p in parts]
            return {"trains": None, "values": at, "features": sum(sizes)}, firsts
        to = self._place("trains", self.chunks * sum(sizes))
        for part, first in zip(parts, firsts, strict=True):
            assert isinstance(part, _String)
            C, H, W = part.shape
            B, features = _blocks(H * W), sum(sizes)
            self._op("sparse_trains", C, source=part.at, to=to + first, B=B, T=self.T, size=H * W, features=features)
        return {"trains": to, "values": None, "features": sum(sizes)}, firsts

    # --- running --------------------------------------------------------------------------------------------------

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """One sample `[T, C, H, W]` or `[C, H, W]` → logits `[T, classes]`."""
        self._x[:] = x.reshape(-1)
        self._run(self._parts)
        out = reduce(np.add, (self._read(part) for parts in self.outputs for part in parts))
        return out.reshape(self.T, self.graph.num_classes, -1).mean(2)

    def part(self, name: str) -> Callable[[], None]:
        """A call that runs one layer alone, on what the last run left in memory: to see where the time goes."""
        return partial(self._run, _parts([step for owner, step in self._steps if owner == name]))

    def _run(self, parts: list[Callable[[], None]]) -> None:
        for part in parts:
            part()

    def _view(self, at: _At, *shape: int) -> NDArray:
        return self.arenas[at.arena][at.offset : at.offset + math.prod(shape)].reshape(shape)

    def _read(self, part: _Part) -> NDArray[np.float32]:
        """The numbers that a part holds, `[T, F]`."""
        if isinstance(part, _Values):
            return self._view(part.at, part.features, self.chunks * LANES)[:, : self.T].T
        if isinstance(part, _String):
            K, H, W = part.shape
            words = self._view(part.at, K, _blocks(H * W), self.T).transpose(2, 0, 1)
            bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=2, bitorder="little")[..., : H * W]
            return np.multiply(bits, part.scale, dtype=np.float32).reshape(self.T, -1)
        words = self._view(part.at, self.chunks * part.features)
        bits = np.unpackbits(words.view(np.uint8).reshape(-1, 2), axis=1, bitorder="little")
        trains = bits.reshape(self.chunks, part.features, LANES).transpose(0, 2, 1).reshape(-1, part.features)
        return trains[: self.T].astype(np.float32)

    def signal(self, number: int) -> torch.Tensor:
        """A signal of the graph at the last run, `[T, *shape]`."""
        return torch.from_numpy(self._unpacked(number, self.signals[number]))

    def kept(self, name: str) -> NDArray[np.float32]:
        """The currents of a layer at the last run, `[T, K, neurons]` or `[T, K]`, with `currents=True`."""
        at, shape = self._kept[name]
        values = self._view(at, *shape)
        return values.swapaxes(0, 1) if len(shape) == 3 else values[:, : self.T].T


def _parts(steps: list[_Step]) -> list[Callable[[], None]]:
    """Steps as calls: compiled ones that follow each other are one."""
    parts: list[Callable[[], None]] = []
    for compiled, some in groupby(steps, key=lambda step: isinstance(step, tuple)):
        group: list[Any] = list(some)
        parts += [native.KernelSequence(group).run] if compiled else group
    return parts


def path_here(graph: Graph, node: Layer, path: str) -> str:
    """The path that a layer is run on, at the level of kernels in use, where `path` is asked for."""
    allowed = path_of_shape(graph, node, path)
    return "masked" if allowed == "table" and not native.has_tables() else allowed


def path_of_shape(graph: Graph, node: Layer, path: str) -> str:
    """The path that the shapes of a layer allow where `path` is asked for, on a processor that has every path.

    Linear layers and those that read the input have "masked" beside "dense". A layer is dense if an output lies where
    no neuron of the map is, which is so where padding adds more than the kernel takes away.
    """
    if path == "dense":
        return path
    first = any(s.source == 0 for s in node.synapses)
    if len(node.shape) == 1 or first:
        return "dense" if first and len(node.synapses) > 1 else "masked"
    if any(
        (n - 1) * s.stride >= m
        for s in node.synapses
        for n, m in zip(node.shape[1:], graph.shapes[s.source][1:], strict=True)
    ):
        return "dense"
    many = path == "event" and _around(node).room * _windows(graph.T) >= MOST_PLACES
    return "masked" if many else path


@dataclass(frozen=True)
class _Around:
    """Places of a map with room around it for what events add beyond its edge. pitch: from row to row; corner: place of
    the first neuron; room: of all.
    """

    pitch: int
    corner: int
    room: int


def _around(node: Layer) -> _Around:
    _, H, W = node.shape
    margin = max(max(s.padding, *(n - 1 - s.padding for n in s.weight.shape[2:])) for s in node.synapses)
    pitch = W + margin
    return _Around(pitch, margin * pitch + margin + 1, (H + 2 * margin) * pitch + 2 * margin + 1)


def _windows(T: int) -> int:
    """Windows of 8 steps, each of which has a place of its own."""
    return math.ceil(T / STEPS)


def _zeros(size: int, kind: type[np.generic], beyond: int) -> NDArray[Any]:
    """Zeros with room before and behind them. They begin with a cache line: of vectors that lie across two, each read
    would be two.
    """
    itemsize = np.dtype(kind).itemsize
    room = np.zeros((size + 2 * beyond) * itemsize + LINE, np.uint8)
    first = beyond * itemsize + -(room.ctypes.data + beyond * itemsize) % LINE
    return room[first : first + (size + beyond) * itemsize].view(kind)


def _nothing(first: int) -> None:
    """Copies nothing: the strings are read where they are, or have been gathered."""


def _aligned(W: int) -> bool:
    """Whether blocks and rows of a map begin together."""
    return BITS % W == 0 or W % BITS == 0


def _within(position: NDArray, size: int) -> NDArray[np.bool_]:
    return (position >= 0) & (position < size)


def _blocks(neurons: int) -> int:
    return math.ceil(neurons / BITS)


def _by_output(node: Layer, k: NDArray, *columns: NDArray) -> tuple[list[NDArray], NDArray]:
    """Weights in the order of their outputs and then of the first column, and where each output's begin."""
    order = np.lexsort((columns[0], k))
    return [column[order] for column in columns], np.searchsorted(k[order], np.arange(node.shape[0] + 1))


def _packed(bits: NDArray[np.bool_]) -> Words:
    """`[n, neurons]` → words of 64, `[n, B]`."""
    n, size = bits.shape
    padded = np.zeros((n, _blocks(size) * BITS), bool)
    padded[:, :size] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _moves(chosen: Words) -> Words:
    """How the chosen bits of words `[B]` get to their lower end: those that move by 1, 2, 4, ..., 32, `[6, B]`.

    Ref: the compress operation of Warren, Hacker's Delight, 2nd ed., 7-4.
    """
    moves, lower = [], ~chosen << np.uint64(1)
    for i in range(6):
        parity = lower
        for j in range(6):
            parity = parity ^ parity << np.uint64(2**j)
        move = parity & chosen
        chosen = chosen ^ move | move >> np.uint64(2**i)
        lower = lower & ~parity
        moves.append(move)
    return np.stack(moves)


def _scale(node: Layer) -> NDArray[np.float32]:
    return np.ones(node.shape[0], np.float32) if node.scale is None else node.scale.numpy().astype(np.float32)


def _whole(weight: NDArray) -> bool:
    """Whether these are whole numbers, and no seven of them have a sum that 16 bits do not hold."""
    return bool((weight == np.round(weight)).all()) and np.abs(weight).max(initial=0) <= 32767 // SEVEN


def _grouped(start: NDArray, place: NDArray, weight: NDArray, size: int) -> tuple[NDArray, NDArray, NDArray]:
    """Every output's weights in groups, the last filled up with zeros: where each output's begin, in eights, places
    `[groups, 8]`, weights `[groups, size]`.
    """
    counts = np.diff(start)
    groups = -(-counts // size)
    first = np.concatenate([[0], np.cumsum(groups)])
    at = np.repeat(first[:-1] * size - start[:-1], counts) + np.arange(len(place))
    places, weights = np.zeros((first[-1], EIGHT), np.int32), np.zeros((first[-1], size), np.float64)
    places[at // size, at % size], weights[at // size, at % size] = place, weight
    return first * EIGHT, places, weights


def _in_sevens(start: NDArray, place: NDArray, weight: NDArray) -> tuple[NDArray, NDArray, NDArray, int]:
    """Groups of seven whole weights, the lower and the upper bytes of the sums of the subsets of each, and how many
    groups can be added in 16 bits.
    """
    first, places, weights = _grouped(start, place, weight, SEVEN)
    sums = (weights @ (np.arange(2**SEVEN) >> np.arange(SEVEN)[:, None] & 1)).astype(np.int16)  # of bit i: weight i
    bytes_ = np.stack([sums & 255, sums >> 8 & 255], 1).astype(np.uint8)
    largest = int(np.abs(weights).sum(1).max(initial=1))
    return first, places, bytes_, 32767 // largest
