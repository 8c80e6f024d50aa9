"""Export a finished cell's predictions: find its weights, refuse out-of-date ones, write the files."""

from __future__ import annotations

from pathlib import Path

from cenbench.data.prepared import Prepared
from cenbench.evaluate.export import check_stream, export_predictions
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.records.digests import evaluation_code
from cenbench.run.finished import finished_weights
from cenbench.train.device import choose_device
from cenbench.train.setup import Setup


def export_cell(
    cell: Cell, paths: Paths, out: Path, stream: str, device_name: str = "auto", *, bar: bool = False
) -> int:
    """Write the predictions of `stream` on the validation split to `out`; returns their number.

    See `export_predictions`. Raises `UserError` if the cell has no such output or no finished weights, or other code,
    data or pretrained files made them than those here now.
    """
    check_stream(cell, stream)
    prepared = Prepared.open(paths.data / dataset_key(cell.dataset))
    trained = finished_weights(cell, paths, prepared)
    setup = Setup(cell, prepared, choose_device(device_name), paths)
    return export_predictions(setup, trained, evaluation_code(cell), out, stream, bar=bar)
