"""The hard scenes of a split, by a rule that reads inputs and ground truth and no prediction: the same for all cells.

Segmentation: the two scenes with most pixels of thin classes, the darkest and the brightest one. Translation: the two
whose target has the most detail; borders of missing pixels do not count. A scene is chosen once; ties go to the earlier
one.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cenbench.data.prepared import Prepared
from cenbench.data.transforms import stored_target
from cenbench.matrix.cell import Task

THIN_CLASSES = frozenset(
    {"chair", "table", "desk", "lamp", "shelves", "pole", "traffic light", "traffic sign", "fence", "bicycle", "rider"}
)
"""Names of classes, in any dataset, whose objects have legs, poles, wires or frames."""
_THIN, _DETAILED = 2, 2


def hard_scenes(prepared: Prepared, task: Task, split: str) -> dict[int, str]:
    """Place in the split -> why it was chosen: `thin`, `dark`, `bright` or `detail`. Four of them at most."""
    rows = prepared.indices(split)
    chosen: dict[int, str] = {}
    if task.kind == "segmentation":
        thin = [label for label, name in enumerate(prepared.classes) if name in THIN_CLASSES]
        label_NHW = prepared.array("semantic")
        pixels = [int(np.isin(label_NHW[row], thin).sum()) for row in rows]
        _choose(chosen, "thin", (place for place in _descending(pixels) if pixels[place]), _THIN)
        if "rgb" in prepared.manifest.modalities:
            light = [float(prepared.array("rgb")[row].mean()) for row in rows]
            darkest_first = _descending([-value for value in light])
            _choose(chosen, "dark", darkest_first, 1)
            _choose(chosen, "bright", _descending(light), 1)
        return chosen
    stored = stored_target(task.target, task.kind, prepared.manifest.modalities)
    target, missing = prepared.array(stored), prepared.manifest.modalities[stored].missing
    _choose(chosen, "detail", _descending([_detail(target[row], missing) for row in rows]), _DETAILED)
    return chosen


def _choose(chosen: dict[int, str], why: str, places: Iterable[int], most: int) -> None:
    for place in places:
        if sum(reason == why for reason in chosen.values()) == most:
            return
        chosen.setdefault(place, why)


def _descending(values: list[float] | list[int]) -> list[int]:
    return sorted(range(len(values)), key=lambda place: -values[place])


def _detail(picture: np.ndarray, missing: int | None) -> float:
    """Mean absolute difference of neighbouring pixels that are both there."""
    values = picture.astype(np.float64)
    if missing is not None:
        values[picture == missing] = np.nan
    return sum(_mean_of_present(np.abs(np.diff(values, axis=axis))) for axis in (0, 1))


def _mean_of_present(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else 0.0
