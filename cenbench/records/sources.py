"""The package's own sources, parsed, with a cache on disk.

Parsing all of them takes a second at every start. So the result is kept under the SHA-256 of the source: an edited
file is parsed again, a file with only a new modification time is not.
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
"""How many sources are kept, the latest ones: a few times the number of modules."""


class Sources:
    """The modules of the package below `root`, by dotted name, as they were when this object was made."""

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
        """SHA-256 (hex) of all names and sources."""
        lines = "\n".join(f"{name} {sha256}" for name, sha256 in self._sha256.items())
        return hashlib.sha256(lines.encode()).hexdigest()

    def is_package(self, name: str) -> bool:
        """Whether a module is a package: its relative imports count from itself."""
        return self._paths[name].name == "__init__.py"

    def save(self) -> None:
        """Keep newly parsed sources for the next process."""
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
    """A module from JSON, which turns named tuples into lists."""
    found, *rest = document
    return Module(tuple(_definition(entry) for entry in found), *rest)


def _definition(document: list[Any]) -> Definition:
    names, form, (runs, calls), is_class, bases, members, is_field = document
    inner = tuple(_definition(member) for member in members)
    return Definition(tuple(names), NormalForm(*form), ImportTime(runs, calls), is_class, bases, inner, is_field)
