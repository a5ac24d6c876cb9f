"""A pruned network comes back from its file bit for bit, into a network that fits it, or not at all."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.prune import identity

from snnbook import measure, networks, pruning, sparse
from snnbook.errors import UserError
from snnbook.networks.convnet import Fold
from snnbook.neurons import IF, LIF
from snnbook.pruning.parts import neuron_masks
from snnbook.pruning.parts.coupling import find_channels
from snnbook.surrogates import Sigmoid, Surrogate, Tanh
from snnbook.tracing import mask_of, reset

T = 3


@pytest.fixture(autouse=True)
def seeded():
    """The same numbers in every run."""
    torch.manual_seed(3)


def _thinned(model):
    """Two thirds of the weights dead, norms off their initial values."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=rng) * (1.0 if p.dim() < 2 else p[0].numel() ** -0.5 * 3))
            if p.dim() > 1:
                p.masked_fill_(torch.rand(p.shape, generator=rng) < 2 / 3, 0.0)
        for m in model.modules():
            if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d):
                m.running_mean.copy_(torch.randn(m.running_mean.shape, generator=rng))
                m.running_var.copy_(torch.rand(m.running_var.shape, generator=rng) + 0.5)
    return model.eval()


def _mask(model, shapes):
    """Three quarters of some neurons alive."""
    rng = torch.Generator().manual_seed(5)
    masks = {name: torch.rand(shape, generator=rng) < 0.75 for name, shape in shapes.items()}
    neuron_masks.attach(model, masks)
    neuron_masks.harden(model, masks)
    return model


def _unstructured():
    model = _thinned(networks.build("cifarnet", width=0.02, in_channels=2, image_size=8, T=T, tau=1.5, v_threshold=0.7))
    return _mask(model, {"body.0": (5, 8, 8), "body.2": (5, 8, 8)}), torch.rand(T, 4, 2, 8, 8)


def _narrowed(name, **settings):
    model, x = networks.build(name, image_size=8, T=2, **settings), torch.rand(3, 3, 8, 8)
    channels = find_channels(model, x)
    _thinned(model)
    channels.alive &= torch.arange(len(channels.alive)) % 3 > 0
    channels.zero_dead(model)
    small = channels.without_dead_channels(model)
    assert sum(p.numel() for p in small.parameters()) < 0.8 * sum(p.numel() for p in model.parameters())
    return small, x


NETWORKS = {
    "unstructured": _unstructured,
    "narrowed": lambda: _narrowed("cifarnet", width=0.03, bias=True, surrogate=Sigmoid(3.0), v_reset=None),
    "narrowed residual": lambda: _narrowed("sew_resnet18", width=0.05),
    "half precision": lambda: tuple(part.bfloat16() for part in _unstructured()),
    "channels last": lambda: tuple(
        part.to(memory_format=torch.channels_last) for part in _narrowed("resnet20", width=0.1)
    ),
}


@pytest.fixture(params=NETWORKS)
def case(request):
    """A pruned network of ours and an input."""
    return NETWORKS[request.param]()


def _same_state(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert list(a) == list(b)
    return all(a[n].dtype == b[n].dtype and torch.equal(a[n], b[n]) for n in a)


@pytest.mark.supports(
    "Files",
    "a network of networks.build, masked or narrowed, in any floating type",
    "restored from the file alone, bit for bit",
)
@torch.no_grad()
def test_a_network_of_ours_is_rebuilt_from_its_file_alone(case, tmp_path):
    model, x = case
    expected = model(x)
    assert expected.std() > 0
    pruning.save(model, tmp_path / "pruned.pt")
    drawn = torch.get_rng_state()
    loaded = pruning.load(tmp_path / "pruned.pt")
    assert torch.equal(torch.get_rng_state(), drawn)
    assert torch.equal(loaded(x), expected)
    assert _same_state(loaded, model)
    assert str(loaded) == str(model)  # sizes, constants of neurons, surrogates
    if x.dtype == torch.float32:
        assert torch.equal(sparse.compile(loaded, x)(x), sparse.compile(model, x)(x))
        assert measure.connections(loaded, x.shape) == measure.connections(model, x.shape)


@pytest.mark.supports("Files", "a file in a process that has no records", "restored")
def test_a_fresh_process_opens_it(tmp_path):
    model, x = _unstructured()
    pruning.save(model, tmp_path / "pruned.pt")
    torch.save((x, model(x)), tmp_path / "logits.pt")
    code = """
import sys, torch
from snnbook import pruning
x, expected = torch.load(sys.argv[1] + "/logits.pt")
assert torch.equal(pruning.load(sys.argv[1] + "/pruned.pt")(x), expected)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


@torch.no_grad()
def test_a_network_changed_after_it_was_built_is_not_rebuilt_as_it_was(tmp_path):
    model, x = _unstructured()
    model.T = 2  # a method may shorten the sequences
    pruning.save(model, tmp_path / "short.pt")
    assert pruning.load(tmp_path / "short.pt")(x[0]).shape[0] == 2
    changed = deepcopy(model)
    changed.body[5] = Fold(nn.AvgPool2d(2))
    pruning.save(changed, tmp_path / "changed.pt")
    with pytest.raises(UserError, match=r"^body\.5\.0 is AvgPool2d in .*, and MaxPool2d in the network"):
        pruning.load(tmp_path / "changed.pt")
    fresh = deepcopy(changed)
    for p in fresh.parameters():
        p.zero_()
    assert torch.equal(pruning.load(tmp_path / "changed.pt", fresh)(x), changed(x))


FIVE_LINES = """
import torch
from torch import nn
file = torch.load("pruned.pt", weights_only=True)
net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
net.load_state_dict(file["weights"])
"""


@pytest.mark.supports(
    "Files",
    "weights, masks and constants, for a reader without snnbook",
    "accepted by torch.load(path, weights_only=True)",
)
def test_five_lines_of_plain_torch_read_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = _thinned(nn.Sequential(nn.Linear(4, 5), LIF(), nn.Linear(5, 3)))
    model[1].mask = torch.tensor([True, False, True, True, False])
    pruning.save(model, "pruned.pt")
    assert FIVE_LINES.strip().splitlines() == [line.strip() for line in pruning.saving.__doc__.splitlines()[-5:]]
    names = {}
    exec(FIVE_LINES, names)
    assert torch.equal(names["net"][2].weight, model[2].weight)
    file = names["file"]
    assert torch.equal(file["weight_masks"]["0.weight"], model[0].weight != 0)
    assert torch.equal(file["neuron_masks"]["1"], model[1].mask)
    surrogate = {"name": "atan", "alpha": 2.0}
    constants = {"tau": 2.0, "v_threshold": 1.0, "v_reset": 0.0, "decay_input": True, "detach_reset": True}
    assert file["neurons"] == {"1": {**constants, "surrogate": surrogate}}
    assert (file["format"], file["version"], file["network"]) == ("snnbook.pruning", 1, None)


def _sequence(hidden=5, fire=LIF, norm=nn.BatchNorm1d, bias=True):
    layers = nn.Linear(4, hidden), nn.Linear(hidden, 3, bias)
    return nn.Sequential(Fold(layers[0], norm(hidden)), fire(), Fold(layers[1]), IF())


@pytest.mark.supports("Files", "a network of your own, narrowed", "restored into a fresh one that you give")
def test_a_readers_own_network_is_filled_and_narrowed(tmp_path):
    model = _thinned(_sequence(3, lambda: LIF(3.0, 0.6, None, False, False, Tanh())))
    model[1].mask = torch.tensor([True, True, False])
    pruning.save(model.double(), tmp_path / "own.pt")
    fresh, x = _sequence(5), 3 * torch.randn(20, 8, 4, dtype=torch.float64)
    parameters = [*fresh.parameters()]
    fresh[3].mask = torch.tensor([False])  # the one that was saved has none there
    assert pruning.load(tmp_path / "own.pt", torch.compile(fresh, backend="eager"))._orig_mod is fresh
    assert torch.equal(fresh(x), model(x))
    assert 0 < model(x).mean() < 1
    assert _same_state(fresh, model)
    assert str(fresh) == str(model)
    assert all(a is b for a, b in zip(fresh.parameters(), parameters, strict=True))  # an optimiser may hold them
    assert not fresh.training


def _spikingjelly():
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import functional, layer, neuron

    net = nn.Sequential(
        *(layer.Conv2d(2, 6, 3, 2, bias=False), layer.BatchNorm2d(6), neuron.LIFNode(v_threshold=0.5)),
        *(layer.Flatten(), layer.Linear(6 * 9, 10), neuron.ParametricLIFNode()),
    )
    functional.set_step_mode(net, "m")
    return net


class _Steps(nn.Module):
    """A reader's own loop over steps, around neurons of snnTorch that keep a state."""

    def __init__(self, beta=0.5, mechanism="zero"):
        super().__init__()
        snn = pytest.importorskip("snntorch")
        self.fc1, self.one = nn.Linear(4, 6), snn.Leaky(beta=beta, init_hidden=True, reset_mechanism=mechanism)
        self.fc2, self.two, self.runs = nn.Linear(6, 10), snn.Leaky(beta=beta, output=True), 0

    def forward(self, x):
        v, out, self.runs = self.two.reset_mem(), [], self.runs + 1
        for frame in x:
            s, v = self.two(self.fc2(self.one(self.fc1(frame))), v)
            out.append(s)
        return torch.stack(out)


OTHERS = {
    "spikingjelly": (_spikingjelly, {"2": (6, 3, 3)}, (T, 4, 2, 8, 8)),
    "snntorch": (_Steps, {"one": (6,)}, (T, 5, 4)),
}


@pytest.mark.supports("Files", "masks on neurons of SpikingJelly and snnTorch", "restored")
@pytest.mark.parametrize("name", OTHERS)
@torch.no_grad()
def test_other_libraries_neurons_keep_their_masks(name, tmp_path):
    build, shapes, shape = OTHERS[name]
    model, x = _mask(_thinned(build()), shapes), 3 * torch.rand(shape)
    expected = model(x)
    assert expected.std() > 0
    pruning.save(model, tmp_path / "other.pt")
    for fresh in (build(), _mask(build(), dict.fromkeys(shapes, (2,)))):
        pruning.load(tmp_path / "other.pt", fresh)
        assert torch.equal(fresh(x), expected)
        reset(fresh)
        assert torch.equal(deepcopy(fresh)(x), expected)
    pruning.save(_thinned(build()), tmp_path / "whole.pt")
    pruning.load(tmp_path / "whole.pt", fresh)
    assert all(mask is None or mask.all() for mask in map(mask_of, fresh.modules()))


def test_masks_may_keep_a_weight_alive_that_is_zero(tmp_path):
    model = _thinned(nn.Sequential(nn.Linear(4, 3)))
    alive = model[0].weight != 0
    pruning.save(model, tmp_path / "a.pt", {"0.weight": torch.ones(3, 4, dtype=torch.bool)})
    assert torch.load(tmp_path / "a.pt", weights_only=True)["weight_masks"]["0.weight"].all()
    for mask, why in ((alive[:2], r"is \[2, 4\], and the weight \[3, 4\]"), (alive & False, "values other than 0")):
        with pytest.raises(UserError, match=why):
            pruning.save(model, tmp_path / "b.pt", {"0.weight": mask})
    with pytest.raises(UserError, match=r"unknown weight '1\.weight'"):
        pruning.save(model, tmp_path / "b.pt", {"1.weight": alive})
    assert not (tmp_path / "b.pt").exists()


class _Custom(Surrogate):
    pass


def _with_hook(net):
    net.register_forward_hook(lambda *args: None)
    return net


REFUSED = {
    "a parametrisation": (
        lambda: nn.Sequential(weight_norm(nn.Linear(2, 2))),
        r"^0\.weight is computed .*remove_parametrizations\(",
    ),
    "torch's own pruning": (
        lambda: nn.Sequential(identity(nn.Linear(2, 2), "bias")),
        r"^0\.bias is computed .*prune\.remove\(",
    ),
    "a spectral norm": (
        lambda: nn.Sequential(spectral_norm(nn.Linear(2, 2))),
        r"^0\.weight is computed .*remove_spectral_norm\(",
    ),
    "a lazy layer": (lambda: nn.Sequential(nn.LazyLinear(2)), r"^0\.weight is lazy"),
    "no values": (lambda: nn.Linear(2, 2, device="meta"), "^weight is on the meta device"),
    "a hook": (lambda: nn.Sequential(_with_hook(nn.Linear(2, 2))), "^0 has forward hooks"),
    "a tensor of thresholds": (lambda: nn.Sequential(LIF(2.0, torch.ones(2))), "^v_threshold of 0 is tensor"),
    "a surrogate": (lambda: nn.Sequential(LIF(surrogate=_Custom())), "surrogate of 0 is none of atan"),
}


@pytest.mark.supports(
    "Files",
    "a weight that is computed from others",
    "refused",
    says="0.… is computed from other values, and a file holds plain weights",
)
@pytest.mark.supports(
    "Files", "weights without values: lazy or on the device meta", "refused", says="…weight is … and has no values"
)
@pytest.mark.supports(
    "Files", "forward hooks of your own", "refused", says="0 has forward hooks, which a file cannot hold"
)
@pytest.mark.supports("Files", "a surrogate of your own", "refused", says="the surrogate of 0 is none of atan")
@pytest.mark.supports("Files", "a threshold that is a tensor", "refused", says="v_threshold of 0 is tensor(")
@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_what_a_file_cannot_hold_is_refused(what, tmp_path):
    build, why = REFUSED[what]
    with pytest.raises(UserError, match=why):
        pruning.save(build(), tmp_path / "no.pt")
    assert [*tmp_path.iterdir()] == []


MISFITS = {
    "too narrow": (lambda: _sequence(2), r"^0\.0\.weight is \[3, 4\] in .*, to which the network's \[2, 4\] cannot"),
    "no norm": (lambda: _sequence(norm=lambda n: nn.Identity()), r"^0\.1 is BatchNorm1d in .*, and Identity in the"),
    "another epsilon": (lambda: _sequence(norm=lambda n: nn.BatchNorm1d(n, 1e-3)), r"eps of 0\.1 .* 1e-05 .* 0\.001"),
    "no neurons": (lambda: _sequence(fire=nn.ReLU), "^1 is LIF in .*, and ReLU in the network"),
    "more modules": (lambda: _sequence().append(nn.Flatten(2)), "^4 is nothing in .*, and Flatten"),
    "fewer modules": (lambda: _sequence()[:3], "^3 is LIF in .*, and nothing in the network"),
    "no bias": (lambda: _sequence(bias=False), r"own\.pt has 2\.0\.bias, and the network has not"),
    "a parametrisation": (lambda: weight_norm(nn.Linear(4, 3)), "^weight is computed"),
}


@pytest.mark.supports(
    "Files",
    "a network of other sizes",
    "refused",
    says="0.0.weight is [3, 4] in …own.pt, to which the network's [2, 4] cannot be narrowed",
)
@pytest.mark.supports("Files", "a network of other modules", "refused", says="… in …own.pt, and … in the network")
@pytest.mark.supports(
    "Files", "a network that lacks a parameter", "refused", says="…own.pt has 2.0.bias, and the network has not"
)
@pytest.mark.supports(
    "Files", "a network whose weights are computed", "refused", says="weight is computed from other values"
)
@pytest.mark.parametrize("what", MISFITS)
def test_a_network_that_does_not_fit_is_refused_and_left_alone(what, tmp_path):
    build, why = MISFITS[what]
    pruning.save(_thinned(_sequence(3)), tmp_path / "own.pt")
    fresh = build()
    before, text = {n: v.clone() for n, v in fresh.state_dict().items()}, str(fresh)
    with pytest.raises(UserError, match=why) as refused:
        pruning.load(tmp_path / "own.pt", fresh)
    assert "\n" not in str(refused.value)
    assert str(fresh) == text
    assert all(torch.equal(v, before[n]) for n, v in fresh.state_dict().items())


def test_a_sparse_weight_is_refused(tmp_path):
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(layer.weight.detach().to_sparse())
    with pytest.raises(UserError, match=r"^weight is sparse, and a file holds dense weights"):
        pruning.save(layer, tmp_path / "no.pt")


def test_a_file_may_have_any_name_and_its_content_does_not_depend_on_it(tmp_path):
    files = [tmp_path / name for name in ("pruned", "pruned.pt", "a pruned network")]
    model = _sequence(3)
    for file in files:
        pruning.save(model, file)
        assert _same_state(pruning.load(file, _sequence(3)), model)
    assert len({file.read_bytes() for file in files}) == 1


def test_groups_and_shared_weights_are_no_silent_misfit(tmp_path):
    pruning.save(nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)), tmp_path / "groups.pt")
    with pytest.raises(UserError, match="cannot be narrowed"):
        pruning.load(tmp_path / "groups.pt", nn.Sequential(nn.Conv2d(8, 8, 3, groups=2)))
    model, tied = (nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)) for _ in range(2))
    tied[1].weight = tied[0].weight
    pruning.save(model, tmp_path / "apart.pt")
    with pytest.raises(UserError, match=r"one weight as 0\.weight and 1\.weight"):
        pruning.load(tmp_path / "apart.pt", tied)
    pruning.save(tied, tmp_path / "tied.pt")
    fresh = deepcopy(tied)
    nn.init.zeros_(fresh[0].weight)
    pruning.load(tmp_path / "tied.pt", fresh.half())
    assert fresh[0].weight is fresh[1].weight
    assert torch.equal(fresh[1].weight, tied[0].weight)


def test_settings_of_other_libraries_neurons_must_be_the_same(tmp_path):
    pruning.save(_Steps(), tmp_path / "steps.pt")
    with pytest.raises(UserError, match=r"reset_mechanism of one .* is 'zero' in .*, and 'subtract' in the network"):
        pruning.load(tmp_path / "steps.pt", _Steps(mechanism="subtract"))


@pytest.mark.supports(
    "Files", "a file that is cut short", "refused", says="…file.pt cannot be read as a pruned network"
)
@pytest.mark.supports("Files", "a file with a changed byte", "refused", says="…file.pt is damaged")
@pytest.mark.supports(
    "Files",
    "a file with code in it",
    "refused",
    says="…file.pt holds other things than tensors and plain values, and is not opened",
)
@pytest.mark.supports(
    "Files",
    "a state_dict",
    "refused",
    says="…file.pt is no file of pruning.save; a state_dict goes into model.load_state_dict",
)
@pytest.mark.supports("Files", "a file of a newer format", "refused", says="…file.pt was written by a newer snnbook")
def test_files_that_are_none_are_refused(tmp_path):
    model, path = _sequence(3), tmp_path / "file.pt"
    pruning.save(model, path)
    whole = path.read_bytes()

    def refused(why, content):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        with pytest.raises(UserError, match=why) as error:
            pruning.load(path, deepcopy(model))
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)

    file = torch.load(path, weights_only=True)
    at = whole.index(model[0][0].weight.detach().numpy().tobytes())
    refused("cannot be read", whole[: len(whole) // 2])
    refused("cannot be read", b"")
    refused("is damaged: .* does not hold what was written", whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    folder = whole.index(b"PK\1\2", at) + 38  # the attributes in the next entry of the archive's table
    refused("is damaged: .* does not hold", whole[:folder] + b"\x10" + whole[folder + 1 :])
    refused("other things than tensors and plain values", model)
    refused("no file of pruning.save", model.state_dict())
    refused("newer snnbook", file | {"version": 2})
    refused("in the place of a tensor", file | {"weights": {"0.0.weight": 1.0}})
    refused("cannot be read", {name: value for name, value in file.items() if name != "modules"})
    refused("tau must be at least 1", file | {"neurons": {"1": file["neurons"]["1"] | {"tau": 0.0}}})
    path.write_bytes(whole)
    with pytest.raises(UserError, match="does not say how its network is built"):
        pruning.load(path)
    with pytest.raises(UserError, match="does not exist"):
        pruning.load(tmp_path / "none.pt")
