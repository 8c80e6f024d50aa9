"""Read a cell's record from its files: its state, the reason, and its numbers. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.metrics.inputs.network import network_costs
from cenbench.paths import Paths
from cenbench.pretrained.used import pretrained_digest
from cenbench.records.digests import Digests, current_digests
from cenbench.records.failure import read_failure
from cenbench.records.staleness import why_stale
from cenbench.records.verify import FORMAT, read_published
from cenbench.train.history import HISTORY

State = Literal["ok", "failed", "skipped", "stale", "missing"]
SAMPLES = "samples"
"""Folder of the sample pictures in a cell's folder."""


@dataclass(frozen=True)
class CellRecord:
    """A cell's state and its numbers, if it has any: `metrics[stream][metric]`.

    ok       finished, and up to date with the code, data and pretrained weights that are here now
    failed   ended without a result; `reason` tells why, and the next run tries again
    skipped  cannot run here (for example: weights missing); `reason` tells what to do
    stale    finished, but damaged or out of date (`cenbench.records.staleness`); if out of date, with its old numbers
    missing  not run yet, or started and not finished
    """

    cell: Cell
    state: State
    reason: str | None
    metrics: Mapping[str, Mapping[str, float]]
    stand_in: Mapping[str, str]
    """metric -> label, for numbers that must not be compared with the paper's."""
    folder: Path
    log: Path | None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    """All of metrics.json."""

    def numbers(self, stream: str) -> dict[str, float]:
        """Metric -> number: what was measured of this output, and what the network costs. Tables and frames read it."""
        return {**self.metrics.get(stream, {}), **network_costs(self.document.get("parameters", {}))}

    @property
    def history(self) -> Path:
        """CSV file of the training's losses (`cenbench.train.history`)."""
        return self.folder / HISTORY

    @property
    def samples(self) -> Path:
        """Folder of the sample pictures."""
        return self.folder / SAMPLES


def read_record(paths: Paths, cell: Cell) -> CellRecord:
    """The cell's record as it is on disk. Never raises for a failed cell or a damaged record: those are states."""
    log = paths.log(cell)
    nothing = CellRecord(cell, "missing", "not run yet", {}, {}, paths.cell(cell), log if log.exists() else None)
    if (failure := read_failure(paths, cell)) is not None:
        return replace(nothing, state="failed", reason=failure)
    if not paths.record(cell).exists():
        started = "started, but not finished (killed, or still running); rerun the command to resume"
        return replace(nothing, reason=started) if paths.run_log(cell).exists() else nothing
    try:
        document, provenance = read_published(paths, cell)
        now = current_digests(cell, paths.data, pretrained_digest(cell, paths))
        state, reason = _state(document, now)
        numbers, stand_in = document["metrics"], document["stand_in"]
    except (UserError, KeyError, TypeError, AttributeError) as error:
        reason = f"its record is damaged; rerun to publish it again: {error}"
        return replace(nothing, state="stale", reason=reason)
    return replace(
        nothing,
        state=state,
        reason=reason,
        metrics=numbers,
        stand_in=stand_in,
        provenance=provenance,
        document=document,
    )


def _state(document: Mapping[str, Any], now: Digests) -> tuple[State, str | None]:
    if document["format"] != FORMAT:
        return "stale", f"written in format {document['format']}; this version reads format {FORMAT}"
    if document["state"] == "skipped":
        return "skipped", document["reason"]
    reason = why_stale(document, now)
    return ("ok", None) if reason is None else ("stale", reason)
