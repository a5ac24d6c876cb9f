from __future__ import annotations

import math
from html.parser import HTMLParser

import pandas as pd
import pytest
from report_fakes import Results, ablation

from snnbook.errors import UserError
from snnbook.experiments.key import Key
from snnbook.report import claims, papers, tables
from snnbook.report.blocks import Fragment
from snnbook.report.claims import comparison

QUANTITIES = (
    tables.Quantity("Accuracy (%)", "top1", "acc"),
    tables.Quantity("Decision step", "T", "decision_T", digits=0),
    tables.Quantity("SOPs per sample (M)", "sops", "sops_M", relative=True),
    tables.Quantity("Mean |w|", "mean_abs_weight", digits=3),
)


class Tags(HTMLParser):
    """Checks that tags are closed in order, and collects them."""

    def __init__(self, html):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_table_is_accessible():
    html = tables.Table(pd.DataFrame({"a": ["x<y"], "b": [1.5]}), "What & why").html
    tags = Tags(html).seen
    assert [attrs["scope"] for tag, attrs in tags if tag == "th"] == ["col", "col", "row"]
    assert '<caption style="caption-side:top">What &amp; why</caption>' in html
    assert "x&lt;y" in html
    container = tags[0][1]
    assert (container["role"], container["tabindex"]) == ("region", "0")
    assert "overflow-x:auto" in container["style"]


def test_tables_set_no_colour():
    found = claims.verdicts({"A.ablation": ablation()})
    for html in (tables.verdict_table(found).html, tables.beside_print(ablation(), QUANTITIES, "x", "4").html):
        assert "color" not in html
        assert "#" not in html.replace("&#x27;", "")


@pytest.mark.parametrize("caption", ["", "  ", None])
def test_a_caption_is_required(caption):
    with pytest.raises(UserError, match="caption"):
        tables.Table(pd.DataFrame({"a": [1]}), caption)


def test_print_stands_beside_ours():
    frame = tables.beside_print(ablation(noise=0), QUANTITIES, "Table 4.", "4").frame
    assert len(frame) == len(QUANTITIES) * 8
    row = frame[(frame["Pruning"] == "S+T") & frame["Data (paper → ours)"].str.contains("arms")]
    assert row["Data (paper → ours)"].iloc[0] == "DVS128-Gesture → arms-dvs"
    accuracy, step, sops, weight = row.to_dict("records")
    assert accuracy["Paper A"] == "96.52"
    assert accuracy["Ours"] == "94.00 ± 1.58 (5)"
    assert accuracy["Paper A, change"] == "+0.69"
    assert accuracy["Ours, change"] == "+2.00 [+2.00, +2.00]"
    assert (step["Paper A"], step["Ours"]) == ("10", "5 ± 0 (5)")
    assert sops["Paper A, change"] == "−97.4 %"
    assert sops["Ours, change"].startswith("−94.0 % [")
    assert (weight["Paper A"], weight["Paper A, change"]) == ("–", "–")
    assert weight["Ours"] == "0.202 ± 0.002 (5)"


def test_the_baseline_has_no_change():
    frame = tables.beside_print(ablation(), QUANTITIES, "Table 4.", "4").frame
    assert set(frame.loc[frame["Pruning"] == "none", "Ours, change"]) == {"–"}


def test_reduced_scale_is_said_in_the_caption():
    caption = tables.beside_print(ablation(), QUANTITIES[:1], "Table 4.", "4").caption
    assert "Reduced scale, on our embedded data: digits-dvs, arms-dvs (laptop), 5 seeds." in caption


def test_a_data_set_that_the_print_lacks_is_named():
    results = Results({("digits-100", "none"): ablation().records["arms-dvs", "none"]})
    with pytest.raises(UserError, match="'digits-100' stands in for no data set of paper A, Table 4"):
        tables.beside_print(results, QUANTITIES[:1], "x", "4")


def test_numbers_as_text():
    assert tables.format_number(-1.005, 1) == "−1.0"
    assert tables.format_number(math.nan) == "–"
    assert tables.mean_sd_text([1.0]) == "1.00 (1)"
    assert tables.mean_sd_text([]) == "–"
    assert tables.mean_sd_text([1.0, math.nan]) == "– (2)"
    assert tables.change_text({0: 1.0}, {0: 3.0}) == "−2.00 (1 seed: no interval)"
    assert tables.change_text({0: 1.0}, {1: 3.0}) == "–"
    assert tables.change_text({0: 1.0, 1: 2.0}, {0: 0.0, 1: 0.0}, relative=True) == "–"


def test_verdicts_are_told_by_word_and_symbol():
    found = claims.verdicts({"A.ablation": ablation()})
    frame = tables.verdict_table(found).frame
    assert list(frame["Claim"]) == list(papers.claims()["id"])
    assert set(frame["Verdict"]) == {"✓ holds", "≡ holds by construction", "? undecided", "– not testable here"}
    assert {tables.mark(o)[2:] for o in claims.OUTCOMES} == set(claims.OUTCOMES)
    assert len({tables.mark(o)[0] for o in claims.OUTCOMES}) == len(claims.OUTCOMES)
    assert "conditional on one training set and one test set" in tables.verdict_table(found).markdown
    assert "Intervals" not in tables.verdict_table([v for v in found if v.claim == "C-20"]).markdown, "it has none"


def test_evidence_is_shown_without_the_marks_of_a_verdict():
    comparisons = tuple(comparison("x", dict.fromkeys(range(5), v), "> 0") for v in (1.0, -1.0))
    frame = tables.comparisons_table(claims.Verdict("B-05", claims.EVIDENCE, "", comparisons=comparisons)).frame
    assert list(frame["Outcome"]) == ["lies as claimed", "lies the other way"]
    assert list(frame["Ours"]) == ["1 (the same for every seed)", "−1 (the same for every seed)"]


def test_every_comparison_behind_a_verdict_is_shown():
    found = claims.verdict("A-24", {"A.ablation": ablation()})
    frame = tables.comparisons_table(found).frame
    assert len(frame) == len(found.comparisons) == 8
    assert (frame["Outcome"] == "control, does not count").sum() == 4
    assert set(frame["Seeds"]) == {"n = 5"}
    assert len(tables.comparisons_table(claims.verdict("B-01", {})).frame) == 0


def test_an_arm_with_a_setting_of_our_own_is_not_in_print():
    results = ablation()
    results.records[Key("digits-dvs", "T, λ = 0.05")] = results.records["digits-dvs", "T"]
    frame = tables.beside_print(results, QUANTITIES, "x", "4", data="digits-dvs").frame.set_index("Pruning")
    both = frame.loc[["T", "T, λ = 0.05"], ["Paper A", "Ours"]]
    assert (both.loc["T, λ = 0.05", "Paper A"] == "–").all()
    assert both.loc["T", "Ours"].tolist() == both.loc["T, λ = 0.05", "Ours"].tolist()
    results.records[Key("digits-dvs", "TT")] = results.records["digits-dvs", "T"]
    with pytest.raises(UserError, match="0 rows with variant='TT'"):
        tables.beside_print(results, QUANTITIES, "x", "4")


def test_a_cell_may_be_a_link():
    link = Fragment('<a href="lamp.html">lamp</a>', "[lamp](lamp)")
    found = tables.Table(pd.DataFrame({"a": [link], "b": [link]}), "C")
    assert found.html.count('<a href="lamp.html">lamp</a>') == 2
    assert "| [lamp](lamp) | [lamp](lamp) |" in found.markdown
    Tags(found.html)


def test_it_shows_itself_in_jupyter():
    found = tables.Table(pd.DataFrame({"a": ["x|y"]}), "C")
    bundle = found._repr_mimebundle_()
    assert bundle["text/html"] == found.html
    assert "x\\|y" in bundle["text/markdown"]
