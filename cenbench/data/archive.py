"""Unpack a downloaded archive without trusting it: what its members say is checked before anything is written.

Zip and tar (plain, gz, bz2, xz) alike are read member by member and written here, so that no library decides on names,
modes, owners or links. No NumPy and no torch here.
"""

from __future__ import annotations

import errno
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from cenbench.errors import UserError

LIMIT_BYTES = 2 * 10**12
"""Most bytes an archive may unpack to: more than any dataset here has, less than a bomb."""
LIMIT_FILES = 5_000_000
_PIECE_BYTES = 1 << 20
_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, struct.error),
    *(NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError, MemoryError),
)
"""What the libraries raise on a damaged, encrypted or unknown archive, and from inside on one made to confuse them."""


@dataclass(frozen=True)
class _Member:
    name: str
    kind: str
    """`file`, `folder`, or what it is instead: not unpacked."""
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, *, limit_bytes: int = LIMIT_BYTES, limit_files: int = LIMIT_FILES) -> Path:
    """Unpack a zip or tar archive into `folder`, which is there afterwards only if it is whole; returns it.

    A `folder` that exists already is returned as it is: it was unpacked before. Killed half-way, the same call starts
    anew. One process at a time: the caller holds its dataset's lock. Files and folders get the modes of the process,
    whatever the archive says. A tar without compression has no checksum: compare its SHA-256 before.

    Raises `UserError`, naming the archive and the member, for a member that would lie outside the folder (absolute,
    `..`, a drive), one that is no file and no folder (link, device, pipe), one that is there twice, more than
    `limit_bytes` bytes written or `limit_files` members, an archive that is damaged, encrypted or of another kind, and
    a full disk.
    """
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        _write_members(archive, partial, limit_bytes, limit_files)
        partial.rename(folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            fix = "free space (or raise the quota), then run the same command again"
            raise UserError(f"no room to unpack {archive.name}", where=folder, found=error.strerror, fix=fix) from error
        raise _refused(archive, None, error.strerror or str(error), "a readable archive") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _write_members(archive: Path, folder: Path, limit_bytes: int, limit_files: int) -> None:
    written, count = 0, 0
    for member in _members(archive):
        count += 1
        if count > limit_files:
            raise _refused(archive, member.name, f"more than {limit_files} members", f"at most {limit_files}")
        path = folder / _safe_name(archive, member)
        if member.kind == "folder":
            _make_folder(archive, member, path)
            continue
        _make_folder(archive, member, path.parent)
        try:
            with member.open() as source, path.open("xb") as target:
                for size in _copied(source, target):
                    written += size
                    if written > limit_bytes:
                        raise _refused(archive, member.name, f"more than {limit_bytes} bytes", "a dataset, not a bomb")
        except FileExistsError as error:
            raise _refused(archive, member.name, "a second member of this name", "each name once") from error
        except _BROKEN as error:
            raise _refused(archive, member.name, str(error) or type(error).__name__, "a whole archive") from error


def _copied(source: IO[bytes], target: BinaryIO) -> Iterator[int]:
    """Copy in pieces, telling the size of each."""
    while piece := source.read(_PIECE_BYTES):
        target.write(piece)
        yield len(piece)


def _make_folder(archive: Path, member: _Member, path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise _refused(archive, member.name, "a folder where a file lies", "each name once") from error


def _safe_name(archive: Path, member: _Member) -> PurePosixPath:
    """The member's name as a path below the folder; anything that could lie elsewhere, on any system, is refused."""
    if member.kind not in ("file", "folder"):
        raise _refused(archive, member.name, member.kind, "files and folders only")
    name = PurePosixPath(member.name)
    outside = name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name.split("/")[0]
    unclear = any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in member.name)
    if outside or unclear or (member.kind == "file" and not name.parts):
        raise _refused(archive, member.name, "a name that leads outside the folder", "a plain relative name")
    return name


def _members(archive: Path) -> Iterator[_Member]:
    """Every member in the archive's order, opened lazily."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                yield from (_zip_member(packed, info) for info in packed.infolist())
        else:
            with tarfile.open(archive, "r:*") as packed_tar:
                yield from (_tar_member(packed_tar, info) for info in packed_tar)
                rest = cast("IO[bytes]", packed_tar.fileobj)
                while rest.read(_PIECE_BYTES):  # the compression's checksum comes last: tarfile stops before it
                    pass
    except _BROKEN as error:
        raise _refused(archive, None, str(error), "a zip or tar archive, whole") from error


def _zip_member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    kind = stat.S_IFMT(info.external_attr >> 16)  # Unix tools keep the file's type there; 0 where they did not
    plain = "folder" if info.orig_filename.endswith("/") else "file"
    kinds = {0: plain, stat.S_IFREG: plain, stat.S_IFDIR: "folder", stat.S_IFLNK: "a link"}
    # orig_filename: `filename` is cut at a NUL and has its separators replaced.
    return _Member(info.orig_filename, kinds.get(kind, "a device or pipe"), lambda: packed.open(info))


def _tar_member(packed: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    plain = "file" if info.isreg() else "folder" if info.isdir() else None
    link = "a link" if info.issym() or info.islnk() else "a device or pipe"
    return _Member(info.name, plain or link, lambda: cast("IO[bytes]", packed.extractfile(info)))


def _refused(archive: Path, member: str | None, found: str, expected: str) -> UserError:
    problem = f"{archive.name} cannot be unpacked"
    return UserError(
        problem if member is None else f"{problem}: its member {member!r} is refused",
        where=archive,
        found=found,
        expected=expected,
        fix="get the archive from its source again; nothing of it was kept",
    )
