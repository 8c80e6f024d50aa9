"""Read the recorded scaling factors of a finished cell. Torch-free; like all reading of records, it never raises."""

from __future__ import annotations

from dataclasses import dataclass

from cenbench.records.read import CellRecord
from cenbench.train.gamma_file import FILE, Gammas, from_bytes


@dataclass(frozen=True)
class NoGammas:
    """Why there are no scaling factors to read."""

    reason: str


def read_gammas(record: CellRecord) -> Gammas | NoGammas:
    """What training recorded of the cell's constrained norms (`cenbench.train.gamma_file`), or why there is nothing:
    the cell has no numbers, or the file is absent, damaged or of another network.
    """
    if not record.metrics:
        return NoGammas(f"the cell has no numbers: {record.state}" + (f", {record.reason}" if record.reason else ""))
    if FILE not in record.files:
        return NoGammas("the record is of a version that recorded no scaling factors")
    path = record.folder / FILE
    data = record.read_file(FILE)
    if data is None:
        return NoGammas(f"{path} cannot be read, or has changed since it was written")
    try:
        gammas = from_bytes(data)
    except ValueError as error:
        return NoGammas(f"{path} cannot be read: {error}")
    modalities = {len(layer.final_MC) for layer in gammas.layers.values()}
    if modalities != {len(record.cell.task.inputs)}:
        return NoGammas(f"{path} is of a network with another number of modalities")
    return gammas
