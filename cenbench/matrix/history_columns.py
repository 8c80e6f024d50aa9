"""Which columns the history of a cell has, known before it is trained."""
# changes no number: what may be drawn, not what is written

from __future__ import annotations

from cenbench.matrix.cell import Cell
from cenbench.matrix.methods import methods

_LOSSES = {
    "segmentation": ("nll_{stream}", "l1", "lr_encoder", "lr_decoder"),
    "translation": ("discriminator", "adversarial", "distance_{stream}", "l1", "lr"),
}
"""Kind of task -> its losses and learning rates; those of each output once per output."""

OPTIONAL_COLUMNS = ("nll_auxiliary", "fusion_penalty")
"""Those that only some heads and fusion methods add."""


def history_columns(cell: Cell) -> tuple[str, ...]:
    """The columns of its history.csv that can be drawn over the steps, besides `OPTIONAL_COLUMNS`."""
    names = [name.format(stream=stream) for name in _LOSSES[cell.task.kind] for stream in cell.streams]
    exchanges = methods()[cell.fusion].acts == "norms"
    shares = ["below_theta", *(["exchanged"] if exchanges else [])]
    return tuple(dict.fromkeys([*names, *(f"{share}_{name}" for share in shares for name in cell.task.inputs)]))
