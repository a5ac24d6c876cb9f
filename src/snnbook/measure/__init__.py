"""Measurements on any network of convolutions, linear layers and neurons; no method is known here."""

from snnbook.measure.accuracy import accuracy, accuracy_per_step
from snnbook.measure.energy import counts, energy, shapes
from snnbook.measure.operations import SOPs, sops
from snnbook.measure.rates import firing_rates
from snnbook.measure.structure import MAGNITUDES, Connections, Weights, connections, magnitudes, weights
from snnbook.measure.timesteps import TAYLOR, VARIANTS, decision_timestep, fisher_trace, kl_curve, normalise, taylor

__all__ = [
    "MAGNITUDES",
    "TAYLOR",
    "VARIANTS",
    "Connections",
    "SOPs",
    "Weights",
    "accuracy",
    "accuracy_per_step",
    "connections",
    "counts",
    "decision_timestep",
    "energy",
    "firing_rates",
    "fisher_trace",
    "kl_curve",
    "magnitudes",
    "normalise",
    "shapes",
    "sops",
    "taylor",
    "weights",
]
