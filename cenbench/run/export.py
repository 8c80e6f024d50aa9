"""Export a finished cell's predictions: find its weights, refuse out-of-date ones, write the files."""

from __future__ import annotations

from pathlib import Path

from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.evaluate.export import export_predictions
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.pretrained.used import training_identity, used_files
from cenbench.records.digests import evaluation_code, training_code
from cenbench.train.device import choose_device
from cenbench.train.setup import Setup
from cenbench.train.trained import Trained, open_finished


def export_cell(
    cell: Cell, paths: Paths, out: Path, stream: str, device_name: str = "auto", *, bar: bool = False
) -> int:
    """Write the predictions of `stream` on the validation split to `out`; returns their number.

    See `export_predictions`. Raises `UserError` if the cell has no finished weights, or other code, data or pretrained
    files made them than those here now.
    """
    prepared = Prepared.open(paths.data / dataset_key(cell.dataset))
    trained = _finished(cell, paths, prepared)
    setup = Setup(cell, prepared, choose_device(device_name), paths)
    return export_predictions(setup, trained, evaluation_code(cell), out, stream, bar=bar)


def _finished(cell: Cell, paths: Paths, prepared: Prepared) -> Trained:
    identity = training_identity(cell, training_code(cell), prepared.digest, used_files(cell, paths))
    trained = open_finished(paths.state(cell), identity)
    if trained is None:
        raise UserError(
            "this cell has no finished weights made by the code, data and pretrained files that are here now",
            where=paths.state(cell),
            fix=f"cenbench run '{cell.id}' --preset PRESET (the preset you run), then export again",
        )
    return trained
