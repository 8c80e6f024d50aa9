"""File systems that refuse: a file that cannot be opened, and mounts without modes or syncing."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def closed(path: Path, monkeypatch: pytest.MonkeyPatch, number: int = errno.EACCES) -> Iterator[None]:
    """Opening the file fails with this error (the tests may run as root, who may read everything)."""
    opened = os.open

    def refuse(name: Any, *arguments: Any, **named: Any) -> int:
        if os.fspath(name) == str(path):
            raise OSError(number, os.strerror(number), str(path))
        return opened(name, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        yield


def without_modes_or_syncing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """As mounts of CIFS, FUSE and object stores are: what they do not offer cannot be had."""

    def unsupported(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", unsupported)
    monkeypatch.setattr(Path, "chmod", unsupported)
