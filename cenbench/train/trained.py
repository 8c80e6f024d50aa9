"""What a finished training leaves: weights, history, and a note that both are whole. The note comes last.

Weights trained elsewhere are kept the same way, with a note that says where they came from: see `ImportedWeights`.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cenbench.errors import UserError
from cenbench.files import read_json, sha256_file, write_bytes, write_json
from cenbench.train.history import HISTORY
from cenbench.train.state import drop_state

log = logging.getLogger("cenbench")
WEIGHTS, NOTE = "weights.safetensors", "finished.json"
FILES = (WEIGHTS, HISTORY, NOTE)
"""What a finished training leaves, the note that the others are whole last."""


@dataclass(frozen=True)
class ImportedWeights:
    """The file that weights were imported from: its name without folders, and the SHA-256 (hex) of its bytes."""

    file: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.file}, sha256 {self.sha256}"


@dataclass(frozen=True)
class Trained:
    """A finished training in its state folder."""

    folder: Path
    steps: int
    history: bytes
    imported: ImportedWeights | None = None
    """Where the weights came from, if they were not trained here."""
    selected: dict[str, float | int] | None = None
    """Step and validation score of the weights, where the best ones were selected; None where they are the last."""
    identity: dict[str, str] = field(default_factory=dict)
    """What they were made by: code, data, and the SHA-256 of each pretrained file under its name."""

    @property
    def weights(self) -> Path:
        """The file of the weights."""
        return self.folder / WEIGHTS


def open_finished(folder: Path, identity: dict[str, str]) -> Trained | None:
    """The finished training of this identity, or None. Damaged files are logged by name and trained again.

    Imported weights count for every identity of their cell: no training code here made them, so a change of it makes
    them no older. Raises `UserError` where they are damaged, because training would not bring them back.
    """
    note = _read_note(folder)
    if note is None:
        return None
    imported = ImportedWeights(**note["imported"]) if "imported" in note else None
    if not _is_for(note, imported, identity):
        log.info("the finished weights were made by other code or data: training starts anew")
        return None
    damage = _damage(folder, note["sha256"])
    if damage and imported:
        raise UserError(
            f"imported weights are damaged, and training would not bring them back ({imported})",
            where=folder,
            found=damage,
            fix="import the checkpoint again with --replace; to train the cell instead, delete the folder",
        )
    if damage:
        log.warning("%s: it is made again", damage)
        return None
    drop_state(folder)  # left behind by a run that died right after its note
    history = (folder / HISTORY).read_bytes()
    return Trained(folder, note["steps"], history, imported, note.get("selected"), note["identity"])


def finish(
    folder: Path,
    network: nn.Module,
    history: bytes,
    steps: int,
    identity: dict[str, str],
    *,
    imported: ImportedWeights | None = None,
    selected: dict[str, float | int] | None = None,
) -> Trained:
    """Write weights and history, then the note, then drop the resumable state that is not needed any more."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_bytes(folder / WEIGHTS, safetensors.torch.save(weights))
    write_bytes(folder / HISTORY, history)
    sha256 = {name: sha256_file(folder / name) for name in (WEIGHTS, HISTORY)}
    note: dict[str, Any] = {"identity": identity, "steps": steps, "sha256": sha256}
    note |= {"imported": asdict(imported)} if imported else {}
    note |= {"selected": selected} if selected else {}
    write_json(folder / NOTE, note)
    drop_state(folder)
    return Trained(folder, steps, history, imported, selected, identity)


def is_finished(folder: Path) -> bool:
    """Whether a training was finished in `folder`, of whatever code and data."""
    return (folder / NOTE).exists()


def differs(one: Path, other: Path) -> bool:
    """Whether two folders hold other weights of the same code and data, as training on GPUs may make them."""
    first, second = _read_note(one), _read_note(other)
    if first is None or second is None:
        return False
    return bool(first["identity"] == second["identity"] and first["sha256"] != second["sha256"])


def found_import(folder: Path) -> ImportedWeights | None:
    """Where the weights in `folder` were imported from; None where there are none, or they were trained."""
    note = _read_note(folder)
    return ImportedWeights(**note["imported"]) if note is not None and "imported" in note else None


def load_weights(network: nn.Module, folder: Path) -> None:
    """Load finished weights into `network`, strictly. A file of another network or cut short is a `UserError`."""
    path = folder / WEIGHTS
    try:
        weights: dict[str, Tensor] = safetensors.torch.load_file(path)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        first = str(error).splitlines()[:2]
        raise UserError("these weights cannot be loaded", where=path, found=" ".join(first)) from error


def _read_note(folder: Path) -> dict[str, Any] | None:
    """finished.json, if it is there and has everything this file reads of it."""
    try:
        note: dict[str, Any] = dict(read_json(folder / NOTE))
        whole = {"training_id"} <= set(note["identity"]) and {"steps"} <= set(note) and isinstance(note["sha256"], dict)
        if "imported" in note:
            ImportedWeights(**note["imported"])
    except (UserError, KeyError, TypeError, ValueError):
        return None
    return note if whole else None


def _is_for(note: dict[str, Any], imported: ImportedWeights | None, identity: dict[str, str]) -> bool:
    if imported:
        return bool(note["identity"]["training_id"] == identity["training_id"])
    # What is not asked about, a pretrained file that is no longer here, says nothing against weights made with it.
    return all(note["identity"].get(name) == value for name, value in identity.items())


def _damage(folder: Path, sha256: dict[str, str]) -> str | None:
    """The first file that is not what the note says, in words."""
    for name, expected in sha256.items():
        path = folder / name
        found = sha256_file(path) if path.exists() else "no such file"
        if found != expected:
            return f"{path} is damaged (sha256 {found}, expected {expected})"
    return None
