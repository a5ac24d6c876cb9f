from __future__ import annotations

import subprocess
import sys

import pytest
from report_fakes import ablation
from test_tables import Tags

from snnbook.errors import UserError, unknown
from snnbook.report import page

PARAMETERS = {"profile": "laptop", "seeds": "", "results": "", "jobs": 2, "options": "epochs=3 lr=0.1"}


def test_the_box_says_what_the_page_stands_on():
    box = page.make_box(ablation(), "stp/table4", PARAMETERS)
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
    box = page.make_box(None, "ideas/lif", {"profile": "smoke"})
    assert "this page computes what it shows" in box.html
    assert "Scale" not in box.html
    assert "snnbook book --only ideas/lif --profile smoke" in box.html


def test_several_studies_share_their_records():
    results = ablation()
    once = page.make_box({"A.ablation": results, "again": results}, "x", {}).html
    assert once == page.make_box([results, results], "x", {}).html == page.make_box(results, "x", {}).html


def test_the_commands_can_be_pasted():
    book, convert, run = page.commands("stp/table4", PARAMETERS)
    assert book == "snnbook book --only stp/table4 --profile laptop --options 'epochs=3 lr=0.1'"
    assert convert == "jupytext --to ipynb --output table4.ipynb notebooks/stp/table4.py"
    values = "-r profile laptop -p jobs 2 -r options 'epochs=3 lr=0.1'"
    assert run == f"papermill table4.ipynb table4-executed.ipynb {values}"


def test_the_opening():
    block = page.make_opening("A", "Table 4", 1)
    Tags(block.html)
    assert "At a glance" in block.html
    assert "Gou S" in block.html
    assert "https://doi.org/10.3389/fnins.2025.1545583" in block.html
    assert "about 1 minute<" in block.html
    with pytest.raises(UserError, match=str(unknown("paper", "Z", "ABCD"))[:20]):
        page.make_opening("Z", "Table 4", 1)


def test_shown_outside_a_notebook_it_prints(capsys):
    page.opening("B", "Table 1", 2)
    page.box(None, "ideas/lif", {})
    out = capsys.readouterr().out
    assert "At a glance" in out
    assert "How this page was made" in out


def test_durations_and_seed_ranges():
    assert [page.duration(s) for s in (12, 200, 3900)] == ["12 s", "3 min 20 s", "1 h 5 min"]
    assert [page.seed_range(s) for s in ((0, 1, 2), (0, 2, 5), (3,))] == ["0-2", "0, 2, 5", "3"]


def test_report_needs_no_training_code():
    rooms = ("claims", "page", "plots", "pages.scoreboard", "tables")
    heavy = ("torch", "snnbook.training", "snnbook.networks", "snnbook.experiments", "snnbook.pruning")
    code = f"import sys, {', '.join(f'snnbook.report.{room}' for room in rooms)};"
    code += f"print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
