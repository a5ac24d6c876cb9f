"""Residual networks: counts as printed and as in the public codes, what the two kinds of blocks compute."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from snnbook import measure, tracing
from snnbook.errors import UserError
from snnbook.networks import build
from snnbook.neurons import IF, LIF

RESNETS = ("resnet19", "resnet20", "sew_resnet18")


def _parameters(*args, **settings):
    with torch.device("meta"):
        return sum(p.numel() for p in build(*args, **settings).parameters())


def test_counts_of_the_papers():
    assert [_parameters("resnet19", k) for k in (10, 100, 200)] == [12_630_858, 12_653_988, 12_679_688]
    assert _parameters("resnet19", variant="b") == 12_653_988  # ten outputs a class
    assert _parameters("sew_resnet18", 1000, image_size=224) == 11_689_512
    assert [_parameters("sew_resnet18", k) for k in (10, 100)] == [11_220_132] * 2
    assert _parameters("resnet20") == 4_327_754


# Printed or counted for paper B's definition. Its neurons are those that its code masks: not the stem's, and not those
# of linear layers. Its code leaves out the last layer of SEW-ResNet18, which sees sums of up to three spikes.
@pytest.mark.parametrize(
    ("name", "settings", "last", "connections", "neurons"),
    [
        ("vggsnn", {"in_channels": 2, "image_size": 48}, True, 1_238_690_304, 774_144),
        ("resnet19", {"variant": "b"}, True, 3_491_940_096, 1_540_096),
        ("sew_resnet18", {}, False, 725_811_968, 548_864),
        ("sew_resnet18", {"num_classes": 1000, "image_size": 224}, False, 2_468_834_048, 1_680_896),
    ],
)
def test_dense_connections_and_neurons_of_paper_b(name, settings, last, connections, neurons):
    net = build(name, T=1, init="default", **settings)
    shape = settings.get("in_channels", 3), *2 * (settings.get("image_size", 32),)
    counted, behind = measure.connections(net, shape), tracing.trace_layers(net, torch.rand(1, 1, *shape))
    layers = [total for _, total in counted.per_layer.values()]
    assert sum(layers) - (0 if last else layers[-1]) == connections
    left_out = {block.neuron for name, block in behind.items() if name == "encoder.0" or len(block.leaving) == 1}
    assert sum(total for name, (_, total) in counted.neurons.items() if name not in left_out) == neurons


def _names(net, kind):
    return [name for name, m in net.named_modules() if isinstance(m, kind)]


@pytest.mark.parametrize(
    ("settings", "sides"),
    [
        ({"name": "resnet19"}, [32, 16, 8, 4]),
        ({"name": "resnet19", "variant": "b"}, [32, 16, 8]),
        ({"name": "resnet20"}, [32, 16, 8]),
        ({"name": "sew_resnet18"}, [32, 16, 8, 4]),
        ({"name": "sew_resnet18", "variant": "imagenet"}, [16, 8, 4, 2, 1]),
    ],
)
def test_sides_of_the_maps(settings, sides):
    net = build(**settings, width=1 / 64, T=1)
    behind = tracing.trace_layers(net, torch.rand(1, 3, 32, 32)).values()
    maps = [block.leaving[1] for block in behind if len(block.leaving) == 3]
    assert list(dict.fromkeys(maps)) == sides


def test_the_neurons_of_sew_resnet18():
    """IF, but for a leak behind the stem for CIFAR; the stem follows the size of the image unless it is chosen."""
    for settings, kind in (
        ({}, LIF),
        ({"image_size": 64}, LIF),
        ({"image_size": 128}, IF),
        ({"variant": "imagenet"}, IF),
        ({"image_size": 224, "variant": "cifar"}, LIF),
    ):
        net = build("sew_resnet18", width=1 / 64, **settings)
        first, *others = (type(m) for m in net.modules() if isinstance(m, LIF))
        assert first is kind
        assert set(others) == {IF}
        assert len(others) == 16 + 3
        assert net.encoder[0].kernel_size == ((3, 3) if kind is LIF else (7, 7))


def test_read_outs_of_paper_b():
    """Ten outputs a class where they are fewer than the inputs of the layer, 256 and 512."""
    with torch.device("meta"):
        for name, classes, outputs in (
            ("resnet19", 25, 250),
            ("resnet19", 26, 26),
            ("sew_resnet18", 51, 510),
            ("sew_resnet18", 52, 52),
        ):
            net = build(name, classes, **({"variant": "b"} if name == "resnet19" else {}))
            assert [m.out_features for m in net.modules() if isinstance(m, nn.Linear)][-1] == outputs
            assert not isinstance(net.body[-1], LIF)


@pytest.mark.parametrize("block", ["add", "sew"])
def test_what_a_block_computes(block):
    """Against the block written out: with currents added in front of the neurons, or spikes added behind them."""
    torch.manual_seed(1)
    net = build("resnet20", 3, 2, 8, stages=((4, 2, 2),), stem_width=4, block=block, gain=3.0).train()
    first, second = (m for m in net.body if hasattr(m, "shortcut"))
    x = (torch.rand(3, 2, 4, 8, 8) < 0.4).float()

    def current(fold, x):
        return F.batch_norm(
            F.conv2d(x.flatten(0, 1), fold[0].weight, None, fold[0].stride, fold[0].padding), None, None,
            fold[1].weight, fold[1].bias, training=True,
        ).unflatten(0, (3, 2))  # fmt: skip

    def expected(b, x, shortcut):
        y = current(b.main[2], LIF()(current(b.main[0], x)))
        if block == "add":
            return LIF()(y + (current(b.shortcut[0], x) if shortcut else x))
        return LIF()(y) + (LIF()(current(b.shortcut[0], x)) if shortcut else x)

    y = expected(first, x, shortcut=True)
    assert torch.equal(first(x), y)
    z = expected(second, y, shortcut=False)
    assert torch.equal(second(y), z)
    assert set(z.unique().tolist()) == ({0.0, 1.0} if block == "add" else {0.0, 1.0, 2.0, 3.0})


@pytest.mark.parametrize("name", RESNETS)
@pytest.mark.parametrize("masked", [False, True])
def test_operations_counted_with_spikes_sent_through_the_layers(name, masked):
    """Half of the weights are pruned; sums of spikes count as what they are. One neuron mask, in the first stage."""
    torch.manual_seed(0)
    net = build(name, 4, 2, 12, width=1 / 16, T=3, gain=3.0).eval()
    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            m.weight.data *= torch.rand_like(m.weight) < 0.5
    layers, x = tracing.layers(net), 3 * torch.rand(3, 5, 2, 12, 12)
    lif = net.get_submodule(_names(net, LIF)[1])
    behind = tracing.trace_layers(net, x)
    if masked:
        only = [n for n, b in behind.items() if b.neuron == _names(net, LIF)[1]]
        assert len(only) == 1
        lif.mask = torch.rand(behind[only[0]].leaving) < 0.7
    crossing = {}

    def hook(layer, args, output):
        live, x = (layer.weight != 0).double(), args[0].double()
        here = F.linear(x, live) if isinstance(layer, nn.Linear) else layer._conv_forward(x, live, None)
        name = next(n for n, m in layers.items() if m is layer)
        alive = lif.mask if masked and name == only[0] else torch.ones(())
        crossing[name] = float((here * alive).sum()) / 5

    handles = [layer.register_forward_hook(hook) for layer in layers.values()]
    with torch.no_grad():
        net(x)
    for handle in handles:
        handle.remove()
    operations = measure.sops(net, x)
    assert operations.encoding_layer == "encoder.0"
    assert operations.encoding_sops == pytest.approx(crossing.pop("encoder.0"))
    assert operations.per_layer == pytest.approx(crossing)
    assert operations.total > 0


@pytest.mark.parametrize("name", RESNETS)
def test_the_neurons_behind_each_layer(name):
    """Those behind an addition for both layers in front of it, or each branch's own."""
    net = build(name, width=1 / 16, T=1)
    behind = {n: b.neuron for n, b in tracing.trace_layers(net, torch.rand(1, 3, 12, 12)).items()}
    for n, m in net.named_modules():
        if not hasattr(m, "shortcut"):
            continue
        assert behind[f"{n}.main.0.0"] == f"{n}.main.1"
        sew = len(m.main) == 4
        assert behind[f"{n}.main.2.0"] == (f"{n}.main.3" if sew else f"{n}.neurons")
        if len(m.shortcut):
            assert behind[f"{n}.shortcut.0.0"] == (f"{n}.shortcut.1" if sew else f"{n}.neurons")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build("resnet19", variant="c"), "unknown variant 'c'; known: a, b"),
        (lambda: build("resnet20", variant="b"), "has no variants"),
        (lambda: build("resnet19", block="sum"), "unknown block"),
        (lambda: build("sew_resnet18", stem="cifar10"), "did you mean cifar"),
        (lambda: build("sew_resnet18", stem_neuron="lif"), "unknown neuron of the stem"),
        (lambda: build("sew_resnet18", tau=2.0), "IF neurons lack; give neuron='LIF'"),
        (lambda: build("resnet19", convolutions=(3,)), "unknown network setting"),
        (lambda: build("resnet19", stages=((3, 1),)), "each stage is"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(UserError, match=message):
        call()
