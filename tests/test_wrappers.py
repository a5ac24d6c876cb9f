"""Networks in the wrappers of torch, in other types and layouts and with hooks of others: as the plain network."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from measure_by_hand import Fold
from torch import distributed, nn

from snnbook import datasets, measure, networks, sparse
from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.pruning import create, prunable
from snnbook.tracing import layers, measuring, plain, trace_layers
from snnbook.training import Recipe, outputs, train

X = (torch.rand(4, 5, 2, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.4).float()


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        *(Fold(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)), LIF(v_threshold=0.1)),
        *(Fold(nn.Conv2d(4, 4, 3), nn.MaxPool2d(2), nn.Flatten()), LIF(v_threshold=0.1), Fold(nn.Linear(16, 10))),
    ).eval()


def compiled(model):
    model = torch.compile(model, backend="eager")
    with torch.no_grad():
        model(X)
    return model


def compiled_in_place(model):
    model.compile(backend="eager")
    return model


def compiled_within(model):
    model[2] = torch.compile(model[2], backend="eager")
    with torch.no_grad():
        model(X)
    return model


@pytest.fixture
def process_group():
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


WRAPPERS = {
    "compile": compiled,
    "compile in place": compiled_in_place,
    "DataParallel": nn.DataParallel,
    "compiled DataParallel": lambda model: compiled(nn.DataParallel(model)),
}


def measured(model):
    """All that is measured on a network, with the names of its layers."""
    sops, connections = measure.sops(model, X, 2), measure.connections(model, X.shape)
    return (
        *(sops.per_layer, sops.macs, sops.encoding_layer, connections.per_layer, connections.neurons),
        *(measure.firing_rates(model, X, 2), measure.weights(model).per_layer),
        *(list(layers(model)), trace_layers(model, X), {name: w.data_ptr() for name, w in prunable(model).items()}),
    )


@pytest.mark.supports(
    "Wrappers", "measures under torch.compile, model.compile and DataParallel", "counted as the network within"
)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_network_is_measured_as_it_is_without(wrapper):
    model = network()
    expected = measured(model)
    assert measure.sops(model, X).total > 0
    wrapped = WRAPPERS[wrapper](model)
    assert plain(wrapped) is model
    assert measured(wrapped) == measured(model) == expected
    assert not model.training


@pytest.mark.supports("Wrappers", "measures under DistributedDataParallel", "counted as the network within")
@pytest.mark.supports(
    "Wrappers", "training under DistributedDataParallel", "refused", says="a network under DistributedDataParallel"
)
def test_distributed(process_group):
    model = network()
    expected = measured(model)
    wrapped = nn.parallel.DistributedDataParallel(model)
    assert measured(wrapped) == expected
    with pytest.raises(UserError, match=r"^a network under DistributedDataParallel"):
        train(wrapped, None, Recipe(), create("magnitude"), torch.Generator(), 4)


@pytest.mark.supports("Wrappers", "a part of the network under torch.compile", "counted")
def test_a_part_that_is_compiled_is_counted():
    model = network()
    expected, rates = measure.sops(model, X), measure.firing_rates(model, X)
    within = compiled_within(network())
    sops = measure.sops(within, X)
    assert list(sops.per_layer.values()) == list(expected.per_layer.values())
    assert list(measure.firing_rates(within, X).values()) == list(rates.values())
    seen = []
    with measuring(within, {within[2]._orig_mod[0]: lambda m, args, out: seen.append(len(out))}):
        within(X)
    assert seen == [X.shape[0] * X.shape[1]]


@pytest.mark.supports(
    "Wrappers",
    "a part under DataParallel on several devices",
    "refused",
    says="0 (DataParallel) runs in copies on several devices: put its .module there",
)
def test_a_part_in_copies_on_several_devices_is_refused():
    model = network()
    model[0] = nn.DataParallel(model[0])
    assert plain(model) is model
    model[0].device_ids = [0, 1]
    with pytest.raises(UserError, match=r"^0 \(DataParallel\) runs in copies"):
        prunable(model)


@pytest.mark.supports("Wrappers", "hooks of your own", "left alone: they run, and stay")
def test_hooks_of_others():
    model = network()
    expected = measured(model)
    seen = []
    model[0].register_forward_hook(lambda m, args, out: seen.append("after"))
    model[0].register_forward_pre_hook(lambda m, args: seen.append("before"))
    model[1].register_full_backward_hook(lambda m, given, made: seen.append("back"))
    model[2].register_full_backward_pre_hook(lambda m, given: seen.append("back"))
    model[4].register_forward_hook(lambda m, args, kwargs, out: seen.append("kwargs"), with_kwargs=True)
    assert measured(model) == expected
    assert {"before", "after"} <= set(seen)
    assert [len(m._forward_hooks) for m in model] == [1, 0, 0, 0, 1]


@pytest.mark.supports("Wrappers", "a hook that changes an input", "counted with the changed input")
def test_a_hook_that_changes_an_input_is_counted_as_it_runs():
    model, halved = network(), network()
    halved[4].register_forward_pre_hook(lambda m, args: (args[0] * 0.5,))
    assert measure.sops(halved, X).per_layer["4.0"] == 0.5 * measure.sops(model, X).per_layer["4.0"] > 0


@pytest.mark.parametrize("spectral", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm])
def test_spectral_norm_is_counted_and_left_alone(spectral):
    model = network()
    total = measure.connections(model, X.shape).total
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        spectral(model[2][0])
    before = {name: v.clone() for name, v in model.state_dict().items()}
    model.train()
    assert measure.connections(model, X.shape).total == total
    assert measure.sops(model, X).total > 0
    assert all(torch.equal(v, before[name]) for name, v in model.state_dict().items())


@pytest.mark.supports("Wrappers", "channels_last", "counted alike")
def test_channels_last():
    model = network()
    expected = measured(model)
    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    assert measured(last)[:-1] == expected[:-1]
    x = X.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, X.shape[:2])
    assert measure.sops(last, x).total == measure.sops(model, X).total


@pytest.mark.supports("Wrappers", "measures in float16, bfloat16 and float64", "counted alike")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types(dtype):
    # Weights are a few eighths, so that sums are exact in every type and the same neurons fire.
    model = network()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((8 * p).round() / 8 if p.dim() > 1 else p.round())
        model[0][1].eps = 0.0
    other = copy.deepcopy(model).to(dtype)
    sops, expected = measure.sops(other, X.to(dtype)), measure.sops(model, X)
    assert sops.per_layer == expected.per_layer
    assert sops.total > 0
    assert measure.connections(other, X.shape).per_layer == measure.connections(model, X.shape).per_layer
    assert measure.firing_rates(other, X.to(dtype)) == measure.firing_rates(model, X)


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits-clutter", "validation").head(20)


def ours(seed=0):
    torch.manual_seed(seed)
    changes = {"convolutions": (8, "M", 8), "hidden": (16,), "vote": 0, "norm_hidden": True, "gain": 2.0}
    return networks.build("cifarnet", 10, 1, 12, T=2, **changes)


def trained(model, data):
    pruner = create("magnitude", sparsity=0.5)
    return train(model, data, Recipe(epochs=1, batch_size=10), pruner, torch.Generator().manual_seed(0), T=2)


@pytest.mark.supports(
    "Wrappers",
    "training under torch.compile, model.compile and DataParallel",
    "pruned as the network within, bit for bit",
)
@pytest.mark.parametrize("wrapper", ["compile", "compile in place", "DataParallel"])
def test_a_wrapped_network_is_trained_as_it_is_without(wrapper, data):
    expected = trained(ours(), data)
    model = ours()
    wrapped = model
    if wrapper == "DataParallel":
        wrapped = nn.DataParallel(model)
    else:
        wrapped = torch.compile(model, backend="eager") if wrapper == "compile" else model
        model.compile(backend="eager")
    context = trained(wrapped, data)
    assert context.model is model
    assert context.log["loss"] == expected.log["loss"]
    assert all(torch.equal(v, expected.model.state_dict()[name]) for name, v in model.state_dict().items())
    assert torch.equal(outputs(wrapped, data, 2)[0], outputs(expected.model, data, 2)[0])


@pytest.mark.supports(
    "Wrappers",
    "training of weights that are not float32",
    "refused",
    says="encoder…weight is …: training keeps weights in float32",
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_training_keeps_weights_in_float32(dtype, data):
    model = ours().to(dtype).eval()
    before = {name: v.clone() for name, v in model.state_dict().items()}
    with pytest.raises(UserError, match=rf"^encoder.*weight is {str(dtype)[6:]}: training keeps weights in float32"):
        trained(model, data)
    assert not model.training
    assert all(torch.equal(v, before[name]) for name, v in model.state_dict().items())


@pytest.mark.supports(
    "State",
    "training of a network with a state that nobody clears",
    "refused",
    says="2 (Keeping of test_wrappers) keeps a state",
)
def test_training_refuses_a_state_that_cannot_be_reset(data):
    class Keeping(nn.Module):
        v = 0.0

        def forward(self, x):
            self.v = self.v + x.detach().mean(0, keepdim=True)
            return (x + self.v > 0.5).float() + x - x.detach()

    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 16), Keeping(), nn.Linear(16, 10), nn.Unflatten(0, (1, -1)))
    with pytest.raises(UserError, match=r"^2 \(Keeping of test_wrappers\) keeps a state"):
        trained(model, data)


@pytest.mark.supports("Wrappers", "sparse.compile of a wrapped network", "accepted: the same logits")
@pytest.mark.parametrize("wrapper", ["compile", "compile in place", "DataParallel", "within", "float16", "float64"])
def test_a_wrapped_network_is_compiled_for_inference(wrapper, data):
    model = ours().eval()
    x = data.x[:3].float()
    expected = sparse.compile(model, x)(x)
    if wrapper == "within":
        model.body = torch.compile(model.body, backend="eager")
    elif wrapper.startswith("float"):
        model = model.to(getattr(torch, wrapper))
    else:
        model.compile(backend="eager")
        model = {"compile": lambda m: torch.compile(m, backend="eager"), "DataParallel": nn.DataParallel}.get(
            wrapper, plain
        )(model)
    if wrapper == "float16":
        assert sparse.compile(model, x)(x).shape == expected.shape
    else:
        assert torch.equal(sparse.compile(model, x)(x), expected)
