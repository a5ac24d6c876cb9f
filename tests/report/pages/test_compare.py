"""Pages of comparisons: shown for records that are few or degenerate, and worked by hand where numbers come out."""

from __future__ import annotations

import warnings

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from report_fakes import arm_metrics, compared, small
from test_tables import Tags

from snnbook import pruning
from snnbook.errors import UserError
from snnbook.pruning import registry
from snnbook.pruning.registry import FAMILIES
from snnbook.report import ladders, look, orders, plots
from snnbook.report.pages import compare, cost, method, ranks

mpl.use("agg")


def test_every_method_has_a_family_and_a_look_of_its_own_in_it():
    families = [look.family(name) for name in pruning.available() if name != "dense"]
    assert "other" not in families
    assert max(map(families.count, families)) <= len(plots.PALETTE)
    assert len(FAMILIES) <= len(plots.PALETTE)
    assert look.family("of a reader's own") == "other"


def test_where_a_method_stands():
    block = method.standing(small(), "lamp")
    Tags(block.html)
    assert "+2.00 [+2.00, +2.00]" in block.markdown
    assert "At equal weights: mean rank 1.0 [1.0, 1.0] of 2 methods, over 4 budgets." in block.markdown
    assert "digits-dvs, 99 %: 85.0 percent with 1 percent of the weights and 20 thousand SOPs" in block.html
    assert "Neurons left" not in block.markdown
    assert "Reduced scale" in block.markdown
    assert "minus magnitude" not in method.standing(small(), "magnitude").markdown
    with pytest.raises(UserError, match="did you mean lamp"):
        method.standing(small(), "lam")


def test_neurons_and_smaller_networks_are_shown_where_there_are_some():
    found = small(
        more={("nslim", "channels 0.5"): arm_metrics(90, 50.0, 8e5, neurons_alive=25, parameters_smaller=1234)}
    )
    text = method.standing(found, "nslim").markdown
    assert "| 50.0 | 1234 |" in text
    assert "its ladder reaches none of the budgets" in text


BLOCKS = [
    *(lambda s, axis=axis: compare.by_family(s, axis) for axis in ladders.AXES),
    *(lambda s, axis=axis: ranks.leaders(s, axis) for axis in ladders.AXES),
    lambda s: ranks.ties(s, "sops"),
    compare.slopes, compare.order_sentences, compare.order_table, compare.fronts, compare.front_table,
    ranks.rank_picture, ranks.rank_table, ranks.rank_sentences, cost.summary, cost.picture,
    cost.table, cost.trained_longer, compare.everything, compare.limits, lambda s: compare.unequal(s, s),
    lambda s: method.standing(s, "magnitude"),
]  # fmt: skip
DEGENERATE = {
    "usual": small,
    "one seed and set": lambda: small(seeds=(0,), sets=("digits-dvs",)),
    "one level, all right": lambda: compared(
        {("dense", ""): arm_metrics(100, 0.0), ("magnitude", "90 %"): arm_metrics(100, 90.0)}
    ),
    "at chance, no operations": lambda: compared(
        {(m, r): arm_metrics(10, 90.0, sops=0.0) for m, r in (("dense", ""), ("magnitude", "90 %"), ("lamp", "90 %"))}
    ),
    "no dense network, an unknown method": lambda: compared(
        {("magnitude", "90 %"): arm_metrics(9, 90.0), ("mine", "90 %"): arm_metrics(9, 90.0)}
    ),
}


@pytest.fixture
def quick(monkeypatch):
    """Figures are laid out and not drawn."""
    monkeypatch.setattr(Figure, "savefig", lambda fig, *args, **settings: fig.get_layout_engine().execute(fig))


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.filterwarnings("error")
def test_every_block_can_be_shown(case, quick):
    found = DEGENERATE[case]()
    for block in BLOCKS:
        made = block(found)
        Tags(made.html)
        assert "nan" not in made.markdown


def test_a_method_without_spikes_is_drawn_without_a_warning():
    found = DEGENERATE["at chance, no operations"]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "base64," in method.standing(found, "lamp").html


def test_a_method_may_be_missing_on_a_set(quick):
    found = small()
    for key in [key for key in found.records if (key.data, key.arm) == ("digits-clutter", "lamp")]:
        del found.records[key]
    for block in BLOCKS:
        Tags(block(found).html)
    assert orders.mean_ranks(ladders.scores(found, "weights"))["lamp"].places == 2
    assert "digits-clutter: not run here: lamp." in compare.limits(found).markdown
    assert "digits-clutter" not in set(method.standing(found, "lamp").markdown.split())


def test_the_change_of_order_is_said():
    # At equal weights lamp leads, 90 to 86. The middle one of 100, 200 and 100 thousand operations is 100: there
    # magnitude has its 86, and lamp, half of the way in log from 80 at 50 to 90 at 200 thousand, 85. random stays last.
    found = compared(
        {
            ("dense", ""): arm_metrics(97, 0.0),
            ("magnitude", "99 %"): arm_metrics(80, 99.0, 1e4),
            ("magnitude", "90 %"): arm_metrics(86, 90.0, 1e5),
            ("lamp", "99 %"): arm_metrics(80, 99.0, 5e4),
            ("lamp", "90 %"): arm_metrics(90, 90.0, 2e5),
            ("random", "99 %"): arm_metrics(40, 99.0, 1e4),
            ("random", "90 %"): arm_metrics(50, 90.0, 1e5),
        },
        sets=("digits-dvs",),
    )
    at = ladders.at_level(found, "digits-dvs", "90 %")
    assert at["weights"] == {"magnitude": 86, "lamp": 90, "random": 50}
    assert at["sops"] == pytest.approx({"magnitude": 86, "lamp": 85, "random": 50})
    assert compare.order_sentences(found).markdown == (
        "- digits-dvs, 90 %: 1 of 3 pairs of methods change places between equal weights and equal SOPs; "
        "magnitude climbs most, from rank 2 to 1; lamp falls most, from rank 1 to 2."
    )
    frame = compare.order_table(found).frame.set_index("Budget")
    assert frame.loc["90 %", "weights → SOPs"] == "0.33 (1 of 3)"


def test_every_arm_is_in_the_file():
    frame = compare.raw(small())
    assert len(frame) == 5 * 2 * 3
    row = frame[(frame["method"] == "lamp") & (frame["level"] == "99 %") & (frame["seed"] == 1)].iloc[0]
    assert (row["accuracy"], row["weights"], row["sops"], row["family"]) == (85, 1, 20, "cut")
    assert 'download="methods.csv"' in compare.everything(small()).html


def test_what_the_records_say_against_themselves():
    found = small(
        more={("nslim", "channels 0.5"): arm_metrics(90, 50.0, 8e5), ("random", "90 %"): arm_metrics(12, 90.0)}
    )
    text = compare.limits(found).markdown
    assert "1000 test samples, so that one of them is 0.1 points" in text
    assert "nslim (50 %) and random (10 %)" in text
    # Guessing among 1000: 10 ± 0.95 points; 12 is within three of these.
    assert "a network that guesses, for at least one seed: random 90 %." in text


def test_what_is_not_equal_comes_from_plans_and_records():
    def exchanging(updates):
        return {"settings": {"updates": updates, "span": 0.5}}

    found = compared(
        {
            ("magnitude", "90 %"): arm_metrics(90, 90.0),
            ("gradr", "strength 2.3"): arm_metrics(90, 90.0, epochs=20, scratch=True),
            ("nslim", "channels 0.4"): arm_metrics(90, 70.0, epochs=20, scratch=True),
            ("rigl", "90 %"): arm_metrics(90, 90.0, epochs=20, scratch=True),
        },
        parent=12,
    )
    for records in (r for key, r in found.records.items() if key.arm == "rigl"):
        for r in records:
            r.trial.update(exchanging(20))
    lines = compare.unequal(found, compared({("rigl", "x"): arm_metrics(80, 98.0)}, seeds=(100, 101))).markdown
    assert "Settings were chosen by 2 seeds on digits-clutter and digits-dvs" in lines
    assert "Exchanges of weights: 20 in 10 epochs for rigl." in lines
    assert "Sparsity is an outcome and not a setting: gradr and nslim." in lines
    assert "Networks with settings of their own: gain 1 for nslim." in lines
    assert "A dense start is counted in epochs (12 of them), whatever its weights cost: magnitude." in lines
    plan = registry.METHODS["magnitude"].plan
    spans = sorted({f"{c['span']:g}" for c in plan.candidates})
    assert f"{', '.join(spans[:-1])} and {spans[-1]} tried for magnitude" in lines
    assert f"{len(plan.candidates)} for magnitude" in lines


def test_a_reconstruction_is_marked_wherever_methods_are_named(quick):
    found = small(more={("sccd", level): arm_metrics(60, float(level[:2])) for level in ("90 %", "99 %")})
    for records in found.records.values():  # all spend the same, so that all are ranked on every axis
        for r in records:
            r.metrics |= {name: 1000 * (100 - r.metrics["sparsity"]) for name in ("sops", "connections_alive")}
    axes = list(ladders.AXES)
    blocks = [
        compare.by_family(found, axes[0]),
        compare.fronts(found),
        compare.slopes(found),
        ranks.ties(found, axes[0]),
    ]
    blocks += [ranks.rank_picture(found), ranks.rank_table(found), ranks.rank_sentences(found)]
    blocks += [ranks.leaders(found, axes[0]), compare.front_table(found), method.standing(found, "sccd")]
    for block in blocks:
        assert "† reconstruction, not the authors' method: sccd from the abstract." in block.markdown
    for block in blocks[2:6]:
        assert "sccd†" in block.markdown
    assert "†" not in ranks.rank_table(small()).markdown
