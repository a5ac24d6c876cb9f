"""The page on sparse inference, from results of its benchmarks."""

from __future__ import annotations

import math

import pytest

from snnbook.bench import timing
from snnbook.report import benchmarks
from snnbook.report.pages import sparse_inference

BLOCKS = ("layer", "break_even", "grid", "networks", "roofline", "predict", "methods", "rounding", "growth")


def cell(case, variant, time, **sizes):
    return timing.Cell(case, sizes, variant, [time / 1e3], time)


def trained_cell(method, level, variant, time, removed="weights", **sizes):
    labels = {"data": "digits", "method": method, "level": level, "removed": removed}
    return timing.Cell(f"digits, {method}, {level}", sizes, variant, [time / 1e3], time, labels)


@pytest.fixture
def bench():
    """Results with round numbers: a layer at three sparsities, one network, two trained networks."""
    found = timing.Result("sparse", "ms", 1, False)
    for percent, masked, event in ((50, 80.0, 200.0), (90, 20.0, 50.0), (98, 4.0, 2.0)):
        sizes = {"sparsity": 10 * percent, "rate": 100, "chosen": 0, "channels": 256, "side": 32, "T": 8}
        times = {"dense": 45.0, "dense, channels last": 40.0, "dense bfloat16": 20.0, "dense int8": 10.0, "CSR": 100.0}
        for variant, time in (times | {"masked": masked, "event": event}).items():
            found.cells.append(cell(f"layer, {percent} %, firing 10 %", variant, time, **sizes))
    for variant, time in {
        "dense": 130.0,
        "dense, channels last": 125.0,
        "dense bfloat16": 60.0,
        "automatic": 5.0,
    }.items():
        found.cells.append(cell("6Conv2FC, 98 %", variant, time, **{"dense MMAC": 13300}))
    found.measure(benchmarks.COPY, 20.0, unit="GB/s")
    found.measure(benchmarks.WORK, 11.0, "4.8 GMAC", "channels", "ps")
    trained = timing.Result("trained", "ms", 1, False)
    for method, sops, live, time in (("lamp", 1000, 300, 0.5), ("imp", 2000, 100, 1.0)):
        sizes = {"sops": sops, "live": live, "connections": 900, "T": 4, "bytes": 5000}
        trained.cells.append(trained_cell(method, "98 %", "automatic", time, **sizes))
        trained.cells.append(trained_cell(method, "98 %", "dense", 6.0, **sizes))
        trained.measure(benchmarks.ACCURACY, 90.0, f"digits, {method}, 98 %", unit="%")
        trained.measure(benchmarks.ROUNDED, -0.5, f"digits, {method}, 98 %", unit="points")
    return {"sparse": timing.asdict(found), "trained": timing.asdict(trained)}


@pytest.mark.parametrize("name", BLOCKS)
def test_without_results_the_page_says_how_to_get_them(name):
    assert "`snnbook bench " in getattr(sparse_inference, name)({}).markdown


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_show_all_numbers(bench, name):
    block = getattr(sparse_inference, name)(bench)
    assert block.html
    assert "nan" not in block.markdown


def test_break_even_is_where_the_times_cross(bench):
    frame = sparse_inference.break_even(bench).frame.set_index("Path")
    # Masked takes 80 ms at 50 % and 20 at 90 %; 40, what dense takes, lies half way on a logarithmic scale.
    assert frame.loc["masked", "dense, channels last"] == "70"
    assert frame.loc["masked", "CSR"] == "below 50"
    assert frame.loc["masked", "dense bfloat16"] == "90"
    assert frame.loc["event", "dense int8"] == "94"  # from five times its time to a fifth


def test_a_path_that_is_never_faster():
    assert sparse_inference._crossing([(50.0, 9.0), (99.0, 2.0)]) == "above 99"
    assert sparse_inference._crossing([]) == sparse_inference.NONE


def test_grid_shows_the_fastest_and_the_chosen(bench):
    frame = sparse_inference.grid(bench).frame
    assert list(frame["Sparsity, %"]) == ["50", "90", "98"]
    assert list(frame["Fastest"]) == ["masked", "masked", "event"]
    assert list(frame["Chosen"]) == ["masked"] * 3
    assert list(frame["Dense over it"]) == ["0.5", "2.0", "10.0"]


def test_networks_say_how_many_times_ours_the_others_take(bench):
    (row,) = sparse_inference.networks(bench).frame.to_dict("records")
    assert row["Compiled, ms"] == "5.00"
    assert row["dense"] == "25.0"
    assert row["bfloat16"] == "12.0"
    assert row["SpikingJelly"] == sparse_inference.NONE


def test_work_of_a_layer():
    sizes = {"sparsity": 980, "channels": 256, "side": 32, "T": 8}
    neurons = 256 * 32 * 32 * 8
    dense, moved = sparse_inference._work(sizes, "dense")
    assert dense == 9 * 256 * neurons
    assert moved == 4 * (2 * neurons + 9 * 256**2)
    live, moved = sparse_inference._work(sizes, "masked")
    assert math.isclose(live, 0.02 * dense)
    assert math.isclose(moved, 2 * neurons / 8 + 8 * 0.02 * 9 * 256**2)


def test_operations_and_milliseconds_that_go_together(bench):
    trained = bench["trained"]["cells"]
    trained += [timing.asdict(trained_cell("stp", "98 %", "automatic", 2.0, sops=4000, live=5))]
    channels = trained_cell("sccd", "channels 0.6", "automatic", 0.1, "channels", sops=1000, live=5)
    trained += [timing.asdict(channels)]
    text = sparse_inference.predict(bench).markdown
    assert "digits, weights: rank correlation 1.00, 500 to 500 ns for a SOP" in text
    assert "digits, channels: 100 to 100 ns for a SOP" in text


def test_methods_are_shown_at_the_same_rung(bench):
    smaller = timing.asdict(trained_cell("lamp", "99 %", "automatic", 0.1, sops=9, live=5, bytes=5000))
    bench["trained"]["cells"].append(smaller)
    text = sparse_inference.methods(bench).markdown
    assert "| lamp | 98 % | 300 | 1.0 | 0.500 | 12.0 | 90.0 |" in text
    assert "99 %" not in text


def test_networks_in_which_nothing_fires_are_left_out_of_the_picture(bench):
    silent = trained_cell("random", "99 %", "automatic", 0.1, sops=0, live=5)
    bench["trained"]["cells"].append(timing.asdict(silent))
    text = sparse_inference.predict(bench).markdown
    assert "3 trained networks" in text
    assert "without 1 in which no neuron fires" in text


def test_cost_of_rounding(bench):
    rounded = [m for m in bench["trained"]["measures"] if m["kind"] == benchmarks.ROUNDED]
    next(m for m in rounded if m["case"] == "digits, imp, 98 %")["value"] = 0.25
    assert "2 networks by -0.12 points in the mean, -0.5 to +0.2." in sparse_inference.rounding(bench).markdown
