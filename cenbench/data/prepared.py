"""A prepared dataset on disk: opened cheaply, checked against its manifest, read through memory maps. No torch."""

from __future__ import annotations

import tokenize
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cenbench.data.manifest import MANIFEST, Manifest, ModalityEntry, damaged, read_manifest
from cenbench.data.reading import file_system_errors
from cenbench.errors import UserError
from cenbench.files import sha256_file
from cenbench.sha256_cache import file_state

if TYPE_CHECKING:  # the scheduler imports this module, so NumPy is imported only where an array is opened
    import numpy as np


class Prepared:
    """Arrays of one prepared dataset, memory-mapped read-only.

    Modalities: `rgb` u8 (N,H,W,3); `depth_euclidean` and `depth_zbuffer` u16 (N,H,W) in units of 1/`units_per_metre` m,
    0 = missing; `normal` u8 (N,H,W,3), centred at 127.5, camera axes; `shade` u8, `texture` u16, `edge` u16 and
    `semantic` u8 (N,H,W).
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.digest = manifest.digest
        self._arrays: dict[str, np.ndarray] = {}
        # Taken before any byte is read, so that every later change shows.
        self._untouched = {name: _touched(folder / name) for name in (MANIFEST, *manifest.files)}

    @classmethod
    def open(cls, folder: Path) -> Prepared:
        """Read the manifest and check every file's existence, size, dtype and shape, but not its bytes.

        Raises `UserError` if the dataset is not prepared, `OtherDataset` if the folder holds another one, `Damaged`
        naming a file that is missing, truncated or different, and `Unreadable` for one that the file system does not
        give.
        """
        folder = Path(folder)
        prepared = cls(folder, read_manifest(folder))
        for name, entry in prepared.manifest.files.items():
            path = folder / name
            with file_system_errors(path):
                size = path.stat().st_size if path.is_file() else None
            if size is None:
                raise damaged(f"{name} is missing", path, found="no such file", expected=f"{entry.bytes} bytes")
            if size != entry.bytes:
                cut = "truncated" if size < entry.bytes else "longer than declared"
                raise damaged(f"{name} is {cut}", path, found=f"{size} bytes", expected=f"{entry.bytes} bytes")
        for modality in prepared.manifest.modalities:
            prepared.array(modality)
        return prepared

    def verify(self, sha256_of: Callable[[Path], str] = sha256_file) -> None:
        """Read every byte; raises `UserError` naming a file whose SHA-256 differs from the manifest's."""
        for name, entry in self.manifest.files.items():
            with file_system_errors(self.folder / name):
                found = sha256_of(self.folder / name)
            if found != entry.sha256:
                raise damaged(f"{name} has changed since it was written", self.folder / name, key="sha256",
                              found=found, expected=entry.sha256)  # fmt: skip

    def check_untouched(self) -> None:
        """`UserError` if a file changed since the dataset was opened: arrays are mapped, so readers saw the change.

        A new ctime alone (chmod, a hard link for a backup) is no change if the file still has its SHA-256.
        """
        for name, before in self._untouched.items():
            path = self.folder / name
            now = _touched(path)
            if now == before:
                continue
            only_ctime = before is not None and now is not None and now[:-1] == before[:-1]
            if only_ctime and (name == MANIFEST or sha256_file(path) == self.manifest.files[name].sha256):
                self._untouched[name] = now
                continue
            raise UserError(
                "the dataset changed while it was in use; nothing made from it since is kept",
                where=path,
                found="no such file" if now is None else "another inode, size or time of change",
                expected="no change between the start of a run and its end",
                fix="rerun the same command: it checks the dataset, and resumes from the last state saved before",
            )

    def array(self, modality: str) -> np.ndarray:
        """(N, H, W) or (N, H, W, 3), memory-mapped and read-only; `UserError` for a modality the dataset lacks."""
        if modality not in self._arrays:
            self._arrays[modality] = self._map(self._entry(modality))
        return self._arrays[modality]

    def indices(self, split: str) -> np.ndarray:
        """Scene numbers of a split, ascending."""
        import numpy as np

        known = {str(name): limits for name, limits in self.manifest.splits.items()}
        if split not in known:
            raise UserError(
                f"dataset {self.manifest.name} has no split {split!r}",
                where=self.folder,
                found=split,
                expected=", ".join(known),
            )
        return np.arange(*known[split])

    def split_array(self, split: str, modality: str) -> np.ndarray:
        """The part of `array` that holds the scenes of a split, which are adjacent; a view."""
        rows = self.indices(split)
        return self.array(modality)[int(rows[0]) : int(rows[-1]) + 1]

    def of_split(self, split: str, replaced: Mapping[str, np.ndarray]) -> Prepared:
        """The scenes of one split, in order and numbered from 0, with some arrays replaced by others of their shape.

        It has no other split. Its digest is that of the whole dataset.
        """
        rows = self.indices(split)
        scenes = self.manifest.scenes[int(rows[0]) : int(rows[-1]) + 1]
        part = Prepared(
            self.folder, self.manifest.model_copy(update={"splits": {split: (0, len(rows))}, "scenes": scenes})
        )
        part.digest = self.digest
        part._arrays = {name: self.split_array(split, name) for name in self.manifest.modalities} | dict(replaced)
        return part

    def scene_name(self, index: int) -> str:
        """The dataset's own name of a scene, or its number if scenes have no names."""
        return self.manifest.scenes[index] if self.manifest.scenes else f"{index:06d}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their labels."""
        return self.manifest.classes

    @property
    def void(self) -> int:
        """Label of pixels that are neither trained on nor scored."""
        return self.manifest.void

    def _entry(self, modality: str) -> ModalityEntry:
        entry = self.manifest.modalities.get(modality)
        if entry is None:
            raise UserError(
                f"dataset {self.manifest.name} has no modality {modality!r}",
                where=self.folder,
                found=modality,
                expected=", ".join(self.manifest.modalities),
            )
        return entry

    def _map(self, entry: ModalityEntry) -> np.ndarray:
        import numpy as np

        path = self.folder / entry.file
        try:
            with file_system_errors(path):
                array = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, SyntaxError, tokenize.TokenError) as error:  # NumPy parses the header as Python
            raise damaged(f"{entry.file} is not a NumPy array", path, found=str(error), expected=".npy") from error
        if array.dtype.name != entry.dtype:
            raise damaged(
                f"{entry.file} has an unexpected data type", path, key="dtype", found=array.dtype, expected=entry.dtype
            )
        if array.shape != entry.shape:
            expected = entry.shape
            raise damaged(
                f"{entry.file} has an unexpected shape", path, key="shape", found=array.shape, expected=expected
            )
        return array


def _touched(path: Path) -> tuple[int, ...] | None:
    """The file's state (`file_state`); None for a file that is absent."""
    try:
        return file_state(path)
    except OSError:
        return None
