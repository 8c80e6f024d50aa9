"""The files of a finished training: weights, history, and a note, written last, that both are whole.

Weights trained elsewhere are kept in the same way, with their source in the note: see `ImportedWeights`.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors.torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from torch import Tensor, nn

from cenbench.errors import UserError
from cenbench.files import (
    LARGEST_WEIGHTS_BYTES,
    Guard,
    digest,
    read_json_object,
    sha256_file,
    unguarded,
    write_bytes,
    write_json,
)
from cenbench.regular_file import Missing, Unreadable, is_there, read_regular
from cenbench.train.gamma_file import FILE as GAMMAS
from cenbench.train.gamma_file import LARGEST_BYTES
from cenbench.train.history import HISTORY
from cenbench.train.state import drop_state

log = logging.getLogger("cenbench")
WEIGHTS, NOTE = "weights.safetensors", "finished.json"
FILES = (WEIGHTS, HISTORY, GAMMAS, NOTE)
"""The files that a finished training may have, in the order they are written: see `finished_files`."""
_LARGEST_HISTORY_BYTES = 2**30


@dataclass(frozen=True)
class ImportedWeights:
    """The file that weights were imported from: its name without folders, and its SHA-256 (hex)."""

    file: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.file}, sha256 {self.sha256}"


class _Note(BaseModel):
    """The shape of finished.json."""

    model_config = ConfigDict(strict=True, extra="forbid")
    identity: dict[str, str]
    steps: Annotated[int, Field(ge=0, le=10**15)]
    sha256: dict[Literal["weights.safetensors", "history.csv", "gammas.safetensors"], str]
    imported: dict[Literal["file", "sha256"], str] | None = None
    selected: dict[str, float] | None = None
    seal: str | None = None
    """Digest of all of the above; None in a note of an older version."""

    @model_validator(mode="after")
    def _whole(self) -> _Note:
        whole_import = self.imported is None or len(self.imported) == 2
        if "training_id" not in self.identity or not {WEIGHTS, HISTORY} <= self.sha256.keys() or not whole_import:
            raise ValueError("an incomplete note")
        return self


@dataclass(frozen=True)
class Trained:
    """A finished training in its state folder."""

    folder: Path
    steps: int
    history: bytes
    weights_sha256: str
    gammas: bytes | None = None
    """The recorded scaling factors (`cenbench.train.gamma_file`); None for an import by a version without them."""
    imported: ImportedWeights | None = None
    """The source of the weights, if they were not trained here."""
    selected: dict[str, float | int] | None = None
    """Step and validation score of the weights if the best ones were selected; None if they are the last."""
    identity: dict[str, str] = field(default_factory=dict)
    """What the weights were made from: code, data, and the SHA-256 of each pretrained file under its name."""

    @property
    def weights(self) -> Path:
        """The file of the weights."""
        return self.folder / WEIGHTS


def open_finished(folder: Path, identity: dict[str, str], guard: Guard = unguarded) -> Trained | None:
    """The finished training of this identity, or None. Damaged files are logged by name and trained again.

    Imported weights match every identity of their cell: no training code here made them, so no change of it makes them
    out of date. Raises `UserError` if they are damaged, because training would not restore them.
    """
    note = _whole_note(folder)
    if note is None:
        return None
    imported = _source(note)
    if not _is_for(note, imported, identity):
        log.info("the finished weights come from other code or data: training restarts")
        return None
    damage = _damage(folder, note["sha256"])
    if damage is None:
        guard()
        drop_state(folder)  # left behind by a run that died right after its note
        return _trained(folder, note, imported)
    if imported:
        raise UserError(
            f"imported weights are damaged, and training cannot restore them ({imported})",
            where=folder,
            found=damage,
            fix="import the checkpoint again with --replace; to train the cell instead, delete the folder",
        )
    log.warning("%s: it is trained again", damage)
    return None


def _trained(folder: Path, note: dict[str, Any], imported: ImportedWeights | None) -> Trained:
    history = read_regular(folder / HISTORY, _LARGEST_HISTORY_BYTES)
    sha256 = note["sha256"][WEIGHTS]
    gammas = read_regular(folder / GAMMAS, LARGEST_BYTES) if GAMMAS in note["sha256"] else None
    return Trained(folder, note["steps"], history, sha256, gammas, imported, note.get("selected"), note["identity"])


def why_not_measured(folder: Path, training_id: str, weights_sha256: str | None) -> str | None:
    """Why the finished training in `folder` is not the one that a record was measured with; None if it is.

    `training_id` and `weights_sha256` are the record's. Reads the weights whole.
    """
    note = _read_note(folder)
    if note is None:
        return f"its training is missing or damaged: {folder / NOTE}"
    if (found := note["identity"]["training_id"]) != training_id:
        return f"its training is of another cell: {found}"
    if note["sha256"][WEIGHTS] != weights_sha256:
        return f"its weights are not those that were measured (sha256 {note['sha256'][WEIGHTS]}, not {weights_sha256})"
    try:
        return _damage(folder, note["sha256"])
    except Unreadable as error:
        return error.problem


def finish(
    folder: Path,
    network: nn.Module,
    history: bytes,
    steps: int,
    identity: dict[str, str],
    *,
    gammas: bytes | None = None,
    imported: ImportedWeights | None = None,
    selected: dict[str, float | int] | None = None,
    guard: Guard = unguarded,
) -> Trained:
    """Write weights, history and scaling factors, then the note, then remove the resumable state. `guard` is called
    before each.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_bytes(folder / WEIGHTS, safetensors.torch.save(weights), guard)
    write_bytes(folder / HISTORY, history, guard)
    files = (WEIGHTS, HISTORY) if gammas is None else (WEIGHTS, HISTORY, GAMMAS)
    if gammas is not None:
        write_bytes(folder / GAMMAS, gammas, guard)
    sha256 = {name: sha256_file(folder / name, LARGEST_WEIGHTS_BYTES) for name in files}
    note: dict[str, Any] = {"identity": identity, "steps": steps, "sha256": sha256}
    note |= {"imported": asdict(imported)} if imported else {}
    note |= {"selected": selected} if selected else {}
    write_json(folder / NOTE, {**note, "seal": digest(note)}, guard)
    guard()
    drop_state(folder)
    return Trained(folder, steps, history, sha256[WEIGHTS], gammas, imported, selected, identity)


def finished_files(folder: Path) -> tuple[str, ...]:
    """Names of the files that the finished training in `folder` consists of; none if it is missing or damaged."""
    note = _read_note(folder)
    return () if note is None else tuple(name for name in FILES if name == NOTE or name in note["sha256"])


def is_finished(folder: Path) -> bool:
    """Whether `folder` holds a finished training, whatever its code and data."""
    return is_there(folder / NOTE)


def differs(one: Path, other: Path) -> bool:
    """Whether two folders hold different weights from the same code and data, as training on GPUs may produce."""
    first, second = _read_note(one), _read_note(other)
    if first is None or second is None:
        return False
    return bool(first["identity"] == second["identity"] and first["sha256"] != second["sha256"])


def found_import(folder: Path) -> ImportedWeights | None:
    """The source of imported weights in `folder`; None if there are no weights, or they were trained."""
    note = _read_note(folder)
    return None if note is None else _source(note)


def _source(note: dict[str, Any]) -> ImportedWeights | None:
    return ImportedWeights(**note["imported"]) if note.get("imported") else None


def load_weights(network: nn.Module, folder: Path) -> None:
    """Load finished weights into `network`, strictly. `UserError` for a truncated file or another network's."""
    weights = read_weights(folder)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[:2]
        where = folder / WEIGHTS
        raise UserError("these weights cannot be loaded", where=where, found=" ".join(first)) from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Name -> tensor of finished weights, on the CPU. `UserError` for a file that is absent or truncated."""
    try:
        return dict(safetensors.torch.load_file(folder / WEIGHTS))
    except (SafetensorError, OSError) as error:
        first = str(error).splitlines()[:2]
        where = folder / WEIGHTS
        raise UserError("these weights cannot be loaded", where=where, found=" ".join(first)) from error


def _read_note(folder: Path) -> dict[str, Any] | None:
    """`_whole_note`, or None for one that cannot be read either, which is logged."""
    try:
        return _whole_note(folder)
    except Unreadable as error:
        log.warning("%s", error.problem)
        return None


def _whole_note(folder: Path) -> dict[str, Any] | None:
    """finished.json without its seal, if it exists and is as it was written. One that is not is logged.

    Raises `Unreadable` where the file system does not give it: nothing is known of the training then.
    """
    try:
        note = read_json_object(folder / NOTE)
        seal = _Note.model_validate(note).seal
    except Missing:
        return None
    except Unreadable:
        raise
    except (UserError, ValidationError):
        log.warning("%s is damaged: this training does not count", folder / NOTE)
        return None
    note.pop("seal", None)
    if seal is not None and seal != digest(note):
        log.warning("%s has changed since it was written: this training does not count", folder / NOTE)
        return None
    return note


def _is_for(note: dict[str, Any], imported: ImportedWeights | None, identity: dict[str, str]) -> bool:
    if imported:
        return bool(note["identity"]["training_id"] == identity["training_id"])
    # A pretrained file that has been removed since is not part of `identity`, and does not invalidate the weights.
    return all(note["identity"].get(name) == value for name, value in identity.items())


def _damage(folder: Path, sha256: dict[str, str]) -> str | None:
    """The first file that differs from the note, or is missing, in words. Raises `Unreadable` as `_whole_note` does."""
    for name, expected in sha256.items():
        path = folder / name
        try:
            found = sha256_file(path, LARGEST_WEIGHTS_BYTES)
        except Unreadable:
            raise
        except UserError as error:
            return f"{path} is damaged ({error.problem})"
        if found != expected:
            return f"{path} is damaged (sha256 {found}, expected {expected})"
    return None
