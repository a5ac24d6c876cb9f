"""A rendered book asks nobody outside, passes without a warning or not at all, and renders no more than it must."""

from __future__ import annotations

import json

import pytest

from snnbook.book.render import PASSED, mathjax, render, structure, vendor_mathjax
from snnbook.book.runs import empty_unless
from snnbook.book.toc import STATUS
from snnbook.errors import UserError


@pytest.fixture(scope="module")
def tiny_book(tmp_path_factory):
    """Prose of two pages, rendered."""
    folder = tmp_path_factory.mktemp("book")
    prose, work = folder / "book", folder / "work"
    mathjax(prose).parent.mkdir(parents=True)
    mathjax(prose).write_text("// stands for MathJax\n")
    for name, text in {
        "_toc.yml": f"format: jb-book\nroot: first\nparts:\n- chapters:\n  - file: second\n  - file: {STATUS}\n",
        "first.md": "# First\n\nA formula: $a^2$.\n",
        "second.md": "# Second\n\nSee {doc}`first`.\n",
        "references.bib": "",
    }.items():
        (prose / name).write_text(text)
    (work / "executed").mkdir(parents=True)
    return prose, work, render(work, prose=prose)


def html(tiny_book, *names):
    index = tiny_book[2]
    return "".join((index.parent / f"{name}.html").read_text() for name in names)


def test_a_rendered_book_asks_nobody_outside(tiny_book):
    pages = html(tiny_book, "index", "first", STATUS)
    assert "_static/mathjax/tex-mml-chtml.js" in pages
    assert 'src="http' not in pages
    assert '<link rel="stylesheet" href="http' not in pages


def test_a_changed_sentence_renders_its_page_alone_and_a_changed_heading_all(tiny_book):
    prose, work, index = tiny_book
    other = index.parent / "second.html"
    other.write_text(other.read_text() + "<!-- as it was -->")
    (prose / "first.md").write_text("# First\n\nAnother formula: $a^3$.\n")
    render(work, prose=prose)
    assert "Another formula" in html(tiny_book, "first")
    assert "as it was" in html(tiny_book, "second")
    (prose / "first.md").write_text("# Premier\n\nAnother formula: $a^3$.\n")
    render(work, prose=prose)
    assert "as it was" not in html(tiny_book, "second")
    assert "Premier" in html(tiny_book, "second")


def test_a_warning_is_an_error_and_leaves_no_book_to_build_upon(tiny_book):
    prose, work, _ = tiny_book
    good = (prose / "first.md").read_text()
    (prose / "first.md").write_text("# Premier\n\n{term}`nowhere`\n")
    try:
        with pytest.raises(UserError, match=r"first\.md.*nowhere"):
            render(work, prose=prose)
    finally:
        (prose / "first.md").write_text(good)
    assert not (work / "_build" / "html").exists()
    assert not (work / PASSED).exists()


def test_the_structure_of_a_page_is_what_others_may_refer_to():
    text = "# A\n\n(label)=\n## B\n\nwords\n\n```{math}\n:label: eq\nx\n```\n\n$$ y $$ (eq-y)\n"
    assert structure("a.md", text.encode()) == ["# A", "(label)=", "## B", "```{math}", ":label: eq", "$$ y $$ (eq-y)"]
    assert structure("a.md", text.replace("words", "others").encode()) == structure("a.md", text.encode())
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# A\n", "words"]},
        {"cell_type": "code", "metadata": {"tags": ["x"], "papermill": {"duration": 1}}, "source": "f()"},
    ]
    assert structure("a.ipynb", json.dumps({"cells": cells}).encode()) == ["# A", '{"tags": ["x"]}']
    assert structure("a.md", b"```{glossary}\nLIF\n  A neuron.\n```\n") is None
    assert structure("references.bib", b"") is None


def test_without_npm_the_build_says_that_formulas_need_the_internet(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not vendor_mathjax(tmp_path)
    assert "there is no npm" in capsys.readouterr().out


def test_a_fresh_build_starts_empty_but_goes_on_where_it_was_cut_off(tmp_path):
    folder, marker = tmp_path / "fresh" / "results", tmp_path / "fresh" / "unfinished"

    def after(code):
        empty_unless(folder, marker, code)
        kept = (folder / "record").exists()
        (folder / "record").touch()
        return kept

    assert [after("one"), after("one"), after("two"), after("two")] == [False, True, False, True]
    marker.unlink()
    assert not after("two")
