"""Formats of files of events, one function for each ending of a file's name."""

from __future__ import annotations

from snnbook.datasets.event_formats import aedat, arrays, n_mnist, prophesee
from snnbook.datasets.event_formats.stated import Reader

READERS: dict[str, Reader] = {
    ".npy": arrays.npy,
    ".npz": arrays.npz,
    ".h5": arrays.hdf5,
    ".hdf5": arrays.hdf5,
    ".aedat4": aedat.read,
    ".aedat": aedat.read,
    ".bin": n_mnist.read,
    ".dat": prophesee.dat,
    ".raw": prophesee.raw,
}
