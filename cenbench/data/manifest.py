"""`manifest.json` describes a prepared dataset. It is written last, so a folder that has one is complete.

This module imports neither NumPy nor torch: the scheduler reads the manifests of many datasets at its start.
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, ValidationError, model_validator

from cenbench.data.modality import UNITS_PER_METRE
from cenbench.data.reading import file_system_errors
from cenbench.errors import UserError
from cenbench.files import digest, read_json, write_json
from cenbench.matrix.specs import DatasetSpec, Frozen, Name, PositiveFloat, PositiveInt, dataset_key
from cenbench.regular_file import Missing, Unreadable, is_file

MANIFEST = "manifest.json"
VOID = 255

Split = Literal["train", "val", "tune", "pretrain"]
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
    """Meaning of a stored value, in words."""
    range: tuple[int, int]
    """Smallest and largest value that may be stored, apart from `missing`; `edge` and `texture` are scaled by it."""
    missing: int | None = None
    """Stored value for 'not measured', if there is one."""
    units_per_metre: PositiveFloat = Field(UNITS_PER_METRE, exclude_if=lambda units: units == UNITS_PER_METRE)
    """Depth only: stored units per metre."""


class FileEntry(Frozen):
    """A file's size (bytes) and SHA-256."""

    bytes: PositiveInt
    sha256: Sha256


class SourceEntry(Frozen):
    """An official file that the dataset was read from, or a folder of them."""

    name: str
    """Path relative to the raw folder; that of a folder ends in a slash."""
    bytes: int
    files: PositiveInt = 1
    sha256: Sha256
    """For a file: digest of its bytes. For a folder: digest of the sorted names and sizes of its files."""
    published: bool | None = None
    """Whether it is bit for bit the file its authors publish; None if no published digest is known."""


class Manifest(Frozen):
    """Everything needed to read a prepared dataset and to tell it from any other."""

    format: Literal[1] = 1
    name: Name
    version: PositiveInt
    spec: DatasetSpec
    size_px: tuple[PositiveInt, PositiveInt]
    """(height, width) of every image, pixels."""
    splits: dict[Split, tuple[int, int]]
    """First index, and one past the last, of each split."""
    modalities: dict[str, ModalityEntry]
    classes: tuple[str, ...]
    void: int = VOID
    """Label of pixels that are neither trained on nor scored."""
    files: dict[FileName, FileEntry]
    licence: str
    citation: str
    # Left out of the file if empty, so that manifests written before these fields existed keep their digest.
    sources: tuple[SourceEntry, ...] = Field((), exclude_if=_is_empty)
    """The official files that the dataset was read from."""
    scenes: tuple[str, ...] = Field((), exclude_if=_is_empty)
    """The dataset's own names of its scenes, in stored order."""
    excluded: dict[str, str] = Field(default_factory=dict, exclude_if=_is_empty)
    """Samples of the official lists that were left out -> reason."""
    notes: tuple[str, ...] = Field((), exclude_if=_is_empty)
    """What a reader of its numbers should know of how it was read, in words."""

    @property
    def digest(self) -> str:
        """SHA-256 of the content: features and records are bound to it."""
        return digest(self.model_dump(mode="json"))

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if (self.name, self.version) != (self.spec.name, self.spec.version):
            raise ValueError("name and version differ from the spec's")
        if self.size_px != self.spec.shape_px:
            raise ValueError(f"size_px {self.size_px} differs from the spec's {self.spec.shape_px}")
        scenes, expected = self.spec.scenes, self.spec.split_sizes
        if set(self.splits) != set(expected):
            raise ValueError(f"splits must be {', '.join(expected)}")
        lengths = {split: stop - start for split, (start, stop) in self.splits.items()}
        if lengths != expected:
            raise ValueError(f"split lengths {lengths} differ from the spec's")
        if not _follow_each_other(sorted(self.splits.values()), scenes):
            raise ValueError(f"splits {self.splits} do not hold every scene once")
        if self.scenes and len(self.scenes) != scenes:
            raise ValueError(f"{len(self.scenes)} names for {scenes} scenes")
        for name, entry in self.modalities.items():
            if entry.file not in self.files:
                raise ValueError(f"modality {name}: {entry.file} has no entry in files")
            if entry.shape[:3] != (scenes, *self.size_px):
                raise ValueError(f"modality {name}: shape {entry.shape} does not start with {(scenes, *self.size_px)}")
        return self


def _follow_each_other(limits: list[tuple[int, int]], scenes: int) -> bool:
    """Whether the ranges hold every scene once. They are not expanded: a damaged file may declare any number."""
    starts, stops = [start for start, _ in limits], [stop for _, stop in limits]
    return [*starts, scenes] == [0, *stops]


def split_limits(spec: DatasetSpec) -> dict[Split, tuple[int, int]]:
    """First index, and one past the last, of each split of this dataset."""
    sizes = spec.split_sizes
    stops = accumulate(sizes.values())
    return {cast("Split", split): (stop - size, stop) for (split, size), stop in zip(sizes.items(), stops, strict=True)}


def is_prepared(folder: Path) -> bool:
    """Whether `folder` holds a dataset that was prepared to its end."""
    return is_file(folder / MANIFEST)


def manifest_digest(folder: Path) -> str | None:
    """Digest of the manifest's content, or None if there is no manifest. Reads no other file; raises as
    `read_manifest` does.
    """
    return read_manifest(folder).digest if is_prepared(folder) else None


def read_manifest(folder: Path) -> Manifest:
    """Read and validate `folder/manifest.json`.

    Raises `UserError` if it is missing, `Damaged` if it is invalid, and `OtherDataset` if it describes another dataset
    than the one that the folder is named after.
    """
    path = folder / MANIFEST
    with file_system_errors(path):
        prepared = path.is_file()
    if not prepared:
        raise UserError(
            f"dataset {folder.name} is not prepared: {MANIFEST} is missing", where=path, fix=prepare_command(folder)
        )
    document = _read_document(folder)
    try:
        manifest = Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise Damaged(
            f"{MANIFEST} is not a manifest of this version",
            where=path,
            key=".".join(str(part) for part in first["loc"]) or None,
            found=first["msg"],
            fix=_fix(folder),
        ) from error
    if (found := dataset_key(manifest.spec)) != folder.name:
        raise OtherDataset(
            f"{MANIFEST} describes another dataset, {found}",
            where=path,
            key="spec",
            found=found,
            expected=folder.name,
            fix=f"rename the folder back; or move it away and run: {prepare_command(folder)}",
        )
    return manifest


def _read_document(folder: Path) -> Any:
    """The manifest's JSON; `Unreadable` if the file system does not give it, `Damaged` if it is not JSON."""
    try:
        return read_json(folder / MANIFEST)
    except (Missing, Unreadable):
        raise
    except UserError as error:
        raise Damaged(error.problem, where=error.where, found=error.found, fix=_fix(folder)) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, as the last step of a preparation."""
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))


def prepare_command(folder: Path) -> str:
    """The command that prepares the dataset in `folder`."""
    return f"cenbench data prepare {folder.name.split('-')[0]} --preset PRESET (the preset you run)"


def _fix(folder: Path) -> str:
    return f"delete {folder} and run: {prepare_command(folder)}"


class Damaged(UserError):
    """A file of a prepared dataset is not what its manifest declares, or the manifest is not one."""


class OtherDataset(UserError):
    """A folder was copied or renamed: its manifest describes another dataset than the folder's name."""


def damaged(problem: str, path: Path, *, key: str | None = None, found: object, expected: object) -> Damaged:
    """The error for a file that differs from what the manifest declares."""
    return Damaged(problem, where=path, key=key, found=found, expected=expected, fix=_fix(path.parent))
