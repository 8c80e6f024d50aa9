"""The package's own sources, parsed, with a cache on disk.

Parsing all of them takes a second, which every command would pay. So what a source parses to is kept beside Python's
own cache (`__pycache__`) under the SHA-256 of its bytes: an edited file is parsed again, one with a new time is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from cenbench.records.code_cache import CodeCache
from cenbench.records.definitions import Definition, Module, parse
from cenbench.records.import_time import ImportTime
from cenbench.records.normal_form import PACKAGE, NormalForm

CACHED = 1000
"""Sources kept on disk, the oldest dropped: a few times as many as there are modules."""


class Sources:
    """The modules of the package below `root`, by dotted name, as they are when this is made."""

    def __init__(self, root: Path) -> None:
        self._paths = {_dotted(path.relative_to(root)): path for path in sorted((root / PACKAGE).rglob("*.py"))}
        self._bytes = {name: path.read_bytes() for name, path in self._paths.items()}
        self._sha256 = {name: hashlib.sha256(source).hexdigest() for name, source in self._bytes.items()}
        self._parsed: dict[str, Module] = {}
        self._cache = CodeCache(root / PACKAGE, "sources", "any")
        self._fresh: dict[str, Module] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __getitem__(self, name: str) -> Module:
        if name not in self._parsed:
            self._parsed[name] = self._parse(name)
        return self._parsed[name]

    @cached_property
    def sha256(self) -> str:
        """Of all names and sources."""
        lines = "\n".join(f"{name} {sha256}" for name, sha256 in self._sha256.items())
        return hashlib.sha256(lines.encode()).hexdigest()

    def is_package(self, name: str) -> bool:
        """Whether a module is a package: its relative imports count from itself."""
        return self._paths[name].name == "__init__.py"

    def save(self) -> None:
        """Keep what was parsed for the next process, if anything was."""
        if self._fresh:
            self._cache.write(dict([*self._cached.items(), *self._fresh.items()][-CACHED:]))
            self._cached |= self._fresh
            self._fresh = {}

    @cached_property
    def _cached(self) -> dict[str, Any]:
        return self._cache.read()

    def _parse(self, name: str) -> Module:
        key = self._sha256[name]
        with suppress(KeyError, TypeError, ValueError):  # absent, or a damaged entry
            return _from_lists(self._cached[key])
        module = self._fresh[key] = parse(self._bytes[name])
        return module


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _from_lists(document: list[Any]) -> Module:
    """A module as JSON gives it back: named tuples are lists there."""
    found, *rest = document
    return Module(tuple(_definition(each) for each in found), *rest)


def _definition(document: list[Any]) -> Definition:
    names, form, (runs, calls), is_class, bases, members, is_field = document
    inner = tuple(_definition(each) for each in members)
    return Definition(tuple(names), NormalForm(*form), ImportTime(runs, calls), is_class, bases, inner, is_field)
