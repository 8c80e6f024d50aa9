"""Prepare a dataset by name: render it, or read its official files with its adapter."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cenbench.data.manifest import is_prepared
from cenbench.data.prepared import Prepared
from cenbench.data.reading import file_system_errors
from cenbench.data.shards import remove_shards
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec, dataset_key

if TYPE_CHECKING:  # adapters import h5py and SciPy, so they are imported on demand
    from cenbench.data.official.adapter import Adapter

ADAPTERS = {
    "cityscapes": "Cityscapes",
    "nyudv2": "NYUDv2",
    "sunrgbd": "SUNRGBD",
    "taskonomy": "Taskonomy",
}
"""Name of a published dataset -> its adapter class, in the module of that name in `cenbench.data.official`."""


def prepare(spec: DatasetSpec, root: Path, workers: int, progress: bool, raw: Path | None = None) -> Path:
    """Prepare `root/<dataset key>` and return it; returns at once if it is complete and its raw files are unchanged.

    `progress` shows a progress bar (stderr is a terminal); `raw` is the folder with a published dataset's official
    files. Raises `UserError` for an unknown name, for whatever is wrong with the raw folder, and for
    every error of the file system.
    """
    folder = root / dataset_key(spec)
    with file_system_errors(folder):
        return _prepare(spec, folder, workers, progress, raw)


def _prepare(spec: DatasetSpec, folder: Path, workers: int, progress: bool, raw: Path | None) -> Path:
    root = folder.parent
    complete = is_prepared(folder)
    if complete:
        Prepared.open(folder)
    if spec.name != "synthrooms":
        from cenbench.data.official.prepare import prepare_official

        return prepare_official(find_adapter(spec.name), spec, root, workers, progress, raw)
    if raw is not None:
        raise UserError("synthrooms is rendered and has no raw files", key="--raw", found=raw, fix="leave out --raw")
    if complete:
        remove_shards(folder)
        return folder
    # Imported here because the renderer is slow to import and rarely needed.
    from cenbench.data.synthrooms.prepare import prepare_synthrooms

    return prepare_synthrooms(spec, root, workers, progress)


def find_adapter(name: str) -> Adapter:
    """The adapter of a published dataset; `UserError` lists the known names."""
    if name not in ADAPTERS:
        raise UserError(
            "unknown dataset", key="dataset.name", found=name, expected=", ".join(["synthrooms", *ADAPTERS])
        )
    module = import_module(f"cenbench.data.official.{name}")
    adapter: Adapter = getattr(module, ADAPTERS[name])()
    return adapter
