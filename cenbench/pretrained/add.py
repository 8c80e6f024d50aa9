"""Adds a pretrained file to weights/: identified by SHA-256, read as weights only, every key and shape checked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cenbench.errors import UserError
from cenbench.files import atomic_path, sha256_file, write_json
from cenbench.matrix.validation import spelling_hint
from cenbench.metrics.inputs.torchvision_shim import import_torchvision
from cenbench.pretrained.catalog import ASSETS, INCEPTION_FILE, Asset
from cenbench.pretrained.used import own_note
from cenbench.tensor_file import load_tensors

_COUNTER = ".num_batches_tracked"
_UNUSED = ("fc.",)
"""The classifier is not used: the user's own weights may have other classes."""


@dataclass(frozen=True)
class Placed:
    """Where the file is now. `already`: the same bytes were in place before."""

    asset: Asset
    path: Path
    sha256: str
    own: str | None
    already: bool


def find_asset(name: str) -> Asset:
    """The file of that name; otherwise a `UserError` that lists the names."""
    if name not in ASSETS:
        raise UserError("unknown weights", found=name, expected=", ".join(ASSETS), fix=spelling_hint(name, ASSETS))
    return ASSETS[name]


def add_weights(name: str, source: Path, weights: Path, *, own: str | None = None, replace: bool = False) -> Placed:
    """Check `source` and copy it into `weights`; nothing changes unless every check passes.

    `own` describes a file that is not the published one; results are labelled with it. Raises `UserError` for a file
    that is not the published one (without `own`), holds more than weights, is truncated or belongs to another network,
    and if other weights of that name are in place (without `replace`).
    """
    asset = find_asset(name)
    if not source.is_file():
        raise UserError("no such file", where=source, fix=f"{asset.file} is published at {asset.url}")
    sha256 = sha256_file(source)
    published = asset.is_published(sha256)
    _check_identity(asset, source, sha256, own)
    check_layout(asset, source)
    path = weights / asset.file
    already = path.exists() and sha256_file(path) == sha256
    if path.exists() and not already and not replace:
        raise UserError(
            "other weights of that name are in place; nothing was changed",
            where=path,
            found=f"sha256 {sha256_file(path)}",
            expected=f"sha256 {sha256}",
            fix="add --replace to replace them: cells that used them become stale",
        )
    if not already:
        _copy(source, path, sha256)
    if published:
        own_note(path).unlink(missing_ok=True)
    else:
        write_json(own_note(path), {"sha256": sha256, "what": own})
    return Placed(asset, path, sha256, None if published else own, already)


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


def check_layout(asset: Asset, source: Path) -> None:
    """`UserError` if `source` holds more than weights, is truncated, has other keys or shapes, or is not finite."""
    if asset.file == INCEPTION_FILE:
        from cenbench.metrics.inputs.extractors import read_inception

        _check_finite(read_inception(source).state_dict(), source)
        return
    with source.open("rb") as file:
        state = load_tensors(file, source)
    found = {} if not isinstance(state, dict) else {str(key): value for key, value in state.items()}
    if not all(isinstance(value, Tensor) for value in found.values()) or not found:
        raise UserError(
            "not a state dict", where=source, found=type(state).__name__, expected="a dict of names and tensors"
        )
    _check_shapes(_resnet_shapes(asset.name), {key: tuple(value.shape) for key, value in found.items()}, source)
    _check_finite(found, source)


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


def _check_finite(state: dict[str, Tensor], source: Path) -> None:
    for key, value in state.items():
        if not bool(value.isfinite().all()):
            raise UserError("these weights are not finite", where=source, key=key, found="infinity or NaN")


def _copy(source: Path, path: Path, sha256: str) -> None:
    with atomic_path(path) as temporary:
        shutil.copyfile(source, temporary)
        if sha256_file(temporary) != sha256:
            raise UserError("the file changed while it was copied", where=source, fix="rerun the command")
