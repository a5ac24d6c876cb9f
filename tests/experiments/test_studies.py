"""Studies: there at every profile, changed by options where they apply, and chosen by tuning where they say so."""

from dataclasses import replace

import pytest

from snnbook import paths, pruning
from snnbook.errors import UserError
from snnbook.experiments import Key, Store, study
from snnbook.experiments.profiles import PROFILES, SEEDS
from snnbook.experiments.studies import STUDIES, applicable, names, register
from snnbook.experiments.studies.compare import TUNING_SEEDS, chosen, plans


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", names())
def test_every_study_exists_at_every_profile(name, profile):
    chosen = study(name, profile)
    assert chosen.trials
    assert all(key.data == trial.data for key, trial in chosen.trials.items()), "a key names what is run"
    assert len(chosen.seeds) >= (1 if STUDIES[name].seeds else 2 if profile == "smoke" else 3)


def test_the_arms_of_the_ablation_differ_in_nothing_but_their_pruning():
    trials = study("A.ablation").trials
    for data in trials.sets:
        arms = [trials[data, arm] for arm in ("none", "S", "T", "S+T")]
        assert len({replace(t, settings={}) for t in arms}) == 1
        assert [(dict(t.settings)["share"], dict(t.settings)["temporal"]) for t in arms] == [
            (0.0, False),
            (0.25, False),
            (0.0, True),
            (0.25, True),
        ]


def test_options_reach_the_trials_that_take_them():
    changed = study("A.ablation", lam=0.2, T=8, epochs=20).trials["arms-dvs", "T"]
    assert (dict(changed.settings)["lam"], changed.T, changed.epochs) == (0.2, 8, 20)
    assert (changed.start.T, changed.start.epochs) == (8, 12), "the start sees the data, not the recipe"
    assert applicable("A.curves", {"lam": 0.2, "T": 8}) == {"T": 8}
    for call in (lambda: study("A.curves", lam=0.2), lambda: applicable("A.curves", {"lamb": 1})):
        with pytest.raises(UserError, match="unknown option"):
            call()
    for wrong in ({"epochs": "many"}, {"T": 2.5}, {"augment": "maybe"}, {"lam": float("nan")}, {"kl": "foo"}):
        with pytest.raises(UserError, match=r"must be|unknown KL variant"):
            study("A.ablation", **wrong)
    with pytest.raises(UserError, match=r"did you mean .*A\.ablation"):
        study("A.ablations")
    with pytest.raises(UserError, match="did you mean laptop"):
        study("A.ablation", "laptopp")


def test_root_device_and_data_settings_reach_the_start_too():
    chosen = study("compare", "paper", root="here", device="cuda", size=48).trials["cifar10_dvs", "lamp", "98 %"]
    for trial in (chosen, chosen.start):
        assert (trial.root, trial.device, dict(trial.data_settings)) == ("here", "cuda", {"size": 48})


def test_other_data_give_other_keys():
    chosen = study("lamp", data="digits-100")
    assert chosen.trials.sets == ["digits-100"]
    assert chosen.playing("CIFAR100") == "digits-100"


def test_a_name_is_taken_once():
    with pytest.raises(UserError, match="there is a study 'lamp' already"):
        register("lamp")(lambda profile: {})


# --- the comparison ---------------------------------------------------------------------------------------


def epochs(trial):
    """Epochs of all trainings of a trial, those of the network it starts from included."""
    return sum(trial.rounds) + trial.epochs_start


def test_every_method_takes_part():
    assert set(plans()) == set(pruning.available())


@pytest.mark.parametrize("profile", PROFILES)
def test_all_get_the_same_epochs_at_all_levels(profile):
    trials = study("compare", profile).trials
    for data in trials.sets:
        mine = {key: trial for key, trial in trials.items() if key.data == data and "a round" not in key.level}
        allowed = epochs(mine[Key(data, "dense")])
        # Rounds that rewind are trainings of their own and need not add up exactly; they may not get more.
        assert all(0.95 * allowed <= epochs(trial) <= allowed for trial in mine.values())
        for method, plan in plans().items():
            levels = [key.level for key in mine if key.arm == method]
            assert levels == (list(plan.levels)[: 2 if profile == "smoke" else None] or [""])
            assert method == "dense" or len(plan.levels) >= 4


def test_settings_are_those_that_did_best_in_tuning():
    """Read off the records, by another road than `chosen`: the labels of the study of tuning."""
    tuning, store = study("compare.tuning"), Store(paths.results("laptop"))
    for method, plan in plans().items():
        # stds has nothing else to choose, gradr nothing at all: their levels are their strength.
        assert len(plan.candidates) == {"dense": 0, "gradr": 0, "stds": 2}.get(method, 4), method
        keys = [key for key in tuning.trials if key.arm == method]
        scores = [store.get(tuning.trials[key].id, TUNING_SEEDS[0]).metrics["top1_validation"] for key in keys]
        assert chosen(method) == (plan.candidates[scores.index(max(scores))] if scores else {})


def test_seeds_of_tuning_and_of_the_comparison_cannot_meet():
    assert not set(TUNING_SEEDS) & {seed for seeds in SEEDS.values() for seed in seeds}
    assert study("compare.tuning", seeds=(0, 1)).seeds == TUNING_SEEDS, "whatever a page asks for"
    with pytest.raises(UserError, match="seed 100 was used for tuning"):
        study("compare", seeds=(99, 100))


def test_without_records_of_tuning_nothing_is_chosen(tmp_path):
    with pytest.raises(UserError, match=r"snnbook run compare\.tuning"):
        study("compare", "laptop", store=Store(tmp_path))
