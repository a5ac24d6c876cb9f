"""Arithmetic that every x86-64 processor with AVX2 does alike, so that a record can be checked to the last bit.

How sums are rounded depends on the instructions that a library chooses for the processor it finds. Held to these
variables, torch and oneDNN take those of AVX2 and MKL those that all processors share, in which the products of dense
layers alone are slower; our own kernels round alike at every level. A training takes a fifth longer on AVX-512.

What no variable holds is kept out of the way of a trial: torch's square root and arc tangent, for which MKL's vector
library starts from approximate instructions, and NumPy's powers, exponentials, logarithms and products, except in the
data, whose values are rounded and whose hashes the tests know.
"""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor

VARIABLES = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}
HELD = "AVX2, held"  # what the record of a process that is held calls its processor


def possible() -> bool:
    """Whether this processor has AVX2, in x86-64, so that a process can be held on it."""
    return bool(torch.cpu.get_capabilities().get("avx2", False))


def variables() -> dict[str, str]:
    """VARIABLES where they can be obeyed, nothing elsewhere: torch would take AVX2 at their word and crash."""
    return VARIABLES if possible() else {}


def hold() -> None:
    """Hold this process to the common arithmetic. It has to come before anything is computed: libraries look once."""
    os.environ.update(variables())


def held() -> bool:
    """Whether this process is held to it."""
    return possible() and all(os.environ.get(k) == v for k, v in VARIABLES.items()) and capability() == "AVX2"


def capability() -> str:
    """The instruction set that torch computes with, such as `AVX512`."""
    return torch.backends.cpu.get_cpu_capability()


def name() -> str:
    """What decides in this process how sums are rounded: HELD, or the instruction set alone."""
    return HELD if held() else capability()


def sqrt(x: Tensor) -> Tensor:
    """The square root of each element, correctly rounded and therefore the same everywhere; it has no gradient."""
    return torch.from_numpy(np.sqrt(x.detach().cpu().numpy())).to(x.device)
