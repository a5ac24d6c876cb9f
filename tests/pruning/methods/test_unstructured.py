"""Masks of weights and neurons under a penalty on synaptic operations, and what these cost."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from measure_by_hand import Fold
from torch import nn

from snnbook import datasets, networks
from snnbook.errors import UserError
from snnbook.measure import connections, firing_rates, sops
from snnbook.neurons import LIF
from snnbook.pruning import Context, Masks, create
from snnbook.pruning.parts import neuron_masks, sop_cost
from snnbook.pruning.parts.soft_masks import steered
from snnbook.pruning.weights import prunable
from snnbook.tracing import hooked
from snnbook.training import Recipe, mean_output, train


def convnet(T=2, **changes):
    torch.manual_seed(1)
    plan = {"convolutions": (6, "M", 6), "hidden": (8,), "vote": 0, "norm_hidden": True, "gain": 2.0} | changes
    return networks.build("cifarnet", 10, 1, 12, T=T, **plan)


def context(model, x=None, **kw):
    c = Context(model, Masks.ones(model), torch.Generator().manual_seed(0), **kw)
    x = torch.rand(4, 1, 12, 12) if x is None else x
    y = torch.arange(4) % 3
    c.samples = lambda n: (x[:n], y[:n])
    c.batch = x, y
    c.optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return c


def numbers(found):
    return [float(v.unique()) for v in found.values()]


@pytest.mark.parametrize(
    ("name", "channels", "size", "classes", "e_w", "e_n"),
    [
        # e_w and e_n of paper B's public code at width 1, run for these networks. All of its e_n count a layer's output
        # channels, so at width 1/32 they are a 32nd, except where the last layer is fed.
        ("cifarnet", 3, 32, 10, [1024] * 3 + [256] * 3 + [1, 1], [2304] * 5 + [2048]),
        ("vggsnn", 2, 48, 10, [2304] * 2 + [576] * 2 + [144] * 2 + [36, 36, 1], [1152, 2304, 2304] + [4608] * 4),
    ],
)
def test_the_constants_of_the_public_code(name, channels, size, classes, e_w, e_n):
    model = networks.build(name, classes, channels, size, width=1 / 32, T=1)
    x = torch.rand(1, channels, size, size) if name == "cifarnet" else torch.rand(1, 1, channels, size, size)
    found_w, found_n = sop_cost.geometry(model, x)
    assert numbers(found_w) == e_w
    assert numbers(found_n) == [e / 32 for e in e_n] + [100]


def test_the_constants_along_a_residual_stream():
    # The public code's SEW-ResNet18 for 100 classes: what a block puts out feeds all later blocks of its stage and both
    # branches of the next. It leaves the classifier out, which adds 100 in the last stage.
    model = networks.build("sew_resnet18", 100, 3, 32, width=1 / 16, T=1)
    _, e_n = sop_cost.geometry(model, torch.rand(1, 3, 32, 32))
    stage1, stage2 = [576, 896, 576, 320], [1152, 1792, 1792, 1152, 640]
    stage3, stage4 = [2304, 3584, 3584, 2304, 1280], [4608, 4608, 4608, 4608, 0]
    expected = [e / 16 for e in [1472, *stage1, *stage2, *stage3, *stage4]]
    last = [expected[15], *(e + 100 for e in expected[16:18]), expected[18], 100]
    assert numbers(e_n) == expected[:15] + last
    assert {tuple(v.shape) for v in e_n.values()} == {(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)}


def test_grouped_and_strided_layers_by_hand():
    # 4 -> 6 channels in 2 groups, kernel 3, stride 2 on 8x8: a weight is used at 8 * 8 / 4 = 16 positions, an input of
    # the second layer has 6 / 2 * 9 / 4 = 6.75 synapses.
    model = nn.Sequential(nn.Conv2d(1, 4, 1), Steps(), nn.Conv2d(4, 6, 3, 2, 1, groups=2))
    e_w, e_n = sop_cost.geometry(model, torch.rand(1, 1, 8, 8))
    assert numbers(e_w) == [64, 16]
    assert numbers(e_n) == [6.75]


def test_which_neurons_have_masks():
    model, x = convnet(), torch.rand(1, 1, 12, 12)
    assert neuron_masks.maskable(model, x, "released") == ["body.3"]
    assert neuron_masks.maskable(model, x, "paper") == ["body.0", "body.3"]
    assert neuron_masks.maskable(model, x, "all") == ["body.0", "body.3", "body.6"]


class Steps(nn.Module):
    """A neuron of another library: keeps its state, hands out spikes and potential."""

    def __init__(self, pair=False):
        super().__init__()
        self.pair, self.v = pair, 0.0

    def reset(self):
        self.v = 0.0

    def forward(self, x):
        self.v = self.v + x
        spike = (self.v >= 0.5).to(x.dtype) + x - x.detach()
        self.v = self.v * (1 - spike.detach())
        return (spike, self.v) if self.pair else spike


def test_counted_costs_add_up_to_the_operations():
    # Under hard masks the sum of e_w over live weights and that of e_n over live neurons are both Eq. 2.
    model, x = convnet(hidden=(8, 8)), 9 * torch.rand(3, 1, 12, 12)
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.abs_()  # so that spikes reach the end
    masks = {n: torch.rand(m.shape, generator=g) < 0.5 for n, m in Masks.ones(model).items()}
    Masks(masks).apply({n: p for n, p in model.named_parameters() if n in masks})
    _, e_n = sop_cost.geometry(model, x)
    live = {n: torch.rand(e.shape, generator=g) < 0.6 for n, e in e_n.items()}
    for name, mask in live.items():
        model.get_submodule(name).mask = mask
    e, dense = sop_cost.spikes(model, x, 3, masks | live)
    measured = sops(model, x)
    assert measured.total > 100
    by_weight = {n.removesuffix(".weight"): float((e[n] * m).sum()) for n, m in masks.items()}
    encoder = by_weight.pop(measured.encoding_layer)
    assert by_weight == pytest.approx(measured.per_layer)
    assert encoder == pytest.approx(measured.encoding_macs)
    assert sum(float((e[n] * m).sum()) for n, m in live.items()) == pytest.approx(measured.total)
    assert dense > encoder + measured.total


def unusual():
    """A shared convolution, a grouped transposed one and a linear layer, all weights positive."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Unflatten(0, (1, -1)), Fold(nn.Conv2d(1, 4, 3, padding=1)), LIF(v_threshold=0.3)),
        *(Fold(nn.Conv2d(4, 4, 3, padding=1)), LIF(v_threshold=0.3), Fold(nn.Conv2d(4, 4, 3, padding=1)), LIF()),
        *(Fold(nn.ConvTranspose2d(4, 6, 3, 2, groups=2)), LIF(v_threshold=0.1), nn.Flatten(2), nn.Linear(6 * 81, 3)),
    )
    model[5][0].weight = model[3][0].weight
    with torch.no_grad():
        for p in model.parameters():
            p.abs_()
    return model


def test_shared_and_transposed_weights_cost_what_they_are_used():
    # 4x4 places for each use of a 3x3 kernel, twice where two layers share it; from one input of the transposed layer
    # 6 / 2 * 9 synapses, whatever its stride.
    e_w, e_n = sop_cost.geometry(unusual(), torch.rand(2, 1, 4, 4))
    assert {n: float(e) for n, e in e_w.items()} == {
        "1.0.weight": 16,
        "3.0.weight": 32,
        "7.0.weight": 16,
        "10.weight": 1,
    }
    assert numbers(e_n) == [36, 36, 27, 3]


@pytest.mark.parametrize("frozen", ["", "7.0.weight"])
def test_counted_costs_of_shared_transposed_and_frozen_weights(frozen):
    model, x, g = unusual(), 9 * torch.rand(3, 1, 4, 4), torch.Generator().manual_seed(0)
    if frozen:
        model.get_parameter(frozen).requires_grad_(False)
    masks = {n: torch.rand(m.shape, generator=g) < 0.5 for n, m in Masks.ones(model).items()}
    Masks(masks).apply({n: p for n, p in model.named_parameters() if n in masks})
    _, e_n = sop_cost.geometry(model, x)
    e, _ = sop_cost.spikes(model, x, 3, masks | {n: torch.ones_like(v, dtype=torch.bool) for n, v in e_n.items()})
    assert frozen not in e
    by_weight = {n: float((e[n] * m).sum()) for n, m in masks.items() if n != "1.0.weight"}
    entering, expected = {}, dict.fromkeys(by_weight, 0.0)
    with hooked({model[i]: lambda m, args, out: entering.update({m: args[0].flatten(0, 1)}) for i in (3, 5, 7)}):
        model(x)
    for i in (3, 5, 7) if not frozen else (3, 5):
        layer = model[i][0]
        ones = copy.deepcopy(layer)
        nn.init.zeros_(ones.bias)
        ones.weight.data = (layer.weight != 0).float()
        expected["3.0.weight" if i == 5 else f"{i}.0.weight"] += ones(entering[model[i]]).sum().item() / 3
    expected["10.weight"] = by_weight["10.weight"]
    assert by_weight == pytest.approx(expected)
    assert by_weight["3.0.weight"] > 0
    if not frozen:
        assert sum(float(e[n].sum()) for n in e_n) == pytest.approx(sum(by_weight.values()))


def test_one_step_by_hand():
    # w = (3, -2) at alpha = 0 computes with half of it, and x = (1, 1) of class 0 against a constant 0 of class 1.
    # With p the probability of class 1, dL/dw_eff = (-p, -p). The chain rule gives dL/dw = (-p/2, -p/2) and
    # dL/dalpha = 5/4 w dL/dw_eff = 5/4 (-3p, 2p); the penalty 1/2 (sigma + sigma) adds 5/8 to both.
    model = nn.Sequential(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, -2.0]]))
    c = context(model, torch.ones(1, 1, 2), steps=2)
    c.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    method = create("unstructured", neurons=False, span=0.5, lr_mask=0.01)
    method.start(c)
    assert model[0].weight.tolist() == [[1.5, -1.0]]
    assert method.penalty(c).item() == pytest.approx(0.5)
    p = 1 / (1 + math.exp(0.5))
    logits = torch.cat([model(c.batch[0]), torch.zeros(1, 1, 1)], 2)
    (mean_output(logits, torch.tensor([0])) + method.penalty(c)).backward()
    gradient = {}
    method.masks.adam.register_step_post_hook(
        lambda adam, *_: gradient.update(a=method.masks.alpha["0.weight"].grad.clone())
    )
    method.after_backward(c)
    assert torch.allclose(gradient["a"], torch.tensor([[5 / 8 - 15 / 4 * p, 5 / 8 + 5 / 2 * p]]))
    assert torch.allclose(model[0].weight.grad, torch.full((1, 2), -p / 2))
    c.optimizer.step()
    # Adam's first step is its rate against the sign. The search of one step is over: alpha > 0 stays, at its full w.
    assert torch.allclose(method.masks.alpha["0.weight"], torch.tensor([[0.01, -0.01]]))
    method.after_step(c)
    assert torch.allclose(model[0].weight, torch.tensor([[3 + 0.05 * p, 0.0]]))
    assert c.masks["0.weight"].tolist() == [[True, False]]
    assert c.log["undecided"]["0.weight"] == pytest.approx(1 / (1 + math.exp(10)), rel=1e-3)


def test_the_search_is_that_of_autograd():
    # The same four steps with sigma(beta alpha) in the graph: paper B Eq. 5, 7 and 11, both kinds of masks.
    torch.manual_seed(0)
    x, y = torch.rand(3, 4, 5) * 30, torch.arange(4) % 3
    model = nn.Sequential(nn.Linear(5, 6), LIF(), nn.Linear(6, 3))
    shapes = {"0.weight": (6, 5), "2.weight": (3, 6), "1": (6,)}
    p = {n: v.detach().clone().requires_grad_() for n, v in model.named_parameters()}
    a = {n: torch.zeros(shape, requires_grad=True) for n, shape in shapes.items()}
    one = [torch.optim.Adam(p.values(), lr=0.02), torch.optim.Adam(a.values(), lr=0.05)]
    c = context(model, x, steps=5)
    c.optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    method = create("unstructured", scope="all", strength=1e-4, lr_mask=0.05, beta_end=10.0)
    method.start(c)
    for step in range(4):
        c.step, beta = step, 5 * 2 ** (step / 4)
        with method.during_forward(c):
            logits = model(x)
        (mean_output(logits, y) + method.penalty(c)).backward()
        method.after_backward(c)
        c.optimizer.step()
        c.optimizer.zero_grad()
        method.after_step(c)

        m = {n: torch.sigmoid(beta * v) for n, v in a.items()}
        hidden = nn.functional.linear(x, p["0.weight"] * m["0.weight"], p["0.bias"])
        logits = nn.functional.linear(LIF()(hidden) * m["1"], p["2.weight"] * m["2.weight"], p["2.bias"])
        # A weight of a linear layer is one synapse, a neuron of the first has three; 30 + 18 weights in all.
        cost = m["0.weight"].sum() + m["2.weight"].sum() + 3 * m["1"].sum()
        (mean_output(logits, y) + 1e-4 / 48 * cost).backward()
        for optimizer in one:
            optimizer.step()
            optimizer.zero_grad()
    assert all(torch.allclose(method.masks.alpha[n], v, atol=1e-5) for n, v in a.items())
    for n, v in p.items():
        expected = v * (a[n] > 0) if n in a else v
        assert torch.allclose(model.state_dict()[n], expected, atol=1e-5), n
    assert torch.equal(model[1].mask, a["1"] > 0)
    assert 0 < int(model[1].mask.sum()) < 6


def test_hardening_leaves_a_plain_network_and_counters_see_it():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), LIF(), nn.Linear(6, 3))
    x = torch.rand(3, 4, 5) * 3
    c = context(model, x, steps=1)
    method = create("unstructured", scope="all", span=1.0)
    method.start(c)
    with method.during_forward(c):
        assert torch.allclose(model[1](torch.full((1, 1, 6), 9.0)), torch.full((1, 1, 6), 0.5)), "soft at first"
    assert not model[1]._forward_hooks, "in training alone"
    keep = {"0.weight": torch.rand(6, 5) < 0.5, "2.weight": torch.rand(3, 6) < 0.7, "1": torch.arange(6) < 4}
    keep["0.weight"][:, 0] = True  # so that every neuron has an input
    with torch.no_grad():
        for n, mask in keep.items():
            method.masks.alpha[n].copy_(mask.float() - 0.5)
    method.after_step(c)
    method.finish(c)
    assert not model[1]._forward_hooks
    assert model[1](torch.full((1, 1, 6), 9.0)).flatten().tolist() == [1, 1, 1, 1, 0, 0]
    pickle.loads(pickle.dumps(model))
    # Live connections: weights that stay and end in a live neuron; weights that stay and start from one.
    found = connections(model, (1, 1, 5))
    assert found.per_layer["0"][0] == keep["0.weight"][:4].sum()
    assert found.per_layer["2"][0] == keep["2.weight"][:, :4].sum()
    assert found.neurons == {"1": (4, 6)}
    spikes = model[1](model[0](x)).sum((0, 1)) / 4
    assert sops(model, x).total == pytest.approx((spikes * keep["2.weight"].sum(0)).sum().item())


@pytest.mark.parametrize("pair", [False, True])
def test_neurons_of_other_libraries_keep_a_mask_of_their_own(pair):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.neurons, self.last = nn.Conv2d(1, 2, 3), Steps(pair), nn.Linear(8, 3)

        def forward(self, x):
            out = [self.neurons(self.first(x)) for _ in range(2)]
            return torch.stack([self.last((s[0] if pair else s).flatten(1)) for s in out])

    torch.manual_seed(0)
    model, x = Net(), 9 * torch.rand(4, 1, 4, 4)
    model.first.weight.data.abs_()
    c = context(model, x, steps=1)
    method = create("unstructured", span=1.0, weights=False)
    method.start(c)
    assert method.e["neurons"].shape == (2, 2, 2)
    assert float(method.e["neurons"].unique()) == 3
    with method.during_forward(c):
        logits = model(x)
    (mean_output(logits, c.batch[1]) + method.penalty(c)).backward()
    assert method.masks.alpha["neurons"].grad.abs().sum() > 0
    method.after_backward(c)
    with torch.no_grad():
        method.masks.alpha["neurons"].fill_(-1.0)[0] = 1.0
    method.after_step(c)
    method.finish(c)
    model.neurons.reset()
    for network in (model, copy.deepcopy(model)):
        network.neurons.reset()
        spikes = network.neurons(torch.ones(1, 2, 2, 2))
        spikes = spikes[0] if pair else spikes
        assert spikes.tolist() == [[[[1, 1], [1, 1]], [[0, 0], [0, 0]]]]


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits-clutter", "train").head(40)


def run(data, progress=lambda n: None, checkpoint=None, **settings):
    torch.manual_seed(2)
    model, recipe = convnet(), Recipe(epochs=4, batch_size=10, lr=1e-2)
    method = create("unstructured", **{"lr_mask": 0.02, "strength": 0.1, **settings})
    return model, train(
        model, data, recipe, method, torch.Generator().manual_seed(3), 2, progress, checkpoint, every=0.0
    )


@pytest.mark.parametrize("cost", sop_cost.COSTS)
def test_a_stronger_penalty_leaves_fewer_connections(cost, data):
    left = []
    for strength in (0.01, 0.3):
        model, c = run(data, strength=strength, cost=cost)
        left.append(connections(model, (1, 12, 12)).alive)
        assert max(c.log["undecided"].values()) < 0.05
        assert c.masks.alive == sum(int((p != 0).sum()) for p in c.weights.values())
    assert left[1] < 0.7 * left[0]


@pytest.mark.parametrize("off", ["weights", "neurons"])
def test_one_kind_of_masks_leaves_the_other_alone(off, data):
    model, c = run(data, **{off: False})
    neurons = connections(model, (1, 12, 12))
    assert (c.masks.alive == c.masks.total) == (off == "weights")
    assert (neurons.neurons_alive == neurons.neurons_total) == (off == "neurons")
    assert firing_rates(model, data.x[:4])["body.0"] > 0


def test_a_training_stopped_in_its_last_part_resumes(data, tmp_path):
    model, _ = run(data, span=0.5)
    seen = [0]

    def stop(n):
        seen[0] += n
        if seen[0] > 130:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(data, stop, tmp_path / "state", span=0.5)
    other, _ = run(data, checkpoint=tmp_path / "state", span=0.5)
    assert all(torch.equal(v, other.state_dict()[n]) for n, v in model.state_dict().items())
    assert not any(m._forward_hooks for m in other.modules())


def test_an_emptied_layer_keeps_its_largest_weight():
    model = nn.Sequential(nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -5, 2], [0, 3, 4]]))
    c = context(model, torch.ones(1, 4, 3), steps=1)
    method = create("unstructured", neurons=False, span=1.0)
    method.start(c)
    mean_output(model(c.batch[0]), torch.zeros(4, dtype=torch.long)).backward()
    (method.penalty(c) * 1e6).backward()
    method.after_backward(c)
    with pytest.warns(UserWarning, match="its largest weight stays"):
        method.after_step(c)
    assert model[0].weight.tolist() == [[0, -5, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: create("unstructured", weights=False, neurons=False), "masks of weights, of neurons or of both"),
        (lambda: create("unstructured", strength=-1.0), "strength must be at least 0"),
        (lambda: create("unstructured", beta=2000.0), "beta <= beta_end"),
        (lambda: create("unstructured", beta=0.0), "beta must be more than 0"),
        (lambda: create("unstructured", span=0.0), "span must lie in"),
        (lambda: create("unstructured", lr_mask=0.0), "lr_mask must be more than 0"),
        (lambda: create("unstructured", cost="spike"), "did you mean spikes"),
        (lambda: create("unstructured", scope="release"), "did you mean released"),
        (lambda: create("unstructured", weights=1), "weights must be bool"),
        (
            lambda: create("unstructured").start(context(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()))),
            "no spiking neuron",
        ),
        (lambda: create("unstructured").start(Context(m := convnet(), Masks.ones(m), torch.Generator())), "samples"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_what_masks_leave_is_what_the_counter_of_networks_counts():
    """With every neuron reached, as `measure.connections` counts the masked network."""
    model, x = convnet(), torch.rand(2, 1, 12, 12)
    generator = torch.Generator().manual_seed(0)
    weights = {n: torch.rand(w.shape, generator=generator) < 0.7 for n, w in prunable(model).items()}
    e_n = sop_cost.geometry(model, x)[1]
    neurons = {n: torch.rand(e_n[n].shape, generator=generator) < 0.8 for n in neuron_masks.maskable(model, x, "paper")}
    left = sop_cost.connections_left(model, x, weights | neurons)
    with torch.no_grad():
        for n, w in prunable(model).items():
            w.copy_(weights[n].float())
    for n, alive in neurons.items():
        neuron_masks.set_mask(model.get_submodule(n), alive)
    counted = connections(model, (1, 12, 12))
    assert 0.2 < left == pytest.approx(counted.alive / counted.total, rel=1e-5)


def test_a_target_is_met():
    """The share of the connections comes down to the target, far from where a fixed strength of 0.1 leaves it."""
    data = datasets.load("digits-clutter", "train").head(120)
    left = {}
    for target in (None, 0.03):
        torch.manual_seed(0)
        model = convnet()
        method = create("unstructured", strength=0.1, target=target, lr_mask=0.01)
        recipe = Recipe(epochs=30, batch_size=12, lr=0.01)
        train(model, data, recipe, method, torch.Generator().manual_seed(0), 2)
        left[target] = sop_cost.connections_left(model, data[0][0][None], method.masks)
    assert left[None] > 0.05
    assert left[0.03] == pytest.approx(0.03, rel=0.2)


def test_steering_turns_the_strength_towards_the_target():
    assert steered(0.5, 0.02, 0.02, 0.02) == 0.5
    assert steered(0.5, 0.04, 0.04, 0.02) == pytest.approx(0.5 * 2)
    assert steered(0.5, 0.04, 0.08, 0.02) == pytest.approx(0.5 * 2 / 2**2), "what falls already is pushed less"
    assert steered(0.5, 0.0, 0.1, 0.02) == pytest.approx(0.5 / 8)
    assert steered(0.5, 1.0, 0.0, 0.02) == pytest.approx(0.5 * 8)


def test_the_gradient_of_the_product_penalty_by_brute_force():
    # Eq. 8 with one spike a neuron: 3 inputs, 2 hidden neurons, 2 outputs, as a sum over every synapse.
    model = nn.Sequential(nn.Linear(3, 2), LIF(), nn.Linear(2, 2))
    g = torch.Generator().manual_seed(0)
    shapes = {"0.weight": (2, 3), "2.weight": (2, 2), "1": (2,)}
    masks = {name: torch.rand(shape, generator=g).requires_grad_() for name, shape in shapes.items()}
    eq8 = (masks["0.weight"] * masks["1"][:, None]).sum() + (masks["2.weight"] * masks["1"][None]).sum()
    expected = dict(zip(masks, torch.autograd.grad(eq8, list(masks.values())), strict=True))
    e, dense = sop_cost.product(model, torch.ones(1, 1, 3), {name: m.detach() for name, m in masks.items()})
    assert dense == 10
    for name, grad in expected.items():
        torch.testing.assert_close(e[name], grad)
