"""How the scenes of a dataset are exposed, where that is known."""

from __future__ import annotations

import numpy as np

from cenbench.data.prepared import Prepared


def scene_exposures(prepared: Prepared, split: str) -> np.ndarray | None:
    """`dark`, `normal` or `over` for each scene of the split; None where the dataset does not tell.

    The rooms of synthrooms are drawn with their exposure, so it is drawn again here.
    """
    spec = prepared.manifest.spec
    if spec.name != "synthrooms":
        return None
    from cenbench.data.synthrooms.prepare import scene_numbers
    from cenbench.data.synthrooms.room import random_room

    numbers = scene_numbers(spec)
    rooms = (random_room(spec.seed, numbers[row], spec.buildings) for row in prepared.indices(split))
    return np.array([room.exposure for room in rooms])
