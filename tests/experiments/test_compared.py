"""The comparison of all methods: everybody takes part, with the same epochs, and as tuned."""

from __future__ import annotations

import pytest

from snnbook import pruning
from snnbook.experiments import Store, study
from snnbook.experiments.compared import ARMS, described
from snnbook.experiments.studies import COMPARED_ON, SEEDS, results_folder


def epochs(trial):
    """Epochs of all trainings of a trial, those of the network it starts from included."""
    own = sum(pruning.create(trial.method, **dict(trial.settings)).rounds(trial.epochs))
    return own + (epochs(trial.start) if trial.start else 0)


def test_every_method_takes_part():
    assert set(ARMS) == set(pruning.available())


def test_a_rung_for_each_sparsity_or_as_many_of_its_own():
    found = study("compare", "laptop").trials
    for role in COMPARED_ON:
        for method, arm in ARMS.items():
            rungs = [label for label in found if label[:2] == (role, method) and "a round" not in label[2]]
            assert len(rungs) == (1 if method == "dense" else len(arm.ladder) or 1)
            assert method == "dense" or len(rungs) >= 4


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_all_get_the_same_epochs(profile):
    found = study("compare", profile).trials
    for role in COMPARED_ON:
        spent = {label: epochs(t) for label, t in found.items() if label[0] == role and "a round" not in label[2]}
        allowed = spent[role, "dense", ""]
        # Rounds that rewind are trainings of their own and need not add up exactly; they may not get more.
        assert all(0.95 * allowed <= n <= allowed for n in spent.values()), spent


def test_settings_are_those_that_did_best_in_tuning():
    tuning, store = study("compare.tuning", "laptop"), Store(results_folder("laptop"))
    assert not set(tuning.seeds) & set(SEEDS["laptop"])
    for method, arm in ARMS.items():
        if not arm.candidates:
            continue
        # stds has nothing else to choose, gradr nothing at all: their ladders are their strength.
        assert len(arm.candidates) == (2 if method == "stds" else 4), f"{method}: as many candidates as any other"
        scores = {}
        for candidate in arm.candidates:
            record = store.get(tuning.trials[COMPARED_ON[0], method, described(candidate)].id, tuning.seeds[0])
            assert record is not None, f"{method}: {candidate} was never run"
            scores[described(candidate)] = record.metrics["top1_validation"]
        chosen = described(arm.candidates[arm.best])
        assert scores[chosen] == max(scores.values()), f"{method}: {scores}"


def test_a_description_names_every_setting():
    assert described({"span": 0.6, "updates": 12}) == "span 0.6, updates 12"
