import pytest


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory, worker_id):
    """One cache for all workers of a test run, so that no set is generated twice."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "cache"


@pytest.fixture(autouse=True)
def _cache(monkeypatch, cache_folder):
    monkeypatch.setenv("SNNBOOK_CACHE", str(cache_folder))
