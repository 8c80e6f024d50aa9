"""What a finished training leaves: weights, history, and a note that both are whole. The note comes last."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cenbench.errors import UserError
from cenbench.files import read_json, sha256_file, write_bytes, write_json
from cenbench.train.state import drop_state

log = logging.getLogger("cenbench")


@dataclass(frozen=True)
class Trained:
    """A finished training in its state folder."""

    folder: Path
    steps: int
    history: bytes


def find_finished(folder: Path, identity: dict[str, str]) -> Trained | None:
    """The finished training of this identity, or None. Damaged files are logged by name and trained again."""
    try:
        note = read_json(folder / "finished.json")
        same = note["identity"] == identity
    except (UserError, KeyError, TypeError):
        return None
    if not same:
        log.info("the finished weights were made by other code or data: training starts anew")
        return None
    for name, expected in note["sha256"].items():
        path = folder / name
        found = sha256_file(path) if path.exists() else "no such file"
        if found != expected:
            log.warning("%s is damaged (sha256 %s, expected %s): it is made again", path, found, expected)
            return None
    drop_state(folder)  # left behind by a run that died right after its note
    return Trained(folder, note["steps"], (folder / "history.csv").read_bytes())


def finish(folder: Path, network: nn.Module, history: bytes, steps: int, identity: dict[str, str]) -> Trained:
    """Write weights and history, then the note, then drop the resumable state that is not needed any more."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_bytes(folder / "weights.safetensors", safetensors.torch.save(weights))
    write_bytes(folder / "history.csv", history)
    names = ("weights.safetensors", "history.csv")
    sha256 = {name: sha256_file(folder / name) for name in names}
    write_json(folder / "finished.json", {"identity": identity, "steps": steps, "sha256": sha256})
    drop_state(folder)
    return Trained(folder, steps, history)


def load_weights(network: nn.Module, folder: Path) -> None:
    """Load finished weights into `network`, strictly. A file of another network or cut short is a `UserError`."""
    path = folder / "weights.safetensors"
    try:
        weights: dict[str, Tensor] = safetensors.torch.load_file(path)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        first = str(error).splitlines()[:2]
        raise UserError("these weights cannot be loaded", where=path, found=" ".join(first)) from error
