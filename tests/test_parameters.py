"""What papermill's YAML can hand over is taken for what it means, or refused by one line that names the parameter."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook.errors import UserError
from snnbook.parameters import DEFAULTS, as_text, jobs, options, profile, results, seeds


@pytest.mark.supports("Places", "`seeds` as a number, text, list or null", "accepted")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-4", (0, 1, 2, 3, 4)),
        ("'0,2'", (0, 2)),
        ("0-1,5", (0, 1, 5)),
        ("7", (7,)),
        ("'7'", (7,)),
        ("[0, 1]", (0, 1)),
        ("[0-1, 5]", (0, 1, 5)),
        ("null", ()),
        ("''", ()),
    ],
)
def test_seeds(text, expected):
    assert seeds(yaml.safe_load(text)) == expected


@pytest.mark.supports(
    "Places",
    "`seeds` that are none, stand twice or run backwards",
    "refused",
    says="seeds are numbers, ranges or lists such as 0-4 or 0,2,5 without repeats, got",
)
@pytest.mark.parametrize(
    "text",
    ["4-1", "0,4-1", "a", "'1,,2'", "0-", "'1,1'", "-3", "0-4-8", "[]", "[0, 0]", "[[0]]", "[true]", "true", "1.0",
     "{a: 1}", "0-999999999999", "99999999999999999999"],
)  # fmt: skip
def test_seeds_that_mean_nothing_are_refused(text):
    with pytest.raises(UserError, match=r"^seeds are .*, got [^\n]*$"):
        seeds(yaml.safe_load(text))


@settings(max_examples=50)
@given(st.text(max_size=12))
def test_seeds_never_fail_otherwise(text):
    try:
        parsed = seeds(text)
    except UserError:
        return
    assert all(isinstance(s, int) and s >= 0 for s in parsed)


@pytest.mark.supports("Places", "`jobs` as a number, text or null", "accepted")
@pytest.mark.parametrize(("text", "expected"), [("3", 3), ("'1'", 1), ("null", 2), ("''", 2)])
def test_jobs(text, expected):
    assert jobs(yaml.safe_load(text)) == expected


@pytest.mark.supports(
    "Places", "`jobs` below 1, or no whole number", "refused", says="jobs must be a whole number of at least 1, got"
)
@pytest.mark.parametrize("text", ["0", "-1", "'0'", "two", "1.5", "2.0", "true", "[1]"])
def test_jobs_below_one_and_no_numbers_are_refused(text):
    with pytest.raises(UserError, match=r"^jobs must be a whole number of at least 1, got [^\n]*$"):
        jobs(yaml.safe_load(text))


@pytest.mark.supports("Places", "`options` as pairs, a mapping or null", "accepted")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lam=0.1 temporal=false kl=reverse T=8", {"lam": 0.1, "temporal": False, "kl": "reverse", "T": 8}),
        ("{lam: 0.1, temporal: false, kl: reverse, T: 8}", {"lam": 0.1, "temporal": False, "kl": "reverse", "T": 8}),
        ("root='/a folder' device=cuda", {"root": "/a folder", "device": "cuda"}),
        ("{epochs: null, cuts: [1, 2]}", {"epochs": None, "cuts": [1, 2]}),
        ("null", {}),
        ("{}", {}),
        ("''", {}),
    ],
)
def test_options(text, expected):
    assert options(yaml.safe_load(text)) == expected


@pytest.mark.supports("Places", "`options` that are no pairs", "refused", says="options are key=value pairs")
@pytest.mark.supports("Places", "an option that is given twice", "refused", says="options give lam twice")
@pytest.mark.supports("Places", "`options` without names", "refused", says="options have names, got 1")
@pytest.mark.supports(
    "Places", "dates and the like in `options`", "refused", says="options hold numbers, words and lists of them"
)
@pytest.mark.supports("Places", "`profile` and `seeds` as `options`", "refused", says="… is not an option of a study")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("3", "key=value pairs or a mapping, got 3"),
        ("true", "key=value pairs or a mapping, got True"),
        ("[T=8]", "key=value pairs or a mapping"),
        ("lam", "key=value pairs, got 'lam'"),
        ("lam=1 lam=2", "options give lam twice"),
        ("root='a", "key=value pairs, got"),
        ("{1: 2}", "options have names, got 1"),
        ("{day: 2020-01-01}", "options hold numbers, words and lists"),
        ("lam=0.1 profile=smoke", "profile is not an option of a study"),
        ("{seeds: 0}", "seeds is not an option of a study"),
    ],
)
def test_options_that_mean_nothing_are_refused(text, why):
    with pytest.raises(UserError, match=why) as refused:
        options(yaml.safe_load(text))
    assert "\n" not in str(refused.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda v: st.lists(v, max_size=3),
)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(["lam", "kl", "a b", "T"]), VALUES, max_size=3))
def test_options_are_the_same_as_a_mapping_and_as_text(chosen):
    assert options(as_text({"options": chosen})["options"]) == options(chosen) == chosen


@pytest.mark.supports(
    "Places", "relative folders in the parameters of a notebook", "accepted: they are taken from the working folder"
)
def test_folders_are_those_of_the_working_folder_wherever_they_are_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taken = as_text({"results": "my", "options": "root=data"})
    monkeypatch.chdir("/")
    assert Path(taken["results"]) == tmp_path / "my"
    assert options(taken["options"])["root"] == str(tmp_path / "data")
    assert results(tmp_path / "my") == taken["results"] == results(taken["results"])


@pytest.mark.parametrize("value", [7, True, ["my"], {"a": "b"}])
def test_results_and_profile_are_text(value):
    with pytest.raises(UserError, match=r"^results must be .* got"):
        results(value)
    with pytest.raises(UserError, match=r"^profile must be .* got"):
        profile(value)


def test_null_and_nothing_are_the_defaults():
    assert as_text({}) == as_text(dict.fromkeys(DEFAULTS)) == as_text(dict.fromkeys(DEFAULTS, "")) == DEFAULTS
    assert as_text({"seeds": [0, 2], "jobs": "1", "other": 3})["seeds"] == "0,2"
