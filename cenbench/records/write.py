"""Write a cell's record. Numbers and history are byte-identical for the same run; times and machines are kept apart."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from cenbench.evaluate import per_image
from cenbench.evaluate.measured import Measured
from cenbench.files import room_to_write, write_bytes, write_sealed
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.records.digests import Digests
from cenbench.records.read import SAMPLES
from cenbench.records.verify import FORMAT, set_aside_path
from cenbench.train.history import HISTORY


def write_finished(
    cell: Cell, paths: Paths, digests: Digests, measured: Measured, history: bytes, provenance: Mapping[str, Any]
) -> None:
    """Publish a finished cell. metrics.json is written last: if it exists, the record is complete.

    Its `origin` is `trained` or `imported`; provenance.json names the imported file.
    """
    files = _write_files(cell, paths, measured, history, provenance)
    write_sealed(
        paths.record(cell),
        _document(cell, digests, "ok", None)
        | {
            "files": files,
            "origin": "imported" if "imported" in provenance else "trained",
            "metrics": {stream: dict(values) for stream, values in measured.metrics.items()},
            "per_class_iou_pct": {stream: dict(values) for stream, values in measured.per_class_iou_pct.items()},
            "confusion": {stream: _rows(counts_KK) for stream, counts_KK in measured.confusion.items()},
            "stand_in": dict(measured.stand_in),
            "parameters": dict(measured.parameters),
        },
    )


def write_skipped(cell: Cell, paths: Paths, digests: Digests, reason: str, provenance: Mapping[str, Any]) -> None:
    """Publish that the cell cannot run here, and why."""
    files = _write_files(cell, paths, Measured(metrics={}), b"", provenance)
    write_sealed(
        paths.record(cell),
        _document(cell, digests, "skipped", reason) | {"files": files, "metrics": {}, "stand_in": {}, "parameters": {}},
    )


def _rows(counts_KK: np.ndarray) -> list[str]:
    """A row of numbers as one text: as a list, each number would have a line, and thousands make reading slow."""
    return [" ".join(map(str, row)) for row in counts_KK.tolist()]


def _document(cell: Cell, digests: Digests, state: str, reason: str | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "cell_id": cell.id,
        "training_id": cell.training_id,
        "state": state,
        "reason": reason,
        "cell": cell.model_dump(mode="json"),
        "digests": digests.as_dict(),
    }


def _write_files(
    cell: Cell, paths: Paths, measured: Measured, history: bytes, provenance: Mapping[str, Any]
) -> dict[str, str]:
    """Write all files but metrics.json, which is removed first; returns file -> SHA-256.

    provenance.json is not listed: it differs between runs and holds its own digest. Old sample pictures are removed.
    """
    folder, record = paths.cell(cell), paths.record(cell)
    for path in (record, set_aside_path(record)):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / SAMPLES, ignore_errors=True)
    with room_to_write(folder / SAMPLES):
        (folder / SAMPLES).mkdir(parents=True)
    files = {HISTORY: history, per_image.FILE: per_image.to_bytes(measured.per_image)}
    files |= {f"{SAMPLES}/{name}": picture for name, picture in measured.samples.items()}
    for name, data in files.items():
        write_bytes(folder / name, data)
    write_sealed(paths.provenance(cell), dict(provenance))
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
