"""A trial's id follows its configuration and nothing else; mistakes are named before any work."""

import hashlib
import json
from dataclasses import fields, replace

import pytest

from snnbook import datasets, networks
from snnbook.errors import UserError
from snnbook.experiments import Trial
from snnbook.pruning import available, identity, scores, settings
from snnbook.training import Recipe

BASE = Trial("digits-clutter", 4, "cifarnet")


def test_golden_id():
    # The id of a trial names its records: if this changes, every stored record is orphaned.
    assert replace(BASE, method="lamp", settings={"sparsity": 0.98}).id == GOLDEN


GOLDEN = "lamp-digits-clutter-T4-sparsity-0.98-f93e8e3f"


def test_the_id_follows_what_decides_the_result():
    changes = (
        {"T": 5},
        {"epochs": 11},
        {"network_settings": {"gain": 2.0}},
        {"network_settings": {"tau": 3.0}},
        {"start": BASE},
        {"start": replace(BASE, lr=1e-3)},
        {"method": "lamp"},
        {"method": "lamp", "settings": {"span": 0.5}},
        {"device": "cuda"},
    )
    ids = {replace(BASE, **change).id for change in changes}
    assert len(ids | {BASE.id}) == len(changes) + 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"lr": 3e-3}, {}),
        ({"width": 2}, {"width": 2.0}),
        ({"network_settings": {"gain": 2}}, {"network_settings": {"gain": 2.0}}),
        ({"network_settings": {"tau": 2.0}}, {}),
        (
            {"method": "unstructured", "settings": {"strength": 1}},
            {"method": "unstructured", "settings": {"strength": 1.0}},
        ),
        ({"method": "lamp", "settings": {"span": 0.6}}, {"method": "lamp"}),
        ({"root": "somewhere"}, {}),
    ],
)
def test_what_means_the_same_has_one_id(one, other):
    assert replace(BASE, **one).id == replace(BASE, **other).id


def test_defaults_are_in_the_configuration():
    """So that a changed default is a new trial, and no record leaves open what it was run with."""
    config = replace(BASE, method="lamp").config
    assert config["settings"] == json.loads(json.dumps(settings("lamp")))
    assert config["network_settings"]["tau"] == 2
    assert config["network_settings"]["surrogate"] == "atan"
    assert config["lr"] == 3e-3


def test_the_defaults_are_pinned():
    """Whoever changes a default of a method, a network or a data set gives new ids to what is run with it.

    Then the golden digest changes as well, and the records of these trials have to be run again.
    """
    methods = {name: identity(name, {}) for name in sorted(available())}
    plans = {name: networks.settings(name) for name in sorted(networks.available())}
    sets = {name: datasets.settings(name) for name in sorted(datasets.available())}
    recipe = {f.name: f.default for f in fields(Recipe)}
    text = json.dumps([methods, plans, sets, recipe], sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == DEFAULTS
    later = {name: {k: v for k, v in settings(name).items() if k not in methods[name]} for name in methods}
    assert {name: those for name, those in later.items() if those} == LATER


DEFAULTS = "7af76c1bb125b859"
LATER = {  # what a configuration that does not name them means
    "criticality_structured": {"throughout": False},
    "nslim": {"throughout": False},
    "slamp": {"leak": True, "steps": "uniform", "lam": 0.01},
    "unstructured": {"alpha": 0.0},
}


def test_a_trial_can_be_made_from_its_configuration():
    trial = replace(BASE, method="stp", settings={"temporal": False, "cuts": 3, "sparsity": 0.9}, start=BASE)
    again = Trial.from_config(json.loads(json.dumps(trial.config)))
    assert (again.id, again.config) == (trial.id, trial.config)


def test_a_computed_share_decides_no_name():
    assert replace(BASE, method="imp", settings={"cuts": 2, "sparsity": 0.98}).id.startswith(
        "imp-digits-clutter-T4-cuts-2-sparsity-0.98-"
    )


def test_data_settings_reach_the_data_and_the_network():
    trial = Trial("cifar10_dvs", 10, "vggsnn", data_settings={"size": 48, "by": "time"}, root="here")
    assert trial.image_size == (48, 48)
    assert trial.data_options == {"size": 48, "by": "time", "T": 10, "root": "here"}
    with pytest.raises(UserError, match="did you mean size"):
        replace(trial, data_settings={"siz": 48})


def test_a_set_on_disk_needs_its_files_for_an_id():
    with pytest.raises(UserError, match="root"):
        _ = Trial("cifar10", 4, "cifarnet").id


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
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"method": "stp", "settings": {"score": scores.lamp, "cuts": 2}}, "hand in the name of it"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(UserError, match=message):
        replace(BASE, **change)


def test_a_setting_that_came_later_changes_no_identity_at_its_default():
    plain = replace(BASE, method="slamp")
    assert replace(plain, settings={"leak": True}).id == plain.id
    assert replace(plain, settings={"leak": False}).id != plain.id
    assert "leak" not in plain.config["settings"]
    assert Trial.from_config(replace(plain, settings={"leak": False}).config).settings
