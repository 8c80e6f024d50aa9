"""Sample predictions of the first validation scenes: one PNG per scene, with inputs, target and all outputs."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

_GAP_PX = 2
_WHITE = 255


def side_by_side(tiles: Sequence[np.ndarray]) -> bytes:
    """PNG of equally high uint8 pictures (H, W, 3), a white gap between them."""
    height = tiles[0].shape[0]
    gap = np.full((height, _GAP_PX, 3), _WHITE, np.uint8)
    row = [part for tile in tiles for part in (tile, gap)][:-1]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(row, axis=1)).save(buffer, format="PNG")
    return buffer.getvalue()
