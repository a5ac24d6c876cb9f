"""Processes whose arithmetic is held, and the square root that needs no holding."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest
import same_bits
import torch

from snnbook import arithmetic
from snnbook.experiments import run

needs_avx2 = pytest.mark.skipif(not arithmetic.possible(), reason="needs an x86-64 processor with AVX2")
SAY = "print(arithmetic.held(), arithmetic.name())"


def said(*statements):
    """The lines that a process prints which inherits none of the variables."""
    inherited = {name: value for name, value in os.environ.items() if name not in arithmetic.VARIABLES}
    command = [sys.executable, "-c", "; ".join(["from snnbook import arithmetic", *statements])]
    return subprocess.run(command, capture_output=True, text=True, env=inherited, check=True).stdout.splitlines()


@needs_avx2
def test_a_process_is_held_if_it_says_so_before_it_computes():
    assert said("arithmetic.hold()", SAY) == [f"True {arithmetic.HELD}"]
    free, late = said(SAY, "arithmetic.hold()", SAY)
    assert free in ("False AVX2", "False AVX512")
    assert late == (free if "512" in free else f"True {arithmetic.HELD}"), "torch has chosen its instructions by then"


@pytest.mark.skipif(not same_bits.due(), reason=f"needs AVX2, the compiled kernels and {same_bits.VERSIONS}")
def test_a_trial_comes_out_bit_for_bit_on_every_processor():
    record = run(same_bits.SMALLEST, 0)
    assert record.environment["processor"] == arithmetic.HELD
    assert record.digest[:16] == same_bits.DIGEST


@needs_avx2
def test_a_process_with_another_value_is_not_held(monkeypatch):
    assert arithmetic.held(), "the tests are"
    monkeypatch.setenv("MKL_CBWR", "AVX2")  # with which the dense layers of Intel's processors differ from AMD's
    assert not arithmetic.held()
    assert arithmetic.name() == "AVX2"


def test_a_processor_without_avx2_is_not_asked_for_it(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": False})
    for name in arithmetic.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    arithmetic.hold()
    assert not set(arithmetic.VARIABLES) & set(os.environ)
    assert not arithmetic.held()


def test_the_square_root_is_that_of_ieee_754():
    for dtype in (torch.float32, torch.float64):
        x = torch.rand(1000, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))[:, ::2]
        root = arithmetic.sqrt(x)
        assert root.dtype == dtype
        exact = torch.tensor([[math.sqrt(v) for v in row] for row in x.tolist()], dtype=dtype)
        assert torch.equal(root, exact)
