"""Every method on unusual networks: what it says of a network is true of the weights that compute, or it refuses."""

from __future__ import annotations

import re
import warnings

import pytest
import torch
from measure_by_hand import Fold
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.pruning import available, create, settings
from snnbook.tracing import plain
from snnbook.training import Recipe, train

T, SIDE = 2, 8


class First(nn.Module):
    """The first of what a module puts out."""

    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, x):
        return self.m(x)[0]


class Attention(nn.Module):
    """Attention between the places of a map."""

    def __init__(self, channels):
        super().__init__()
        self.m = nn.MultiheadAttention(channels, 2, batch_first=True)

    def forward(self, x):
        tokens = x.flatten(0, 1).flatten(2).transpose(1, 2)
        return self.m(tokens, tokens, tokens)[0].transpose(1, 2).reshape(x.shape)


class Cell(nn.Module):
    """A loop over the steps around a cell that hands on its state."""

    def __init__(self, features, hidden):
        super().__init__()
        self.m = nn.GRUCell(features, hidden)

    def forward(self, x):
        state, states = None, []
        for step in x:
            state = self.m(step, state)
            states.append(state)
        return torch.stack(states)


class Pair(nn.Module):
    def __init__(self, features, out):
        super().__init__()
        self.m = nn.Bilinear(features, features, out)

    def forward(self, x):
        return self.m(x, x)


class Own(nn.Module):
    """A module of a reader's own, which says what its weights are."""

    multiplies = ("kernel",)

    def __init__(self, features, out):
        super().__init__()
        self.kernel, self.shift = nn.Parameter(torch.randn(out, features) / 4), nn.Parameter(torch.zeros(1, out))

    def forward(self, x):
        return x @ self.kernel.T + self.shift


class Twice(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.m, self.fire = m, LIF(v_threshold=0.2)

    def forward(self, x):
        return self.m(self.fire(self.m(x)))


class Volume(nn.Module):
    """A convolution over time and place."""

    def __init__(self, *m):
        super().__init__()
        self.m = nn.Sequential(*m)

    def forward(self, x):
        return self.m(x.permute(1, 2, 0, 3, 4)).permute(2, 0, 1, 3, 4)


class Unused(nn.Sequential):
    def forward(self, x):
        for m in self[:-1]:
            x = m(x)
        return x


def lif():
    return LIF(v_threshold=0.2)


def conv(a, b, stride=1, **kw):
    return Fold(nn.Conv2d(a, b, 3, stride, 1, **kw), nn.BatchNorm2d(b)), lif()


def head(features, *hidden):
    return nn.Flatten(2), *hidden, Fold(nn.Linear(features, 12), nn.BatchNorm1d(12)), lif(), nn.Linear(12, 10)


def with_middle(*middle, features=6 * 16):
    return nn.Sequential(*conv(2, 6, 2), *middle, *head(features))


def with_hidden(hidden, features=8):
    return nn.Sequential(*conv(2, 6, 2), nn.Flatten(2), hidden, lif(), *head(features)[1:])


def freeze(model, *names):
    for name in names:
        model.get_parameter(name).requires_grad_(False)
    return model


def share(model, one, other):
    model.get_submodule(other).weight = model.get_submodule(one).weight
    return model


def hooked(model):
    model[0].register_forward_hook(lambda m, args, output: output * 2)
    model[0].register_full_backward_hook(lambda m, grad_in, grad_out: None)
    model[-1].weight.register_hook(lambda grad: grad * 0.5)
    return model


def two():
    return with_middle(*conv(6, 6))


NETWORKS = {
    "plain": two,
    "first layer frozen": lambda: freeze(two(), "0.0.weight"),
    "convolution frozen": lambda: freeze(two(), "2.0.weight", "2.0.bias"),
    "linear layer frozen": lambda: freeze(two(), "5.0.weight"),
    "norm frozen": lambda: freeze(two(), "0.1.weight", "0.1.bias"),
    "shared convolution": lambda: share(with_middle(*conv(6, 6), *conv(6, 6)), "2.0", "4.0"),
    "shared linear layer": lambda: share(
        nn.Sequential(*head(128, nn.Linear(128, 128), lif(), nn.Linear(128, 128), lif())), "1", "3"
    ),
    "transposed convolution": lambda: with_middle(
        Fold(nn.ConvTranspose2d(6, 4, 2, 2, groups=2), nn.BatchNorm2d(4)), lif(), features=4 * 64
    ),
    "attention": lambda: with_middle(Attention(6), lif()),
    "LSTM": lambda: with_hidden(First(nn.LSTM(96, 8))),
    "GRU": lambda: with_hidden(First(nn.GRU(96, 8, bidirectional=True)), 16),
    "RNN": lambda: with_hidden(First(nn.RNN(96, 8, num_layers=2))),
    "GRUCell": lambda: with_hidden(Cell(96, 8)),
    "bilinear": lambda: with_hidden(Pair(96, 8)),
    "own weights": lambda: with_hidden(Own(96, 8)),
    "1-D convolutions": lambda: nn.Sequential(
        nn.Flatten(3),
        Fold(nn.Conv1d(2, 6, 3, 2), nn.BatchNorm1d(6)),
        lif(),
        Fold(nn.Conv1d(6, 4, 3, 2), nn.BatchNorm1d(4)),
        lif(),
        *head(4 * 15),
    ),
    "3-D convolutions": lambda: nn.Sequential(
        Volume(nn.Conv3d(2, 6, 3, (1, 2, 2), 1), nn.BatchNorm3d(6)),
        lif(),
        Volume(nn.Conv3d(6, 4, 3, 1, 1), nn.BatchNorm3d(4)),
        lif(),
        *head(4 * 16),
    ),
    "grouped convolution": lambda: with_middle(*conv(6, 6, groups=3)),
    "depthwise convolution": lambda: with_middle(*conv(6, 6, groups=6), *conv(6, 6)),
    "layer that runs twice": lambda: with_middle(Twice(Fold(nn.Conv2d(6, 6, 3, 1, 1))), lif()),
    "layer that never runs": lambda: Unused(*two(), nn.Linear(12, 10)),
    "last layer feeds neurons": lambda: nn.Sequential(*two(), lif()),
    "compiled": lambda: torch.compile(two(), backend="eager"),
    "hooks of others": lambda: hooked(two()),
    "float64": lambda: two().double(),
    "bfloat16": lambda: two().bfloat16(),
    "half in bfloat16": lambda: _half(two()),
    "computed weight": lambda: _normed(two()),
    "frozen attention": lambda: freeze(with_middle(Attention(6), lif()), "2.m.in_proj_weight", "2.m.out_proj.weight"),
    "frozen computed weight": lambda: freeze(
        _normed(two()), *(f"2.0.parametrizations.weight.original{i}" for i in (0, 1))
    ),
    "shared bias": lambda: _one_bias(with_middle(*conv(6, 6), *conv(6, 6))),
    "a bare layer": lambda: Bare(128, 10),
}


GROWING = {"esl_snn", "granet", "ndsnn", "rigl", "set", "deepr", "criticality"}


class Bare(nn.Linear):
    def forward(self, x):
        return super().forward(x.flatten(2))


def _one_bias(model):
    model[2][0].bias = model[4][0].bias
    model[2][1].weight = model[4][1].weight
    return model


def _half(model):
    model[2].bfloat16()
    return model


def _normed(model):
    nn.utils.parametrizations.weight_norm(model[2][0])
    return model


class Computing(TorchDispatchMode):
    """Collects which of some tensors are given to an operation, by where they lie."""

    def __init__(self, tensors):
        super().__init__()
        self.name_of = {t.data_ptr(): name for name, t in tensors.items()}
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        leaves = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        self.names |= {self.name_of[t.data_ptr()] for t in leaves if t.data_ptr() in self.name_of}
        return func(*args, **(kwargs or {}))


def samples():
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(12, T, 2, SIDE, SIDE, generator=generator) < 0.4).float()
    return torch.utils.data.TensorDataset(x, torch.arange(12) % 10)


def outcome(name, network):
    """`prunes`, or `refused: ` and why, when all that must be true in either case is."""
    torch.manual_seed(0)
    model = NETWORKS[network]()
    inner = plain(model)
    few = {"cuts": 2, "rewind": 1, "samples": 4, "updates": 2, "strength": 1e-3 if name == "unstructured" else None}
    method = create(name, **{key: value for key, value in few.items() if value and settings(name).get(key)})
    model.eval()
    before = {key: value.clone() for key, value in inner.state_dict().items()}
    still = {key for key, p in inner.named_parameters() if p.dim() > 1 and not p.requires_grad}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a network this small may be cut to its last weights
        try:
            c = train(model, samples(), Recipe(epochs=2, batch_size=6), method, torch.Generator().manual_seed(1), T)
        except UserError as err:
            refused = str(err)
        else:
            refused = ""
    if refused:
        after = inner.state_dict()
        assert after.keys() == before.keys()
        assert all(torch.equal(value, after[key]) for key, value in before.items())
        assert not any(m.training for m in inner.modules())
        assert len(refused.splitlines()) == 1
        return f"refused: {refused}"
    parameters = dict(inner.named_parameters())
    assert all(torch.equal(parameters[key], before[key]) for key in still)
    wide = {key: p for key, p in parameters.items() if p.dim() > 1 and p.requires_grad and not key.endswith("shift")}
    with torch.no_grad(), Computing(wide) as computing:
        inner.eval()(torch.ones(T, 1, 2, SIDE, SIDE))
    used = {key: wide[key] for key in computing.names}
    dead = sum(int((~c.masks[key] & (w == 0)).sum()) for key, w in used.items())
    assert c.masks.total == sum(w.numel() for w in used.values()), "a shared weight counts once, an unused one not"
    assert c.masks.total - c.masks.alive == dead
    assert (dead > 0) == (name != "dense")
    assert all(torch.isfinite(p).all() for p in parameters.values())
    zeros = sum(int((w == 0).sum()) for w in used.values())
    assert dead == zeros or name in GROWING  # what grew and no gradient has reached since
    return "prunes"


NO_LAYER = {
    "unstructured": "the cost in synaptic operations is known of",
    "slamp": "how a layer's input adds up is known",
}
NO_MAP = {"unstructured": "found no spiking neurons to mask"}
ROWS = ("criticality_structured", "greg", "nslim", "sccd")
REFUSED = {
    **dict.fromkeys(("attention", "LSTM", "GRU", "RNN", "GRUCell", "bilinear", "own weights"), NO_LAYER),
    **dict.fromkeys(("shared linear layer", "3-D convolutions"), NO_MAP),
    "a bare layer": NO_MAP | {"criticality": "no layer has neurons"} | dict.fromkeys(ROWS, "no channel can be removed"),
    "layer that never runs": dict.fromkeys(available(), r"a forward pass does not use 8\.weight"),
    "float64": dict.fromkeys(available(), r"0\.0\.weight is float64"),
    "bfloat16": dict.fromkeys(available(), r"0\.0\.weight is bfloat16"),
    "half in bfloat16": dict.fromkeys(available(), r"2\.0\.weight is bfloat16"),
    "computed weight": dict.fromkeys(available(), r"2\.0\.weight is computed from .* first torch\.nn\.utils"),
}


@pytest.mark.supports(
    "Weights",
    "shared, frozen, grouped, transposed, attention, recurrent and bilinear weights, in a training with any method",
    "pruned; where a method needs what they lack, refused before anything is changed",
)
@pytest.mark.supports("Weights", "a layer that no pass runs", "refused: a forward pass does not use 8.weight")
@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("network", NETWORKS)
def test_a_method_prunes_what_computes_or_refuses_before_anything_is_changed(network, name):
    expected = f"refused: {why}" if (why := REFUSED.get(network, {}).get(name)) else "prunes$"
    assert re.match(expected, outcome(name, network))
