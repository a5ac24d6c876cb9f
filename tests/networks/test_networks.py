"""The networks have the papers' parameter counts, the promised shapes, and scale with width."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.networks import available, build
from snnbook.neurons import LIF


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


def test_static_input_equals_the_image_repeated():
    net = build("cifarnet", in_channels=1, image_size=8, width=1 / 32, T=4).eval()
    x = torch.rand(3, 1, 8, 8) * 4
    torch.testing.assert_close(net(x), net(x.expand(4, -1, -1, -1, -1)))


def test_no_state_between_calls():
    net = build("dvsgesture", in_channels=2, image_size=32, width=1 / 16).eval()
    x = torch.rand(4, 2, 2, 32, 32) * 5
    assert torch.equal(net(x), net(x))


def test_neuron_constants_reach_every_layer():
    net = build("cifarnet", image_size=8, width=1 / 64, tau=4 / 3, v_reset=None)
    neurons = [m for m in net.modules() if isinstance(m, LIF)]
    assert len(neurons) == 8
    assert all(m.p.tau == 4 / 3 and m.p.v_reset is None for m in neurons)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build("cifarnett"), "did you mean cifarnet"),
        (lambda: build("cifarnet", width=0), "width"),
        (lambda: build("cifarnet", T=0), "T must"),
        (lambda: build("dvsgesture", image_size=16), "too small"),
        (lambda: build("cifarnet", hiden=(3,)), "did you mean hidden"),
        (lambda: build("cifarnet", image_size=8, width=0.01)(torch.rand(3, 8, 8)), "shape"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(UserError, match=message):
        call()
