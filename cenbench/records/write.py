"""Write a cell's record. Numbers and history are the same bytes for the same run; times and machines lie apart."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cenbench.evaluate.measured import Measured
from cenbench.files import room_to_write, write_bytes, write_sealed
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.records.digests import Digests
from cenbench.records.read import FORMAT
from cenbench.records.verify import METRICS, PROVENANCE, SET_ASIDE


def write_finished(
    cell: Cell, paths: Paths, digests: Digests, measured: Measured, history: bytes, provenance: Mapping[str, Any]
) -> None:
    """Publish a finished cell. metrics.json comes last: where it is, the rest is whole.

    `origin` in it says whether the weights were trained here or imported (provenance says from which file).
    """
    folder = paths.cell(cell)
    files = _write_files(folder, measured.samples, history, provenance)
    write_sealed(
        folder / METRICS,
        _document(cell, digests, "ok", None)
        | {
            "files": files,
            "origin": "imported" if "imported" in provenance else "trained",
            "metrics": {stream: dict(values) for stream, values in measured.metrics.items()},
            "stand_in": dict(measured.stand_in),
            "parameters": dict(measured.parameters),
        },
    )


def write_skipped(cell: Cell, paths: Paths, digests: Digests, reason: str, provenance: Mapping[str, Any]) -> None:
    """Publish that the cell cannot run here, and why."""
    folder = paths.cell(cell)
    files = _write_files(folder, {}, b"", provenance)
    write_sealed(
        folder / METRICS,
        _document(cell, digests, "skipped", reason) | {"files": files, "metrics": {}, "stand_in": {}, "parameters": {}},
    )


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
    folder: Path, samples: Mapping[str, bytes], history: bytes, provenance: Mapping[str, Any]
) -> dict[str, str]:
    """Replace all but metrics.json, which goes first and is written last; file -> SHA-256 of those that are the same
    in every run. Provenance is not: it holds its own. Pictures of an earlier run with more of them must not linger.
    """
    for name in (METRICS, SET_ASIDE):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "samples", ignore_errors=True)
    with room_to_write(folder / "samples"):
        (folder / "samples").mkdir(parents=True)
    files = {"history.csv": history, **{f"samples/{name}": picture for name, picture in samples.items()}}
    for name, data in files.items():
        write_bytes(folder / name, data)
    write_sealed(folder / PROVENANCE, dict(provenance))
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
