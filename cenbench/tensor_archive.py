"""Checks a file that torch.save should have written before torch reads it: torch compares no checksums itself.

Everything is read in pieces, and members that unpack to more than they take are refused before that.
"""
# changes no number: bytes are read as they are, or refused

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from cenbench.errors import UserError
from cenbench.file_kind import kind_of
from cenbench.regular_file import is_system_error

WRITTEN_BY_TORCH = "a file written by torch.save"
_UNPACK = "unpack it, then use the file of weights in it"
_PIECE_BYTES = 2**20
_START_BYTES = 512
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What zipfile raises for a damaged archive; a name that is not UTF-8 is a ValueError."""


def check_archive(file: IO[bytes], where: Path, expected: str = WRITTEN_BY_TORCH) -> None:
    """Raise `UserError` for a file of another kind, a zip that torch.save did not write, and one with damaged members.

    `where` is the path of `file` and `expected` names what may be there, for messages. A pickle passes: torch.save
    wrote no zips before version 1.6. A zip without checksums (`set_crc32_options`) has none that match, and passes.
    """
    if not zipfile.is_zipfile(file):
        file.seek(0)
        _check_pickle(file.read(_START_BYTES), where, expected)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if member.file_size]
            _check_kind(members, where)
            right = {member.filename: _has_its_checksum(archive, member) for member in members}
    except (*_DAMAGED, OSError) as error:
        if is_system_error(error):
            raise
        raise _damaged(where, str(error) or type(error).__name__) from None
    if any(right.values()) and (wrong := [name for name, is_right in right.items() if not is_right]):
        raise _damaged(where, f"wrong checksum of {', '.join(wrong[:5])}")


def _damaged(where: Path, found: str) -> UserError:
    """The error for a file of weights that was not written to its end, or has changed since."""
    problem = "not a complete file of weights written by torch.save: truncated or damaged"
    return UserError(problem, where=where, found=found, fix="get the file again")


def _check_pickle(start: bytes, where: Path, expected: str) -> None:
    """Name the kind of a file that is neither a zip nor, by its first bytes, a pickle."""
    if start[:1] == b"\x80":
        return
    if (kind := kind_of(start)) == "a zip archive":
        raise _damaged(where, "a zip archive without its end")
    raise UserError(
        "not a file of weights: another kind of file",
        where=where,
        found=kind,
        expected=expected,
        fix=_UNPACK if kind.endswith("archive") else None,
    )


def _check_kind(members: list[zipfile.ZipInfo], where: Path) -> None:
    names = [member.filename for member in members]
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        raise UserError(
            "a TorchScript archive, which holds code", where=where, found="constants.pkl or code/",
            fix="where the file was made, run torch.save(torch.jit.load(FILE).state_dict(), NEW_FILE); then use "
            "NEW_FILE",
        )  # fmt: skip
    if not any(name.endswith("/data.pkl") for name in names):
        raise UserError(
            "a zip archive that torch.save did not write", where=where, found=", ".join(names[:5]) or "no file",
            expected="ARCHIVE/data.pkl", fix=_UNPACK,
        )  # fmt: skip
    if packed := [member.filename for member in members if member.compress_type != zipfile.ZIP_STORED]:
        raise UserError(
            "a zip archive that torch.save did not write: its members are compressed", where=where,
            found=", ".join(packed[:5]), expected="members that are stored as they are",
            fix="use the file that torch.save wrote",
        )  # fmt: skip


def _has_its_checksum(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(member) as file:
            while file.read(_PIECE_BYTES):
                pass
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return False
    return True
