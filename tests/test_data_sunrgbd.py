"""SUN RGB-D: labels are read one at a time in bounded memory; depth words and labels are computed by hand."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import official_sunrgbd
import pytest

from cenbench.data.official.sunrgbd import SUNRGBD, depth_units
from cenbench.data.official.sunrgbd_toolbox import Labels, official_path, to_training_labels
from cenbench.errors import UserError

HEIGHT, WIDTH = 120, 160


def peak_bytes(path: Path, count: int) -> int:
    """Peak memory of reading every label of a file, as the adapter does."""
    tracemalloc.start()
    for number in range(1, count + 1):
        labels = Labels(path)
        assert labels.read(number).shape == (HEIGHT, WIDTH)
        labels.close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_labels_are_read_in_bounded_memory(tmp_path: Path) -> None:
    """Sixty labels need what four need: 56 labels kept would be 56 times a stored one, one kept in twenty nearly three.

    What else grows is names that h5py keeps and dictionaries of theirs that are enlarged meanwhile: up to 21 kB, half a
    stored label and more, in one of many runs.
    """
    label = np.random.default_rng(1).integers(0, 38, (HEIGHT, WIDTH))
    peaks = []
    for count in (4, 60):
        path = tmp_path / f"{count}.mat"
        official_sunrgbd.write_labels(path, [label] * count)
        peak_bytes(path, 4)  # so that what h5py sets up once is not counted
        peaks.append(peak_bytes(path, count))
    assert peaks[1] - peaks[0] < HEIGHT * WIDTH * 2 * 2
    assert peaks[0] > HEIGHT * WIDTH, "the measurement covers the labels"


def test_one_label_is_read_for_one_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official_sunrgbd.write(tmp_path)
    spec = official_sunrgbd.SPEC
    read: list[str] = []
    get = h5py.File.__getitem__

    def counted(file: h5py.File, name: object) -> object:
        if isinstance(name, h5py.Reference):
            read.append(get(file, name).name)
        return get(file, name)

    monkeypatch.setattr(h5py.File, "__getitem__", counted)
    scan = SUNRGBD().scan(tmp_path, spec)
    assert read == []
    SUNRGBD().read(tmp_path, spec, scan.samples[2])
    assert read == ["/#refs#/7"]


@pytest.mark.parametrize(
    ("stored", "units"),
    [
        (0x0000, 0),  # not measured
        (0x0008, 1),  # 1 mm: half a unit, but measured
        (0x1F40, 512),  # 1000 mm, rotated by three bits
        (0x2000, 524),  # 1024 mm
        (0x0001, 4096),  # the lowest bit stands for 8192 mm, beyond 8 m
        (0xFFFF, 4096),
    ],
)
def test_depth_of_stored_words(stored: int, units: int) -> None:
    assert depth_units(np.array([[stored]], np.uint16)).tolist() == [[units]]


def test_paths_of_the_authors_machine() -> None:
    assert official_path("/n/fs/sun3d/data//SUNRGBD/kv1/b3dodata/img_0063/") == "SUNRGBD/kv1/b3dodata/img_0063"
    for wrong in ("/home/me/SUNRGBD/kv1", "/n/fs/sun3d/data/../../etc/passwd", "SUNRGBD/kv1"):
        with pytest.raises(ValueError, match=r"subpath|elsewhere"):
            official_path(wrong)


def test_labels_of_any_number_type(tmp_path: Path) -> None:
    """MATLAB may store labels with any type; an invalid one is named."""
    for kind in (np.uint8, np.uint16, np.float64):
        labels = to_training_labels(np.array([[0, 1, 37]], kind), tmp_path)
        assert (labels.dtype, labels.tolist()) == (np.uint8, [[255, 0, 36]])
    for wrong in (38, 1.5, np.nan):
        with pytest.raises(UserError, match="damaged") as caught:
            to_training_labels(np.array([[1, wrong]], np.float64), tmp_path)
        assert str(wrong) in str(caught.value.found)


def test_ready_labels_of_another_numbering_are_refused(tmp_path: Path) -> None:
    official_sunrgbd.write_ready(tmp_path)
    official_sunrgbd.rewrite_split(tmp_path, test=range(1, 6), train=(0, *range(6, 13)))
    with pytest.raises(UserError, match="not numbered as in"):
        SUNRGBD().scan(tmp_path, official_sunrgbd.SPEC)


def test_tables_of_the_zip_that_cannot_be_unpacked_beside_it(tmp_path: Path) -> None:
    """A file in place of a folder is an error for root too."""
    official_sunrgbd.write_zips(tmp_path)
    (tmp_path / "SUNRGBDtoolbox").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot be unpacked beside SUNRGBDtoolbox\.zip"):
        SUNRGBD().scan(tmp_path, official_sunrgbd.SPEC)
