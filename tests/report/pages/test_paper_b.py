"""Pages of paper B: panels that show as many synapses as they name, tables of counters from a file made here."""

from __future__ import annotations

import numpy as np
import pytest

from snnbook import headers
from snnbook.report import papers, plots
from snnbook.report.benchmarks import ENTERING, MULTIPLIED, OPERATIONS, OTHER_COUNTERS
from snnbook.report.pages.paper_b import connections, contents, counters
from snnbook.report.synapses import ONE_NEURON, SEVERAL, synapses
from snnbook.report.tables import NONE


@pytest.mark.parametrize("removal", [*ONE_NEURON, *SEVERAL], ids=lambda removal: removal.name)
def test_a_panel_has_a_mark_for_each_use_of_a_weight(removal):
    fig, ax = plots.subplots()
    connections.draw(ax, removal)
    alive, pruned, padding = ([tuple(at) for at in points.get_offsets()] for points in ax.collections)
    plots.plt.close(fig)
    assert (len(alive), len(pruned), len(padding)) == (removal.alive().sum(), 169 - removal.alive().sum(), 56)
    assert len({*alive, *pruned, *padding}) == 225
    tiles = {(x // connections.STEP, -y // connections.STEP) for x, y in pruned}
    places = {(j, i) for i, j in np.argwhere((synapses() & ~removal.alive()).any((2, 3)))}
    assert tiles == places


def test_a_figure_tells_its_counts():
    counted = {removal.name: removal.alive().sum() for removal in SEVERAL}
    picture = connections.panels(SEVERAL, counted, columns=2)
    for name, left in counted.items():
        assert f"{name}: {left}" in picture.markdown


CASES = (*counters.PRUNED, *counters.SPECIAL)
LOOP = {case: 100.0 for case in CASES}


def bench(factor):
    """A result in which every counter but the last reports the loop's count times a factor."""
    measures = [{"kind": ENTERING, "case": case, "variant": "", "value": 7.0} for case in CASES]
    for case in CASES:
        for counter in OTHER_COUNTERS:
            value = 100.0 if counter == OTHER_COUNTERS[-1] else 100.0 * factor
            measures.append({"kind": OPERATIONS, "case": case, "variant": counter, "value": value})
            measures.append({"kind": MULTIPLIED, "case": case, "variant": counter, "value": 0.25 * value})
    versions = dict.fromkeys([name.lower() for name in OTHER_COUNTERS] + ["snnbook", "torch", "python"], "1.2")
    return {"sops": {"measures": measures, "environment": versions | {"when": "2026-01-02T00:00:00"}}}


def test_counts_are_multiples_of_the_loop():
    frame = counters.ratios(bench(12.5), LOOP, LOOP).frame
    assert list(frame["Network"]) == list(counters.PRUNED)
    assert set(frame["snnbook"]) == set(frame["NeuroBench"]) == {"exact"}
    assert set(frame["SpikingJelly"]) == {"12.5 ×"}
    assert set(counters.special(bench(0.5), LOOP, LOOP).frame["syops"]) == {"0.5 ×"}
    assert set(counters.multiplied(bench(2)).frame["Multiplications"]) == {"25"}


def test_who_is_right_is_said_in_words():
    text = counters.agreement(bench(12.5), LOOP, LOOP).markdown.splitlines()
    assert text[0] == f"- snnbook is exact in {len(CASES)} of {len(CASES)} networks."
    assert text[1].startswith(
        f"- SpikingJelly is exact in 0 of {len(CASES)} networks. The most that it overstates is 12.5"
    )
    assert "understates" in counters.agreement(bench(0.5), LOOP, LOOP).markdown
    ours = LOOP | {"border": 101.0}
    assert "The most that it overstates is 1.01 times (border)" in counters.agreement(bench(1), LOOP, ours).markdown


def test_the_chart_and_the_versions_name_every_library():
    chart, versions = counters.chart(bench(3), LOOP, LOOP), counters.versions(bench(3))
    assert "SpikingJelly up to 3 times" in chart.markdown
    assert set(versions.frame["Package"]) >= set(OTHER_COUNTERS)
    assert "2026-01-02" in versions.markdown


def test_without_the_file_the_page_says_how_to_make_it():
    assert "`snnbook bench sops`" in counters.ratios({}, LOOP, LOOP).markdown


def test_every_item_is_listed_and_every_page_that_there_is_linked():
    frame = contents.items().frame
    pages = {name: page for name, page in headers.owners().items() if name.startswith("B.")}
    assert len(frame) == sum(artefact.paper == "B" for artefact in headers.artefacts().values())
    assert [str(page) for page in frame["Page"] if page != NONE] == list(pages.values())
    assert 'href="fig1.html"' in contents.items().html
    assert list(contents.claims().frame["Claim"]) == list(papers.claims("B")["id"])
    assert 'href="../compare/scoreboard.html"' in contents.claims().html
