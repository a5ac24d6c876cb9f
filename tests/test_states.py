"""Neurons that keep a state: cleared between passes, or refused by name; what only looks like a state passes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snnbook import measure, networks
from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.states import RESETS, forgetting, reset
from snnbook.tracing import measuring

X = (torch.rand(4, 9, 12, generator=torch.Generator().manual_seed(0)) < 0.4).float()


class Integrator(nn.Module):
    """Neurons without leak that are called step by step and go on from where they were."""

    v: torch.Tensor | float = 0.0

    def forward(self, x):
        return torch.stack([self.step(x_t) for x_t in x])

    def step(self, x):
        self.v = self.v + x
        fired = (self.v >= 1).float()
        self.v = self.v - fired
        return fired


def network(neurons, **methods):
    """A network whose middle module keeps a state; `methods` are the ways that its class has to clear it."""
    torch.manual_seed(1)
    cls = type("Own", (neurons,), methods)
    return nn.Sequential(nn.Linear(12, 16), cls(), nn.Linear(16, 10))


def clear(self):
    self.v = 0.0


@pytest.mark.supports(
    "State",
    "neurons with a method reset, reset_state, reset_states, reset_mem, reset_state_variables or n_reset",
    "accepted: it is called before and after every pass",
)
@pytest.mark.parametrize("name", RESETS)
def test_every_way_to_reset_is_taken(name):
    model = network(Integrator, **{name: clear})
    totals = [measure.sops(model, X, size).total for size in (1, 7, 64, 64)]
    assert totals == pytest.approx([totals[0]] * 4)
    assert totals[0] > 0
    assert model[1].v == 0.0


@pytest.mark.supports(
    "State",
    "a state that nobody clears",
    "refused",
    says="1 (Own of test_states) keeps a state from one pass to the next … it has none of the methods reset",
)
def test_a_state_that_nobody_clears_is_refused_by_name():
    with pytest.raises(UserError, match=r"^1 \(Own of test_states\) keeps a state .* none of the methods reset, "):
        measure.sops(network(Integrator), X, 3)


@pytest.mark.supports(
    "State",
    "a reset that needs an argument, of neurons",
    "refused",
    says="1 (Own of test_states) keeps a state from one pass to the next … its reset(batch) takes arguments",
)
def test_a_reset_that_needs_an_argument_is_not_called():
    def with_batch(self, batch):
        raise AssertionError

    with pytest.raises(UserError, match=r"^1 \(Own .* its reset\(batch\) takes arguments"):
        measure.sops(network(Integrator, reset=with_batch), X)

    class Other(nn.Module):  # nothing to do with neurons
        def reset(self, batch):
            raise AssertionError

        def forward(self, x):
            return x

    model = nn.Sequential(nn.Linear(12, 16), Other(), LIF(v_threshold=0.2), nn.Linear(16, 10))
    plain = nn.Sequential(*model[:1], *model[2:])
    assert measure.sops(model, X).total == measure.sops(plain, X).total > 0


@pytest.mark.supports("State", "two resets, one of which needs an argument", "accepted: the other is called")
def test_of_two_resets_the_one_without_an_argument_is_called():
    model = network(Integrator, reset=lambda self, batch: None, reset_mem=clear)
    assert measure.sops(model, X, 2).total == pytest.approx(measure.sops(model, X, 9).total)


def test_a_reset_with_default_values_is_called():
    model = network(Integrator, reset=lambda self, value=0.0, *more, **settings: setattr(self, "v", value))
    assert measure.sops(model, X, 2).total == pytest.approx(measure.sops(model, X, 9).total)


@pytest.mark.supports(
    "State",
    "a reset that clears a part of the state",
    "refused",
    says="1 (Own of test_states) keeps a state from one pass to the next … its reset() leaves a part of it",
)
def test_a_reset_that_clears_a_part_is_refused():
    def forward(self, x):
        self.seen = getattr(self, "seen", 0) + x.sum()
        return Integrator.forward(self, x + 1e-3 * self.seen)

    with pytest.raises(UserError, match=r"^1 \(Own .* its reset\(\) leaves a part of it"):
        measure.sops(network(Integrator, reset=clear, forward=forward), X)


@pytest.mark.supports(
    "State",
    "a reset that draws weights anew",
    "refused",
    says="the network (Own of test_states) has a method reset() that changes weights",
)
@pytest.mark.parametrize("replaced", [True, False])
def test_a_reset_that_draws_weights_is_refused_and_undone(replaced):
    class Own(nn.Sequential):
        def reset(self):
            if replaced:
                self[0].weight = nn.Parameter(torch.randn(16, 12))
            else:
                self[0].reset_parameters()

    model = Own(nn.Linear(12, 16), LIF(), nn.Linear(16, 10)).train()
    before, weight = {name: p.clone() for name, p in model.state_dict().items()}, model[0].weight
    with pytest.raises(UserError, match=r"^the network \(Own of test_states\) has a method reset\(\) that changes"):
        measure.sops(model, X)
    assert model[0].weight is weight
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    assert model.training


class Caching(nn.Module):
    """What an attention map, a count of calls, a mask of the last batch or a random code keep is no state."""

    def __init__(self):
        super().__init__()
        self.calls, self.kept, self.shapes = 0, {"map": [torch.zeros(1)]}, []
        self.register_buffer("total", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.shapes.append(tuple(x.shape))
        self.kept["map"] = [x.softmax(-1)]
        self.total += x.sum()
        return self.kept["map"][0] * (torch.rand_like(x) < x)


@pytest.mark.supports(
    "State",
    "modules that cache, count calls or draw at random",
    "accepted: their outputs do not depend on what ran before",
)
def test_a_module_that_merely_caches_passes():
    model = nn.Sequential(nn.Linear(12, 16), Caching(), LIF(), nn.Linear(16, 10))
    state = torch.get_rng_state()
    measure.sops(model, X)
    assert model[1].calls > 2
    torch.set_rng_state(state)
    with torch.no_grad():
        model(X)
    after = torch.get_rng_state()
    torch.set_rng_state(state)
    measure.sops(model, X)
    assert torch.equal(torch.get_rng_state(), after)  # the second look draws no number


@pytest.mark.parametrize("keep", ["buffer", "list", "object", "dict"])
def test_a_state_is_seen_wherever_it_is_held(keep):
    class Box:
        v = 0.0

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("v", torch.zeros(9, 12))
            self.list, self.dict, self.object = [0.0], {"a": {"v": 0.0}}, Box()

        def forward(self, x):
            fired = []
            for x_t in x:
                old = {"buffer": self.v, "list": self.list[0], "dict": self.dict["a"]["v"], "object": self.object.v}
                v = old[keep] + 0.3 * x_t
                s = (v >= 1).float()
                v = v - s
                if keep == "buffer":
                    self.v.copy_(v)
                self.list[0], self.dict["a"]["v"], self.object.v = (
                    (v if keep == k else 0.0) for k in ("list", "dict", "object")
                )
                fired.append(s)
            return torch.stack(fired)

    with pytest.raises(UserError, match=r"^0 \(Own of test_states\) keeps a state"):
        measure.sops(nn.Sequential(Own(), nn.Linear(12, 16)), X)


def test_the_one_that_keeps_the_state_is_named_and_not_those_behind_it():
    class Quiet(nn.Module):
        def forward(self, x):
            self.last = x
            return x

    model = nn.Sequential(Quiet(), nn.Linear(12, 16), Quiet(), Integrator(), Quiet(), nn.Linear(16, 10))
    with pytest.raises(UserError, match=r"^3 \(Integrator"):
        measure.sops(model, X)


def test_an_error_from_inside_is_not_covered_by_the_one_of_the_state():
    model = network(Integrator)

    def stop():
        with measuring(model):
            model(X)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert not model._forward_pre_hooks


def test_our_networks_are_not_looked_through(monkeypatch):
    model = networks.build("sew_resnet18", width=0.03, T=2)
    monkeypatch.setattr("snnbook.states._held", None)
    with forgetting(model):
        model.eval()(torch.rand(1, 3, 32, 32))
    reset(model)
