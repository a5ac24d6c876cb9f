"""Running one trial with one seed: load, build, train with its method, measure, record."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import nn

from snnbook import datasets, native, pruning
from snnbook.errors import UserError
from snnbook.experiments.extras import Finished, log_round
from snnbook.experiments.measurements import environment, measured
from snnbook.experiments.record import Record
from snnbook.experiments.store import Store
from snnbook.experiments.trials import Trial
from snnbook.training import outputs, train

State = dict[str, torch.Tensor]
Progress = Callable[[int], None]


def _silent(samples: int) -> None:
    """Progress that nobody watches."""


def run(trial: Trial, seed: int, store: Store | None = None, profile: str = "", progress: Progress = _silent) -> Record:
    """Run one trial with one seed: train, prune, measure, record.

    With a store, a record that is there is returned at once, a new one is written there, and the network of
    `trial.start` is taken from it if it is there. One thread is used throughout, so that the same seed gives the same
    record, bit for bit, on one machine. `progress` is called after every batch with its number of samples.
    Raises UserError for a device or files that are not there, and where a training diverges.
    """
    stored = store.get(trial.id, seed) if store is not None else None
    return stored if stored is not None else _run(trial, seed, store, profile, progress).record


def trained(trial: Trial, seed: int, store: Store) -> tuple[Record, nn.Module]:
    """The record of a trial and its network in evaluation mode, which is trained even where the store has the record.

    Raises UserError as `run` does.
    """
    ended = _run(trial, seed, store)
    return ended.record, ended.model


@dataclass(frozen=True)
class _Ended:
    """A run that ended: its record, the weights of the network as it was built, and the network that is left."""

    record: Record
    state: State
    model: nn.Module


def _run(trial: Trial, seed: int, store: Store | None, profile: str = "", progress: Progress = _silent) -> _Ended:
    began, threads = time.perf_counter(), torch.get_num_threads()
    native.keep_memory()
    device = check_device(trial.device)
    torch.set_num_threads(1)
    try:
        sets = load_sets(trial)
        torch.manual_seed(seed)
        model = network(trial, sets["train"]).to(device)
        start = _start(trial, seed, store, profile, progress)
        if start is not None:
            model.load_state_dict(start)
        torch.manual_seed(seed)  # dropout draws from it, and training the start may have used it up
        generator = torch.Generator().manual_seed(seed)
        method = pruning.create(trial.method, **dict(trial.settings))
        unfinished = store.unfinished(trial.id, seed) if store is not None else None
        watch = partial(log_round, sets["test"]) if "rounds" in trial.extras else lambda c: None
        training = time.process_time()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "pruning would")  # the record says which layers kept their last weight
            context = train(model, sets["train"], trial, method, generator, trial.T, progress, unfinished, watch=watch)
        training = time.process_time() - training
        model.eval()
        logits, _ = outputs(model, sets["test"], context.T)
        record = measured(Finished(trial, seed, model, sets, logits, context.T), context)
        record.environment = environment(profile, device) | {
            "data": sets["train"].fingerprint,
            "wall_s": round(time.perf_counter() - began, 1),
            "train_cpu_s": round(training, 1),
        }
        state = {k: v.detach().cpu() for k, v in model.state_dict().items()}
        if store is not None and unfinished is not None:
            if trial.method == "dense":  # others start from it
                store.save_weights(trial.id, seed, state)
            store.put(record)  # after the weights: a record says that all of its trial is there
            unfinished.unlink(missing_ok=True)
        return _Ended(record, state, context.model.eval())
    finally:
        torch.set_num_threads(threads)


def check_device(device: str) -> str:
    """`device` if it can be trained on. Raises UserError for a GPU that torch does not see."""
    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise UserError(
            f"device {device!r} is not there: torch sees {'a GPU' if torch.cuda.is_available() else 'no GPU'}"
        )
    return device


def load_sets(trial: Trial) -> dict[str, datasets.FrameSet]:
    """The three splits of a trial, cut to `train_size`: split → data. Raises UserError for files that are not there."""
    splits = ("train", "validation", "test")
    sets = {split: _load(trial.data, split, tuple(trial.data_options.items())) for split in splits}
    return {split: data.head(trial.train_size) for split, data in sets.items()} if trial.train_size else sets


@lru_cache(maxsize=3)  # the splits of one data set, which the trials of a study run on one after the other
def _load(name: str, split: str, options: tuple[tuple[str, Any], ...]) -> datasets.FrameSet:
    return datasets.load(name, split, **dict(options))


def network(trial: Trial, data: datasets.FrameSet) -> nn.Module:
    """The network of a trial before training, for samples like those of `data`."""
    channels, height, width = data[0][0].shape[-3:]
    return trial.build(data.num_classes, channels, (height, width))


def _start(trial: Trial, seed: int, store: Store | None, profile: str, progress: Progress) -> State | None:
    if trial.start is None:
        return None
    state = store.load_weights(trial.start.id, seed) if store else None
    return state if state is not None else _run(trial.start, seed, store, profile, progress).state
