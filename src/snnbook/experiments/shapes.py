"""The layers of a record's network, built again from its configuration: sizes that the record does not hold."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from snnbook import datasets, measure
from snnbook.experiments.trials import Trial
from snnbook.joules import Shape

if TYPE_CHECKING:
    from snnbook.report.records import RecordLike

# What of a configuration decides the layers.
DECIDING = ("data", "data_settings", "network", "width", "network_settings", "T")


def shapes(record: RecordLike) -> dict[str, Shape]:
    """Layer → its shape in the network before pruning, in order of execution; no data are read.

    Raises UserError for a configuration that this version does not know.
    """
    chosen = {name: record.trial[name] for name in DECIDING}
    return dict(_built(json.dumps(chosen, sort_keys=True)))


@lru_cache(maxsize=32)
def _built(chosen: str) -> dict[str, Shape]:
    trial = Trial(**json.loads(chosen))
    info = datasets.info(trial.data)
    sample = (info.shape[-3], *trial.image_size)
    model = trial.build(info.num_classes, sample[0], trial.image_size)
    return measure.shapes(model, torch.zeros((1, *sample) if info.static else (trial.T, 1, *sample)))
