"""The loop: what it learns, what it lends, what it refuses."""

import multiprocessing

import pytest
import torch

from snnbook import datasets, networks
from snnbook.datasets import FileSet, MemorySet, base
from snnbook.errors import UserError
from snnbook.pruning import Pruner, create
from snnbook.training import (
    LOSSES,
    Recipe,
    ahead,
    batches,
    every_step,
    first,
    loss_on,
    mean_output,
    outputs,
    squared_error,
    tet,
    to_network,
    train,
)


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits-clutter", "validation").head(60)


def _network(seed=0):
    torch.manual_seed(seed)
    changes = {"convolutions": (8, "M", 8), "hidden": (16,), "vote": 0, "norm_hidden": True, "gain": 2.0}
    return networks.build("cifarnet", 10, 1, 12, T=2, **changes)


def _train(data, pruner=None, seed=0, **recipe):
    recipe = Recipe(**{"epochs": 2, "batch_size": 20, **recipe})
    return train(_network(), data, recipe, pruner or Pruner(), torch.Generator().manual_seed(seed), T=2)


def test_losses_by_hand():
    logits, y = torch.tensor([[[2.0, 0.0]], [[0.0, 0.0]]]), torch.tensor([0])
    log2, e = torch.tensor(2.0).log(), torch.tensor([1.0, 2.0]).exp()
    torch.testing.assert_close(mean_output(logits, y), -(e[0] / (e[0] + 1)).log())
    torch.testing.assert_close(every_step(logits, y), (log2 - (e[1] / (e[1] + 1)).log()) / 2)
    torch.testing.assert_close(squared_error(logits, y), torch.tensor(0.0))
    # squared distances from 1: (2-1)^2 = 1, and 1 for each of the three zeros; from 0: 4, 0, 0, 0
    torch.testing.assert_close(tet(logits, y), 0.999 * every_step(logits, y) + 0.001 * 1)
    torch.testing.assert_close(tet(logits, y, lam=0.5, phi=0.0), 0.5 * every_step(logits, y) + 0.5 * 1)
    torch.testing.assert_close(tet(logits, y, lam=0.0), every_step(logits, y))


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_the_loss_falls(data, loss):
    curve = _train(data, epochs=6, loss=loss).log["loss"]
    assert curve[-1] < 0.95 * curve[0]


def test_the_same_generator_gives_the_same_network(data):
    a, b, c = (_train(data, seed=s).model.state_dict() for s in (0, 0, 1))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not all(torch.equal(a[k], c[k]) for k in a)


def test_hooks_are_called_in_order(data):
    calls = []

    class Spy(Pruner):
        restarts = True

        def rounds(self, epochs):
            return [epochs, 1]

        def __getattribute__(self, name):
            if name in ("start", "penalty", "after_backward", "after_step", "between_rounds", "finish"):
                calls.append(name)
            return super().__getattribute__(name)

    c = _train(data, Spy(), epochs=1)
    step = ["penalty", "after_backward", "after_step"]
    assert calls == ["start", *step * 3, "between_rounds", *step * 3, "finish"]
    assert (c.step, c.steps, c.steps_per_epoch) == (3, 3, 3)


def test_pruned_weights_are_zero_after_training(data):
    c = _train(data, create("lamp", sparsity=0.9, updates=2), optimizer="sgd", lr=0.1, weight_decay=1e-3)
    assert c.masks.alive == round(0.1 * c.masks.total)
    assert all((p[~c.masks[name]] == 0).all() for name, p in c.weights.items())
    assert all((p[c.masks[name]] != 0).all() for name, p in c.weights.items())


def test_the_decision_step_is_lent(data):
    events = datasets.load("digits-dvs", "validation", T=3).head(20)
    net = networks.build("cifar10dvs", 10, 2, 16, width=1 / 16, T=3, bias=False, dropout=0.0)
    c = train(net, events, Recipe(epochs=1, batch_size=10), create("stp", cuts=1), torch.Generator(), T=3)
    assert c.log["decision_step"] == c.T
    assert 1 <= c.T <= 3


def test_the_penalty_counts(data):
    class Decay(Pruner):
        def penalty(self, c):
            return 10 * sum(w.square().sum() for w in c.weights.values())

    free, bound = _train(data), _train(data, Decay())
    size = [sum(w.square().sum() for w in c.weights.values()) for c in (free, bound)]
    assert size[1] < size[0]


def test_outputs_leave_the_network_as_it_was(data):
    net = _network().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    logits, labels = outputs(net, data, T=2, batch_size=7)
    assert logits.shape == (2, 60, 10)
    assert torch.equal(labels, data.y)
    assert net.training
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def test_to_network_takes_the_first_steps_time_first():
    x = torch.arange(2 * 3 * 2 * 4 * 4.0).view(2, 3, 2, 4, 4)
    y = to_network(x, 2)
    assert y.shape == (2, 2, 2, 4, 4)
    assert torch.equal(y[1, 0], x[0, 1])
    assert to_network(x[:, 0], 2).shape == (2, 2, 4, 4)


def test_batches_cover_everything_once():
    order = torch.cat(list(batches(11, 4, torch.Generator().manual_seed(0))))
    assert sorted(order.tolist()) == list(range(11))
    assert [len(b) for b in batches(11, 4)] == [4, 4, 3]


def test_ahead_keeps_the_order_and_is_one_item_ahead():
    made = []

    def items():
        for i in range(5):
            made.append(i)
            yield i

    for i in ahead(items()):
        assert i in made
        assert len(made) <= i + 2  # never more than the one that comes next
    assert made == [0, 1, 2, 3, 4]
    assert list(ahead(iter(()))) == []


def test_an_error_while_a_batch_is_made_reaches_the_loop():
    def items():
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(ahead(items()))


def test_the_method_cannot_change_the_order_of_samples(data):
    class Greedy(Pruner):
        def after_step(self, c):
            torch.rand(1, generator=c.generator)

    calm, greedy = (_train(data, pruner, augment=True).model.state_dict() for pruner in (Pruner(), Greedy()))
    assert all(torch.equal(calm[k], greedy[k]) for k in calm)


def test_bfloat16_trains_and_keeps_its_weights_in_float32(data):
    c = _train(data, epochs=6, precision="bfloat16")
    assert c.log["loss"][-1] < 0.95 * c.log["loss"][0]
    assert {p.dtype for p in c.model.parameters()} == {torch.float32}
    x, y = to_network(data.x[:20], 2), data.y[:20]
    half, single = (loss_on(c.model, x, y, mean_output, precision) for precision in ("bfloat16", "float32"))
    assert half.dtype == torch.float32
    assert half != single
    torch.testing.assert_close(half, single, rtol=0.2, atol=0.1)


def test_a_loss_that_is_not_finite_stops(data):
    with pytest.raises(UserError, match="loss is"):
        _train(data, optimizer="sgd", lr=1e38)


@pytest.mark.parametrize(
    "bad",
    [{"epochs": 0}, {"batch_size": 0}, {"lr": -1.0}, {"loss": "ce"}, {"optimizer": "lion"}, {"precision": "int8"}],
)
def test_recipes_out_of_range(bad):
    with pytest.raises(UserError):
        Recipe(**bad)


def test_every_round_is_watched_as_it_ends(data):
    """Two cuts of a half: 0, 50 and 75 % are gone as the rounds end, and watching changes nothing."""
    seen, recipe = [], Recipe(epochs=2, batch_size=20)

    def watch(c):
        seen.append((c.round, len(c.log["loss"]), round(c.masks.sparsity, 3)))
        outputs(c.model, data, c.T)

    def trained(**kw):
        method = create("imp", cuts=2, share=0.5, rewind=1)
        return train(_network(), data, recipe, method, torch.Generator().manual_seed(0), T=2, **kw).model.state_dict()

    watched, alone = trained(watch=watch), trained()
    assert seen == [(1, 2, 0.0), (2, 3, 0.5), (2, 4, 0.75)]
    assert all(torch.equal(v, alone[k]) for k, v in watched.items())


def test_methods_are_lent_the_head_of_a_set_that_is_sorted_by_class(data):
    order = data.y.argsort(stable=True)
    by_class = MemorySet(data.info, "train", data.x[order], data.y[order], "", data._augmentation)
    lent = []

    class Looks(Pruner):
        def finish(self, c):
            lent.extend(c.samples(12))

    _train(by_class, Looks(), epochs=1)
    assert lent[1].tolist() == [*range(10), 0, 1]
    assert torch.equal(lent[0], by_class.head(12).x)
    assert torch.equal(lent[0], first(by_class, 12)[0])


def test_a_set_on_disk_trains_as_one_in_memory(data):
    """The order of samples and their augmentation are the loop's, whoever reads them."""
    on_disk = FileSet(data.info, "train", data.y, "", data._augmentation, data.x.__getitem__)
    one, other = (_train(d, create("lamp", sparsity=0.9, updates=2)) for d in (data, on_disk))
    assert one.log == other.log
    assert all(torch.equal(v, other.model.state_dict()[k]) for k, v in one.model.state_dict().items())
    logits, labels = outputs(one.model, on_disk, T=2, batch_size=20)
    assert torch.equal(logits, outputs(one.model, data, T=2, batch_size=20)[0])
    assert torch.equal(labels, data.y)


def test_processes_that_read_for_a_training_end_without_an_error(data, monkeypatch):
    """With an error they would end the training too, whenever torch sees it."""
    monkeypatch.setattr(base, "WORTH_READERS", 2)
    monkeypatch.setattr(base, "_processors", lambda: 2)
    before, seen = set(multiprocessing.active_children()), set()

    class Watching(Pruner):
        def before_step(self, c):
            seen.update(multiprocessing.active_children())

    _train(FileSet(data.info, "train", data.y, "", data._augmentation, data.x.__getitem__), Watching())
    assert [reader.exitcode for reader in seen - before] == [0] * 4, "two in each of two epochs"
