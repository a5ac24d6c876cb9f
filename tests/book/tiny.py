"""A notebook of one cell, to run."""

from __future__ import annotations

from pathlib import Path

from snnbook.book import Notebook

HEAD = """# ---
# jupyter:
#   jupytext:
#     text_representation: {{extension: .py, format_name: percent}}
#   kernelspec: {{display_name: Python 3, language: python, name: python3}}
#   snnbook: {{reproduces: [], reads: [{reads}], minutes: 1}}
# ---

# %% [markdown]
# # A page

# %% tags=["parameters"]
profile = "laptop"
seeds = ""
results = ""
options = ""
number = 1

"""


def write(folder: Path, code: str, name: str = "ideas/tiny", reads: str = "") -> Notebook:
    """A notebook with one code cell and the studies that it reads."""
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD.format(reads=reads) + "# %%\n" + code + "\n", encoding="utf-8")
    return Notebook(name, path, reads=tuple(filter(None, reads.split(", "))))
