"""Predictions of several networks on the same hard scenes, with the error of each, from the cells' sample pictures."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from cenbench.matrix.cell import Cell
from cenbench.matrix.figure_layout import FigureLayout, FigureSeries
from cenbench.records.per_image import NoScores, dense_counts, read_per_image
from cenbench.records.read import CellRecord
from cenbench.report.class_legend import VOID, Legend, class_names, shown_classes
from cenbench.report.figures.figure import Drawn, Pictures, Problem, Tile
from cenbench.stats.images import mean_iou_pct, resampled_mean

_GAP_PX = 2
"""Gap between two pictures of a sample (`cenbench.evaluate.samples`)."""
_MISSING = (110, 0, 0)
"""Missing depth, as in the pictures of inputs (`cenbench.data.contact_sheet`)."""
_WRONG, _RIGHT = (214, 39, 40), (226, 226, 226)
_HARD_SCENE = re.compile(r"[a-z]+-[0-9]{1,9}")
"""Why a scene was chosen, and its place in the split (`cenbench.evaluate.samples`)."""
_ERROR = "mae_x10"
_FULL_ERROR = 128.0
"""Error in steps of 1/255 that is drawn as full red."""


@dataclass(frozen=True)
class _Sample:
    """A hard scene as one cell shows it."""

    inputs: Mapping[str, np.ndarray]
    target: np.ndarray
    outputs: Mapping[str, np.ndarray]


def pictures(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """Two rows per scene: inputs, outputs and the target; below the outputs, where they are wrong."""
    shown = [(series, records[cell.id]) for series in layout.series for cell in series.cells if cell.id in records]
    samples = {record.cell.id: dict(_samples(record)) for _, record in shown}
    scenes = sorted({name for found in samples.values() for name in found}, key=_order)
    lacking = tuple(cell_id for cell_id, found in samples.items() if not found)
    problems = [Problem("stale", "its record holds no hard scenes; evaluate it again", lacking)] if lacking else []
    if not scenes:
        return Drawn(problems=tuple(problems))
    inputs = _inputs(layout, {name for _, record in shown for name in record.cell.task.inputs})
    columns = [*(f"input {name}" for name in inputs), *(series.label for series, _ in shown), "truth"]
    tiles: list[Tile] = []
    for place, scene in enumerate(scenes):
        tiles += _scene_tiles(2 * place, scene, inputs, shown, samples)
    rows = [text for scene in scenes for text in (_scene_text(scene), "errors")]
    segmentation = shown[0][1].cell.task.kind == "segmentation"
    value = "mean IoU of this image (%)" if segmentation else "mean absolute error of this image (x10)"
    grid = Pictures(
        tuple(rows), tuple(columns), tuple(tiles), value, _legend(shown[0][1], samples) if segmentation else ()
    )
    return Drawn(pictures=grid, problems=tuple(problems))


def _inputs(layout: FigureLayout, known: set[str]) -> list[str]:
    """Those that a finished cell shows, in the order of the network with most of them, whichever is finished."""
    tasks = sorted((cell.task for cell in layout.cells), key=lambda task: -len(task.inputs))
    return [name for name in dict.fromkeys(name for task in tasks for name in task.inputs) if name in known]


def _samples(record: CellRecord) -> Iterator[tuple[str, _Sample]]:
    """Scene -> its pictures, for every hard scene that can be read."""
    cell = record.cell
    count = len(cell.task.inputs) + 1 + len(cell.streams)
    for name in record.samples:
        scene = PurePosixPath(name).stem
        if _HARD_SCENE.fullmatch(scene) is None:
            continue  # one of the first samples of the split
        data = record.read_file(name)
        tiles = _split(data, count) if data is not None else None
        if tiles is not None:
            first = len(cell.task.inputs)
            inputs = dict(zip(cell.task.inputs, tiles, strict=False))
            yield scene, _Sample(inputs, tiles[first], dict(zip(cell.streams, tiles[first + 1 :], strict=True)))


def _split(png: bytes, count: int) -> list[np.ndarray] | None:
    """The pictures of a sample from left to right; None for a file that is none."""
    try:
        with Image.open(io.BytesIO(png)) as image:
            row_HW3 = np.asarray(image.convert("RGB"))
    except (OSError, ValueError):
        return None
    width, rest = divmod(row_HW3.shape[1] - _GAP_PX * (count - 1), count)
    if rest or width < 1:
        return None
    starts = [place * (width + _GAP_PX) for place in range(count)]
    return [row_HW3[:, start : start + width] for start in starts]


def _scene_tiles(
    row: int,
    scene: str,
    inputs: Sequence[str],
    shown: Sequence[tuple[FigureSeries, CellRecord]],
    samples: Mapping[str, Mapping[str, _Sample]],
) -> Iterator[Tile]:
    of_cells = [(series, record, samples[record.cell.id].get(scene)) for series, record in shown]
    present = [sample for _, _, sample in of_cells if sample is not None]
    for column, name in enumerate(inputs):
        found = next((sample.inputs[name] for sample in present if name in sample.inputs), None)
        if found is not None:
            yield Tile(row, column, found)
    for place, (series, record, sample) in enumerate(of_cells):
        if sample is None:
            continue
        column, output = len(inputs) + place, sample.outputs[series.stream]
        value = _image_score(record, series.stream, int(scene.rpartition("-")[2]))
        text = "" if value is None else f"{value:.1f}" if record.cell.task.kind == "segmentation" else f"{value:.2f}"
        yield Tile(row, column, _legible(record.cell, output, sample.target), text, value, record.cell.id)
        yield Tile(row + 1, column, _error(record.cell, output, sample.target))
    target = present[0].target
    yield Tile(row, len(inputs) + len(shown), _legible(shown[0][1].cell, target, target))


def _legible(cell: Cell, picture: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Generated depth, or its target, with the contrast of the target; where that is missing, the target is dark red.

    A room spans a small part of the range from -1 to 1 that networks predict, so that all of it would be one gray.
    """
    measured = target.any(axis=-1)
    if cell.task.kind == "segmentation" or cell.task.target != "depth" or not measured.any():
        return picture
    low, high = (float(end(target[measured])) for end in (np.min, np.max))
    stretched = 255 * (picture - low) / max(high - low, 1.0)
    legible: np.ndarray = np.rint(stretched.clip(0, 255)).astype(np.uint8)
    if picture is target:
        legible[~measured] = _MISSING
    return legible


def _error(cell: Cell, output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Red where it is wrong: for classes yes or no, and black for void; for images by the size of the error."""
    if cell.task.kind == "segmentation":
        wrong = (output != target).any(axis=-1, keepdims=True)
        picture = np.where(wrong, _WRONG, _RIGHT)
        return np.where((target == VOID).all(axis=-1, keepdims=True), VOID, picture).astype(np.uint8)
    share = np.abs(output.astype(np.float64) - target).mean(axis=-1, keepdims=True).clip(0, _FULL_ERROR) / _FULL_ERROR
    red: np.ndarray = np.rint(share * _WRONG + (1 - share) * np.array(_RIGHT)).astype(np.uint8)
    return red


def _image_score(record: CellRecord, stream: str, image: int) -> float | None:
    """Mean IoU over the classes that occur in the image, or its mean absolute error x10; None where it is not kept."""
    scores = read_per_image(record)
    if isinstance(scores, NoScores) or image >= scores.images:
        return None
    if record.cell.task.kind == "segmentation":
        confusion = scores.confusion.get(stream)
        return None if confusion is None else mean_iou_pct(dense_counts(confusion)[image])
    mean_N = scores.means.get(stream, {}).get(_ERROR)
    value_R = None if mean_N is None else resampled_mean(_ERROR, mean_N, np.eye(len(mean_N))[[image]])
    return None if value_R is None else float(value_R[0])


def _legend(record: CellRecord, samples: Mapping[str, Mapping[str, _Sample]]) -> Legend:
    """The classes that some picture shows, with their colours."""
    shown = [sample for found in samples.values() for sample in found.values()]
    pictures_HW3 = (picture for sample in shown for picture in (sample.target, *sample.outputs.values()))
    return shown_classes(class_names(record), pictures_HW3)


def _order(scene: str) -> tuple[int, str]:
    why = scene.partition("-")[0]
    order = ("thin", "dark", "bright", "detail")
    return (order.index(why) if why in order else len(order), scene)


def _scene_text(scene: str) -> str:
    why, _, place = scene.partition("-")
    return f"{why}, scene {int(place)}" if place.isdigit() else scene
