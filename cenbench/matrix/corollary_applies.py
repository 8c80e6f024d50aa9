"""The networks that corollary 1's construction applies to, told from a cell's settings."""
# changes no number: says which cells a claim may check

from __future__ import annotations

from cenbench.matrix.cell import Cell


def corollary_obstacle(cell: Cell) -> str:
    """Why the construction does not apply; empty if it does. `cenbench.nn.corollary` asks the network itself."""
    if cell.task.kind != "segmentation":
        return (
            "a U-Net's normalised maps are also read by its decoder, and the proof is about one following convolution"
        )
    if len(cell.task.inputs) < 2:
        return "there is one modality"
    if cell.convs == "shared":
        return "the modalities share their convolutions, so no weight can be set to zero for one of them alone"
    if cell.norms in ("shared", "stats-unshared"):
        return "the modalities share their scaling factors, so none of them is zero for one alone"
    return ""
