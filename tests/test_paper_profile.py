"""The paper profile from end to end on tiny folders of fake files: real loaders, studies, records, pages."""

from __future__ import annotations

import json
import re

import fake_data
import numpy as np
import pytest

from snnbook import book, datasets
from snnbook.experiments import Store, results_of

STUDIES = ("A.dense", "A.rounds", "A.hundred")
PAGES = ("stp/fig1", "stp/figs3_4")

pytestmark = pytest.mark.filterwarnings("ignore:cifar10_dvs has 1,000 recordings")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("the sets")  # with a blank, as folders may have
    fake_data.cifar10(folder)
    fake_data.cifar100(folder)
    fake_data.cifar10_dvs(folder)
    return fake_data.dvs128_gesture(folder)


@pytest.fixture(scope="module")
def options(root):
    return f"root='{root}' epochs=2 width=0.05 T=3 size=32 rewind=1 cuts=1 batch_size=32 fisher_samples=2"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def results(root, options, store):
    with pytest.MonkeyPatch.context() as patch:
        fake_data.trusted(patch, root)
        return results_of(STUDIES, store, "paper", "0", options, jobs=1)


def test_the_papers_sets_are_run_and_named(results):
    assert results["A.rounds"].sets == ["cifar10", "cifar10_dvs", "dvs128_gesture"]
    for study in results.values():
        for key, (record,) in study.records.items():
            assert record.profile == "paper"
            assert record.trial["data"] == key.data
            assert record.trial["T"] == 3
            assert study.playing(datasets.info(key.data).plays) == key.data
            if not datasets.info(key.data).static:
                assert record.trial["data_settings"]["size"] == 32
            assert record.trial["content"] == record.environment["data"]
            assert "sets" not in json.dumps(record.trial), "where the files lie is nobody's business"


def test_the_first_samples_are_of_all_classes(results, root):
    """Recordings lie sorted by class: what is counted on the first of them must not be of one class alone."""
    (record,) = results["A.dense"].records["cifar10_dvs", "dense"]
    test = datasets.load("cifar10_dvs", "test", root=root, T=3, size=32)
    labels = test.head(record.curves["outputs"].shape[1]).y
    assert len(np.unique(labels)) == min(len(labels), 10)


@pytest.mark.notebooks
@pytest.mark.parametrize("name", PAGES)
def test_pages_show_the_papers_sets_and_no_stand_in(results, options, store, name, tmp_path):
    (notebook,) = (n for n in book.notebooks() if n.name == name)
    parameters = {"profile": "paper", "seeds": "0", "results": str(store.path), "jobs": 1, "options": options}
    page = book.execute(notebook, parameters, tmp_path)
    outputs = [o for cell in json.loads(page.path.read_text())["cells"] for o in cell.get("outputs", [])]
    text = json.dumps(outputs, ensure_ascii=False)
    assert "dvs128_gesture" in text
    assert not re.findall(r"digits-\w+|arms-dvs", text)
