"""What a prepared dataset says about itself: `manifest.json`, written last, so a folder that has one is complete.

No NumPy and no torch here: the scheduler reads manifests of many datasets before it starts anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from cenbench.data.modality import UNITS_PER_METRE
from cenbench.errors import UserError
from cenbench.files import digest, read_json, write_json
from cenbench.matrix.specs import DatasetSpec, Frozen, Name, PositiveFloat, PositiveInt

MANIFEST = "manifest.json"
SPLITS = ("train", "val")
VOID = 255

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[a-z0-9_]+\.npy$")]


def _is_empty(value: tuple[Any, ...] | dict[str, str]) -> bool:
    return not value


class ModalityEntry(Frozen):
    """One array of the dataset, (N, H, W) or (N, H, W, 3)."""

    file: FileName
    dtype: Literal["uint8", "uint16"]
    shape: tuple[PositiveInt, ...]
    unit: str
    """What a stored value means, in words."""
    range: tuple[int, int]
    """Smallest and largest value that may be stored (missing values apart); `edge` and `texture` are scaled by it."""
    missing: int | None = None
    """Stored value that means 'not measured', if there is one."""
    units_per_metre: PositiveFloat = Field(UNITS_PER_METRE, exclude_if=lambda units: units == UNITS_PER_METRE)
    """Depth only: stored units in a metre."""


class FileEntry(Frozen):
    """A file's size (bytes) and SHA-256."""

    bytes: PositiveInt
    sha256: Sha256


class SourceEntry(Frozen):
    """An official file the dataset was read from, or a folder of them."""

    name: str
    """Path below the raw folder; a folder's ends in a slash."""
    bytes: int
    files: PositiveInt = 1
    sha256: Sha256
    """Of a file's bytes. Of a folder: of the sorted names and sizes of its files, which are not all read for this."""
    published: bool | None = None
    """Is it, bit for bit, the file its authors publish? None where no digest of it is known."""


class Manifest(Frozen):
    """Everything needed to read a prepared dataset and to know that it is the one asked for."""

    format: Literal[1] = 1
    name: Name
    version: PositiveInt
    spec: DatasetSpec
    size_px: tuple[PositiveInt, PositiveInt]
    """(height, width) of every image, pixels."""
    splits: dict[Literal["train", "val"], tuple[int, int]]
    """First index and one past the last of each split."""
    modalities: dict[str, ModalityEntry]
    classes: tuple[str, ...]
    void: int = VOID
    """Label of pixels that count for nothing."""
    files: dict[FileName, FileEntry]
    licence: str
    citation: str
    # Left out of the document where empty: manifests written before these existed keep their digest.
    sources: tuple[SourceEntry, ...] = Field((), exclude_if=_is_empty)
    """The official files it was read from."""
    scenes: tuple[str, ...] = Field((), exclude_if=_is_empty)
    """What the dataset itself calls its scenes, in the order they are stored."""
    excluded: dict[str, str] = Field(default_factory=dict, exclude_if=_is_empty)
    """Samples of the official lists that were left out -> why."""

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if (self.name, self.version) != (self.spec.name, self.spec.version):
            raise ValueError("name and version differ from the spec's")
        if self.size_px != self.spec.shape_px:
            raise ValueError(f"size_px {self.size_px} differs from the spec's {self.spec.shape_px}")
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"splits must be {', '.join(SPLITS)}")
        scenes = self.spec.train_scenes + self.spec.val_scenes
        lengths = {split: stop - start for split, (start, stop) in self.splits.items()}
        if lengths != {"train": self.spec.train_scenes, "val": self.spec.val_scenes}:
            raise ValueError(f"split lengths {lengths} differ from the spec's")
        if sorted(index for limits in self.splits.values() for index in range(*limits)) != list(range(scenes)):
            raise ValueError(f"splits {self.splits} do not hold every scene once")
        if self.scenes and len(self.scenes) != scenes:
            raise ValueError(f"{len(self.scenes)} names for {scenes} scenes")
        for name, entry in self.modalities.items():
            if entry.file not in self.files:
                raise ValueError(f"modality {name}: {entry.file} has no entry in files")
            if entry.shape[:3] != (scenes, *self.size_px):
                raise ValueError(f"modality {name}: shape {entry.shape} does not start with {(scenes, *self.size_px)}")
        return self


def manifest_digest(folder: Path) -> str | None:
    """Digest of the manifest's content, None where there is no manifest. Reads nothing else."""
    if not (folder / MANIFEST).is_file():
        return None
    return digest(read_json(folder / MANIFEST, fix=_fix(folder)))


def read_manifest(folder: Path) -> Manifest:
    """Read and check `folder/manifest.json`; a missing or wrong one is a `UserError` naming it."""
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(
            f"dataset {folder.name} is not prepared: it has no {MANIFEST}", where=path, fix=prepare_command(folder)
        )
    document: Any = read_json(path, fix=_fix(folder))
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"{MANIFEST} is not a manifest of this version",
            where=path,
            key=".".join(str(part) for part in first["loc"]) or None,
            found=first["msg"],
            fix=_fix(folder),
        ) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest; the last thing a preparation does."""
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))


def prepare_command(folder: Path) -> str:
    """The command that makes the dataset of `folder`."""
    return f"cenbench data prepare {folder.name.split('-')[0]} --preset PRESET (the preset you run)"


def _fix(folder: Path) -> str:
    return f"delete {folder} and run: {prepare_command(folder)}"


def damaged(problem: str, path: Path, *, key: str | None = None, found: object, expected: object) -> UserError:
    """The error of a file that is not what the manifest says."""
    return UserError(problem, where=path, key=key, found=found, expected=expected, fix=_fix(path.parent))
