"""Joules of a record are those of its network."""

from __future__ import annotations

import dataclasses

import pytest
from report_fakes import arm_metrics, record

from snnbook import joules, measure
from snnbook.errors import UserError
from snnbook.experiments import Store, Trial, shapes
from snnbook.experiments.extras import N_SAMPLES_OPERATIONS
from snnbook.experiments.run import load_sets, trained
from snnbook.feeding import first, to_network
from snnbook.report.record_energy import energy_of_record, layer_counts


@pytest.fixture(
    scope="module",
    params=[
        ("digits-clutter", "cifarnet", "lamp", {"sparsity": 0.7}),
        ("digits-clutter", "cifarnet", "unstructured", {"strength": 1e-4}),
    ],
    ids=lambda p: p[2],
)
def measured(request, tmp_path_factory):
    """A record, and what was counted in the network that it is of."""
    data, network, method, settings = request.param
    small = {"convolutions": (6, "M", 8, 8), "hidden": (10,), "v_threshold": 0.3}
    about = {"network": network, "network_settings": small, "method": method, "settings": settings}
    trial = Trial(data=data, T=3, epochs=2, train_size=60, **about)
    kept, model = trained(trial, 0, Store(tmp_path_factory.mktemp("records")))
    x = to_network(first(load_sets(trial)["test"], N_SAMPLES_OPERATIONS)[0], trial.T)
    return kept, measure.counts(model, x)


def test_a_record_has_the_counts_of_its_network(measured):
    kept, live = measured
    stored = layer_counts(kept, shapes(kept))
    assert sum(layer.accumulates for layer in live) > 0
    for one, two in zip(live, stored, strict=True):
        for field in dataclasses.fields(one):
            if field.name != "spikes_in":
                here, there = getattr(one, field.name), getattr(two, field.name)
                assert there == (pytest.approx(here) if isinstance(here, float) else here), (one.name, field.name)
    assert [s.spikes_in for s in stored[2:]] == pytest.approx([s.spikes_in for s in live[2:]], rel=0.5)
    assert stored[2].spikes_in == pytest.approx(live[2].spikes_in)  # no pooling in front


@pytest.mark.parametrize("model", joules.MODELS)
def test_a_record_has_the_joules_of_its_network(measured, model):
    kept, live = measured
    whole = measure.energy(live, model, known_only=True)
    stored = energy_of_record(kept, model, shapes(kept), known_only=True)
    assert stored.total == pytest.approx(whole.total, rel=0.03 if model.startswith("lemaire") else 1e-9)
    assert stored.left_out == whole.left_out


def test_operations_need_no_shapes(measured):
    kept, live = measured
    assert energy_of_record(kept).total == pytest.approx(measure.energy(live).total)
    with pytest.raises(UserError, match=r"'loihi' needs shapes of the layers: hand in experiments\.shapes"):
        energy_of_record(kept, "loihi")


def of_operations(**metrics):
    made = record(layers=(0.5, 0.5), **arm_metrics(90, 50.0), **metrics)
    for layer, sops in zip(made.layers, (70.0, 30.0), strict=True):
        layer["sops"] = sops
    return made


def test_what_the_encoding_layer_does_is_what_is_left():
    kept = of_operations(accumulates=50.0, multiplies=10.0, sops_encoding=45.0)
    assert [(c.accumulates, c.multiplies) for c in layer_counts(kept)] == [(20.0, 10.0), (30.0, 0.0)]
    assert energy_of_record(kept).total == pytest.approx((50 * 0.9 + 10 * 4.6) * 1e-12)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"accumulates": 20.0, "multiplies": 10.0, "sops_encoding": 45.0}, "layers behind the encoding layer multiply"),
        ({"accumulates": 50.0, "multiplies": 30.0, "sops_encoding": 45.0}, "layers behind the encoding layer multiply"),
        ({"multiplies": 30.0, "sops_encoding": 45.0}, "holds no numbers of operations: remove it"),
    ],
)
def test_records_that_do_not_say_enough_are_refused(metrics, message):
    with pytest.raises(UserError, match=message):
        layer_counts(of_operations(**metrics))
