"""A dataset's contact sheet among the reports: a page with some scenes, and a strip of one scene for the index."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from cenbench.data.contact_page import contact_page
from cenbench.data.contact_sheet import prepared_picture
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.files import write_bytes
from cenbench.matrix.specs import DatasetSpec, dataset_key

FOLDER = "datasets"
_SCENES = 3
_TILE_PX, _GAP_PX = 96, 2


def render_datasets(specs: Iterable[DatasetSpec], data: Path, folder: Path) -> None:
    """Write `folder/datasets/<key>.html` and `.png` for each dataset that is prepared under `data`.

    Others are left out: `cenbench data` and the cells report what is wrong with them.
    """
    for spec in dict.fromkeys(specs):
        key = dataset_key(spec)
        try:
            prepared = Prepared.open(data / key)
            scenes = list(prepared.indices("val"))[:_SCENES]
            contact_page(prepared, scenes, folder / FOLDER / f"{key}.html")
            write_bytes(folder / FOLDER / f"{key}.png", strip(prepared, _most_varied(prepared, scenes)))
        except UserError:
            continue


def strip(prepared: Prepared, scene: int) -> bytes:
    """PNG of every modality of a scene in the order of the manifest, side by side in small tiles."""
    tiles = []
    for name in prepared.manifest.modalities:
        image = Image.fromarray(prepared_picture(prepared, name, scene))
        image.thumbnail((_TILE_PX, _TILE_PX), Image.Resampling.NEAREST)
        tiles.append(np.pad(np.asarray(image), ((0, 0), (0, _GAP_PX), (0, 0)), constant_values=255))
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(tiles, axis=1)[:, :-_GAP_PX]).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _most_varied(prepared: Prepared, scenes: Iterable[int]) -> int:
    """The scene whose first modality differs most within the picture: a dark room would show nothing."""
    first = next(iter(prepared.manifest.modalities))
    return max(scenes, key=lambda scene: float(np.asarray(prepared.array(first)[scene]).std()))
