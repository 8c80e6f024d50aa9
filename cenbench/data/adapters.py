"""From a dataset's name to what makes it ready."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cenbench.data.manifest import manifest_digest
from cenbench.data.prepared import Prepared
from cenbench.data.shards import remove_shards
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec, dataset_key

if TYPE_CHECKING:  # readers bring h5py and SciPy with them: imported when one is asked for
    from cenbench.data.official.adapter import Adapter

ADAPTERS = {
    "cityscapes": "Cityscapes",
    "nyudv2": "NYUDv2",
    "sunrgbd": "SUNRGBD",
    "taskonomy": "Taskonomy",
}
"""Name of a published dataset -> its class, in the module of that name in `cenbench.data.official`."""


def prepare(spec: DatasetSpec, root: Path, workers: int, progress: bool, raw: Path | None = None) -> Path:
    """Make `root/<dataset key>` complete and return it; one that is complete, and its raw files as they were, at once.

    `progress` asks for a bar (a terminal is watching); `raw` is the folder of a published dataset's official files.
    `UserError`: what is wrong with the raw folder, or an unknown name.
    """
    folder = root / dataset_key(spec)
    complete = manifest_digest(folder) is not None
    if complete:
        Prepared.open(folder)
    if spec.name != "synthrooms":
        from cenbench.data.official.prepare import prepare_official

        return prepare_official(find_adapter(spec.name), spec, root, workers, progress, raw)
    if raw is not None:
        raise UserError("synthrooms is rendered, not read", key="--raw", found=raw, fix="leave out --raw")
    if complete:
        remove_shards(folder)
        return folder
    # Imported here: the renderer is heavy, and only needed when there is something to render.
    from cenbench.data.synthrooms.prepare import prepare_synthrooms

    return prepare_synthrooms(spec, root, workers, progress)


def find_adapter(name: str) -> Adapter:
    """The reader of a published dataset; `UserError` lists the ones there are."""
    if name not in ADAPTERS:
        raise UserError(
            "unknown dataset", key="dataset.name", found=name, expected=", ".join(["synthrooms", *ADAPTERS])
        )
    module = import_module(f"cenbench.data.official.{name}")
    adapter: Adapter = getattr(module, ADAPTERS[name])()
    return adapter
