"""What the package's files import from each other, read from their source: every import with its line, and cycles."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "cenbench"


@dataclass(frozen=True)
class Import:
    """One import of a module of the package."""

    line: int
    module: str
    """Dotted name below `cenbench`, e.g. `nn.unet`."""
    names: tuple[str, ...]
    """The names taken from that module; empty where the module itself is imported."""
    types_only: bool
    """Whether it stands under `if TYPE_CHECKING:`."""

    @property
    def room(self) -> str:
        return self.module.split(".")[0]

    def __str__(self) -> str:
        return f"{', '.join(self.names)} from cenbench.{self.module}" if self.names else f"cenbench.{self.module}"


@dataclass(frozen=True)
class Source:
    """One file of the package."""

    module: str
    """Dotted name below `cenbench`; a folder's `__init__.py` has the folder's name."""
    file: str
    """Path below the repository."""
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first part of the name: a folder, or a module that lies beside the folders."""
        return self.module.split(".")[0]


Sources = Mapping[str, Source]


def read_sources() -> Sources:
    """Every file of the package by its dotted name below `cenbench`."""
    texts = {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    return parse_sources(texts)


def parse_sources(texts: Mapping[str, str]) -> Sources:
    """The same from texts by file name (`cenbench/nn/unet.py`), for tests of the rules themselves."""
    found = {}
    for file, text in sorted(texts.items()):
        parts = Path(file).with_suffix("").parts[1:]
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[module] = Source(module, file, ast.parse(text))
    return found


def imports(source: Source, sources: Sources) -> Iterator[Import]:
    """The modules of the package that a file imports, at its top or inside functions."""
    guarded = _under_type_checking(source.tree)
    for node in ast.walk(source.tree):
        types_only = id(node) in guarded
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("cenbench."):
                    yield Import(node.lineno, alias.name.removeprefix("cenbench."), (), types_only)
        elif isinstance(node, ast.ImportFrom) and _absolute(node, source).split(".")[0] == "cenbench":
            origin = _absolute(node, source).removeprefix("cenbench").removeprefix(".")
            for alias in node.names:
                module = f"{origin}.{alias.name}".removeprefix(".")
                if module in sources:
                    yield Import(node.lineno, module, (), types_only)
                elif origin:
                    yield Import(node.lineno, origin, (alias.name,), types_only)


def _absolute(node: ast.ImportFrom, source: Source) -> str:
    """The module an import takes from, with the dots of a relative one resolved."""
    if not node.level:
        return node.module or ""
    folder = source.module.split(".") if source.file.endswith("__init__.py") else source.module.split(".")[:-1]
    return ".".join(["cenbench", *folder[: len(folder) - node.level + 1], *filter(None, [node.module])])


def _under_type_checking(tree: ast.Module) -> set[int]:
    guards = (node for node in ast.walk(tree) if isinstance(node, ast.If))
    bodies = (guard.body for guard in guards if ast.unparse(guard.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"))
    return {id(node) for body in bodies for statement in body for node in ast.walk(statement)}


def cycles(sources: Sources) -> list[str]:
    """Import cycles, one line each with the file and line of every step; imports for types alone make none."""
    graph = {
        name: {found.module: found.line for found in imports(source, sources) if not found.types_only}
        for name, source in sources.items()
    }
    return [_described(_cycle_within(group, graph), graph, sources) for group in _strongly_connected(graph)]


_Graph = Mapping[str, Mapping[str, int]]
"""Module -> the modules it imports, with the line of the import."""


def _strongly_connected(graph: _Graph) -> list[set[str]]:
    """Groups of modules that all reach one another (Tarjan 1972), and modules that import themselves."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[set[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph.get(module, {}):
            if other not in index:
                visit(other)
            if other in stack:
                low[module] = min(low[module], low[other])
        if low[module] == index[module]:
            group = set(stack[stack.index(module) :])
            del stack[stack.index(module) :]
            if len(group) > 1 or module in graph.get(module, {}):
                groups.append(group)

    sys.setrecursionlimit(max(sys.getrecursionlimit(), 10 * len(graph) + 1000))
    for module in graph:
        if module not in index:
            visit(module)
    return groups


def _cycle_within(group: set[str], graph: _Graph) -> list[str]:
    """One way round inside a strongly connected group, beginning and ending with the same module."""
    way = [min(group)]
    while way.count(way[-1]) == 1:
        way.append(min(other for other in graph[way[-1]] if other in group))
    return way[way.index(way[-1]) :]


def _described(way: list[str], graph: _Graph, sources: Sources) -> str:
    steps = [f"{sources[a].file}:{graph[a][b]} imports {b}" for a, b in pairwise(way)]
    return "; ".join(steps)
