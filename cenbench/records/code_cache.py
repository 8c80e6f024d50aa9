"""What was worked out from sources, kept on disk for the next process.

Such a file lies beside Python's own cache and can be deleted at any time. One that is damaged, or that other code or
another version of Python wrote, counts as absent; where none can be written, there is none.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any


class CodeCache:
    """One file of results, valid for one `state` of what they were worked out from."""

    def __init__(self, folder: Path, name: str, state: str) -> None:
        # One per version of Python: their syntax trees differ.
        self._file = Path(importlib.util.cache_from_source(str(folder / f"{name}.py"))).with_suffix(".json")
        self._valid_for = f"{_own_code()} {state}"

    def read(self) -> dict[str, Any]:
        """What is kept, by key; nothing where it is not valid."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            document = json.loads(self._file.read_bytes())
            if document["valid_for"] == self._valid_for:
                return dict(document["found"])
        return {}

    def write(self, found: dict[str, Any]) -> None:
        """Keep `found`, and nothing else: whole or not at all, but not synced to the disk."""
        part = self._file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._file.parent.mkdir(exist_ok=True)
            part.write_text(json.dumps({"valid_for": self._valid_for, "found": found}), encoding="utf-8")
            part.replace(self._file)


@cache
def _own_code() -> str:
    """SHA-256 (hex) of the code that works things out: what it changes in the results must be seen."""
    own = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in own)).hexdigest()
