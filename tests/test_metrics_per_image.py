"""Per-image scores: what is written is read back, small, the same bytes each time; a damaged file is a reason."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from checkout import REPOSITORY

from cenbench.evaluate.per_image import FILE, ConfusionCollector, PerImage, from_bytes, to_bytes
from cenbench.matrix.plan import load_plan
from cenbench.records.per_image import NoScores, read_per_image
from cenbench.records.read import CellRecord

STREAMS = ("rgb", "depth", "ensemble")
CLASSES, IMAGES = 5, 7


def dense(images: int = IMAGES, classes: int = CLASSES, share: float = 0.3) -> np.ndarray:
    """Counts [image, stream, ground truth, prediction], most of them zero; one image without a labelled pixel."""
    rng = np.random.default_rng(1)
    shape = images, len(STREAMS), classes, classes
    counts = np.where(rng.random(shape) < share, rng.integers(1, 300_000, shape), 0)
    counts[images // 2] = 0
    return counts


def collected(counts: np.ndarray, batch: int = 3) -> PerImage:
    collector = ConfusionCollector(STREAMS, counts.shape[-1])
    for first in range(0, len(counts), batch):
        collector.add(counts[first : first + batch])
    return collector.collected()


def test_confusion_counts_are_those_of_each_image() -> None:
    counts = dense()
    found = from_bytes(to_bytes(collected(counts)))
    assert found.images == IMAGES
    for number, stream in enumerate(STREAMS):
        for image in range(IMAGES):
            only = np.arange(IMAGES) == image
            assert np.array_equal(found.confusion[stream].pooled_KK(only), counts[image, number])
        assert np.array_equal(found.confusion[stream].pooled_KK(), counts[:, number].sum(0))


def test_an_image_drawn_twice_counts_twice() -> None:
    counts = dense()
    times = np.array([0, 2, 1, 0, 3, 0, 1])
    found = collected(counts).confusion["depth"].pooled_KK(times)
    assert np.array_equal(found, np.einsum("n,nij->ij", times, counts[:, 1]))


def test_means_come_back_to_the_bit() -> None:
    means = {stream: {"ssim": np.random.default_rng(2).random(IMAGES)} for stream in STREAMS}
    found = from_bytes(to_bytes(PerImage(IMAGES, means=means)))
    assert found.images == IMAGES
    assert all(np.array_equal(found.means[stream]["ssim"], means[stream]["ssim"]) for stream in STREAMS)


def test_the_same_scores_are_the_same_bytes_however_they_were_batched() -> None:
    counts = dense()
    assert to_bytes(collected(counts, 2)) == to_bytes(collected(counts, 7))


def test_654_images_of_40_classes_and_3_streams_are_small() -> None:
    """With a hundred pairs of a true and a predicted class in each image, such as ten classes mixed up with ten."""
    data = to_bytes(collected(dense(654, 40, 1 / 16), 100))
    assert len(data) < 1.3e6
    assert len(data) < 0.1 * 654 * 3 * 40 * 40 * 4, "dense, as uint32"


def test_a_skipped_cell_has_a_file_without_scores() -> None:
    assert from_bytes(to_bytes(PerImage())) == PerImage()


def changed(**arrays: np.ndarray | None) -> bytes:
    """A good file with arrays replaced, or left out."""
    good = safetensors.numpy.load(to_bytes(collected(dense())))
    good |= {f"rgb/confusion.{name}" if name != "classes" else name: array for name, array in arrays.items()}
    return safetensors.numpy.save({name: array for name, array in good.items() if array is not None})


GOOD = to_bytes(collected(dense()))
OFFSETS = safetensors.numpy.load(GOOD)["rgb/confusion.offsets"]
DAMAGED = {
    "empty": b"",
    "cut short": GOOD[:-9],
    "no header": b"\xff" * 64,
    "a header that is too long": (10**12).to_bytes(8, "little") + GOOD[8:],
    "no classes": changed(classes=None),
    "no pixels": changed(pixels=None),
    "classes of another type": changed(classes=np.zeros(3, np.int64)),
    "fewer entries than offsets say": changed(truth=np.zeros(3, np.uint8)),
    "offsets that fall": changed(offsets=np.ascontiguousarray(OFFSETS[::-1])),
    "no offsets at all": changed(offsets=np.zeros(0, np.int64)),
    "offsets of another type": changed(offsets=OFFSETS.astype(np.int32)),
    "a class that does not exist": changed(classes=np.array(2, np.int64)),
    "another number of images": changed(offsets=np.append(OFFSETS, OFFSETS[-1])),
    "means that are not numbers": safetensors.numpy.save({"rgb/ssim": np.array([1.0, np.nan])}),
    "means of another shape": safetensors.numpy.save({"rgb/ssim": np.zeros((2, 2))}),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_not_such_a_file_is_an_error_with_a_reason(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        from_bytes(DAMAGED[name])


@pytest.fixture
def record(tmp_path: Path) -> CellRecord:
    """A finished cell whose file is good."""
    cell = next(iter(load_plan(REPOSITORY / "params", "demo").cells.values()))
    (tmp_path / FILE).write_bytes(GOOD)
    files = {FILE: hashlib.sha256(GOOD).hexdigest()}
    return CellRecord(cell, "ok", None, {"rgb": {"miou_pct": 1.0}}, {}, tmp_path, None, document={"files": files})


def test_the_scores_of_a_record_are_read(record: CellRecord) -> None:
    found = read_per_image(record)
    assert isinstance(found, PerImage)
    assert found.images == IMAGES


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_a_reason(name: str, record: CellRecord) -> None:
    """As one that has changed since; and as one that was written like that."""
    (record.folder / FILE).write_bytes(DAMAGED[name])
    found = read_per_image(record)
    assert isinstance(found, NoScores)
    assert "has changed" in found.reason
    files = {FILE: hashlib.sha256(DAMAGED[name]).hexdigest()}
    found = read_per_image(replace(record, document={"files": files}))
    assert isinstance(found, NoScores)
    assert "cannot be read" in found.reason


def test_an_absent_file_and_a_record_without_scores_are_reasons(record: CellRecord) -> None:
    (record.folder / FILE).unlink()
    for other, words in (
        (record, "cannot be read"),
        (replace(record, document={"files": {}}), "a version that kept no"),
        (replace(record, document={}), "a version that kept no"),
        (replace(record, state="skipped", reason="weights missing", metrics={}), "skipped, weights missing"),
    ):
        found = read_per_image(other)
        assert isinstance(found, NoScores)
        assert words in found.reason
