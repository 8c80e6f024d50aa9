"""Sample predictions of the first and of the hard scenes of a split: one PNG each, with inputs, target and outputs."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from cenbench.data.prepared import Prepared
from cenbench.evaluate.hard_scenes import hard_scenes
from cenbench.matrix.cell import Task
from cenbench.matrix.specs import Evaluation

GAP_PX = 2
"""Width of the white gap between two pictures."""
_WHITE = 255


def sample_names(prepared: Prepared, task: Task, evaluation: Evaluation) -> dict[int, list[str]]:
    """Place in the split -> names of the files that show it: `000.png`, or `thin-0012.png` for a hard scene.

    As many of the first scenes as the evaluation asks for, and the hard scenes; none if it asks for none.
    """
    names = {place: [f"{place:03d}.png"] for place in range(evaluation.samples)}
    for place, why in hard_scenes(prepared, task, evaluation.split).items() if evaluation.samples else ():
        names.setdefault(place, []).append(f"{why}-{place:04d}.png")
    return names


def side_by_side(tiles: Sequence[np.ndarray]) -> bytes:
    """PNG of equally high uint8 pictures (H, W, 3), a white gap between them."""
    height = tiles[0].shape[0]
    gap = np.full((height, GAP_PX, 3), _WHITE, np.uint8)
    row = [part for tile in tiles for part in (tile, gap)][:-1]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(row, axis=1)).save(buffer, format="PNG")
    return buffer.getvalue()
