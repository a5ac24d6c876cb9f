"""A compiled network gives what its network gives: on every network, every path, with masks, and from a file."""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import nn

from snnbook import native, networks, sparse
from snnbook.errors import UserError
from snnbook.neurons import LIF, LIFParameters
from snnbook.pruning import Context, Masks
from snnbook.pruning.parts.channels import lowest
from snnbook.pruning.parts.coupling import find_channels
from snnbook.sparse import choice, graph, kernels, reference
from snnbook.sparse import compiled as compiled_file

# Every path that the sums of a layer can take on this processor, at every level of kernels; and torch alone.
WAYS = [
    (level, path)
    for level in native.levels
    for path in kernels.PATHS
    if path != "table" or (level == native.level() and native.has_tables())
]
PATHS = [path for level, path in WAYS if level == native.level()] or ["dense"]
needs_kernels = pytest.mark.skipif(not native.available(), reason=f"compiled kernels: {native.status}")
SOME = [
    ("cifarnet", {"width": 0.1}, (3, 32), 4, False),
    ("cifarnet", {"width": 0.1, "v_reset": None}, (1, 12), 5, False),
    ("dvsgesture", {"width": 0.1, "tau": 3.0}, (2, 64), 20, True),
    ("vggsnn", {"width": 0.1}, (2, 48), 10, True),
    ("resnet19", {"width": 0.1}, (3, 32), 4, False),
    ("resnet19", {"width": 0.1, "variant": "b"}, (3, 16), 8, False),
    ("resnet20", {"width": 0.1, "decay_input": False}, (3, 16), 3, False),
    ("sew_resnet18", {"width": 0.1, "neuron": "IF"}, (3, 32), 4, False),
    ("sew_resnet18", {"width": 0.1, "variant": "imagenet"}, (3, 64), 2, False),
    ("vgg16", {"width": 0.1}, (3, 32), 17, False),
    ("sew_resnet18", {"width": 0.1}, (3, 16), 40, False),
]


def network(name, settings, size, T, sparsity=0.7):
    """A copy of a network that is made once, and a generator in the same state."""
    model = deepcopy(_network(name, tuple(settings.items()), size, T, sparsity))
    torch.manual_seed(1)
    return model


@cache
def _network(name, settings, size, T, sparsity):
    """A network with random masks and statistics of batch norm that belong to inputs like those of `inputs`."""
    torch.manual_seed(0)
    channels, side = size
    model = networks.build(name, 10, channels, side, T=T, **{"v_threshold": 0.3, **dict(settings)})
    for p in model.parameters():
        if p.dim() > 1:
            p.data.mul_(torch.rand_like(p) >= sparsity)
            p.data.mul_(4 if p.dim() == 2 else 1)
    for m in model.modules():
        if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.constant_(m.weight, 1.0)  # neurons of every layer fire, and not always
            nn.init.uniform_(m.bias, -0.5, 0.5)
    with torch.no_grad():
        for _ in range(3):
            model.train()(inputs(size, T, name in ("dvsgesture", "vggsnn")))
    return model.eval()


def inputs(size, T, events, n=2):
    channels, side = size
    x = torch.rand(T, n, channels, side, side) if events else torch.rand(n, channels, side, side)
    return torch.poisson(0.3 * x) if events else x


@pytest.mark.parametrize(
    ("level", "path"), [*((native.level(), path) for path in PATHS), *([(None, "dense")] if native.level() else [])]
)
@pytest.mark.parametrize(
    ("name", "settings_", "size", "T", "events"), SOME, ids=lambda v: v if isinstance(v, str) else ""
)
def test_logits_are_the_networks(name, settings_, size, T, events, level, path):
    model = network(name, settings_, size, T)
    x = inputs(size, T, events)
    g = graph.build(model, x)
    with native.using(level):
        found = sparse.Compiled(g, dict.fromkeys(layer_names(g), path))(x)
    with torch.no_grad():
        wanted = model(x)
    assert found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert wanted.abs().max() > 0.01  # there is something to agree on


def layer_names(g):
    return [node.name for node in g.nodes if isinstance(node, graph.Layer)]


@st.composite
def layers(draw):
    """A layer of any geometry behind one that turns the input into spikes, and the input."""
    C, K, T = draw(st.integers(1, 5)), draw(st.integers(1, 9)), draw(st.integers(1, 35))
    H, W = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    size, stride, padding = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(0, 2))
    if min(H, W) + 2 * padding < size:
        size = 1
    out = [(n + 2 * padding - size) // stride + 1 for n in (H, W)]
    torch.manual_seed(draw(st.integers(0, 99)))
    sparsity, firing = draw(st.sampled_from([0.0, 0.5, 0.98, 1.0])), draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))
    weight = torch.randn(K, C, size, size) * (torch.rand(K, C, size, size) >= sparsity)
    neurons = LIFParameters(
        tau=draw(st.sampled_from([1.0, 2.0, 3.7])),
        v_threshold=draw(st.sampled_from([0.5, 1.0])),
        v_reset=draw(st.sampled_from([None, 0.0, -0.25])),
        decay_input=draw(st.booleans()),
    )
    mask = torch.rand(K, *out) >= 0.3 if draw(st.booleans()) else None
    pulse = LIFParameters(tau=1.0, v_threshold=0.5)
    g = graph.Graph(T, False, 1, [(C, H, W)], [])
    first = graph.Layer("first", (graph.Synapses(0, torch.eye(C)[:, :, None, None]),), torch.zeros(C), (C, H, W), pulse)
    second = graph.Layer(
        "second", (graph.Synapses(1, weight, stride, padding),), torch.randn(K), (K, *out), neurons, mask
    )
    flat = graph.Layer("last", (graph.Synapses(2, torch.randn(1, K * out[0] * out[1])),), torch.zeros(1), (1,))
    for node in (first, second, flat):
        g.nodes.append(node)
        g.shapes.append(node.shape)
    g.outputs = (3,)
    return g, (torch.rand(T, 1, C, H, W) < firing).float()


ways = st.deferred(lambda: st.sampled_from(WAYS))
levels = st.deferred(lambda: st.sampled_from(native.levels))


@needs_kernels
@settings(max_examples=300, deadline=None)
@given(layers(), ways, st.sampled_from([1, kernels.CACHE]))
def test_currents_and_spikes_of_any_layer(case, way, cache):
    (g, x), (level, path) = case, way
    with native.using(level), pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "CACHE", cache)
        program = kernels.Program(g, {"first": "masked", "second": path, "last": "masked"}, currents=True)
    program.run(x[:, 0].numpy())
    signals = reference.signals_of(g, x)
    wanted = reference.currents(g.nodes[1], signals)[:, 0].flatten(2)
    if program.paths["second"] == "dense":
        assert torch.equal(program.signal(2), signals[2][:, 0])
        return
    found = torch.from_numpy(program.kept("second")[..., : wanted.shape[2]].copy())
    assert float((found - wanted).abs().max()) <= 1e-6 * (float(wanted.abs().max()) or 1.0)
    node = g.nodes[1]
    spikes = LIF(*node.neurons)(found.view(len(x), *node.shape))  # of the very same currents
    assert torch.equal(program.signal(2), spikes if node.mask is None else spikes * node.mask)
    total = reference.currents(g.nodes[2], [*signals[:2], program.signal(2)[:, None]])[:, 0]
    torch.testing.assert_close(torch.from_numpy(program.kept("last").copy()), total, rtol=1e-5, atol=1e-4)


@needs_kernels
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_linear_neurons(data):
    F, K, T = (data.draw(st.integers(1, n)) for n in (40, 20, 40))
    torch.manual_seed(data.draw(st.integers(0, 99)))
    neurons = LIFParameters(
        tau=data.draw(st.sampled_from([1.0, 2.5])),
        v_reset=data.draw(st.sampled_from([None, 0.0, -0.25])),
        decay_input=data.draw(st.booleans()),
    )
    pulse = LIFParameters(tau=1.0, v_threshold=0.5)
    eye = graph.Synapses(0, torch.eye(1)[:, :, None, None])
    weight = torch.randn(K, F) * (torch.rand(K, F) < data.draw(st.sampled_from([0.0, 0.2, 1.0])))
    mask = torch.rand(K) < 0.5 if data.draw(st.booleans()) else None
    first = graph.Layer("first", (eye,), torch.zeros(1), (1, 1, F), pulse)
    linear = graph.Layer("linear", (graph.Synapses(1, weight),), torch.randn(K), (K,), neurons, mask)
    g = graph.Graph(T, False, 1, [(1, 1, F), first.shape, (K,)], [first, linear], (2,))
    x = (torch.rand(T, 1, 1, 1, F) < 0.3).float()
    with native.using(data.draw(levels)):
        program = kernels.Program(g, {"first": "masked", "linear": "masked"}, currents=True)
    program.run(x[:, 0].numpy())
    wanted, found = reference.currents(linear, [x, x])[:, 0], torch.from_numpy(program.kept("linear").copy())
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    spikes = LIF(*neurons)(found)
    assert torch.equal(program.signal(2), spikes if mask is None else spikes * mask)


def small(**settings):
    """A small network, inputs, and the network compiled."""
    model = network("cifarnet", {"width": 0.1, **settings}, (3, 16), 4)
    x = inputs((3, 16), 4, False)
    return model, x, sparse.compile(model, x)


def logits(model, x):
    with torch.no_grad():
        return model(x)


def test_neuron_masks():
    model, x, _ = small()
    neurons = [m for m in model.modules() if isinstance(m, LIF)]
    model(x)
    for i, m in enumerate(neurons[:-1]):
        shape = m(torch.zeros(1, 1, *sizes(model, x)[i])).shape[2:]
        m.mask = torch.rand(shape) < 0.5
        m.mask[0] = False  # a channel as a whole
    torch.testing.assert_close(sparse.compile(model, x)(x), logits(model, x), rtol=0, atol=1e-5)


def sizes(model, x):
    """The shapes of what the layers of neurons put out."""
    g = graph.build(model, x)
    return [n.shape for n in g.nodes if isinstance(n, graph.Layer) and n.neurons is not None]


def test_weights_that_nothing_comes_through_are_left_out():
    model, x, _ = small()
    neurons = [m for m in model.modules() if isinstance(m, LIF)]
    neurons[1].mask = torch.ones(sizes(model, x)[1], dtype=torch.bool)
    neurons[1].mask[0] = False
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    convolutions[4].weight.data[:, 2] = 0  # nobody reads the third channel of the fourth layer
    g = graph.build(model, x)
    found = [n for n in g.nodes if isinstance(n, graph.Layer)]
    assert found[1].synapses[0].weight[0].count_nonzero() == 0
    assert found[2].synapses[0].weight[:, 0].count_nonzero() == 0
    assert found[3].synapses[0].weight[2].count_nonzero() == 0
    assert not found[3].mask[2].any()
    torch.testing.assert_close(sparse.compile(model, x)(x), logits(model, x), rtol=0, atol=1e-5)


def test_samples_of_a_batch_do_not_meet():
    _, x, compiled = small()
    assert torch.equal(compiled(x), torch.cat([compiled(x[:1]), compiled(x[1:])], 1))


def test_file_gives_the_same_network(tmp_path):
    model, x, compiled = small()
    neurons = [m for m in model.modules() if isinstance(m, LIF)]
    neurons[0].mask = torch.rand(sizes(model, x)[0]) < 0.5
    compiled = sparse.compile(model, x)
    compiled.save(tmp_path / "net.safetensors")
    again = sparse.load(tmp_path / "net.safetensors")
    assert again.paths == compiled.paths
    assert torch.equal(again(x), compiled(x))


def test_file_is_far_smaller_than_the_weights(tmp_path):
    model = network("cifarnet", {"width": 0.5}, (3, 32), 2, sparsity=0.98)
    sparse.compile(model, inputs((3, 32), 2, False)).save(tmp_path / "net")
    dense = sum(p.numel() * 4 for p in model.parameters())
    assert (tmp_path / "net").stat().st_size < dense / 20


def changed(path, **metadata):
    """The file of a network with other metadata."""
    with safe_open(path, "np") as file:
        told = file.metadata()
    save_file(load_file(path), path, told | metadata)


def test_files_that_are_refused(tmp_path):
    path = tmp_path / "net"
    *_, compiled = small()
    with pytest.raises(UserError, match="cannot be read"):
        sparse.load(tmp_path / "nothing")
    path.write_bytes(b"no network")
    with pytest.raises(UserError, match="cannot be read"):
        sparse.load(path)
    compiled.save(path)
    changed(path, version="2")
    with pytest.raises(UserError, match="newer"):
        sparse.load(path)
    compiled.save(path)
    changed(path, format="something else")
    with pytest.raises(UserError, match="no compiled network"):
        sparse.load(path)
    compiled.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(UserError, match="cannot be read"):
        sparse.load(path)
    path.write_bytes(whole[:-3] + b"\x07" + whole[-2:])
    with pytest.raises(UserError, match="damaged"):
        sparse.load(path)


def test_inputs_that_are_refused():
    _, x, compiled = small()
    for wrong in (x.double(), x[:, :2], x[0], x.unsqueeze(0), x[..., :8]):
        with pytest.raises(UserError, match="compiled for float32"):
            compiled(wrong)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (nn.Conv2d(8, 8, 3, groups=2), "groups"),
        (nn.Conv2d(8, 8, 3, dilation=2), "dilation"),
        (nn.ReLU(), "no such layer"),
        (nn.BatchNorm2d(8), "normalises spikes"),
        (nn.MaxPool2d(3, ceil_mode=True), "ceil_mode"),
    ],
)
def test_layers_that_are_refused_are_named(layer, why):
    model, x, _ = small()
    body = list(model.body)
    model.body = nn.Sequential(*body[:1], networks.base.Fold(layer), *body[1:])
    with pytest.raises(UserError, match=why) as told:
        sparse.compile(model, x)
    assert "body.1" in str(told.value)


def test_networks_and_paths_that_are_refused():
    model, x, compiled = small()
    with pytest.raises(UserError, match="only networks of snnbook"):
        sparse.compile(nn.Linear(2, 2), x)
    with pytest.raises(UserError, match="layer"):
        sparse.compile(model, x, {"nowhere": "event"})
    with pytest.raises(UserError, match="path"):
        sparse.compile(model, x, {next(iter(compiled.paths)): "fast"})


def test_the_choice_follows_sparsity_and_firing():
    """With the costs of one processor, whichever runs this."""
    tables = choice.COSTS["avx512"]
    none = replace(tables, table=math.inf)
    g, _ = convolution(torch.randn(64, 64, 3, 3) * (torch.rand(64, 64, 3, 3) < 0.1), steps=8, side=32)
    seldom, often = ((torch.rand(8, 1, 64, 32, 32) < rate).float() for rate in (0.002, 0.3))
    assert choice.choose(choice.observed(g, seldom), none)["second"] == "event"
    g = choice.observed(g, often)
    assert choice.choose(g, none)["second"] == "masked"
    assert choice.choose(g, tables)["second"] == "table"
    full, _ = convolution(torch.randn(64, 64, 3, 3), steps=8, side=32)
    assert choice.choose(replace(full, events=g.events), none)["second"] == "dense"


@pytest.mark.parametrize("level", [*native.levels, None], ids=str)
def test_costs_are_those_of_the_level_in_use(level):
    with native.using(level):
        costs = choice.costs_here()
        assert math.isfinite(costs.table) == native.has_tables()
    assert replace(costs, table=0) == replace(choice.COSTS[level or "portable"], table=0)


def convolution(weight, stride=1, steps=3, side=9):
    """A convolution behind neurons that copy the input, as a graph, and an input of spikes."""
    K, C, size, _ = weight.shape
    pulse = LIFParameters(tau=1.0, v_threshold=0.5)
    out = (side - 1) // stride + 1
    g = graph.Graph(steps, False, 1, [(C, side, side)], [])
    eye = graph.Synapses(0, torch.eye(C)[:, :, None, None])
    for node in (
        graph.Layer("first", (eye,), torch.zeros(C), (C, side, side), pulse),
        graph.Layer(
            "second", (graph.Synapses(1, weight, stride, size // 2),), torch.randn(K), (K, out, out), LIFParameters()
        ),
    ):
        g.nodes.append(node)
        g.shapes.append(node.shape)
    g.outputs = (2,)
    return g, (torch.rand(steps, 1, C, side, side) < 0.3).float()


@pytest.mark.parametrize(("level", "path"), WAYS)
@pytest.mark.parametrize("stride", [1, 2])
def test_layer_without_weights_has_its_bias_alone(level, path, stride):
    g, x = convolution(torch.zeros(3, 2, 3, 3), stride)
    with native.using(level):
        program = kernels.Program(g, {"first": "masked", "second": path})
    program.run(x[:, 0].numpy())
    torch.testing.assert_close(program.signal(2)[:, None], reference.signals_of(g, x)[2])


@pytest.mark.parametrize(("level", "path"), [way for way in WAYS if way[1] != "dense"])
@pytest.mark.parametrize("bits", [2, 5, 8])
@pytest.mark.parametrize("sparsity", [0.0, 0.9])
def test_whole_weights_give_exactly_the_currents_of_the_reference(level, path, bits, sparsity):
    torch.manual_seed(bits)
    weight = torch.randn(5, 40, 3, 3)
    g, x = convolution(weight * (torch.rand_like(weight) >= sparsity), steps=11, side=12)
    g = graph.quantised(g, bits)
    assert set((g.nodes[1].synapses[0].weight / 2 ** (bits - 1)).abs().lt(1).unique().tolist()) == {True}
    with native.using(level):
        program = kernels.Program(g, {"first": "masked", "second": path}, currents=True)
    program.run(x[:, 0].numpy())
    wanted = reference.currents(g.nodes[1], reference.signals_of(g, x))[:, 0].flatten(2)
    found = torch.from_numpy(program.kept("second")[..., : wanted.shape[2]].copy())
    assert torch.equal(found, wanted)


def test_rounded_weights_are_as_near_as_their_bits_allow():
    weight = torch.randn(5, 4, 3, 3)
    g, _ = convolution(weight)
    for bits in (2, 4, 8):
        node = graph.quantised(g, bits).nodes[1]
        step = weight.abs().flatten(1).amax(1) / (2 ** (bits - 1) - 1)
        error = (node.synapses[0].weight * node.scale[:, None, None, None] - weight).abs().flatten(1).amax(1)
        assert (error <= step / 2 * 1.001).all()


@pytest.mark.parametrize("path", PATHS)
def test_file_of_a_network_with_whole_weights(path, tmp_path):
    model, x, _ = small()
    compiled = sparse.compile(model, x, bits=8)
    compiled = sparse.Compiled(compiled.graph, dict.fromkeys(compiled.paths, path))
    compiled.save(tmp_path / "whole")
    again = sparse.load(tmp_path / "whole")
    assert torch.equal(again(x), compiled(x))
    sparse.compile(model, x).save(tmp_path / "floats")
    assert (tmp_path / "whole").stat().st_size < (tmp_path / "floats").stat().st_size


@pytest.mark.parametrize("bits", [1, 9])
def test_bits_that_are_refused(bits):
    model, x, _ = small()
    with pytest.raises(UserError, match="2 to 8 bits"):
        sparse.compile(model, x, bits=bits)


@needs_kernels
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_pools_of_any_geometry(data):
    kind = data.draw(st.sampled_from(["max", "mean"]))
    size, stride = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    padding = data.draw(st.integers(0, (size - 1) // 2)) if kind == "max" else 0
    C, T = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 20))
    H, W = (data.draw(st.integers(max(1, size - 2 * padding), 30)) for _ in range(2))
    torch.manual_seed(0)
    out = (C, *((n + 2 * padding - size) // stride + 1 for n in (H, W)))
    eye = graph.Synapses(0, torch.eye(C)[:, :, None, None])
    copy = graph.Layer("copy", (eye,), torch.zeros(C), (C, H, W), LIFParameters(tau=1.0, v_threshold=0.5))
    pool = graph.Pool("pool", 1, kind, size, stride, padding, out)
    g = graph.Graph(T, False, 1, [(C, H, W), copy.shape, out], [copy, pool], (2,))
    x = (torch.rand(T, 1, C, H, W) < data.draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))).float()
    with native.using(data.draw(levels)):
        program = kernels.Program(g, {"copy": "masked"})
    program.run(x[:, 0].numpy())
    torch.testing.assert_close(program.signal(2)[:, None], reference.signals_of(g, x)[2])


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5))
def test_chosen_bits_move_to_the_lower_end(words):
    chosen = np.array(words, np.uint64)
    x = np.random.default_rng(0).integers(0, 2**64, len(words), np.uint64) & chosen
    moved = x
    for i, moves in enumerate(kernels._moves(chosen)):
        moved = moved ^ moved & moves | (moved & moves) >> np.uint64(2**i)
    for one, among, found in zip(x.tolist(), words, moved.tolist(), strict=True):
        bits = [one >> i & 1 for i in range(64) if among >> i & 1]
        assert found == sum(bit << i for i, bit in enumerate(bits))


def test_copies_run_by_themselves():
    _, x, compiled = small()
    wanted = compiled(x)
    for copy in (deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        assert torch.equal(copy(x), wanted)
        copy(1 - x)
    assert torch.equal(compiled(x), wanted)


def test_a_batch_of_none():
    _, x, compiled = small()
    assert compiled(x[:0]).shape == (4, 0, 10)


def test_seldom_firing_inputs_do_not_change_the_result(tmp_path):
    """Weights are in the order of how often their inputs fired on a sample, which a file keeps."""
    _, x, compiled = small()
    plain = sparse.Compiled(replace(compiled.graph, events=()), compiled.paths)
    torch.testing.assert_close(plain(x), compiled(x), rtol=0, atol=1e-5)
    compiled.save(tmp_path / "net")
    again = sparse.load(tmp_path / "net").graph.events
    assert all(torch.equal(a, b) for a, b in zip(again, compiled.graph.events, strict=True))


def forged(path, edit):
    """The file of a network whose description and arrays were edited, with a digest that fits."""
    with safe_open(path, "np") as file:
        told = file.metadata()
    arrays, graph_ = load_file(path), json.loads(told["graph"])
    edit(graph_, arrays)
    text = json.dumps(graph_)
    save_file(arrays, path, told | {"graph": text, "digest": compiled_file._digest(text, arrays)})


FORGED = {
    "short bias": lambda g, a: a.update({"1.bias": a["1.bias"][:1]}),
    "long bias": lambda g, a: a.update({"1.bias": np.tile(a["1.bias"], 2)}),
    "many channels": lambda g, a: g["nodes"][1]["synapses"][0].update(shape=[25, 1 << 28, 3, 3]),
    "later source": lambda g, a: g["nodes"][1]["synapses"][0].update(source=5),
    "negative source": lambda g, a: g["nodes"][1]["synapses"][0].update(source=-1),
    "no stride": lambda g, a: g["nodes"][1]["synapses"][0].update(stride=0),
    "other stride": lambda g, a: g["nodes"][1]["synapses"][0].update(stride=2),
    "padding": lambda g, a: g["nodes"][1]["synapses"][0].update(padding=-1),
    "no steps": lambda g, a: g.update(T=0),
    "half a step": lambda g, a: g.update(T=1.5),
    "endless steps": lambda g, a: g.update(T=10**12),
    "large map": lambda g, a: g["nodes"][1].update(shape=[25, 999, 999]),
    "input": lambda g, a: g.update(input=[3, 99, 99]),
    "classes": lambda g, a: g.update(num_classes=7),
    "output": lambda g, a: g.update(outputs=[99]),
    "no output": lambda g, a: g.update(outputs=[]),
    "path": lambda g, a: g["paths"].update({g["nodes"][1]["name"]: "fast"}),
    "no path": lambda g, a: g.update(paths={}),
    "index": lambda g, a: a["1.0.index"].fill(65535),
    "counts": lambda g, a: a["1.0.count"].fill(1000),
    "events": lambda g, a: a.update({"1.events": a["1.events"][:1]}),
    "no nodes": lambda g, a: g.update(nodes=[]),
    "a list": lambda g, a: g.update(nodes={"a": 1}),
    "pool": lambda g, a: next(n for n in g["nodes"] if "kind" in n).update(size=9),
    "kind of pool": lambda g, a: next(n for n in g["nodes"] if "kind" in n).update(kind="least"),
}


@pytest.mark.parametrize("edit", FORGED.values(), ids=FORGED)
def test_forged_files_are_refused(edit, tmp_path):
    *_, compiled = small()
    compiled.save(tmp_path / "net")
    forged(tmp_path / "net", lambda g, a: None)
    assert sparse.load(tmp_path / "net").paths == compiled.paths
    forged(tmp_path / "net", edit)
    with pytest.raises(UserError, match="cannot be read"):
        sparse.load(tmp_path / "net")


def test_every_path_gives_the_same_on_two_threads():
    _, x, compiled = small()
    g, threads = compiled.graph, torch.get_num_threads()
    try:
        for path in PATHS:
            compiled, found = sparse.Compiled(g, dict.fromkeys(layer_names(g), path)), []
            for n in (1, 2):
                torch.set_num_threads(n)
                found.append(compiled(x[:1]))
            assert torch.equal(*found)
    finally:
        torch.set_num_threads(threads)


def test_the_network_may_change_and_the_compiled_one_stays(tmp_path):
    model, x, compiled = small()
    wanted = compiled(x)
    for p in model.parameters():
        p.data.zero_()
    compiled.save(tmp_path / "net")
    assert torch.equal(compiled(x), wanted)
    assert torch.equal(sparse.load(tmp_path / "net")(x), wanted)


def test_networks_are_compiled_for_evaluation():
    model, x, compiled = small()
    assert torch.equal(sparse.compile(model.train(), x)(x), compiled(x))
    assert torch.equal(sparse.compile(model, x.double())(x), compiled(x))
    assert torch.equal(compiled(x.requires_grad_()), compiled(x))


def narrow(*convolutions):
    """A network of the given convolutions and pools."""
    torch.manual_seed(0)
    settings_ = {"convolutions": convolutions, "hidden": (), "vote": 0, "v_threshold": 0.3}
    return networks.build("cifarnet", 10, 3, 8, T=4, **settings_).eval()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "convolutions", [(8, "A", "A", "A"), (8, "A", "A", "A", 8), (8, "M", "A", 9, "A"), (5, "A", "M")]
)
def test_means_of_maps(convolutions, path):
    model, x = narrow(*convolutions), torch.rand(2, 3, 8, 8)
    if convolutions[-2:] == ("A", "M"):
        with pytest.raises(UserError, match="largest of means"):
            sparse.compile(model, x)
        return
    g = graph.build(model, x)
    compiled = sparse.Compiled(g, dict.fromkeys(layer_names(g), path))
    torch.testing.assert_close(compiled(x), logits(model, x), rtol=0, atol=1e-5)


def test_a_module_that_comes_twice():
    model, x, _ = small()
    body = list(model.body)
    last = next(m for m in model.body.modules() if isinstance(m, LIF))
    model.body = nn.Sequential(last, *body[1:], last)
    torch.testing.assert_close(sparse.compile(model, x)(x), logits(model, x), rtol=0, atol=1e-5)


def test_what_is_refused_with_its_path():
    model, x, compiled = small()
    with pytest.raises(UserError, match="not empty"):
        sparse.compile(model, x[:0])
    first, *_, last = compiled.paths
    for name in (first, last):
        with pytest.raises(UserError, match=f"{name} has no path event"):
            sparse.compile(model, x, {name: "event"})
    with pytest.raises(UserError, match="whole numbers already"):
        graph.quantised(graph.quantised(compiled.graph))
    hook = model.body[0].register_forward_hook(lambda m, args, out: out)
    with pytest.raises(UserError, match=r"body\.0.*hooks"):
        sparse.compile(model, x)
    hook.remove()
    model.encoder = nn.Sequential(nn.MaxPool2d(2), model.encoder)
    with pytest.raises(UserError, match=r"encoder\.0.*the input itself"):
        sparse.compile(model, x)


@pytest.mark.parametrize(("name", "settings_", "size"), [("cifarnet", {}, 16), ("resnet20", {}, 8)])
def test_networks_that_methods_have_made_narrower(name, settings_, size):
    model, x = network(name, {"width": 0.2, **settings_}, (3, size), 4), inputs((3, size), 4, False)
    c = Context(model, Masks.ones(model), torch.Generator())
    found = find_channels(model, x[:1])
    score = torch.rand(len(found.alive))
    found.cut(c, lowest(score, found.alive, len(score) // 2), score)
    found.finish(c)
    narrow_ = c.model.eval()
    assert sum(p.numel() for p in narrow_.parameters()) < 0.8 * sum(p.numel() for p in model.parameters())
    torch.testing.assert_close(sparse.compile(narrow_, x)(x), logits(narrow_, x), rtol=0, atol=1e-5)


@needs_kernels
def test_fewer_threads_than_asked_for():
    """OpenMP may give fewer, by its settings or because it is busy; all of the work is done all the same."""
    code = (
        "import torch; from snnbook import native; from snnbook.neurons import LIF;"
        "torch.manual_seed(0); x = torch.randn(4, 1, 1 << 18);"
        "torch.set_num_threads(1); a = LIF()(x); torch.set_num_threads(2); b = LIF()(x);"
        "print(native.available(), torch.equal(a, b), bool(a.any()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"OMP_THREAD_LIMIT": "1"}
    )
    assert done.stdout.split() == ["True"] * 3, done.stderr
