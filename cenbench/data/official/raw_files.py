"""Official downloads, unpacked or still in their zips, read by the same official paths."""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

from cenbench.data.official.adapter import Sample
from cenbench.data.reading import MOST_BYTES, files_below, is_data_file, is_data_folder, read_bytes
from cenbench.errors import UserError
from cenbench.files import atomic_path
from cenbench.regular_file import Unreadable, is_system_error, unreadable
from cenbench.sha256_cache import file_state

_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(ValueError, RuntimeError),  # names that are not UTF-8; a password, and methods that Python does not have
)
"""What zipfile raises on a damaged, encrypted or unknown archive."""


class RawFiles:
    """Files below `folder`, and members of the named `archives` (zips) in it.

    A file on disk takes precedence over a member of the same path, so a zip beside its unpacked folder does no harm.
    """

    def __init__(self, folder: Path, archives: Iterable[str]) -> None:
        self._folder = folder
        self.archives = tuple(name for name in archives if self.on_disk(name))
        """The named archives that exist."""
        self._zips = {folder / name: _open(folder / name) for name in self.archives}

    def __contains__(self, name: str) -> bool:
        return self.on_disk(name) or self._archive(name) is not None

    def names(self, top: str) -> set[str]:
        """Official paths of all files below the folder `top`, on disk and in zips."""
        on_disk = {f"{top}/{name}" for name in files_below(self._folder / top)} if self._is_folder(top) else set()
        members = (name for archive in self._zips.values() for name in archive.NameToInfo)
        return on_disk | {name for name in members if name.startswith(f"{top}/") and not name.endswith("/")}

    def all_names(self) -> Iterator[str]:
        """Paths of all files below the folder and in its zips, wherever they lie."""
        yield from files_below(self._folder)
        for archive in self._zips.values():
            yield from archive.NameToInfo

    def on_disk(self, name: str) -> bool:
        return is_data_file(self._folder / name)

    def _is_folder(self, name: str) -> bool:
        return is_data_folder(self._folder / name)

    def sample(self, name: str, split: Literal["train", "val"], paths: Mapping[str, str], index: int = -1) -> Sample:
        """A sample whose parts have these official paths (role -> path), unpacked or not."""
        files = {role: path for role, path in paths.items() if self.on_disk(path)}
        members = {role: path for role, path in paths.items() if role not in files}
        return Sample(name, split, files, index, members)

    def where(self, name: str) -> Path:
        """For messages: the path of the file, or the zip's path followed by the member's name."""
        archive = None if self.on_disk(name) else self._archive(name)
        return (archive or self._folder) / name

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises `UserError` if there is no such file, or for a member with a wrong checksum."""
        if self.on_disk(name):
            return read_bytes(self._folder / name)
        archive = self._archive_with(name)
        try:
            return self._zips[archive].read(self._member(archive, name, MOST_BYTES))
        except _BROKEN as error:
            raise _refused(archive, name, error) from error

    def unpacked(self, name: str, *, most_bytes: int = MOST_BYTES) -> Path:
        """The file on disk; a member of a zip is first unpacked to its official path, atomically.

        Raises `UserError` for a member that is damaged, or larger than `most_bytes`.
        """
        path = self._folder / name
        if self.on_disk(name):
            return path
        archive = self._archive_with(name)
        try:
            member = self._member(archive, name, most_bytes)
            with (
                self._zips[archive].open(member) as packed,  # first: its errors are the archive's
                atomic_path(path) as temporary,
                temporary.open("wb") as file,
            ):
                shutil.copyfileobj(packed, file, 1 << 20)
        except Unreadable as error:
            raise UserError(
                f"{path.name} cannot be unpacked beside {archive.name}", where=path, found=error.found,
                fix="make this folder writable, or unpack the zip there yourself",
            ) from error  # fmt: skip
        except _BROKEN as error:
            raise _refused(archive, name, error) from error
        return path

    def _member(self, archive: Path, name: str, most_bytes: int) -> zipfile.ZipInfo:
        """A member of at most this size; BadZipFile for a larger one (decompression bomb)."""
        member = self._zips[archive].getinfo(name)
        if member.file_size > most_bytes:
            raise zipfile.BadZipFile(f"it would unpack to {member.file_size:,} bytes")
        return member

    def _archive(self, name: str) -> Path | None:
        return next((path for path, archive in self._zips.items() if name in archive.NameToInfo), None)

    def _archive_with(self, name: str) -> Path:
        archive = self._archive(name)
        if archive is None:
            searched = ", ".join(["the folder", *self.archives])
            raise UserError(
                f"{PurePosixPath(name).name} is missing", where=self._folder / name, found=f"not in {searched}",
                fix="get the official file again, or unpack its zip here",
            )  # fmt: skip
        return archive


def _open(archive: Path) -> zipfile.ZipFile:
    try:
        return _opened(archive, file_state(archive), os.getpid())
    except _BROKEN as error:
        raise _refused(archive, None, error) from error


@lru_cache(maxsize=8)
def _opened(archive: Path, state: tuple[int, ...], process: int) -> zipfile.ZipFile:
    """Cached, one per process: reading the directory of 100,000 members takes a second."""
    opened = zipfile.ZipFile(archive)
    if twice := _ambiguous(opened):
        opened.close()
        raise UserError(
            f"{archive.name} holds several files of one name", where=archive,
            found=", ".join(twice[:20]), expected="one file of each name",
            fix="get the official zip again, or unpack it yourself and remove it",
        )  # fmt: skip
    return opened


def _ambiguous(archive: zipfile.ZipFile) -> list[str]:
    """Names of members whose content is not the same everywhere; zipfile would read the last."""
    content: dict[str, tuple[int, int]] = {}
    return [
        member.filename
        for member in archive.infolist()
        if content.setdefault(member.filename, (member.CRC, member.file_size)) != (member.CRC, member.file_size)
    ]


def _refused(archive: Path, member: str | None, error: Exception) -> UserError:
    """The error for an archive that cannot be read: by the file system, by Python, or because it is damaged."""
    if is_system_error(error) and error.errno != errno.EINVAL:  # which is a place before the start of the file
        return unreadable(archive, error)
    if isinstance(error, RuntimeError):
        return UserError(
            f"{archive.name} is packed in a way that Python cannot read{f': {member}' if member else ''}",
            where=archive, found=str(error), expected="stored or deflated, without a password",
            fix=f"unpack it yourself in {archive.parent} (unzip or 7z); if that fails too, get the zip again",
        )  # fmt: skip
    problem = f"{archive.name} is damaged or truncated"
    return UserError(
        problem if member is None else f"{problem}: its member {member} cannot be read",
        where=archive,
        found=str(error) or type(error).__name__,
        expected="a complete zip file",
        fix="compare its size with the official one, and get it again",
    )
