"""The networks have the papers' parameter counts, the promised shapes, and scale with width."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.networks import available, build
from snnbook.neurons import IF, LIF


def _weights(model):
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear))


def _parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_counts_of_the_papers():
    with torch.device("meta"):
        assert _weights(build("cifarnet")) == 36_715_264
        assert _parameters(build("cifarnet")) == 36_718_336
        assert _parameters(build("dvsgesture", 11, 2, 128)) == 1_698_926
        assert _parameters(build("cifar10dvs", 10, 2, 128)) == 4_691_812
        assert _parameters(build("vgg16")) == 14_728_266
        assert _parameters(build("vgg16", 100)) == 14_774_436
        assert _weights(build("vggsnn", 10, 2, 48)) == 9_677_952
        assert _parameters(build("vggsnn", 10, 2, 48)) == 9_683_456


def test_counts_of_the_embedded_networks():
    plan = {"vote": 0, "norm_hidden": True, "hidden": (128,)}
    net = build("cifarnet", 10, 1, 12, convolutions=(16, 16, "M", 32, 64, "M", 64, 128), **plan)
    assert _weights(net) == 284_816


@pytest.mark.parametrize("name", sorted(available()))
def test_shapes_and_gradients(name):
    net = build(name, num_classes=7, in_channels=2, image_size=32, width=1 / 64, T=3)
    logits = net(torch.rand(5, 2, 2, 32, 32) * 5)
    assert logits.shape == (5, 2, 7)
    net(torch.rand(2, 2, 32, 32)).sum().backward()
    assert net(torch.rand(2, 2, 32, 32)).shape == (3, 2, 7)
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("name", sorted(available()))
def test_static_input_equals_the_image_repeated(name):
    net = build(name, in_channels=1, image_size=32, width=1 / 32, T=4, gain=2.0).eval()
    x = torch.rand(3, 1, 32, 32) * 4
    torch.testing.assert_close(net(x), net(x.expand(4, -1, -1, -1, -1)))


def test_no_state_between_calls():
    net = build("dvsgesture", in_channels=2, image_size=32, width=1 / 16).eval()
    x = torch.rand(4, 2, 2, 32, 32) * 5
    assert torch.equal(net(x), net(x))


@pytest.mark.parametrize("name", sorted(available()))
def test_neuron_constants_reach_every_layer(name):
    net = build(name, width=1 / 64, neuron="LIF", tau=1.5, v_reset=None)
    neurons = [m for m in net.modules() if isinstance(m, LIF)]
    assert len(neurons) > 4
    assert all(m.constants.tau == 1.5 and m.constants.v_reset is None for m in neurons)


@pytest.mark.parametrize("name", sorted(available()))
def test_a_network_of_neurons_without_leak(name):
    neurons = [m for m in build(name, image_size=128, width=1 / 64, neuron="IF", v_threshold=0.5).modules()]
    neurons = [m for m in neurons if isinstance(m, LIF)]
    assert all(isinstance(m, IF) and m.constants.v_threshold == 0.5 for m in neurons)


def test_the_constants_of_the_papers():
    for name, tau in (("vgg16", 4 / 3), ("resnet19", 4 / 3), ("vggsnn", 2.0), ("cifarnet", 2.0)):
        assert {m.constants.tau for m in build(name, width=1 / 64).modules() if isinstance(m, LIF)} == {tau}


def test_vggsnn_of_paper_a_has_output_neurons_and_that_of_b_none():
    a, b = (build("vggsnn", 10, 2, 16, 1 / 16, variant=v).eval() for v in "ab")
    assert [sum(isinstance(m, kind) for m in a.modules()) for kind in (LIF, nn.Dropout)] == [9, 1]
    assert [sum(isinstance(m, kind) for m in b.modules()) for kind in (LIF, nn.Dropout)] == [8, 0]
    assert str(a) == str(build("vggsnn", 10, 2, 16, 1 / 16).eval())
    b.load_state_dict(dict(zip(b.state_dict(), a.state_dict().values(), strict=True)))  # dropout shifts the names
    x = 9 * torch.rand(3, 2, 2, 16, 16)
    currents = b.body(b.encoder(x)).unflatten(2, (10, 10))
    torch.testing.assert_close(b(x), currents.mean(3))
    assert torch.equal(a(x), LIF()(currents).mean(3))


def test_average_pooling_in_place_of_max_pooling():
    """Behind one convolution, a network of ones: the mean of a window of spikes instead of their maximum."""
    nets = [build("cifarnet", 1, 1, 2, convolutions=(1, p), hidden=(), vote=0, conv_bias=True).eval() for p in "AM"]
    for net in nets:
        nn.init.constant_(net.encoder[0].weight, 0.0)
        net.encoder[0].weight.data[..., 1, 1] = 1.0
        net.encoder[0].bias.data.fill_(0.5)
        nn.init.ones_(net.body[-1][0].weight)
    x = torch.tensor([[2.0, 2.0], [2.0, -1.0]]).view(1, 1, 1, 2, 2)  # 2.5 fires with tau 2, -0.5 does not
    assert [net(x).item() for net in nets] == [0.75, 1.0]


def test_weights_start_as_in_the_public_codes():
    torch.manual_seed(0)
    vgg, snn = build("vgg16", width=0.25), build("vggsnn", 10, 2, 16, width=0.25)
    conv, linear = vgg.body[1][0], vgg.body[-1][0]
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 16)) ** 0.5, rel=0.1)  # 9 x 16 outputs a value
    assert linear.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert not conv.bias.any()
    assert not linear.bias.any()
    assert snn.body[-2][0].weight.std().item() == pytest.approx((2 / 100) ** 0.5, rel=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build("cifarnett"), "did you mean cifarnet"),
        (lambda: build("cifarnet", width=0), "width"),
        (lambda: build("cifarnet", T=0), "T must"),
        (lambda: build("dvsgesture", image_size=16), "too small"),
        (lambda: build("vgg16", image_size=(32, 16)), "too small for 5 poolings; at least 32 pixels"),
        (lambda: build("vggsnn", image_size=12), "too small for 4 poolings"),
        (lambda: build("cifarnet", hiden=(3,)), "did you mean hidden"),
        (lambda: build("cifarnet", about="mine"), "unknown network setting"),
        (lambda: build("cifarnet", convolutions=(3, "P")), "unknown pooling 'P'"),
        (lambda: build("cifarnet", convolutions=("M", 3)), "must begin with"),
        (lambda: build("cifarnet", neuron="LiF"), "did you mean LIF"),
        (lambda: build("cifarnet", init="kaiming"), "unknown init"),
        (lambda: build("cifarnet", variant="b"), "has no variants"),
        (lambda: build("vggsnn", variant="c"), "unknown variant 'c'; known: a, b"),
        (lambda: build("cifarnet", neuron="IF", tau=3.0), "tau is a constant of the leak"),
        (lambda: build("cifarnet", image_size=8, width=0.01)(torch.rand(3, 8, 8)), "shape"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(UserError, match=message):
        call()
