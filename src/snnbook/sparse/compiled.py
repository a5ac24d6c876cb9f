"""Compiling a network, running it, and keeping it in a file."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save
from torch import Tensor, nn

from snnbook import native
from snnbook.errors import UserError, unknown
from snnbook.files import atomic_write
from snnbook.neurons import LIFParameters
from snnbook.sparse import choice, reference
from snnbook.sparse.graph import Graph, Layer, Pool, Synapses, build, check, quantised
from snnbook.sparse.kernels import PATHS, Program, path_here

FORMAT, VERSION = "snnbook.sparse", 1


@dataclass(frozen=True, repr=False, eq=False)
class Compiled:
    """A network for inference alone: a call gives the logits that the network gives in evaluation mode.

    paths: how the sums of a layer are made, by its name: "masked", "table" or "event" (live weights only), or "dense";
    where a layer has no such path, the one that it has instead (`kernels.path_here`). It runs at the level of kernels
    in use when it is made. Two threads must not call it at once: its layers' signals have one place in memory.
    """

    graph: Graph
    paths: dict[str, str]

    def __post_init__(self) -> None:
        layers = (node for node in self.graph.nodes if isinstance(node, Layer))
        object.__setattr__(self, "paths", {n.name: path_here(self.graph, n, self.paths[n.name]) for n in layers})
        program = Program(self.graph, self.paths) if native.available() else None
        object.__setattr__(self, "_program", program)

    def __reduce__(self) -> tuple[Any, ...]:  # a program's addresses mean nothing elsewhere
        return Compiled, (self.graph, self.paths)

    def __repr__(self) -> str:
        rows = self.layers()
        live = sum(row["live"] for row in rows)
        paths = ", ".join(f"{n} {path}" for path, n in Counter(row["path"] for row in rows).items())
        return f"Compiled({len(rows)} layers: {paths}; {live:,} live weights, T={self.graph.T})"

    def layers(self) -> list[dict[str, Any]]:
        """Of every layer its name, the shape of its output, its live weights, all of its weights, and its path."""
        return [
            {
                "name": node.name,
                "shape": node.shape,
                "live": sum(int(s.weight.count_nonzero()) for s in node.synapses),
                "weights": sum(s.weight.numel() for s in node.synapses),
                "path": self.paths[node.name],
            }
            for node in self.graph.nodes
            if isinstance(node, Layer)
        ]

    def __call__(self, x: Tensor) -> Tensor:
        """Input `[T, N, C, H, W]`, or `[N, C, H, W]` if it was compiled for pictures → logits `[T, N, K]`.

        On the CPU, on as many threads as torch uses. Without compiled kernels the torch reference runs, with the same
        results up to rounding. Raises UserError for another shape or type.
        """
        g, shape = self.graph, tuple(x.shape)
        wanted = (*(() if g.static else (g.T,)), "N", *g.shapes[0])
        batch = len(shape) - 4
        if (
            x.dtype != torch.float32
            or len(shape) != len(wanted)
            or any(isinstance(n, int) and n != m for n, m in zip(wanted, shape, strict=True))
        ):
            axes = ", ".join(map(str, wanted))
            raise UserError(f"this network was compiled for float32 [{axes}], got {x.dtype} {list(shape)}")
        program: Program | None = self._program  # type: ignore[attr-defined]
        if program is None:
            return reference.run(g, x.detach().cpu())
        out = torch.empty(g.T, shape[batch], g.num_classes)
        for i, sample in enumerate(x.detach().cpu().unbind(batch)):
            out[:, i] = torch.from_numpy(program.run(sample.numpy()))
        return out

    def save(self, path: Path | str) -> None:
        """Write the network to a file: live weights alone, in the safetensors format. See `load`.

        Raises UserError where it cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {}
        nodes = [_described(i, node, arrays) for i, node in enumerate(self.graph.nodes)]
        g = self.graph
        arrays |= {f"{i}.events": events.numpy() for i, events in enumerate(g.events)}
        description = {
            "T": g.T, "static": g.static, "num_classes": g.num_classes, "input": g.shapes[0], "outputs": g.outputs,
            "nodes": nodes, "paths": self.paths,
        }  # fmt: skip
        text = json.dumps(description)
        metadata = {"format": FORMAT, "version": str(VERSION), "graph": text, "digest": _digest(text, arrays)}
        with atomic_write(Path(path)) as file:
            file.write_bytes(save(arrays, metadata))


def compile(model: nn.Module, sample: Tensor, paths: dict[str, str] | None = None, bits: int = 0) -> Compiled:
    """A network made for inference on live weights, with batch norm folded and spikes packed into bits.

    sample: inputs of the shape to come, `[T, N, C, H, W]` or pictures `[N, C, H, W]`; how often neurons fire on it
    decides how the sums of a layer are made. paths: decide it for some layers yourself, by name. bits: round weights to
    whole numbers of that many bits, 2 to 8, times one number for each output; sums of spikes are then exact.
    Raises UserError for a network that is none of ours, a layer that cannot be compiled, and a path that is unknown or
    that the layer does not have.
    """
    graph = build(model, sample)
    if bits:
        graph = quantised(graph, bits)
    graph = choice.observed(graph, sample.detach().float().cpu())
    chosen = choice.choose(graph)
    layers = {node.name: node for node in graph.nodes if isinstance(node, Layer)}
    for name, path in (paths or {}).items():
        if name not in chosen:
            raise unknown("layer", name, chosen)
        if path not in PATHS:
            raise unknown("path", path, PATHS)
        if (other := path_here(graph, layers[name], path)) != path:
            raise UserError(f"{name} has no path {path} here; its path is {other}")
    return Compiled(graph, chosen | (paths or {}))


def load(path: Path | str) -> Compiled:
    """A network from a file of `Compiled.save`. A path that this processor cannot run becomes "masked".

    Raises UserError for a file that is no such network, is damaged, or was written by a newer version.
    """
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise UserError(f"{path} is no compiled network")
            if int(metadata["version"]) > VERSION:
                raise UserError(f"{path} was written by a newer snnbook (version {metadata['version']} of the format)")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        if _digest(metadata["graph"], arrays) != metadata["digest"]:
            raise UserError(f"{path} is damaged: it does not hold what was written")
        description = json.loads(metadata["graph"])
        graph, paths = _graph(description, arrays), description["paths"]
        check(graph)
        if any(path not in PATHS for path in paths.values()):
            raise ValueError(f"paths must be of {', '.join(PATHS)}")
        return Compiled(graph, paths)
    except UserError:
        raise
    except Exception as err:  # whatever a file made to do harm leads to
        raise UserError(f"{path} cannot be read as a compiled network: {err}") from err


def _digest(text: str, arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _described(i: int, node: Layer | Pool, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """A node as plain values; its arrays go beside the others."""
    if isinstance(node, Pool):
        return vars(node)
    synapses = []
    for j, s in enumerate(node.synapses):
        weight = s.weight.numpy().reshape(len(s.weight), -1)
        rows, columns = np.nonzero(weight)
        name, small = f"{i}.{j}", weight.shape[1] <= 1 << 16
        arrays[f"{name}.count"] = np.bincount(rows, minlength=len(weight)).astype(np.uint32)
        arrays[f"{name}.index"] = columns.astype(np.uint16 if small else np.uint32)
        arrays[f"{name}.weight"] = weight[rows, columns].astype(np.float32 if node.scale is None else np.int8)
        synapses.append({"source": s.source, "stride": s.stride, "padding": s.padding, "shape": list(s.weight.shape)})
    arrays[f"{i}.bias"] = node.bias.numpy()
    if node.scale is not None:
        arrays[f"{i}.scale"] = node.scale.numpy()
    if node.mask is not None:
        arrays[f"{i}.mask"] = np.packbits(node.mask.numpy().reshape(-1))
    p = node.neurons
    neurons = p and {key: getattr(p, key) for key in ("tau", "v_threshold", "v_reset", "decay_input")}
    return {"name": node.name, "shape": node.shape, "neurons": neurons, "synapses": synapses}


def _graph(stored: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Graph:
    """The graph of a file: the inverse of `_described` for all nodes."""
    T, static, num_classes = (stored[name] for name in ("T", "static", "num_classes"))
    graph = Graph(T, static, num_classes, [tuple(stored["input"])], [], tuple(stored["outputs"]))
    for i, values in enumerate(stored["nodes"]):
        pool = "synapses" not in values
        node = Pool(**values | {"shape": tuple(values["shape"])}) if pool else _layer(i, values, arrays)
        graph.nodes.append(node)
        graph.shapes.append(node.shape)
    graph.events = tuple(
        torch.from_numpy(arrays[f"{i}.events"]) for i in range(len(graph.shapes)) if "0.events" in arrays
    )
    return graph


def _layer(i: int, stored: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Layer:
    synapses = []
    for j, s in enumerate(stored["synapses"]):
        count, index, value = (arrays[f"{i}.{j}.{what}"] for what in ("count", "index", "weight"))
        rows = np.zeros((s["shape"][0], math.prod(s["shape"][1:])), np.float32)
        rows[np.repeat(np.arange(len(rows)), count), index] = value
        synapses.append(Synapses(s["source"], torch.from_numpy(rows.reshape(s["shape"])), s["stride"], s["padding"]))
    shape = tuple(stored["shape"])
    neurons = stored["neurons"] and LIFParameters(**stored["neurons"])
    packed = arrays.get(f"{i}.mask")
    mask = None if packed is None else torch.from_numpy(np.unpackbits(packed)[: math.prod(shape)] > 0).view(shape)
    scale = arrays.get(f"{i}.scale")
    return Layer(
        stored["name"], tuple(synapses), torch.from_numpy(arrays[f"{i}.bias"]), shape, neurons, mask,
        None if scale is None else torch.from_numpy(scale),
    )  # fmt: skip
