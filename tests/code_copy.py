"""A copy of the package to edit, and the digests of its cells: for tests of what an edit runs again."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from checkout import REPOSITORY, copy_code_cache

from cenbench.evaluate.task import evaluation_entries, metrics_loaded_by_name, selection_entries
from cenbench.matrix import metrics
from cenbench.matrix.cell import Cell
from cenbench.records.definitions import MARK
from cenbench.records.fingerprint import PackageCode
from cenbench.train.task import loaded_by_name, loading_entries, training_entries

Reached = Mapping[str, tuple[str, str]]
"""Kind of cell -> digests of its training code and its evaluation code."""


class CodeCopy:
    """The package in a folder of its own, to be edited within `undone`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.package = folder / "cenbench"
        self._is_parsed = False
        shutil.copytree(REPOSITORY / "cenbench", self.package, ignore=shutil.ignore_patterns("__pycache__"))
        copy_code_cache(folder)

    def digests(self, cells: Mapping[str, Cell], moved: Mapping[str, str] | None = None) -> Reached:
        """The digests of the code as it is now. `moved`: old -> new names of modules, for entry points among them."""
        code = PackageCode(self.root)
        moved = moved or {}

        def digest(cell: Cell, entries: tuple[str, ...]) -> str:
            chosen = {
                prefix: tuple(moved.get(prefix + rest, prefix + rest).removeprefix(prefix) for rest in names)
                for prefix, names in {**loaded_by_name(cell), **metrics_loaded_by_name(cell)}.items()
            }
            return code.reached(tuple(_renamed(entry, moved) for entry in entries), chosen).digest()

        with self._own_metrics():
            found = {
                kind: (
                    digest(cell, (*training_entries(cell), *selection_entries(cell))),
                    digest(cell, (*loading_entries(cell), *evaluation_entries(cell))),
                )
                for kind, cell in cells.items()
            }
        if not self._is_parsed:
            code.save()
            self._is_parsed = True
        return found

    @contextmanager
    def _own_metrics(self) -> Iterator[None]:
        """Lists the metrics of the copy instead of the package's."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(metrics, "_FOLDER", self.package / "metrics")
            metrics.metrics.cache_clear()
            yield
        metrics.metrics.cache_clear()

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Restores the sources afterwards."""
        before = {path: path.read_bytes() for path in self.files()}
        try:
            yield
        finally:
            for path in self.files():
                if path not in before:
                    path.unlink()
            for path, data in before.items():
                if not path.is_file() or path.read_bytes() != data:
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(data)

    def files(self) -> list[Path]:
        return sorted(self.package.rglob("*.py"))

    def file_of(self, definition: str) -> Path:
        """The module that defines something at its top level; `file.py:name` where several define that name."""
        file, _, name = definition.rpartition(":")
        named = (path for path in self.files() if str(path).endswith(file) and name in path.read_text())
        [path] = [path for path in named if name in _defined(path)]
        return path

    def edit(self, definition: str, change: Callable[[ast.stmt], ast.AST | list[ast.stmt] | None]) -> None:
        """Replace a top-level definition by what `change` returns."""
        path, name = self.file_of(definition), definition.rpartition(":")[2]
        tree = ast.parse(path.read_text())
        for place, node in enumerate(tree.body):
            if name in _names(node):
                before = ast.dump(node)
                made = change(node)
                tree.body[place : place + 1] = [] if made is None else made if isinstance(made, list) else [made]
                assert made is not node or ast.dump(node) != before, f"nothing to change in {definition}"
        write(path, tree)

    def edit_all(self, change: ast.NodeTransformer, *rooms: str) -> None:
        """Rewrite all modules of some rooms."""
        changed = 0
        for path in self.files():
            if path.relative_to(self.package).parts[0] in rooms:
                before = ast.parse(path.read_text())
                after = change.visit(ast.parse(path.read_text()))
                changed += ast.dump(before) != ast.dump(after)
                write(path, after)
        assert changed, "nothing to change"

    def append(self, definition: str, text: str) -> None:
        """Add lines to the module of a definition."""
        with self.file_of(definition).open("a") as file:
            file.write(f"\n\n{text}\n")

    def rename(self, old: str, new: str) -> None:
        """Move a module, with every import of it."""
        self.rename_all({old: new})

    def rename_all(self, moved: Mapping[str, str]) -> None:
        """Move modules, old -> new name, with every import of them."""
        for old, new in moved.items():
            source, target = (self.package.parent / Path(*name.split(".")).with_suffix(".py") for name in (old, new))
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(source.read_bytes())
            source.unlink()
        for path in self.files():
            text = path.read_text()
            found = [names for names in moved.items() if _may_import(text, names[0])]
            if found:
                tree: ast.AST = ast.parse(text)
                for old, new in found:
                    tree = _Rename(old, new).visit(tree)
                write(path, tree)


def _may_import(text: str, module: str) -> bool:
    package, _, name = module.rpartition(".")
    return module in text or (f"from {package} import" in text and name in text)


def write(path: Path, tree: ast.AST) -> None:
    """Write a module. Of its comments, only the mark is kept."""
    marks = [line for line in path.read_text().splitlines() if line.startswith(MARK)]
    path.write_text("\n".join([ast.unparse(ast.fix_missing_locations(tree)), *marks, ""]))


class _Rename(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = old, new

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | list[ast.stmt]:
        if node.module == self._old:
            node.module = self._new
            return node
        folder, _, name = self._old.rpartition(".")
        moved = [alias for alias in node.names if node.module == folder and alias.name == name]
        if not moved:
            return node
        node.names = [alias for alias in node.names if alias not in moved]
        folder, _, new = self._new.rpartition(".")
        own = [ast.ImportFrom(folder, [ast.alias(new, alias.asname or name)], 0) for alias in moved]
        return [*([node] if node.names else []), *own]

    def visit_Import(self, node: ast.Import) -> ast.stmt:
        for alias in node.names:
            assert alias.name != self._old or alias.asname, "would need the uses renamed too"
            alias.name = self._new if alias.name == self._old else alias.name
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(self._new) if node.value == self._old else node


def _renamed(entry: str, moved: Mapping[str, str]) -> str:
    for old, new in moved.items():
        if entry == old or entry.startswith(f"{old}."):
            return new + entry.removeprefix(old)
    return entry


def _defined(path: Path) -> set[str]:
    return {name for node in ast.parse(path.read_text()).body for name in _names(node)}


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return set()
