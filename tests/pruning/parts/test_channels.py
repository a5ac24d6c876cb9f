"""Which channels belong together, and that a network without some of them computes what it did with them dead."""

import pytest
import torch
from torch import nn

from snnbook import networks
from snnbook.errors import UserError
from snnbook.networks.convnet import Fold
from snnbook.neurons import LIF
from snnbook.pruning import Context, Masks, prunable
from snnbook.pruning.parts.channels import lowest
from snnbook.pruning.parts.coupling import find_channels


class Residual(nn.Module):
    """Stem of 4 channels, a block whose sum goes on with 4, one with 6 and a shortcut layer, a linear layer."""

    def __init__(self):
        super().__init__()

        def layer(c, out, size=3, stride=1):
            return Fold(nn.Conv2d(c, out, size, stride, size // 2, bias=False), nn.BatchNorm2d(out))

        self.stem, self.a, self.b, self.c, self.d = layer(2, 4), layer(4, 3), layer(3, 4), layer(4, 5), layer(5, 6)
        self.shortcut = layer(4, 6, 1)
        self.lifs = nn.ModuleList(LIF() for _ in range(5))
        self.pool, self.fc = Fold(nn.AdaptiveAvgPool2d(2), nn.Flatten()), Fold(nn.Linear(24, 5))

    def forward(self, x):
        one, two, three, four, five = self.lifs
        x = self.stem(x[None]).expand(3, -1, -1, -1, -1) if x.dim() == 4 else self.stem(x)
        x = one(x)
        x = three(x + self.b(two(self.a(x))))
        x = five(self.d(four(self.c(x))) + self.shortcut(x))
        return self.fc(self.pool(x))


class Steps(nn.Module):
    """Loops over time itself, with neurons that keep a state, as SpikingJelly's and snnTorch's do."""

    class Neuron(nn.Module):
        def __init__(self):
            super().__init__()
            self.v = 0.0

        def reset(self):
            self.v = 0.0

        def forward(self, x):
            self.v = 0.5 * self.v + x
            s = (self.v >= 0.5).to(x.dtype)
            self.v = self.v * (1 - s)
            return s, self.v

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.one, self.two = nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), self.Neuron(), self.Neuron()
        self.fc, self.out = nn.Linear(6 * 9, 7), nn.Linear(7, 4)

    def forward(self, x):
        outputs = []
        for step in x:
            s, _ = self.one(self.norm(self.conv(step)))
            s, _ = self.two(self.fc(nn.functional.max_pool2d(s, 2).flatten(1)))
            outputs.append(self.out(s))
        return torch.stack(outputs)


def plain():
    return nn.Sequential(
        *(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 4)),
    )


def lively(model):
    """With norms as after some training."""
    generator = torch.Generator().manual_seed(0)
    for m in model.modules():
        if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor, low, high in ((m.weight, 0.5, 3), (m.bias, -0.5, 1.5), (m.running_mean, -0.3, 0.3)):
                tensor.data.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))
    return model


def events(size=8):
    return torch.rand(3, 6, 2, size, size, generator=torch.Generator().manual_seed(1))


def cut(model, x, share=0.5, streams=False):
    """A network with a share of its channels dead, in the context that holds the narrow one."""
    one = x[:1] if x.dim() == 4 else x[:, :1]
    found = find_channels(model, one, streams)
    c = Context(model, Masks.ones(model), torch.Generator())
    score = torch.rand(len(found.alive), generator=torch.Generator().manual_seed(2))
    found.cut(c, lowest(score, found.alive, round(share * len(found.alive))), score)
    found.finish(c)
    return c, found


def test_the_rows_of_a_residual_network_by_hand():
    # Inside of the blocks: a feeds b alone, c feeds d alone; 3 + 5 channels. Streams: stem and b are added (4), d and
    # the shortcut (6). A channel of the second stream has the 4 values of its pooled map in the linear layer.
    model = Residual()
    inner = find_channels(model, events()[:, :1])
    assert inner.rows["a.0"].tolist() == [0, 1, 2]
    assert inner.columns["b.0"].tolist() == [0, 1, 2]
    assert inner.norms["a.1"].tolist() == inner.lifs["lifs.1"].tolist() == [0, 1, 2]
    assert inner.rows["c.0"].tolist() == inner.columns["d.0"].tolist() == [3, 4, 5, 6, 7]
    assert all((inner.rows[name] == -1).all() for name in ("stem.0", "b.0", "d.0", "shortcut.0", "fc.0"))
    found = find_channels(model, events()[:, :1], streams=True)
    assert len(found.alive) == 3 + 5 + 4 + 6
    stream = found.rows["stem.0"].tolist()
    assert stream == [0, 1, 2, 3]
    for ids in (found.rows["b.0"], found.columns["a.0"], found.columns["c.0"], found.columns["shortcut.0"]):
        assert ids.tolist() == stream
    assert found.norms["stem.1"].tolist() == found.norms["b.1"].tolist() == found.lifs["lifs.2"].tolist() == stream
    second = found.rows["d.0"].tolist()
    assert second == found.rows["shortcut.0"].tolist() == found.lifs["lifs.4"].tolist()
    assert found.columns["fc.0"].tolist() == [channel for channel in second for _ in range(4)]
    assert (found.rows["fc.0"] == -1).all()
    assert (found.columns["stem.0"] == -1).all()


STAGES = ((100, 1, 2), (150, 2, 2))


def built(name, size, **changes):
    return lambda: networks.build(name, 10, 2, size, width=0.05, T=3, **changes)


NETWORKS = {
    "plain": (plain, lambda: events()[0], False),
    "steps": (Steps, events, False),
    "inner": (Residual, events, False),
    "streams": (Residual, events, True),
    "static": (Residual, lambda: events()[0], True),
    "convnet": (built("cifarnet", 8, vote=0, norm_hidden=True), lambda: events()[0], False),
    "gesture": (built("dvsgesture", 32, vote=0), lambda: events(32), False),
    "resnet19": (built("resnet19", 8, stages=STAGES), lambda: events()[0], True),
    "sew_resnet18": (built("sew_resnet18", 8, stages=STAGES), events, True),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_narrow_network_has_the_same_logits_and_the_weights_that_are_alive(name):
    torch.manual_seed(0)
    build, data, streams = NETWORKS[name]
    model, x = lively(build()), data()
    c, found = cut(model, x, streams=streams)
    assert c.log["channels"] == [int(found.alive.sum()), len(found.alive)]
    assert 0 < int(found.alive.sum()) < len(found.alive)
    assert sum(p.numel() for p in prunable(c.model).values()) == c.masks.alive < c.masks.total
    assert [n for n, _ in c.model.named_parameters()] == [n for n, _ in model.named_parameters()]
    with torch.no_grad():
        outputs = []
        for network in (model.eval(), c.model.eval()):
            for m in network.modules():
                if isinstance(m, Steps.Neuron):
                    m.reset()
            outputs.append(network(x))
    assert outputs[0].abs().max() > 0
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-5)


def test_dead_channels_never_fire_and_count_as_dead():
    torch.manual_seed(0)
    model = lively(Residual())
    c, found = cut(model, events(), streams=True)
    spikes = {}
    for i, lif in enumerate(model.lifs):
        lif.register_forward_hook(lambda m, x, out, i=i: spikes.update({i: out}))
        alive = found.keep(found.lifs[f"lifs.{i}"])
        assert lif.mask is None if alive.all() else torch.equal(lif.mask, alive[:, None, None].expand(-1, 8, 8))
        lif.mask = None  # silent even so
    model.train()(events())
    for i, fired in spikes.items():
        assert not fired[:, :, ~found.keep(found.lifs[f"lifs.{i}"])].any()
        assert fired.any()
    assert [m.mask for m in c.model.lifs] == [None] * 5


def test_a_layer_keeps_its_best_channel():
    model = plain()
    found = find_channels(model, events()[0][:1])
    c = Context(model, Masks.ones(model), torch.Generator())
    score = torch.arange(18.0)  # 6, 5 and 7 channels: the best of the second layer is number 10
    with pytest.warns(UserWarning, match="all channels of 4"):
        found.cut(c, (score >= 6) & (score < 11), score)
    assert found.alive.nonzero().flatten().tolist() == [*range(6), *range(10, 18)]
    assert c.log["rescued"] == ["4"]


class Mixing(nn.Module):
    """What cannot be told apart by channel stays: a group norm, a grouped convolution, a skip from the input."""

    def __init__(self, middle):
        super().__init__()
        self.first, self.middle, self.last = nn.Conv2d(4, 4, 3, padding=1), middle, nn.Conv2d(4, 3, 3)

    def forward(self, x):
        return self.last(self.middle(self.first(x)))


class Skip(Mixing):
    def forward(self, x):
        return self.last(torch.relu(x + self.first(x)))


class HardCoded(Mixing):
    def forward(self, x):
        return self.last(self.first(x).view(len(x), 4, *x.shape[2:]))


@pytest.mark.supports(
    "Weights",
    "channels that a group norm, groups, a softmax or the input mix, in structured pruning",
    "refused",
    says="no channel can be removed: each reaches the output directly or is mixed with others",
)
@pytest.mark.supports(
    "Weights",
    "sizes written in a forward pass, in structured pruning",
    "refused",
    says="the network cannot be made narrower: with fewer channels it",
)
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Mixing(nn.GroupNorm(2, 4)), "no channel"),
        (Mixing(nn.Conv2d(4, 4, 3, groups=2)), "no channel"),
        (Mixing(nn.PReLU(4)), "no channel"),
        (Mixing(nn.Softmax(1)), "no channel"),
        (Skip(None), "no channel"),
        (nn.Sequential(nn.Conv2d(4, 4, 3)), "no channel"),
        (HardCoded(None), "cannot be made narrower"),
    ],
    ids=["group norm", "groups", "parameters", "softmax", "input", "one layer", "hard-coded"],
)
def test_what_cannot_be_removed_is_refused(model, message):
    with pytest.raises(UserError, match=message):
        find_channels(model, torch.rand(1, 4, 6, 6))


def test_concatenated_and_gated_branches():
    # Two branches of 2 and 3 channels side by side feed 5 columns; a gate of 5 units, one for each, goes with them.
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.gate, self.out = nn.Linear(4, 2), nn.Linear(4, 3), nn.Linear(4, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.out(torch.cat([self.a(x), self.b(x)], -1).relu() * self.gate(x).sigmoid())

    found = find_channels(Branches(), torch.rand(1, 4), streams=True)
    assert found.rows["a"].tolist() == [0, 1]
    assert found.rows["b"].tolist() == [2, 3, 4]
    assert found.rows["gate"].tolist() == found.columns["out"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(UserError, match="no channel"):
        find_channels(Branches(), torch.rand(1, 4))


def test_a_module_that_runs_at_several_places_and_one_that_never_runs():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.twice, self.last = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)
            self.idle, self.lif = nn.Linear(3, 3), LIF()

        def forward(self, x):
            return self.last(self.lif(self.twice(self.twice(self.first(x)))))

    # What enters `twice` is what it puts out: its rows are coupled with those of the first layer.
    torch.manual_seed(0)
    found = find_channels(Shared(), torch.rand(3, 1, 4), streams=True)
    assert (
        found.rows["first"].tolist() == found.rows["twice"].tolist() == found.columns["twice"].tolist() == [*range(6)]
    )
    assert "idle" not in found.rows


def test_the_search_leaves_no_trace():
    model = Residual().train()
    before = {n: v.clone() for n, v in model.state_dict().items()}
    find_channels(model, events()[:, :1])
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    assert all(m.training and not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
    assert not any("forward" in vars(m) for m in model.modules())


def test_state_is_what_lives():
    model = plain()
    one, two = (find_channels(model, events()[0][:1]) for _ in range(2))
    one.alive[3] = False
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.alive, two.alive)
