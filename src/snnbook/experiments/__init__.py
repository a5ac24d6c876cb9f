"""Trials, their records, and running many of them."""

from snnbook.experiments.record import Record
from snnbook.experiments.runner import Results, open_store, results, run, run_many, run_study
from snnbook.experiments.store import Store
from snnbook.experiments.studies import Study, study
from snnbook.experiments.trials import Trial

__all__ = [
    "Record",
    "Results",
    "Store",
    "Study",
    "Trial",
    "open_store",
    "results",
    "run",
    "run_many",
    "run_study",
    "study",
]
