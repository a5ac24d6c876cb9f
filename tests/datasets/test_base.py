"""What every data set promises, in memory or on disk."""

import gc
import multiprocessing
import os
import pickle
import traceback

import fake_data
import numpy as np
import pytest
import torch

from snnbook import datasets
from snnbook.datasets import FileSet, Info, MemorySet, PackedSet, base
from snnbook.errors import UserError

INFO = Info("made", "made for a test", True, 3, (1, 1, 1), {})
SORTED = [0, 0, 0, 0, 1, 1, 2]  # labels as on disk: one class after the other


def made(kind, labels=SORTED):
    """A set whose sample i is the number i."""
    x = torch.arange(float(len(labels))).view(-1, 1, 1, 1)
    rest = (labels, "fingerprint", lambda x, generator: x)
    if kind is PackedSet:
        numbers = np.arange(len(labels), dtype=np.uint8)[::-1].reshape(-1, 1, 1, 1)
        return PackedSet(INFO, "train", *rest, numbers, np.arange(len(labels))[::-1], base.Colours((0.0,), (1 / 255,)))
    return MemorySet(INFO, "train", x, *rest) if kind is MemorySet else FileSet(INFO, "train", *rest, x.__getitem__)


@pytest.mark.parametrize("kind", [MemorySet, FileSet, PackedSet])
def test_the_head_takes_the_classes_in_turn_as_far_as_they_last(kind):
    data = made(kind)
    assert data.head_indices(100).tolist() == [0, 4, 6, 1, 5, 2, 3]
    for n in (1, 3, 5, 7, 100):
        head = data.head(n)
        assert [round(float(x)) for x, _ in (head[i] for i in range(len(head)))] == [0, 4, 6, 1, 5, 2, 3][:n]
        assert head.y.tolist() == [0, 1, 2, 0, 1, 0, 0][:n]
        assert head.fingerprint == data.fingerprint
    assert [round(float(x)) for x, _ in (data.head(6).head(4)[i] for i in range(4))] == [0, 4, 6, 1]
    with pytest.raises(UserError, match="at least 1 sample, got 0"):
        data.head(0)


@pytest.mark.parametrize("name", ["digits-clutter", "digits-100", "digits-dvs", "arms-dvs"])
def test_the_head_of_an_embedded_set_is_its_first_samples(name):
    data = datasets.load(name, "validation")
    assert data.head_indices(10**6).tolist() == list(range(len(data)))
    assert torch.equal(data.head(3).x, data.x[:3])
    assert np.bincount(data.head(2 * data.num_classes).y).tolist() == [2] * data.num_classes


def on_disk(n=70):
    """A set whose sample i is a picture of the number i and of the process that read it."""
    return FileSet(INFO, "train", np.arange(n) % 3, "fingerprint", lambda x, generator: x, _sample)


def _sample(index):
    if index == 66:
        raise UserError("sample 66 cannot be read")
    return torch.tensor([float(index), float(os.getpid())]).view(2, 1, 1)


@pytest.fixture
def two_readers(monkeypatch):
    monkeypatch.setattr(base, "_processors", lambda: 2)
    monkeypatch.setattr(base, "WORTH_READERS", 2)


def shuffled(n):
    return torch.randperm(n, generator=torch.Generator().manual_seed(0)).split(8)


@pytest.mark.parametrize("readers", [0, 2])
def test_batches_are_the_same_however_many_processes_read_them(readers, two_readers, monkeypatch):
    monkeypatch.setattr(base, "READERS", readers)
    state, data, order = torch.get_rng_state(), on_disk(), shuffled(60)
    batches = list(data.read(iter(order)))
    for (x, y), index in zip(batches, order, strict=True):
        assert x.shape == (len(index), 2, 1, 1)
        assert torch.equal(x[:, 0].flatten(), index.float())
        assert torch.equal(y, data.y[index])
    processes = {int(p) for x, _ in batches for p in x[:, 1].flatten()}
    assert len(processes) == max(readers, 1)
    assert (os.getpid() in processes) == (readers == 0)
    assert torch.equal(torch.get_rng_state(), state)  # dropout draws from it


def test_real_files_are_read_alike(tmp_path, two_readers):
    data = datasets.load("dvs128_gesture", "train", root=fake_data.dvs128_gesture(tmp_path), T=2, size=8)
    order = shuffled(24)
    for (x, y), index in zip(data.read(order), order, strict=True):
        assert torch.equal(x, torch.stack([data[int(i)][0] for i in index]))
        assert torch.equal(y, data.y[index])


def test_few_batches_are_read_here():
    batches = on_disk().read(torch.arange(60).split(60 // (base.WORTH_READERS - 1) + 1))
    assert {int(p) for x, _ in batches for p in x[:, 1].flatten()} == {os.getpid()}


def test_a_process_that_may_have_no_children_reads_by_itself(two_readers):
    """Dask's workers are such processes."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=lambda: queue.put(sum(len(y) for _, y in on_disk().read(shuffled(60)))), daemon=True)
    child.start()
    assert queue.get() == 60
    child.join()
    assert child.exitcode == 0


def test_readers_and_files_are_gone_after_an_interruption(two_readers):
    def resources():
        gc.collect()
        return len(multiprocessing.active_children()), len(os.listdir("/proc/self/fd"))

    list(on_disk().read(shuffled(30)))  # whatever the library keeps open once
    before = resources()
    batches = on_disk().read(shuffled(60))
    next(batches)
    assert resources()[0] == before[0] + 2
    batches.close()
    children, files = resources()
    assert children == before[0]
    assert files <= before[1]


def test_an_error_of_a_reader_is_the_callers(two_readers):
    with pytest.raises(UserError, match="sample 66 cannot be read") as err:
        list(on_disk().read(torch.arange(70).split(10)))
    assert "\n" not in str(err.value)
    traceback.clear_frames(err.tb)  # ends the readers at once: these frames refer to them


def test_sets_on_disk_can_be_sent_to_other_processes(tmp_path, monkeypatch):
    """Where processes are spawned and not forked, the set is pickled."""
    fake_data.trusted(monkeypatch, fake_data.cifar10(tmp_path))
    fake_data.dvs128_gesture(tmp_path)
    for name in ("cifar10", "dvs128_gesture"):
        data = datasets.load(name, "train", root=tmp_path).head(4)
        assert torch.equal(pickle.loads(pickle.dumps(data))[3][0], data[3][0])
