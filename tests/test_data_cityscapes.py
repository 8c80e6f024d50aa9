"""Cityscapes: metres of a disparity, and classes of ids and back, computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import official_cityscapes
import pytest

from cenbench.data.official.cityscapes import Cityscapes, depth_from_disparity
from cenbench.data.official.cityscapes_labels import CLASSES, to_classes, to_ids
from cenbench.errors import UserError


@pytest.mark.parametrize(
    ("stored", "metres"),
    [
        (0, None),  # invalid
        (1, None),  # disparity 0: infinitely far
        (12_801, 0.2 * 2262.5 / 50),  # 50 pixels
        (65_535, 0.2 * 2262.5 / 255.9921875),
        (2, 65_535 / 512),  # 1/256 pixel: beyond what can be stored
    ],
)
def test_metres_of_a_stored_disparity(stored: int, metres: float | None) -> None:
    units = depth_from_disparity(np.array([[stored]], np.uint16), 0.2 * 2262.5)
    assert units.dtype == np.uint16
    assert units.tolist() == [[0 if metres is None else round(512 * metres)]]


@pytest.mark.parametrize("linked", ["train", "train/aachen"])
def test_linked_folders_are_followed(tmp_path: Path, linked: str) -> None:
    """`train/` or the folder of a city may be a link to another disk."""
    raw = tmp_path / "raw"
    raw.mkdir()
    official_cityscapes.write(raw)
    scan = Cityscapes().scan(raw, official_cityscapes.SPEC)
    for top in official_cityscapes.ENDINGS:
        place = raw / top / linked
        target = place.rename(tmp_path / f"{top}-elsewhere")
        place.symlink_to(target)
    assert Cityscapes().scan(raw, official_cityscapes.SPEC) == scan


@pytest.mark.parametrize("below", ["leftImg8bit_trainvaltest", "downloads/cityscapes"])
def test_misplaced_folders_are_pointed_out(tmp_path: Path, below: str) -> None:
    """Kept in one folder per zip, or one level down."""
    official_cityscapes.write(tmp_path / "raw")
    (tmp_path / "raw" / below).mkdir(parents=True)
    (tmp_path / "raw/leftImg8bit").rename(tmp_path / "raw" / below / "leftImg8bit")
    with pytest.raises(UserError, match="incomplete: 13") as caught:
        Cityscapes().scan(tmp_path / "raw", official_cityscapes.SPEC)
    assert f"leftImg8bit/ (one of its files is {below}/leftImg8bit/t" in str(caught.value.fix)
    for top in ("gtFine", "disparity", "camera"):
        (tmp_path / "raw" / top).rename(tmp_path / "raw" / below / top)
    with pytest.raises(UserError, match="no frames of Cityscapes") as caught:
        Cityscapes().scan(tmp_path / "raw", official_cityscapes.SPEC)
    assert f"camera/ (one of its files is {below}/camera/train/" in str(caught.value.fix)


def test_classes_of_ids_and_back() -> None:
    ids = np.arange(34, dtype=np.uint8)[None]
    classes = to_classes(ids, Path("x"))
    assert classes.tolist() == [[official_cityscapes.TRAIN_ID.get(number, 255) for number in range(34)]]
    numbers = np.arange(19, dtype=np.uint8)[None]
    assert (to_classes(to_ids(numbers), Path("x")) == numbers).all()
    assert (CLASSES[0], CLASSES[13], CLASSES[18]) == ("road", "car", "bicycle")
    assert to_ids(np.array([[0, 13, 18]])).tolist() == [[7, 26, 33]]
