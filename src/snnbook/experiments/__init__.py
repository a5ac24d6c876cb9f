"""Trials, their records, and running many of them."""

from snnbook.experiments.key import ByKey, Key
from snnbook.experiments.queue import plan, run_many
from snnbook.experiments.record import Record
from snnbook.experiments.results import Results, open_store, results, results_of, run_studies, run_study
from snnbook.experiments.run import run
from snnbook.experiments.shapes import shapes
from snnbook.experiments.store import Store
from snnbook.experiments.studies import Study, study
from snnbook.experiments.trials import Trial

__all__ = [
    "ByKey",
    "Key",
    "Record",
    "Results",
    "Store",
    "Study",
    "Trial",
    "open_store",
    "plan",
    "results",
    "results_of",
    "run",
    "run_many",
    "run_studies",
    "run_study",
    "shapes",
    "study",
]
