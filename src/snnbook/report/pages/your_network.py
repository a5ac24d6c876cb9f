"""The page on a reader's own network: what the tests promise, which definitions differ, and the counts of a network."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from snnbook import paths
from snnbook.errors import UserError, unknown
from snnbook.report.blocks import Fragment, escape, stacked
from snnbook.report.tables import Table

CAPTIONS = {
    "Synapses": "Synapses: what multiplies",
    "MACs and ACs": "Multiplications and additions: values that are no spikes",
    "Weights": "Weights: computed, shared, frozen",
    "Wrappers": "Wrappers, hooks and types of numbers",
    "State": "State of neurons",
    "Shapes": "Shapes of inputs, and batches",
    "Recordings": "Recordings and files of data sets",
    "Files": "Pruned networks in files",
    "Places": "Places and parameters",
}
WHY = {
    "a spike at exactly the threshold": "A neuron that reaches its threshold fires, as in most libraries.",
    "a soft reset": "The step that fires is the step that is reset, as with the hard reset.",
    "spikes of a neuron in one step": "A spike is 1, so that adding a weight is enough.",
    "current of a synapse": "A filter is a layer of its own: put it in front of the neurons.",
    "slope α of the surrogate SuperSpike": "A setting that changes nothing misleads.",
    "windows when frames are cut by time": "A longer frame holds more events than the others.",
    "events left over when frames are cut by number": "Every event is counted once (paper A, Eq. 2 to 4).",
    "operations of a layer": "A rate that is a mean does not know which neurons fire and how many synapses they have.",
    "synaptic operations of pruned synapses": "A synapse that is gone passes nothing on.",
    "synapses of an input at the border": "No neuron is in the padding.",
    "operations behind an average pooling": "A fraction of a spike is no spike: it has to be multiplied.",
    "operations of a bias": "A bias is added once for each output, without a spike.",
    "operations of the first layer": "It multiplies pixels or numbers of events, and no spikes.",
    "number of operations of a batch": "A mean does not depend on the number of samples.",
    "connection sparsity": "A weight of a convolution is many connections.",
}


def supported() -> Fragment:
    """What is supported and refused, one table for each kind, from `data/tested/support.csv`."""
    rows, tables = _read("support.csv"), []
    for kind, group in rows.groupby("kind", sort=False):
        frame = pd.DataFrame(
            {
                "What": [_coded(what) for what in group["what"]],
                "Outcome": [
                    _outcome(outcome, says) for outcome, says in zip(group["outcome"], group["says"], strict=True)
                ],
                "Tested in": [test.split("::")[0] for test in group["test"]],
            }
        )
        tables.append(Table(frame, CAPTIONS[str(kind)]))
    return stacked(*tables)


def defined() -> Table:
    """Definitions beside those of other libraries, from `data/tested/definitions.csv`, and why ours are as they are.

    Raises UserError for a definition of which no reason is given.
    """
    rows = _read("definitions.csv")
    for definition in rows["definition"]:
        if definition not in WHY:
            raise unknown("definition", definition, WHY)
    lines = []
    for definition, why in WHY.items():
        group = rows[rows["definition"] == definition]
        if len(group):
            ours = group["ours"].iloc[0]
            theirs = [
                f"{', '.join(group.loc[group['theirs'] == value, 'library'])}: {value}"
                for value in group["theirs"].unique()
                if value != ours
            ]
            same = ", ".join(group.loc[group["theirs"] == ours, "library"])
            lines.append((definition, _coded(ours), same or None, "; ".join(theirs) or None, why))
    names = ["Definition", "Here", "The same in", "Another in", "Why ours"]
    return Table(pd.DataFrame(lines, columns=names), "Definitions side by side")


def counted(sops: Any, connections: Any, weights: Any) -> Table:
    """What `measure.sops`, `measure.connections` and `measure.weights` say of one network, layer by layer."""
    rows = []
    for layer in sops.macs:
        first = layer == sops.encoding_layer
        rows.append(
            {
                "Layer": layer or "the network",
                "SOPs": "encoding layer" if first else f"{sops.per_layer[layer]:,.0f}",
                "accumulates": f"{sops.accumulates[layer]:,.0f}",
                "multiplies": f"{sops.multiplies[layer]:,.0f}",
                "dense MACs": f"{sops.macs[layer]:,.0f}",
                "connections": _of(connections.per_layer.get(layer)),
                "weights": _of(weights.per_layer.get(layer)),
            }
        )
    return Table(pd.DataFrame(rows), "Operations per sample; live connections and weights of all")


def _of(pair: tuple[float, float] | None) -> str | None:
    return None if pair is None else f"{pair[0]:,.0f} of {pair[1]:,.0f}"


def _read(name: str) -> pd.DataFrame:
    path = paths.tested() / name
    if not path.is_file():
        raise UserError(f"there is no {path}: in a clone, `python tests/marks.py` makes it")
    return pd.read_csv(path, keep_default_na=False)


def _coded(text: str) -> Fragment:
    """Text whose pieces between backticks are code."""
    return Fragment(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)), text)


def _outcome(outcome: str, says: str) -> Fragment:
    """An outcome, with the beginning of the message if there is one."""
    if not says:
        return _coded(outcome)
    return Fragment(f"{escape(outcome)}: <q>{escape(says)}</q>", f"{outcome}: “{says}”")
