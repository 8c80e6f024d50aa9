"""Adds a pretrained file to weights/: identified by SHA-256, read as weights only, every key and shape checked."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cenbench.errors import UserError
from cenbench.files import LARGEST_WEIGHTS_BYTES, atomic_path, check_text, sha256_file, write_json
from cenbench.matrix.validation import spelling_hint
from cenbench.metrics.inputs.torchvision_shim import import_torchvision
from cenbench.pretrained.catalog import ASSETS, EMBEDDED, INCEPTION_FILE, Asset
from cenbench.pretrained.state_dicts import StateDict, is_safetensors, names_in, read_entries, read_state_dicts
from cenbench.pretrained.used import own_note
from cenbench.regular_file import Missing, Unreadable
from cenbench.tensor_file import COUNTS, FLOATS, not_plain

_COUNTER = ".num_batches_tracked"
_VARIANCE = ".running_var"
_UNUSED = ("fc.",)
"""The classifier is not used: the user's own weights may have other classes."""
_ANCHORS = {False: ("conv1.weight", "layer1.0.conv1.weight"), True: ("Conv2d_1a_3x3.conv.weight",)}
"""Names by which the weights of a ResNet, or of Inception, are found in a file."""


@dataclass(frozen=True)
class Placed:
    """Where the file is now. `already`: the same bytes were in place before."""

    asset: Asset
    path: Path
    sha256: str
    own: str | None
    already: bool
    taken: StateDict | None = None
    """What was taken out of a file that holds more, or is in another format; None if the file was copied as it is."""


def find_asset(name: str) -> Asset:
    """The file of that name; otherwise a `UserError` that lists the names."""
    if name == EMBEDDED:
        problem = "this network is trained here, by a cell of the preset; it is not added"
        raise UserError(problem, found=name, fix="cenbench weights list shows its cell")
    if name not in ASSETS:
        raise UserError("unknown weights", found=name, expected=", ".join(ASSETS), fix=spelling_hint(name, ASSETS))
    return ASSETS[name]


def add_weights(
    name: str, source: Path, weights: Path, *, own: str | None = None, replace: bool = False, key: str | None = None
) -> Placed:
    """Check `source` and put its weights into `weights`; nothing changes unless every check passes.

    `own` describes a file that is not the published one; results are labelled with it. Weights under the wrappers of a
    training script, and safetensors, are written as a plain file; `key` chooses among several in one file.

    Raises `UserError` for a file that is not the published one (without `own`), holds more than weights, is truncated,
    belongs to another network or holds several sets of weights (without `key`), and if other weights of that name are
    in place (without `replace`).
    """
    asset = find_asset(name)
    try:
        sha256 = sha256_file(source, LARGEST_WEIGHTS_BYTES)
    except Missing:
        fix = f"{asset.file} is published at {asset.url}"
        raise UserError("no such file", where=source, fix=fix) from None
    check_text(own or "", "--own")
    _check_identity(asset, source, sha256, own)
    with tempfile.TemporaryDirectory() as folder:
        found = find_weights(asset, source, key)
        plain = source if _is_plain(found, source) else _written(found, Path(folder) / asset.file)
        if asset.file == INCEPTION_FILE:
            _check_inception(plain)
        if plain != source:
            sha256 = sha256_file(plain)
        path = weights / asset.file
        present = _present(path)
        already = present == sha256
        if present is not None and not already and not replace:
            raise UserError(
                "other weights of that name are in place; nothing was changed",
                where=path,
                found=f"sha256 {present}",
                expected=f"sha256 {sha256}",
                fix="add --replace to replace them: cells that used them become stale",
            )
        if not already:
            _copy(plain, path, sha256)
    if asset.is_published(sha256):
        own_note(path).unlink(missing_ok=True)
    else:
        write_json(own_note(path), {"sha256": sha256, "what": own})
    taken = None if plain == source else found
    return Placed(asset, path, sha256, None if asset.is_published(sha256) else own, already, taken)


def find_weights(asset: Asset, source: Path, key: str | None = None) -> StateDict:
    """The one set of weights in `source` that fits the network, or that `key` names; its names, shapes and values are
    checked. `UserError` if there is none, or several.
    """
    found = read_state_dicts(source, _ANCHORS[asset.file == INCEPTION_FILE])
    if key is not None:
        chosen = [one for one in found if one.key == key.removesuffix(".")]
        if not chosen:
            keys = ", ".join(repr(one.key) for one in found)
            raise UserError(
                f"no weights of this network under {key!r}", where=source, key="--key", found=keys or "none"
            )
        found = chosen
    if not found:
        if asset.file == INCEPTION_FILE:
            _check_inception(source)
        raise UserError(
            f"no weights of {asset.name} in torchvision's layout",
            where=source,
            found=names_in(read_entries(source)) or "no names",
            expected=f"the names {', '.join(_ANCHORS[asset.file == INCEPTION_FILE])}, below one prefix or none",
        )
    problems = [_problem(asset, one, source) for one in found]
    fitting = [one for one, problem in zip(found, problems, strict=True) if problem is None]
    if len(fitting) == 1:
        return fitting[0]
    if len(found) == 1 and problems[0] is not None:
        raise problems[0]
    lines = [
        f"{one.key or '(no prefix)'}: {'fits' if problem is None else f'{problem.key} {problem.found}'}"
        for one, problem in zip(found, problems, strict=True)
    ]
    raise UserError(
        f"{len(fitting)} sets of weights in this file fit {asset.name}" if fitting else "none of its weights fits",
        where=source,
        found="\n    ".join(["", *lines]),
        expected="one",
        fix=f"choose one, for example: --key {(fitting or found)[-1].key}",
    )


def _present(path: Path) -> str | None:
    """SHA-256 of what is at `path`, or a word for a file that cannot be weights; None if nothing is there."""
    if not path.exists():
        return None
    try:
        return sha256_file(path, LARGEST_WEIGHTS_BYTES)
    except Unreadable:
        raise
    except UserError as error:
        return f"unknown ({error.problem})"


def _check_identity(asset: Asset, source: Path, sha256: str, own: str | None) -> None:
    if own is not None and not own.strip():
        raise UserError("weights of your own must be described", key="--own", found=repr(own))
    if asset.is_published(sha256) and own is not None:
        raise UserError("this is the published file", where=source, key="--own", found=own, fix="leave out --own")
    if not asset.is_published(sha256) and own is None:
        whole = len(asset.sha256) == 64
        raise UserError(
            f"not the published {asset.file}",
            where=source,
            key="sha256",
            found=sha256,
            expected=asset.sha256 if whole else f"{asset.sha256}... (the digits in its name)",
            fix=f"download {asset.url} again; or, for weights of your own: add --own 'DESCRIPTION'",
        )


def _problem(asset: Asset, found: StateDict, source: Path) -> UserError | None:
    """The first thing that is wrong with these weights; None if they fit."""
    try:
        tensors = _tensors(found, source)
        if asset.file != INCEPTION_FILE:
            shapes = {name: tuple(value.shape) for name, value in tensors.items()}
            _check_shapes(_resnet_shapes(asset.name), shapes, source)
        _check_values(tensors, source)
    except UserError as error:
        return error
    return None


def _tensors(found: StateDict, source: Path) -> dict[str, Tensor]:
    tensors = {}
    for name, value in found.weights.items():
        if not isinstance(value, Tensor):
            raise UserError(
                "not a state dict",
                where=source,
                key=found.prefix + name,
                found=type(value).__name__,
                expected="a tensor",
            )
        if (kind := not_plain(value)) is not None:
            raise UserError("these weights are not plain tensors", where=source, key=found.prefix + name, found=kind)
        tensors[name] = value
    return tensors


def _check_inception(plain: Path) -> None:
    from cenbench.metrics.inputs.inception import read_inception

    _check_values(read_inception(plain).state_dict(), plain)


def _is_plain(found: StateDict, source: Path) -> bool:
    return not found.prefix and not found.nested and not is_safetensors(source)


def _written(found: StateDict, path: Path) -> Path:
    """The weights as a plain file, as torchvision publishes them: contiguous, each with storage of its own."""
    torch.save({name: value.clone() for name, value in _tensors(found, path).items()}, path)
    return path


def _resnet_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Every key of torchvision's network and its shape, without allocating memory."""
    import_torchvision()
    from torchvision import models

    with torch.device("meta"):
        network = getattr(models, name)(weights=None)
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def _check_shapes(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], source: Path) -> None:
    # Files from torchvision's first years, such as the published ones, have no counters.
    needed = {key for key in expected if not key.endswith(_COUNTER) and not key.startswith(_UNUSED)}
    checked = {key for key in found if not key.startswith(_UNUSED)}
    problem = "not weights of this network in torchvision's layout"
    for key in sorted(needed - checked):
        more = len(needed - checked) - 1
        raise UserError(
            problem, where=source, key=key, found=f"no such key (nor {more} others)" if more else "no such key"
        )
    for key in sorted(checked - expected.keys()):
        raise UserError(problem, where=source, key=key, found="a key that the network does not have")
    for key in sorted(checked):
        if found[key] != expected[key]:
            raise UserError(problem, where=source, key=key, found=found[key], expected=expected[key])


def _check_values(state: dict[str, Tensor], source: Path) -> None:
    """Refuse what would be loaded as other numbers than were trained (complex, NaN), or cannot be at all."""
    for key, value in state.items():
        allowed = COUNTS if key.endswith(_COUNTER) else FLOATS
        if value.dtype not in allowed:
            expected = ", ".join(str(dtype).removeprefix("torch.") for dtype in allowed)
            found = str(value.dtype).removeprefix("torch.")
            numbers = "numbers of batches" if allowed == COUNTS else "floating-point numbers"
            raise UserError(f"these weights are not {numbers}", where=source, key=key, found=found, expected=expected)
        if not bool(value.float().isfinite().all()):  # in the precision that they are loaded in
            raise UserError("these weights are not finite", where=source, key=key, found="infinity or NaN")
        if key.endswith(_VARIANCE) and bool((value < 0).any()):
            raise UserError("a variance is negative", where=source, key=key, found=float(value.min()))


def _copy(source: Path, path: Path, sha256: str) -> None:
    with atomic_path(path) as temporary:
        shutil.copyfile(source, temporary)
        if sha256_file(temporary) != sha256:
            raise UserError("the file changed while it was copied", where=source, fix="rerun the command")
