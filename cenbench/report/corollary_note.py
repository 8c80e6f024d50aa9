"""One line on a cell's page: how corollary 1 is shown on it, or why its construction does not apply."""

from __future__ import annotations

from cenbench.matrix.cell import Cell


def corollary_note(preset: str, cell: Cell) -> str:
    """The command, or the reason. `cenbench.nn.corollary` gives the same reasons from the network itself."""
    if reason := _obstacle(cell):
        return f"Corollary 1's construction does not apply: {reason}."
    return f"Corollary 1 on this cell's weights: cenbench corollary '{cell.id}' --preset {preset}"


def _obstacle(cell: Cell) -> str:
    if cell.task.kind != "segmentation":
        return (
            "a U-Net's normalised maps are also read by its decoder, and the proof is about one following convolution"
        )
    if len(cell.task.inputs) < 2:
        return "there is one modality"
    if cell.convs == "shared":
        return "the modalities share their convolutions, so no weight can be set to zero for one of them alone"
    return ""
