"""What a record may hold is written down; a name that is not is an error where it is read and where it is written."""

import ast
import copy
import json
import pickle
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from re import sub

import numpy as np
import pytest

import snnbook
from snnbook.errors import UserError
from snnbook.experiments import record as schema
from snnbook.experiments import run, study
from snnbook.experiments.extras import EXTRAS
from snnbook.experiments.record import METRICS, Metrics, Record, schema_tables
from snnbook.measure import VARIANTS


def _record(**metrics):
    curves = {"kl_smoothed": np.array([3.0, 1.0, 0.0])}
    return Record("lamp-x-12345678", 0, {"data": "x"}, metrics, [{"name": "a"}], curves, {"grown": [1]})


def test_a_known_metric_that_is_missing_is_none():
    metrics = _record(top1=91.25).metrics
    assert (metrics["top1"], metrics.get("top1")) == (91.25, 91.25)
    assert (metrics["sops"], metrics.get("sops"), metrics.get("sops", 0)) == (None, None, 0)
    assert metrics == {"top1": 91.25}, "reading adds nothing"


WRITES = {
    "a new record": lambda m, name: _record(**{name: 1}),
    "an item": lambda m, name: m.__setitem__(name, 1),
    "update": lambda m, name: m.update({name: 1}),
    "update by keyword": lambda m, name: m.update(**{name: 1}),
    "|=": lambda m, name: m.__ior__({name: 1}),
    "setdefault": lambda m, name: m.setdefault(name, 1),
}
READS = {"an item": lambda m, name: m[name], "get": lambda m, name: m.get(name, 0)}


@pytest.mark.parametrize("way", WRITES.values(), ids=WRITES)
def test_a_misspelt_metric_cannot_be_written(way):
    metrics = _record(top1=91.25).metrics
    with pytest.raises(UserError, match="unknown metric 'top_1'; did you mean top1"):
        way(metrics, "top_1")
    assert metrics == {"top1": 91.25}
    way(metrics, "sops")


@pytest.mark.parametrize("way", READS.values(), ids=READS)
def test_a_misspelt_metric_cannot_be_read(way):
    with pytest.raises(UserError, match="unknown metric 'sopss'; did you mean sops"):
        way(_record(sops=1).metrics, "sopss")


@pytest.mark.parametrize("value", [True, "1", [1], {"a": 1}, np.ones(1)])
def test_a_metric_is_a_number_or_none(value):
    with pytest.raises(UserError, match="metric 'sops' must be a number or None"):
        _record(sops=value)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_metrics_are_a_dict_that_keeps_its_checks(copied):
    metrics = copied(Metrics({"top1": 1.5, "sops": None}))
    assert json.loads(json.dumps(metrics)) == metrics == {"top1": 1.5, "sops": None}
    with pytest.raises(UserError):
        metrics["top_1"]


def test_the_digest_sees_every_result_and_not_the_environment():
    a, b = _record(top1=1), _record(top1=1)
    b.environment = {"wall_s": 3}
    assert a.digest == b.digest
    changes = {
        "id": "other", "seed": 1, "trial": {}, "metrics": Metrics(), "layers": [], "log": {},
        "curves": {"kl_smoothed": np.nextafter(a.curves["kl_smoothed"], 4)},
    }  # fmt: skip
    digests = {a.digest}
    for name, value in changes.items():
        changed = _record(top1=1)
        setattr(changed, name, value)
        digests.add(changed.digest)
    assert len(digests) == 1 + len(changes)
    for same in (np.array([3.0, 1.0, 0.0], dtype=np.float32), np.array([[3.0, 1.0, 0.0]])):
        b.curves = {"kl_smoothed": same}
        assert a.digest != b.digest, "type and shape count"


# --- the schema covers what is measured ---------------------------------------------------------------------


def _matches(name, pattern):
    return fnmatchcase(name, sub(r"<\w+>", "*", pattern))


def test_everything_in_a_record_is_in_the_schema():
    """A run in rounds with all the extras that there are, on events, with Fisher information and masks."""
    trial = study("A.rounds", "smoke", seeds=(0,)).trials["digits-dvs", "S"]
    record = run(replace(trial, extras=tuple(EXTRAS), fisher_samples=8), 0)
    assert set(METRICS) - set(record.metrics) <= {"parameters_smaller", "smaller_differs"}
    assert {name for layer in record.layers for name in layer} == set(schema.LAYER_METRICS)
    assert {name for measured in record.log["rounds"] for name in measured} == set(schema.ROUND_METRICS)
    assert set(record.environment) == set(schema.ENVIRONMENT)
    patterns = set()
    for name, array in record.curves.items():
        matching = [pattern for pattern in schema.CURVES if _matches(name, pattern)]
        assert len(matching) == 1, name
        assert array.ndim == schema.CURVES[matching[0]].shape.count(",") + 1, name
        patterns |= set(matching)
    assert set(schema.CURVES) - patterns == {"neurons/<module>"}, "this method masks no neurons"


def test_everything_that_methods_log_is_in_the_schema():
    """The names are read off the sources: `c.log["name"]` and `log.setdefault("name", …)`."""
    logged = set()
    for path in Path(snnbook.__file__).parent.joinpath("pruning").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Subscript(value=ast.Attribute(attr="log"), slice=ast.Constant(value=str(name))):
                    logged.add(name)
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr="log"), attr="setdefault"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    logged.add(name)
    assert logged - {"decision_step"} == set(schema.LOG) - {"rounds"}, "the decision step is a metric"
    assert "decision_step" in logged


def test_the_tables_have_a_row_for_every_name():
    text = schema_tables()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(quantities) for quantities in schema.PARTS.values())
    assert "| `sops` | SOPs/sample | Spikes that cross a live synapse" in text
    assert "| `kl_<variant>` | `[T]` | nats |" in text
    assert all(line.count("|") == (5 if "`[" in line else 4) for line in rows), "no meaning breaks its row"


@pytest.mark.parametrize("name", [*METRICS, *schema.LAYER_METRICS, *schema.ROUND_METRICS])
def test_a_meaning_is_a_sentence(name):
    for quantities in schema.PARTS.values():
        if name in quantities:
            assert quantities[name].meaning[0].isupper() or quantities[name].meaning[0] == "`"
            assert quantities[name].meaning.endswith(".")


def test_the_variants_of_the_divergence_have_a_curve():
    assert all(any(_matches(f"kl_{variant}", pattern) for pattern in schema.CURVES) for variant in VARIANTS)
