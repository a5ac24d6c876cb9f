from __future__ import annotations

import subprocess
import sys

import pytest
from report_fakes import ablation, rounds
from test_tables import Tags

from snnbook import experiments, headers
from snnbook.errors import UserError, unknown
from snnbook.report import claims, page, papers, tables
from snnbook.report.page import Page

PARAMETERS = {"profile": "laptop", "seeds": "", "results": "", "jobs": 2, "options": "epochs=3 lr=0.1"}


def test_the_box_says_what_the_page_stands_on():
    box = page.box([ablation()], "stp/table4", PARAMETERS)
    Tags(box.html)
    for text in (
        "<dt>Profile</dt><dd>laptop</dd>",
        "Reduced scale, on our embedded data: digits-dvs, arms-dvs (laptop), 5 seeds.",
        "40 of 8 trials; seeds 0-4",
        "<dt>Device</dt><dd>cpu</dd>",
        "<dt>Threads</dt><dd>1</dd>",
        "<dt>Training time, all records</dt><dd>40 min 40 s</dd>",
        "S+T-arms-dvs-00000000: seeds 0-4",
        '<th scope="row">torch</th><td>2.13.0</td>',
    ):
        assert text in box.html, text
        if "<" not in text:
            assert text in box.markdown
    assert "color:" not in box.html


def test_a_page_without_records():
    box = page.box([], "ideas/lif", {"profile": "smoke"})
    assert "this page computes what it shows" in box.html
    assert "Scale" not in box.html
    assert "snnbook book --only ideas/lif --profile smoke" in box.html


def test_several_studies_share_their_records():
    results = ablation()
    once = page.box([results], "x", {}).html
    assert once == page.box([results, results], "x", {}).html


def test_the_commands_can_be_pasted():
    book, convert, run = page.commands("stp/table4", PARAMETERS)
    assert book == "snnbook book --only stp/table4 --profile laptop --options 'epochs=3 lr=0.1'"
    assert convert == "jupytext --to ipynb --output table4.ipynb notebooks/stp/table4.py"
    values = "-r profile laptop -p jobs 2 -r options 'epochs=3 lr=0.1'"
    assert run == f"papermill table4.ipynb table4-executed.ipynb {values}"


def test_the_opening():
    block = page.opening("A", "Table 4", 1)
    Tags(block.html)
    assert "At a glance" in block.html
    assert "Gou S" in block.html
    assert "https://doi.org/10.3389/fnins.2025.1545583" in block.html
    assert "about 1 minute<" in block.html
    with pytest.raises(UserError, match=str(unknown("paper", "Z", "ABCD"))[:20]):
        page.opening("Z", "Table 4", 1)


# --- one page


@pytest.fixture
def shown(monkeypatch):
    """The page of Table 4, and the names of the studies that were read for it."""
    names = []

    def results(name, **parameters):
        assert parameters == PARAMETERS
        names.append(name)
        return rounds({"S": 0.1}) if name == "A.rounds" else ablation()

    monkeypatch.setattr(experiments, "results", results)
    return Page("stp/table4", {**PARAMETERS, "more": 1}), names


def test_a_page_knows_what_it_reproduces(shown):
    text = shown[0].opening().markdown
    artefact, minutes = headers.artefacts()["A.table4"], headers.header("stp/table4").minutes
    assert f"Reproduces: Table 4, {artefact.about}" in text
    assert f"about {minutes:g} minutes" in text


def test_a_page_without_an_artefact_says_what_it_is_about():
    lesson = Page("stp/two_samples", PARAMETERS)
    assert "a lesson" in lesson.opening("a lesson", "A").markdown
    with pytest.raises(UserError, match="unknown paper ''"):
        lesson.opening()


def test_a_study_is_read_once_and_only_by_a_page_that_says_so(shown):
    one, names = shown
    study = one.reads[0]
    assert one.results(study) is one.results(study)
    assert names == [study]
    with pytest.raises(UserError, match=r"unknown study among the `reads` of stp/table4 'compare'"):
        one.results("compare")


def test_a_page_has_the_verdicts_of_its_own_claims(shown):
    frame = shown[0].verdicts().frame
    claimed = papers.claims()
    assert list(frame["Claim"]) == list(claimed.loc[claimed["page"] == "stp/table4", "id"])
    assert set(frame["Verdict"]) == {"✓ holds", "≡ holds by construction"}
    assert list(shown[0].verdicts("A-24").frame["Claim"]) == ["A-24"]
    with pytest.raises(UserError, match="no claim is judged on ideas/lif"):
        Page("ideas/lif", PARAMETERS).verdicts()


def test_a_page_of_all_claims_reads_all_that_their_checks_read(monkeypatch):
    names = []

    def results(name, **parameters):
        names.append(name)
        return ablation()

    monkeypatch.setattr(experiments, "results", results)
    board = Page("stp/paper", PARAMETERS).board("A")
    assert [v.claim for v in board] == list(papers.claims("A")["id"])
    assert sorted(names) == claims.studies_read(paper="A")
    assert "compare" not in names
    names.clear()
    Page("compare/scoreboard", PARAMETERS).board()
    assert sorted(names) == claims.studies_read()


def test_the_word_claims_stands_for_what_their_checks_read():
    assert claims.studies_named(["lamp", "claims.D"]) == ["lamp", "compare"]
    assert claims.studies_named(["claims"]) == claims.studies_read()
    with pytest.raises(UserError, match="unknown paper 'E'"):
        claims.studies_named(["claims.E"])


def test_the_box_names_what_was_read_and_misses_what_was_not(shown):
    one, _ = shown
    with pytest.raises(UserError, match=r"stp/table4 reads .* by its header, but did not"):
        one.box()
    studies = [one.results(name) for name in one.reads]
    assert one.box().html == page.box(studies, "stp/table4", PARAMETERS).html


def test_a_page_takes_the_five_parameters():
    with pytest.raises(UserError, match="the parameter jobs is not set"):
        Page("stp/table4", {k: v for k, v in PARAMETERS.items() if k != "jobs"})
    with pytest.raises(UserError, match="unknown notebook 'stp/tabel4'"):
        Page("stp/tabel4", PARAMETERS)


def test_durations_and_seed_ranges():
    assert [tables.duration(s) for s in (12, 200, 3900)] == ["12 s", "3 min 20 s", "1 h 5 min"]
    assert [page.seed_range(s) for s in ((0, 1, 2), (0, 2, 5), (3,))] == ["0-2", "0, 2, 5", "3"]


def test_report_needs_no_training_code():
    rooms = ("claims", "page", "plots", "pages.scoreboard", "tables")
    heavy = ("torch", "snnbook.training", "snnbook.networks", "snnbook.experiments", "snnbook.pruning")
    code = f"import sys, {', '.join(f'snnbook.report.{room}' for room in rooms)};"
    code += f"print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
