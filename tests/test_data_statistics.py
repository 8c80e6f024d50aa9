"""`cenbench data stats` and `verify`: numbers counted by hand on a few pixels, and values out of range named."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from checkout import Checkout
from tiny_dataset import write_dataset

from cenbench.data.manifest import write_manifest
from cenbench.data.prepared import Prepared
from cenbench.data.statistics import PixelCount, label_shares, read_statistics
from cenbench.errors import UserError

SCENES = 11


def with_missing(prepared: Prepared, **declared: dict[str, object]) -> Prepared:
    """The dataset with other entries in its manifest, e.g. `depth_zbuffer={"missing": 0}`."""
    entries = dict(prepared.manifest.modalities)
    for name, changes in declared.items():
        entries[name] = entries[name].model_copy(update=changes)
    write_manifest(prepared.folder, prepared.manifest.model_copy(update={"modalities": entries}))
    return Prepared.open(prepared.folder)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Depth is missing (0) in half of every scene; classes 0, 1 and void (255) in known shares."""
    depth = np.zeros((SCENES, 2, 4), np.uint16)
    depth[:, :, :2] = np.arange(1, SCENES + 1)[:, None, None] * 1000
    semantic = np.full((SCENES, 2, 4), 255, np.uint8)
    semantic[:, 0, :3] = 1
    semantic[:9, 1, :1] = 0
    arrays = {
        "depth_zbuffer": depth,
        "depth_euclidean": np.zeros((SCENES, 2, 4), np.uint16),
        "shade": np.full((SCENES, 2, 4), 7, np.uint8),
        "semantic": semantic,
    }
    made = write_dataset(tmp_path, arrays, train_scenes=9)
    depths = {"missing": 0, "range": (1, 65535)}
    return with_missing(made, depth_zbuffer=depths, depth_euclidean=depths, semantic={"missing": 255})


def test_missing_values_count_only_towards_their_share(prepared: Prepared) -> None:
    images: list[int] = []
    found = {modality.name: modality for modality in read_statistics(prepared, images.append).modalities}
    assert list(found) == list(prepared.manifest.modalities)
    assert sum(images) == 4 * SCENES
    depth = found["depth_zbuffer"]
    assert (depth.minimum, depth.mean, depth.maximum, depth.missing_share) == (1000, 6000.0, 11_000, 0.5)
    empty = found["depth_euclidean"]
    assert (empty.minimum, empty.mean, empty.maximum, empty.missing_share) == (None, None, None, 1.0)
    shade = found["shade"]
    assert (shade.minimum, shade.mean, shade.maximum, shade.missing_share) == (7, 7.0, 7, None)
    labels = found["semantic"]
    assert (labels.minimum, labels.mean, labels.maximum) == (0, None, 1)
    assert labels.missing_share == pytest.approx(1 - (33 + 9) / (8 * SCENES))


def test_class_shares_are_those_of_the_labelled_pixels_of_a_split(prepared: Prepared) -> None:
    statistics = read_statistics(prepared)
    first, second, *others = statistics.classes
    assert (first.label, first.name) == (0, "class0")
    assert (first.train, first.val, first.total) == (PixelCount(9, 0.25), PixelCount(0, 0.0), PixelCount(9, 9 / 42))
    assert (second.train, second.val) == (PixelCount(27, 0.75), PixelCount(6, 1.0))
    assert second.total == PixelCount(33, 33 / 42)
    assert len(others) == 8
    assert {count for entry in others for count in (entry.train, entry.val, entry.total)} == {PixelCount(0, 0.0)}
    assert statistics.void == PixelCount(8 * SCENES - 42, 1 - 42 / (8 * SCENES))
    np.testing.assert_allclose(label_shares(prepared, [0, 10]), [1 / 7, 6 / 7, *[0] * 8])


def test_a_split_without_labels_has_shares_of_zero(tmp_path: Path) -> None:
    void = write_dataset(tmp_path / "void", {"semantic": np.full((3, 2, 2), 255, np.uint8)}, 2)
    assert {entry.total for entry in read_statistics(void).classes} == {PixelCount(0, 0.0)}
    unlabelled = read_statistics(write_dataset(tmp_path / "none", {"shade": np.zeros((3, 2, 2), np.uint8)}, 2))
    assert (unlabelled.classes, unlabelled.void) == ((), PixelCount(0, 0.0))


def street(root: Path, scenes: int = 4, side: int = 8) -> Prepared:
    """Labels 3, 7 and void; depth of 1 to 4096 with holes."""
    labels = np.full((scenes, side, side), 3, np.uint8)
    labels[0, 0] = 255
    labels[1, :2] = 7
    depth = np.full((scenes, side, side), 1500, np.uint16)
    depth[:, 0, 0] = 0
    rgb = np.zeros((scenes, side, side, 3), np.uint8)
    made = write_dataset(root, {"depth_zbuffer": depth, "semantic": labels, "rgb": rgb}, scenes - 1)
    return with_missing(made, depth_zbuffer={"range": (1, 4096), "missing": 0}, rgb={"range": (0, 200)})


@pytest.mark.parametrize(
    ("modality", "place", "value", "allowed"),
    [
        ("depth_zbuffer", (2, 5, 6), 4097, "1 to 4096, or 0 (missing)"),
        ("semantic", (2, 5, 6), 10, "0 to 9, or 255 (void)"),
        ("rgb", (2, 5, 6, 1), 201, "0 to 200"),
    ],
)
def test_a_value_out_of_range_is_named(
    tmp_path: Path, modality: str, place: tuple[int, ...], value: int, allowed: str
) -> None:
    prepared = street(tmp_path)
    path = prepared.folder / prepared.manifest.modalities[modality].file
    array = np.load(path)
    array[place] = value
    np.save(path, array)
    with pytest.raises(UserError, match=f"1 values of {modality} are out of range in scene 2") as caught:
        read_statistics(Prepared.open(prepared.folder))
    assert (caught.value.found, caught.value.expected, caught.value.key) == (value, allowed, "row 5, column 6")


def test_memory_does_not_grow_with_the_dataset(tmp_path: Path) -> None:
    """Peak memory for four scenes and for forty, 600 kB each: they differ by less than one scene."""
    peaks = []
    for scenes in (4, 40):
        prepared = street(tmp_path / str(scenes), scenes, side=320)
        tracemalloc.start()
        read_statistics(prepared)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 320 * 320 * 6


def test_the_commands_print_what_numpy_counts(prepared_checkout: Checkout) -> None:
    output = prepared_checkout.run("python", "-m", "cenbench", "data", "verify", "synthrooms")
    (folder,) = (path.parent for path in prepared_checkout.root.glob("data/prepared/*/manifest.json"))
    labels, depth = np.load(folder / "semantic.npy"), np.load(folder / "depth_zbuffer.npy")
    lines = output.splitlines()
    wall = next(line for line in lines if " wall " in line)
    assert f"{int((labels == 0).sum()):,}" in wall
    assert f"{(labels == 0).sum() / (labels != 255).sum():.3%}" in wall
    assert f"{(labels == 255).sum() / labels.size:.3%}" in next(line for line in lines if " void " in line)
    assert f"depth_zbuffer: {(depth == 0).mean():.2%} of its pixels are missing" in output

    lines = prepared_checkout.run("python", "-m", "cenbench", "data", "stats", "synthrooms").splitlines()
    row = next(words for line in lines if "depth_zbuffer" in (words := line.split()))
    for number in (depth[depth > 0].min(), f"{depth[depth > 0].mean():.1f}", depth.max(), f"{(depth == 0).mean():.2%}"):
        assert str(number) in row
    wall = next(words for line in lines if "wall" in (words := line.split()))
    train, val = labels[:8], labels[8:]
    for split in (train, val):
        assert f"{(split == 0).sum() / (split != 255).sum():.2%}" in wall
