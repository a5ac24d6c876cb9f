"""Paper C's Algorithm 1: what is cut, what comes back, and that the count is right at every update."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snnbook import datasets, networks
from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.pruning import Context, Masks, create
from snnbook.pruning.methods import criticality
from snnbook.pruning.parts.criticality_score import Criticality, best, control, of_weights
from snnbook.surrogates import SURROGATES
from snnbook.training import Recipe, train


def _net(first, last, threshold=1.0, bias=None):
    """Two layers with neurons between them that have no memory: their potential is their input."""
    model = nn.Sequential(
        nn.Linear(len(first[0]), len(first), bias=bias is not None),
        LIF(tau=1.0, v_threshold=threshold),
        nn.Linear(len(last[0]), len(last), bias=False),
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(first))
        model[2].weight.copy_(torch.tensor(last))
        if bias is not None:
            model[0].bias.copy_(torch.tensor(bias))
    return model


def _context(model, x, steps=1):
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), steps=steps)
    c.samples = lambda n: (x[:, :n], None)
    return c


def _step(method, c, x):
    """One step of the loop, without the optimiser's."""
    with method.during_forward(c):
        y = c.model(x)
    y.sum().backward()
    method.after_step(c)
    c.step += 1


FIRST, LAST = [[0.95, 0.02], [0.20, 0.10], [1.90, 0.03]], [[0.60, 0.05, 0.70]]


@pytest.mark.parametrize(
    ("criterion", "back"),
    [("criticality", (0, 1)), ("inverted", (2, 1)), ("released", (2, 1)), ("gradient", (1, 1)), ("granet", None)],
)
def test_by_hand(criterion, back):
    # Nine weights, a third goes: 1.90 .95 .70 .60 .20 .10 stay, .05 .03 .02 go. Of the four that stay in the first
    # layer a quarter, the .10, is cut too, and one weight of that layer comes back. The inputs are 1, so the potentials
    # are .97, .30, 1.93. Criticality: .97 is nearest to the threshold, and its dead weight is the .02; "inverted": 1.93
    # is farthest, the .03. "released": the largest potential, so the .03. Gradient: set below to 5 where the .10 was,
    # and it returns. "granet": at the last step of the training nothing is exchanged.
    x = torch.ones(2, 3, 2)
    model = _net(FIRST, LAST)
    c = _context(model, x)
    changes = {"updates": 1, "span": 1.0, "keep": True}
    method = create("criticality", sparsity=1 / 3, regeneration=0.25, criterion=criterion, **changes)
    method.start(c)
    with method.during_forward(c):
        y = model(x)
    y.sum().backward()
    model[0].weight.grad.fill_(1.0)[1, 1] = -5.0
    method.after_step(c)
    stay = torch.tensor([[True, False], [True, False], [True, False]])
    stay[back or (1, 1)] = True
    assert torch.equal(c.masks["0.weight"], stay)
    assert torch.equal(model[0].weight, torch.tensor(FIRST) * stay), "cut and back at once: with its value"
    assert c.masks["2.weight"].tolist() == [[True, False, True]]
    assert c.masks.alive == 6
    assert method.probe is None
    assert not model[1].keep_potential


def test_matched_regeneration_draws_as_many_in_each_layer_as_criticality_chooses():
    """Criticality brings back two weights of the first layer's critical neuron, and none of the second layer's."""
    first, second = torch.tensor([[0.9, 0.2, 0.1], [0.8, 0.7, 0.0]]), torch.tensor([[0.6, 0.5], [0.05, 0.04]])
    scores = {"a": torch.tensor([[2.0] * 3, [1.0] * 3]), "b": torch.tensor([[0.5, 0.5]] * 2)}
    among = {"a": first < 0.75, "b": second < 0.1}
    drawn = set()
    for seed in range(60):
        c = _context(_net(FIRST, LAST), torch.ones(2, 3, 2))
        c.generator.manual_seed(seed)
        back = control(c, "matched", scores, {"a": first, "b": second}, among, 2)
        assert [int(back[n].sum()) for n in back] == [2, 0]
        assert not (back["a"] & ~among["a"]).any()
        drawn.add(tuple(back["a"].flatten().tolist()))
    assert len(drawn) == 6, "each pair of the four"


def test_the_derivative_is_that_of_the_networks_surrogate():
    u = torch.tensor([0.4, -0.6])
    for name, surrogate in SURROGATES.items():
        neurons = nn.Sequential(LIF(tau=1.0, surrogate=name))
        with Criticality(neurons) as probe:
            neurons((u + 1).expand(3, 1, 2))
        torch.testing.assert_close(probe.scores()["0"], surrogate().derivative(u))


def test_random_regeneration_is_of_the_generator():
    found = set()
    for seed in range(12):
        x, model = torch.ones(2, 3, 2), _net(FIRST, LAST)
        c = _context(model, x)
        c.generator.manual_seed(seed)
        method = create("criticality", sparsity=1 / 3, regeneration=0.25, criterion="random", updates=1, span=1.0)
        method.start(c)
        _step(method, c, x)
        assert c.masks.alive == 6
        found.add(tuple(c.masks["0.weight"].flatten().tolist()))
    assert len(found) == 3, "each of the three dead ones"


def test_a_weight_that_was_dead_before_returns_at_zero_with_a_fresh_mean_and_one_just_cut_as_it_was():
    x = torch.ones(2, 1, 2)
    model = _net(FIRST, LAST)
    c = _context(model, x, steps=2)
    c.optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    method = create("criticality", sparsity=1 / 3, regeneration=0.5, updates=2, span=1.0, keep=True)
    method.start(c)
    model(x).sum().backward()
    c.optimizer.step()
    c.set_masks({"0.weight": torch.tensor([[1, 1], [1, 0], [1, 0]]).bool(), "2.weight": torch.ones(1, 3).bool()})
    moment = c.optimizer.state[model[0].weight]["exp_avg"]
    moment.fill_(7.0)
    c.step = 1
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.3, 0.2], [0.99, 0.0], [1.9, 0.0]]))
    # Seven alive, six due: .05 goes. The first layer has four: two, .3 and .2, are cut, and two of its dead ones come
    # back: the second neuron's (potential .99) and of the first's (.5) the larger, .3.
    _step(method, c, x)
    assert torch.equal(model[0].weight, torch.tensor([[0.3, 0.0], [0.99, 0.0], [1.9, 0.0]]))
    assert torch.equal(c.masks["0.weight"], torch.tensor([[True, False], [True, True], [True, False]]))
    assert torch.equal(moment, torch.tensor([[7.0, 7.0], [7.0, 0.0], [7.0, 7.0]]))


def test_without_keep_all_that_return_start_at_zero():
    x, model = torch.ones(2, 3, 2), _net(FIRST, LAST)
    c = _context(model, x)
    method = create("criticality", sparsity=1 / 3, regeneration=0.25, updates=1, span=1.0)
    method.start(c)
    _step(method, c, x)
    assert c.masks["0.weight"][0, 1]
    assert model[0].weight[0, 1] == 0
    assert c.masks.alive == 6


def test_the_authors_code_brings_the_same_weights_back():
    # Masking.pruning of the authors' core.py, run on this network: twelve neurons with one weight each, so no ties. It
    # leaves 0, 1, 2, 4, 5, 8 of the first layer, and of the second what is left here but for the .40, the smallest
    # that should stay, which its strict threshold drops.
    first = [0.62, 0.11, 0.95, 0.34, 0.27, 0.81, 0.08, 0.45, 0.73, 0.19, 0.50, 0.03]
    last = [0.91, 0.06, 0.14, 0.77, 0.22, 0.68, 0.31, 0.40, 0.01, 0.53, 0.17, 0.84]
    bias = [0.0, 0.5, 0.0, 0.1, 0.9, 0.0, 0.3, 0.0, -0.2, 0.2, -0.4, 0.6]
    x, model = torch.tensor([[[3.0]], [[1.0]]]), _net([[w] for w in first], [last], 0.5, bias)
    c = _context(model, x)
    method = create(
        "criticality", sparsity=0.5, regeneration=0.4, updates=1, span=1.0, criterion="released", keep=False
    )
    method.start(c)
    _step(method, c, x)
    assert c.masks["0.weight"].flatten().nonzero().flatten().tolist() == [0, 1, 2, 4, 5, 8]
    assert c.masks["2.weight"].flatten().nonzero().flatten().tolist() == [0, 3, 5, 7, 9, 11]
    assert (model[0].weight[[1, 4]] == 0).all(), "those two came back"


def test_of_equal_scores_the_largest_weight_returns_first():
    # Neurons 0 and 1 score 2 and 1. Neuron 0 has three dead weights, and the largest of them, .5 and -.4, come first;
    # all three before any of neuron 1's.
    scores = of_weights({"lif": torch.tensor([2.0, 1.0])}, {"w": "lif"}, {"w": torch.zeros(2, 2, 2)})
    weights = {"w": torch.tensor([[[0.1, 0.5], [-0.4, 0.0]], [[9.0, 0.0], [0.0, 8.0]]])}
    among = {"w": torch.tensor([[[True, True], [True, False]], [[True, False], [False, True]]])}
    order = [(0, 0, 1), (0, 1, 0), (0, 0, 0), (1, 0, 0), (1, 1, 1)]
    for n in range(1, 6):
        chosen = best(scores, weights, among, n)["w"]
        assert sorted(map(tuple, chosen.nonzero().tolist())) == sorted(order[:n])
    with pytest.raises(UserError, match="2 channels"):
        of_weights({"lif": torch.ones(2)}, {"w": "lif"}, {"w": torch.zeros(3, 2)})


@pytest.mark.parametrize("groups", [1, 2])
def test_a_weight_of_a_transposed_convolution_leads_to_the_channel_that_it_changes(groups):
    layer = nn.ConvTranspose1d(4, 6, 3, groups=groups, bias=False)
    score = torch.rand(6)
    found = of_weights({"lif": score}, {"w": "lif"}, {"w": layer.weight}, {"w": groups})["w"]
    for at in torch.ones_like(layer.weight).nonzero().tolist():
        layer.weight.data.zero_()[tuple(at)] = 1
        (changed,) = layer(torch.ones(4, 5)).abs().sum(1).nonzero().flatten().tolist()
        assert found[tuple(at)] == score[changed]
    with pytest.raises(UserError, match="6 channels"):
        of_weights({"lif": score}, {"w": "lif"}, {"w": torch.zeros(4, 5, 3)}, {"w": 1})


def test_neurons_that_one_score_cannot_tell_apart_are_refused_at_the_start():
    fire = LIF()
    model = nn.Sequential(nn.Linear(4, 6), fire, nn.Linear(6, 3), fire, nn.Linear(3, 2))
    c = _context(model, torch.rand(2, 1, 4))
    with pytest.raises(UserError, match="1 is used at places with different numbers of channels"):
        create("criticality").start(c)


@pytest.mark.parametrize("criterion", criticality.CRITERIA)
def test_without_regeneration_it_is_magnitude_pruning_bit_for_bit(criterion):
    data = datasets.load("digits-clutter", "train").head(30)

    def trained(name, **changes):
        torch.manual_seed(1)
        plan = {"convolutions": (4, "M", 4), "hidden": (8,), "vote": 0, "norm_hidden": True, "gain": 2.0}
        model = networks.build("cifarnet", 10, 1, 12, T=2, **plan)
        method = create(name, sparsity=0.8, updates=3, span=0.7, **changes)
        recipe = Recipe(epochs=3, batch_size=10)
        return train(model, data, recipe, method, torch.Generator().manual_seed(3), 2), model

    (a, ours), (b, plain) = trained("criticality", regeneration=0.0, criterion=criterion), trained("magnitude")
    assert all(torch.equal(a.masks[n], b.masks[n]) for n in a.masks)
    assert all(torch.equal(v, plain.state_dict()[n]) for n, v in ours.state_dict().items())


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 99),
    st.floats(0.0, 0.95),
    st.floats(0.0, 0.9),
    st.integers(1, 6),
    st.sampled_from(criticality.CRITERIA),
)
def test_every_update_lands_on_its_count_and_the_last_layer_is_that_of_magnitude(seed, sparsity, r, updates, criterion):
    torch.manual_seed(seed)
    x = torch.rand(2, 3, 6)
    model = nn.Sequential(nn.Linear(6, 10), LIF(), nn.Linear(10, 8), LIF(), nn.Linear(8, 4))
    c, total = _context(model, x, steps=updates), 6 * 10 + 10 * 8 + 8 * 4
    shares = {"sparsity": sparsity, "regeneration": r}
    method = create("criticality", **shares, updates=updates, span=1.0, criterion=criterion, keep=True)
    method.start(c)
    for n in range(1, updates + 1):
        before = {name: m.clone() for name, m in c.masks.items()}
        values = {name: w.detach().clone() for name, w in c.weights.items()}
        due = round((1 - sparsity * (1 - (1 - n / updates) ** 3)) * total)
        survivors = criticality.cut("magnitude", values, c.generator, 1 - due / c.masks.alive, before)
        if not all(m.any() for m in survivors.values()):
            return  # a layer would be rescued, which is not counted
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            _step(method, c, x)
        if c.log.get("rescued"):
            return
        assert c.masks.alive == due
        assert torch.equal(c.masks["4.weight"], survivors["4.weight"])
        inner = ["0.weight", "2.weight"]
        living = sum(int(survivors[name].sum()) for name in inner)
        gone = sum(int((survivors[name] & ~c.masks[name]).sum()) for name in inner)
        assert gone <= round(r * living)
        for name, w in c.weights.items():
            assert torch.equal(w, values[name] * c.masks[name])


def test_granets_share_falls_along_a_cosine(monkeypatch):
    x, numbers = torch.rand(2, 3, 40), []
    model = nn.Sequential(nn.Linear(40, 50), LIF(), nn.Linear(50, 3))
    original = criticality.control
    monkeypatch.setattr(criticality, "control", lambda *args: numbers.append(args[-1]) or original(*args))
    c = _context(model, x, steps=10)
    method = create("criticality", sparsity=0.5, regeneration=0.4, updates=2, span=0.4, criterion="granet")
    method.start(c)
    for _ in range(10):
        _step(method, c, x)
    # Updates after steps 2 and 4 of 10, when (1 + cos(pi t)) / 2 of the .4 is left, of
    # the weights that are left in the first layer.
    shares = [0.4 * (1 + math.cos(math.pi * t)) / 2 for t in (0.2, 0.4)]
    assert len(numbers) == 2
    assert numbers[1] == round(shares[1] * int(c.masks["0.weight"].sum()))
    assert numbers[0] > numbers[1]


def test_the_probe_is_open_for_the_passes_before_an_update_only_and_closed_if_one_fails():
    x = torch.ones(2, 3, 2)
    model = _net(FIRST, LAST)
    c = _context(model, x, steps=6)
    method = create("criticality", sparsity=1 / 3, updates=2, span=0.5)
    method.start(c)
    seen = []
    for _ in range(6):
        with method.during_forward(c):
            seen.append(model[1].keep_potential)
            y = model(x)
        assert not model[1].keep_potential
        y.sum().backward()
        method.after_step(c)
        c.step += 1
    # Due after 1.5 and 3 of 6 steps: after step 1, the earlier of two that are as near, and after step 3.
    assert seen == [True, False, True, False, False, False]
    c.step = 0
    with pytest.raises(RuntimeError), method.during_forward(c):
        model(torch.ones(2, 3, 5))
    assert not model[1].keep_potential
    assert not model[1]._forward_hooks


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"criterion": "grad"}, "did you mean gradient"),
        ({"aggregate": "maxi"}, "did you mean max"),
        ({"regeneration": 1.0}, "regeneration must lie in"),
        ({"regeneration": -0.1}, "regeneration must lie in"),
        ({"updates": 0}, "updates"),
        ({"span": 0.0}, "span"),
        ({"sparsity": 1.0}, "sparsity must lie"),
        ({"keep": "yes"}, "keep must be bool"),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        create("criticality", **changes)


def test_networks_without_neurons_are_refused():
    x = torch.rand(2, 3, 2)
    bare = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    with pytest.raises(UserError, match="no layer has neurons"):
        create("criticality").start(_context(bare, x))
    rectified = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    with pytest.raises(UserError, match="cannot read the membrane potential"):
        create("criticality").start(_context(rectified, x))
    create("criticality", criterion="gradient").start(_context(rectified, x))
