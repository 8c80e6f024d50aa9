"""Every byte of a dataset is checked before anything trains on it; files that were not touched since are not reread.

See `cenbench.sha256_cache` for what counts as touched.
"""

from __future__ import annotations

from pathlib import Path

from cenbench.data.manifest import MANIFEST, Damaged
from cenbench.data.prepared import Prepared
from cenbench.sha256_cache import cached_sha256

SET_ASIDE = "manifest.damaged.json"


def open_whole(folder: Path, notes: Path) -> Prepared:
    """Open a prepared dataset after checking that every byte is as the manifest says; see `verify_once`.

    A dataset with a missing or truncated file is set aside like one with a flipped bit; `UserError` for either. One
    that cannot be read (`Unreadable`) stays as it is.
    """
    try:
        prepared = Prepared.open(folder)
    except Damaged as error:
        error.fix = _set_aside(folder) or error.fix
        raise
    verify_once(prepared, notes)
    return prepared


def verify_once(prepared: Prepared, notes: Path) -> None:
    """Check every file against the manifest; `notes` holds the digests of files that were read before.

    A damaged dataset raises `Damaged` naming the file, and its manifest is set aside: nothing reads the dataset any
    more, and the same command prepares it again.
    """
    try:
        prepared.verify(lambda path: cached_sha256(path, notes))
    except Damaged as error:
        error.fix = _set_aside(prepared.folder) or error.fix
        raise
    if (left := prepared.folder / SET_ASIDE).exists():
        left.unlink()


def _set_aside(folder: Path) -> str | None:
    """Take the manifest away, so that the dataset counts as not prepared; returns the fix, or None if it must stay."""
    try:
        (folder / MANIFEST).rename(folder / SET_ASIDE)
    except OSError:  # shared with others, and read-only here
        return None
    return f"rerun the same command: it prepares the dataset anew ({MANIFEST} is now {SET_ASIDE})"
