"""Stored records against their trials, run again."""

from dataclasses import replace

import pytest

from snnbook.errors import UserError
from snnbook.experiments import Store, verify


def test_verify_tells_equal_close_and_different(done, both):
    store = done[1]
    assert {check.outcome for check in verify.verify(store, sample=1, cheapest=True)} == {"equal"}
    assert [check.id for check in verify.verify(store, sample=1, id=both.start.id)] == [both.start.id]
    stored, again = store.get(both.id, 0), store.get(both.id, 0)
    again.metrics["top1"] += 1
    assert verify.compare(stored, again).outcome == "differs", "the same machine owes the same bits"
    stored.environment["processor"] = "another"
    assert verify.compare(stored, again).outcome == "close"
    again.metrics["top1"] += 50
    assert "top1" in verify.compare(stored, again).why
    again.metrics["weights_alive"] += 1
    assert "weights_alive" in verify.compare(stored, again).why


def test_a_record_of_other_defaults_does_not_pass(done, both):
    stored = done[1].get(both.id, 0)
    changed = replace(stored, trial={**stored.trial, "settings": {**stored.trial["settings"], "tail": 0.125}})
    check = verify.again(changed)
    assert check.outcome == "differs"
    assert "data or defaults have changed" in check.why


def test_verify_without_records(tmp_path):
    with pytest.raises(UserError, match="no record"):
        list(verify.verify(Store(tmp_path)))
