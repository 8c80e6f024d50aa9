"""Read the recorded scaling factors of a finished cell. Torch-free; like all reading of records, it never raises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cenbench.matrix.cell import ENSEMBLE
from cenbench.metrics.inputs.gammas import GammaArrays, gamma_metrics, own_parts
from cenbench.records.read import CellRecord
from cenbench.train.gamma_file import FILE, Gammas, from_bytes

__all__ = ["Gammas", "NoGammas", "read_gammas"]


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
    if not gammas.traced or not all(layer.final_MC.size for layer in gammas.layers.values()):
        return NoGammas(f"{path} is of no network: it traces no layer, or holds one without channels")
    return gammas


def gamma_numbers(record: CellRecord, stream: str) -> dict[str, float]:
    """metric -> number of one output, for the metrics that need the recorded scaling factors; empty without a file."""
    gammas = read_gammas(record)
    rows = rows_of(record, stream)
    return {} if isinstance(gammas, NoGammas) or not rows else gamma_metrics(gamma_arrays(gammas, record, rows))


def rows_of(record: CellRecord, stream: str) -> list[int]:
    """The modalities whose factors an output is about: its own, or all of them for the ensemble."""
    inputs = list(record.cell.task.inputs)
    return list(range(len(inputs))) if stream == ENSEMBLE else [inputs.index(stream)] if stream in inputs else []


def gamma_arrays(gammas: Gammas, record: CellRecord, rows: list[int]) -> GammaArrays:
    """The arrays of these modalities, side by side."""
    layers, half = list(gammas.layers.values()), record.cell.l1 == "half"
    paths = []
    for layer in layers:
        if layer.path_TMC is not None:
            own_MC = own_parts(*layer.final_MC.shape) if half else np.ones(layer.final_MC.shape, bool)
            paths += [layer.path_TMC[:, m, own_MC[m]] for m in rows]
    return GammaArrays(
        theta=gammas.theta,
        lambda_l1=gammas.lambda_l1,
        path_TN=np.concatenate(paths, axis=1),
        final_MN=np.concatenate([layer.final_MC[rows] for layer in layers], axis=1),
        small_gradient_TL=np.concatenate([layer.small_gradient_TM[:, rows] for layer in layers], axis=1),
        probability_TL=np.concatenate([layer.probability_TM[:, rows] for layer in layers], axis=1),
        channels_L=np.repeat([layer.final_MC.shape[1] for layer in layers], len(rows)),
    )
