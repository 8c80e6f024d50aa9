"""The test images whose scores moved most between two sides, and their sample pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from cenbench.matrix.cell import ENSEMBLE
from cenbench.matrix.metrics import metrics
from cenbench.records.per_image import dense_counts
from cenbench.records.saved import SavedRecord
from cenbench.stats.images import resampled_mean, scores_of_images

MOST_IMAGES = 10
MOST_PICTURES = 4
_SAMPLE = re.compile(r"(?:[a-z]+-)?([0-9]{1,9})\.png")
_OF_CONFUSION, _OF_PIXELS = "miou_pct", "mae_x10"


@dataclass(frozen=True)
class ChangedImage:
    """One test image in one pair of cells: the score of the ensemble on it alone, and how much better B is."""

    cell_a: str
    cell_b: str
    image: int
    """Its place in the evaluated split."""
    metric: str
    a: float
    b: float
    effect: float
    picture_a: bytes | None = None
    """The sample picture (PNG), if the image is among the samples."""
    picture_b: bytes | None = None


def changed_images(pairs: Iterable[tuple[str, str, SavedRecord, SavedRecord]]) -> tuple[ChangedImage, ...]:
    """Of the given pairs of records, with their cells' ids: the images that moved most, and the samples that did.

    The samples that moved most are among them even if other images moved more.
    """
    found: list[tuple[ChangedImage, SavedRecord, SavedRecord]] = []
    for cell_a, cell_b, first, second in pairs:
        if first.per_image_sha256 == second.per_image_sha256:
            continue
        found += [(one, first, second) for one in _of_pair(cell_a, cell_b, first, second)]
    found.sort(key=lambda item: -abs(item[0].effect))
    sampled = [item for item in found if all(item[0].image in _pictures(record) for record in item[1:])]
    shown = {id(item): item for item in (*found[:MOST_IMAGES], *sampled[:MOST_PICTURES])}
    pictured = {id(item) for item in sampled[:MOST_PICTURES]}
    images = [_with_pictures(*item) if key in pictured else item[0] for key, item in shown.items()]
    return tuple(sorted(images, key=lambda one: -abs(one.effect)))


def _of_pair(cell_a: str, cell_b: str, first: SavedRecord, second: SavedRecord) -> list[ChangedImage]:
    """Every image that moved, in the order of the split."""
    before, after = _scores(first), _scores(second)
    if before is None or after is None:
        return []
    metric, a_N = before
    other, b_N = after
    if metric != other or len(a_N) != len(b_N):
        return []
    effect_N = b_N - a_N if metrics()[metric].better == "higher" else a_N - b_N
    moved = np.flatnonzero(np.nan_to_num(effect_N))
    return [
        ChangedImage(cell_a, cell_b, int(n), metric, float(a_N[n]), float(b_N[n]), float(effect_N[n])) for n in moved
    ]


def _scores(record: SavedRecord) -> tuple[str, np.ndarray] | None:
    """A metric that every image has by itself, and its values for the ensemble (N,)."""
    per_image = record.per_image()
    if per_image is None:
        return None
    if ENSEMBLE in per_image.confusion:
        score_N = scores_of_images(_OF_CONFUSION, dense_counts(per_image.confusion[ENSEMBLE]))
        return None if score_N is None else (_OF_CONFUSION, score_N)
    mean_N = per_image.means.get(ENSEMBLE, {}).get(_OF_PIXELS)
    error_N = None if mean_N is None else resampled_mean(_OF_PIXELS, mean_N, np.eye(len(mean_N)))
    return None if error_N is None else (_OF_PIXELS, error_N)


def _with_pictures(one: ChangedImage, first: SavedRecord, second: SavedRecord) -> ChangedImage:
    pictures = (record.read_file(_pictures(record)[one.image]) for record in (first, second))
    return replace(one, picture_a=next(pictures), picture_b=next(pictures))


def _pictures(record: SavedRecord) -> dict[int, str]:
    """Place in the split -> name of a sample that shows it: `000.png`, or `thin-0012.png` for a hard scene."""
    found = ((_SAMPLE.fullmatch(PurePosixPath(name).name), name) for name in record.samples)
    return {int(match[1]): name for match, name in found if match is not None}
