"""Datasets of an HDF5 file (MATLAB v7.3) whose every value is stored in the file itself.

HDF5 can also take values from other files (external links, external storage, virtual datasets) or make them up (chunks
that were never written give a fill value). Then bytes of any local file could become pixels, so all of it is refused.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py

from cenbench.errors import UserError
from cenbench.regular_file import open_regular


def open_hdf5(path: Path) -> h5py.File:
    """Open a regular file for reading: HDF5 would wait on a pipe for ever, and words what the file system refuses with
    the addresses of its own objects. Raises what h5py raises on a damaged file, and `UserError` as `open_regular`.
    """
    with open_regular(path):
        pass
    return h5py.File(path, "r")


def stored_dataset(file: h5py.File, name: str, path: Path, *, complete: bool = True) -> h5py.Dataset:
    """The dataset `name` (`a/b` for one inside a group). `path` is the file's, for messages.

    `complete` also checks that every chunk was written, which takes a while for a dataset of many chunks. Raises
    KeyError if there is no such name, and `UserError` if it is not a dataset or not stored in this file.
    """
    parts = name.split("/")
    for depth in range(1, len(parts) + 1):
        prefix = "/".join(parts[:depth])
        link = file.get(prefix, getlink=True)
        if isinstance(link, h5py.ExternalLink | h5py.SoftLink):  # a soft link may lead through an external one
            target = f"{link.filename}:{link.path}" if isinstance(link, h5py.ExternalLink) else link.path
            raise _refused(path, prefix, f"a link to {target}")
    return check_stored(file[name], name, path, complete=complete)


def check_stored(dataset: object, name: str, path: Path, *, complete: bool = True) -> h5py.Dataset:
    """The dataset, if all of its values are stored in its file; see `stored_dataset`."""
    if not isinstance(dataset, h5py.Dataset):
        raise _refused(path, name, "a group or type, not a dataset")
    creation = dataset.id.get_create_plist()
    if dataset.is_virtual:
        raise _refused(path, name, "a virtual dataset, whose values are in other files")
    if creation.get_external_count():
        other = creation.get_external(0)[0].decode(errors="replace")
        raise _refused(path, name, f"external storage in {other}")
    if complete and (absent := _absent(dataset)):
        raise _refused(path, name, absent)
    return dataset


def _absent(dataset: h5py.Dataset) -> str | None:
    """Which part of a dataset was never written, in words."""
    if dataset.chunks:
        expected = math.prod(
            math.ceil(length / chunk) for length, chunk in zip(dataset.shape, dataset.chunks, strict=True)
        )
        written = dataset.id.get_num_chunks()
        return f"{expected - written} of {expected} chunks that were never written" if written < expected else None
    expected, written = dataset.size * dataset.dtype.itemsize, dataset.id.get_storage_size()
    return f"{expected - written} of {expected} bytes that were never written" if written < expected else None


def _refused(path: Path, name: str, found: str) -> UserError:
    return UserError(
        f"{path.name} does not hold all values of {name}",
        where=path,
        key=name,
        found=found,
        expected="a dataset stored in this file",
        fix="get the file from its authors again",
    )
