"""What every method promises, whatever its algorithm: masks that hold, exact counts, the same result again."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import nn

from snnbook import datasets, networks, pruning
from snnbook.errors import UserError
from snnbook.pruning import Masks, available, create, prunable, registry, settings
from snnbook.training import Recipe, train

METHODS = [name for name in available() if name != "dense"]
IN_ROUNDS = [name for name in METHODS if "cuts" in settings(name)]
WITH_SPARSITY = [name for name in METHODS if "sparsity" in settings(name)]
NEEDS_NEURONS = {name for name, entry in registry.METHODS.items() if {"neurons", "potentials"} & {*entry.needs}}
EPOCHS = 4


def few(name):
    """Settings with which a method works within a few steps of static images; the rest are its defaults."""
    return {key: value for key, value in {"cuts": 2, "rewind": 1, "temporal": False}.items() if settings(name).get(key)}


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits-clutter", "train").head(40)


def network():
    torch.manual_seed(1)
    plan = {"convolutions": (6, "M", 6), "hidden": (8,), "vote": 0, "norm_hidden": True, "gain": 2.0}
    return networks.build("cifarnet", 10, 1, 12, T=2, **plan)


def run(name, data, model=None, optimizer="adam", progress=lambda samples: None, checkpoint=None, **changes):
    """A training of four epochs of four steps, and the network that was given to it."""
    torch.manual_seed(2)
    model = network() if model is None else model
    recipe = Recipe(epochs=EPOCHS, batch_size=10, lr=1e-2, optimizer=optimizer, weight_decay=1e-2)
    method = create(name, **(few(name) | changes))
    generator = torch.Generator().manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a network this small may be cut to its last weights
        context = train(model, data, recipe, method, generator, 2, progress, checkpoint, every=0.0)
    return context, model


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("name", METHODS)
def test_the_mask_is_in_the_weights_after_every_step(name, optimizer, data, monkeypatch):
    # With momentum and weight decay: both move weights whose gradient is zero.
    seen, steps = [], [0]
    original = pruning.Context.set_masks

    def planned(self, masks, *args, **kw):
        original(self, masks, *args, **kw)
        seen[:] = [(self, {n: m.clone() for n, m in self.masks.items()})]

    monkeypatch.setattr(pruning.Context, "set_masks", planned)

    def check(samples):
        steps[0] += 1
        for context, last in seen:
            for weight, p in context.weights.items():
                assert torch.equal(context.masks[weight], last[weight]), "masks change through set_masks alone"
                assert (p[~last[weight]] == 0).all(), weight
                assert torch.isfinite(p).all(), weight

    context, model = run(name, data, optimizer=optimizer, progress=check)
    assert steps[0] >= EPOCHS * 4 / 2
    assert seen, "the method never planned a mask"
    assert all(mask.any() for mask in context.masks.values()), "no layer is emptied"
    for weight, p in prunable(model).items():
        assert (p[~context.masks[weight]] == 0).all(), weight
    assert context.masks.alive == sum(int(m.sum()) for m in context.masks.values())


@pytest.mark.parametrize("name", WITH_SPARSITY)
@pytest.mark.parametrize("sparsity", [0.5, 0.9])
def test_the_final_count_is_exact(name, sparsity, data):
    context, _ = run(name, data, sparsity=sparsity)
    # Every round takes a rounded share of what is left.
    off = 1 if name in IN_ROUNDS else 0
    assert context.masks.alive == pytest.approx(round((1 - sparsity) * context.masks.total), abs=off)


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_weights(name, data):
    (a, one), (b, two) = run(name, data), run(name, data)
    assert all(torch.equal(a.masks[n], b.masks[n]) for n in a.masks)
    assert all(torch.equal(v, two.state_dict()[n]) for n, v in one.state_dict().items())
    assert a.log == b.log


class Stop(Exception):
    pass


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("name", ["dense", *METHODS])
def test_a_resumed_training_equals_an_uninterrupted_one(name, epoch, data, tmp_path):
    whole, model = run(name, data)
    file, samples = tmp_path / "state", [0]

    def stop(n):
        samples[0] += n
        if samples[0] > len(data) * epoch + 15:  # within the epoch after the checkpoint
            raise Stop

    with pytest.raises(Stop):
        run(name, data, progress=stop, checkpoint=file)
    assert file.exists()
    resumed, other = run(name, data, checkpoint=file)
    assert resumed.log == whole.log
    assert all(torch.equal(resumed.masks[n], whole.masks[n]) for n in whole.masks)
    assert all(torch.equal(v, other.state_dict()[n]) for n, v in model.state_dict().items())
    finished, expected = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(v, finished[n]) for n, v in expected.items())


def test_a_checkpoint_of_another_training_is_refused(data, tmp_path):
    run("lamp", data, checkpoint=tmp_path / "state")
    with pytest.raises(UserError, match="another training"):
        run("lamp", data.head(20), checkpoint=tmp_path / "state")
    (tmp_path / "state").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="remove it"):
        run("lamp", data, checkpoint=tmp_path / "state")


class Plain(nn.Module):
    """A network without a line of snnbook: rectifiers, its own names, batch and time folded its own way."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.features = nn.Sequential(nn.Conv2d(1, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten())
        self.classifier = nn.Linear(6 * 25, 10)

    def forward(self, x):
        return torch.stack([self.classifier(self.features(x)) for _ in range(2)])


@pytest.mark.parametrize("name", METHODS)
def test_any_module_can_be_pruned(name, data):
    if name in NEEDS_NEURONS:
        with pytest.raises(UserError, match=r"neuron|LIF|potential|spike"):
            run(name, data, Plain())
        return
    context, model = run(name, data, Plain())
    assert 0 < context.masks.alive < context.masks.total
    assert all((p[~context.masks[n]] == 0).all() for n, p in prunable(model).items())


@pytest.mark.parametrize("name", METHODS)
def test_networks_that_cannot_be_pruned_are_refused(name, data):
    broken = network()
    with torch.no_grad():
        next(iter(prunable(broken).values())).view(-1)[0] = math.nan
    with pytest.raises(UserError, match="NaN"):
        run(name, data, broken)
    with pytest.raises(UserError, match="nothing to prune"):
        run(name, data, nn.Sequential(nn.Flatten(), nn.BatchNorm1d(144)))
    lazy = Plain()
    lazy.classifier = nn.LazyLinear(10)
    with pytest.raises(UserError, match="lazy"):
        run(name, data, lazy)


@pytest.mark.parametrize("name", WITH_SPARSITY)
@pytest.mark.parametrize("sparsity", [1.0, -0.1, math.nan, "half"])
def test_sparsities_out_of_range_are_refused(name, sparsity):
    with pytest.raises(UserError):
        create(name, sparsity=sparsity)


def test_a_layer_that_would_be_emptied_keeps_its_largest_weight():
    # Magnitudes 1, 2 in the first layer and 3..6 in the second: the largest third lies in the second alone.
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 4, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -2.0]]))
        model[1].weight.copy_(torch.tensor([[3.0], [4.0], [5.0], [6.0]]))
    c = pruning.Context(model, Masks.ones(model), torch.Generator(), steps=1)
    with pytest.warns(UserWarning, match=r"empty 0\.weight"):
        create("magnitude", sparsity=2 / 3, updates=1, span=1.0).after_step(c)
    assert c.masks["0.weight"].tolist() == [[False, True]]
    assert c.masks["1.weight"].flatten().tolist() == [False, False, True, True]
    assert c.log["rescued"] == ["0.weight"]


@pytest.mark.parametrize("name", [name for name in METHODS if registry.METHODS[name].family == "structured"])
def test_a_structured_method_leaves_a_smaller_network_with_the_same_answers(name, data):
    context, model = run(name, data)
    small = context.model
    assert small is not model
    parameters = sum(p.numel() for p in prunable(small).values())
    assert parameters == context.masks.alive < context.masks.total
    x = data.x
    with torch.no_grad():
        torch.testing.assert_close(small.eval()(x), model.eval()(x), rtol=1e-5, atol=1e-5)


def test_a_decision_step_needs_sequences(data):
    with pytest.raises(UserError, match="is static: temporal=false prunes weights only"):
        run("stp", data, temporal=True)
