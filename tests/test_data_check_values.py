"""`data verify` counts every value, names the one out of range, and its memory does not grow with the dataset."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from checkout import Checkout
from tiny_dataset import write_dataset

from cenbench.data.check_values import check_values
from cenbench.data.manifest import write_manifest
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError


def dataset(root: Path, scenes: int = 4, side: int = 8) -> Prepared:
    """Labels 0 to 9 and void in known numbers; depth with known holes."""
    labels = np.full((scenes, side, side), 3, np.uint8)
    labels[0, 0] = 255
    labels[1, :2] = 7
    depth = np.full((scenes, side, side), 1500, np.uint16)
    depth[:, 0, 0] = 0
    return with_missing_depth(write_dataset(root, {"depth_zbuffer": depth, "semantic": labels}, scenes - 1))


def with_missing_depth(prepared: Prepared) -> Prepared:
    entries = dict(prepared.manifest.modalities)
    entries["depth_zbuffer"] = entries["depth_zbuffer"].model_copy(update={"range": (1, 4096), "missing": 0})
    write_manifest(prepared.folder, prepared.manifest.model_copy(update={"modalities": entries}))
    return Prepared.open(prepared.folder)


def test_counts_are_those_of_the_pixels(tmp_path: Path) -> None:
    read: list[int] = []
    values = check_values(dataset(tmp_path), read.append)
    assert values.missing == {"depth_zbuffer": pytest.approx(1 / 64)}
    assert (values.void_pixels, values.void_share) == (8, pytest.approx(8 / 256))
    assert {each.label: each.pixels for each in values.classes if each.pixels} == {3: 232, 7: 16}
    assert [each.share for each in values.classes if each.label in (3, 7)] == pytest.approx([232 / 248, 16 / 248])
    assert sum(read) == 2 * 4


@pytest.mark.parametrize(
    ("modality", "value", "allowed"),
    [("depth_zbuffer", 4097, "1 to 4096, or 0 (missing)"), ("semantic", 10, "0 to 9, or 255 (void)")],
)
def test_a_value_out_of_range_is_named(tmp_path: Path, modality: str, value: int, allowed: str) -> None:
    prepared = dataset(tmp_path)
    path = prepared.folder / prepared.manifest.modalities[modality].file
    array = np.load(path)
    array[2, 5, 6] = value
    np.save(path, array)
    with pytest.raises(UserError, match=f"1 values of {modality} are out of range in scene 2") as caught:
        check_values(Prepared.open(prepared.folder))
    assert (caught.value.found, caught.value.expected, caught.value.key) == (value, allowed, "row 5, column 6")


def test_memory_does_not_grow_with_the_dataset(tmp_path: Path) -> None:
    """Peak of four scenes and of forty, of which each weighs 300 kB: within one scene of each other."""
    peaks = []
    for scenes in (4, 40):
        prepared = dataset(tmp_path / str(scenes), scenes, side=320)
        tracemalloc.start()
        check_values(prepared)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 320 * 320 * 3


def test_the_command_prints_the_histogram(prepared_checkout: Checkout) -> None:
    output = prepared_checkout.run("python", "-m", "cenbench", "data", "verify", "synthrooms")
    (folder,) = (path.parent for path in prepared_checkout.root.glob("data/prepared/*/manifest.json"))
    labels = np.load(folder / "semantic.npy")
    line = next(line for line in output.splitlines() if " wall " in line)
    assert f"{int((labels == 0).sum()):,}" in line
    assert f"{(labels == 0).sum() / (labels != 255).sum():.3%}" in line
    assert f"{(labels == 255).sum() / labels.size:.3%}" in next(x for x in output.splitlines() if " void " in x)
    assert f"{(np.load(folder / 'depth_zbuffer.npy') == 0).mean():.2%} of its pixels are missing" in output
