"""What runs behind what, and what is a weight and what are neurons."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snnbook import networks
from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.surrogates import Tanh
from snnbook.tracing import LayerTrace, measuring, neurons, trace_layers, weights


class Fold(nn.Sequential):
    def forward(self, x):
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def _conv(c, out, size=3):
    return Fold(nn.Conv2d(c, out, size, padding=size // 2), nn.BatchNorm2d(out))


def _after(found):
    return {name: (b.norm, b.neuron) for name, b in found.items()}


def test_a_chain():
    net = nn.Sequential(
        _conv(2, 4), LIF(), Fold(nn.MaxPool2d(2), nn.Flatten()), Fold(nn.Linear(4 * 9, 5)), LIF(), Fold(nn.Linear(5, 3))
    )
    assert list(trace_layers(net, torch.rand(3, 2, 2, 6, 6)).values()) == [
        LayerTrace("0.0", (2, 6, 6), (4, 6, 6), 6, "0.1", "1"),
        LayerTrace("3.0", (36,), (5,), 6, "", "4"),
        LayerTrace("5.0", (5,), (3,), 6),
    ]


def test_a_layer_is_behind_no_neurons_of_another_width_or_kind_of_map():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.BatchNorm1d(16), LIF(), nn.Linear(16, 2))
    assert _after(trace_layers(net, torch.rand(5, 1, 4, 4))) == {"0": ("", ""), "4": ("", "")}


def test_a_norm_behind_the_neurons_is_not_the_layers():
    net = nn.Sequential(Fold(nn.Conv2d(1, 4, 3)), LIF(), Fold(nn.BatchNorm2d(4)), Fold(nn.Conv2d(4, 4, 1)))
    assert _after(trace_layers(net, torch.rand(2, 1, 1, 4, 4))) == {"0.0": ("", "1"), "3.0": ("", "")}


class Residual(nn.Module):
    """Currents of two branches are added in front of the neurons; `first`: which branch runs first."""

    def __init__(self, first):
        super().__init__()
        self.first = first
        self.main = nn.Sequential(_conv(4, 4), LIF(), _conv(4, 4))
        self.short, self.out = _conv(4, 4, 1), LIF()

    def forward(self, x):
        branches = (self.main, self.short) if self.first == "main" else (self.short, self.main)
        a, b = (branch(x) for branch in branches)
        return self.out(a + b)


@pytest.mark.parametrize("first", ["main", "short"])
def test_both_branches_of_a_residual_block_have_the_neurons_behind_the_addition(first):
    net = nn.Sequential(_conv(2, 4), LIF(), Residual(first))
    assert _after(trace_layers(net, torch.rand(3, 2, 2, 6, 6))) == {
        "0.0": ("0.1", "1"),
        "2.main.0.0": ("2.main.0.1", "2.main.1"),
        "2.main.2.0": ("2.main.2.1", "2.out"),
        "2.short.0": ("2.short.1", "2.out"),
    }


class Stream(nn.Module):
    """A pre-activation stream: the sum goes on, and its neurons are the next block's; the last has none of its own."""

    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b, self.la, self.lb = (_conv(2, 4), _conv(4, 4), _conv(4, 4), LIF(), LIF())

    def forward(self, x):
        x = self.stem(x)
        x = x + self.a(self.la(x))
        return x + self.b(self.lb(x))


def test_a_stream_of_currents():
    assert _after(trace_layers(Stream(), torch.rand(3, 2, 2, 6, 6))) == {
        "stem.0": ("stem.1", "la"),
        "a.0": ("a.1", "lb"),
        "b.0": ("b.1", ""),
    }


class Steps(nn.Module):
    """Called step by step, with a static first layer outside the loop, and an output as wide as the neurons."""

    class Neurons(nn.Module):
        v = 0.0

        def reset(self):
            self.v = 0.0

        def forward(self, x):
            h = 0.5 * self.v + x
            s = Tanh().spike(h - 1)
            self.v = h * (1 - s)
            return s

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.l1 = nn.Linear(3, 4), nn.BatchNorm1d(4), self.Neurons()
        self.second, self.l2, self.last = nn.Linear(4, 4), self.Neurons(), nn.Linear(4, 4)

    def forward(self, x):
        y = self.norm(self.first(x))
        return torch.stack([self.last(self.l2(self.second(self.l1(y)))) for _ in range(3)])


def test_the_last_layer_of_a_step_does_not_get_the_neurons_of_the_next_step():
    found = trace_layers(Steps(), torch.rand(2, 3))
    assert _after(found) == {"first": ("norm", "l1"), "second": ("", "l2"), "last": ("", "")}
    assert [b.rows for b in found.values()] == [2, 2, 2]


def test_neurons_and_layers_that_are_used_twice_are_listed_where_they_run_first():
    lif, shared = LIF(), Fold(nn.Linear(4, 4))
    net = nn.Sequential(Fold(nn.Linear(3, 4)), lif, shared, LIF(), shared, lif, Fold(nn.Linear(4, 4)), lif)
    assert _after(trace_layers(net, torch.rand(2, 2, 3))) == {"0.0": ("", "1"), "2.0": ("", "3"), "6.0": ("", "1")}


def test_tracing_leaves_everything_as_it_was():
    net = nn.Sequential(_conv(2, 4), LIF(), Steps.Neurons()).train()
    net[1].keep_potential = True
    x = torch.rand(3, 2, 2, 6, 6)
    before = {name: v.clone() for name, v in net.state_dict().items()}
    trace_layers(net, x)
    assert net.training
    assert net[1].keep_potential
    assert not any(m._forward_hooks for m in net.modules())
    assert all(torch.equal(v, before[name]) for name, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert x.grad is None
    assert not x.requires_grad
    assert net[2].v == 0.0


@pytest.mark.parametrize("frozen", [False, True])
def test_layers_that_are_not_trained_are_traced_too(frozen):
    net = nn.Sequential(nn.Linear(3, 4), LIF(), nn.Linear(4, 2)).requires_grad_(not frozen)
    with torch.no_grad():
        assert _after(trace_layers(net, torch.rand(2, 2, 3))) == {"0": ("", "1"), "2": ("", "")}


PAPERS = {
    "cifarnet": ((2, 3, 32, 32), {}, 0),
    "vgg16": ((2, 3, 32, 32), {}, 1),
    "dvsgesture": ((2, 1, 2, 64, 64), {"in_channels": 2, "image_size": 64}, 0),
    "cifar10dvs": ((2, 1, 2, 48, 48), {"in_channels": 2, "image_size": 48}, 0),
    "vggsnn": ((2, 1, 2, 48, 48), {"in_channels": 2, "image_size": 48}, 0),
    "resnet19": ((2, 3, 32, 32), {}, 1),
    "resnet20": ((2, 3, 32, 32), {}, 1),
    "sew_resnet18": ((2, 3, 32, 32), {}, 1),
}


@pytest.mark.parametrize("name", networks.available())
def test_the_papers_networks(name):
    shape, changes, bare = PAPERS[name]
    net = networks.build(name, width=0.03, T=2, **changes)
    found = trace_layers(net, torch.rand(shape))
    modules = dict(net.named_modules())
    convolutions = [b for n, b in found.items() if isinstance(modules[n], nn.Conv2d)]
    assert set(found) == {n for n, m in modules.items() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert all(modules[b.norm].num_features == b.leaving[0] for b in convolutions)
    assert all(b.neuron for b in convolutions)
    # All neurons are behind some layer, and as many linear layers as expected behind none: the outputs.
    assert {b.neuron for b in found.values()} - {""} == {n for n, m in modules.items() if isinstance(m, LIF)}
    assert sum(not b.neuron for b in found.values()) == bare


def test_the_branches_of_the_papers_residual_networks():
    found = _after(trace_layers(networks.build("resnet19", width=0.03, T=2), torch.rand(1, 3, 32, 32)))
    assert found["body.1.main.2.0"][1] == found["body.1.shortcut.0.0"][1] == "body.1.neurons"
    assert found["body.2.main.2.0"][1] == "body.2.neurons", "an identity shortcut brings nothing of the block before"
    found = _after(trace_layers(networks.build("sew_resnet18", width=0.03, T=2), torch.rand(1, 3, 32, 32)))
    assert found["body.3.shortcut.0.0"][1] == "body.3.shortcut.1"


class Odd(nn.Module):
    """Neurons that nobody knows."""

    def forward(self, x):
        return (x > 0).float()


def test_tracing_keeps_no_activations():
    # A batch of the size that is measured must not cost the memory of a backward pass.
    class Squared(nn.Linear):
        def forward(self, x):
            y = super().forward(x) ** 2
            with pytest.raises(TypeError, match="NoneType"):
                y.grad_fn._saved_self  # noqa: B018
            return y

    assert list(trace_layers(nn.Sequential(Squared(3, 4), LIF()), torch.rand(2, 2, 3))) == ["0"]


def test_neurons_are_what_has_no_weights_and_is_not_known():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, 3))

    lif, odd, recurrent, said = LIF(), Odd(), Recurrent(), Recurrent()
    said.multiplies = ()
    others = (_conv(2, 4), nn.Dropout(), nn.RNN(2, 3), nn.Bilinear(2, 2, 2), nn.Embedding(2, 3), nn.Sequential(odd))
    net = nn.Sequential(lif, *others, recurrent, said)
    assert neurons(net) == [lif, odd, said]
    assert neurons(net, (Recurrent,)) == [lif, odd, recurrent, said]


@pytest.mark.supports("Weights", "norms, embeddings, biases, positions", "left alone: they are no weights")
@pytest.mark.supports(
    "Weights",
    "a parameter of two or more axes in a module of another type",
    'accepted as a weight if the class says multiplies = ("name",)',
)
@pytest.mark.supports(
    "Weights",
    "a parameter of two or more axes in a module that does not say what it is",
    "refused",
    says="cannot tell whether odd.kernel (Module) multiplies what passes or is added to it",
)
def test_weights_are_the_parameters_that_multiply():
    class Own(nn.Module):
        multiplies = ("w",)

        def __init__(self):
            super().__init__()
            self.w, self.position = nn.Parameter(torch.zeros(3, 3)), nn.Parameter(torch.zeros(1, 3))

    shared = nn.Linear(3, 3)
    shared.weight = nn.Linear(3, 3).weight
    net = nn.ModuleDict(
        {
            "up": nn.ConvTranspose2d(2, 3, 3),
            "norm": nn.LayerNorm((3, 3)),
            "words": nn.Embedding(4, 3),
            "attention": nn.MultiheadAttention(4, 2, add_bias_kv=True),
            "split": nn.MultiheadAttention(4, 2, kdim=3),
            "rnn": nn.LSTM(2, 3, bidirectional=True),
            "cell": nn.GRUCell(2, 3),
            "pair": nn.Bilinear(2, 3, 4),
            "own": Own(),
            "first": shared,
            "again": nn.Linear(3, 3),
            "normed": nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)),
            "lif": LIF(),
        }
    )
    net["again"].weight = shared.weight
    split = [f"split.{x}_proj_weight" for x in "qkv"]
    rnn = [f"rnn.weight_{x}_l0{way}" for way in ("", "_reverse") for x in ("ih", "hh")]
    assert list(weights(net)) == [
        *("up.weight", "attention.in_proj_weight", "attention.out_proj.weight", *split, "split.out_proj.weight", *rnn),
        *("cell.weight_ih", "cell.weight_hh", "pair.weight", "own.w", "first.weight", "normed.weight"),
    ]
    net["odd"] = nn.Module()
    net["odd"].kernel = nn.Parameter(torch.zeros(2, 2))
    with pytest.raises(UserError, match=r"cannot tell whether odd\.kernel \(Module\) multiplies"):
        weights(net)


def test_measuring_restores_modes_and_state_after_an_error():
    net = nn.Sequential(nn.BatchNorm1d(2).eval(), Steps.Neurons()).train()
    net[0].eval()

    def stop():
        with measuring(net, {net[0]: print}):
            assert not net.training
            net[1](torch.ones(2))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert (net.training, net[0].training, net[1].training) == (True, False, True)
    assert net[1].v == 0.0
    assert not net[0]._forward_hooks
