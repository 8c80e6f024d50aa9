"""A contact sheet as one self-contained HTML page: aligned modalities and labels of some scenes, with captions."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from PIL import Image

from cenbench.data.contact_sheet import label_colours, small, to_picture
from cenbench.data.png_uri import png_uri
from cenbench.data.prepared import Prepared
from cenbench.data.statistics import label_shares
from cenbench.errors import UserError
from cenbench.files import write_text

_DEPTH_PERCENTILES = 2, 98
_LABELS = "semantic"


@dataclass(frozen=True)
class _Picture:
    modality: str
    unit: str
    note: str
    uri: str


@dataclass(frozen=True)
class _Scene:
    name: str
    split: str
    pictures: tuple[_Picture, ...]


@dataclass(frozen=True)
class _LegendEntry:
    label: int
    name: str
    colour: str
    share: float
    """Share of the labelled pixels of the scenes on the page."""


def contact_page(prepared: Prepared, indices: Iterable[int], path: Path) -> None:
    """Write an HTML page with one row per scene, one picture per modality, and a legend of the classes.

    Raises `UserError` for a scene that does not exist, or if there is no scene or no modality to show.
    """
    if not prepared.manifest.modalities:
        raise UserError(f"dataset {prepared.folder.name} has no modality to show", where=prepared.folder)
    rows = list(indices)
    count = len(prepared.array(next(iter(prepared.manifest.modalities))))
    for index in rows:
        if not 0 <= index < count:
            raise UserError(
                f"dataset {prepared.folder.name} has no scene {index}",
                where=prepared.folder,
                found=index,
                expected=f"0 to {count - 1}",
            )
    if not rows:
        raise UserError("a contact sheet needs at least one scene", where=path)
    depths = {name: _depth_limits(prepared, name, rows) for name in prepared.manifest.modalities if _is_depth(name)}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("contact_page.html").render(
        manifest=prepared.manifest,
        key=prepared.folder.name,
        scenes=[_scene(prepared, index, depths) for index in rows],
        classes=_legend(prepared, rows),
    )
    write_text(path, page)


def _scene(prepared: Prepared, index: int, depths: Mapping[str, tuple[float, float]]) -> _Scene:
    pictures = []
    for name, entry in prepared.manifest.modalities.items():
        stored = np.asarray(prepared.array(name)[index])
        note = ""
        if name in depths:
            near, far = depths[name]
            hole = stored == entry.missing
            shown = _depth_picture(stored, hole, near, far)
            limits = [f"{limit / entry.units_per_metre:.1f} m" for limit in (near, far)]
            note = f"black {limits[0]} to white {limits[1]}; {float(hole.mean()):.1%} missing, dark red"
        else:
            shown = to_picture(stored, name)
        if name == _LABELS:
            note = f"{float((stored == prepared.void).mean()):.1%} void, black"
        pictures.append(_Picture(name, entry.unit, note, _data_uri(small(shown, name))))
    split = next(name for name, (start, stop) in prepared.manifest.splits.items() if start <= index < stop)
    return _Scene(prepared.scene_name(index), split, tuple(pictures))


def _legend(prepared: Prepared, rows: list[int]) -> list[_LegendEntry]:
    """Every class with its colour and its share of the labels shown."""
    if _LABELS not in prepared.manifest.modalities:
        return []
    shares = label_shares(prepared, rows)
    colours = label_colours(np.arange(len(prepared.classes)))
    return [
        _LegendEntry(label, name, "#{:02x}{:02x}{:02x}".format(*colours[label]), float(shares[label]))
        for label, name in enumerate(prepared.classes)
    ]


def _is_depth(modality: str) -> bool:
    return modality.startswith("depth")


def _depth_limits(prepared: Prepared, name: str, rows: list[int]) -> tuple[float, float]:
    """Near and far end of the gray scale, in stored units: shared by the scenes of a page, fitted to their depth."""
    missing = prepared.manifest.modalities[name].missing
    measured = [stored[stored != missing] for stored in (np.asarray(prepared.array(name)[index]) for index in rows)]
    values = np.concatenate(measured)
    if not values.size:
        return 1.0, 2.0
    near, far = np.percentile(values, _DEPTH_PERCENTILES)
    near = max(near, 1)  # the scale is logarithmic
    return float(near), float(max(far, near + 1))


def _depth_picture(stored_HW: np.ndarray, hole_HW: np.ndarray, near: float, far: float) -> np.ndarray:
    share = np.log(np.maximum(stored_HW, 1) / near) / np.log(far / near)
    gray = np.rint(255 * share.clip(0, 1)).astype(np.uint8)
    picture = np.repeat(gray[..., None], 3, axis=-1)
    picture[hole_HW] = (110, 0, 0)
    return picture


def _data_uri(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return png_uri(buffer.getvalue())
