"""What a run of a trial with a seed leaves behind, and the schema of it: the unit and meaning of every name in it.

A name that a page reads or a run measures is in the schema or it is an error, so that a misspelt metric is not a NaN.
The tables of `book/reference/records.md` are made from here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snnbook.errors import UserError, unknown


@dataclass(frozen=True)
class Quantity:
    """An entry of the schema.

    unit: "" for a number without one. meaning: a sentence. shape: that of an array, such as `[T]`; "" for numbers.
    """

    unit: str
    meaning: str
    shape: str = ""


METRICS: dict[str, Quantity] = {
    "top1": Quantity("%", "Share of the test samples whose class has the largest output, of the mean over the steps."),
    "top5": Quantity("%", "Share of the test samples whose class is among the five largest outputs."),
    "top1_train": Quantity("%", "`top1` on the training split, in evaluation mode and without augmentation."),
    "top1_validation": Quantity("%", "`top1` on the validation split; settings are tuned on it."),
    "chance": Quantity("%", "Accuracy of guessing: 100 divided by the number of classes."),
    "samples_test": Quantity("samples", "Size of the test split."),
    "T": Quantity("steps", "Number of time steps that the trained network runs for; a method may have lowered it."),
    "decision_step": Quantity("steps", "Step, counted from 1, at which the method found the outputs to be decided."),
    "weights_alive": Quantity("weights", "Number of prunable weights that the masks keep."),
    "weights_total": Quantity("weights", "Number of prunable weights of the dense network."),
    "parameters_alive": Quantity("parameters", "Number of parameters of any kind without the pruned weights."),
    "parameters_total": Quantity("parameters", "Number of parameters of any kind of the dense network."),
    "parameters_smaller": Quantity("parameters", "Number of parameters of the network with dead channels taken out."),
    "sparsity": Quantity("%", "Share of the prunable weights that is pruned."),
    "sparsity_parameters": Quantity("%", "Share of all parameters that is pruned."),
    "connections_alive": Quantity("connections", "Number of live synapses: nonzero weight, live neuron at both ends."),
    "connections_total": Quantity("connections", "Number of synapses of the dense network."),
    "neurons_alive": Quantity("neurons", "Number of neurons that no mask silences."),
    "neurons_total": Quantity("neurons", "Number of spiking neurons."),
    "sops": Quantity("SOPs/sample", "Spikes that cross a live synapse, over all steps, without the encoding layer."),
    "sops_encoding": Quantity("SOPs/sample", "Input events that cross a live synapse of the encoding layer."),
    "macs_encoding": Quantity("MACs/sample", "Multiplications of input values by live weights in the encoding layer."),
    "accumulates": Quantity("ACs/sample", "Additions of a weight: a spike crosses a live synapse, of any layer."),
    "multiplies": Quantity("MACs/sample", "Products of a live weight and a value that is no spike, in any layer."),
    "mean_abs_weight": Quantity("", "Mean magnitude of the nonzero weights."),
    "median_abs_weight": Quantity("", "Median magnitude of the nonzero weights."),
    "top_abs_mean": Quantity("", "Mean magnitude of the largest weights, as many as 14 cuts by a quarter leave."),
    "epochs": Quantity("epochs", "Number of epochs that this trial trained for, over all its rounds."),
    "epochs_start": Quantity("epochs", "Number of epochs of the trainings that this one goes on from; 0 for none."),
    "smaller_differs": Quantity("", "Largest difference in an output between the masked and the smaller network."),
}

LAYER_METRICS: dict[str, Quantity] = {
    "name": Quantity("", "Name of the module in the network; layers are in order of execution."),
    "kind": Quantity("", 'Either "conv" or "linear".'),
    "weights_alive": Quantity("weights", "Number of weights that the mask keeps."),
    "weights_total": Quantity("weights", "Number of weights of the dense layer."),
    "connections_alive": Quantity("connections", "Number of live synapses; fractional behind an average pooling."),
    "connections_total": Quantity("connections", "Number of synapses of the dense layer."),
    "sops": Quantity("SOPs/sample", "Spikes that enter over a live synapse; for the encoding layer, input events."),
    "rate": Quantity("spikes/neuron/step", "Firing rate of the neurons behind the layer; missing where none are."),
}

ROUND_METRICS: dict[str, Quantity] = {
    "T": Quantity("steps", "Number of time steps at the end of the round."),
    "sparsity": Quantity("%", "Share of the prunable weights that is pruned."),
    "connections_left": Quantity("%", "Share of the synapses that is alive."),
    "sops": Quantity("SOPs/sample", "Spikes that cross a live synapse, without the encoding layer."),
    "top1": Quantity("%", "Share of the test samples whose class has the largest output."),
    "epochs": Quantity("epochs", "Number of epochs trained for until then, all rounds together."),
}

CURVES: dict[str, Quantity] = {
    "loss": Quantity("", "Mean training loss in each epoch; in nats for cross-entropies.", "[epochs]"),
    "predictions": Quantity("class", "Class that each test sample is taken for.", "[samples_test]"),
    "accuracy_test": Quantity("%", "Test accuracy of the mean output of steps 1 to t.", "[T]"),
    "accuracy_train": Quantity("%", "Training accuracy of the mean output of steps 1 to t, as `top1_train`.", "[T]"),
    "kl_<variant>": Quantity("nats", "Divergence of outputs and labels after step t, on the training set.", "[T]"),
    "fisher": Quantity("", "Trace of the empirical Fisher information after step t, on training samples.", "[T]"),
    "magnitudes": Quantity("weights", "Number of live weights in each interval of `measure.MAGNITUDES`.", "[142]"),
    "outputs": Quantity("", "Outputs for a few test samples after each step, not averaged.", "[T, samples, classes]"),
    "taylor_kl": Quantity("nats", "Divergence that a change of the read-out's weights makes, by its size.", "[6, T]"),
    "taylor_fisher": Quantity("nats", "Half the Fisher form of that change.", "[6, T]"),
    "mask/<layer>.weight": Quantity("", "Weights kept, 8 to a byte, by `np.packbits`.", "[⌈weights_total / 8⌉]"),
    "neurons/<module>": Quantity("", "Neurons kept, 8 to a byte, by `np.packbits`.", "[⌈neurons / 8⌉]"),
}

LOG: dict[str, Quantity] = {
    "rounds": Quantity("", "For each round of the method, what the table of rounds lists; round 0 is the dense one."),
    "rescued": Quantity("", "Names of the layers that pruning would have emptied: their best weight or channel stays."),
    "grown": Quantity("weights", "At each regrowth, number of weights that came alive."),
    "rewired": Quantity("weights", "Number of times that a weight died and another was activated for it."),
    "channels": Quantity("channels", "Number of channels that are alive, and number of all that can be pruned."),
    "scales": Quantity(
        "", "Quantiles 0, 10, 25, 50, 75, 90 and 100 % of the channels' scales of batch norm, at the cut."
    ),
    "amplification": Quantity("", "Weight name → energy of its layer's leaky input over that of its input, last cut."),
    "outside": Quantity("", "At each update, share of the weights' energy that a cut would have taken."),
    "removed": Quantity("weights", "Number of weights removed, at 100 equal steps towards the budget."),
    "undecided": Quantity("", "Name → mean distance of its soft masks from 0 or 1 when they were made hard."),
}

ENVIRONMENT: dict[str, Quantity] = {
    "profile": Quantity("", "Profile that the trial was run for; empty for a single run."),
    "snnbook": Quantity("", "Version of this package."),
    "python": Quantity("", "Version of Python."),
    "torch": Quantity("", "Version of PyTorch."),
    "numpy": Quantity("", "Version of NumPy."),
    "native": Quantity("", "Whether the compiled kernels were used."),
    "machine": Quantity("", "Operating system and architecture."),
    "processor": Quantity(
        "", "What decides how sums are rounded: torch's instruction set, and whether it is `held`, see `arithmetic`."
    ),
    "device": Quantity("", 'Name of the GPU, or "cpu".'),
    "threads": Quantity("threads", "Number of threads that computed."),
    "commit": Quantity("", "Commit of the repository; empty outside one."),
    "when": Quantity("", "Date and time of the end of the run, UTC."),
    "data": Quantity("", "Fingerprint of the data set."),
    "wall_s": Quantity("s", "Wall time of the trial, measurements included."),
    "train_cpu_s": Quantity("s", "Processor time of the training alone."),
}

PARTS = {
    "metrics": METRICS,
    "layers": LAYER_METRICS,
    "log": LOG,
    'log["rounds"]': ROUND_METRICS,
    "curves": CURVES,
    "environment": ENVIRONMENT,
}


class Metrics(dict[str, Any]):
    """The metrics of a record: name → number, or None for what was not measured.

    A name of METRICS that is missing reads as None. Raises UserError for any other name, read or written, and for a
    value that is neither a number nor None.
    """

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()):
        super().__init__(values)
        for name, value in self.items():
            _check(name, value)

    def __missing__(self, name: str) -> None:
        _check(name)

    def __setitem__(self, name: str, value: Any) -> None:
        _check(name, value)
        super().__setitem__(name, value)

    def get(self, name: str, default: Any = None) -> Any:
        """The metric, or `default` where the record lacks it. Raises UserError for a name that is not in METRICS."""
        _check(name)
        return super().get(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """As for a dict, with the checks of an assignment."""
        if name not in self:
            self[name] = default
        return self[name]

    def update(self, *values: Any, **more: Any) -> None:
        """As for a dict, with the checks of an assignment; nothing is changed if one of them fails."""
        super().update(Metrics(dict(*values, **more)))

    def __ior__(self, values: Any) -> Metrics:  # type: ignore[override, misc]
        self.update(values)
        return self


def _check(name: str, value: Any = None) -> None:
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise UserError(f"metric {name!r} must be a number or None, got {value!r}")


@dataclass
class Record:
    """What one run of a trial with one seed left behind.

    id: of the trial. seed: which replicate of it this is. trial: its configuration, `Trial.config`. metrics: name →
    number or None, with names and units of METRICS. layers: one dict per layer in order of execution, with names and
    units of LAYER_METRICS. curves: name → array, with names, units and shapes of CURVES; those of a stored record are
    read when they are asked for. log: what the method logged, see LOG. environment: on what machine and how long the
    trial ran, see ENVIRONMENT.

    Raises UserError for a metric that METRICS does not know.
    """

    id: str
    seed: int
    trial: dict[str, Any]
    metrics: dict[str, Any]
    layers: list[dict[str, Any]] = field(default_factory=list)
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)
    log: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.metrics)

    @property
    def profile(self) -> str:
        """The profile that the trial was run for; "" for a single run."""
        return self.environment.get("profile", "")

    @property
    def digest(self) -> str:
        """SHA-256 of everything that a re-run on the same machine must reproduce, bit for bit: all but `environment`.

        Raises UserError if the arrays of a stored record cannot be read or do not match their checksum.
        """
        parts = [self.id, self.seed, self.trial, self.metrics, self.layers, self.log]
        h = hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode())
        for name in sorted(self.curves):
            a = self.curves[name]
            h.update(f"{name} {a.dtype.str} {a.shape}".encode() + np.ascontiguousarray(a).tobytes())
        return h.hexdigest()

    def body(self) -> dict[str, Any]:
        """The record without its curves, in values that JSON can hold."""
        names = ("id", "seed", "trial", "metrics", "layers", "log", "environment")
        return {name: getattr(self, name) for name in names}


def schema_tables() -> str:
    """The schema in Markdown: a heading and a table of names, units and meanings for every part of a record."""
    return "\n".join(f"### `{part}`\n\n{_table(quantities)}" for part, quantities in PARTS.items())


def _table(quantities: Mapping[str, Quantity]) -> str:
    arrays = any(q.shape for q in quantities.values())
    rows = [("name", "shape", "unit", "meaning"), ("---",) * 4]
    rows += [(f"`{n}`", f"`{q.shape}`", q.unit or "–", q.meaning) for n, q in quantities.items()]
    chosen = rows if arrays else [(name, *rest) for name, _, *rest in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in chosen)
