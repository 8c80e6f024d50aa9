"""Resumable state on disk. A damaged file is reported and the previous one used instead."""

from __future__ import annotations

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import torch

from cenbench.errors import UserError
from cenbench.files import Guard, room_to_write, unguarded, write_bytes
from cenbench.tensor_file import load_tensors

log = logging.getLogger("cenbench")
STATE, PREVIOUS, _FRESH = "state.pt", "state.previous.pt", "state.fresh.pt"
_MAGIC = b"cenbench state 1\n"
_DIGEST_BYTES = 64


def save_state(folder: Path, state: dict[str, Any], guard: Guard = unguarded) -> None:
    """Write tensors and plain values to `state.pt` with their sha256, keeping the previous version as
    `state.previous.pt`. If the process is killed at any instruction, one of the two is whole. `guard` is called before
    each rename.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    current, previous, fresh = folder / STATE, folder / PREVIOUS, folder / _FRESH
    write_bytes(fresh, _MAGIC + hashlib.sha256(payload).hexdigest().encode() + payload, guard)
    with room_to_write(current):  # a rename may have to enlarge the folder
        guard()
        if current.exists():
            current.replace(previous)
        guard()
        fresh.replace(current)


def load_state(folder: Path) -> dict[str, Any] | None:
    """The newest whole state, or None. Damaged files are logged by name and never used."""
    for name in (STATE, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            return _read(path)
        except UserError as error:
            log.warning("%s", error)
    return None


def has_state(folder: Path) -> bool:
    """Whether a training was begun in `folder` and not finished."""
    return any((folder / name).exists() for name in (STATE, PREVIOUS))


def drop_state(folder: Path) -> None:
    """Remove the files that only serve to resume training."""
    for name in (STATE, PREVIOUS, _FRESH):
        (folder / name).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    header = len(_MAGIC) + _DIGEST_BYTES
    payload = data[header:]
    expected = data[len(_MAGIC) : header].decode("ascii", "replace")
    found = hashlib.sha256(payload).hexdigest()
    if not data.startswith(_MAGIC) or found != expected:
        problem = "this training state is damaged (truncated or changed); training resumes from the previous one"
        raise UserError(problem, where=path, key="sha256", found=found, expected=expected)
    return dict(load_tensors(io.BytesIO(payload), path))
