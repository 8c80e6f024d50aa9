"""What the file of a plug-in declares, in literals. Read, not imported, so that nothing it needs is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cenbench.errors import UserError


def read_constants(path: Path) -> dict[str, Any]:
    """Names and values of the constants of a file, annotated or not; `...` for a value that is not a literal.

    Raises `UserError` for a file that cannot be read, is not UTF-8 or is not Python, with the line if known.
    """
    return dict(_literals(_parse(path)))


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes().decode("utf-8"), filename=str(path))
    except OSError as error:
        raise UserError(f"cannot read this file: {error.strerror}", where=path) from error
    except UnicodeDecodeError as error:
        newlines = error.object[: error.start].count(b"\n")
        raise UserError("this file is not UTF-8 text", where=path, key=f"line {newlines + 1}") from error
    except SyntaxError as error:
        found = (error.text or "").strip() or None
        key = f"line {error.lineno}" if error.lineno else None
        raise UserError(f"this file is not valid Python: {error.msg}", where=path, key=key, found=found) from error
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte; nested too deeply
        raise UserError(f"this file is not valid Python: {error or 'nested too deeply'}", where=path) from error


def describe_constant(constants: Mapping[str, Any], name: str) -> str:
    """What a file declares under this name, for an error message."""
    if name not in constants:
        return "nothing"
    return "not a literal" if constants[name] is ... else repr(constants[name])


def _literals(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name):
            try:
                yield target.id, ast.literal_eval(value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                yield target.id, ...
