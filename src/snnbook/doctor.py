"""What this machine has of all that snnbook can use, what it lacks, and what the lack costs: `snnbook doctor`."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass

import torch

import snnbook
from snnbook import arithmetic, datasets, native, paths
from snnbook.errors import UserError


@dataclass(frozen=True)
class Check:
    """One thing that snnbook uses.

    good: whether this machine has it. text: what it is or where; for one that is missing, what that means.
    """

    name: str
    good: bool
    text: str


def checks() -> list[Check]:
    """All checks, in the order in which they are shown."""
    version = f"{snnbook.__version__}, Python {platform.python_version()}, torch {torch.__version__}"
    return [
        Check("snnbook", True, version),
        _processor(),
        _kernels(),
        _gpu(),
        _npm(),
        _printed_numbers(),
        _cache(),
        Check("data sets", True, ", ".join(datasets.available())),
    ]


def _processor() -> Check:
    good = arithmetic.possible()
    records = "records can be made again bit for bit" if good else f"no AVX2: {_CLOSE}"
    return Check("processor", good, f"{arithmetic.name()}, {torch.get_num_threads()} threads; {records}")


def _kernels() -> Check:
    good = native.available()
    return Check("compiled kernels", good, native.status if good else f"{native.status}; slower, {_CLOSE}")


_CLOSE = "records come out close, not bit for bit"


def _gpu() -> Check:
    good = torch.cuda.is_available()
    return Check("GPU", good, torch.cuda.get_device_name() if good else "none; only the paper profile gains from one")


def _npm() -> Check:
    good = shutil.which("npm") is not None
    return Check("npm", good, f"formulas {'are stored with the book' if good else 'in the book need the internet'}")


def _cache() -> Check:
    folder, remedy = paths.cache(), paths.MOVE_CACHE
    if folder is None:
        return Check("data cache", False, f"no home folder, data sets are generated each time; {remedy}")
    there = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    good = os.path.isdir(there) and os.access(there, os.W_OK)
    why = f"{folder} cannot be written, data sets are generated each time; {remedy}"
    return Check("data cache", good, str(folder) if good else why)


def _printed_numbers() -> Check:
    try:
        return Check("printed numbers", True, str(paths.data()))
    except UserError as err:
        return Check("printed numbers", False, str(err))
