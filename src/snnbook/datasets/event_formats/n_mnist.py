"""N-MNIST's `.bin`, by tonic, which does not notice a file that is cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snnbook.datasets.event_formats.stated import Stated
from snnbook.datasets.event_formats.tables import Decoded, unpacked

_SENSOR = (34, 34)


def read(path: Path, stated: Stated) -> Decoded:
    """Events of 5 bytes. Other sets have this format as well, of other sensors, so a stated one counts."""
    from tonic.io import read_mnist_file

    unpacked(path.read_bytes(), "u1", 5)
    dtype = np.dtype([("x", np.int64), ("y", np.int64), ("t", np.int64), ("p", np.int64)])
    return read_mnist_file(str(path), dtype), stated.sensor or _SENSOR
