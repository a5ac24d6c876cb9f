"""Studies: there at every profile, changed by options where they apply, and chosen by tuning where they say so."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from snnbook import paths, pruning
from snnbook.errors import UserError
from snnbook.experiments import Key, Store, study
from snnbook.experiments.profiles import PROFILES, SEEDS, dense
from snnbook.experiments.studies import STUDIES, Entry, applicable, compare, names, register, run_before
from snnbook.experiments.studies.compare import TUNING_SEEDS, chosen, edges, plans
from snnbook.pruning.registry import SPANS, ComparisonPlan


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
        first_two = slice(2 if profile == "smoke" else None)
        inner = slice(1, -1) if profile == "laptop" and data == "digits-dvs" else first_two
        for method, plan in plans().items():
            levels = [key.level for key in mine if key.arm == method]
            told = all("sparsity" in settings for settings in plan.levels.values())
            assert levels == (list(plan.levels)[inner if told else first_two] or [""])
            assert method == "dense" or len(plan.levels) >= 4


def test_every_method_has_equally_many_candidates_and_none_is_chosen_at_an_edge():
    for method, plan in plans().items():
        assert len(plan.candidates) == (0 if method in ("dense", "gradr") else 9), method
        spans = [c["span"] for c in plan.candidates if "span" in c]
        assert not spans or set(spans) == set(SPANS), method
        assert edges(method) == [], method


def test_settings_are_those_that_did_best_in_tuning():
    """Read off the records, by another road than `chosen`: the labels of the study of tuning."""
    trials, store = study("compare.tuning").trials, Store(paths.results("laptop"))
    for method, plan in plans().items():
        if len(plan.tuned_at) > 1 or not plan.candidates:
            continue
        by_trial = [
            [store.get(trials[key].id, seed).metrics["top1_validation"] for seed in TUNING_SEEDS]
            for key in trials
            if key.arm == method
        ]
        scores = [sum(values) for values in by_trial]
        assert chosen(method) == plan.candidates[scores.index(max(scores))]


def test_candidates_whose_sparsity_is_an_outcome_are_compared_at_one_budget(monkeypatch):
    """From 4 % to 1 % of the weights, 2 % is half way in the logarithm; a ladder that ends at 3 % is no candidate."""
    plan = ComparisonPlan(({"rise": 1}, {"rise": 2}), {"a": {}, "b": {}}, ("a", "b"))
    left = {("a", 1): (40, 90.0), ("b", 1): (10, 80.0), ("a", 2): (60, 99.0), ("b", 2): (30, 95.0)}

    class Records:
        def __init__(self, path):
            self.path = path

        def get(self, id, seed):
            alive, accuracy = left[id]
            metrics = {"weights_alive": alive, "weights_total": 1000, "top1_validation": accuracy + (seed - 100)}
            return SimpleNamespace(metrics=metrics)

    monkeypatch.setattr(compare, "plans", lambda: {"mine": plan})
    monkeypatch.setattr(compare, "Store", Records)
    monkeypatch.setattr(compare, "tuned", lambda method, level, c, profile: SimpleNamespace(id=(level, c["rise"])))
    compare._scores.cache_clear()
    assert compare.tuning_scores("mine", Records("here")) == pytest.approx([85.5, -math.inf])
    assert chosen("mine", Records("here")) == {"rise": 1}


@pytest.mark.parametrize(("best", "at_edge"), [(0, []), (1, ["span"]), (3, ["span"]), (4, ["noise"]), (5, [])])
def test_an_edge_is_the_last_value_that_was_tried_and_zero_is_none(monkeypatch, best, at_edge):
    centre = {"span": 0.4, "noise": 0.1}
    candidates = (centre, *({**centre, "span": s} for s in (0.2, 0.3, 0.8)), *({**centre, "noise": n} for n in (1, 0)))
    monkeypatch.setattr(compare, "plans", lambda: {"mine": ComparisonPlan(candidates)})
    monkeypatch.setattr(compare, "chosen", lambda method, store=None: candidates[best])
    monkeypatch.setattr(compare, "tuned", lambda method, level, candidate, profile: None)  # whatever lies beyond, runs
    assert edges("mine") == at_edge


@pytest.mark.parametrize(
    ("method", "values", "at_edge"),
    [("imp", (1, 2, 3), []), ("imp", (2, 3, 4), ["cuts"]), ("stp", (3, 2), []), ("stp", (2, 1), ["cuts"])],
)
def test_an_edge_is_none_where_the_method_refuses_what_lies_beyond(monkeypatch, method, values, at_edge):
    # No cut at all is refused, and so are four cuts before the last six of eight epochs.
    others = {"tail": 0.75} if method == "stp" else {"rewind": 0}
    candidates = tuple({"cuts": cuts, **others} for cuts in values)
    plan = replace(plans()[method], candidates=candidates)
    monkeypatch.setattr(compare, "plans", lambda: {method: plan})
    monkeypatch.setattr(compare, "chosen", lambda method, store=None: candidates[0])
    assert edges(method) == at_edge


@pytest.mark.parametrize("best", [0, -1])
def test_nothing_lies_beyond_pruning_at_once_and_to_the_very_end(monkeypatch, best):
    candidates = tuple({"span": span} for span in SPANS)
    monkeypatch.setattr(compare, "plans", lambda: {"mine": ComparisonPlan(candidates)})
    monkeypatch.setattr(compare, "chosen", lambda method, store=None: candidates[best])
    assert edges("mine") == []


def test_seeds_of_tuning_and_of_the_comparison_cannot_meet():
    assert not set(TUNING_SEEDS) & {seed for seeds in SEEDS.values() for seed in seeds}
    assert study("compare.tuning", seeds=(0, 1)).seeds == TUNING_SEEDS, "whatever a page asks for"
    with pytest.raises(UserError, match="seed 100 was used for tuning"):
        study("compare", seeds=(99, 100))


def test_what_comes_first_is_chosen_by_the_records_of_the_run_and_after_those_before_it(monkeypatch, tmp_path):
    asked, trials = [], {Key("digits-clutter", "dense"): dense("CIFAR10", "laptop")}
    monkeypatch.setitem(STUDIES, "first", Entry(lambda profile: trials))
    monkeypatch.setitem(STUDIES, "second", Entry(lambda profile, store: asked.append(store) or trials, ("first",)))
    monkeypatch.setitem(STUDIES, "third", Entry(lambda profile, store: trials, ("first", "second")))
    store = Store(tmp_path)
    before = run_before(["second", "third"], "laptop", store)
    assert (next(before).name, asked) == ("first", []), "nothing is chosen before the first was run"
    assert ([one.name for one in before], asked) == (["second"], [store])
    assert list(run_before(["third"], "smoke", store)) == []


def test_without_records_of_tuning_nothing_is_chosen(tmp_path):
    with pytest.raises(UserError, match=r"snnbook run compare\.tuning"):
        study("compare", "laptop", store=Store(tmp_path))
