"""Imports a checkpoint of the released code as a finished cell: read as weights only, loaded strictly, evaluated.

The released code writes (main.py, utils/meter.py): for segmentation `model-best.pth.tar` and `checkpoint.pth.tar`, a
dict with the state of a DataParallel network under `segmenter`, beside `epoch_start` and `best_val`; for translation
`checkpoint-gen.pkl` and `checkpoint-gen-<epoch>.pkl`, the state of the generator alone.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.files import LARGEST_WEIGHTS_BYTES, as_text
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.matrix.validation import short_repr
from cenbench.nn.network import Network
from cenbench.nn.official import load_official
from cenbench.nn.sparsity import Sparsity
from cenbench.paths import Paths
from cenbench.regular_file import Missing, Unreadable, check_size, open_regular
from cenbench.run.cell import bring_to_record
from cenbench.run.heartbeat import Heartbeat
from cenbench.run.lock import cell_lock
from cenbench.run.log import log_to_stderr
from cenbench.tensor_file import COUNTS, FLOATS, load_checked_tensors, not_plain
from cenbench.train.device import choose_device
from cenbench.train.gamma_recording import content, recorded_gammas
from cenbench.train.history import history_csv
from cenbench.train.state import has_state
from cenbench.train.task import training_of
from cenbench.train.trained import ImportedWeights, finish, found_import, is_finished

log = logging.getLogger("cenbench")

WRAPPERS = ("segmenter", "generator", "gen", "G", "state_dict", "model")
"""Keys that may hold the weights if they are not the whole file, tried in this order."""
_PARALLEL = "module."
_FIX = {
    "segmenter": "give model-best.pth.tar (or checkpoint.pth.tar), and a cell of its backbone, inputs and classes",
    "generator": "give checkpoint-gen.pkl (not checkpoint-dis.pkl), and a cell of as many inputs and the same width",
}
_SIZES: dict[str, tuple[tuple[str, tuple[object, ...]], ...]] = {
    "refinenet": (("depth", (50, 101, 152)),),
    "unet": (("encoder_norms", ("inner",)),),
}
"""Networks of the released code by head, and the settings it restricts them to."""
_PASSED_OVER = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")
"""NumPy's scalar, the type of the released `best_val`: ignored, not refused."""


def import_checkpoint(
    file: Path, cell: Cell, paths: Paths, device_name: str = "auto", *, replace: bool = False
) -> ImportedWeights:
    """Evaluate and publish the cell with the weights of `file`; nothing is trained.

    Raises `UserError` and leaves the cell unchanged if the file is not such a checkpoint, the released code has no such
    network, there is no such device, or the cell already has weights and `replace` is not given.
    """
    log_to_stderr()
    choose_device(device_name)  # before weights are replaced
    check_released(cell)
    prepared = Prepared.open(paths.data / dataset_key(cell.dataset))
    source, checkpoint = read_checkpoint(file)
    network = _network(cell, len(prepared.classes), checkpoint, file)
    folder = paths.state(cell)
    with cell_lock(folder) as lock, Heartbeat(folder, cell.id, is_held=lock.is_held) as heartbeat:
        if not replace:
            _check_nothing_is_lost(folder, source)
        identity, history = {"training_id": cell.training_id}, history_csv(["step"], [])
        gammas = content(recorded_gammas(cell, network, Sparsity(network, cell.l1)))
        finish(folder, network, history, 0, identity, gammas=gammas, imported=source, guard=lock.check)
        log.info("cell %s: imported %s", cell.id, source)
        _warn_of_running_statistics(cell)
        bring_to_record(cell, paths, device_name, heartbeat, lock)
    return source


def check_released(cell: Cell) -> None:
    """`UserError` unless the released code can build the cell's network."""
    network, protocol = cell.network, cell.protocol
    required: list[tuple[str, object, tuple[object, ...]]] = [
        ("fusion", cell.fusion, ("exchange", "none", "uni-modal")),
        ("stage", cell.stage, ("all",)),
        ("convs", cell.convs, ("shared",)),
        ("norms", cell.norms, ("unshared",)),
        ("network.head", network.head, tuple(_SIZES)),
        ("protocol.exchange_own_part_only", protocol.exchange_own_part_only, (False,)),
    ]
    required += [(f"network.{name}", getattr(network, name), values) for name, values in _SIZES.get(network.head, ())]
    for key, found, allowed in required:
        if found not in allowed:
            raise UserError(
                f"the released code has no such network, so none of its checkpoints fits cell {cell.id}",
                key=key,
                found=found,
                expected=" or ".join(map(str, allowed)),
            )


def _warn_of_running_statistics(cell: Cell) -> None:
    if cell.evaluation.lacks("instance_statistics_at_test"):
        log.warning(
            "this cell is evaluated with running statistics; the released code, and so its numbers, uses each image's "
            "own, as a preset with evaluation instance_statistics_at_test: true does"
        )


def read_checkpoint(path: Path) -> tuple[ImportedWeights, object]:
    """The file's name and digest, and its content: tensors and plain values. Nothing else is ever unpickled.

    Raises `UserError` for a file that cannot be read, is truncated, or holds any other type, naming the type.
    """
    try:
        with open_regular(path) as file:
            check_size(file, path, LARGEST_WEIGHTS_BYTES)
            name = as_text(path.name)
            source = ImportedWeights(name, hashlib.file_digest(file, "sha256").hexdigest())
            file.seek(0)
            return source, load_checked_tensors(file, path, ignored=_PASSED_OVER)
    except (Missing, Unreadable) as error:
        found = error.found or error.problem
        raise UserError("the checkpoint cannot be read", where=path, found=found, fix=error.fix) from error


def _network(cell: Cell, classes: int, checkpoint: object, path: Path) -> Network:
    """The cell's network with the checkpoint's weights."""
    training = training_of(cell)
    network, kind = training.build(cell, classes), training.OFFICIAL
    try:
        load_official(network, _weights(checkpoint), kind)
    except UserError as error:
        raise UserError(
            error.problem, where=path, key=error.key, found=error.found, expected=error.expected, fix=_FIX[kind]
        ) from error
    return network


def _weights(content: object) -> dict[str, Tensor]:
    """The state dict in the checkpoint, without prefixes to its names."""
    if not isinstance(content, Mapping):
        raise UserError("this file does not hold named weights", found=type(content).__name__, expected="a dict")
    state: Mapping[object, object] = content
    for wrapper in WRAPPERS:
        inner = content.get(wrapper)
        if isinstance(inner, Mapping):
            state = inner
            break
    parallel = bool(state) and all(isinstance(name, str) and name.startswith(_PARALLEL) for name in state)
    return {_name(name, parallel): _tensor(name, value) for name, value in state.items()}


def _name(name: object, parallel: bool) -> str:
    if not isinstance(name, str) or not name.isprintable():
        raise UserError("the key of a weight is not a name", key=short_repr(name), expected="text")
    return name.removeprefix(_PARALLEL) if parallel else name


def _tensor(name: object, value: object) -> Tensor:
    """`value`, if it is a plain tensor of finite numbers stored in the file."""
    if not isinstance(value, Tensor):
        expected = f"a tensor, or the weights under one of: {', '.join(WRAPPERS)}"
        raise UserError("not a state dict", key=short_repr(name), found=type(value).__name__, expected=expected)
    counter = str(name).endswith("num_batches_tracked")
    kind = not_plain(value)
    if kind is not None or value.dtype not in (COUNTS if counter else FLOATS):
        found = kind or str(value.dtype)
        raise UserError("not a tensor of weights", key=short_repr(name), found=found, expected="floating-point numbers")
    if not bool(value.isfinite().all()):
        raise UserError("these weights are not finite", key=short_repr(name), found="NaN or an infinite value")
    return value.detach()


def _check_nothing_is_lost(folder: Path, source: ImportedWeights) -> None:
    """`UserError` if the import would overwrite a training or another import."""
    before = found_import(folder)
    if before is not None and before.sha256 == source.sha256:
        return
    if before is not None:
        found = f"weights imported from {before}"
    elif is_finished(folder):
        found = "a finished training"
    elif has_state(folder):
        found = "a training under way"
    else:
        return
    raise UserError(
        "this cell already has weights; nothing was changed",
        where=folder,
        found=found,
        fix="add --replace to replace them with the checkpoint's",
    )
