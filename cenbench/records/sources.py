"""The package's own sources: what each module says in code, and what it imports.

Parsing all of them takes a third of a second, and every command would pay it. So what a source says is remembered on
disk, under the SHA-256 of its bytes, beside what Python itself remembers of it (`__pycache__`): an edit is parsed
again, a new time of an old file is not. Nothing is lost with that file, and where it cannot be written none is made.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cenbench.errors import UserError
from cenbench.files import digest, read_json, write_json

PACKAGE = "cenbench"
REMEMBERED = 1000
"""Sources kept on disk, the oldest dropped: a few times as many as there are modules."""


class Source(NamedTuple):
    """A module without comments and docstrings (SHA-256 of its syntax tree), and what it imports from the package."""

    code: str
    imports: tuple[str, ...]


class Sources:
    """The modules of the package below `root`, by dotted name. Read as they are when first asked for, then kept."""

    def __init__(self, root: Path) -> None:
        self._paths = {_dotted(path.relative_to(root)): path for path in (root / PACKAGE).rglob("*.py")}
        self._read: dict[str, Source] = {}
        self._file = _cache_file(root)
        self._maker = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        self._remembered = _remembered(self._file, self._maker)
        self._parsed: dict[str, Source] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._paths

    def __getitem__(self, name: str) -> Source:
        if name not in self._read:
            self._read[name] = self._source(self._paths[name].read_bytes())
        return self._read[name]

    def imported(self, name: str) -> Iterator[str]:
        """The modules of the package that this one imports."""
        for imported in self[name].imports:
            # `from package import name`: the name is a module or something inside the package.
            if imported in self:
                yield imported
            elif (parent := imported.rpartition(".")[0]) in self:
                yield parent

    def remember(self) -> None:
        """Write down what was parsed, if anything was."""
        if self._parsed:
            latest = dict([*self._remembered.items(), *self._parsed.items()][-REMEMBERED:])
            with suppress(OSError, UserError):
                write_json(self._file, {"made_by": self._maker, "sources": latest})
            self._remembered, self._parsed = latest, {}

    def _source(self, data: bytes) -> Source:
        key = hashlib.sha256(data).hexdigest()
        if key in self._remembered:
            return self._remembered[key]
        return self._parsed.setdefault(key, _parse(data))


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _cache_file(root: Path) -> Path:
    """Of this version of Python: another one's syntax trees look different."""
    return Path(importlib.util.cache_from_source(str(root / PACKAGE / "sources.py"))).with_suffix(".json")


def _remembered(path: Path, maker: str) -> dict[str, Source]:
    """What the same code wrote down before; nothing where the file is absent, damaged or another code's."""
    try:
        document = read_json(path)
        sources = document["sources"] if document["made_by"] == maker else {}
        return {key: Source(code, tuple(imports)) for key, (code, imports) in sources.items()}
    except (UserError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return {}


def _parse(data: bytes) -> Source:
    tree = ast.parse(data)
    imports = tuple(_imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # A string that stands alone is a docstring, of the node or of the field above it.
            node.body = [child for child in node.body if not _is_text(child)]
    return Source(digest(ast.dump(tree)), imports)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
