"""What `snnbook doctor` says of a machine that lacks something."""

from __future__ import annotations

import shutil

import pytest
import torch

from snnbook import datasets, doctor, native, paths
from snnbook.errors import UserError


def check(name):
    (named,) = (check for check in doctor.checks() if check.name == name)
    return named


def test_every_check_has_a_name_of_its_own_and_one_line():
    checks = doctor.checks()
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.text and "\n" not in check.text for check in checks)
    assert set(check("data sets").text.split(", ")) == set(datasets.available())


@pytest.mark.parametrize("there", [True, False])
def test_a_check_is_good_where_the_thing_is_there(there, monkeypatch):
    monkeypatch.setattr(native, "available", lambda: there)
    monkeypatch.setattr(native, "status", "AVX2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(shutil, "which", lambda name: name if there else None)
    expected = {
        True: {"compiled kernels": "AVX2", "GPU": "a GPU", "npm": "formulas are stored with the book"},
        False: {
            "compiled kernels": "AVX2; slower, records come out close, not bit for bit",
            "GPU": "none; only the paper profile gains from one",
            "npm": "formulas in the book need the internet",
        },
    }[there]
    assert {name: (check(name).good, check(name).text) for name in expected} == {
        name: (there, text) for name, text in expected.items()
    }


def test_the_processor_is_good_if_records_can_be_made_again_on_it(monkeypatch):
    for capabilities, good in (({"avx2": True}, True), ({"avx2": False}, False), ({"sve": True}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda answer=capabilities: answer)
        processor = check("processor")
        assert (processor.good, "no AVX2: records come out close" in processor.text) == (good, not good)


def test_printed_numbers_are_missing_outside_a_clone(monkeypatch):
    assert check("printed numbers").good

    def nowhere():
        raise UserError("no repository here")

    monkeypatch.setattr(paths, "data", nowhere)
    assert check("printed numbers") == doctor.Check("printed numbers", False, "no repository here")


def test_a_cache_that_cannot_be_written_is_missing_and_says_what_to_set(tmp_path, monkeypatch):
    for folder, good in ((tmp_path / "new" / "cache", True), ("/dev/null/cache", False)):
        monkeypatch.setenv("SNNBOOK_CACHE", str(folder))
        cache = check("data cache")
        assert (cache.good, "set SNNBOOK_CACHE" in cache.text) == (good, not good)
        assert str(folder) in cache.text
