"""The input modalities of a scene as pictures, for the samples in reports."""

from __future__ import annotations

import numpy as np

from cenbench.data.contact_sheet import prepared_picture
from cenbench.data.prepared import Prepared
from cenbench.matrix.cell import Task
from cenbench.matrix.stored_arrays import stored_name


def input_pictures(prepared: Prepared, task: Task, row: int) -> list[np.ndarray]:
    """One uint8 (H, W, 3) picture per input, in the order of the task."""
    return [prepared_picture(prepared, stored_name(modality, task.kind), row) for modality in task.inputs]
