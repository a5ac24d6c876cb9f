"""Running trials: one with `run`, many with `run_many` (serially, or on Dask workers).

A finished trial is not run again; a killed run loses the trials that were running and nothing else.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

import snnbook
from snnbook import datasets, measure, native, networks, pruning, tracing
from snnbook.errors import UserError, unknown
from snnbook.experiments.record import Record
from snnbook.experiments.store import Store
from snnbook.experiments.studies import Study, applicable, results_folder, study
from snnbook.experiments.trials import Trial
from snnbook.experiments.trials import options as parse_options
from snnbook.experiments.trials import seeds as parse_seeds
from snnbook.neurons import LIF
from snnbook.training import fetch, outputs, to_network, train

State = dict[str, torch.Tensor]
Job = tuple[Trial, int]


def run(
    trial: Trial, seed: int, store: Store | None = None, profile: str = "",
    progress: Callable[[int], None] = lambda samples: None,
) -> Record:  # fmt: skip
    """Run one trial with one seed: train, prune, measure, record.

    With a store, a record that is there is returned at once, a new one is written there, and the network of
    `trial.start` is taken from it if it is there. One thread is used throughout, so that the same seed gives the same
    record, bit for bit, on one machine.
    """
    found = store.get(trial.id, seed) if store is not None else None
    return found if found is not None else _run(trial, seed, store, profile, progress)[0]


def trained(trial: Trial, seed: int, store: Store) -> tuple[Record, nn.Module]:
    """The record of a trial and its network, in evaluation mode; trained even where the store has the record."""
    record, _, model = _run(trial, seed, store, "", lambda samples: None)
    return record, model


def _run(
    trial: Trial, seed: int, store: Store | None, profile: str, progress: Callable[[int], None]
) -> tuple[Record, State, nn.Module]:
    """The record, the weights of the network as it was built, and the network that is left: a smaller one for some."""
    began, threads = time.perf_counter(), torch.get_num_threads()
    native.keep_memory()
    device = check_device(os.environ.get("SNNBOOK_DEVICE", "cpu"))
    torch.set_num_threads(1)
    try:
        sets = _load(trial)
        torch.manual_seed(seed)
        model = network(trial, sets["train"]).to(device)
        start = _start(trial, seed, store, profile, progress)
        if start is not None:
            model.load_state_dict(start)
        torch.manual_seed(seed)  # dropout draws from it, and training the start may have used it up
        generator = torch.Generator().manual_seed(seed)
        method = pruning.create(trial.method, **dict(trial.settings))
        unfinished = store.unfinished(trial.id, seed) if store is not None else None
        training = time.process_time()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "pruning would")  # the record says which layers kept their last weight
            watch = partial(_round, sets["test"]) if "rounds" in trial.details else lambda c: None
            context = train(model, sets["train"], trial, method, generator, trial.T, progress, unfinished, watch=watch)
        training = time.process_time() - training
        record = _measured(trial, seed, model, sets, context)
        record.environment = environment(profile, device)
        record.environment |= {
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
        return record, state, context.model.eval()
    finally:
        torch.set_num_threads(threads)


def check_device(device: str) -> str:
    """`device` if it can be trained on. Raises UserError for a GPU that torch does not see."""
    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise UserError(
            f"device {device!r} is not there: torch sees {'a GPU' if torch.cuda.is_available() else 'no GPU'}"
        )
    return device


def _load(trial: Trial) -> dict[str, datasets.FrameSet]:
    """The three splits of a trial; SNNBOOK_ROOT says where data sets that are read from disk are."""
    info = datasets.info(trial.data)
    options: dict[str, Any] = {} if info.static else {"T": trial.T}
    if "root" in info.options and "SNNBOOK_ROOT" in os.environ:
        options["root"] = os.environ["SNNBOOK_ROOT"]
    sets = {split: datasets.load(trial.data, split, **options) for split in ("train", "validation", "test")}
    return {split: data.head(trial.train_size) for split, data in sets.items()} if trial.train_size else sets


def network(trial: Trial, data: datasets.FrameSet) -> nn.Module:
    """The network of a trial before training, for samples like those of `data`."""
    channels, height, width = data[0][0].shape[-3:]
    settings = dict(trial.network_settings)
    return networks.build(trial.network, data.num_classes, channels, (height, width), trial.width, trial.T, **settings)


def _start(trial: Trial, seed: int, store: Store | None, profile: str, progress: Callable[[int], None]) -> State | None:
    if trial.start is None:
        return None
    state = store.load_weights(trial.start.id, seed) if store else None
    return state if state is not None else _run(trial.start, seed, store, profile, progress)[1]


MEASURED = 500  # test samples for operations and firing rates; accuracy always uses the whole test set
EXACTLY = 100  # test samples on which a smaller network is compared with the masked one
SHOWN = 16  # test samples whose outputs are kept
DESCRIBED = 200  # training samples for the change of the read-out's weights
KEPT = 0.75**14  # share of the weights that paper A's 14 rounds leave: how many of the largest weights to compare


def _round(test: datasets.FrameSet, c: pruning.Context) -> None:
    """Log what a round has come to; nothing in training may read it."""
    logits, labels = outputs(c.model, test, c.T)
    x = to_network(fetch(test, torch.arange(min(MEASURED, len(test))))[0], c.T, next(c.model.parameters()).device)
    connections = measure.connections(c.model, x.shape)
    found = {
        "T": c.T,
        "sparsity": 100 * c.masks.sparsity,
        "connections_left": 100 * connections.alive / connections.total,
        "sops": measure.sops(c.model, x).total,
        "top1": measure.accuracy(logits, labels),
        "epochs": len(c.log["loss"]),
    }
    c.log.setdefault("rounds", []).append(found)


def _measured(
    trial: Trial, seed: int, model: nn.Module, sets: dict[str, datasets.FrameSet], context: pruning.Context
) -> Record:
    """Everything a page may ask about a trained network; the test set is used here and nowhere else."""
    T, test, train_set = context.T, sets["test"], sets["train"]
    model.eval()
    device = next(model.parameters()).device
    logits, labels = outputs(model, test, T)
    x = to_network(fetch(test, torch.arange(min(MEASURED, len(test))))[0], T, device)
    sops, connections = measure.sops(model, x), measure.connections(model, x.shape)
    weights = measure.weights(model, k=max(1, round(KEPT * context.masks.total)))
    rates = measure.firing_rates(model, x)
    behind = {name: trace.neuron for name, trace in tracing.trace_layers(model, context.samples(1)[0]).items()}
    metrics: dict[str, Any] = {
        "top1": measure.accuracy(logits, labels),
        "top5": measure.accuracy(logits, labels, k=min(5, test.num_classes)),
        "top1_validation": measure.accuracy(*outputs(model, sets["validation"], T)),
        "chance": 100 / test.num_classes,
        "samples_test": len(test),
        "T": T,
        "decision_step": context.log.get("decision_step"),
        "weights_alive": context.masks.alive,
        "weights_total": context.masks.total,
        "parameters_alive": weights.parameters_total - context.masks.total + context.masks.alive,
        "parameters_total": weights.parameters_total,
        "sparsity": 100 * context.masks.sparsity,
        "connections_alive": connections.alive,
        "connections_total": connections.total,
        "neurons_alive": connections.neurons_alive,
        "neurons_total": connections.neurons_total,
        "sops": sops.total,
        "sops_encoding": sops.encoding_sops,
        "macs_encoding": sops.encoding_macs,
        "mean_abs_weight": weights.mean_abs,
        "median_abs_weight": weights.median_abs,
        "top_abs_mean": weights.top_abs_mean,
        "epochs": len(context.log["loss"]),
    }
    if context.model is not model:
        # In double precision: in single, sums over fewer channels round differently, and a spike may flip.
        exact = to_network(fetch(test, torch.arange(min(EXACTLY, len(test))))[0], T, device).double()
        with torch.no_grad():
            one, two = (deepcopy(m).double().eval()(exact) for m in (model, context.model))
        metrics["parameters_smaller"] = sum(p.numel() for p in context.model.parameters())
        metrics["smaller_differs"] = float((one - two).abs().max())
    log = {name: value for name, value in context.log.items() if name not in ("loss", "decision_step")}
    metrics["sparsity_parameters"] = 100 * (1 - metrics["parameters_alive"] / metrics["parameters_total"])
    modules = dict(model.named_modules())
    layers = [
        {
            "name": name,
            "kind": "linear" if isinstance(modules[name], nn.Linear) else "conv",
            "weights_alive": int(context.masks[f"{name}.weight"].sum()),
            "weights_total": context.masks[f"{name}.weight"].numel(),
            "connections_alive": alive,
            "connections_total": total,
            "sops": sops.encoding_sops if name == sops.encoding_layer else sops.per_layer[name],
            "rate": rates.get(behind[name]),
        }
        for name, (alive, total) in connections.per_layer.items()
    ]
    curves = {
        "loss": np.array(context.log["loss"]),
        "predictions": logits.mean(0).argmax(1).numpy().astype(np.uint16),
        "accuracy_test": measure.accuracy_per_step(logits, labels).numpy(),
    }
    if not test.static:
        trained = outputs(model, train_set, T)
        curves["accuracy_train"] = measure.accuracy_per_step(*trained).numpy()
        for variant in measure.VARIANTS:
            curves[f"kl_{variant}"] = measure.kl_curve(*trained, variant).numpy()
        if trial.fisher_samples:
            sample, y = fetch(train_set, torch.arange(min(trial.fisher_samples, len(train_set))))
            curves["fisher"] = measure.fisher_trace(model, to_network(sample, T, device), y.to(device)).numpy()
    if "weights" in trial.details:
        curves["magnitudes"] = measure.magnitudes(model)
    if "outputs" in trial.details:
        curves["outputs"] = logits[:, :SHOWN].numpy()
    if "taylor" in trial.details:
        sample = to_network(fetch(train_set, torch.arange(min(DESCRIBED, len(train_set))))[0], T, device)
        kl, fisher = measure.taylor(model, sample, torch.Generator().manual_seed(seed))
        curves |= {"taylor_kl": kl.numpy(), "taylor_fisher": fisher.numpy()}
    if context.masks.alive < context.masks.total:
        curves |= {f"mask/{name}": np.packbits(mask.cpu().numpy()) for name, mask in context.masks.items()}
    for name, module in modules.items():
        if isinstance(module, LIF) and module.mask is not None:
            curves[f"neurons/{name}"] = np.packbits(module.mask.cpu().numpy())
    return Record(trial.id, seed, trial.config, metrics, layers, curves, log)


def environment(profile: str = "", device: str = "cpu") -> dict[str, Any]:
    """Versions and machine, as they go into a record."""
    return {
        "profile": profile,
        "snnbook": snnbook.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "native": native.available(),
        "machine": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "device": torch.cuda.get_device_name() if device != "cpu" and torch.cuda.is_available() else device,
        "threads": 1,
        "commit": _commit(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """Instruction sets that change rounding: records are compared bit for bit only where this is the same."""
    return torch.backends.cpu.get_cpu_capability()


def _commit() -> str:
    try:
        here = Path(__file__).parent
        git = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=10"]
        return subprocess.run(git, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


@dataclass
class Results:
    """The records of a study by label, ordered by seed, and how many trials were run for them."""

    study: Study
    records: dict[tuple[str, ...], list[Record]]
    ran: int = 0
    reused: int = 0

    def values(self, label: tuple[str, ...], metric: str) -> np.ndarray:
        """One metric over the seeds, `[seeds]`; None becomes NaN. Raises UserError for unknown names."""
        if label not in self.records:
            raise unknown("label", label, map(str, self.records))
        try:
            return np.array([r.metrics[metric] for r in self.records[label]], dtype=float)
        except KeyError:
            raise unknown("metric", metric, self.records[label][0].metrics) from None

    def curves(self, label: tuple[str, ...], name: str) -> np.ndarray:
        """One curve over the seeds, `[seeds, *]`."""
        return np.stack([r.curves[name] for r in self.records[label]])


def run_study(chosen: Study, store: Store, jobs: int = 2, cluster: str = "", progress: bool = True) -> Results:
    """The results of a study: what the store has is reused, the rest is run."""
    wanted = [(trial, seed) for trial in chosen.trials.values() for seed in chosen.seeds]
    ran, reused = run_many(wanted, store, chosen.profile, jobs, cluster, progress)
    found = {label: [_found(store, t, s) for s in chosen.seeds] for label, t in chosen.trials.items()}
    return Results(chosen, found, ran, reused)


def _found(store: Store, trial: Trial, seed: int) -> Record:
    record = store.get(trial.id, seed)
    if record is None:
        raise UserError(f"the record of {trial.id}, seed {seed}, is gone from {store.path}")
    return record


def asked(name: str, profile: str, seeds: str, options: str) -> Study:
    """A study from a page's parameters, which are text; options that only other studies take are left out."""
    text = str(seeds)  # papermill hands over a lone number as one
    given = applicable(name, parse_options(options))
    return study(name, profile, parse_seeds(text) if text else (), **given)


def open_store(profile: str, folder: str = "") -> Store:
    """The records under `folder` ("" = where the profile keeps them). Raises UserError for an unknown profile."""
    return Store(folder or results_folder(profile))


def results(
    name: str, profile: str = "laptop", seeds: str = "", results: str = "", jobs: int = 2, options: str = ""
) -> Results:
    """What a notebook calls: the records of a study, given the notebook's own parameters as text.

    `results` is the folder of records ("" = the profile's); trials that it lacks are run first. Options that only
    other studies take are left out.
    """
    chosen = asked(name, profile, seeds, options)
    return run_study(chosen, open_store(profile, results), jobs, progress=False)


def run_many(
    wanted: Iterable[Job],
    store: Store,
    profile: str = "",
    jobs: int = 2,
    cluster: str = "",
    progress: bool = True,
) -> tuple[int, int]:
    """Run every trial and seed that the store lacks; returns how many were run and how many reused.

    `jobs=1` runs here, one after the other; more start that many local Dask workers of one thread each; `cluster` is
    the address of a Dask scheduler to use instead, whose workers must see the store's folder.
    All that can run is run before an error of one of them is raised.
    """
    unique = {(trial.id, seed): (trial, seed) for trial, seed in wanted}
    missing = [job for key, job in unique.items() if not store.has(*key)]
    reused = len(unique) - len(missing)
    if not missing:
        return 0, reused
    store.check_writable()
    plan = _with_starts(missing, store)
    for trial in {(t.data, t.T): t for t, _ in plan}.values():
        _load(trial)  # generate and cache once, before the workers race for it
    bar = tqdm(
        total=sum(t.cost for t, _ in plan),
        disable=not progress,
        unit="",
        bar_format=_BAR,
        file=sys.stderr,
        mininterval=0.1 if sys.stderr.isatty() else 15,
    )
    with bar:
        failed = (
            _serial(plan, store, profile, bar)
            if jobs == 1 and not cluster
            else _dask(plan, store, profile, jobs, cluster, bar)
        )
    if failed:
        names = "; ".join(f"{id}, seed {seed}: {why}" for (id, seed), why in failed.items())
        raise UserError(f"{len(failed)} of {len(plan)} trials failed, the others are stored: {names}")
    return len(plan), reused


_BAR = "{desc} {percentage:3.0f}%|{bar:30}| {elapsed} elapsed, {remaining} left"


def _with_starts(missing: Sequence[Job], store: Store) -> list[Job]:
    """The missing jobs behind the ones they start from, where the record or the network of those is not there."""
    plan: dict[tuple[str, int], Job] = {}

    @cache
    def there(trial: Trial, seed: int) -> bool:
        return store.has(trial.id, seed) and store.load_weights(trial.id, seed) is not None

    def add(trial: Trial, seed: int) -> None:
        if trial.start is not None and not there(trial.start, seed):
            add(trial.start, seed)
        plan.setdefault((trial.id, seed), (trial, seed))

    for trial, seed in missing:
        add(trial, seed)
    return list(plan.values())


def _title(bar: tqdm, done: int, total: int) -> None:
    bar.set_description_str(f"{done} of {total} trials", refresh=sys.stderr.isatty() or done == total)


def _serial(plan: list[Job], store: Store, profile: str, bar: tqdm) -> dict[tuple[str, int], str]:
    failed: dict[tuple[str, int], str] = {}
    for done, (trial, seed) in enumerate(plan):
        _title(bar, done, len(plan))
        end = bar.n + trial.cost

        def advance(samples: int, steps: int = trial.T, end: float = end) -> None:
            bar.update(min(samples * steps, max(0.0, end - bar.n)))  # the cost is an estimate: never beyond it

        try:
            _run(trial, seed, store, profile, advance)
        except UserError as err:
            failed[trial.id, seed] = str(err)
        bar.update(end - bar.n)
    _title(bar, len(plan), len(plan))
    return failed


_ONE_AT_A_TIME = threading.Lock()  # a worker with several threads has only one global random generator


def _work(
    trial: Trial, seed: int, path: str, profile: str, settings: dict[str, str], start: Any
) -> tuple[str, int, str]:
    """One trial in a worker, with the caller's device and root; `start` only makes it wait for its starting trial."""
    try:
        with _ONE_AT_A_TIME:
            os.environ |= settings
            _run(trial, seed, Store(path), profile, lambda samples: None)
        return trial.id, seed, ""
    except UserError as err:
        return trial.id, seed, str(err)
    except Exception:
        return trial.id, seed, traceback.format_exc(limit=-3)


def _dask(
    plan: list[Job], store: Store, profile: str, jobs: int, address: str, bar: tqdm
) -> dict[tuple[str, int], str]:
    from distributed import Client, LocalCluster, as_completed

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    local = None if address else LocalCluster(
        n_workers=jobs, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0", silence_logs=40
    )  # fmt: skip
    failed: dict[tuple[str, int], str] = {}
    settings = {k: os.environ[k] for k in ("SNNBOOK_DEVICE", "SNNBOOK_ROOT") if k in os.environ}
    try:
        with Client(local or address, timeout=10) as client:
            futures: dict[tuple[str, int], Any] = {}
            for trial, seed in plan:
                start = futures.get((trial.start.id, seed)) if trial.start else None
                futures[trial.id, seed] = client.submit(
                    _work, trial, seed, str(store.path.resolve()), profile, settings, start,
                    key=f"{trial.id}-{seed}", priority=trial.cost + (1e12 if trial.start is None else 0), pure=False,
                )  # fmt: skip
            costs = {(t.id, s): t.cost for t, s in plan}
            _title(bar, 0, len(plan))
            for done, future in enumerate(as_completed(futures.values()), 1):
                id, seed, why = future.result()
                if why:
                    failed[id, seed] = why
                bar.update(costs[id, seed])
                _title(bar, done, len(plan))
    except (OSError, TimeoutError, ValueError) as err:
        raise UserError(f"no Dask scheduler at {address}: {err}" if address else f"no local workers: {err}") from err
    finally:
        if local is not None:
            local.close()
    return failed
