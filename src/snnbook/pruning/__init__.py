"""Pruning methods by name, each one file; scores, schedules and budgets are values handed in."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

from snnbook.errors import unknown
from snnbook.pruning import scores
from snnbook.pruning.budgets import global_masks
from snnbook.pruning.methods.admm import ADMM
from snnbook.pruning.methods.criticality import CriticalityPruning
from snnbook.pruning.methods.criticality_structured import CriticalityStructured
from snnbook.pruning.methods.deepr import DeepR
from snnbook.pruning.methods.esl_snn import ESLSNN
from snnbook.pruning.methods.gradr import GradR
from snnbook.pruning.methods.gradual import Gradual
from snnbook.pruning.methods.granet import GraNet
from snnbook.pruning.methods.greg import GReg
from snnbook.pruning.methods.imp import IMP
from snnbook.pruning.methods.ndsnn import NDSNN
from snnbook.pruning.methods.nslim import NSlim
from snnbook.pruning.methods.rcmo import RCMO
from snnbook.pruning.methods.rigl import RigL
from snnbook.pruning.methods.sccd import SCCD
from snnbook.pruning.methods.set import SET
from snnbook.pruning.methods.slamp import SLAMP
from snnbook.pruning.methods.stds import STDS
from snnbook.pruning.methods.stp import STP
from snnbook.pruning.methods.unstructured import Unstructured
from snnbook.pruning.parts.cut import cut
from snnbook.pruning.pruner import Context, Masks, Pruner, prunable

__all__ = [
    "Context",
    "Masks",
    "Pruner",
    "available",
    "create",
    "cut",
    "global_masks",
    "prunable",
    "scores",
    "settings",
]


@dataclass(frozen=True)
class Method:
    """A name's entry: the class, what it fixes of its settings, and one line for the reader."""

    cls: type[Pruner]
    about: str
    fixed: dict[str, Any] = field(default_factory=dict)


METHODS = {
    "dense": Method(Pruner, "no pruning: the network every method is compared with"),
    "random": Method(Gradual, "gradual pruning by noise (baseline)", {"score": "random"}),
    "magnitude": Method(Gradual, "gradual global magnitude pruning (Zhu & Gupta 2017)", {"score": "magnitude"}),
    "lamp": Method(
        Gradual,
        "gradual layer-adaptive magnitude pruning (Lee et al. 2020; paper A Eq. 1)",
        {"score": "lamp"},
    ),
    "imp": Method(IMP, "iterative magnitude pruning with late rewinding: lottery tickets (Kim et al. 2022)"),
    "stp": Method(STP, "spatio-temporal pruning: LAMP rounds and the KL decision step (paper A)"),
    "slamp": Method(SLAMP, "LAMP weighted by how input adds up over time, a reconstruction (paper D)"),
    "unstructured": Method(Unstructured, "weight and neuron masks under a penalty on synaptic operations (paper B)"),
    "deepr": Method(DeepR, "deep rewiring: a random walk at a fixed number of weights (Bellec et al. 2018)"),
    "gradr": Method(GradR, "gradient rewiring: hidden values learn on below zero (Chen et al. 2021)"),
    "stds": Method(STDS, "state transition of dendritic spines: a rising soft threshold (Chen et al. 2022)"),
    "admm": Method(ADMM, "alternating directions towards a sparse projection, then a hard cut (Deng et al. 2021)"),
    "set": Method(SET, "sparse evolutionary training: sign-wise drop, random growth (Mocanu et al. 2018)"),
    "esl_snn": Method(ESLSNN, "evolutionary structure learning for spiking networks (Shen et al. 2023)"),
    "rigl": Method(RigL, "sparse training that grows by gradient (Evci et al. 2020)"),
    "granet": Method(GraNet, "gradual magnitude pruning with neuroregeneration (Liu et al. 2021)"),
    "ndsnn": Method(NDSNN, "sparse training with ever fewer weights (Huang et al. 2023)"),
    "criticality": Method(CriticalityPruning, "magnitude pruning; weights of critical neurons return (paper C)"),
    "criticality_structured": Method(
        CriticalityStructured, "channels by batch norm, the most critical regenerated (paper C Algorithm 2)"
    ),
    "rcmo": Method(RCMO, "minimax pruning under a resource constraint (Chen et al. 2023)"),
    "sccd": Method(SCCD, "channels by batch norm and firing rate, a reconstruction (Meng et al. 2023)"),
    "nslim": Method(NSlim, "network slimming: channels by batch norm under L1 (Liu et al. 2017)"),
    "greg": Method(GReg, "channels under a growing L2 penalty (Wang et al. 2021)"),
}


def available() -> dict[str, str]:
    """Method name → one-line description and paper."""
    return {name: method.about for name, method in METHODS.items()}


def settings(name: str) -> dict[str, Any]:
    """The settings that method `name` takes, and their defaults. Raises UserError for an unknown name."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    method = METHODS[name]
    parameters = inspect.signature(method.cls).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in method.fixed}


def create(name: str, **chosen) -> Pruner:
    """The method `name` with its settings. Raises UserError for unknown names, settings and values out of range."""
    known = settings(name)
    for key in chosen:
        if key not in known:
            raise unknown(f"setting of {name}", key, known or ["none"])
    method = METHODS[name]
    return method.cls(**method.fixed, **chosen)
