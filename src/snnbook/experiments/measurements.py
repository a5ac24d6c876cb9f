"""From a trained network to its record: everything that a page may ask about it, and the machine that it ran on."""

from __future__ import annotations

import platform
import subprocess
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import snnbook
from snnbook import arithmetic, measure, native, pruning, tracing
from snnbook.experiments.extras import EXTRAS, N_SAMPLES_OPERATIONS, Finished
from snnbook.experiments.record import Record
from snnbook.feeding import first, to_network
from snnbook.neurons import LIF
from snnbook.training import outputs

N_SAMPLES_EXACT = 100  # test samples on which a smaller network is compared with the masked one
SHARE_LARGEST = 0.75**14  # of the weights, what paper A's 14 rounds leave: how many of the largest to compare


def measured(run: Finished, context: pruning.Context) -> Record:
    """The record of a finished run, without its environment; the test set is used here and nowhere else.

    run: with the network that was trained, masked. context: that of its training, whose network may be a smaller one.
    """
    x = to_network(first(run.sets["test"], N_SAMPLES_OPERATIONS)[0], run.T, run.device)
    operations, connections = measure.sops(run.model, x), measure.connections(run.model, x.shape)
    trained = outputs(run.model, run.sets["train"], run.T)
    metrics = _metrics(run, context, operations, connections, trained)
    log = {name: value for name, value in context.log.items() if name not in ("loss", "decision_step")}
    layers = _layers(run, context, operations, connections, measure.firing_rates(run.model, x))
    curves = _curves(run, context, trained)
    return Record(run.trial.id, run.seed, run.trial.config, metrics, layers, curves, log)


def _metrics(
    run: Finished,
    context: pruning.Context,
    operations: measure.SOPs,
    connections: measure.Connections,
    trained: tuple[Tensor, Tensor],
) -> dict[str, Any]:
    test, masks = run.sets["test"], context.masks
    labels = test.y
    weights = measure.weights(run.model, k=max(1, round(SHARE_LARGEST * masks.total)))
    metrics: dict[str, Any] = {
        "top1": measure.accuracy(run.logits, labels),
        "top5": measure.accuracy(run.logits, labels, k=min(5, test.num_classes)),
        "top1_train": measure.accuracy(*trained),
        "top1_validation": measure.accuracy(*outputs(run.model, run.sets["validation"], run.T)),
        "chance": 100 / test.num_classes,
        "samples_test": len(test),
        "T": run.T,
        "decision_step": context.log.get("decision_step"),
        "weights_alive": masks.alive,
        "weights_total": masks.total,
        "parameters_alive": weights.parameters_total - masks.total + masks.alive,
        "parameters_total": weights.parameters_total,
        "sparsity": 100 * masks.sparsity,
        "connections_alive": connections.alive,
        "connections_total": connections.total,
        "neurons_alive": connections.neurons_alive,
        "neurons_total": connections.neurons_total,
        "sops": operations.total,
        "sops_encoding": operations.encoding_sops,
        "macs_encoding": operations.encoding_macs,
        "accumulates": sum(operations.accumulates.values()),
        "multiplies": sum(operations.multiplies.values()),
        "mean_abs_weight": weights.mean_abs,
        "median_abs_weight": weights.median_abs,
        "top_abs_mean": weights.top_abs_mean,
        "epochs": len(context.log["loss"]),
        "epochs_start": run.trial.epochs_start,
    }
    metrics["sparsity_parameters"] = 100 * (1 - metrics["parameters_alive"] / metrics["parameters_total"])
    if context.model is not run.model:
        # In double precision: in single, sums over fewer channels round differently, and a spike may flip.
        exact = to_network(first(test, N_SAMPLES_EXACT)[0], run.T, run.device).double()
        with torch.no_grad():
            masked, smaller = (deepcopy(m).double().eval()(exact) for m in (run.model, context.model))
        metrics["parameters_smaller"] = sum(p.numel() for p in context.model.parameters())
        metrics["smaller_differs"] = float((masked - smaller).abs().max())
    return metrics


def _layers(
    run: Finished,
    context: pruning.Context,
    operations: measure.SOPs,
    connections: measure.Connections,
    rates: dict[str, float],
) -> list[dict[str, Any]]:
    modules = dict(run.model.named_modules())
    neurons = {name: layer.neuron for name, layer in tracing.trace_layers(run.model, context.samples(1)[0]).items()}
    return [
        {
            "name": name,
            "kind": "linear" if isinstance(modules[name], nn.Linear) else "conv",
            "weights_alive": int(context.masks[f"{name}.weight"].sum()),
            "weights_total": context.masks[f"{name}.weight"].numel(),
            "connections_alive": alive,
            "connections_total": total,
            "sops": operations.encoding_sops if name == operations.encoding_layer else operations.per_layer[name],
            "rate": rates.get(neurons[name]),
        }
        for name, (alive, total) in connections.per_layer.items()
    ]


def _curves(run: Finished, context: pruning.Context, trained: tuple[Tensor, Tensor]) -> dict[str, np.ndarray]:
    test, train_set = run.sets["test"], run.sets["train"]
    curves = {
        "loss": np.array(context.log["loss"]),
        "predictions": run.logits.mean(0).argmax(1).numpy().astype(np.uint16),
        "accuracy_test": measure.accuracy_per_step(run.logits, test.y).numpy(),
        "accuracy_train": measure.accuracy_per_step(*trained).numpy(),
    }
    if not test.static:
        for variant in measure.VARIANTS:
            curves[f"kl_{variant}"] = measure.kl_curve(*trained, variant).numpy()
        if run.trial.fisher_samples:
            x, y = first(train_set, run.trial.fisher_samples)
            trace = measure.fisher_trace(run.model, to_network(x, run.T, run.device), y.to(run.device))
            curves["fisher"] = trace.numpy()
    for name in run.trial.extras:
        if (extra := EXTRAS[name].measure) is not None:
            curves |= extra(run)
    if context.masks.alive < context.masks.total:
        curves |= {f"mask/{name}": np.packbits(mask.cpu().numpy()) for name, mask in context.masks.items()}
    for name, module in run.model.named_modules():
        if isinstance(module, LIF) and module.mask is not None:
            curves[f"neurons/{name}"] = np.packbits(module.mask.cpu().numpy())
    return curves


def environment(profile: str = "", device: str = "cpu") -> dict[str, Any]:
    """Versions and machine, as they go into a record; see `record.ENVIRONMENT`."""
    return {
        "profile": profile,
        "snnbook": snnbook.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "native": native.available(),
        "machine": f"{platform.system()} {platform.machine()}",
        "processor": arithmetic.name(),
        "device": torch.cuda.get_device_name() if device != "cpu" and torch.cuda.is_available() else device,
        "threads": 1,
        "commit": _commit(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@cache
def _commit() -> str:
    """The commit of the code, as it was when this process first asked; "" outside a repository."""
    try:
        here = Path(__file__).parent
        git = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=10"]
        return subprocess.run(git, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
