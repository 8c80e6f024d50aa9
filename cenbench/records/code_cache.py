"""Results computed from sources, kept on disk for the next process.

The files are beside Python's own cache and can be deleted at any time. One that is damaged, or was written by other
code or another version of Python, is ignored; if none can be written, results are computed again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.files import read_sealed, sealed_text


class CodeCache:
    """One file of results, valid for one `state` of what they were computed from."""

    def __init__(self, folder: Path, name: str, state: str) -> None:
        # One per version of Python: their syntax trees differ.
        self._file = Path(importlib.util.cache_from_source(str(folder / f"{name}.py"))).with_suffix(".json")
        self._valid_for = f"{_own_code()} {state}"

    def read(self) -> dict[str, Any]:
        """The results by key; none if they are not valid."""
        with suppress(OSError, UserError):
            document = read_sealed(self._file)
            found = document.get("found")
            if document.get("valid_for") == self._valid_for and isinstance(found, dict):
                return found
        return {}

    def write(self, found: dict[str, Any]) -> None:
        """Replace the results by `found`, atomically but without syncing to disk."""
        part = self._file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._file.parent.mkdir(exist_ok=True)
            part.write_text(sealed_text({"valid_for": self._valid_for, "found": found}), encoding="utf-8")
            part.replace(self._file)


@cache
def _own_code() -> str:
    """SHA-256 (hex) of the code that computes the results: when it changes, they are not valid."""
    own = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in own)).hexdigest()
