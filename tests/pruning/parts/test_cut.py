"""Cuts without sorting against an exact definition in fractions, and against the sorted one at scale."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook import native
from snnbook.errors import UserError
from snnbook.pruning import cut, global_masks
from snnbook.pruning.parts import cut_passes
from snnbook.pruning.scores import SCORES


def cut_by(score):
    return lambda weights, sparsity, masks=None: cut(score, weights, torch.Generator(), sparsity, masks)


CUTS = {score: cut_by(score) for score in ("lamp", "magnitude")}


WAYS = [*native.levels, None]  # the compiled kernels for each instruction set that this processor runs, and numpy


@pytest.fixture(params=WAYS, ids=str)
def way(request):
    with native.using(request.param):
        yield


every_way = pytest.mark.usefixtures("way")


def by_definition(score, weights, keep, alive):
    """The masks of the best `keep` living weights, ties in order of layer and position, in exact arithmetic."""
    ranked = []
    for layer, (name, w) in enumerate(weights.items()):
        values = [abs(Fraction(v)) for v in w.flatten().tolist()]
        tail = Fraction(0)
        for place in sorted(range(len(values)), key=lambda i: (-values[i], i)):
            tail += values[place] ** 2
            worth = values[place] if score == "magnitude" else values[place] ** 2 / tail if tail else Fraction(0)
            if alive is None or alive[name].flatten()[place]:
                ranked.append((-worth, layer, place))
    out = {name: torch.zeros(w.shape, dtype=torch.bool).flatten() for name, w in weights.items()}
    names = list(weights)
    for _, layer, place in sorted(ranked)[:keep]:
        out[names[layer]][place] = True
    return {name: out[name].view(w.shape) for name, w in weights.items()}


def same(a, b):
    return a.keys() == b.keys() and all(a[n].dtype == torch.bool and torch.equal(a[n], b[n]) for n in b)


TINY = 2.0**-149
VALUES = [
    [1.0],
    [0.0, -0.0, 1.0],
    [1.0, -1.0, 2.0, -2.0, 4.0, 0.5],
    [3.0, 1.0, -1.0, 0.0, 1e-3],
    [TINY, 3 * TINY, -TINY, 2.0**-126, 0.0],
    [2.0**-127, -(2.0**-126), 3 * 2.0**-128],
    [2.0**40, 1.0, -1.0, 3.0],
    [1.0, TINY, 1e30, -1e30, 1e-30, 0.0],
    [1.0, 1.0 + 2.0**-23, 1.0 - 2.0**-24, -1.0],
    [1.0 + 2.0**-8, 1.0 + 2.0**-8 - 2.0**-23, 1.0],
]
layer_values = st.sampled_from(VALUES).flatmap(lambda v: st.lists(st.sampled_from(v), max_size=12))


@st.composite
def networks(draw):
    """Layers full of ties: within, between permuted, scaled and equal layers."""
    layers = [draw(layer_values) for _ in range(draw(st.integers(1, 3)))]
    for layer in list(layers):
        kind = draw(st.sampled_from(["none", "permuted", "doubled", "equal"]))
        if kind == "permuted":
            layers.append(draw(st.permutations(layer)))
        elif kind != "none":
            layers.append([2 * v if kind == "doubled" else v for v in layer])
    return {f"l{i}": torch.tensor(values, dtype=torch.float32) for i, values in enumerate(layers)}


@pytest.mark.parametrize("score", CUTS)
@settings(max_examples=100, deadline=None)
@given(networks(), st.floats(0, 0.999), st.integers(0, 99), st.booleans())
def test_exact_with_every_tie(score, weights, sparsity, seed, masked):
    alive = None
    if masked:
        g = torch.Generator().manual_seed(seed)
        alive = {n: torch.rand(w.shape, generator=g) < 0.7 for n, w in weights.items()}
        weights = {n: torch.where(alive[n], w, 0.0) for n, w in weights.items()}
    total = sum(w.numel() if alive is None else int(alive[n].sum()) for n, w in weights.items())
    keep = round((1 - sparsity) * total)
    exact = by_definition(score, weights, keep, alive)
    for way in WAYS:
        with native.using(way):
            if keep == 0:
                with pytest.raises(UserError, match="leaves none"):
                    CUTS[score](weights, sparsity, alive)
            else:
                assert same(CUTS[score](weights, sparsity, alive), exact)


@pytest.mark.parametrize("score", CUTS)
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.floats(0, 0.99), st.integers(1, 3))
def test_exact_through_chunks(score, seed, digits, sparsity, layers):
    g = torch.Generator().manual_seed(seed)
    weights = {f"l{i}": (torch.randn(150, generator=g) * 2**digits).round() / 7 for i in range(layers)}
    exact = by_definition(score, weights, round((1 - sparsity) * (150 * layers)), None)
    for way in WAYS:
        with native.using(way), pytest.MonkeyPatch.context() as patch:
            patch.setattr(cut_passes, "_CHUNK", 5)
            patch.setattr(cut_passes, "_ROOM", 64)
            assert same(CUTS[score](weights, sparsity), exact)


def network(seed=0):
    g = torch.Generator().manual_seed(seed)
    first = torch.randn(64, 32, 3, 3, generator=g).contiguous(memory_format=torch.channels_last)
    return {"a": first, "b": torch.randn(700, 500, generator=g) / 9, "c": (torch.rand(10, 300, generator=g) - 0.5) / 5}


@every_way
@pytest.mark.parametrize("score", CUTS)
@pytest.mark.parametrize("sparsity", [0.0, 0.2, 0.5, 0.9, 0.98, 0.999, 0.99999])
def test_equal_to_the_sorted_definition(score, sparsity):
    weights = network()
    assert same(CUTS[score](weights, sparsity), global_masks(SCORES[score](weights, torch.Generator()), sparsity))


@every_way
@pytest.mark.parametrize("score", CUTS)
def test_equal_through_repeated_cuts(score):
    weights, masks = network(1), None
    for sparsity in (0.25, 0.5, 0.25, 0.9, 0.5, 0.0):
        new = CUTS[score](weights, sparsity, masks)
        assert same(new, global_masks(SCORES[score](weights, torch.Generator()), sparsity, masks))
        weights, masks = {n: torch.where(new[n], w, 0.0) for n, w in weights.items()}, new


@every_way
@pytest.mark.parametrize("score", CUTS)
def test_ties_of_a_channels_last_layer(score):
    g = torch.Generator().manual_seed(0)
    w = torch.randint(-3, 4, (3, 4, 2, 2), generator=g).float().contiguous(memory_format=torch.channels_last)
    alive = w != 1
    dead = (w * alive).contiguous(memory_format=torch.channels_last)
    for keep in range(1, 49):
        assert same(CUTS[score]({"w": w}, 1 - keep / 48), by_definition(score, {"w": w}, keep, None))
        if keep < (living := int(alive.sum())):
            expected = by_definition(score, {"w": dead}, keep, {"w": alive})
            assert same(CUTS[score]({"w": dead}, 1 - keep / living, {"w": alive}), expected)


@every_way
def test_positions_count_in_order_of_rows_whatever_the_memory_order():
    w = torch.ones(2, 3, 2, 2)
    views = {
        "channels_last": w.contiguous(memory_format=torch.channels_last),
        "transposed": torch.ones(2, 2, 3, 2).permute(0, 2, 1, 3),
        "strided": torch.ones(2, 3, 2, 4)[..., ::2],
        "expanded": torch.ones(1, 3, 2, 2).expand(2, 3, 2, 2),
    }
    alive = torch.arange(24).view(w.shape) % 3 > 0
    for view in views.values():
        for score in CUTS:
            assert CUTS[score]({"w": view}, 0.5)["w"].flatten().tolist() == [True] * 12 + [False] * 12
            dead = torch.where(alive, view, 0.0)
            kept = CUTS[score]({"w": dead}, 0.5, {"w": alive})["w"]
            assert kept.flatten().nonzero().flatten().tolist() == alive.flatten().nonzero().flatten()[:8].tolist()
            zeros = CUTS[score]({"w": view * 0}, 0.5, {"w": alive})["w"]
            assert torch.equal(zeros, kept)


@every_way
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("score", CUTS)
def test_other_precisions(score, dtype):
    weights = {n: w.to(dtype) for n, w in network(2).items()}
    for sparsity in (0.5, 0.97):
        expected = global_masks(SCORES[score](weights, torch.Generator()), sparsity)
        assert same(CUTS[score](weights, sparsity), expected)


@every_way
@pytest.mark.parametrize("score", CUTS)
def test_dead_weights_that_are_not_zero_count_in_the_sums_and_stay_dead(score):
    weights = network(3)
    alive = {n: torch.rand(w.shape, generator=torch.Generator().manual_seed(4)) < 0.5 for n, w in weights.items()}
    expected = global_masks(SCORES[score](weights, torch.Generator()), 0.9, alive)
    assert same(CUTS[score](weights, 0.9, alive), expected)


@every_way
def test_infinite_weights_and_nan():
    w = torch.tensor([1.0, float("inf"), 2.0])
    assert CUTS["magnitude"]({"w": w}, 0.6)["w"].tolist() == [False, True, False]
    with pytest.raises(UserError, match="NaN"):
        CUTS["lamp"]({"w": w}, 0.5)
    for make in CUTS.values():
        with pytest.raises(UserError, match="NaN"):
            make({"a": torch.ones(3), "b": torch.tensor([1.0, float("nan")])}, 0.5)


@every_way
@pytest.mark.parametrize("score", CUTS)
def test_errors_and_empty_layers(score):
    for sparsity in (-0.1, 1.0, float("nan")):
        with pytest.raises(UserError, match="sparsity must lie in"):
            CUTS[score]({"w": torch.rand(4)}, sparsity)
    for weights in ({}, {"w": torch.empty(0, 3)}, {"w": torch.rand(10)}):
        with pytest.raises(UserError, match="leaves none"):
            CUTS[score](weights, 0.96)
    masks = CUTS[score]({"a": torch.empty(0), "b": torch.tensor([1.0, 3.0])}, 0.5)
    assert (masks["a"].shape, masks["b"].tolist()) == ((0,), [False, True])


@every_way
@pytest.mark.parametrize("score", CUTS)
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_million_equal_weights(score, value):
    weights = {"a": torch.full((1 << 20,), value), "b": torch.full((1 << 18,), 2 * value)}
    masks = CUTS[score](weights, 0.75)
    kept = {n: int(m.sum()) for n, m in masks.items()}
    expected = {"lamp": (163840, 163840), "magnitude": (65536, 262144)}[score] if value else (327680, 0)
    assert tuple(kept.values()) == expected
    assert all(m[: kept[n]].all() for n, m in masks.items())


@every_way
def test_the_largest_sums_are_exact():
    # 2^24 equal weights fill the kernel's tables to the brim; layers that differ in nothing share evenly.
    w = torch.full((1 << 24,), 1.9999999)
    masks = CUTS["lamp"]({"a": w, "b": w}, 0.999)
    assert [int(m.sum()) for m in masks.values()] == [16777, 16777]


@every_way
def test_random_and_unknown_scores_are_ranked_by_sorting():
    weights, g = network(), torch.Generator
    assert same(
        cut("random", weights, g().manual_seed(1), 0.5),
        global_masks(SCORES["random"](weights, g().manual_seed(1)), 0.5),
    )
    for score in CUTS:
        assert same(cut(score, weights, g(), 0.5), global_masks(SCORES[score](weights, g()), 0.5))
