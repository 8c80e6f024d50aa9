"""What corollary 1's construction gave on a trained cell: a sealed file, bound to cell and weights. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cenbench.files import write_sealed
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.records.fingerprint import code_digest
from cenbench.records.measurement_file import Unusable, read_measurement
from cenbench.records.read import CellRecord
from cenbench.train.task import loaded_by_name, loading_entries

TOLERANCE = 1e-6
"""Largest difference of outputs and of losses that counts as equal. Both networks are computed in float64."""
_ENTRIES = ("cenbench.nn.corollary.smallest_place", "cenbench.nn.corollary.corollary_pair")
_NonNegative = Annotated[float, Field(ge=0)]


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)
    format: Literal[1] = 1
    cell_id: str
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    code: str
    numbers: dict[Literal["output_difference", "loss_difference", "unadjusted_difference"], _NonNegative]
    skipped: str | None = None


@dataclass(frozen=True)
class CorollaryRecord:
    """What is known of corollary 1 on a cell: `difference` is the largest one of outputs and losses.

    ok       checked with the weights of its record and the code that is here now
    skipped  the cell cannot run here, so it has no network
    stale    checked, but with other weights or code
    missing  not checked yet
    damaged  the file is not what was written, or another cell's
    """

    state: Literal["ok", "skipped", "stale", "missing", "damaged"]
    reason: str | None = None
    difference: float | None = None

    @property
    def equal(self) -> bool:
        """Whether outputs and losses are equal to the tolerance."""
        return self.difference is not None and self.difference <= TOLERANCE


def corollary_code(cell: Cell) -> str:
    """Digest of the code that loads the cell's network and builds the two of the proof."""
    return code_digest((*loading_entries(cell), *_ENTRIES), loaded_by_name(cell))


def write_corollary(cell: Cell, paths: Paths, weights_sha256: str, numbers: Mapping[str, float]) -> None:
    """Keep the differences that the weights with this digest gave."""
    _write(cell, paths, weights_sha256=weights_sha256, numbers=dict(numbers))


def write_corollary_skipped(cell: Cell, paths: Paths, reason: str) -> None:
    """Keep that the cell has no network, and why."""
    _write(cell, paths, weights_sha256=None, numbers={}, skipped=reason)


def _write(cell: Cell, paths: Paths, **values: object) -> None:
    document = _Document.model_validate({"cell_id": cell.id, "code": corollary_code(cell), **values})
    write_sealed(paths.corollary(cell), document.model_dump(mode="json"))


def read_corollary(paths: Paths, record: CellRecord) -> CorollaryRecord:
    """What belongs to `record`. Never raises: whatever is wrong is a state with a reason."""
    path = paths.corollary(record.cell)
    found = read_measurement(path, record.cell.id, _Document, missing="not checked yet")
    if isinstance(found, Unusable):
        return CorollaryRecord(found.state, found.reason)
    if found.skipped is not None and record.state == "skipped":
        return CorollaryRecord("skipped", found.skipped)
    if record.state != "ok":
        return CorollaryRecord("stale", f"the cell is {record.state}")
    if found.weights_sha256 != record.weights_sha256:
        return CorollaryRecord("stale", "other weights were checked")
    if found.code != corollary_code(record.cell):
        return CorollaryRecord("stale", "the code changed since")
    numbers = found.numbers
    if not {"output_difference", "loss_difference"} <= numbers.keys():
        return CorollaryRecord("damaged", f"{path} has no differences")
    return CorollaryRecord("ok", difference=max(numbers["output_difference"], numbers["loss_difference"]))
