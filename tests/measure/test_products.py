"""However a network multiplies, it is counted like a loop would, or refused by the path of the module."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from measure_by_hand import Fold, prune_
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from snnbook.errors import UserError
from snnbook.measure import connections, firing_rates, sops, weights
from snnbook.neurons import LIF

T, N, IN, OUT = 3, 4, 6, 5


class Own(nn.Module):
    """Multiplies in a way of its own."""

    multiplies = ("w",)

    def __init__(self, w: Tensor, way) -> None:
        super().__init__()
        self.w, self.way = nn.Parameter(w), way

    def forward(self, x):
        return self.way(self, x)


def between(module: nn.Module, inputs: int = IN) -> nn.Sequential:
    """Spikes go into the module, and currents into neurons behind it."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(8, inputs), LIF(v_threshold=0.2), module, LIF(v_threshold=0.2), nn.Linear(OUT, 2))


def halves(m, x):
    a, b = m.w.chunk(2, 1)
    return F.linear(x[..., :3], a) + F.linear(x[..., 3:], b)


WAYS = {
    "F.linear": lambda m, x: F.linear(x, m.w),
    "@ on the right": lambda m, x: x @ m.w.T,
    "@ on the left": lambda m, x: (m.w @ x.mT).mT,
    "matmul of three axes": lambda m, x: torch.matmul(m.w[None], x.mT).mT,
    "einsum": lambda m, x: torch.einsum("tni,ki->tnk", x, m.w),
    "einsum the other way": lambda m, x: torch.einsum("ki,tni->tnk", m.w, x),
    "tensordot": lambda m, x: torch.tensordot(x, m.w, dims=([2], [1])),
    "addmm in a loop": lambda m, x: torch.stack([torch.addmm(torch.ones(OUT), x_t, m.w.T) for x_t in x]),
    "a convolution of size one": lambda m, x: F.conv1d(x.flatten(0, 1)[..., None], m.w[..., None]).view(
        *x.shape[:2], OUT
    ),
    "a bias that is added apart": lambda m, x: x @ m.w.T + torch.full((OUT,), -0.5),
    "halves": halves,
    "single values that are added up": lambda m, x: (x[..., None, :] * m.w).sum(-1),
    "in lower precision": lambda m, x: F.linear(x.bfloat16(), m.w.bfloat16()).float(),
    "a weight that is scaled": lambda m, x: F.linear(x, m.w / m.w.norm()),
}


@pytest.mark.supports(
    "Synapses",
    "weights in F.linear, F.conv1d, @, matmul, einsum, tensordot and addmm, whole or in parts, in a loop or not",
    "counted under the name of the parameter, as a linear layer is",
)
@pytest.mark.parametrize("way", WAYS)
def test_a_linear_layer_in_any_form_counts_as_one(way):
    torch.manual_seed(0)
    layer = prune_(nn.Linear(IN, OUT, bias=False), 0.4)
    own = Own(layer.weight.detach().clone(), WAYS[way])
    ours, theirs = between(layer), between(own)
    theirs[0], theirs[4] = ours[0], ours[4]
    x = torch.rand(T, N, 8) * 3
    with torch.no_grad():
        spikes = ours[1](ours[0](x))
    by_loop = float((spikes @ (layer.weight != 0).float().T).sum()) / N
    a, b = sops(ours, x), sops(theirs, x)
    assert 0 < by_loop == pytest.approx(a.per_layer["2"]) == pytest.approx(b.per_layer["2.w"])
    assert b.accumulates["2.w"] == pytest.approx(by_loop)
    assert b.multiplies["2.w"] == 0
    assert a.macs["2"] == b.macs["2.w"] == T * IN * OUT
    assert connections(ours, (8,)).per_layer["2"] == connections(theirs, (8,)).per_layer["2.w"] == (live(layer), 30)
    assert weights(ours).per_layer["2"] == weights(theirs).per_layer["2.w"] == (live(layer), 30)


def live(layer: nn.Module) -> int:
    return int((layer.weight != 0).sum())


@pytest.mark.supports(
    "Weights",
    "measures of weights that are computed: weight_norm, spectral_norm, orthogonal, torch.nn.utils.prune",
    "counted as they are in the pass",
)
@pytest.mark.parametrize("kind", ["weight_norm", "old weight_norm", "spectral_norm", "orthogonal", "prune"])
def test_computed_weights_count_as_they_are(kind):
    torch.manual_seed(0)
    wrap = {
        "weight_norm": parametrizations.weight_norm,
        "old weight_norm": nn.utils.weight_norm,
        "spectral_norm": parametrizations.spectral_norm,
        "orthogonal": parametrizations.orthogonal,
        "prune": lambda m: prune.l1_unstructured(m, "weight", 0.4),
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        net = between(wrap(nn.Linear(IN, OUT)))
    x = torch.rand(T, N, 8) * 3
    with torch.no_grad():
        net.eval()(x)
        by_loop = float((net[1](net[0](x)) @ (net[2].weight != 0).float().T).sum()) / N
    assert sops(net, x).per_layer["2"] == pytest.approx(by_loop)
    assert by_loop > 0
    assert connections(net, (8,)).per_layer["2"] == (live(net[2]), 30)
    assert weights(net).per_layer["2"] == (live(net[2]), 30)


class Folded(nn.Module):
    """A layer that knows no time."""

    def __init__(self, m: nn.Module) -> None:
        super().__init__()
        self.m = m

    def forward(self, x):
        return self.m(x.flatten(0, 1)).unflatten(0, x.shape[:2])


@pytest.mark.supports(
    "Synapses",
    "convolutions and transposed convolutions of one, two and three axes, with groups, strides and dilation",
    "counted, exact at borders",
)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(2, 6, 3, stride=2, padding=1, groups=2),  # as many channels as would make up whole steps
        nn.Conv2d(2, 3, 3, padding="same", padding_mode="circular"),
        nn.Conv3d(2, 3, 2, dilation=(1, 2, 1)),
        nn.ConvTranspose1d(2, 4, 3, stride=2, output_padding=1, groups=2),
        nn.ConvTranspose2d(2, 3, 3, padding=1),
        nn.ConvTranspose3d(2, 3, 2, stride=2),
    ],
    ids=lambda m: type(m).__name__,
)
def test_convolutions_count_as_their_own_operation(layer, masked):
    torch.manual_seed(0)
    axes = layer.weight.dim() - 2
    first = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1](1, 2, 1)
    net = nn.Sequential(Folded(first), LIF(v_threshold=0.1), Folded(prune_(layer, 0.4)), LIF(v_threshold=0.1))
    x = torch.rand(T, N, 1, *(5, 4, 6)[:axes]) * 4
    indicator = type(layer)(**{k: getattr(layer, k) for k in arguments(layer)}, bias=False).double()
    with torch.no_grad():
        indicator.weight.copy_(layer.weight != 0)
        spikes = net[1](net[0](x))
        degree = indicator(spikes.flatten(0, 1).double())
        alive = indicator(torch.ones_like(spikes[0, :1]).double())[0]
    post = torch.ones(degree.shape[1:], dtype=torch.bool)
    if masked:
        post = torch.rand(degree.shape[1:]) > 0.4
        net[3].mask = post
    counted = sops(net, x)
    assert counted.per_layer["2.m"] == pytest.approx(float((degree * post).sum()) / N)
    assert counted.per_layer["2.m"] > 0
    assert counted.per_step["2.m"].shape == (T,)
    assert connections(net, x.shape).per_layer["2.m"][0] == pytest.approx(float((alive * post).sum()))
    assert counted.macs["2.m"] == pytest.approx(T * connections(net, x.shape).per_layer["2.m"][1])
    assert list(weights(net).per_layer) == list(counted.macs) == ["0.m", "2.m"]


def arguments(layer: nn.Module) -> list[str]:
    names = ["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"]
    return names + (["output_padding"] if layer.transposed else [])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.lif = nn.Linear(8, 16), LIF(v_threshold=0.2)
        self.mha, self.out = nn.MultiheadAttention(16, 2, bias=False), nn.Linear(16, 10)

    def forward(self, x):
        z = self.lif(self.into(x))
        return self.out(self.mha(z, z, z, need_weights=False)[0])


@pytest.mark.supports("Synapses", "projections of nn.MultiheadAttention", "counted under in_proj_weight and out_proj")
@pytest.mark.supports(
    "Synapses",
    "queries times keys, and attention times values",
    "counted under the path of the module: pairs of values, neither of them zero",
)
@pytest.mark.parametrize("grad", [True, False])
def test_attention_counts_its_projections_and_its_products(grad):
    torch.manual_seed(0)
    net, x = Attention(), torch.rand(T, N, 8) * 2
    net.requires_grad_(grad)  # without gradients torch would run attention in one fused operation
    prune_(net.mha.out_proj, 0.5)
    with torch.no_grad():
        z = net.lif(net.into(x))
        q, k, v = (z @ net.mha.in_proj_weight.T).unflatten(-1, (3, 2, 8)).unbind(-3)
        attention = torch.einsum("tnhd,snhd->nhts", q, k).div(8**0.5).softmax(-1)
        mixed = torch.einsum("nhts,snhd->tnhd", attention, v).flatten(-2)
    counted = sops(net, x)
    assert counted.per_layer["mha.in_proj_weight"] == pytest.approx(float(z.sum()) * 48 / N)
    assert counted.accumulates["mha.in_proj_weight"] == counted.per_layer["mha.in_proj_weight"]
    pairs = sum(
        float(torch.einsum(f, (a != 0).float(), (b != 0).float()).sum())
        for f, a, b in (("tnhd,snhd->nhts", q, k), ("nhts,snhd->tnhd", attention, v))
    )
    assert counted.per_layer["mha"] == counted.multiplies["mha"] == pytest.approx(pairs / N)
    assert counted.macs["mha"] == 2 * T * T * 16
    out = (mixed.abs() @ (net.mha.out_proj.weight != 0).float().T).sum() / N
    assert counted.per_layer["mha.out_proj"] == pytest.approx(float(out))
    assert counted.accumulates["mha.out_proj"] == 0
    per_layer = connections(net, (8,)).per_layer
    assert per_layer == {
        "into": (128, 128),
        "mha.in_proj_weight": (768, 768),
        "mha.out_proj": (live(net.mha.out_proj), 256),
        "out": (160, 160),
    }
    assert weights(net).per_layer == {name: (int(a), int(b)) for name, (a, b) in per_layer.items()}
    assert connections(net, (T, 1, 8)).per_layer == per_layer


@pytest.mark.supports(
    "Synapses", "nn.RNN, nn.GRU and nn.LSTM", "counted at every step, under weight_ih_l0 and weight_hh_l0"
)
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_layers_count_every_step(kind):
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.lif, self.rnn, self.out = nn.Linear(8, 6), LIF(v_threshold=0.2), kind(6, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.out(self.rnn(self.lif(self.into(x)))[0])

    net, x = Net(), torch.rand(T, N, 8) * 2
    gates = len(net.rnn.weight_ih_l0) // 4
    with torch.no_grad():
        z = net.lif(net.into(x))
        h = net.rnn(z)[0]
    counted = sops(net, x)
    assert counted.per_layer["rnn.weight_ih_l0"] == pytest.approx(float(z.sum()) * gates * 4 / N)
    assert counted.multiplies["rnn.weight_ih_l0"] == 0
    assert counted.per_layer["rnn.weight_hh_l0"] == pytest.approx(float(h[:-1].abs().sum()) * gates * 4 / N, rel=1e-6)
    assert counted.multiplies["rnn.weight_hh_l0"] == (T - 1) * 4 * 4 * gates
    assert counted.macs["rnn.weight_hh_l0"] == T * 4 * 4 * gates
    assert connections(net, (T, 1, 8)).per_layer["rnn.weight_hh_l0"] == (16 * gates, 16 * gates)
    assert set(weights(net).per_layer) == set(counted.macs) == set(connections(net, (T, 1, 8)).per_layer)


@pytest.mark.supports("Synapses", "nn.Bilinear", "counted: pairs of spikes with a live weight")
def test_a_bilinear_layer_counts_pairs_of_spikes():
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.lif = nn.Linear(8, 3), nn.Linear(8, 4), LIF(v_threshold=0.2)
            self.pair = prune_(nn.Bilinear(3, 4, 5), 0.5)

        def forward(self, x):
            return self.pair(self.lif(self.a(x)), self.lif(self.b(x)))

    net, x = Net(), torch.rand(T, N, 8) * 2
    with torch.no_grad():
        a, b = net.lif(net.a(x)), net.lif(net.b(x))
    by_loop = float(torch.einsum("tni,tnj,kij->", a, b, (net.pair.weight != 0).float())) / N
    counted = sops(net, x)
    assert counted.per_layer["pair"] == counted.accumulates["pair"] == pytest.approx(by_loop)
    assert by_loop > 0
    assert connections(net, (8,)).per_layer["pair"] == (live(net.pair), 60) == weights(net).per_layer["pair"]


class Gated(nn.Module):
    """Queries that select keys, as spiking transformers do it: spikes times spikes, without a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.lif, self.out = nn.Linear(8, 5), nn.Linear(8, 5), LIF(v_threshold=0.2), nn.Linear(5, 2)

    def forward(self, x):
        q, k = self.lif(self.q(x)), self.lif(self.k(x))
        return self.out(q @ (k.mT @ k) * (q.sum(-1, keepdim=True) > 0))


@pytest.mark.supports("Synapses", "spikes times spikes, without a weight", "counted under the path of the module")
@pytest.mark.supports(
    "MACs and ACs",
    "products of single values that are not summed up: gates and scales",
    "reported apart in `elementwise`",
)
def test_spikes_times_spikes():
    torch.manual_seed(0)
    net, x = Gated(), torch.rand(T, N, 7, 8) * 2  # 7 tokens
    with torch.no_grad():
        q, k = net.lif(net.q(x)), net.lif(net.k(x))
        both = k.mT @ k
        out = q @ both * (q.sum(-1, keepdim=True) > 0)
    counted = sops(net, x, layout="TN")
    pairs = float(both.sum()) + float((q @ (both != 0).float()).sum())
    assert counted.per_layer[""] == pytest.approx(pairs / N)
    assert counted.accumulates[""] == pytest.approx(pairs / N)  # a spike times a number adds the number
    assert counted.elementwise == {"": pytest.approx(float((out != 0).sum()) / N)}
    assert counted.per_layer["out"] == pytest.approx(2 * float(out.sum()) / N)
    assert counted.multiplies["out"] == pytest.approx(2 * float(((out != 0) & (out != 1)).sum()) / N)


@pytest.mark.supports(
    "Shapes",
    "tokens or other positions of a sample, `[T, N, L, F]` and `[N, L, F]`",
    "counted, every position with its own connections",
)
@pytest.mark.parametrize("events", [True, False])
def test_positions_of_a_sample_have_their_own_connections(events):
    torch.manual_seed(0)

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.lif, self.out = nn.Linear(8, 6), LIF(v_threshold=0.3), prune_(nn.Linear(6, 5), 0.4)
            self.behind = LIF(v_threshold=0.3)

        def forward(self, x):
            return self.behind(self.out(self.lif(self.into(x if events else x.expand(T, *x.shape)))))

    net = Tokens()
    x = torch.rand(T, N, 7, 8) * 2 if events else torch.rand(N, 7, 8) * 2
    layout, shape = ("TN", (T, 1, 7, 8)) if events else ("N", (1, 7, 8))
    assert connections(net, shape, layout=layout).per_layer == {"into": (336, 336), "out": (7 * live(net.out), 210)}
    with torch.no_grad():
        spikes = net.lif(net.into(x if events else x.expand(T, *x.shape)))
    degree = spikes @ (net.out.weight != 0).float().T
    assert sops(net, x, layout=layout).per_layer["out"] == pytest.approx(float(degree.sum()) / N)
    net.behind.mask = torch.rand(7, 5) > 0.5
    counted = sops(net, x, layout=layout)
    assert counted.per_layer["out"] == pytest.approx(float((degree * net.behind.mask).sum()) / N)
    torch.testing.assert_close(counted.per_step["out"].float(), (degree * net.behind.mask).sum((1, 2, 3)) / N)
    kept = float(((net.out.weight != 0).sum(1) * net.behind.mask).sum())
    assert connections(net, shape, layout=layout).per_layer["out"] == (kept, 210)


GRADED = {
    "an average": (nn.AvgPool1d(2), 3),
    "a sum of two branches": (lambda s: s + s.roll(1, -1), 6),
    "dropout's scale": (lambda s: s * 2, 6),
    "a sign": (lambda s: s - 2 * s.roll(1, -1), 6),
}


@pytest.mark.supports(
    "MACs and ACs",
    "averages behind a pooling, sums of branches, a scale of dropout, negative values",
    "counted by their size, and reported apart in `multiplies`",
)
@pytest.mark.parametrize("name", GRADED)
def test_values_that_are_no_spikes_are_told_apart(name):
    torch.manual_seed(0)
    change, inputs = GRADED[name]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.lif, self.out = nn.Linear(8, 6), LIF(v_threshold=0.3), nn.Linear(inputs, 5)

        def forward(self, x):
            return self.out(change(self.lif(self.into(x))))

    net, x = Net(), torch.rand(T, N, 8) * 2
    with torch.no_grad():
        values = change(net.lif(net.into(x)))
    counted = sops(net, x)
    assert counted.per_layer["out"] == pytest.approx(5 * float(values.abs().sum()) / N)
    assert counted.accumulates["out"] == 5 * float((values == 1).sum()) / N
    assert counted.multiplies["out"] == 5 * float(((values != 0) & (values != 1)).sum()) / N > 0
    assert counted.multiplies["into"] == T * 8 * 6  # pixels
    assert counted.accumulates["into"] == 0


class Spectrum(nn.Module):
    """Might be neurons, since it has no weights and is of no known type."""

    def forward(self, x):
        return torch.fft.fft(x).real


def refused(forward, match: str, count=sops) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.lif, self.out = nn.Linear(8, 6), LIF(v_threshold=0.3), nn.Linear(6, 5)
            self.w = nn.Parameter(torch.rand(6, 6))

        def forward(self, x):
            return self.out(forward(self, self.lif(self.into(x))))

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = Net()

        def forward(self, x):
            return self.block(x)

    net = Holder()
    with pytest.raises(UserError, match=match):
        count(net, torch.rand(T, N, 8) if count is sops else (8,))


@pytest.mark.supports(
    "Synapses",
    "products in a form that cannot be taken apart, such as torch.cdist",
    "refused",
    says="cannot count the synapses of 'block' (Net): it runs aten._cdist_forward",
)
@pytest.mark.supports(
    "Synapses",
    "a weight that is convolved with what passes through the network",
    "refused",
    says="cannot count the synapses of 'block' (Net): it applies what passes through the network to a weight",
)
@pytest.mark.supports(
    "Synapses",
    "connections of a module whose forward pass has both weights and neurons",
    "refused",
    says="cannot count the synapses of 'block' (Net): it has neurons in its forward pass",
)
def test_what_cannot_be_counted_is_refused_by_its_path():
    refused(lambda m, s: torch.cdist(s, m.w), r"'block' \(Net\).*_cdist_forward.*cannot be counted")
    refused(lambda m, s: torch.fft.rfft(s).real[..., :1] + s, r"'block' \(Net\).*fft")
    refused(lambda m, s: Spectrum()(s), r"'block' \(Net\).*fft")
    refused(lambda m, s: F.conv1d(m.w[None], s[0, :1, None, :1].expand(6, 6, 1))[..., :6] + s, "applies what passes")
    refused(lambda m, s: torch.sparse.mm(m.w.to_sparse(), s[0].T).T + s, "not dense")
    refused(lambda m, s: (s @ m.w > 1).float(), "neurons in its forward pass", connections)


@pytest.mark.supports(
    "Synapses",
    "masked neurons behind a weight that is in no layer of torch",
    "refused",
    says="cannot count the synapses of '2' (Own): it multiplies by 2.w, which is in no layer of torch",
)
def test_masked_neurons_behind_a_weight_that_is_in_no_layer_are_refused():
    net = between(Own(torch.rand(OUT, IN), WAYS["F.linear"]))
    net[3].mask = torch.tensor([True, False, True, True, True])
    with pytest.raises(UserError, match=r"'2' \(Own\).*2\.w.*neurons are masked"):
        sops(net, torch.rand(T, N, 8))


@pytest.mark.supports(
    "Weights", "a weight that several layers share", "counted once as a weight, and in every use as operations"
)
def test_a_shared_weight_counts_once_and_every_use_of_it_has_operations():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), LIF(v_threshold=0.2), nn.Linear(4, 4), LIF(v_threshold=0.2), nn.Linear(4, 4))
    net[4].weight = net[2].weight
    assert weights(net).per_layer == {"0": (16, 16), "2": (16, 16)}
    assert list(sops(net, torch.rand(T, N, 4) * 3).per_layer) == ["2", "4"]


@pytest.mark.supports(
    "Shapes",
    "`[N, C, L]`, `[T, N, C, L]`, `[N, C, H, W]`, `[T, N, C, H, W]` and their like",
    "accepted: the first layer of the network decides which it is",
)
@pytest.mark.supports(
    "Shapes",
    "an input that could be either",
    "refused",
    says='cannot tell whether an input of shape (2, 4, 7, 4) is [T, N, *] or [N, *]: say layout="TN" or layout="N"',
)
@pytest.mark.supports(
    "Shapes",
    "an input with too few or too many axes for the first layer",
    "refused",
    says="input must be [T, N, C, L] or [N, C, L] for a first layer Conv1d, got (5, 10)",
)
def test_the_network_decides_what_an_axis_means():
    torch.manual_seed(0)
    conv = nn.Conv1d(5, 1, 5, bias=False)
    assert sops(conv, torch.ones(10, 5, 10)).encoding_macs == 150  # 6 positions of 25 weights, static
    net = nn.Sequential(Folded(nn.Conv1d(4, 6, 5)), LIF(v_threshold=0.3), Folded(nn.Conv1d(6, 3, 3)))
    x = (torch.rand(T, N, 4, 16) < 0.3).float()
    counted = sops(net, x)
    with torch.no_grad():
        spikes = net[1](net[0](x)).flatten(0, 1)
    assert counted.total == pytest.approx(float(F.conv1d(spikes, torch.ones(3, 6, 3)).sum()) / N)
    assert counted.encoding_sops == pytest.approx(float(F.conv1d(x.flatten(0, 1), torch.ones(6, 4, 5)).sum()) / N)
    assert firing_rates(net, x) == {"1": pytest.approx(float(spikes.mean()))}
    flat = nn.Sequential(nn.Flatten(2), nn.Linear(12, 3))
    assert sops(flat, torch.ones(T, N, 3, 4)).encoding_macs == T * 36
    assert sops(nn.Sequential(nn.Flatten(1), nn.Linear(24, 3)), torch.ones(N, 2, 3, 4)).encoding_macs == 72
    tokens = nn.Linear(4, 3)
    assert sops(tokens, torch.ones(N, 7, 4), layout="N").macs == {"": 7 * 12}
    with pytest.raises(UserError, match='layout="TN"'):
        sops(tokens, torch.ones(2, N, 7, 4))
    with pytest.raises(UserError, match=r"must be \[T, N, C, L\] or \[N, C, L\] for a first layer Conv1d"):
        sops(conv, torch.ones(5, 10))
    with pytest.raises(UserError, match="unknown layout"):
        sops(conv, torch.ones(10, 5, 10), layout="NT")


def test_all_measures_take_a_network_out_of_its_wrapper():
    net = between(nn.Linear(IN, OUT))
    x = torch.rand(T, N, 8) * 2
    wrapped = nn.DataParallel(net)
    assert sops(wrapped, x).per_layer == sops(net, x).per_layer
    assert connections(wrapped, (8,)) == connections(net, (8,))
    assert firing_rates(wrapped, x) == firing_rates(net, x)
    assert weights(wrapped) == weights(net)


@pytest.mark.supports("Synapses", "kernels in buffers, which are not trained", "counted under the name of the buffer")
def test_fixed_kernels_are_counted_too():
    torch.manual_seed(0)

    class Blur(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("kernel", torch.tensor([[[0.5, 0.0, 0.5]]]))

        def forward(self, x):
            return F.conv1d(x, self.kernel)

    net = nn.Sequential(Fold(nn.Conv1d(1, 1, 1)), LIF(v_threshold=0.3), nn.Sequential(nn.Flatten(0, 0), Fold(Blur())))
    x = torch.rand(T, N, 1, 8) * 2
    with torch.no_grad():
        s = net[1](net[0](x))
    assert sops(net, x).per_layer == {"2.1.0.kernel": pytest.approx(float((s[..., :-2] + s[..., 2:]).sum()) / N)}


def test_modules_that_hide_their_products_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.ao.nn.quantized.dynamic.Linear(6, 5)
        scripted = torch.jit.script(nn.Linear(6, 5))
    with pytest.raises(UserError, match=r"'1' \(Linear\).*quantized.linear_dynamic"):
        sops(nn.Sequential(nn.Linear(8, 6), quantised), torch.rand(T, N, 8))
    for count in (
        lambda: sops(scripted, torch.rand(N, 6)),
        lambda: connections(scripted, (6,)),
        lambda: weights(scripted),
    ):
        with pytest.raises(UserError, match="Linear is scripted"):
            count()


class Branched(nn.Module):
    """A convolution of spikes, something in between, and neurons, some of them masked."""

    def __init__(self, way, channels: int) -> None:
        super().__init__()
        self.a, self.b = Fold(nn.Conv2d(1, 2, 1)), Fold(prune_(nn.Conv2d(2, channels, 3, padding=1), 0.5))
        self.one, self.two, self.way = LIF(v_threshold=0.1), LIF(v_threshold=0.1), way

    def forward(self, x):
        self.spikes = self.one(self.a(x))
        return self.two(self.way(self.b(self.spikes).flatten(0, 1)).unflatten(0, x.shape[:2]))


BEHIND = {
    "F.max_pool2d": (lambda y: F.max_pool2d(y, 2), 3),
    "F.adaptive_max_pool2d": (lambda y: F.adaptive_max_pool2d(y, 2), 3),
    "nn.AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d(2), 3),
    "max": (lambda y: y.max(-1)[0], 3),
    "amax": (lambda y: y.amax((1, 2)), 3),
    "minimum": (lambda y: torch.minimum(y[:, :2], y[:, 2:]), 4),
    "sigmoid": (torch.sigmoid, 3),
    "tanh": (torch.tanh, 3),
    "nn.ReLU": (nn.ReLU(), 3),
    "hardtanh": (lambda y: F.hardtanh(y, -50, 50), 3),
    "glu": (lambda y: F.glu(y, 1), 4),
    "a difference": (lambda y: y[:, :2] - y[:, 2:], 4),
    "a difference of neighbours": (lambda y: y - y.roll(1, -1), 3),
    "pixel_shuffle": (lambda y: F.pixel_shuffle(y, 2), 4),
    "interpolate": (lambda y: F.interpolate(y, scale_factor=2), 3),
    "channels that are moved": (lambda y: torch.cat([y[:, 2:], y[:, :2]], 1), 4),
}


@pytest.mark.supports(
    "Synapses",
    "masked neurons behind maxima, rectifiers, gates, sums and moves that are written as functions or as modules",
    "counted: an input has a synapse only where a neuron that it reaches is not masked",
)
@pytest.mark.parametrize("name", BEHIND)
def test_masked_neurons_are_seen_through_what_is_in_between(name):
    torch.manual_seed(0)
    way, channels = BEHIND[name]
    net, x = Branched(way, channels), torch.rand(T, N, 1, 4, 4) * 3
    with torch.no_grad():
        shape = net(x).shape[2:]
        net.two.mask = torch.rand(shape) > 0.6
        net.two.mask[..., 0] = False
        # Which outputs of the convolution change something that a live neuron sees: by trial, one by one.
        start = torch.rand(channels, 4, 4, dtype=torch.float64) + 1
        tried = start + torch.cat([sign * torch.eye(start.numel()).view(-1, *start.shape) for sign in (5, -5)])
        moved = (way(tried) - way(start[None])).abs() > 1e-12
        post = (moved & net.two.mask).flatten(1).any(1).view(2, *start.shape).any(0)
        layer = net.b[0]
        indicator = (layer.weight != 0).double()
        degree = F.conv2d(net.spikes.flatten(0, 1).double(), indicator, padding=1)
        alive = F.conv2d(torch.ones(1, 2, 4, 4, dtype=torch.float64), indicator, padding=1)[0]
    assert sops(net, x).per_layer["b.0"] == pytest.approx(float((degree * post).sum()) / N)
    assert connections(net, (1, 4, 4)).per_layer["b.0"][0] == float((alive * post).sum())
    assert not post.all()


@pytest.mark.supports(
    "Synapses",
    "masked neurons behind a sorting, a median or a dilated max-pooling",
    "refused",
    says="cannot tell which neurons are behind …, and some are masked",
)
@pytest.mark.parametrize("way", [lambda y: y.sort(1)[0], lambda y: F.max_pool2d(y, 2, 1, dilation=2)])
def test_masked_neurons_behind_an_order_of_values_are_refused(way):
    net = Branched(way, 3)
    net.two.mask = torch.rand(way(torch.rand(1, 3, 4, 4)).shape[1:]) > 0.5
    with pytest.raises(UserError, match=r"cannot tell which neurons are behind .*some are masked"):
        connections(net, (1, 4, 4))


@pytest.mark.supports(
    "Synapses", "weights for several heads or steps, `[B, F, K]`", "counted by the part that they act on"
)
@pytest.mark.parametrize("events", [True, False])
def test_weights_of_several_heads_act_on_their_own_part(events):
    torch.manual_seed(0)
    heads = Own(
        torch.rand(2, 3, 5), lambda m, x: torch.einsum("...hi,hio->...ho", x.unflatten(-1, (2, 3)), m.w).flatten(-2)
    )
    with torch.no_grad():
        heads.w[0, 1], heads.w[1, :, 2:] = 0, 0
    net = nn.Sequential(nn.Linear(8, IN), LIF(v_threshold=0.2) if events else nn.ReLU(), heads)
    x = torch.rand(T, N, 8) * 3 if events else torch.rand(N, 8) * 3
    with torch.no_grad():
        values = net[1](net[0](x)).unflatten(-1, (2, 3))
    by_loop = torch.einsum("...hi,hio->...", values, (heads.w != 0).float())
    counted = sops(net, x)
    assert counted.per_layer["2.w"] == pytest.approx(float(by_loop.sum()) / N)
    assert counted.macs["2.w"] == 30 * (T if events else 1)
    assert connections(net, (T, 1, 8) if events else (8,)).per_layer["2.w"] == (live_in(heads.w), 30)


def live_in(w: Tensor) -> int:
    return int((w != 0).sum())


@pytest.mark.supports("Synapses", "products that are added to something that passes (torch.addmm)", "counted")
@pytest.mark.parametrize("way", ["addmm", "out"])
def test_a_map_of_live_neurons_passes_by_a_product(way):
    def forward(m, x):
        if way == "addmm":  # with a dead weight
            return torch.stack([torch.addmm(x_t, x_t, m.w) for x_t in x])
        flat = x.flatten(0, 1)
        return torch.mm(flat, m.w + 1, out=torch.empty_like(flat)).view_as(x)

    net = nn.Sequential(nn.Linear(8, IN), LIF(v_threshold=0.2), Own(torch.zeros(IN, IN), forward), nn.Linear(IN, OUT))
    assert connections(net, (8,)).per_layer["3"][0] == IN * OUT


@pytest.mark.supports("Weights", "parameters that lie in one piece of memory", "counted under their own names")
def test_parameters_in_one_piece_of_memory_keep_their_names():
    torch.manual_seed(0)
    net, x = Attention(), torch.rand(T, N, 8) * 2
    alone, counted = connections(net, (8,)), sops(net, x)
    parameters = list(net.parameters())
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(parameters).detach(), parameters)
    assert connections(net, (8,)) == alone
    assert sops(net, x).per_layer == pytest.approx(counted.per_layer)


@pytest.mark.supports("Weights", "a weight that is a plain tensor", "counted under the path of the module")
def test_a_weight_that_is_a_plain_tensor_is_a_weight():
    torch.manual_seed(0)
    w = torch.rand(OUT, IN) * (torch.rand(OUT, IN) > 0.5)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.lif, self.out = nn.Linear(8, IN), LIF(v_threshold=0.2), nn.Linear(OUT, 2)

        def forward(self, x):
            return self.out(self.lif(self.into(x)) / 2 @ w.T)

    net, x = Net(), torch.rand(T, N, 8) * 3
    with torch.no_grad():
        by_loop = float((net.lif(net.into(x)) / 2 @ (w != 0).float().T).sum()) / N
    assert sops(net, x).per_layer[""] == pytest.approx(by_loop)
    assert connections(net, (8,)).per_layer[""] == (live_in(w), 30)


class Recurrent(nn.Linear):
    """A layer with two weights of one shape."""

    def __init__(self) -> None:
        super().__init__(IN, IN, bias=False)
        self.second = nn.Parameter(torch.rand(IN, IN))

    def forward(self, x):
        return super().forward(x) + F.linear(x, self.second)


@pytest.mark.supports(
    "Weights",
    "a layer with a second weight that it does not declare",
    "refused",
    says="cannot tell whether 2.second (Recurrent) multiplies what passes or is added to it",
)
def test_a_layer_with_two_weights_counts_both():
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(8, IN), LIF(v_threshold=0.2), Recurrent(), LIF()), torch.rand(T, N, 8) * 3
    with torch.no_grad():
        net[2].second[:, :3] = 0
        spikes = net[1](net[0](x))
    assert sops(net, x).per_layer["2"] == pytest.approx(float((spikes.sum() + spikes[..., 3:].sum()) * IN) / N)
    assert connections(net, (8,)).per_layer["2"] == (54, 72)
    with pytest.raises(UserError, match=r"2\.second \(Recurrent\) multiplies what passes or is added"):
        weights(net)
    net[3].mask = torch.arange(IN) > 2
    with pytest.raises(UserError, match="the layer 2 with 2 products, and neurons are masked"):
        connections(net, (8,))
    net[2].multiplies = ("second",)
    assert weights(net).per_layer == {"0": (48, 48), "2": (36, 36), "2.second": (18, 36)}


def test_a_layer_that_sees_all_steps_before_a_loop_counts_one_step():
    class Step(nn.Module):
        def forward(self, x):
            return (x > 0.5).float()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.fire, self.out = nn.Linear(8, IN), Step(), nn.Linear(IN, OUT)

        def forward(self, x):
            return torch.stack([self.out(self.fire(current)) for current in self.into(x)])

    expected = {"into": (48, 48), "out": (30, 30)}
    assert connections(Net(), (8,)).per_layer == connections(Net(), (T, 1, 8)).per_layer == expected


@pytest.mark.supports(
    "Shapes",
    "masked positions whose rows are not in order of steps, samples and positions",
    "refused",
    says="cannot tell which positions 'into' runs on",
)
def test_masked_positions_in_another_order_are_refused():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.lif = nn.Linear(8, 5), LIF()

        def forward(self, x):
            tokens = x.flatten(0, 1).transpose(0, 1)
            return self.lif(self.into(tokens).transpose(0, 1).unflatten(0, x.shape[:2]))

    net = Net()
    net.lif.mask = torch.tensor([[True], [False], [True], [False], [False], [True], [False]]).expand(7, 5)
    with pytest.raises(UserError, match="positions 'into' runs on: its rows are not in order of steps"):
        connections(net, (T, 1, 7, 8), layout="TN")


@pytest.mark.supports("Shapes", "inputs that are no tensor, no step, NaN and batches of no sample", "refused")
def test_what_is_no_input_is_refused():
    net, x = between(nn.Linear(IN, OUT)), torch.rand(T, N, 8)
    for kwargs, match in (
        ({"x": (x, x)}, "must be one tensor.*got tuple"),
        ({"x": x[:0]}, "holds no step"),
        ({"x": x * float("nan")}, "NaN enters layer '0'"),
        ({"x": x, "batch_size": 0}, "batch_size must be at least 1 sample"),
    ):
        with pytest.raises(UserError, match=match):
            sops(net, **kwargs)
    lazy = nn.Sequential(nn.LazyLinear(IN), LIF(), nn.Linear(IN, OUT))
    for count in (lambda: sops(lazy, x, layout="TN"), lambda: connections(lazy, (8,)), lambda: weights(lazy)):
        with pytest.raises(UserError, match=r"0\.weight is lazy"):
            count()


@pytest.mark.supports("Synapses", "measures within `torch.inference_mode()`", "counted as outside of it")
@pytest.mark.supports(
    "Synapses",
    "masked neurons behind layers that run under `torch.no_grad()`",
    "refused",
    says="cannot count the synapses of '2' (NoGrad): it runs without gradients",
)
def test_a_pass_without_gradients_counts_the_same_or_is_refused():
    class NoGrad(nn.Module):
        def __init__(self, m: nn.Module) -> None:
            super().__init__()
            self.m = m

        @torch.no_grad()
        def forward(self, x):
            return self.m(x)

    net, x = between(nn.Linear(IN, OUT)), torch.rand(T, N, 8) * 3
    net[3].mask = torch.tensor([True, False, True, False, False])
    counted, alive = sops(net, x).per_layer, connections(net, (8,))
    with torch.inference_mode():
        assert sops(net, x).per_layer == counted
        assert connections(net, (8,)) == alive
    net[2] = NoGrad(net[2])
    with pytest.raises(UserError, match=r"'2' \(NoGrad\): it runs without gradients"):
        sops(net, x)


@pytest.mark.supports("Synapses", "a first layer that runs again, on spikes", "counted: its first run alone encodes")
def test_a_first_layer_that_runs_again_is_no_encoding_layer_then():
    torch.manual_seed(0)

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.lif = prune_(nn.Linear(6, 6), 0.3), LIF(v_threshold=0.2)

        def forward(self, x):
            z = self.lif(self.a(2 * x.roll(1, 0)))
            return F.linear(self.lif(self.a(z)), self.a.weight.T)

    net, x = Tied(), torch.rand(T, N, 6)
    with torch.no_grad():
        first = net.lif(net.a(2 * x.roll(1, 0)))
        second = net.lif(net.a(first))
        live = (net.a.weight != 0).float()
    counted = sops(net, x)
    assert counted.total == pytest.approx(float((first @ live.T).sum() + (second @ live).sum()) / N)
    assert counted.encoding_sops == pytest.approx(float((2 * x @ live.T).sum()) / N)
    assert counted.encoding_macs == T * float(live.sum())
    assert counted.macs == {"a": 3 * T * 36}


def test_tensors_that_do_not_come_from_the_input_are_what_they_are():
    class Trace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.lif, self.b = nn.Linear(8, 6), LIF(v_threshold=0.2), nn.Linear(6, 5)
            self.past = [torch.ones(6)]

        def forward(self, x):
            return self.b(self.lif(self.a(x) + 0.5 * self.past[0]))

    assert connections(Trace(), (8,)).per_layer == {"a": (48, 48), "b": (30, 30)}
