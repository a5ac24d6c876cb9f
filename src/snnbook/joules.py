"""From counted operations to joules, under published models of hardware. Numbers in, joules out.

A model charges what it knows and nothing else, so that joules of two models are never compared, only orders. Whatever
could not be read in a public source is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from snnbook.errors import UserError, unknown

PICO = 1e-12
CONVOLUTION, LINEAR = "conv", "linear"
OTHER, ELEMENTWISE = "weights of no convolution or linear layer", "products of single values"


@dataclass(frozen=True)
class LayerCounts:
    """What a layer does for one sample, over all time steps.

    kind: "conv" for a two-dimensional convolution without groups, "linear", or else the name of another class, OTHER
    or ELEMENTWISE. Values that a model needs and that are not known are NaN.
    accumulates, multiplies: operations whose value is a spike, and whose value is another one, as in `SOPs`.
    spikes_in: number of inputs that are not zero. spikes_out: number of spikes of the neurons behind.
    potentials: number of potentials that the layer adds to, those of masked neurons left out. updates: number of
    updates of neurons; 0 where the same neurons are charged to another layer. leak: whether an update multiplies by a
    leak. steps: number of time steps. weights: number of live weights. biases: number of biases.
    channels: input and output channels that have a live weight. kernel: number of taps. positions: of its output.
    """

    name: str
    kind: str
    accumulates: float
    multiplies: float
    spikes_in: float = math.nan
    spikes_out: float = math.nan
    potentials: float = math.nan
    updates: float = math.nan
    leak: bool = True
    steps: int = 1
    weights: int = 0
    biases: int = 0
    channels: tuple[int, int] = (0, 0)
    kernel: int = 1
    positions: int = 1


@dataclass(frozen=True)
class Shape:
    """A layer as it is built, whatever its masks and its input.

    kind, kernel, positions, biases: as in `LayerCounts`. inputs, outputs: number of values that enter and leave in one
    step. channels: of its weight, input and output. neuron: name of the neurons behind, "" for none. shared: whether
    these neurons also stand behind an earlier layer.
    """

    kind: str
    inputs: int
    outputs: int
    channels: tuple[int, int]
    kernel: int
    positions: int
    biases: int
    neuron: str = ""
    shared: bool = False


@dataclass(frozen=True)
class Energy:
    """Joules per sample under a model.

    per_layer: layer → part, such as "synapses" → J. left_out: names of the layers that the model does not know.
    """

    model: str
    per_layer: Mapping[str, Mapping[str, float]]
    left_out: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, float]:
        """Part → J per sample, summed over the layers."""
        names = dict.fromkeys(name for parts in self.per_layer.values() for name in parts)
        return {name: sum(parts.get(name, 0.0) for parts in self.per_layer.values()) for name in names}

    @property
    def total(self) -> float:
        """J per sample."""
        return sum(self.parts.values())


Charge = Callable[[LayerCounts], dict[str, float]]  # part → pJ


# --- 45 nm, arithmetic alone --------------------------------------------------------------------------------

ACCUMULATE, MULTIPLY_ACCUMULATE = 0.9, 4.6  # pJ, 32-bit floating point


def horowitz(layer: LayerCounts) -> dict[str, float]:
    """pJ of the synapses: 0.9 for an accumulate, 4.6 for a multiply-accumulate (0.9 for the sum, 3.7 the product).

    Ref: Horowitz 2014, Fig. 1.1.9, 45 nm, as most SNN papers use it; syops-counter, README, prints four networks.
    """
    return {"synapses": ACCUMULATE * layer.accumulates + MULTIPLY_ACCUMULATE * layer.multiplies}


# --- 45 nm, arithmetic and memory ---------------------------------------------------------------------------

ADD, MULTIPLY = 0.1, 3.1  # pJ, 32-bit integers
WORD = 32  # bits
FIFO = 1000  # messages that a layer's queue of spikes holds


def sram(bits: float) -> float:
    """pJ to read or write a word of an SRAM of this size: a line through Horowitz' 8 KiB, 32 KiB and 1 MiB.

    Ref: LEAT-EDGE/qualia-plugin-snn, EnergyEstimationMetric.py, `_e_ram`, the "ICONIP2022 method".
    """
    return 1.09e-5 * bits + 13.2


SIZES, COSTS = (0, 8, 32, 1024), (0, 10, 20, 100)  # KiB, pJ


def sram_lines(bits: float) -> float:
    """The same as straight lines between nothing, 10 pJ at 8 KiB, 20 pJ at 32 KiB and 100 pJ at 1 MiB, level beyond.

    Ref: SpikingJelly 2.0, `LemaireEnergyCostConfig`, another reading of the same paper.
    """
    return float(np.interp(bits / 8 / 1024, SIZES, COSTS))


def lemaire(layer: LayerCounts, access: Callable[[float], float] = sram) -> dict[str, float]:
    """pJ of synapses, neurons, addresses and memory of an event-driven circuit with a memory for each layer.

    A spike that crosses a synapse is an addition, an address, a read of the weight, and a read and a write of the
    potential. A neuron reads and writes its potential in every step, adds its bias, leaks if it is leaky, and pays one
    addition to be reset by a spike. A spike is read from a queue and written to one; to find its first target in a
    convolution takes two multiply-accumulates. access: pJ for a word of a memory of so many bits.
    Ref: Lemaire et al. 2022, Eq. 1-20, read in the code of its authors' laboratory (qualia-plugin-snn at 15165fe). Two
    corrections are theirs: an input spike of a linear layer makes one addition for each output (the print has Nin
    times as many), and a reset costs an addition there, too. Ours: crossings are those of live synapses, exact at
    borders, where the source has spikes times kernel times channels; a value that is no spike is multiplied as well;
    and the memory of weights holds the live ones alone, without the indices that a sparse format needs.
    """
    crossings = layer.accumulates + layer.multiplies
    multiply_accumulate = ADD + MULTIPLY
    finding = 2 * layer.spikes_in if layer.kind == CONVOLUTION else 0.0
    queue = access(FIFO * WORD)
    biases = layer.updates if layer.biases else 0.0
    return {
        "synapses": ADD * crossings + MULTIPLY * layer.multiplies,
        "neurons": ADD * (layer.updates + layer.spikes_out)
        + (multiply_accumulate * layer.updates if layer.leak else 0.0),
        "addresses": ADD * crossings + multiply_accumulate * finding,
        "weights in memory": (crossings + biases) * access((layer.weights + layer.biases) * WORD),
        "potentials in memory": 2 * (crossings + layer.updates) * access(layer.potentials * WORD),
        "spikes in queues": (layer.spikes_in + layer.spikes_out) * queue,
    }


# --- 65 nm, crossbars ---------------------------------------------------------------------------------------

CROSSBAR = 64  # rows and columns
GROUP = 8  # columns that share a converter


def spikesim(layer: LayerCounts) -> dict[str, float]:
    """pJ of a convolution on analogue crossbars of 64 x 64 memristors: as many for silent inputs as for spikes.

    Every output position of every step is a cycle of all processing elements that hold the layer, one for 64 input and
    64 output channels; neither a zero weight nor a missing spike saves anything. Input and output channels without a
    live weight are not mapped here, which is our addition.
    Ref: Moitra et al. 2023, SpikeSim, ela_spikesim.py, `compute_energy` with device "rram" (commit a83c451).
    """
    groups = CROSSBAR / GROUP
    cycle = {
        "synapses": groups * (layer.kernel * 1.76423 + groups * (2.03084 + 0.094245)) + groups * 16 * 1.15e-6,
        "neurons": 1.274 * 4,
        "memory": 397 + 4.64 + groups * 0.2,
        "routing": 19.64 * 8,
    }
    elements = math.prod(math.ceil(n / CROSSBAR) for n in layer.channels)
    return {part: elements * layer.positions * layer.steps * pj for part, pj in cycle.items()}


# --- a chip -------------------------------------------------------------------------------------------------

LOIHI_SYNAPSE, LOIHI_NEURON = 23.6 + 3.5, 81.0  # pJ


def loihi(layer: LayerCounts) -> dict[str, float]:
    """pJ on Loihi: 23.6 + 3.5 for a synaptic operation and 81 for an update of a neuron, spike or not.

    A value that is no spike counts as one synaptic operation.
    Ref: keras-spiking, model_energy.py, with numbers of Davies et al. 2018.
    """
    crossings = layer.accumulates + layer.multiplies
    return {"synapses": LOIHI_SYNAPSE * crossings, "neurons": LOIHI_NEURON * layer.updates}


@dataclass(frozen=True)
class Model:
    """An energy model.

    title, source: for a page. charge: what a layer costs, part → pJ. kinds: the layers that it knows; None for all that
    add up products. operations: whether it needs no more than their number.
    """

    title: str
    source: str
    charge: Charge
    kinds: tuple[str, ...] | None = None
    operations: bool = False


MODELS: dict[str, Model] = {
    "horowitz": Model("45 nm, AC and MAC", "Horowitz 2014", horowitz, operations=True),
    "lemaire": Model("45 nm, with memory", "Lemaire et al. 2022", lemaire, (CONVOLUTION, LINEAR, "Conv1d")),
    "lemaire_lines": Model(
        "the same, cheap small memories",
        "Lemaire et al. 2022, as in SpikingJelly",
        partial(lemaire, access=sram_lines),
        (CONVOLUTION, LINEAR, "Conv1d"),
    ),
    "loihi": Model("Loihi", "Davies et al. 2018, as in keras-spiking", loihi),
    "spikesim": Model("crossbars", "Moitra et al. 2023", spikesim, (CONVOLUTION,)),
}


def model_of(name: str) -> Model:
    """The energy model of a name. Raises UserError for an unknown one."""
    if name not in MODELS:
        raise unknown("energy model", name, MODELS)
    return MODELS[name]


def charged(layers: Iterable[LayerCounts], model: str = "horowitz", known_only: bool = False) -> Energy:
    """The energy of some layers under a model.

    known_only: leave out the layers that the model does not know, and name them in the result.
    Raises UserError for an unknown model, and without `known_only` for a layer that the model does not know.
    """
    about = model_of(model)
    per_layer, left_out = {}, []
    for layer in layers:
        if layer.kind != ELEMENTWISE and (about.kinds is None or layer.kind in about.kinds):
            per_layer[layer.name] = {part: PICO * pj for part, pj in about.charge(layer).items()}
        elif known_only:
            left_out.append(layer.name)
        else:
            known = ", ".join(about.kinds) if about.kinds else "layers that add up products"
            raise UserError(
                f"the energy model {model!r} does not know layer {layer.name!r} ({layer.kind}); it knows {known}. "
                "known_only=True leaves such layers out"
            )
    return Energy(model, per_layer, tuple(left_out))
