"""The page on energy, on two methods whose joules can be worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from report_fakes import arm_metrics, compared

from snnbook import joules
from snnbook.joules import Shape
from snnbook.report import papers
from snnbook.report.pages import energy

NEURONS = 100


def shapes(record):
    built = {"layer0": Shape("conv", 50, NEURONS, (1, 4), 9, 25, 0, "n0")}
    return built | {"layer1": Shape("linear", NEURONS, 10, (NEURONS, 10), 1, 1, 0)}


def study():
    """At equal weights `lamp` has more SOPs than `magnitude`, and nine tenths of its neurons."""
    arms = {
        ("dense", ""): arm_metrics(97, 0.0, 1000.0),
        ("magnitude", "90 %"): arm_metrics(92, 90.0, 300.0),
        ("magnitude", "95 %"): arm_metrics(88, 95.0, 100.0),
        ("magnitude", "99 %"): arm_metrics(82, 99.0, 10.0),
        ("lamp", "90 %"): arm_metrics(93, 90.0, 400.0),
        ("lamp", "95 %"): arm_metrics(88.5, 95.0, 150.0),
        ("lamp", "99 %"): arm_metrics(84, 99.0, 40.0),
    }
    found = compared(arms, sets=("digits-clutter",), seeds=(0, 1))
    for key, records in found.records.items():
        for r in records:
            sops, alive = r.metrics["sops"], {"connections_alive": 900, "weights_alive": 36}
            r.metrics |= {"accumulates": sops, "multiplies": 500.0, "macs_encoding": 500.0, "T": 4}
            r.layers = [
                {"name": "layer0", "kind": "conv", "sops": 0.0, "rate": 0.1, **alive},
                {"name": "layer1", "kind": "linear", "sops": sops, "rate": None, **alive},
            ]
            if key.arm == "lamp":
                r.curves = {"neurons/n0": np.packbits(np.arange(NEURONS) < 90)}
    return found


@pytest.fixture(scope="module")
def found():
    return energy.spent(study(), shapes)


def pj(sops, alive, model):
    """What a network spends: 500 products in the first layer, `alive` neurons behind it, 10 outputs, 4 steps."""
    return {
        "horowitz": 0.9 * sops + 4.6 * 500,
        "loihi": 27.1 * (sops + 500) + 81 * 4 * (alive + 10),
    }[model]


@pytest.mark.parametrize("model", ["horowitz", "loihi"])
def test_what_is_left_at_equal_weights(found, model):
    dense = pj(1000, NEURONS, model)
    assert found.levels["digits-clutter"] == "95 %"
    left = energy.at_equal_weights(found, "digits-clutter", model)
    by_hand = {"magnitude": pj(100, NEURONS, model), "lamp": pj(150, 90, model)}
    assert left == pytest.approx({method: 100 * spent / dense for method, spent in by_hand.items()})


def test_neurons_turn_the_order_of_what_is_spent(found):
    by_sops, by_chip = (energy.at_equal_weights(found, "digits-clutter", name) for name in (energy.SOPS, "loihi"))
    assert by_sops["magnitude"] < by_sops["lamp"]
    assert by_chip["magnitude"] > by_chip["lamp"]


def test_tables_name_every_model_and_method(found):
    frame = energy.shares(found).frame
    assert list(frame["Method"]) == ["dense network", "magnitude", "lamp"]
    assert frame.iloc[0]["SOPs"] == "1,000"
    assert frame.iloc[0]["horowitz"] == energy.joules_text(pj(1000, NEURONS, "horowitz") * 1e-12) == "3.2 nJ"
    assert set(joules.MODELS) <= set(frame.columns)
    assert list(energy.order(found).frame["Model"]) == ["SOPs", *joules.MODELS]
    assert "magnitude" in energy.picture(found).html or energy.picture(found).markdown


def test_a_model_that_charges_all_alike_orders_nothing(found):
    assert found.flat("digits-clutter", "spikesim")
    assert not found.flat("digits-clutter", "horowitz")
    assert energy.accuracies(found, "digits-clutter", "spikesim") == {}
    text = energy.order_sentences(found).markdown
    assert "`spikesim` charges every pruned network alike" in text


def test_the_order_is_that_of_accuracy_at_equal_energy(found):
    """At as many SOPs `magnitude` is ahead; at as much energy on a chip that charges neurons it is behind."""
    by_sops = energy.accuracies(found, "digits-clutter", energy.SOPS)
    share = np.log(125 / 100) / np.log(300 / 100)  # the middle of 100 and 150 SOPs
    assert by_sops["magnitude"] == pytest.approx(88 + 4 * share)
    rows = energy.order(found).frame.set_index("Model")
    assert rows.loc["SOPs", ["Spends least", "Most accurate"]].tolist() == ["magnitude", "magnitude"]
    assert rows.loc["loihi", ["Spends least", "Most accurate"]].tolist() == ["lamp", "lamp"]
    turned = ["Pairs turned, by energy", "Pairs turned, by accuracy"]
    assert rows.loc["loihi", turned].tolist() == ["1 of 1", "1 of 1"]
    assert rows.loc["horowitz", turned].tolist() == ["0 of 1", "0 of 1"]
    assert rows.loc["spikesim", turned].tolist() == ["–", "–"]
    text = energy.order_sentences(found).markdown
    assert "from SOPs to `loihi`: 1 of 1 pairs of methods change places in what they spend at equal weights" in text


def test_printed_values_stand_beside_ours():
    frame = energy.printed().frame
    assert len(frame) == len(papers.energies())
    assert (frame["Printed, J"] == frame["Ours, J"]).all()


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.4857e-6, "3.49 µJ"), (1.2e-3, "1.2 mJ"), (5e-10, "500 pJ"), (0.0, "0 pJ"), (float("nan"), "–")],
)
def test_joules_with_a_unit_that_suits(value, text):
    assert energy.joules_text(value) == text


def test_chips_have_one_unit():
    frame = energy.chips().frame
    assert list(frame["Chip"]) == ["Loihi", "TrueNorth", "TrueNorth", "TianJic"]
    assert frame.iloc[0]["As printed"] == "23.6 pJ/SOP"
    assert frame.iloc[1]["As printed"] == "46 GSOPS/W (typical)"
