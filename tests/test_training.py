"""The loop: what it learns, what it lends, what it refuses."""

import multiprocessing

import pytest
import torch
from torch import nn

from snnbook import datasets, networks
from snnbook.datasets import FileSet, MemorySet, base
from snnbook.errors import UserError
from snnbook.feeding import ahead, batches, first, to_network
from snnbook.pruning import Pruner, create
from snnbook.training import LOSSES, Recipe, every_step, loss_on, mean_output, outputs, squared_error, tet, train


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


class Pairs(torch.utils.data.Dataset):
    """A data set of a reader's own: samples and labels as they are."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def _events(n=7, T=2, dtype=torch.float32):
    return (torch.rand(n, T, 2, 4, 4, generator=torch.Generator().manual_seed(0)) * 3).to(dtype)


class Steps(nn.Module):
    """One linear layer with a batch norm; `shape` makes what it puts out of logits [T, N, K]."""

    def __init__(self, shape=lambda logits: logits):
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.norm, self.out, self.shape = nn.Linear(32, 8), nn.BatchNorm1d(8), nn.Linear(8, 5), shape

    def forward(self, x):
        rows = self.norm(self.fc(x.flatten(2)).flatten(0, 1))
        return self.shape(self.out(rows).unflatten(0, x.shape[:2]))


def _own(x, y=None, model=None, batch_size=3, T=1, epochs=1, method=None):
    y = [i % 5 for i in range(len(x))] if y is None else y
    pruner = method or create("magnitude", sparsity=0.5)
    recipe = Recipe(epochs=epochs, batch_size=batch_size, lr=0.01)
    return train(model or Steps(), Pairs(x, y), recipe, pruner, torch.Generator().manual_seed(0), T)


class Sizes(Pruner):
    """Remembers the number of samples of every batch."""

    def start(self, c):
        self.seen = []

    def before_step(self, c):
        self.seen.append(len(c.batch[1]))


@pytest.mark.supports(
    "Shapes", "a last batch of one sample before a batch norm", "accepted: it joins the batch before it, with a warning"
)
def test_a_last_sample_that_a_batch_norm_cannot_take_alone_joins_the_batch_before_it():
    sizes = Sizes()
    with pytest.warns(UserWarning, match="the last sample joins the batch before it"):
        c = _own(_events(7), epochs=2, method=sizes)
    assert sizes.seen == [3, 4, 3, 4]
    assert (c.steps_per_epoch, c.steps) == (2, 4)
    assert [len(b) for b in batches(7, 3, least=2)] == [3, 4]
    assert [len(b) for b in batches(1, 3, least=2)] == [1]


@pytest.mark.parametrize(("T", "n"), [(2, 7), (1, 8)])
def test_a_last_batch_that_all_norms_take_stays_as_it_is(T, n):
    sizes = Sizes()
    _own(_events(n, T), T=T, method=sizes)
    assert sizes.seen == [3, 3, n - 6]


def test_batches_fit_the_steps_that_a_method_leaves():
    class Shorter(Sizes):
        def before_step(self, c):
            super().before_step(c)
            c.T = 1 if c.step == 5 else c.T

    sizes = Shorter()
    with pytest.warns(UserWarning, match="the last sample joins"):
        _own(_events(7), T=2, epochs=3, method=sizes)
    assert sizes.seen == [3, 3, 1, 3, 3, 1, 3, 4]


@pytest.mark.supports(
    "Shapes",
    "batches of one sample before a batch norm",
    "refused",
    says="a batch of one sample is too small for this network",
)
@pytest.mark.parametrize(("n", "batch_size"), [(1, 3), (4, 1)])
def test_batches_of_one_sample_are_refused_where_a_batch_norm_needs_more(n, batch_size):
    model = Steps()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(UserError, match="a batch of one sample is too small for this network"):
        _own(_events(n), model=model, batch_size=batch_size)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in before.items())


@pytest.mark.supports("Shapes", "frames of any type of number", "accepted in a training as float32")
@pytest.mark.parametrize("dtype", [torch.float64, torch.uint8, torch.int64, torch.bfloat16, torch.bool])
def test_frames_of_any_type_train_as_float32(dtype):
    x = _events(6).to(dtype)
    one, other = (_own(data, epochs=2).model.state_dict() for data in (x, x.float()))
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    sparse = x.movedim(2, -1).contiguous().movedim(-1, 2)  # the same samples, not contiguous
    assert all(torch.equal(value, other[key]) for key, value in _own(sparse, epochs=2).model.state_dict().items())
    assert outputs(Steps(), Pairs(x.numpy() if dtype != torch.bfloat16 else x, [0] * 6), T=1)[0].shape == (1, 6, 5)


@pytest.mark.parametrize(
    ("message", "broken"),
    [
        (r"T must be a whole number of time steps, at least 1, got 0", {"T": 0}),
        (r"at least 1, got -1", {"T": -1}),
        (r"at least 1, got 2\.0", {"T": 2.0}),
        (r"T is 3 time steps, and samples of the shape \(2, 2, 4, 4\) have 2", {"T": 3}),
        (r"the data set is empty", {"x": _events(0)}),
        (r"label 5 is none of the network's 5 classes, 0 to 4", {"y": [5] * 7}),
        (r"label -1 is none", {"y": [-1] * 7}),
        (r"the label of sample 0 must be a whole number.* got 0\.5", {"y": [0.5] * 7}),
        (r"the label of sample 0 must be", {"y": torch.eye(7)}),
        (
            r"a sample is \[C, H, W\] or \[T, C, H, W\], and these have the shape \(2, 4\)",
            {"x": _events(7)[:, 0, 0, :2]},
        ),
        (r"shape \(1, 2, 2, 3, 4\) .* in fc \(Linear\): .* \(2x24 and 32x8\)", {"x": _events(7)[..., :3, :]}),
        (r"logits \[T, N, K\].* for 2 samples this one puts out a tensor \(2, 5\)", {"model": Steps(lambda z: z[0])}),
        (r"logits \[T, N, K\].* a tensor \(2, 1, 5\)", {"model": Steps(lambda z: z.transpose(0, 1))}),
        (r"logits \[T, N, K\].* a tuple of 2 \(choose one of them", {"model": Steps(lambda z: (z, z))}),
        (r"logits \[T, N, K\].* a list", {"model": Steps(list)}),
        (r"logits \[T, N, K\].* of type torch.int64", {"model": Steps(lambda z: z.long())}),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_changed(message, broken):
    model = broken.setdefault("model", Steps())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(UserError, match=message):
        _own(**{"x": _events(7)} | broken)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in before.items())


def test_outputs_of_nothing_are_refused():
    for message, x, T in (("empty", _events(0), 1), ("at least 1, got 0", _events(3), 0), ("have 2", _events(3), 3)):
        with pytest.raises(UserError, match=message):
            outputs(Steps(), Pairs(x, [0] * len(x)), T)
    with pytest.raises(UserError, match="a network must put out logits"):
        outputs(Steps(lambda z: z[0]), Pairs(_events(3), [0] * 3), 1)


def test_a_layer_that_knows_no_bfloat16_is_named():
    class Pair(nn.Linear):
        def __init__(self):
            super().__init__(32, 8)
            self.pair = nn.Bilinear(8, 8, 5)

        def forward(self, x):
            x = super().forward(x.flatten(2))
            return self.pair(x, x)

    with pytest.raises(UserError, match=r"in bfloat16, in pair \(Bilinear\): "):
        train(Pair(), Pairs(_events(6), [0] * 6), Recipe(precision="bfloat16"), create("dense"), torch.Generator(), 1)


def test_samples_of_two_shapes_and_labels_beyond_the_classes_are_named_where_they_are_read():
    with pytest.raises(UserError, match=r"sample \d has the shape \(2, 2, 4, .\), and sample \d \(2, 2, 4, .\)"):
        _own([*_events(5), _events(1)[0, ..., :3]])
    with pytest.raises(UserError, match="label 9 is none of the network's 5 classes"):
        _own(_events(6), [0, 1, 2, 3, 4, 9])


@pytest.mark.supports("Weights", "frozen weights (requires_grad=False)", "left alone, and named in a warning")
def test_frozen_weights_are_named_once_and_stay_as_they_are():
    model = Steps()
    before = model.fc.weight.requires_grad_(False).clone()
    with pytest.warns(UserWarning, match=r"frozen weights are left alone .*: fc\.weight$") as seen:
        c = _own(_events(6), model=model, epochs=3)
    assert len([w for w in seen if "frozen" in str(w.message)]) == 1
    assert torch.equal(model.fc.weight, before)
    assert list(c.masks) == ["out.weight"]


def test_kernels_lie_channels_last_where_there_is_one_channel_too():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(12, 5), nn.Unflatten(1, (1, 5)))
    model.append(Transposed())
    _own(_events(6)[:, 0, :1], model=model)
    assert model[0].weight.stride() == (9, 1, 3, 1), "on which the order of sums depends"


class Transposed(nn.Module):
    def forward(self, x):
        return x.transpose(0, 1)
