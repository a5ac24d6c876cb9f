"""The benchmarks: honest rounds and ratios, results that are checked, and the page that shows them."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import partial
from importlib.util import find_spec
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from measure_by_hand import crossings

from snnbook import arithmetic, bench, native, networks
from snnbook.bench import count, dense, lamp, lif, peers, sops, sparse, timing, train, trained
from snnbook.cli import main
from snnbook.errors import UserError
from snnbook.neurons import LIF, LIFParameters, lif_reference
from snnbook.report import benchmarks
from snnbook.report.pages import speed
from snnbook.report.pages.paper_b import counters
from snnbook.sparse import graph, reference

TINY = {"convolutions": (4, "M", 4, "M"), "hidden": (8,), "vote": 0, "norm_hidden": True, "gain": 2.0}


def peer(name):
    return pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed: make bench")


class Here:
    """Instead of a `timing.Process`: the same calls in this process."""

    def __init__(self, prepare, *args):
        self.make = prepare(*json.loads(json.dumps(args)))

    def __call__(self, *case):
        return timing.timed(self.make(*json.loads(json.dumps(case))))[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def no_peers(monkeypatch):
    """As in an environment without peers; no other process, which takes seconds to start."""
    monkeypatch.setattr(peers, "PACKAGES", ())
    monkeypatch.setattr(lif, "Process", Here)
    monkeypatch.setattr(lif, "measure_peak_memory", lambda *args: None)
    monkeypatch.setattr(lif, "ELEMENTS_TIMED", 0)
    monkeypatch.setattr(lamp, "measure_peak_memory", lambda *args: None)


def case(name, calls):
    runs = {v: lambda v=v: calls.append((name, v)) for v in "abc"}
    return timing.Case(name, {}, 1.0, runs, (("b", "a"),))


def test_each_variant_runs_once_a_round_case_by_case_in_changing_order():
    calls = []
    cells, _ = timing.interleaved([case("x", calls), case("y", calls)], rounds=7)
    rounds = [calls[i : i + 6] for i in range(0, len(calls), 6)]
    assert len(rounds) == 8  # one more than counts, to warm up
    for one_round in rounds:
        assert [name for name, _ in one_round] == ["x"] * 3 + ["y"] * 3
        assert {v for _, v in one_round[:3]} == {v for _, v in one_round[3:]} == set("abc")
    assert len({tuple(one_round) for one_round in rounds}) > 1
    assert all(len(cell.seconds) == 7 for cell in cells)


def test_a_ratio_is_the_median_over_rounds_of_ratios():
    assert timing.median_ratio([1, 8, 9], [1, 2, 1]) == 4  # and not median over median, which is 8


def test_a_time_is_the_median_in_the_unit_of_the_case(monkeypatch):
    times = iter((90.0, 1.0, 5.0, 2.0))  # the first warms up
    monkeypatch.setattr(timing, "timed", lambda run: (next(times), run()))
    (cell,), _ = timing.interleaved([timing.Case("x", {}, 0.5, {"a": lambda: None})], rounds=3)
    assert cell.seconds == [1.0, 5.0, 2.0]
    assert cell.time == 4.0


def test_at_least_one_round():
    with pytest.raises(UserError, match="at least 1"):
        timing.interleaved([], rounds=0)


def test_a_result_survives_its_file(tmp_path):
    result = timing.Result("lif", "ns", 5, False, environment={"model": "a µ-processor"})
    result.cells, result.ratios = timing.interleaved([case("x", [])], rounds=2)
    result.memory.append(timing.Memory("x", "a", 12, 3.0))
    result.measure("share", 1.5, "x", "a", "%")
    result.goal("times", "at least", 12.0, 11.0)
    result.goal("memory", "at most", 3.2, 3.0)
    result.goal("of a peer that is not there", "at least", 1.0, None)
    result.check("error", 1e-6, 1e-7)
    path = result.save(tmp_path)
    expected = timing.asdict(result)
    for cell in expected["cells"]:
        assert not cell.pop("labels")  # empty ones are not written
    assert benchmarks.load(["lif"], tmp_path) == {"lif": expected}
    assert (result.measured("share", "x", "a"), result.measured("share", "x")) == (1.5, None)
    assert [goal.reached for goal in result.goals] == [False, True]
    assert max(map(len, path.read_text().splitlines())) < 400


def test_a_process_times_its_runs_and_tells_of_its_end():
    with timing.Process(lif.only_variant, lif.REFERENCE, lif.M) as process:
        assert 0 < process(4, lif.M) < 60
        with pytest.raises(RuntimeError, match="process of its own"):
            process(3, lif.M)  # is no number of steps that divides 2^20


@pytest.mark.parametrize("error", [2e-6, float("nan")])
def test_a_failed_check_is_an_error(error):
    result = timing.Result("lif", "ns", 1, True)
    result.check("error", 1e-6, 3e-7)
    result.check("error", 1e-6, 2e-7)
    assert [line.value for line in result.checks] == [3e-7]  # the worst stands for all
    with pytest.raises(bench.WrongResult, match="error is"):
        result.check("error", 1e-6, error)


def test_peak_memory_counts_what_a_run_needs_at_once():
    peak = timing.peak_memory(lif.memory_run, lif.OURS, 4, 4_000_000)
    if peak is None:
        pytest.skip("this system does not tell")
    # Spikes and two gradients; torch keeps the potentials as well, and makes rows, a quarter each, on the way.
    least, most = (3, 3) if native.available() else (4, 5)
    assert least - 0.2 < peak / 16e6 < most + 0.3


def test_lif_without_peers(no_peers):
    result = lif.bench(rounds=2, steps=(2, 4), sizes=(4000, 8000))
    assert result.ratio(lif._title(4, 4000), lif.REFERENCE) > 0
    assert not result.goals
    assert {line.what.split(":")[0] for line in result.checks} >= {lif.OURS, lif.REFERENCE}
    at_two = {cell.variant for cell in result.cells if cell.case == lif._title(2, 4000)}
    assert lif.REFERENCE not in at_two  # beyond ours, sizes are compared at T = 4 only


@pytest.mark.parametrize(
    "wrong",
    [lambda x: lif_reference(x, LIFParameters(tau=2.1))[0], lambda x: lif_reference(x, LIFParameters())[0] * 1.01],
    ids=["spikes", "gradient"],
)
def test_lif_catches_a_wrong_variant(no_peers, monkeypatch, wrong):
    real = lif.variants()
    monkeypatch.setattr(
        lif,
        "variants",
        lambda: real | {"wrong": lif.Variant("wrong", lambda: wrong, LIFParameters(), against="snnbook")},
    )
    with pytest.raises(bench.WrongResult, match="wrong"):
        lif.bench(rounds=1, steps=(4,), sizes=(4000,))


@pytest.mark.parametrize("neuron", peers.PEERS, ids=lambda neuron: neuron.name)
def test_the_peers_do_the_same(neuron):
    pytest.importorskip(neuron.package)
    generator = torch.Generator().manual_seed(0)
    x, grad = (2 * torch.randn(6, 1, 5000, generator=generator) for _ in range(2))
    neurons, ours = neuron.make(), LIF(**neuron.constants._asdict())
    for _ in range(2):  # the second time as the first: no state is left over
        (s, g), (s0, g0) = lif.both_ways(neurons, x, grad), lif.both_ways(ours, x, grad)
        assert torch.equal(s, s0)
        if neuron.gradients:
            torch.testing.assert_close(g, g0, rtol=1e-5, atol=1e-6)


def tiny_workload():
    torch.manual_seed(0)
    model = networks.build("cifarnet", 10, 2, 8, T=3, **TINY)
    return train.Workload("tiny", model, torch.randn(4, 2, 8, 8), torch.randint(10, (4,)), train.Recipe(batch_size=4))


def test_train_without_peers(no_peers, monkeypatch):
    monkeypatch.setattr(train, "_four_conv", tiny_workload)
    result = train.bench(rounds=2, names=(train.FOUR_CONV,))
    assert {cell.variant for cell in result.cells} == {train.OURS, train.BF16}
    assert not result.ratios
    assert not [goal for goal in result.goals if "against" in goal.what]


@peer("spikingjelly")
def test_spikingjellys_copy_is_our_network():
    result = timing.Result("train", "ms", 1, True)
    train._same_network(tiny_workload(), result)
    assert len(result.checks) == 4
    other = tiny_workload()
    neurons = other.model.body[0]
    neurons.constants = neurons.constants._replace(tau=3.0)
    copy = peers.spikingjelly_network(other.model).double().train()
    x = other.x.double()
    ours = train._plain(other, x, deepcopy(other.model).double().train())
    assert train._theirs(other, x, copy).item() == pytest.approx(ours.item())


def small_weights(size):
    generator = torch.Generator().manual_seed(0)
    shapes = {"a": (8, 3, 3, 3), "b": (40, 50), "c": (30, 40)}
    # Few different values, so that many weights tie.
    return {name: torch.randint(-9, 10, shape, generator=generator) / 8 for name, shape in shapes.items()}


def test_lamp_methods_agree_on_ties_too(no_peers, monkeypatch):
    monkeypatch.setattr(lamp, "weights", small_weights)
    monkeypatch.setattr(lamp, "GOALS", {lamp.SORTED: 30.0})
    monkeypatch.setattr(lamp, "METHODS", {k: lamp.METHODS[k] for k in (lamp.OURS, lamp.SORTED)})
    result = lamp.bench(rounds=1, quick=True)
    assert sum(line.value for line in result.checks) == 0


def test_lamp_catches_a_wrong_mask(no_peers, monkeypatch):
    monkeypatch.setattr(lamp, "weights", small_weights)

    def wrong(w):
        masks = lamp.one_sort(w)
        return masks | {"c": ~masks["c"]}

    monkeypatch.setattr(lamp, "METHODS", lamp.METHODS | {lamp.OURS: wrong})
    with pytest.raises(bench.WrongResult, match="exact ranks"):
        lamp.bench(rounds=1, quick=True)


def test_public_lamp_keeps_what_the_exact_ranks_keep():
    generator = torch.Generator().manual_seed(0)
    w = {str(i): torch.randn(100, 40, generator=generator) / (i + 1) for i in range(3)}
    public, exact = lamp.public(w), lamp.one_sort(w)
    assert all(torch.equal(public[name].bool(), exact[name]) for name in w)


def test_lamp_sizes():
    assert [round(sum(s.numel() for s in lamp.shapes(size)) / 1e6, 1) for size in (lamp.SMALL, lamp.MIDDLE)] == [
        14.7,
        36.7,
    ]
    assert sum(s.numel() for s in lamp.shapes(lamp.LARGE)) / 1e6 == pytest.approx(100, rel=0.01)


needs_kernels = pytest.mark.skipif(not native.available(), reason="there are no compiled kernels")


SMALL = sparse.Net("small", "cifarnet", (3, 16), 4, 0.9, 1.0, width=0.1, channels=0.5)


@needs_kernels
def test_sparse_without_peers(no_peers, monkeypatch):
    monkeypatch.setattr(sparse, "layer", partial(sparse.layer, channels=64, side=16))
    monkeypatch.setattr(sparse, "NETS", (SMALL,) * 6)
    result = sparse.bench(rounds=1, quick=True)
    variants = {cell.variant for cell in result.cells}
    assert {dense.FP32, dense.LAST, dense.BF16, dense.CSR, "masked", "event", sparse.AUTO} <= variants
    assert sparse.JELLY not in variants
    assert result.ratio("layer, 98 %, firing 10 %", dense.FP32, "masked") > 0
    assert {line.limit for line in result.checks} == {sparse.MAX_CURRENT_ERROR, sparse.MAX_SHARE_SPIKES}


def test_sparse_layer_is_as_it_is_asked_for():
    g, spikes = sparse.layer(0.95, 0.1, channels=64)
    weight = g.nodes[1].synapses[0].weight
    assert weight.count_nonzero() / weight.numel() == pytest.approx(0.05, rel=0.05)
    assert spikes.mean() == pytest.approx(0.1, rel=0.05)
    assert torch.equal(reference.signals_of(g, spikes)[1], spikes)


def test_sparse_network_fires_as_it_is_asked_to():
    g, x = sparse.prepared(SMALL, 0.2)
    signals = reference.signals_of(g, x)
    spiking = [i for i, n in enumerate(g.nodes) if isinstance(n, graph.Layer) and n.neurons]
    for i in spiking:
        node, fires = g.nodes[i], signals[i + 1]
        assert node.mask is None or not fires[:, :, ~node.mask].any()
        alive = torch.ones(node.shape, dtype=torch.bool) if node.mask is None else node.mask
        if alive.any():
            assert fires[:, :, alive].mean() == pytest.approx(0.2, abs=0.03)
    torch.testing.assert_close(dense.Dense(g)(x), reference.run(g, x))
    torch.testing.assert_close(dense.Dense(g, True, plain=True)(x), reference.run(g, x))


def test_sparse_counts_the_work_of_the_dense_network():
    g, _ = sparse.layer(0.98, 0.1)
    assert sparse.macs(g) == pytest.approx(9 * 256**2 * 1024 * 8 + 256**2 * 1024 * 8)


@pytest.mark.skipif(not arithmetic.possible(), reason="needs an x86-64 processor with AVX2")
def test_networks_are_trained_in_a_process_that_is_held(monkeypatch):
    for name in arithmetic.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with trained.held_process() as process:
        assert process.submit(arithmetic.held).result()
    assert not arithmetic.held()


@needs_kernels
def test_trained_networks_are_compared_with_their_records(no_peers, monkeypatch):
    result = trained.bench(rounds=1, quick=True)
    assert len([c for c in result.cells if c.variant == sparse.AUTO]) == 3
    assert [line.value for line in result.checks] == [0.0]
    compiled = trained.predictions
    monkeypatch.setattr(trained, "predictions", lambda *args: (compiled(*args)[0] + 1, compiled(*args)[1]))
    with pytest.raises(bench.WrongResult, match="decides otherwise"):
        trained.bench(rounds=1, quick=True)


def test_counting_is_compared_with_a_plain_pass(no_peers, monkeypatch):
    monkeypatch.setattr(count, "SIZES", ((2, 2),))
    result = count.bench(rounds=1)
    assert [(c.variant, c.sizes["samples"]) for c in result.cells] == [("forward pass", 2), ("counted pass", 2)]
    assert [goal.what for goal in result.goals] == ["a counted pass over a plain one, the most"]
    assert len(result.checks) == 2
    monkeypatch.setattr(count.measure, "sops", lambda model, x: model(x) + 1)
    with pytest.raises(bench.WrongResult, match="logits after a counted pass"):
        count.bench(rounds=1, quick=True)


def test_the_command_and_its_page(no_peers, monkeypatch, tmp_path):
    monkeypatch.setattr(lif, "QUICK_STEPS", (2, 4))
    monkeypatch.setattr(lif, "QUICK_SIZES", (4000,))
    done = CliRunner().invoke(main, ["bench", "lif", "--quick", "--rounds", "1", "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "make bench" in done.output
    assert "ns per element" in done.output
    files = benchmarks.load(speed.NAMES, tmp_path)
    assert set(files) == {"lif"}
    assert "lif.json" not in speed.verdict(files).markdown
    assert "lamp.json" in speed.lamp(files).markdown
    assert "SpikingJelly" not in speed.neuron_ratios(files).markdown
    assert "<img" in speed.neurons(files).html
    assert "quick" in speed.machine(files).markdown


def test_the_command_names_every_benchmark():
    shown = CliRunner().invoke(main, ["bench", "--help"]).output.split()
    assert set(bench.BENCHES) <= set(shown)
    wrong = CliRunner().invoke(main, ["bench", "lapm"])
    assert wrong.exit_code == 1
    assert "unknown benchmark 'lapm'; did you mean lamp" in wrong.output


def test_the_page_without_any_result(tmp_path):
    blocks = ("verdict", "machine", "neurons", "neuron_ratios", "neuron_memory", "steps", "step_ratios", "lamp",
              "lamp_memory", "goals", "checks")  # fmt: skip
    for name in blocks:
        assert "`snnbook bench " in getattr(speed, name)(benchmarks.load(speed.NAMES, tmp_path)).markdown


def test_the_page_says_what_is_not_reached():
    result = timing.Result("lif", "ns", 5, False)
    result.goal("LIF, times", "at least", 12.0, 11.0)
    text = speed.verdict({"lif": timing.asdict(result)}).markdown
    assert "0 of 1 goals" in text
    assert "Not reached: LIF, times: 11; the goal was at least 12." in text


def test_the_time_of_the_profile_comes_from_its_records():
    trial = {"data": "digits-dvs"}
    records = [SimpleNamespace(trial=trial, environment={"wall_s": seconds}) for seconds in (50.0, 70.0, 90.0)]
    text = speed.work(records, "laptop").markdown
    assert "1 min 10 s" in text
    assert "3 min 30 s" in text
    assert "1 min 45 s" in text
    assert "no records" in speed.work([], "paper").markdown


def test_a_damaged_result_is_named(tmp_path):
    (tmp_path / "lif.json").write_text("{")
    with pytest.raises(UserError, match=r"lif\.json"):
        benchmarks.load(speed.NAMES, tmp_path)


def test_other_counters_count_what_a_loop_can_check():
    for name, case in sops.cases().items():
        by_loop = 0.0
        for layer, values in sops.entering(case).items():
            post = case.model.get_submodule(case.behind[layer]).mask if layer in case.behind else None
            rows = values.flatten(0, 1)
            by_loop += sum(crossings(case.model.get_submodule(layer), x, post) for x in rows) / sops.SAMPLES
        assert sops.total(case) == by_loop, name


def test_other_counters_see_the_same_spikes_everywhere():
    for name, case in sops.cases().items():
        doubled = sops.Case(deepcopy(case.model).double(), case.x.double(), case.behind)
        single, double = sops.entering(case), sops.entering(doubled)
        for layer, values in single.items():
            assert torch.equal(values.double(), double[layer]), f"{name}, {layer}: a sum was rounded"


def test_what_other_counters_said_is_complete_and_of_these_networks():
    file, cases = benchmarks.load([sops.NAME])[sops.NAME], sops.cases()
    assert set(cases) == {*counters.PRUNED, *counters.SPECIAL}
    assert counters.entered(file) == {name: sops.entered(case) for name, case in cases.items()}
    reported = benchmarks.measures(file, benchmarks.OPERATIONS)
    assert {case: reported[case, "snnbook"] for case in cases} == {name: sops.total(c) for name, c in cases.items()}
    assert set(reported) == set(product(cases, ("snnbook", *benchmarks.OTHER_COUNTERS)))
    assert all(file["environment"][package] for package in sops.PACKAGES.values())
    assert sops.missing() or [m.value for m in sops.bench().measures] == [m["value"] for m in file["measures"]]


def test_other_counters_that_are_not_there_are_named(monkeypatch):
    monkeypatch.setattr(sops, "PACKAGES", {"sinabs": "a_package_that_is_not_there"})
    assert sops.NAME not in bench.possible()
    with pytest.raises(UserError, match=r"^not installed: a_package_that_is_not_there; `make bench`"):
        bench.run(sops.NAME)
