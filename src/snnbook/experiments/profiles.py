"""Profiles and roles: at which scale a study runs, and which data, network and recipe play a paper's.

A role is named by the paper's data set; at the profiles smoke and laptop an embedded set plays it. Settings of the
embedded sets were tuned on their validation splits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from snnbook.errors import unknown
from snnbook.experiments.trials import Trial

PROFILES = {
    "smoke": "a few seconds a page: tiny subsets and networks, to see that everything runs",
    "laptop": "the book's default: embedded data, real training, minutes",
    "paper": "the papers' data sets, networks and epochs; needs the data, and a GPU helps",
}
SEEDS = {"smoke": (0, 1), "laptop": (0, 1, 2, 3, 4), "paper": (0, 1, 2, 3, 4)}


def check_profile(profile: str) -> None:
    """Raise UserError for a name that is not of a profile."""
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)


@dataclass(frozen=True)
class Role:
    """A data set of the papers with the network that they train on it.

    laptop, paper: fields of the dense trial at these profiles, `data` among them. The profile smoke runs the trial of
    laptop with fewer samples, time steps and epochs and a narrower network.
    """

    laptop: Mapping[str, Any]
    paper: Mapping[str, Any]


_READOUT = {"vote": 0, "hidden": (128,), "norm_hidden": True, "gain": 2.0, "bias": False, "dropout": 0.0}

ROLES = {
    "CIFAR10": Role(
        laptop={
            "data": "digits-clutter",
            "T": 4,
            "network": "cifarnet",
            "network_settings": _READOUT | {"convolutions": (16, 16, "M", 32, 64, "M", 64, 128)},
            "epochs": 12,
            "batch_size": 50,
        },
        paper={
            "data": "cifar10",
            "T": 8,
            "network": "cifarnet",
            "epochs": 300,
            "batch_size": 16,
            "lr": 1e-4,
            "loss": "squared_error",
        },
    ),
    "CIFAR10-DVS": Role(
        laptop={
            "data": "digits-dvs",
            "T": 10,
            "network": "cifar10dvs",
            "network_settings": _READOUT | {"convolutions": (16, "M", 32, "M", 64, 64)},
            "epochs": 10,
            "batch_size": 24,
            "fisher_samples": 256,
        },
        paper={
            "data": "cifar10_dvs",
            "T": 10,
            "network": "cifar10dvs",
            "epochs": 300,
            "batch_size": 16,
            "lr": 1e-3,
            "fisher_samples": 256,
        },
    ),
    "DVS128-Gesture": Role(
        laptop={
            "data": "arms-dvs",
            "T": 20,
            "network": "dvsgesture",
            "network_settings": _READOUT | {"convolutions": (16, "M", 32, "M", 64, 64, 64)},
            "epochs": 12,
            "batch_size": 20,
            "fisher_samples": 256,
        },
        paper={
            "data": "dvs128_gesture",
            "T": 20,
            "network": "dvsgesture",
            "epochs": 300,
            "batch_size": 8,
            "lr": 1e-3,
            "fisher_samples": 256,
        },
    ),
    # A plain network of six convolutions in the part of VGG16: it learns a quarter of a hundred classes in minutes.
    "CIFAR100": Role(
        laptop={
            "data": "digits-100",
            "T": 4,
            "network": "cifarnet",
            "network_settings": _READOUT | {"hidden": (64,), "convolutions": (16, 32, "M", 32, 32, "M", 64, 64)},
            "epochs": 12,
        },
        paper={
            "data": "cifar100",
            "T": 5,
            "network": "vgg16",
            "epochs": 300,
            "batch_size": 128,
            "optimizer": "sgd",
            "lr": 0.3,
            "weight_decay": 5e-4,
        },
    ),
}
EVENT_ROLES = ("CIFAR10-DVS", "DVS128-Gesture")


def dense(role: str | Role, profile: str) -> Trial:
    """The dense network of a role, which every method starts from; a paper's file may hand in a role of its own.

    Raises UserError for an unknown role or profile.
    """
    check_profile(profile)
    if isinstance(role, str):
        if role not in ROLES:
            raise unknown("role", role, ROLES)
        return _dense(role, profile)
    return _scaled(role, profile)


@cache
def _dense(role: str, profile: str) -> Trial:
    return _scaled(ROLES[role], profile)


def _scaled(role: Role, profile: str) -> Trial:
    if profile == "paper":
        return Trial(**role.paper)
    trial = Trial(**role.laptop)
    if profile == "smoke":
        sizes: dict[str, Any] = {"T": min(trial.T, 4), "width": 0.25, "epochs": 2, "batch_size": 16, "train_size": 44}
        trial = replace(trial, **sizes, fisher_samples=min(trial.fisher_samples, 2))
    return trial


def trained_on(parent: Trial, method: str, profile: str, **settings: Any) -> Trial:
    """A trial that goes on from the dense trial `parent`; settings: those of the method.

    All methods get the same number of epochs at a profile, and the recipe of the dense trial.
    """
    epochs = {"smoke": 3, "laptop": 18, "paper": 300}[profile]
    return replace(
        parent,
        method=method,
        settings=tuple(settings.items()),
        epochs=epochs,
        fisher_samples=0,
        start=parent,
    )
