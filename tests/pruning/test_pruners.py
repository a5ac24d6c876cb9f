"""Masks, hooks and methods: what a method plans is what the weights show, step by step."""

import pytest
import torch
from torch import nn

from snnbook.errors import UserError
from snnbook.measure.timesteps import VARIANTS
from snnbook.pruning import Context, Masks, available, create, prunable, settings
from snnbook.pruning.methods.gradual import Gradual
from snnbook.pruning.methods.stp import KL_VARIANTS
from snnbook.pruning.schedules import rounds


def _context(model, **kw):
    return Context(model, Masks.ones(model), torch.Generator().manual_seed(0), **kw)


def _net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 4, 5))


def test_dead_weights_stay_zero_through_momentum_and_decay_and_revived_ones_restart():
    model = _net()
    c = _context(model)
    c.optimizer = torch.optim.Adam(model.parameters(), lr=0.1, weight_decay=0.1)
    dead = {n: torch.rand(m.shape, generator=c.generator) < 0.5 for n, m in c.masks.items()}
    c.set_masks({n: ~d for n, d in dead.items()})
    for _ in range(3):
        model(torch.randn(2, 1, 4, 4)).sum().backward()
        c.optimizer.step()
        c.masks.apply(c.weights)
        assert all((p[dead[n]] == 0).all() for n, p in prunable(model).items())
    weight = model[3].weight
    assert (c.optimizer.state[weight]["exp_avg"][dead["3.weight"]] != 0).any(), "gradients stay dense"
    kept = c.optimizer.state[weight]["exp_avg"][~dead["3.weight"]].clone()
    c.set_masks({n: torch.ones_like(m) for n, m in c.masks.items()})
    assert (c.optimizer.state[weight]["exp_avg"][dead["3.weight"]] == 0).all()
    assert torch.equal(c.optimizer.state[weight]["exp_avg"][~dead["3.weight"]], kept)


def test_revived_weights_travel_as_far_as_their_neighbours():
    w = nn.Linear(500, 20, bias=False)
    c = _context(w)
    c.optimizer = torch.optim.Adam(w.parameters(), lr=0.01)
    dead = {"weight": torch.rand(20, 500, generator=c.generator) < 0.5}
    c.set_masks({"weight": ~dead["weight"]})
    for step in range(430):
        if step == 400:
            c.set_masks({"weight": torch.ones_like(dead["weight"])})
            before = w.weight.detach().clone()
        w.weight.grad = torch.randn(20, 500, generator=c.generator)
        c.optimizer.step()
        c.masks.apply(c.weights)
    travel = (w.weight.detach() - before).square()
    ratio = (travel[dead["weight"]].mean() / travel[~dead["weight"]].mean()).sqrt()
    assert 1 / 1.3 < ratio < 1.3


def test_apply_also_clears_nan_in_a_dead_weight():
    model = _net()
    masks = Masks.ones(model)
    masks["3.weight"][0, 0] = False
    weights = prunable(model)
    with torch.no_grad():
        model[3].weight[0, 0] = float("nan")
    masks.apply(weights)
    assert model[3].weight[0, 0] == 0


def test_masks_are_bool_and_of_one_shape():
    for mask in (torch.ones(2, 3), torch.ones(2, 3, dtype=torch.int64), [True]):
        with pytest.raises(UserError, match="mask of w must be a bool tensor"):
            Masks({"w": mask})
    masks = Masks({"w": torch.ones(2, 3, dtype=torch.bool)})
    with pytest.raises(UserError, match="must be a bool tensor"):
        masks["w"] = torch.ones(2, 3)
    with pytest.raises(UserError, match=r"shape \(3,\) instead of \(2, 3\)"):
        masks.update({"w": torch.ones(3, dtype=torch.bool)})
    with pytest.raises(UserError, match=r"shape \(2, 3\) instead of \(2, 4\)"):
        masks.apply({"w": torch.ones(2, 4)})
    assert masks["w"].all()


@pytest.mark.parametrize("reset", [True, False])
def test_masks_of_some_layers_leave_the_others_alone(reset):
    model = _net()
    c = _context(model)
    c.optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.randn(2, 1, 4, 4)).sum().backward()
    c.optimizer.step()
    moments = c.optimizer.state[model[3].weight]["exp_avg"].clone()
    dead = torch.zeros_like(c.masks["3.weight"])
    dead[0] = True
    c.set_masks({"3.weight": ~dead})
    c.set_masks({"3.weight": ~torch.zeros_like(dead)}, fresh=reset)
    assert c.masks["0.weight"].all()
    expected = moments.masked_fill(dead, 0.0) if reset else moments
    assert torch.equal(c.optimizer.state[model[3].weight]["exp_avg"], expected)
    assert (model[3].weight[0] == 0).all()


def test_masks_that_do_not_fit_change_nothing():
    c = _context(_net())
    good = {"0.weight": torch.zeros(4, 1, 3, 3, dtype=torch.bool)}
    for bad, message in (
        ({"3.weigth": torch.ones(5, 16, dtype=torch.bool)}, r"did you mean 3\.weight"),
        ({"3.weight": torch.ones(5, 16)}, "must be a bool tensor"),
        ({"3.weight": torch.ones(16, dtype=torch.bool)}, "shape"),
    ):
        with pytest.raises(UserError, match=message):
            c.set_masks(good | bad)
    assert c.masks.alive == c.masks.total


@pytest.mark.parametrize("name", ["random", "magnitude", "lamp"])
def test_gradual_methods_land_on_their_sparsity_exactly_and_never_revive(name):
    c = _context(_net(), steps=40)
    method = create(name, sparsity=0.9, updates=4, span=0.5)
    alive = [c.masks.alive]
    for step in range(c.steps):
        c.step = step
        before = {n: m.clone() for n, m in c.masks.items()}
        method.after_step(c)
        assert not any((c.masks[n] & ~before[n]).any() for n in before)
        alive.append(c.masks.alive)
    total = c.masks.total
    assert alive[-1] == round(0.1 * total)
    # Cubic: cuts after steps 5, 10, 15, 20 leave 1 - 0.9 (1 - (1 - i/4)^3).
    due = [round((1 - 0.9 * (1 - (1 - i / 4) ** 3)) * total) for i in range(5)]
    assert [alive[i] for i in (4, 5, 10, 15, 20)] == pytest.approx(due, abs=1)
    assert len(set(alive)) == 5


def test_a_score_and_a_schedule_of_a_readers_own():
    # Ten weights 1..10, in two updates. By its schedule a fifth goes at once and the rest of the half at the end; by
    # its score the largest go first.
    model = nn.Sequential(nn.Linear(10, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.arange(1.0, 11))
    c = _context(model, steps=2)
    method = Gradual(
        lambda weights: {n: -w.abs() for n, w in weights.items()}, 0.5, 2, 1.0, lambda done: 0.4 if done < 1 else 1.0
    )
    method.after_step(c)
    assert c.masks["0.weight"].flatten().tolist() == [True] * 8 + [False] * 2
    c.step = 1
    method.after_step(c)
    assert c.masks["0.weight"].flatten().tolist() == [True] * 5 + [False] * 5
    with pytest.raises(UserError, match="schedule must stay in"):
        Gradual(schedule=lambda done: 2 * done, updates=1, span=1.0).after_step(_context(_net(), steps=1))
    with pytest.raises(UserError, match=r"score of 0\.weight must have its shape"):
        Gradual(lambda weights: {}, updates=1, span=1.0).after_step(_context(_net(), steps=1))


def test_a_budget_of_a_readers_own():
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2))
    c = _context(model)
    create("set", sparsity=0.5, layers=lambda weights, density: {"0.weight": 3, "1.weight": 10}).start(c)
    assert c.masks.counts == {"0.weight": 3, "1.weight": 10}
    with pytest.raises(UserError, match=r"keep 0 to 10 weights of 1\.weight, got 11"):
        create("set", layers=lambda weights, density: {"0.weight": 3, "1.weight": 11}).start(c)


def test_a_checkpoint_keeps_no_settings_which_may_be_functions():
    method = create("stp", score=lambda weights: weights)
    assert set(method.state_dict()) == {"snapshot", "removed", "restarts"}


@pytest.mark.parametrize("name", ["imp", "stp"])
def test_rounds_that_reach_a_sparsity(name):
    assert create(name, cuts=2, sparsity=0.75).removed == 0.5
    assert create(name, cuts=3, sparsity=0.98).removed == 1 - (1 - 0.98) ** (1 / 3)
    assert create(name, share=0.1).removed == 0.1
    with pytest.raises(UserError, match=r"share 0\.1 and sparsity 0\.5"):
        create(name, share=0.1, sparsity=0.5)


def test_magnitude_by_hand():
    # Ten weights 1..10; half go: 1 to 5.
    model = nn.Sequential(nn.Linear(10, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.arange(1.0, 11))
    c = _context(model, steps=1)
    create("magnitude", sparsity=0.5, updates=1, span=1.0).after_step(c)
    assert c.masks["0.weight"].flatten().tolist() == [False] * 5 + [True] * 5


def test_stp_cuts_a_quarter_per_round_and_shortens_the_sequence():
    c = _context(_net(), T=8)
    c.decision_step = lambda lam, kl: 5 if (lam, kl) == (0.05, "smoothed") else 0
    method = create("stp", cuts=3, lam=0.05)
    plan = method.rounds(9)
    assert plan == [4, 3, 2] or sum(plan) == 9
    assert len(plan) == 3
    method.start(c)
    total, alive = c.masks.total, c.masks.alive
    assert alive == round(0.75 * total)
    for _ in plan[1:]:
        c.round += 1
        method.between_rounds(c)
    assert c.masks.alive == round(0.75 * round(0.75 * alive))
    assert (c.T, c.log["decision_step"]) == (5, 5)
    assert c.masks.sparsity == pytest.approx(rounds(0.25, 3), abs=0.02)


def test_stp_without_its_halves():
    c = _context(_net(), T=8)
    create("stp", cuts=1, share=0.0, temporal=False).start(c)
    assert (c.masks.alive, c.T) == (c.masks.total, 8)


def test_stp_rewinds_all_parameters_to_the_snapshot():
    model = _net()
    c = _context(model, T=8, steps_per_epoch=1)
    method = create("stp", cuts=2, rewind=1, temporal=False)
    assert method.restarts
    assert method.rounds(4) == [4, 3, 3]
    method.start(c)
    assert c.masks.alive == c.masks.total, "dense in round 0"
    early = {n: p.clone() for n, p in model.named_parameters()}
    method.after_step(c)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1)
    c.round = 1
    method.between_rounds(c)
    c.masks.apply(c.weights)
    for name, p in model.named_parameters():
        expected = early[name] * c.masks[name] if name in c.masks else early[name]
        assert torch.equal(p, expected), name
    assert c.masks.alive == round(0.75 * c.masks.total)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: create("lampp"), "did you mean lamp"),
        (lambda: create("lamp", sparsty=0.5), "did you mean sparsity"),
        (lambda: create("dense", sparsity=0.5), "known: none"),
        (lambda: create("lamp", sparsity=1.0), "sparsity must lie"),
        (lambda: create("lamp", updates=0), "updates"),
        (lambda: create("lamp", schedule="cube"), "did you mean cubic"),
        (lambda: create("stp", lam=-0.1), "lam must be at least 0"),
        (lambda: create("stp", cuts=0), "cuts"),
        (lambda: create("stp", temporal="maybe"), "temporal must be bool"),
        (lambda: create("stp", kl="smooth"), "did you mean smoothed"),
        (lambda: create("lamp", updates=2.5), "updates must be int"),
        (lambda: create("stp", score="lam"), "did you mean lamp"),
        (lambda: create("stp", cuts=14).rounds(5), "14 cuts need at least"),
        (lambda: create("stp", rewind=5).rounds(5), "cannot rewind"),
        (lambda: create("stp").start(_context(_net())), "outputs at every time step"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_stp_knows_the_kl_variants_of_the_measure():
    assert KL_VARIANTS == VARIANTS


def test_every_method_is_described_and_takes_its_settings():
    for name, about in available().items():
        assert len(about) > 20
        assert isinstance(settings(name), dict)
        create(name)
