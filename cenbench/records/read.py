"""Read a cell's record from its files: its state, the reason, and its numbers. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from cenbench.errors import UserError
from cenbench.files import sha256_bytes
from cenbench.matrix.cell import Cell
from cenbench.metrics.inputs.network import exchange_numbers, network_costs
from cenbench.paths import Paths
from cenbench.pretrained.used import pretrained_digest
from cenbench.records.crash import bus_error
from cenbench.records.digests import current_digests
from cenbench.records.document import SAMPLES
from cenbench.records.failure import DamagedNote, read_failure
from cenbench.records.staleness import why_stale
from cenbench.records.verify import LARGEST_BYTES, OtherVersion, Published, read_published
from cenbench.regular_file import is_there, read_regular
from cenbench.train.history import HISTORY

State = Literal["ok", "failed", "skipped", "stale", "missing", "damaged"]
AGAIN = (
    "rerun `snakemake all_tables` (or `cenbench run`): the cell is published again, from its weights if they are whole"
)


@dataclass(frozen=True)
class CellRecord:
    """A cell's state and its numbers, if it has any: `metrics[stream][metric]`.

    ok       finished, and up to date with the code, data and pretrained weights that are here now
    failed   ended without a result; `reason` tells why, and the next run tries again
    skipped  cannot run here (for example: weights missing); `reason` tells what to do
    stale    finished, but out of date (`cenbench.records.staleness`): with its old numbers, if this version reads them
    missing  not run yet, or started and not finished
    damaged  its files cannot be read, are not those that were published, or are another cell's; the next run makes it
             again
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
        """Metric -> number: what was measured of this output, what the network costs, and how much it exchanges. Tables
        and frames read it.
        """
        return {**self.metrics.get(stream, {}), **self._costs, **exchange_numbers(self.exchange, stream)}

    @cached_property
    def _costs(self) -> dict[str, float]:
        """What the network costs, the same for each of its outputs."""
        return network_costs(self.document.get("parameters", {}))

    @property
    def exchange(self) -> Mapping[str, Any]:
        """Shares of channels that are replaced (`cenbench.evaluate.exchanged`); empty where nothing is exchanged."""
        return self.document.get("exchange") or {}

    @property
    def samples(self) -> list[str]:
        """Names of the sample pictures, for `read_file`."""
        return sorted(name for name in self.files if name.startswith(f"{SAMPLES}/"))

    @property
    def history(self) -> str:
        """CSV of the training's losses (`cenbench.train.history`); empty if it cannot be read."""
        return (self.read_file(HISTORY) or b"").decode(errors="replace")

    @property
    def weights_sha256(self) -> str | None:
        """SHA-256 (hex) of the weights that were measured."""
        return self.document.get("weights_sha256")

    def read_file(self, name: str) -> bytes | None:
        """A file of the record, as it was published; None for any other, and for one that has changed since."""
        try:
            data = read_regular(self.folder / name, LARGEST_BYTES) if name in self.files else b""
        except UserError:
            return None
        return data if self.files.get(name) == sha256_bytes(data) else None

    @property
    def files(self) -> Mapping[str, str]:
        """Name of each file that belongs to the record, relative to its folder -> SHA-256 (hex)."""
        files: Mapping[str, str] = self.document.get("files", {})
        return files


def read_record(paths: Paths, cell: Cell, sha256: Callable[[Path], str] | None = None) -> CellRecord:
    """The cell's record as it is on disk. Never raises: whatever is wrong with its files is a state.

    `sha256` gives the digest of a pretrained file; by default digests are noted (`pretrained_sha256`).
    """
    log = paths.log(cell)
    nothing = CellRecord(cell, "missing", "not run yet", {}, {}, paths.cell(cell), log if is_there(log) else None)
    failure = read_failure(paths, cell)
    if isinstance(failure, DamagedNote):
        return replace(nothing, state="damaged", reason=_with_fix(failure.error))
    if failure is not None:
        return replace(nothing, state="failed", reason=failure)
    try:
        found = read_published(paths, cell)
    except UserError as error:
        return replace(nothing, state="damaged", reason=_with_fix(error))
    if found is None:
        started = "started, but not finished (killed, or still running); rerun the command to resume"
        if not is_there(paths.run_log(cell)):
            return nothing if (before := _pretraining_failed(paths, cell)) is None else replace(nothing, reason=before)
        return replace(nothing, reason=bus_error(paths, cell) or started)
    if isinstance(found, OtherVersion):
        return replace(nothing, state="stale", reason=found.reason)
    state, reason = _state(paths, cell, found, sha256)
    return replace(
        nothing,
        state=state,
        reason=reason,
        metrics=found.document["metrics"],
        stand_in=found.document["stand_in"],
        provenance=found.provenance,
        document=found.document,
    )


def _state(
    paths: Paths, cell: Cell, found: Published, sha256: Callable[[Path], str] | None
) -> tuple[State, str | None]:
    try:
        now = current_digests(cell, paths.data, pretrained_digest(cell, paths, sha256))
    except UserError as error:  # the dataset or the weights cannot be read
        return "stale", f"it cannot be compared with what is here now: {error}"
    reason = why_stale(found.document, now)
    if found.document["state"] == "skipped" and now.pretrained in (None, found.document["digests"].get("pretrained")):
        return "skipped", found.document["reason"]
    return ("ok", None) if reason is None else ("stale", reason)


def _pretraining_failed(paths: Paths, cell: Cell) -> str | None:
    """Why the cell could not be begun, if the cell that it starts from failed."""
    failure = None if cell.pretraining is None else read_failure(paths, cell.pretraining)
    return f"not run yet: the pretraining that it starts from failed: {failure}" if isinstance(failure, str) else None


def _with_fix(error: UserError) -> str:
    error.fix = error.fix or AGAIN
    return str(error)
