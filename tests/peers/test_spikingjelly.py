"""SpikingJelly 2.0: neurons, surrogates, event integration, operation counter, networks."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from alike import EVENTS, N, Steps, convolutional, currents, measured, ours, pruned, recording, run
from torch import nn

from snnbook import measure, sparse
from snnbook.datasets import events_to_frames
from snnbook.datasets.vision import import_torchvision
from snnbook.errors import UserError
from snnbook.neurons import IF
from snnbook.surrogates import ATan, Sigmoid

spikingjelly = pytest.importorskip(
    "spikingjelly", reason="SpikingJelly is not installed; `make bench` makes an environment with it"
)
from spikingjelly.activation_based import functional, layer, neuron, op_counter, surrogate

SURROGATES = {
    "atan": (ATan(2.0), lambda: surrogate.ATan(alpha=2.0)),
    "sigmoid": (Sigmoid(4.0), lambda: surrogate.Sigmoid(alpha=4.0)),
}


@pytest.mark.differs(
    "a soft reset",
    ours="subtracts at once, and what is left leaks",
    theirs={"SpikingJelly": "subtracts at once, and what is left leaks"},
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("slope", SURROGATES)
def test_leaky_neurons_and_their_gradients(slope, dtype):
    mine, theirs = SURROGATES[slope]
    x = currents(7, 2, 5).to(dtype)
    settings = product((1.5, 4.0), (0.4, 1.0), (None, 0.0, -0.3), (True, False), (True, False))
    for tau, threshold, v_reset, decay, detach in settings:
        s = {"tau": tau, "v_threshold": threshold, "v_reset": v_reset, "decay_input": decay, "detach_reset": detach}
        node = neuron.LIFNode(**s, surrogate_function=theirs(), step_mode="m")
        for expected, got in zip(run(node, x), ours(x, **s, surrogate=mine), strict=True):
            torch.testing.assert_close(got, expected, msg=lambda text, s=s: f"{s}: {text}")


@pytest.mark.parametrize("v_reset", [None, 0.0, -0.3])
def test_neurons_without_leak(v_reset):
    x = currents(7, 2, 5, scale=0.8)
    node = neuron.IFNode(v_reset=v_reset, surrogate_function=surrogate.ATan(alpha=2.0), step_mode="m")
    for expected, got in zip(run(node, x), run(IF(v_reset=v_reset, detach_reset=False), x), strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("slope", SURROGATES)
def test_surrogates(slope):
    mine, theirs = SURROGATES[slope]
    u = torch.linspace(-3, 3, 101, dtype=torch.float64).requires_grad_()
    (expected,) = torch.autograd.grad(theirs()(u).sum(), u)
    torch.testing.assert_close(mine.derivative(u.detach()), expected)


@pytest.mark.differs("a spike at exactly the threshold", ours="fires", theirs={"SpikingJelly": "fires"})
def test_a_spike_at_exactly_the_threshold():
    at = torch.tensor([[[1.0]]])
    assert neuron.IFNode(step_mode="m")(at).item() == ours(at, tau=1.0)[0].item() == 1


@pytest.fixture(scope="module")
def recordings():
    """Its functions on recordings, without its data sets, which import a torchaudio that wants CUDA."""
    import_torchvision()
    path = Path(spikingjelly.__file__).parent / "datasets" / "utils.py"
    spec = spec_from_file_location("spikingjelly.datasets.utils", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _integrated(recordings, events, T, by):
    fields = {name: events[name].astype(np.int64) for name in "txyp"}
    return torch.from_numpy(recordings.integrate_events_by_fixed_frames_number(fields, by, T, 5, 6)).float()


@pytest.mark.differs(
    "events left over when frames are cut by number",
    ours="in the last frame",
    theirs={"SpikingJelly": "in the last frame"},
)
@pytest.mark.parametrize("seed", range(8))
def test_frames_by_number(seed, recordings):
    events = recording(40 + 17 * seed, seed)
    for T in (1, 3, 8, 40):
        assert torch.equal(
            events_to_frames(events, T, (5, 6), by="number"), _integrated(recordings, events, T, "number")
        )


@pytest.mark.differs(
    "windows when frames are cut by time",
    ours="of one length",
    theirs={"SpikingJelly": "of one length, but a longer last one"},
)
def test_frames_by_time_have_windows_of_one_length_and_theirs_a_longer_last_one(recordings):
    events = recording(11, 0)
    events["t"] = np.arange(11)
    assert events_to_frames(events, 4, (5, 6), by="time").sum((1, 2, 3)).tolist() == [3, 3, 3, 2]
    assert _integrated(recordings, events, 4, "time").sum((1, 2, 3)).tolist() == [2, 2, 2, 5]


def _counted(model, x):
    counter = op_counter.SynOpCounter()
    functional.reset_net(model)
    with torch.no_grad(), op_counter.DispatchCounterMode([counter]):
        model(x)
    functional.reset_net(model)
    return counter.get_total()


def _lif(*_):
    return neuron.LIFNode(surrogate_function=surrogate.ATan(), detach_reset=True, step_mode="m")


@pytest.mark.differs(
    "number of operations of a batch", ours="a mean over samples", theirs={"SpikingJelly": "a sum over samples"}
)
def test_operations_of_a_dense_network():
    # Theirs are a sum over the batch, with the first layer's where its input is spikes, ours a mean over samples.
    model = convolutional(_lif)
    sops = measured(model, (neuron.LIFNode,))
    assert _counted(model, EVENTS) == pytest.approx(N * (sops.total + sops.encoding_sops))


@pytest.mark.differs("synaptic operations of pruned synapses", ours="none", theirs={"SpikingJelly": "counted"})
def test_operations_of_pruned_synapses_are_none_of_ours_and_all_of_theirs():
    model = convolutional(_lif)
    measured(model, (neuron.LIFNode,))
    model[4][1].weight.data[1:] = 0
    dense = convolutional(_lif)
    measured(dense, (neuron.LIFNode,))
    assert _counted(model, EVENTS) == _counted(dense, EVENTS)
    assert measure.sops(model, EVENTS).per_layer["4.1"] == pytest.approx(
        measure.sops(dense, EVENTS).per_layer["4.1"] / 3
    )


@pytest.mark.differs(
    "operations behind an average pooling",
    ours="the average itself, and one product in `multiplies`",
    theirs={"SpikingJelly": "none"},
)
def test_operations_behind_an_average_are_a_fraction_of_ours_and_none_of_theirs():
    model = nn.Sequential(
        *(nn.Conv2d(2, 2, 1, bias=False), neuron.IFNode(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 3, bias=False))
    )
    nn.init.ones_(model[0].weight)
    x = (torch.arange(2 * 64) % 3 == 0).float().view(1, 2, 8, 8)
    fired = float(model[1](model[0](x)).detach().sum())
    first = 2 * x.sum()
    assert _counted(model, x) == first
    assert measure.sops(model, x).per_layer["4"] == pytest.approx(fired / 4 * 3)


NEURONS = {
    "LIF": _lif,
    "soft": lambda *_: neuron.LIFNode(tau=3.0, v_reset=None, decay_input=False, step_mode="m"),
    "IF": lambda *_: neuron.IFNode(step_mode="m"),
    "parametric": lambda *_: neuron.ParametricLIFNode(step_mode="m"),
    "step by step": lambda *_: Steps(neuron.LIFNode()),
}


@pytest.mark.supports(
    "State",
    "networks of SpikingJelly: LIFNode, IFNode, ParametricLIFNode, in either step mode",
    "counted and pruned: the same twice, and at batch sizes 1, 7 and 64",
)
@pytest.mark.parametrize("kind", NEURONS)
def test_networks_are_measured_alike_and_pruned(kind):
    model = convolutional(NEURONS[kind])
    measured(model, (neuron.BaseNode,))
    with torch.no_grad():  # a potential left over by the user
        model(EVENTS)
    measured(model, (neuron.BaseNode,))
    with pytest.raises(UserError, match=r"^cannot compile a Sequential"):
        sparse.compile(pruned(model), EVENTS)


def test_layers_of_theirs_that_take_all_steps():
    torch.manual_seed(0)
    model = nn.Sequential(
        *(layer.Conv2d(2, 4, 3), layer.BatchNorm2d(4), neuron.LIFNode(), layer.MaxPool2d(2), layer.Flatten()),
        *(layer.Linear(36, 16), neuron.LIFNode(), layer.Linear(16, 3)),
    )
    functional.set_step_mode(model, "m")
    sops = measured(model, (neuron.LIFNode,))
    functional.set_step_mode(model, "s")
    assert measure.sops(Steps(*model), EVENTS, 7).total == pytest.approx(sops.total)
    functional.set_step_mode(model, "m")
    pruned(model)
