"""Processes whose arithmetic is held, and the square root that needs no holding."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest
import torch

from snnbook import arithmetic

HELD = "from snnbook import arithmetic; print(arithmetic.held(), arithmetic.name())"


def said(code, **environment):
    """What a process prints that inherits none of the variables."""
    inherited = {name: value for name, value in os.environ.items() if name not in arithmetic.VARIABLES}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=inherited | environment, check=True)
    return done.stdout.split(maxsplit=1)


@pytest.mark.skipif(not arithmetic.possible(), reason="needs an x86-64 processor with AVX2")
def test_a_process_is_held_if_it_says_so_before_it_computes():
    assert said(f"{HELD.split(';')[0]}; arithmetic.hold(); {HELD}") == ["True", "AVX2, held\n"]
    assert said(HELD, **arithmetic.VARIABLES) == ["True", "AVX2, held\n"]
    free, instructions = said(HELD)
    assert (free, instructions.strip() in ("AVX2", "AVX512")) == ("False", True)
    assert said(HELD, **arithmetic.VARIABLES | {"MKL_CBWR": "AVX2"})[0] == "False", "dense layers differ then"
    late, _ = said(f"import torch; torch.ones(100).sum(); {HELD.split(';')[0]}; arithmetic.hold(); {HELD}")
    assert late == str(instructions.strip() == "AVX2"), "torch has chosen its instructions by then"


def test_the_square_root_is_that_of_ieee_754():
    for dtype in (torch.float32, torch.float64):
        x = torch.rand(1000, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))[:, ::2]
        root = arithmetic.sqrt(x)
        assert root.dtype == dtype
        exact = torch.tensor([[math.sqrt(v) for v in row] for row in x.tolist()], dtype=dtype)
        assert torch.equal(root, exact)
