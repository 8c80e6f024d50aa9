"""One line on a cell's page: how corollary 1 is shown on it, or why its construction does not apply."""

from __future__ import annotations

from cenbench.matrix.cell import Cell
from cenbench.matrix.corollary_applies import corollary_obstacle


def corollary_note(preset: str, cell: Cell) -> str:
    """The command, or the reason. `cenbench.nn.corollary` gives the same reasons from the network itself."""
    if reason := corollary_obstacle(cell):
        return f"Corollary 1's construction does not apply: {reason}."
    return f"Corollary 1 on this cell's weights: cenbench corollary '{cell.id}' --preset {preset}"
