"""What the file of a plug-in declares, in literals. Read, not imported, so that nothing it needs is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


def read_constants(path: Path) -> dict[str, Any]:
    """Names and values of the constants of a file, annotated or not; whatever is not a literal is left out."""
    return dict(_literals(ast.parse(path.read_text(encoding="utf-8"))))


def _literals(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name):
            with suppress(ValueError):
                yield target.id, ast.literal_eval(value)
