"""Values of an HDF5 file come from the file itself: values from elsewhere, and values never written, are refused."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import official_nyudv2
import pytest

from cenbench.data.official.hdf5 import stored_dataset
from cenbench.data.official.nyudv2 import NYUDv2
from cenbench.data.official.sunrgbd_toolbox import Labels
from cenbench.errors import UserError

VALUES = np.arange(24, dtype=np.uint8).reshape(4, 6)


def secret(folder: Path) -> Path:
    """A local file whose bytes must not be read."""
    path = folder / "secret.bin"
    path.write_bytes(bytes(range(100, 124)))
    return path


def secret_hdf5(folder: Path) -> Path:
    path = folder / "secret.h5"
    with h5py.File(path, "w") as file:
        file["depths"] = VALUES
        file["group/depths"] = VALUES
    return path


def external_storage(file: h5py.File, folder: Path) -> None:
    file.create_dataset("group/depths", (4, 6), np.uint8, external=[(str(secret(folder)), 0, 24)])


def external_link(file: h5py.File, folder: Path) -> None:
    file["group/depths"] = h5py.ExternalLink(str(secret_hdf5(folder)), "/depths")


def external_group(file: h5py.File, folder: Path) -> None:
    file["group"] = h5py.ExternalLink(str(secret_hdf5(folder)), "/group")


def soft_link_through_an_external_one(file: h5py.File, folder: Path) -> None:
    file["way"] = h5py.ExternalLink(str(secret_hdf5(folder)), "/")
    file["group/depths"] = h5py.SoftLink("/way/depths")


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((4, 6), np.uint8)
    layout[:] = h5py.VirtualSource(str(secret_hdf5(folder)), "depths", (4, 6))
    file.create_virtual_dataset("group/depths", layout)


def never_written(file: h5py.File, folder: Path) -> None:
    file.create_dataset("group/depths", (4, 6), np.uint8, fillvalue=7)


def chunks_never_written(file: h5py.File, folder: Path) -> None:
    made = file.create_dataset("group/depths", (4, 6), np.uint8, chunks=(2, 6), compression=1, fillvalue=7)
    made[:2] = VALUES[:2]


def a_group(file: h5py.File, folder: Path) -> None:
    file.create_group("group/depths")


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (external_storage, "external storage in .*secret.bin"),
        (external_link, "a link to .*secret.h5:/depths"),
        (external_group, "a link to .*secret.h5:/group"),
        (soft_link_through_an_external_one, "a link to /way/depths"),
        (virtual, "a virtual dataset"),
        (never_written, "24 of 24 bytes that were never written"),
        (chunks_never_written, "1 of 2 chunks that were never written"),
        (a_group, "a group"),
    ],
)
def test_values_that_are_not_in_the_file_are_refused(
    tmp_path: Path, build: Callable[[h5py.File, Path], None], found: str
) -> None:
    path = tmp_path / "data.mat"
    with h5py.File(path, "w") as file:
        build(file, tmp_path)
    with h5py.File(path) as file, pytest.raises(UserError, match="does not hold all values") as caught:
        stored_dataset(file, "group/depths", path)
    assert caught.value.where == path
    assert re.match(found, str(caught.value.found))


@pytest.mark.parametrize(("kind", "found"), [("pipe", "a pipe"), ("folder", "a directory")])
@pytest.mark.parametrize("name", ["nyu_depth_v2_labeled.mat", "labels.mat"])
def test_a_pipe_or_folder_in_place_of_a_file_is_named(tmp_path: Path, name: str, kind: str, found: str) -> None:
    path = tmp_path / name
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
        handle = os.open(path, os.O_RDWR)  # so that a reader that opens it fails, and does not wait for ever
    with pytest.raises(UserError, match=f"{re.escape(name)} is not a regular file") as caught:
        Labels(path) if name == "labels.mat" else NYUDv2().scan(tmp_path, official_nyudv2.FULL)
    assert caught.value.found == found
    if kind == "pipe":
        os.close(handle)


@pytest.mark.parametrize(
    "settings",
    [{}, {"chunks": (3, 5)}, {"chunks": (1, 6), "compression": "gzip", "shuffle": True}, {"fletcher32": True}],
)
def test_ordinary_datasets_are_read(tmp_path: Path, settings: dict[str, object]) -> None:
    path = tmp_path / "data.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("group/depths", data=VALUES, **settings)
        file["again"] = file["group/depths"]  # a hard link
        file["empty"] = np.zeros((0, 3))
    with h5py.File(path) as file:
        for name in ("group/depths", "again"):
            np.testing.assert_array_equal(stored_dataset(file, name, path)[()], VALUES)
        assert stored_dataset(file, "empty", path).shape == (0, 3)
        with pytest.raises(KeyError):
            stored_dataset(file, "absent", path)
