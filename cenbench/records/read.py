"""What is known of a cell, read from files alone: its state, why, and its numbers. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cenbench.errors import UserError
from cenbench.files import read_json
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.pretrained.used import pretrained_digest
from cenbench.records.digests import WHAT, current_digests
from cenbench.records.verify import read_published

State = Literal["ok", "failed", "skipped", "stale", "missing"]
FORMAT = 2
"""2: records hold digests of themselves and of the files beside them."""


@dataclass(frozen=True)
class CellRecord:
    """A cell's state and, where it has them, its numbers: `metrics[stream][metric]`.

    ok       finished, and made by the code and data that are here now
    failed   ended without a result; `reason` says why, the next run tries again
    skipped  cannot run here for nobody's fault (weights absent); `reason` says what to do
    stale    finished, but by other code or data than what is here now; the numbers shown are the old ones
    missing  not run yet, or begun and not finished
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
    """metrics.json whole."""


def read_record(paths: Paths, cell: Cell) -> CellRecord:
    """The cell's record as its files stand; never raises for a cell that failed or is damaged: that is a state."""
    log, folder = paths.log(cell), paths.cell(cell)
    nothing = CellRecord(cell, "missing", "not run yet", {}, {}, folder, log if log.exists() else None)
    failure, metrics = paths.state(cell) / "failure.json", folder / "metrics.json"
    if failure.exists():
        return replace(nothing, state="failed", reason=failure_reason(failure))
    if not metrics.exists():
        begun = "begun, but not finished (killed, or still at work); the same command continues it"
        return replace(nothing, reason=begun) if paths.run_log(cell).exists() else nothing
    try:
        document, provenance = read_published(folder, FORMAT)
        now = current_digests(cell, paths.data, pretrained_digest(cell, paths))
        state, reason = _state(document, now.as_dict())
        numbers, stand_in = document["metrics"], document["stand_in"]
    except (UserError, KeyError, TypeError, AttributeError) as error:
        reason = f"its record is damaged, run again to publish it anew: {error}"
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


def _state(document: Mapping[str, Any], now: Mapping[str, str | None]) -> tuple[State, str | None]:
    if document["format"] != FORMAT:
        return "stale", f"written in format {document['format']}, this version reads {FORMAT}"
    if document["state"] == "skipped":
        return "skipped", document["reason"]
    made_by = document["digests"]
    # A dataset or pretrained file that is no longer on this disk says nothing against a result made with it.
    # Imported weights were made by no training code of ours.
    ignored = {"training_code"} if document.get("origin") == "imported" else set()
    expected = {name: value for name, value in now.items() if name not in ignored and value is not None}
    changed = [WHAT[name] for name, value in expected.items() if made_by.get(name) != value]
    return ("stale", "; ".join(changed)) if changed else ("ok", None)


def failure_reason(path: Path) -> str:
    """Why the cell failed, as its state folder says."""
    try:
        return str(read_json(path)["reason"])
    except (UserError, KeyError, TypeError):
        return f"its failure report {path} is damaged; see the log"
