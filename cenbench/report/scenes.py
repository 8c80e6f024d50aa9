"""The same scenes through every network of a table: tiles cut from the sample pictures of its cells."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cenbench.data.png_uri import png_uri
from cenbench.matrix.cell import ENSEMBLE
from cenbench.records.read import CellRecord
from cenbench.report.class_legend import Legend, class_names, shown_classes
from cenbench.report.short_names import short_row
from cenbench.report.table import Table

_GAP_PX = 2
"""Between the tiles of a sample picture (`cenbench.evaluate.samples`)."""
_LARGEST_PX = 96
_BYTES = 420_000
"""Of all pictures of a page, before base64."""
_MOST_SCENES = 4
_WRONG = np.array([207, 34, 46], np.uint8)


@dataclass(frozen=True)
class Tile:
    """A picture as a data URI; `error` shows where it differs from the target."""

    picture: str
    error: str = ""
    contrast: float = 0.0
    """Standard deviation of its values, 0 to 255."""


@dataclass(frozen=True)
class Scenes:
    """A block of networks with the same inputs and target."""

    inputs: tuple[str, ...]
    networks: tuple[tuple[str, str], ...]
    """Label and cell id."""
    rows: tuple[tuple[tuple[Tile, ...], tuple[Tile, ...]], ...]
    """For each scene the tiles of the inputs and the target, and of the networks' outputs."""
    legend: Legend = ()
    """The classes that a target or an output shows; empty for images."""


def scenes(table: Table, records: Mapping[str, CellRecord]) -> list[Scenes]:
    """A block per task, of the first seed of each network, with as many scenes as a page can hold."""
    networks: dict[tuple[str, int], dict[str, str]] = {}
    for slot in table.layout.slots:
        cell = slot.cells[0]
        label = short_row(table.layout, slot.row)
        if table.layout.ranked == "columns" or len(_cells_of_row(table, slot.row)) > 1:
            column = table.layout.columns[slot.column]
            label = column.head if table.layout.ranked == "columns" else f"{label}, {column.head}"
        if records[cell.id].state == "ok" and records[cell.id].samples:
            networks.setdefault((str(cell.task), cell.dataset.size_px), {}).setdefault(cell.id, label)
    left = _BYTES
    found: list[Scenes] = []
    for cells in networks.values():
        block, used = _block(cells, records, left // max(1, len(networks) - len(found)))
        left -= used
        if block is not None:
            found.append(block)
    return found


def thumbnail(blocks: Sequence[Scenes]) -> str:
    """A picture for the card of the table: of the scene whose target varies most, as a dark one shows little; empty
    without samples.
    """
    if not blocks:
        return ""
    _, outputs = max(blocks[0].rows, key=lambda row: row[0][-1].contrast)
    return outputs[-1].picture


def _cells_of_row(table: Table, row: int) -> set[str]:
    return {slot.cells[0].id for slot in table.layout.slots if slot.row == row}


def _block(cells: Mapping[str, str], records: Mapping[str, CellRecord], most_bytes: int) -> tuple[Scenes | None, int]:
    first = records[next(iter(cells))]
    names = first.samples[:_MOST_SCENES]
    inputs = (*first.cell.task.inputs, first.cell.task.target)
    names_of_classes = class_names(first) if first.cell.task.kind == "segmentation" else ()
    coloured: list[np.ndarray] = []
    rows, used = [], 0
    for name in names:
        strips = {cell_id: _tiles(records[cell_id], name) for cell_id in cells}
        if not all(strips.values()) or len({strip[0].shape for strip in strips.values()}) > 1:
            break
        given = strips[first.cell.id][: len(inputs)]
        target = given[-1]
        shown = [_tile(picture) for picture in given]
        found = [strip[_output(records[cell_id])] for cell_id, strip in strips.items()]
        outputs = [_tile(picture, target) for picture in found]
        size = sum(len(tile.picture) + len(tile.error) for tile in [*shown, *outputs])
        if used + size > most_bytes:
            break
        used += size
        coloured += [target, *found]
        rows.append((tuple(shown), tuple(outputs)))
    if not rows:
        return None, used
    legend = shown_classes(names_of_classes, coloured) if names_of_classes else ()
    return Scenes(inputs, tuple((label, cell_id) for cell_id, label in cells.items()), tuple(rows), legend), used


def _output(record: CellRecord) -> int:
    """The place of the cell's main output among the tiles."""
    streams = record.cell.streams
    return len(record.cell.task.inputs) + 1 + (streams.index(ENSEMBLE) if ENSEMBLE in streams else len(streams) - 1)


def _tiles(record: CellRecord, name: str) -> list[np.ndarray]:
    """The square pictures of a sample; empty if it cannot be read or has another number of tiles."""
    data = record.read_file(name)
    try:
        strip = np.asarray(Image.open(io.BytesIO(data or b"")).convert("RGB"))
    except OSError:
        return []
    count = len(record.cell.task.inputs) + 1 + len(record.cell.streams)
    width = (strip.shape[1] - _GAP_PX * (count - 1)) // count
    if width < 1 or width * count + _GAP_PX * (count - 1) != strip.shape[1]:
        return []
    return [strip[:, place * (width + _GAP_PX) :][:, :width] for place in range(count)]


def _tile(picture: np.ndarray, target: np.ndarray | None = None) -> Tile:
    if target is None:
        return Tile(_uri(picture), contrast=float(picture.std()))
    distance = np.abs(picture.astype(np.int16) - target.astype(np.int16)).max(axis=2, keepdims=True)
    known = target.max(axis=2, keepdims=True) > 0  # void is black
    share = np.clip(distance / 96, 0, 1) * known
    error = (255 - share * (255 - _WRONG)).astype(np.uint8)
    return Tile(_uri(picture), _uri(error))


def _uri(picture: np.ndarray) -> str:
    """A small PNG with a palette; the same bytes for the same picture."""
    image = Image.fromarray(picture)
    image.thumbnail((_LARGEST_PX, _LARGEST_PX), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.quantize(128).save(buffer, format="PNG", optimize=True)
    return png_uri(buffer.getvalue())
