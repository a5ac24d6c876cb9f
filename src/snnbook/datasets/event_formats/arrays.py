"""Files of arrays, `.npy`, `.npz` and HDF5: fields, arrays or data sets named x, y, t, p or alike, or bare columns."""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from snnbook.datasets.event_formats.stated import Stated
from snnbook.datasets.event_formats.tables import NAMES, Decoded, sensor_size, table
from snnbook.errors import UserError

_KNOWN = {name for names in NAMES.values() for name in names}


def _rows(array: Any, path: Path, stated: Stated) -> np.ndarray:
    """The events of an array with named fields `[N]` or of one with columns `[N, 4]`."""
    if array.dtype.names:
        return table({name: array[name] for name in array.dtype.names})
    if array.ndim != 2 or array.shape[1] != 4 or array.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers [N, 4], or [N] with named fields; got {array.dtype} {array.shape}")
    if stated.columns == "named":
        raise UserError(f"{path} has columns without names: give columns=, in their order, such as columns=xytp")
    return table(dict(zip(stated.columns, array.T, strict=True)))


def npy(path: Path, stated: Stated) -> Decoded:
    """The events of one array."""
    return _rows(whole_array(path), path, stated), None


def whole_array(path: Path) -> Any:
    """What a `.npy` file holds. Raises ValueError for one that holds more."""
    with path.open("rb") as file:
        array = np.load(file, allow_pickle=False)
        if file.read(1):
            raise ValueError("it holds more than its header says")
    return array


def npz(path: Path, stated: Stated) -> Decoded:
    """The events of an array alone, or of the arrays that are named as columns."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if len(arrays) == 1:
        return _rows(next(iter(arrays.values())), path, stated), None
    return table(arrays), None


def hdf5(path: Path, stated: Stated) -> Decoded:
    """The events of one data set, or of one group of them that are named as columns."""
    import h5py

    with contextlib.suppress(ImportError):  # filters beyond those of h5py, where they are installed
        importlib.import_module("hdf5plugin")
    with h5py.File(path, "r") as file:
        places = {"/": file}
        file.visititems(lambda name, item: places.update({f"/{name}": item}))
        holders = [name for name, item in places.items() if _holds_events(item, h5py)]
        if len(holders) != 1:
            where = f"events in {', '.join(holders)}" if holders else f"no events in {', '.join(places)}"
            raise ValueError(f"expected events in one place, it has {where}")
        holder = places[holders[0]]
        try:
            if isinstance(holder, h5py.Dataset):
                events = _rows(holder[:], path, stated)
            else:
                events = table({name: item[:] for name, item in holder.items() if name.lower() in _KNOWN})
        except OSError as err:
            if "filter" not in str(err):
                raise
            raise UserError(f"{path} is compressed by a filter that h5py lacks; try pip install hdf5plugin") from err
        return events, next(filter(None, (sensor_size(item.attrs) for item in (holder, holder.parent, file))), None)


def _holds_events(item: Any, h5py: ModuleType) -> bool:
    """Whether an item of an HDF5 file is a table of events or a group of their columns."""
    if isinstance(item, h5py.Dataset):
        columns = item.dtype.names or ()
        if not columns:
            return item.ndim == 2 and item.shape[1] == 4
    else:
        columns = [name for name, child in item.items() if isinstance(child, h5py.Dataset)]
    names = {name.lower() for name in columns}
    return all(names & set(aliases) for aliases in NAMES.values())
