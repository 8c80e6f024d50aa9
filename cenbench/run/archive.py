"""Unpack a tar archive without trusting it.

`tarfile`'s data filter decides whether a name leads outside the folder. On top of it come limits on bytes and members,
and only plain files and folders, each name once: links and sparse files are refused even where the filter allows them.
Contents are copied here, so files get the modes, owner and times of this process.
"""

from __future__ import annotations

import errno
import platform
import re
import shutil
import struct
import tarfile
import zlib
from lzma import LZMAError
from pathlib import Path
from typing import IO, cast

from cenbench.errors import UserError

LIMIT_BYTES = 2 * 10**12
"""Most bytes an archive may unpack to: more than any export needs, less than a decompression bomb."""
LIMIT_FILES = 5_000_000
_PIECE_BYTES = 1 << 20
_END_BYTES = 2 * tarfile.BLOCKSIZE
_NOT_A_NAME = re.compile("[\\x00-\\x1f\\\\:\ud800-\udfff]")
"""Control characters, undecodable bytes, and what separates paths or names a drive on another system."""
_DAMAGED = (
    *(tarfile.TarError, zlib.error, LZMAError, EOFError, struct.error),
    *(NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError, MemoryError),
)
"""What the libraries raise for a damaged archive or one that was made to confuse them."""


def unpack(archive: Path, folder: Path, *, limit_bytes: int = LIMIT_BYTES, limit_files: int = LIMIT_FILES) -> Path:
    """Unpack a tar archive (plain, gz, bz2, xz) into `folder` and return it.

    The folder appears only once it is complete; a `folder` that exists is returned unchanged. After a kill, the same
    call starts over. The caller makes sure that no other process unpacks to the same place. A tar without compression
    has no checksum: verify its contents by other means.

    Raises `UserError` if this Python has no safe way to unpack, and, naming the archive and the member, for a member
    outside the folder, a member that is not a plain file or folder, a repeated name, more than `limit_bytes` bytes or
    `limit_files` members, an archive that is cut, damaged or of another kind, and a full disk.
    """
    if folder.is_dir():
        return folder
    if not hasattr(tarfile, "data_filter"):  # added in 3.11.4; some distributions still ship an older 3.11
        raise UserError(
            "this Python cannot unpack archives safely",
            found=f"Python {platform.python_version()}",
            expected="Python 3.11.4 or newer",
            fix="make env PYTHON=python3.12 (or any newer Python)",
        )
    partial = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        _write_members(archive, partial, limit_bytes, limit_files)
        partial.rename(folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            fix = "free space (or raise the quota), then rerun the command"
            raise UserError(f"no room to unpack {archive.name}", where=folder, found=error.strerror, fix=fix) from error
        problem = f"{archive.name} cannot be unpacked"
        raise UserError(problem, where=archive, found=f"{error.strerror or error}: {error.filename}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _write_members(archive: Path, folder: Path, limit_bytes: int, limit_files: int) -> None:
    member, written = None, 0
    try:
        with tarfile.open(archive, "r:*") as packed:
            for count, info in enumerate(packed, start=1):
                member = info.name
                written += info.size  # a plain member never unpacks to more than its header declares
                if count > limit_files:
                    raise _refused(archive, member, f"more than {limit_files} members", f"at most {limit_files}")
                if written > limit_bytes:
                    raise _refused(archive, member, f"more than {limit_bytes} bytes", f"at most {limit_bytes}")
                _write(packed, info, folder / _checked_name(archive, info, folder))
            member = None
            _check_end(archive, packed)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _refused(archive, member, "a name that is already taken", "each name once") from error
    except _DAMAGED as error:
        raise _refused(archive, member, str(error) or type(error).__name__, "a complete tar archive") from error


def _check_end(archive: Path, packed: tarfile.TarFile) -> None:
    """Refuse an archive whose listing ended before the archive does: tarfile takes a header that it cannot read, and
    the end of a file that was cut, for the end of the members.

    A tar ends with two blocks of zeros, or more. Reading them all also reaches the checksum of compressed data.
    """
    rest = cast("IO[bytes]", packed.fileobj)
    rest.seek(packed.offset)
    zeros = 0
    while piece := rest.read(_PIECE_BYTES):
        if any(piece):
            raise _refused(archive, None, f"no readable header at byte {packed.offset:,}", "a complete tar archive")
        zeros += len(piece)
    if zeros < _END_BYTES:
        found = f"{zeros} zeros after the last member; it was cut"
        raise _refused(archive, None, found, f"at least {_END_BYTES} zeros, as at the end of every tar archive")


def _checked_name(archive: Path, info: tarfile.TarInfo, folder: Path) -> str:
    """The member's name, which leads to a path below the folder."""
    if kind := _special(info):
        raise _refused(archive, info.name, kind, "files and folders only")
    try:
        filtered = tarfile.data_filter(info, str(folder)).name
    except tarfile.FilterError:
        filtered = None
    if filtered != info.name or _NOT_A_NAME.search(info.name) or (info.isreg() and not info.name.strip("./")):
        raise _refused(archive, info.name, "a name that leads outside the folder", "a plain relative name")
    return info.name


def _special(info: tarfile.TarInfo) -> str | None:
    """What a member is if it is neither a plain file nor a folder."""
    if info.issym() or info.islnk():
        return "a link"
    if info.issparse() or info.size < 0:
        return "a file whose header does not state how much it holds"
    return None if info.isreg() or info.isdir() else "a device or pipe"


def _write(packed: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    if info.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with cast("IO[bytes]", packed.extractfile(info)) as source, path.open("xb") as target:
        shutil.copyfileobj(source, target, _PIECE_BYTES)


def _refused(archive: Path, member: str | None, found: str, expected: str) -> UserError:
    problem = f"{archive.name} cannot be unpacked"
    return UserError(
        problem if member is None else f"{problem}: its member {member!r} is refused",
        where=archive,
        found=found,
        expected=expected,
        fix="get the archive from its source again; nothing was unpacked",
    )
