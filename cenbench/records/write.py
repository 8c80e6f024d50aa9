"""Write a cell's record. Numbers and history are byte-identical for the same run; times and machines are kept apart."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cenbench.evaluate import per_image
from cenbench.evaluate.measured import Measured
from cenbench.files import Guard, replace_folder, room_to_write, sha256_bytes, unguarded, write_bytes, write_sealed
from cenbench.matrix.cell import Cell
from cenbench.paths import PUBLISHING, Paths
from cenbench.records.digests import Digests
from cenbench.records.document import FORMAT, SAMPLES
from cenbench.train.gamma_file import FILE as GAMMAS
from cenbench.train.history import HISTORY


def write_finished(
    cell: Cell,
    paths: Paths,
    digests: Digests,
    measured: Measured,
    history: bytes,
    provenance: Mapping[str, Any],
    weights_sha256: str,
    guard: Guard = unguarded,
    *,
    gammas: bytes | None = None,
) -> None:
    """Publish a finished cell, and the SHA-256 of the weights that were measured.

    `gammas` is the file of the scaling factors that training recorded (`cenbench.train.gamma_file`), if there is one.
    `guard` is called before each file is removed or written.
    The record's `origin` is `trained` or `imported`; provenance.json names the imported file.
    """
    numbers: dict[str, Any] = {
        "weights_sha256": weights_sha256,
        "origin": "imported" if "imported" in provenance else "trained",
        "metrics": {stream: dict(values) for stream, values in measured.metrics.items()},
        "other_norm_statistics": {
            name: {stream: dict(values) for stream, values in metrics.items()}
            for name, metrics in measured.other_norm_statistics.items()
        },
        "per_class_iou_pct": {stream: dict(values) for stream, values in measured.per_class_iou_pct.items()},
        "confusion": {stream: _rows(counts_KK) for stream, counts_KK in measured.confusion.items()},
        "stand_in": dict(measured.stand_in),
        "parameters": dict(measured.parameters),
    }
    if measured.exchange:
        numbers["exchange"] = dict(measured.exchange)
    files = {HISTORY: history} if gammas is None else {HISTORY: history, GAMMAS: gammas}
    _publish(cell, paths, _document(cell, digests, "ok", None) | numbers, measured, files, provenance, guard)


def write_skipped(
    cell: Cell, paths: Paths, digests: Digests, reason: str, provenance: Mapping[str, Any], guard: Guard = unguarded
) -> None:
    """Publish that the cell cannot run here, and why."""
    nothing: dict[str, Any] = {"weights_sha256": None, "metrics": {}, "stand_in": {}, "parameters": {}}
    document = _document(cell, digests, "skipped", reason) | nothing
    _publish(cell, paths, document, Measured(metrics={}), {HISTORY: b""}, provenance, guard)


@contextmanager
def new_folder(paths: Paths, cell: Cell, guard: Guard) -> Iterator[Path]:
    """Yield a folder to write a record of the cell into; at the end of the block it takes the place of the old one.

    Readers see the old record or the new one. After an error or a kill the old one is intact, and what is left of the
    new one is removed by the next call. `guard` is called before each of its own changes.
    """
    folder = paths.cell(cell)
    fresh = folder.with_name(folder.name + PUBLISHING)
    guard()
    shutil.rmtree(fresh, ignore_errors=True)
    with room_to_write(fresh):
        (fresh / SAMPLES).mkdir(parents=True)
    yield fresh
    replace_folder(fresh, folder, guard)


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


def _publish(
    cell: Cell,
    paths: Paths,
    document: dict[str, Any],
    measured: Measured,
    training: Mapping[str, bytes],
    provenance: Mapping[str, Any],
    guard: Guard,
) -> None:
    """`training` holds the files of the training by name. provenance.json is not listed in `files`: it differs between
    runs, names its cell and holds its own digest.
    """
    files = {**training, per_image.FILE: per_image.to_bytes(measured.per_image)}
    files |= {f"{SAMPLES}/{name}": picture for name, picture in measured.samples.items()}
    with new_folder(paths, cell, guard) as folder:
        for name, data in files.items():
            write_bytes(folder / name, data, guard)
        write_sealed(folder / paths.provenance(cell).name, {**provenance, "cell_id": cell.id}, guard)
        digests = {name: sha256_bytes(data) for name, data in files.items()}
        write_sealed(folder / paths.record(cell).name, document | {"files": digests}, guard)
