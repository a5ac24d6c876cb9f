"""Methods enter themselves, ours and a reader's, and say what they are and how they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from snnbook import pruning
from snnbook.errors import UserError
from snnbook.experiments import Trial
from snnbook.pruning import Context, Masks, Pruner, registry


@pytest.fixture
def entries(monkeypatch):
    """A registry in which tests may enter what they like."""
    monkeypatch.setattr(registry, "METHODS", dict(registry.METHODS))


def every_second():
    @pruning.method("mine", about="drops every second weight", paper="nobody 2030")
    @dataclass
    class EverySecond(Pruner):
        start_with: int = 0

        def start(self, c):
            c.set_masks({n: (torch.arange(m.numel()) % 2 == self.start_with).view(m.shape) for n, m in c.masks.items()})

    return EverySecond


def test_every_file_of_methods_is_entered():
    folder = Path(pruning.methods.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {entry.cls.__module__.rpartition(".")[2] for entry in registry.METHODS.values()} == files | {"pruner"}


def test_methods_are_listed_by_family_the_dense_network_first():
    listed = list(registry.methods().items())
    assert listed[0][0] == "dense"
    places = [registry.FAMILIES.index(entry.family) for _, entry in listed[1:]]
    assert places == sorted(places)
    assert list(pruning.available()) == [name for name, _ in listed]


def test_a_method_of_a_readers_own_has_a_name_and_can_be_named_in_a_trial(entries):
    cls = every_second()
    assert pruning.available()["mine"] == "drops every second weight (nobody 2030)"
    assert pruning.settings("mine") == {"start_with": 0}
    assert isinstance(pruning.create("mine", start_with=1), cls)
    model = nn.Linear(4, 1)
    c = Context(model, Masks.ones(model), torch.Generator())
    pruning.create("mine").start(c)
    assert c.masks["weight"].tolist() == [[True, False, True, False]]
    assert Trial("digits-clutter", 2, "cifarnet", method="mine", settings={"start_with": 1}).id.startswith("mine-")
    with pytest.raises(UserError, match="start_with must be int"):
        pruning.create("mine", start_with="one")


def test_a_cell_that_runs_twice_enters_its_method_twice_but_no_other_takes_the_name(entries):
    first, second = every_second(), every_second()
    assert registry.METHODS["mine"].cls is second is not first
    with pytest.raises(UserError, match=r"already a method 'mine': .*EverySecond"):
        pruning.method("mine", about="another")(Pruner)
    with pytest.raises(UserError, match=r"already a method 'lamp': .*Gradual"):
        pruning.method("lamp", about="another")(second)


def test_words_of_an_entry_are_known_ones():
    with pytest.raises(UserError, match="did you mean cut"):
        pruning.method("mine", about="", family="cuts")
    with pytest.raises(UserError, match="did you mean neurons"):
        pruning.method("mine", about="", needs=("neuron",))


def test_a_plan_names_settings_and_levels_that_there_are():
    with pytest.raises(UserError, match=r"unknown level '98 %'"):
        registry.ComparisonPlan(registry.grid("span", (0.5,)), registry.levels("strength", 0.1, 2.0))
    for name, entry in registry.methods().items():
        for level in entry.plan.levels.values():
            for candidate in entry.plan.candidates or ({},):
                for role in ({}, *entry.plan.by_role.values()):
                    pruning.create(name, **{**entry.plan.shared, **role, **candidate, **level})


def test_labels_by_hand():
    assert registry.described({"span": 0.6, "updates": 12}) == "span 0.6, updates 12"
    assert registry.grid("a b", (1, 0.5), (2, 0.25)) == ({"a": 1, "b": 0.5}, {"a": 2, "b": 0.25})
    assert registry.levels("strength", 0.3, 1.0) == {"strength 0.3": {"strength": 0.3}, "strength 1": {"strength": 1.0}}
    assert list(registry.sparsities()) == ["80 %", "90 %", "95 %", "98 %", "99 %"]


def test_a_reconstruction_is_listed_as_one(entries):
    made_up = {name for name, entry in registry.METHODS.items() if entry.reconstruction}
    assert made_up == {"slamp", "sccd", "ndsnn"}
    pruning.method("guess", about="drops what it likes", paper="A", reconstruction="from a talk")(Pruner)
    assert pruning.available()["guess"] == "drops what it likes, a reconstruction from a talk (A)"
