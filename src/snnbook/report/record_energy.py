"""Joules of stored records under the models of `snnbook.joules`: the counts that a record holds, or that follow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from snnbook import joules
from snnbook.errors import UserError
from snnbook.joules import CONVOLUTION, LINEAR, Energy, LayerCounts, Shape
from snnbook.report.records import RecordLike, number

TOLERANCE = 1e-6  # of sums that were taken in another order


def layer_counts(record: RecordLike, shapes: Mapping[str, Shape] | None = None) -> list[LayerCounts]:
    """What each layer of a record's network does for one sample, in order of execution.

    shapes: what `experiments.shapes` gives; without it only numbers of operations are known. All but one number are
    those that `measure.counts` finds in the network. The exception is `spikes_in`: behind a pooling, and in the first
    layer, it is the crossings over the mean number of synapses of an input, as if inputs with many synapses fired as
    often as others, and no more than the spikes in front of the pooling.
    Raises UserError for a record without numbers of operations, and for one whose layers behind the encoding layer
    multiply: it does not say which of them do.
    """
    counted: list[LayerCounts] = []
    for layer, (accumulates, multiplies) in zip(record.layers, _operations(record), strict=True):
        name, kind = layer["name"], {"conv": CONVOLUTION}.get(layer["kind"], LINEAR)
        if shapes is None:
            counted.append(LayerCounts(name, kind, accumulates, multiplies))
            continue
        shape, steps = shapes[name], int(record.metrics["T"])
        alive = _alive(record, shape)
        crossings = accumulates + multiplies
        spikes = crossings * shape.inputs / layer["connections_alive"] if layer["connections_alive"] else 0.0
        if counted:
            before = shapes[counted[-1].name]
            sent = counted[-1].spikes_out
            spikes = sent if before.outputs == shape.inputs else min(spikes, sent)
        own = shape.neuron and not shape.shared
        counted.append(
            LayerCounts(
                name,
                shape.kind,
                accumulates,
                multiplies,
                spikes_in=spikes,
                spikes_out=number(layer["rate"]) * shape.outputs * steps if own else 0.0,
                potentials=alive,
                updates=0 if shape.shared else alive * steps,
                leak=bool(shape.neuron),
                steps=steps,
                weights=layer["weights_alive"],
                biases=shape.biases,
                channels=_channels(record, name, shape),
                kernel=shape.kernel,
                positions=shape.positions,
            )
        )
    return counted


def energy_of_record(
    record: RecordLike, model: str = "horowitz", shapes: Mapping[str, Shape] | None = None, known_only: bool = False
) -> Energy:
    """Joules per sample of a record's network, as `measure.energy` has them for the network itself.

    shapes: what `experiments.shapes` gives; a model that needs more than operations needs it.
    Raises UserError as `layer_counts` does, for a model that needs shapes and has none, and for layers that the model
    does not know, unless `known_only`.
    """
    if shapes is None and not joules.model_of(model).operations:
        raise UserError(f"the energy model {model!r} needs shapes of the layers: hand in experiments.shapes(record)")
    return joules.charged(layer_counts(record, shapes), model, known_only)


def _operations(record: RecordLike) -> list[tuple[float, float]]:
    """For each layer, accumulates and multiplies; the record has their sums and, behind the first, the former."""
    m = record.metrics
    accumulates, multiplies = number(m["accumulates"]), number(m["multiplies"])
    if not (math.isfinite(accumulates) and math.isfinite(multiplies)):
        raise UserError(
            f"{record.id}, seed {record.seed}, holds no numbers of operations: remove it and run the trial anew"
        )
    behind = [float(layer["sops"]) for layer in record.layers[1:]]
    first = accumulates - sum(behind)
    entered = number(m["sops_encoding"]) or number(m["macs_encoding"])
    slack = TOLERANCE * (accumulates + multiplies)
    if first < -slack or first + multiplies > entered + slack:
        raise UserError(
            f"{record.id}: layers behind the encoding layer multiply, and the record does not say how often: "
            "hand the network to measure.counts"
        )
    return [(max(first, 0.0), multiplies), *((sops, 0.0) for sops in behind)]


def _alive(record: RecordLike, shape: Shape) -> int:
    """The number of outputs of a layer whose neurons are not masked."""
    mask = record.curves.get(f"neurons/{shape.neuron}")
    return shape.outputs if mask is None else int(np.unpackbits(mask, count=shape.outputs).sum())


def _channels(record: RecordLike, name: str, shape: Shape) -> tuple[int, int]:
    """The input and the output channels of a layer that have a live weight."""
    mask = record.curves.get(f"mask/{name}.weight")
    if mask is None:
        return shape.channels
    into, out = shape.channels
    alive = np.unpackbits(mask, count=into * out * shape.kernel).reshape(out, into, shape.kernel).max(axis=2)
    return int(alive.max(axis=0).sum()), int(alive.max(axis=1).sum())


def printed_case(row: Mapping[str, Any]) -> LayerCounts:
    """The counts of a row of `papers.energies`; what it leaves empty its model does not need."""
    whole = ("potentials", "updates", "steps", "weights", "biases", "kernel", "positions")
    given = {name: value for name, value in row.items() if value == value}  # NaN is not itself
    return LayerCounts(
        row["case"],
        row["kind"],
        given["accumulates"],
        given["multiplies"],
        **{name: given[name] for name in ("spikes_in", "spikes_out") if name in given},
        **{name: int(given[name]) for name in whole if name in given},
        leak=bool(given.get("leak", True)),
        channels=(int(given.get("channels_in", 0)), int(given.get("channels_out", 0))),
    )
