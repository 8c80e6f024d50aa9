"""`cenbench data stats`: numbers counted by hand on a dataset of a few pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_dataset import write_dataset

from cenbench.data.manifest import write_manifest
from cenbench.data.prepared import Prepared
from cenbench.data.statistics import ClassShare, class_shares, modality_statistics

SCENES = 11


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Depth is missing (0) in half of every scene; classes 0, 1 and void (255) in known shares."""
    depth = np.zeros((SCENES, 2, 4), np.uint16)
    depth[:, :, :2] = np.arange(1, SCENES + 1)[:, None, None] * 1000
    semantic = np.full((SCENES, 2, 4), 255, np.uint8)
    semantic[:, 0, :3] = 1
    semantic[:9, 1, :1] = 0
    blank = np.zeros((SCENES, 2, 4), np.uint16)
    arrays = {"depth_zbuffer": depth, "depth_euclidean": blank, "semantic": semantic}
    made = write_dataset(tmp_path, arrays, train_scenes=9)
    modalities = {
        name: entry.model_copy(update={"missing": 255 if name == "semantic" else 0})
        for name, entry in made.manifest.modalities.items()
    }
    write_manifest(made.folder, made.manifest.model_copy(update={"modalities": modalities}))
    return Prepared.open(made.folder)


def test_missing_values_count_for_nothing_but_their_share(prepared: Prepared) -> None:
    heard: list[int] = []
    depth = modality_statistics(prepared, "depth_zbuffer", heard.append)
    assert (depth.least, depth.mean, depth.most, depth.missing_share) == (1000, 6000.0, 11_000, 0.5)
    assert sum(heard) == SCENES
    nothing = modality_statistics(prepared, "depth_euclidean")
    assert (nothing.least, nothing.mean, nothing.most, nothing.missing_share) == (None, None, None, 1.0)
    labels = modality_statistics(prepared, "semantic")
    assert (labels.least, labels.mean, labels.most) == (0, None, 1)


def test_class_shares_are_of_the_labelled_pixels_of_a_split(prepared: Prepared) -> None:
    shares = class_shares(prepared)
    assert shares[:2] == [ClassShare(0, "class0", 0.25, 0.0), ClassShare(1, "class1", 0.75, 1.0)]
    assert all((each.train, each.val) == (0.0, 0.0) for each in shares[2:])
    assert len(shares) == 10
