"""Synthetic records whose right verdicts are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnbook import datasets
from snnbook.errors import UserError
from snnbook.experiments.key import ByKey, Key
from snnbook.experiments.record import Record

SETS = ("digits-dvs", "arms-dvs")
SEEDS = range(5)


def record(data="digits-dvs", arm="none", seed=0, profile="laptop", curves=None, layers=(), log=None, **metrics):
    """One record; `layers` are the shares of weights and of connections left, or pairs of these and firing rates."""
    return Record(
        id=f"{arm}-{data}-00000000",
        seed=seed,
        trial={"data": data, "method": arm},
        metrics=metrics,
        layers=[
            {
                "name": f"layer{i}",
                "kind": "conv" if i < len(layers) / 2 else "linear",
                "weights_alive": share * 1000,
                "weights_total": 1000,
                "connections_alive": share * 9000,
                "connections_total": 9000,
                "rate": rate,
            }
            for i, (share, rate) in enumerate(s if isinstance(s, tuple) else (s, None) for s in layers)
        ],
        curves=curves or {},
        log=log or {},
        environment={
            "profile": profile, "snnbook": "0.1.0", "python": "3.11.2", "torch": "2.13.0", "numpy": "2.4.0",
            "device": "cpu", "threads": 1, "native": True, "commit": "abc", "wall_s": 61.0,
        },
    )  # fmt: skip


@dataclass
class Results:
    """What pages use of the results of a study; `records` may be given by tuples."""

    records: Mapping[Any, list[Record]]

    def __post_init__(self):
        self.records = ByKey(self.records)

    @property
    def sets(self):
        return self.records.sets

    @property
    def seeds(self):
        return tuple(r.seed for r in next(iter(self.records.values())))

    def playing(self, dataset):
        for data in self.sets:
            if datasets.info(data).plays == dataset:
                return data
        raise UserError(f"none of {self.sets} plays {dataset}")


def study(arms, sets=SETS, seeds=SEEDS, **shared):
    """Results of `arms`: name → function of (data, seed) giving metrics, `layers` or `curves`."""
    return Results(
        {
            Key(data, arm): [record(data, arm, seed, **(shared | make(data, seed))) for seed in seeds]
            for data in sets
            for arm, make in arms.items()
        }
    )


def ablation(accuracy=(90, 91, 91.5, 92), sops=(100, 10, 60, 6), steps=(10, 10, 6, 5), noise=0.1, sets=SETS, **more):
    """A study like A.ablation; what a seed adds is the same in all arms, `noise` is not."""

    def arm(i):
        def make(data, seed):
            rng = np.random.default_rng([seed, i, len(data)])
            return {
                "top1": accuracy[i] + noise * rng.standard_normal() + seed,
                "sops": sops[i] * (1 + 0.01 * noise * rng.standard_normal()) * (1 + seed / 10),
                "T": steps[i],
                "sparsity": 98.2 if i in (1, 3) else 0.0,
                "mean_abs_weight": 0.05 if i in (0, 2) else 0.2 + 0.001 * seed,
                "median_abs_weight": 0.03 if i in (0, 2) else 0.1,
                "top_abs_mean": 0.15,
                "layers": (0.9, 0.5, 0.2, 0.01) if i in (1, 3) else (1.0, 1.0, 1.0, 1.0),
            } | more

        return make

    return study({name: arm(i) for i, name in enumerate(("none", "S", "T", "S+T"))}, sets)


def falling_kl(seed, T=10):
    """A KL curve that falls with time."""
    return np.exp(-np.arange(T) / 2) + 0.01 * seed


ALL_SETS = ("digits-clutter", *SETS)


def rounds(gain=None, layers=None, sets=ALL_SETS, cuts=14, noise=0.1, seeds=SEEDS, steps=10):
    """A study like A.rounds: the dense network has 90 + seed per cent, `gain` is arm → what each cut adds to that.

    The dense network has 10 steps, the others `steps`.
    """
    gain = {"IMP": -1.0, "S": -0.5, "S+T": 0.1} | (gain or {})

    def arm(i, name):
        def make(data, seed):
            rng = np.random.default_rng([seed, i, len(data)])
            each = [
                {
                    "T": steps if n else 10,
                    "sparsity": 100 * (1 - 0.75**n),
                    "connections_left": 100 * 0.8**n,
                    "sops": 1e5 * 0.85**n,
                    "top1": 90 + seed + n * gain[name] + (noise * rng.standard_normal() if n else 0.0),
                    "epochs": 10 * (n + 1),
                }
                for n in range(cuts + 1)
            ]
            shares = (layers or {}).get(name, (0.5, 0.4, 0.1, 0.2))
            return {"log": {"rounds": each}, "layers": shares, "top1": each[-1]["top1"], "samples_test": 440}

        return make

    return study({name: arm(i, name) for i, name in enumerate(gain)}, sets, seeds)


COMPARED_SETS = ("digits-clutter", "digits-dvs")


def compared(arms, sets=COMPARED_SETS, seeds=(0, 1, 2), parent=0):
    """Results of `arms`: (method, level) → metrics, which may depend on the seed.

    All arms but those from scratch go on from a start of `parent` epochs; "cpu" is the seconds of their own training.
    """
    records = {}
    for data in sets:
        for (method, level), make in arms.items():
            records[Key(data, method, level)] = found = []
            for seed in seeds:
                metrics = dict(make(seed) if callable(make) else make)
                cpu, scratch = metrics.pop("cpu", 10.0), metrics.pop("scratch", False)
                r = record(data, method, seed, **metrics, epochs_start=0 if scratch else parent)
                r.id = f"{method}-{data}-{level}"
                r.trial["settings"] = {"sparsity": metrics["sparsity"] / 100}
                r.environment["train_cpu_s"] = cpu
                found.append(r)
    return Results(records)


def arm_metrics(top1, sparsity, sops=1e5, connections=0.5, epochs=8, **more):
    return {
        "top1": top1, "sparsity": sparsity, "sops": sops, "connections_alive": 1000 * connections,
        "connections_total": 1000, "neurons_alive": 50, "neurons_total": 50, "epochs": epochs, "chance": 10.0,
        "samples_test": 1000, "top1_validation": top1 - 1, "weights_total": 1000,
        "weights_alive": 10 * (100 - sparsity),
    } | more  # fmt: skip


def small(**changes):
    """Dense, and two methods at 90 and 99 %; `b` is better by 2 points and costs twice the operations."""
    return compared(
        {
            ("dense", ""): arm_metrics(97, 0.0, 1e6, 1.0),
            ("magnitude", "90 %"): lambda s: arm_metrics(92 + s, 90.0, 1e5, 0.2),
            ("magnitude", "99 %"): lambda s: arm_metrics(82 + s, 99.0, 1e4, 0.02),
            ("lamp", "90 %"): lambda s: arm_metrics(94 + s, 90.0, 2e5, 0.4),
            ("lamp", "99 %"): lambda s: arm_metrics(84 + s, 99.0, 2e4, 0.04),
        }
        | changes.pop("more", {}),
        **changes,
    )
