"""One small study, run once: eight arms and the two dense networks that they start from."""

from __future__ import annotations

import pytest

from snnbook.experiments import Store, run_study, study


@pytest.fixture(scope="session")
def smoke():
    """The ablation at the smallest scale, one seed."""
    return study("A.ablation", "smoke", seeds=(0,))


@pytest.fixture(scope="session")
def done(smoke, tmp_path_factory):
    """Its results, and the store that they are in."""
    store = Store(tmp_path_factory.mktemp("results"))
    return run_study(smoke, store, jobs=1, progress=False), store


@pytest.fixture(scope="session")
def both(smoke):
    """The trial that is pruned in space and in time, which goes on from a dense one."""
    return smoke.trials["digits-dvs", "S+T"]
