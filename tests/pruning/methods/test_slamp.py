"""SLAMP (reconstruction): what a layer's input adds up to over time, and masks that weigh layers by it."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from snnbook import datasets, networks
from snnbook.errors import UserError
from snnbook.neurons import IF, LIF
from snnbook.pruning import Context, Masks, create, global_masks
from snnbook.pruning.methods.slamp import scores
from snnbook.pruning.parts.amplification import amplification, leak
from snnbook.training import Recipe, train


def test_amplification_by_hand():
    # tau = 2, a = 1/2. Inputs of the first layer, one sample: x = (1, 0), (1, 2), (0, 2). Traces: (1, 0), (1.5, 2),
    # (.75, 3). Squares: 1, 6.25, 9.5625 against 1, 5, 4. The last layer has no neurons behind it: 1.
    model = nn.Sequential(nn.Linear(2, 3), LIF(tau=2.0), nn.Linear(3, 2))
    x = torch.tensor([[1.0, 0], [1, -2], [0, 2]]).unsqueeze(1)
    with torch.no_grad():
        model[0].bias.fill_(4.0)  # so that it spikes
    found = amplification(model, x, 1, 3)
    assert found == {"0.weight": pytest.approx(16.8125 / 10), "2.weight": 1.0}


def test_patches_of_a_convolution_by_hand():
    # A 2x2 kernel on 3x3 pixels, without padding: a corner lies in one patch, an edge in two, the centre in four.
    patches = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    model = nn.Sequential(nn.Conv2d(2, 2, 2, groups=2), IF())
    x = torch.rand(4, 2, 3, 3)
    found = amplification(nn.Sequential(Folded(model[0]), model[1]), x.unsqueeze(1), 1, 4)
    z = x.cumsum(0)  # no leak
    expected = (z.square() * patches).sum() / (x.square() * patches).sum()
    assert list(found.values()) == [pytest.approx(expected.item())]


class Folded(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def convnet(T):
    torch.manual_seed(1)
    plan = {"convolutions": (6, "M", 6), "hidden": (8,), "vote": 0, "norm_hidden": True, "gain": 2.0}
    return networks.build("cifarnet", 10, 1, 12, T=T, **plan)


def test_the_encoding_of_a_static_image_adds_up_most():
    # The same input at each of 3 steps: traces of 1, 1.5 and 1.75 times the input.
    found = amplification(convnet(3), torch.rand(4, 1, 12, 12), 4, 3)
    assert found["encoder.0.weight"] == pytest.approx((1 + 1.5**2 + 1.75**2) / 3)
    assert max(found.values()) == found["encoder.0.weight"]


@given(st.integers(1, 6), st.floats(1.0, 8.0), st.integers(0, 2**31))
def test_bounds(T, tau, seed):
    # Proposition 3: 1 <= Gamma <= ((1 - a^T) / (1 - a))^2 for equal weights of the steps.
    g = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 4), LIF(tau=tau))
    x = (torch.rand(T, 3, 5, generator=g) < 0.4).float()
    gamma = amplification(model, x, 3, T)["0.weight"]
    most = sum((1 - 1 / tau) ** k for k in range(T)) ** 2
    assert 1 - 1e-6 <= gamma <= most * (1 + 1e-6)
    if T == 1 or tau == 1:
        assert gamma == 1


@pytest.mark.parametrize("groups", [1, 2])
def test_an_input_of_a_transposed_convolution_counts_as_often_as_it_is_used(groups):
    # Constant input and a leak of 1/2: every use of it grows alike, and a border cuts uses off without a change.
    layer = nn.ConvTranspose2d(4, 6, 3, 2, 1, groups=groups)
    model = nn.Sequential(Folded(layer), LIF(tau=2.0))
    x = torch.rand(1, 2, 4, 5, 5).expand(2, 2, 4, 5, 5)
    assert amplification(model, x, 2, 2)["0.layer.weight"] == pytest.approx((1 + 1.5**2) / 2)
    corner = torch.zeros(2, 1, 4, 5, 5)
    corner[0, 0, 0, 0, 0] = corner[1, 0, 0, 2, 2] = 1  # 4 uses, of which one is left in the next step, and then 9
    assert amplification(model, corner, 1, 2)["0.layer.weight"] == pytest.approx((4 + 4 * 0.25 + 9) / (4 + 9))


def test_a_loop_over_time_is_as_good_as_a_folded_batch():
    class Stepped(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer, self.neurons = layer, Leaky()

        def forward(self, x):
            return torch.stack([self.neurons(self.layer(x_t)) for x_t in x])

    x, layer = torch.rand(3, 2, 5), nn.Linear(5, 4)
    folded = amplification(nn.Sequential(layer, LIF(tau=2.0)), x, 2, 3)
    assert amplification(Stepped(layer), x, 2, 3)["layer.weight"] == pytest.approx(folded["0.weight"])


class Leaky(nn.Module):
    """As of another library: a step at a time, tau = 2."""

    def __init__(self):
        super().__init__()
        self.tau = 2.0

    def forward(self, x):
        return (x > 0.5).float()


def test_the_leak_of_a_neuron():
    assert leak(LIF(tau=4.0)) == 0.75
    assert leak(LIF(tau=1.0)) == 0.0
    assert leak(IF()) == 1.0
    assert leak(Leaky()) == 0.5
    snntorch, plain = nn.Module(), nn.Module()
    snntorch.beta = torch.tensor(0.9)
    assert leak(snntorch) == pytest.approx(0.9)
    assert leak(plain) == 1.0


def test_scores_by_hand():
    # LAMP of (1, 2) is 1/5, 1; of (3, 4), 9/25, 1. Gamma 2 and 1: -2 log(4/5) = .446 against -log(16/25) = .446. Just
    # below Gamma = 2 the first layer's smaller weight goes first, just above it the second's.
    w = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0, 4.0])}
    found = scores(w, {"a": 2.0, "b": 1.0})
    assert found["a"][0].item() == pytest.approx(found["b"][0].item())
    assert found["a"][1] == found["b"][1] == torch.inf
    for gamma, gone in ((1.99, "a"), (2.01, "b")):
        masks = global_masks(scores(w, {"a": gamma, "b": 1.0}), 0.25)
        assert {n: m.tolist() for n, m in masks.items()} == {n: [n != gone, True] for n in w}
    assert scores(w, {"a": 2.0, "b": 1.0}, "product")["a"].tolist() == pytest.approx([0.4, 2.0])


@given(st.integers(0, 2**31), st.integers(3, 8))
def test_the_log_form_solves_the_allocation(seed, keep):
    # Proposition 1: of all ways to keep some largest weights of each layer, `keep` in all, the sum of
    # Gamma log(|W|^2 / |kept|^2) is least.
    g = torch.Generator().manual_seed(seed)
    w = {n: torch.rand(4, generator=g, dtype=torch.float64) + 0.01 for n in "abc"}
    gamma = {n: 1 + 3 * float(torch.rand((), generator=g)) for n in w}

    def distortion(counts):
        kept = [w[n].sort(descending=True).values[:k].square().sum() for n, k in zip(w, counts, strict=True)]
        return sum(gamma[n] * float(torch.log(w[n].square().sum() / v)) for n, v in zip(w, kept, strict=True))

    best = min(distortion(k) for k in product(range(1, 5), repeat=3) if sum(k) == keep)
    masks = global_masks(scores(w, gamma), 1 - keep / 12)
    assert distortion([int(m.sum()) for m in masks.values()]) == pytest.approx(best)


def test_the_product_form_may_empty_a_layer_which_is_rescued():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.neurons, self.b = nn.Linear(4, 1, bias=False), LIF(tau=4.0), nn.Linear(1, 4, bias=False)

        def forward(self, x):
            return self.b(self.neurons(self.a(x)))

    for form in ("log", "product"):
        model = Fixed()
        with torch.no_grad():  # equal weights: LAMP is 1/4, 1/3, 1/2, 1; the first layer's Gamma is above 2
            model.a.weight.fill_(1.0)
            model.b.weight.fill_(1.0)
        c = Context(model, Masks.ones(model), torch.Generator(), steps=1, T=4)
        c.samples = lambda n: (torch.ones(4, 2, 4), torch.zeros(2))
        method = create("slamp", sparsity=0.625, updates=1, span=1.0, form=form)  # 3 of 8 stay
        if form == "product":
            with pytest.warns(UserWarning, match="empty b"):
                method.after_step(c)
        else:
            method.after_step(c)
        assert c.masks["b.weight"].any()
        assert c.log["amplification"]["a.weight"] > 2


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits-clutter", "train").head(40)


def run(method, data, T, **settings):
    torch.manual_seed(2)
    model = convnet(T)
    recipe = Recipe(epochs=3, batch_size=10, lr=1e-2)
    c = train(model, data, recipe, create(method, sparsity=0.8, **settings), torch.Generator().manual_seed(3), T)
    return c, model.state_dict()


def test_one_time_step_is_lamp_to_the_last_bit(data):
    (a, one), (b, two) = run("slamp", data, 1), run("lamp", data, 1)
    assert set(a.log["amplification"].values()) == {1.0}
    assert all(torch.equal(a.masks[n], b.masks[n]) for n in a.masks)
    assert all(torch.equal(v, two[n]) for n, v in one.items())


def test_more_time_steps_are_not(data):
    a, b = run("slamp", data, 4)[0], run("lamp", data, 4)[0]
    assert a.masks.alive == b.masks.alive == round(0.2 * a.masks.total)
    assert any(not torch.equal(a.masks[n], b.masks[n]) for n in a.masks)
    # The encoder's input adds up most, the read-out's not at all.
    alive = {n: (int(a.masks[n].sum()), int(b.masks[n].sum())) for n in a.masks}
    first, last = next(iter(alive.values())), list(alive.values())[-1]
    assert first[0] >= first[1]
    assert last[0] <= last[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sparsity": 1.0}, "sparsity must lie"),
        ({"form": "logs"}, "did you mean log"),
        ({"schedule": "cube"}, "did you mean cubic"),
        ({"updates": 0}, "updates must be at least 1"),
        ({"span": 0.0}, "span must lie in"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"samples": 2.5}, "samples must be int"),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        create("slamp", **settings)


def test_steps_can_weigh_differently_and_neurons_need_not_leak():
    # The traces of the first test by hand, here with weights 1, 0, 0, and with a = 1: (1, 0), (2, 2), (2, 4).
    model = nn.Sequential(nn.Linear(2, 3), LIF(tau=2.0), nn.Linear(3, 2))
    x = torch.tensor([[1.0, 0], [1, -2], [0, 2]]).unsqueeze(1)
    assert amplification(model, x, 1, 3, [1.0, 0, 0])["0.weight"] == 1.0
    assert amplification(model, x, 1, 3, [0.0, 0, 2])["0.weight"] == pytest.approx(9.5625 / 4)
    assert amplification(model, x, 1, 3, leaky=False)["0.weight"] == pytest.approx((1 + 8 + 20) / 10)
