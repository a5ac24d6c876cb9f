"""Which weights are pruned and which networks are refused, whatever the method."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from snnbook.errors import UserError
from snnbook.pruning import Masks, frozen, prunable
from snnbook.pruning.weights import weight_names


@pytest.mark.supports("Weights", "weights of convolutions, linear layers and attention", "pruned")
def test_prunable_are_the_weights_of_layers_and_of_attention_and_not_norms():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5), nn.MultiheadAttention(4, 2))
    assert list(prunable(net)) == ["0.weight", "2.weight", "3.in_proj_weight", "3.out_proj.weight"]


@pytest.mark.supports("Weights", "a shared weight in a training", "pruned with one mask")
def test_a_shared_weight_counts_once_and_has_one_mask():
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3), nn.Linear(3, 2))
    net[2].weight = net[0].weight
    assert list(prunable(net)) == ["0.weight", "3.weight"]
    assert Masks.ones(net).total == 15
    assert weight_names(net) == {"0": "0.weight", "2": "0.weight", "3": "3.weight"}


@pytest.mark.supports(
    "Weights",
    "a network whose weights are all frozen",
    "refused",
    says="nothing to prune: all weights are frozen (requires_grad=False): 0.weight, 1.weight, 2.weight",
)
def test_frozen_weights_are_left_out_and_named():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2))
    net[1].weight.requires_grad_(False)
    net[2].bias.requires_grad_(False)
    assert (list(prunable(net)), frozen(net)) == (["0.weight", "2.weight"], ["1.weight"])
    net.requires_grad_(False)
    with pytest.raises(UserError, match=r"all weights are frozen .*: 0\.weight, 1\.weight, 2\.weight"):
        prunable(net)


COMPUTED = {
    "remove_parametrizations": (
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        parametrizations.orthogonal,
        lambda m: nn.utils.parametrize.register_parametrization(m, "weight", nn.Tanh()) or m,
    ),
    "remove_weight_norm": (nn.utils.weight_norm,),
    "remove_spectral_norm": (nn.utils.spectral_norm,),
    "prune.remove": (lambda m: prune.l1_unstructured(m, "weight", 0.5),),
}


@pytest.mark.supports(
    "Weights",
    "pruning of weights that are computed",
    "refused",
    says="1.0.weight is computed from other parameters by …, so zeros in it would not last: first torch.nn.utils.",
)
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize(("undo", "wrap"), [(undo, wrap) for undo, wraps in COMPUTED.items() for wrap in wraps])
def test_a_computed_weight_is_refused_with_what_to_do(undo, wrap):
    net = nn.Sequential(nn.Linear(4, 4), nn.Sequential(wrap(nn.Linear(4, 4))))
    with pytest.raises(UserError, match=r"^1\.0\.weight is computed .*" + undo) as error:
        prunable(net)
    exec(str(error.value).split("first ")[1], {"torch": torch, "model": net})
    assert list(prunable(net)) == ["0.weight", "1.0.weight"]
    wrap(net[1][0]).requires_grad_(False)
    assert (list(prunable(net)), frozen(net)) == (["0.weight"], ["1.0.weight"])


def _strided(weight):
    m = nn.Linear(4, 4)
    m.weight = nn.Parameter(weight)
    return m


BASE = torch.zeros(4, 8)
REFUSED = {
    r"nothing to prune: the network has no": lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm1d(3)),
    r"0\.weight is lazy": lambda: nn.Sequential(nn.LazyLinear(4)),
    r"0\.weight is of type torch.complex64": lambda: nn.Sequential(nn.Linear(4, 4, dtype=torch.complex64)),
    r"0\.weight holds NaN": lambda: nn.Sequential(_strided(torch.full((4, 4), torch.nan))),
    r"several entries of 0\.weight are one number": lambda: nn.Sequential(_strided(torch.ones(4).expand(4, 4))),
    r"0\.weight and 1\.weight are two parameters in one piece of memory": lambda: nn.Sequential(
        _strided(BASE[:, :4]), _strided(BASE[:, 2:6])
    ),
    r"0\.weight and 1\.bias are two": lambda: nn.Sequential(*_with_a_bias_inside()),
}


def _with_a_bias_inside():
    a, b = nn.Linear(4, 4), nn.Linear(4, 4)
    b.bias = nn.Parameter(a.weight.data[1])
    return a, b


@pytest.mark.supports(
    "Weights",
    "a network without weights",
    "refused",
    says="nothing to prune: the network has no convolution, no linear layer and no other weights",
)
@pytest.mark.supports(
    "Weights",
    "lazy layers that have not run",
    "refused",
    says="0.weight is lazy and has no values yet: run the network once",
)
@pytest.mark.supports(
    "Weights", "complex and integer weights", "refused", says="0.weight is of type torch.complex64; methods prune"
)
@pytest.mark.supports("Weights", "weights with NaN", "refused", says="0.weight holds NaN")
@pytest.mark.supports(
    "Weights",
    "a weight whose entries share memory",
    "refused",
    says="several entries of 0.weight are one number in memory",
)
@pytest.mark.supports(
    "Weights",
    "two parameters in one piece of memory",
    "refused",
    says="0.weight and 1.… are two parameters in one piece of memory",
)
@pytest.mark.parametrize("message", REFUSED)
def test_networks_that_are_refused(message):
    with pytest.raises(UserError, match=message):
        prunable(REFUSED[message]())


def test_neighbours_in_one_piece_of_memory_are_pruned():
    assert len(prunable(nn.Sequential(_strided(BASE[:, :4]), _strided(BASE[:, 4:])))) == 2
