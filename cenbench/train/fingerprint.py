"""A digest of the code that can change a number: the import closure of given modules, without comments and docstrings.

Torch-free and static: nothing is imported, sources are parsed. Modules that cannot change a number are left out, else
rewording an error message would train everything again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cenbench.files import digest

PACKAGE = "cenbench"
CANNOT_CHANGE_NUMBERS = frozenset(
    {
        "cenbench",
        "cenbench.errors",
        "cenbench.files",
        # What a cell asks for is hashed by value in its id.
        "cenbench.matrix",
        "cenbench.matrix.cell",
        "cenbench.matrix.methods",
        "cenbench.matrix.specs",
        # Which bytes a dataset has is hashed in its manifest.
        "cenbench.data",
        "cenbench.data.manifest",
        "cenbench.data.prepared",
        "cenbench.train.fingerprint",
        "cenbench.train.progress",
    }
)


def code_digest(entries: tuple[str, ...], root: Path | None = None) -> str:
    """SHA-256 (hex) over the modules that `entries` (dotted names) import, directly or not, inside the package.

    `root` is the folder that holds the package; by default the one this file belongs to.
    """
    root = root or Path(__file__).parents[2]
    modules = sorted(_closure(entries, root) - CANNOT_CHANGE_NUMBERS)
    return digest({name: _parsed(_source(name, root))[0] for name in modules})


def _closure(entries: tuple[str, ...], root: Path) -> set[str]:
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imported(name, root))
    return found


@cache
def _imported(name: str, root: Path) -> tuple[str, ...]:
    """The modules of the package that this one imports."""
    found = []
    for imported in _parsed(_source(name, root))[1]:
        # `from package import name`: the name is a module or something inside the package.
        if _source(imported, root).exists():
            found.append(imported)
        elif _source(parent := imported.rpartition(".")[0], root).exists():
            found.append(parent)
    return tuple(found)


def _source(name: str, root: Path) -> Path:
    path = root.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _parsed(path: Path) -> tuple[str, tuple[str, ...]]:
    """A digest of the module's code without docstrings, and what it imports from the package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = tuple(_imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # A string that stands alone is a docstring, of the node or of the field above it.
            node.body = [child for child in node.body if not _is_text(child)]
    return digest(ast.dump(tree)), imports


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
