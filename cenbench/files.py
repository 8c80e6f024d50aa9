"""Atomic files: written under a temporary name, fsynced, then renamed. A reader sees the old bytes or the new ones."""
# changes no number: bytes are written and read as they are

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.regular_file import check_size, is_system_error, open_regular, unreadable
from cenbench.strict_json import read_strict

LARGEST_WEIGHTS_BYTES = 2**33
"""Far more than any network here has; a larger file of weights is damaged. It is refused before it is read, because a
sparse file of any size can be made in a moment, and reading it stops whatever asks.
"""
_CHUNK_BYTES = 2**20
SEAL = "sha256"
"""The key of a sealed file that holds the digest of its other content."""
_UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EACCES, errno.EISDIR)
REPLACED = ".replaced"
"""Suffix of a folder that another one takes the place of."""
Guard = Callable[[], None]
"""Called right before a file is changed; what it raises leaves the file as it is."""


def unguarded() -> None:
    """The guard of files that nobody else writes."""


@contextmanager
def room_to_write(path: Path) -> Iterator[None]:
    """Turn what the file system refuses within the block into a `UserError` that names `path`."""
    try:
        yield
    except OSError as error:
        if not is_system_error(error):
            raise
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise unreadable(path, error) from error
        raise UserError(
            f"no room to write {path.name}: {os.strerror(error.errno or 0)}; the previous version is intact",
            where=path,
            fix="free space (or raise the quota), then rerun the command to resume",
        ) from error


@contextmanager
def atomic_path(path: Path, guard: Guard = unguarded) -> Iterator[Path]:
    """Yield a temporary path next to `path`; at the end of the block, fsync it and rename it to `path`.

    `guard` is called first, and again right before the rename.

    After any error the temporary file is removed and `path` is unchanged. What the file system refuses becomes a
    `UserError`.
    """
    temporary: Path | None = None
    try:
        guard()
        with room_to_write(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
            os.close(handle)
            temporary = Path(name)
            yield temporary
            with where_supported():
                temporary.chmod(0o644)  # mkstemp makes 0600, but these files are shared
            with temporary.open("rb+") as file, where_supported():
                os.fsync(file.fileno())
            guard()
            temporary.replace(path)
            _sync_folder(path.parent)
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def replace_folder(fresh: Path, folder: Path, guard: Guard = unguarded) -> None:
    """Rename the folder `fresh` to `folder`; what was there before is removed. No reader sees half of either.

    `guard` is called before each step.

    A file system cannot exchange two folders in one step: for a moment, and after a kill at that moment, there is none.
    """
    old = folder.with_name(folder.name + REPLACED)
    guard()
    shutil.rmtree(old, ignore_errors=True)
    with room_to_write(folder):
        guard()
        with suppress(FileNotFoundError):
            folder.rename(old)
        guard()
        fresh.rename(folder)
        _sync_folder(folder.parent)
    guard()
    remove(old)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; as far as the file system lets it."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: the folder's entry must reach the disk too."""
    with where_supported():
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def where_supported() -> Iterator[None]:
    """Pass over what a file system does not offer at all, as mounts of CIFS, FUSE and object stores: modes of files,
    syncing a folder, or opening one. An error of a disk is none of these.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def write_bytes(path: Path, data: bytes, guard: Guard = unguarded) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path, guard) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str, guard: Guard = unguarded) -> None:
    """Write `text` (UTF-8, LF) to `path` atomically."""
    check_text(text, path.name)
    write_bytes(path, text.encode("utf-8"), guard)


def check_text(text: str, key: str) -> None:
    """`UserError` for text that no file can hold: arguments and names of files that are not UTF-8 (lone surrogates)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        found = ascii(text[max(0, error.start - 40) : error.start + 40])
        fix = "use a name or text in UTF-8 (check LANG, and the encoding of the terminal)"
        raise UserError("this text is not UTF-8", key=key, found=found, fix=fix) from None


def as_text(name: str) -> str:
    """A name or an argument as text that a file can hold: bytes of it that are not UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text. NaN and infinities are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()


def write_json(path: Path, value: Any, guard: Guard = unguarded) -> None:
    """Write `value` as indented JSON with sorted keys, atomically."""
    write_text(path, _indented(value), guard)


def _indented(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def read_json(path: Path, *, fix: str | None = None) -> Any:
    """Read a JSON file strictly (`cenbench.strict_json`); for whatever is wrong with it, a `UserError` naming it."""
    return read_strict(path, fix=fix)[0]


def read_json_object(path: Path, *, fix: str | None = None) -> dict[str, Any]:
    """`read_json` of a file that holds an object; `UserError` for one that holds anything else."""
    return _object(read_json(path, fix=fix), path, fix)


def _object(value: Any, path: Path, fix: str | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        found = type(value).__name__
        raise UserError(f"{path.name} does not hold an object", where=path, found=found, expected="{...}", fix=fix)
    return value


def write_sealed(path: Path, value: dict[str, Any], guard: Guard = unguarded) -> None:
    """Write `value` as JSON that includes the `sha256` of its own content: see `read_sealed`."""
    write_text(path, sealed_text(value), guard)


def sealed_text(value: dict[str, Any]) -> str:
    """What `write_sealed` writes."""
    return _indented({**value, SEAL: digest(value)})


def read_sealed(path: Path) -> dict[str, Any]:
    """What `write_sealed` wrote, without the digest. `UserError` if any byte has changed since."""
    return unsealed(path, *read_strict(path))


def unsealed(path: Path, value: Any, text: str) -> dict[str, Any]:
    """`read_sealed` of a file that was read already: its value, and the text of it."""
    document = _object(value, path)
    sealed = {key: content for key, content in document.items() if key != SEAL}
    expected, found = document.get(SEAL), digest(sealed)
    if found != expected or text != _indented(document):
        raise UserError(
            f"{path.name} has changed since it was written", where=path, key=SEAL, found=found, expected=expected
        )
    return sealed


def sha256_file(path: Path, largest_bytes: int | None = None) -> str:
    """SHA-256 (hex) of a regular file's bytes, read in chunks. Raises `UserError`, see `open_regular`; also for a file
    of more than `largest_bytes`, before it is read. A file that grows meanwhile is read up to the size it had.
    """
    with open_regular(path) as file:
        if largest_bytes is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        left, sha256 = check_size(file, path, largest_bytes), hashlib.sha256()
        while left > 0 and (chunk := file.read(min(left, _CHUNK_BYTES))):
            sha256.update(chunk)
            left -= len(chunk)
        return sha256.hexdigest()


def sha256_bytes(data: bytes) -> str:
    """SHA-256 (hex) of bytes in memory."""
    return hashlib.sha256(data).hexdigest()
