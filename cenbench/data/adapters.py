"""From a dataset's name to what makes it ready."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cenbench.data.manifest import dataset_key, manifest_digest
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec

if TYPE_CHECKING:  # readers bring h5py and SciPy with them: imported when one is asked for
    from cenbench.data.official.adapter import Adapter

ADAPTERS = {
    "cityscapes": "Cityscapes",
    "nyudv2": "NYUDv2",
    "sunrgbd": "SUNRGBD",
    "taskonomy": "Taskonomy",
}
"""Name of a published dataset -> its class, in the module of that name in `cenbench.data.official`."""
OFFICIAL_FILES = {
    "nyudv2": "nyu_depth_v2_labeled.mat (2,972,037,809 bytes) and splits.mat, cs.nyu.edu/~silberman",
    "taskonomy": "omnitools.download --components taskonomy, or taskonomy-sample-model-1 (building Cauthron)",
    "sunrgbd": "SUNRGBD.zip and SUNRGBDtoolbox.zip, rgbd.cs.princeton.edu",
    "cityscapes": "leftImg8bit_trainvaltest.zip, gtFine_trainvaltest.zip, disparity_trainvaltest.zip and "
    "camera_trainvaltest.zip, cityscapes-dataset.com (login)",
}
"""Where the real datasets come from (facts 5)."""


def prepare(spec: DatasetSpec, root: Path, workers: int, progress: bool) -> Path:
    """Make `root/<dataset key>` complete and return it; one that is complete returns at once.

    `progress` asks for a bar (a terminal is watching). `UserError`: no reader for that dataset, or an unknown name.
    """
    folder = root / dataset_key(spec)
    if manifest_digest(folder) is not None:
        # Shards stay behind where a process was killed after its last write and before it removed them.
        shutil.rmtree(folder.with_name(f"{folder.name}.partial"), ignore_errors=True)
        return Prepared.open(folder).folder
    if spec.name == "synthrooms":
        # Imported here: the renderer is heavy, and only needed when there is something to render.
        from cenbench.data.synthrooms.prepare import prepare_synthrooms

        return prepare_synthrooms(spec, root, workers, progress)
    if spec.name in OFFICIAL_FILES:
        raise UserError(
            f"reading the official downloads of {spec.name} is not part of this version",
            where=folder,
            expected=f"the official files are: {OFFICIAL_FILES[spec.name]}",
            mend=f"bring the arrays and a manifest.json to {folder}, or use a preset on synthrooms (demo, study)",
        )
    raise UserError(
        "unknown dataset", key="dataset.name", found=spec.name, expected=", ".join(["synthrooms", *OFFICIAL_FILES])
    )


def find_adapter(name: str) -> Adapter:
    """The reader of a published dataset; `UserError` lists the ones there are."""
    if name not in ADAPTERS:
        raise UserError("unknown dataset", found=name, expected=", ".join(["synthrooms", *ADAPTERS]))
    module = import_module(f"cenbench.data.official.{name}")
    adapter: Adapter = getattr(module, ADAPTERS[name])()
    return adapter
