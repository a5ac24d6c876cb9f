"""A trial's id follows its configuration and nothing else; mistakes are named before any work."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnbook.errors import UserError
from snnbook.experiments import Trial
from snnbook.experiments.studies import PROFILES, applicable, names, study
from snnbook.experiments.trials import options, seeds

BASE = Trial("digits-clutter", 4, "cifarnet")


def test_golden_id():
    # The id of a trial names its records: if this changes, every stored record is orphaned.
    assert replace(BASE, method="lamp", settings={"sparsity": 0.98}).id == GOLDEN


GOLDEN = "lamp-digits-clutter-T4-sparsity-0.98-f2abba5e"


def test_id_follows_what_differs_from_the_defaults():
    assert replace(BASE, lr=3e-3).id == BASE.id
    changes = ({"T": 5}, {"epochs": 11}, {"network_settings": {"gain": 2.0}}, {"start": BASE}, {"method": "lamp"})
    ids = {replace(BASE, **change).id for change in changes}
    assert len(ids | {BASE.id}) == len(changes) + 1


def test_settings_are_a_mapping_in_any_order_and_form():
    a = replace(BASE, method="lamp", settings={"sparsity": 0.9, "updates": 3})
    b = replace(BASE, method="lamp", settings=(("updates", 3), ("sparsity", 0.9)))
    assert a == b
    assert a.id == b.id
    convs = replace(BASE, network_settings={"convolutions": [16, "M"]})
    assert hash(convs) == hash(replace(BASE, network_settings={"convolutions": (16, "M")}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "digits-dsv"}, "did you mean digits-dvs"),
        ({"network": "cifarne"}, "did you mean cifarnet"),
        ({"method": "lam"}, "did you mean lamp"),
        ({"method": "lamp", "settings": {"sparsity": -0.1}}, "sparsity must lie"),
        ({"method": "lamp", "settings": {"sparcity": 0.1}}, "did you mean sparsity"),
        ({"T": 0}, "T must be"),
        ({"epochs": 0}, "epochs"),
        ({"lr": 0.0}, "lr > 0"),
        ({"lr": float("inf")}, "finite"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"width": 0.0}, "width"),
        ({"loss": "mean"}, "unknown loss"),
        ({"optimizer": "adm"}, "did you mean adam"),
        ({"train_size": -1}, "negative"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(UserError, match=message):
        replace(BASE, **change)


@pytest.mark.parametrize(
    ("text", "expected"), [("0-4", (0, 1, 2, 3, 4)), ("0,2", (0, 2)), ("7", (7,)), ("0-1,5", (0, 1, 5))]
)
def test_seeds(text, expected):
    assert seeds(text) == expected


@pytest.mark.parametrize("text", ["", "4-1", "a", "1,,2", "0-", "1,1", "-3", "0-4-8"])
def test_seeds_that_do_not_parse(text):
    with pytest.raises(UserError, match="seeds are"):
        seeds(text)


@given(st.text(max_size=12))
def test_seeds_never_fail_otherwise(text):
    try:
        found = seeds(text)
    except UserError:
        return
    assert all(isinstance(s, int) and s >= 0 for s in found)


def test_options():
    assert options("lam=0.1 temporal=false kl=reverse T=8") == {"lam": 0.1, "temporal": False, "kl": "reverse", "T": 8}
    with pytest.raises(UserError, match="key=value"):
        options("lam")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", names())
def test_every_study_exists_at_every_profile(name, profile):
    found = study(name, profile)
    assert found.trials
    assert len(found.seeds) >= (1 if name == "compare.tuning" else 2 if profile == "smoke" else 3)


def test_the_arms_of_table_4_differ_in_nothing_but_their_pruning():
    trials = study("A.table4").trials
    for role in ("digits-dvs", "arms-dvs"):
        arms = [trials[role, arm] for arm in ("none", "S", "T", "S+T")]
        assert len({replace(t, settings={}) for t in arms}) == 1
        assert [(dict(t.settings)["share"], dict(t.settings)["temporal"]) for t in arms] == [
            (0.0, False),
            (0.25, False),
            (0.0, True),
            (0.25, True),
        ]


def test_options_reach_the_trials_that_take_them():
    changed = study("A.table4", lam=0.2, T=8, epochs=20).trials["arms-dvs", "T"]
    assert (dict(changed.settings)["lam"], changed.T, changed.epochs) == (0.2, 8, 20)
    assert (changed.start.T, changed.start.epochs) == (8, 12), "the start sees the data, not the recipe"
    assert applicable("A.fig5", {"lam": 0.2, "T": 8}) == {"T": 8}
    for call in (lambda: study("A.fig5", lam=0.2), lambda: applicable("A.fig5", {"lamb": 1})):
        with pytest.raises(UserError, match="unknown option"):
            call()
    for wrong in ({"epochs": "many"}, {"T": 2.5}, {"augment": "maybe"}, {"lam": float("nan")}, {"kl": "foo"}):
        with pytest.raises(UserError, match=r"must be|unknown KL variant"):
            study("A.table4", **wrong)
    with pytest.raises(UserError, match="profile is not an option of a study"):
        options("lam=0.1 profile=smoke")
    with pytest.raises(UserError, match=r"did you mean .*A\.table4"):
        study("A.table")
    with pytest.raises(UserError, match="did you mean laptop"):
        study("A.table4", "laptopp")
